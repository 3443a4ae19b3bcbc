"""Measuring several people at once, on few small images; how fast they are is the machine's affair."""

import shutil
from pathlib import Path

import pytest

from fas_core import memo
from fas_core.bench import drag, sessions, synthetic

from .conftest import apart


def test_the_large_run_is_the_one_at_hand_with_what_is_derived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = synthetic.write_run(tmp_path / "there", 120, pixels=0)
    memo.arrays(there.cache, "k", {}, lambda: {"x": [1]})
    monkeypatch.setenv("FAS_CACHE", str(there.cache))
    run = sessions._large_run(tmp_path / "here", 120)
    assert (run.id, run.digest) == (there.id, there.digest)
    memo.arrays(run.cache, "k", {}, lambda: pytest.fail("computed again"))
    memo.arrays(run.cache, "l", {}, lambda: {"x": [1]})
    assert memo.found(there.cache, "l", {}) is None  # what is kept of it there stays as it is
    assert len(sessions._large_run(tmp_path / "new", 60)) == 60


def test_sessions_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    few = {"n": 60, "side": 16, "per_page": 12, "sessions": 2, "turns": 4, "browsing": 2, "seconds": 1.0, "large": 600}
    figures = apart(sessions.figures, **few)
    assert set(sessions.TARGETS) < set(figures)
    assert (figures["errors"], figures["turns"]) == (0, 4)
    assert figures["browser_turn_milliseconds"] > figures["turn_milliseconds"] > 0
    assert figures["browsing_pages"] >= 2
    assert figures["beside_large_seconds"] > 0
    assert figures["last_megabytes"] > 50
