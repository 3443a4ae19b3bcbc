"""The Run that a session opens on, and what Runs are called in the sidebar."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import MAIN, page, texts
from tests.conftest import tiny_samples, write_image_run
from tests.video_runs import write_video_run

pytestmark = pytest.mark.usefixtures("fresh_caches")


def test_it_opens_on_the_run_with_most_to_show_and_tells_names_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    whole = write_image_run(tmp_path, "m", tiny_samples(), seed=1, header={"epoch": 4})
    few = tiny_samples().iloc[:4].reset_index(drop=True)  # of training alone
    write_image_run(tmp_path, "m", few, seed=2, header={"epoch": 1})
    at = page(cache=tmp_path)
    run = at.sidebar.selectbox(key="run")
    assert run.value == f"m ({whole.id[:6]})"  # not the newest
    assert sorted(run.options) == ["m · 1 epoch", "m · 4 epochs"]
    assert at.query_params["run"] == f"m ({whole.id[:6]})"
    assert "4 epochs" in texts(at)
    for text, is_whole in (("m · 1 epoch", False), (whole.id[:7], True)):  # as somebody writes it by hand
        asked = opened_with(text)
        assert (asked.sidebar.selectbox(key="run").value == run.value) == is_whole
        assert not asked.sidebar.warning
    asked = opened_with("m")  # which of the two?
    assert asked.sidebar.warning[0].value == "Several Runs are called m; the newest is shown."
    assert asked.sidebar.selectbox(key="run").value != run.value
    assert "There is no Run nobody here" in opened_with("nobody").sidebar.warning[0].value


def test_levels_are_offered_typed_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    write_video_run(tmp_path)
    # One that is typed is not among those that are offered; it comes back from its address.
    typed = page(cache=tmp_path, run="videos", level="video 2 of 4")
    level = typed.sidebar.selectbox(key="level")
    assert level.value == "video 2 of 4"
    assert level.options[-4:] == ["video 3 of 10", "video ema 0.5s", "video mean first 1s", "video 2 of 4"]
    said = "\n".join(caption.value for caption in typed.sidebar.caption).replace("\\", "")
    assert "An attack where 2 of its first 4 frames reach the threshold. 6 of 32 videos have less" in said
    assert not typed.sidebar.warning
    refused = page(cache=tmp_path, run="videos", level="video 2/4")
    assert "There is no decision level 'video 2/4'" in refused.sidebar.warning[0].value.replace("\\", "")
    assert refused.sidebar.selectbox(key="level").value == "frame"


def opened_with(run: str) -> AppTest:
    at = AppTest.from_file(MAIN, default_timeout=60)
    at.query_params["run"] = run
    return at.run()
