"""Measuring the page Compare, on Runs that take no time; whether the target is met is the machine's affair."""

import shutil

import pytest

from fas_core.bench import compare, drag

from .conftest import apart


def test_compare_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    figures = apart(compare.figures, n=600, runs=3, rounds=1, many=900)
    assert set(compare.TARGETS) < set(figures)
    assert 0 < figures["answer_seconds"] <= figures["open_seconds"] <= figures["intervals_seconds"]
