"""Measuring the decoding of strips, few of them; whether the targets are met is the machine's affair."""

import shutil
from pathlib import Path

import pytest

from fas_core.bench import drag, traversal
from fas_core.inference import predict
from fas_core.runs.upkeep import damage

from .conftest import apart


def test_traversal_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    figures = apart(traversal.figures, n=40, rounds=1, keys=2)
    assert set(traversal.TARGETS) < set(figures)
    assert 0 < figures["key_milliseconds"] <= figures["key_p95_milliseconds"]
    for name in traversal.EXPERIMENTS:
        assert figures[f"{name}_milliseconds"] > 0


def test_the_run_of_the_page_has_its_checkpoint(tmp_path: Path) -> None:
    run = traversal.write_run(tmp_path, traversal.write_checkpoint(tmp_path, traversal.IN_PAGE), 40)
    assert run.is_complete
    codes = run.latents()[:3]
    assert predict.decoded(codes, predict.ready(run, "cpu")).shape == (3, 128, 128)
    assert damage(run) == []
