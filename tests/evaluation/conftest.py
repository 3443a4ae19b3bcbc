"""Runs worked out by hand, and as many as one wants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fas_core.evaluation.comparison import compared
from fas_core.evaluation.join import Joined, System, joined
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run

# 20 live samples score 1..20: with BPCER <= 5 % one of them (20) may be rejected, so the threshold is just above 19.
LIVE = {f"live{i:02d}": float(i + 1) for i in range(20)}


ATTACKS_A = {"paper0": 5.0, "paper1": 30.0, "paper2": 18.0, "paper3": 40.0, "mask0": 50.0, "mask1": 2.0}


# B: other units (times ten), paper0 and paper2 now found, mask0 now missed.
ATTACKS_B = {"paper0": 300.0, "paper1": 300.0, "paper2": 500.0, "paper3": 400.0, "mask0": 50.0, "mask1": 20.0}


def run_of(cache: Path, name: str, scores: dict[str, float], *, shuffled: int | None = None) -> store.Run:
    """A scores-only Run; ids tell label and species: live..., paper..., mask..."""
    ids = list(scores)
    if shuffled is not None:
        ids = [ids[i] for i in np.random.default_rng(shuffled).permutation(len(ids))]
    kinds = ["".join(c for c in i if c.isalpha()) for i in ids]
    table = pd.DataFrame(
        {
            "sample_id": ids,
            "label": ["bona_fide" if k == "live" else "attack" for k in kinds],
            "pai_species": ["" if k == "live" else k for k in kinds],
            "subset": ["live" if k == "live" else f"seen_{k}" for k in kinds],
            "score": [scores[i] for i in ids],
        }
    )
    return scores_only_run(cache, name, table, ["score"], "by hand")


def pair_of(a: store.Run, b: store.Run, score: str = "score") -> Joined:
    return joined([System(a, score), System(b, score)])


def document_of(a: store.Run, b: store.Run, score: str = "score", **options: Any) -> dict[str, Any]:
    return compared(System(a, score), System(b, score), **{"resamples": 200} | options).as_json()


@pytest.fixture
def both(tmp_path: Path) -> tuple[store.Run, store.Run]:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    b = run_of(tmp_path, "b", {k: 10 * v for k, v in LIVE.items()} | ATTACKS_B, shuffled=5)
    return a, b


def correlated(tmp_path: Path, n: int, n_subjects: int | None, gain: float) -> tuple[store.Run, store.Run]:
    """Two Runs whose scores share most of their noise; B separates better by `gain`."""
    rng = np.random.default_rng(1)
    attack = np.arange(n) % 2 == 1
    subject = np.arange(n) % n_subjects if n_subjects else np.arange(n)
    common = attack + rng.normal(0, 1, n)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "label": np.where(attack, "attack", "bona_fide"),
            "pai_species": np.where(attack, np.where(np.arange(n) % 4 == 1, "print", "mask"), ""),
            "subset": "test",
            "a": common + rng.normal(0, 0.3, n),
            "b": common + gain * attack + rng.normal(0, 0.3, n),
        }
    )
    if n_subjects:
        table["subject_id"] = [f"p{i}" for i in subject]
    run = scores_only_run(tmp_path, f"r{n}", table, ["a", "b"], "")
    return run, run
