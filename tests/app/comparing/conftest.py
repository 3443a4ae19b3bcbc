"""Three systems on samples worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.comparing.comparison import Comparison
from fas_core.evaluation.join import System
from fas_core.metrics.operating_point import Rule
from fas_core.runs.scorefile import scores_only_run

IDS = ["live0", "live1", "live2", "live3", "mask0", "mask1", "paper0", "paper1"]
# With BPCER <= 25 % one live sample may be rejected: the thresholds are just above 3, 30, and 0.3.
SCORES_A = [1.0, 2.0, 3.0, 4.0, 9.0, 2.5, 1.5, 8.0]  # misses mask1 and paper0, rejects live3
SCORES_B = [10.0, 20.0, 30.0, 40.0, 25.0, 15.0, 70.0, 80.0]  # misses the masks; finds paper0
SCORES_C = [0.4, 0.1, 0.2, 0.3, 0.9, 0.9, 0.9, np.nan]  # rejects live0, misses nothing, no score for paper1


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    """A and B."""
    return Comparison(systems(tmp_path)[:2], "frame", ("test",), Rule("bpcer", 0.25))


@pytest.fixture
def of_three(tmp_path: Path) -> Comparison:
    """A, B and C."""
    return Comparison(systems(tmp_path), "frame", ("test",), Rule("bpcer", 0.25))


def systems(cache: Path) -> tuple[System, ...]:
    kinds = [name[:-1] for name in IDS]
    table = pd.DataFrame(
        {
            "sample_id": IDS,
            "label": ["bona_fide" if kind == "live" else "attack" for kind in kinds],
            "pai_species": ["" if kind == "live" else kind for kind in kinds],
            "subset": "test",
            "device": ["left", "right"] * 4,
        }
    )
    of_runs = []
    for seed, (name, scores) in enumerate({"first": SCORES_A, "second": SCORES_B, "third": SCORES_C}.items()):
        order = np.random.default_rng(seed).permutation(len(IDS)) if seed else np.arange(len(IDS))
        own = table.assign(score=scores).iloc[order].reset_index(drop=True)
        of_runs.append(System(scores_only_run(cache, name, own, ["score"], "by hand"), "score"))
    return tuple(of_runs)
