"""Measuring the scatter, on few points; whether the targets are met is the machine's affair."""

import shutil
from pathlib import Path

import pytest

from fas_core.bench import drag, scatter

from .conftest import apart


def test_scatter_figures() -> None:
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    figures = apart(scatter.figures, sizes=(2_000,), rounds=1)
    assert figures["first_draw_2000_seconds"] > 0
    assert figures["lasso_2000_seconds"] > 0
    assert 0 < figures["selected_2000"] < 2_000
    assert 0 < figures["hover_2000_milliseconds"] < 30_000
    assert figures["plotly"] > 0
    assert figures["server_2000_megabytes"] > 50


def test_the_targets_are_figures_of_the_measured_sizes() -> None:
    assert set(scatter.TARGETS) == {
        *(f"first_draw_{n}_seconds" for n in scatter.SIZES),
        *(f"lasso_{n}_seconds" for n in scatter.SIZES[:2]),
        *(f"hover_{n}_milliseconds" for n in scatter.SIZES[:3]),
        f"server_{scatter.SIZES[2]}_megabytes",
        "plotly",
    }


def test_the_points_are_of_four_subsets_with_attacks(tmp_path: Path) -> None:
    run = scatter._write_run(tmp_path, n=2_000)
    rows = run.samples(["subset", "label", "pai_species"])
    assert len(run) == 2_000
    assert run.subsets == ["train", "live", "seen_paper", "unseen_mask"]
    assert set(rows[rows["label"] == "attack"]["pai_species"]) == {"paper", "mask"}
