"""Measuring a drag, on scores that take no time; whether the target is met is the machine's affair."""

import shutil
from pathlib import Path

import pytest

from fas_core.bench import drag
from fas_core.errors import BadInputError

from .conftest import apart


def test_drag_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    figures = apart(drag.figures, n=2_000, kinds=3, events=20)
    assert set(drag.TARGETS) < set(figures)
    assert figures["answers"] > 0.3  # the page did follow; of few scores some steps change nothing
    assert 0 < figures["event_milliseconds"] <= figures["event_p95_milliseconds"]
    assert figures["event_milliseconds"] < figures["frame_milliseconds"]


def test_without_a_browser_there_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(BadInputError, match="needs Chromium"):
        drag.figures(n=200, kinds=2, events=1)


def test_the_scores_are_of_as_many_species_as_subsets(tmp_path: Path) -> None:
    run = drag._write_run(tmp_path, n=1_000, kinds=4)
    rows = run.samples(["subset", "label", "pai_species"])
    assert len(run.subsets) == 4
    assert rows[rows["label"] == "attack"]["pai_species"].nunique() == 4
    assert set(rows["label"]) == {"attack", "bona_fide"}
