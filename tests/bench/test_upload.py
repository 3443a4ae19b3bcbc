"""Measuring the first upload; whether the target is met is the machine's affair."""

import shutil

import pytest

from fas_core.bench import drag, upload

from .conftest import apart


def test_upload_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    figures = apart(upload.figures, n=40, finding_seconds=0.0)
    assert set(figures) == {"first_seconds", "second_seconds"}
    assert set(upload.TARGETS) < set(figures)
    assert figures["second_seconds"] > 0
    assert figures["first_seconds"] > 0
