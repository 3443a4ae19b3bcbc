"""Measuring the page Compare, on Runs that take no time; whether the target is met is the machine's affair."""

import shutil

import pytest

from fas_core.bench import compare, drag

from .conftest import apart


def test_compare_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    found = apart(compare.figures, n=600, runs=3, rounds=1)
    assert set(compare.TARGETS) < set(found)
    assert 0 < found["answer_seconds"] <= found["open_seconds"] <= found["intervals_seconds"]
