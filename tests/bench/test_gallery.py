"""Measuring the turning of a page, on few small images; whether the target is met is the machine's affair."""

import shutil

import pytest

from fas_core.bench import drag, gallery

from .conftest import apart


def test_gallery_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    found = apart(gallery.figures, n=60, side=16, per_page=12, turns=2)
    assert set(gallery.TARGETS) < set(found)
    assert found["canvases"] == 3 * 12
    assert 0 < found["turn_milliseconds"] <= found["turn_p95_milliseconds"]
