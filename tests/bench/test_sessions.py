"""Measuring several people at once, on few small images; how fast they are is the machine's affair."""

import shutil

import pytest

from fas_core.bench import drag, sessions

from .conftest import apart


def test_sessions_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    figures = apart(sessions.figures, n=60, side=16, per_page=12, sessions=2, turns=4)
    assert set(sessions.TARGETS) < set(figures)
    assert (figures["errors"], figures["turns"]) == (0, 4)
    assert figures["turn_milliseconds"] > 0
    assert figures["last_megabytes"] > 50
