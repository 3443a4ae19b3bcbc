"""The reports of one and of two Runs of 17,000 scores with six columns of groups: seconds, nothing kept from before.

The target is absolute: what a person may be asked to wait for a file. It is of the processor's time, which others who
work on the machine do not lengthen.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.evaluation.join import System
from fas_core.evaluation.sheet import Sheet, comparison
from fas_core.evaluation.summary import summary
from fas_core.metrics.operating_point import DEFAULT
from fas_core.reports import report
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run

SCORES, ROUNDS = 17_000, 3
TARGETS = {"two_runs_cpu_seconds": ("at_most", 3.0), "one_run_cpu_seconds": ("at_most", 3.0)}
SPECIES = ("print", "replay", "mask", "makeup", "partial")
COLUMNS = {"sex": 2, "skin_tone": 6, "age": 5, "capture_device": 8, "lighting": 4, "dataset": 12}  # groups of each


def figures(n: int = SCORES, rounds: int = ROUNDS) -> dict[str, float]:
    """Medians of the reports of two Runs and of one, both opened anew in every round."""
    with tempfile.TemporaryDirectory() as folder:
        names = _write_runs(Path(folder), n)
        of_two, of_one = [], []
        for _ in range(rounds):
            systems = [System(store.open_run(Path(folder), name), "score") for name in names]
            start = time.process_time()
            report.page(Sheet(comparison(systems, chosen_on=["dev"])))
            of_two.append(time.process_time() - start)
            one_run = System(store.open_run(Path(folder), names[0]), "score")
            start = time.process_time()
            report.page(summary(one_run, DEFAULT, chosen_on=["dev"]))
            of_one.append(time.process_time() - start)
    return {
        "two_runs_cpu_seconds": statistics.median(of_two),
        "one_run_cpu_seconds": statistics.median(of_one),
    }


def _write_runs(cache: Path, n: int) -> list[str]:
    """Two systems on the same samples, a fifth of them bona fide, a quarter to choose thresholds on."""
    rng = np.random.default_rng(0)
    kind = np.where(rng.random(n) < 0.2, "", rng.choice(SPECIES, n))
    shared = rng.normal(kind != "", 1)
    table = pd.DataFrame(
        {
            "sample_id": [f"{i:06d}" for i in range(n)],
            "label": np.where(kind == "", "bona_fide", "attack"),
            "pai_species": kind,
            "subset": np.where(rng.random(n) < 0.25, "dev", "test"),
            **{name: rng.integers(groups, size=n).astype(str) for name, groups in COLUMNS.items()},
        }
    )
    for number, name in enumerate(("first", "second")):
        own = table.assign(score=shared + rng.normal(0, 0.5 + 0.2 * number, n)).iloc[rng.permutation(n)]
        scores_only_run(cache, name, own.reset_index(drop=True), ["score"], "")
    return ["first", "second"]
