"""Measuring the page Compare, on Runs that take no time; whether the target is met is the machine's affair."""

import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from fas_core.bench import compare, drag


def test_compare_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    # In a process of its own: the browser tests may have left their playwright open in this one.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        found = process.submit(compare.figures, n=600, runs=3).result()
    assert set(compare.TARGETS) < set(found)
    assert 0 < found["answer_seconds"] <= found["open_seconds"] <= found["intervals_seconds"]
