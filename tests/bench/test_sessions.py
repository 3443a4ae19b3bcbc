"""Measuring several people at once, on few small images; how fast they are is the machine's affair."""

import shutil

import pytest

from fas_core.bench import drag, sessions

from .conftest import apart


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
