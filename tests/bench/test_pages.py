"""Measuring how pages open, on a small Run; how fast they are is the machine's affair."""

import shutil
from pathlib import Path

import pytest

from fas_core.bench import drag, pages, synthetic
from fas_core.errors import BadInputError
from fas_core.runs import store

from .conftest import apart


def test_every_page_has_its_targets() -> None:
    assert {"overview", "likelihood", "traversal", "training"} < set(pages.names())
    assert {f"{page}_{figure}" for page in pages.names() for figure in ("first_seconds", "again_seconds")} < set(
        pages.TARGETS
    )


def test_without_the_demo_it_is_said_how_to_make_it(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tiny_cache))
    with pytest.raises(BadInputError, match="lacks small_dcvae, small_ganomaly, small_resvae of it. Make it: fas demo"):
        pages.demo_cache()


def test_a_synthetic_run_is_made_where_there_is_none_of_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived: list[int] = []
    monkeypatch.setattr(synthetic, "derive", lambda run: derived.append(len(run)))
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    there = synthetic.write_run(tmp_path, 80, pixels=0)
    with pages._shown(None, 80) as (folder, query):
        assert folder == tmp_path
        assert there.id[:6] in query
    with pages._shown(None, 120) as (folder, query):
        assert [len(run) for run in store.all_runs(folder)] == derived == [120]
        assert folder != tmp_path
        assert query.startswith("run=synthetic+%28")


def test_a_page_is_opened_and_opened_again(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "KINDS", ())  # whether the browser has other pages' scripts, nobody looks at here
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    figures = apart(pages.figures, pages=["cards"], cache=tiny_cache)
    seconds = {f"cards_{by}{time}_seconds" for by in ("", "server_") for time in ("first", "again")}
    assert set(figures) == {*seconds, "cards_words", "errors"}
    assert all(0 < figures[name] < 60 for name in seconds)
    assert figures["errors"] == 0
    assert 5 < figures["cards_words"] < 100
