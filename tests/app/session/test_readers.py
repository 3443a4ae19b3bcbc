"""What pages know about Runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.session import apart, readers
from app.session.cache import clear
from fas_core.runs import store


def test_runs_are_opened_before_anybody_comes(
    tiny_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_caches: None
) -> None:
    cache = tmp_path / "cache_with_a_broken_one"
    shutil.copytree(tiny_cache, cache)
    (store.runs_folder(cache) / "broken").mkdir()
    (store.runs_folder(cache) / "broken" / "run.json").write_text("{")
    names = {run.id for run in store.all_runs(tiny_cache)}
    opened: list[str] = []
    as_before = store.opened

    def noted(folder: Path) -> store.Run:
        opened.append(folder.name)
        return as_before(folder)

    monkeypatch.setenv("FAS_CACHE", str(cache))
    monkeypatch.setattr(store, "opened", noted)
    readers.open_runs()
    assert set(opened) == names | {"broken"}
    opened.clear()
    runs, problems = readers.runs()
    assert {run.id for run in runs} == names
    assert opened == ["broken"]
    assert len(problems) == 1


def test_columns_of_a_large_run_are_gathered_beside_the_server(
    tiny_cache: Path, monkeypatch: pytest.MonkeyPatch, fresh_caches: None
) -> None:
    run = store.open_run(tiny_cache, "a")
    asked: list[tuple[str, object]] = []
    monkeypatch.setattr(apart, "LARGE", 10)
    monkeypatch.setattr(apart, "called", lambda function, of: asked.append((function.__name__, of)))
    readers.look_through(run)
    assert readers.samples(run, ["sample_id"])["sample_id"].is_unique
    assert asked == [], "what is at hand was asked for elsewhere"
    clear()
    monkeypatch.setattr(store.Run, "are_at_hand", lambda *_: False)
    readers.look_through(run)
    assert readers.samples(run, ["sample_id"])["sample_id"].is_unique  # read here, from what is kept there
    assert asked == [("look_through", (run,)), ("gather", (run, ("sample_id",)))]
