"""Measuring the turning of a page, on few small images; whether the target is met is the machine's affair."""

import shutil

import pytest

from fas_core.bench import drag, gallery

from .conftest import apart


def test_gallery_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    figures = apart(gallery.figures, n=60, side=16, per_page=12, turns=2)
    assert set(gallery.TARGETS) < set(figures)
    assert figures["canvases"] == 12  # three images on each
    assert 0 < figures["turn_milliseconds"] <= figures["turn_p95_milliseconds"]
