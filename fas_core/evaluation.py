"""Metrics of Runs: joins scores, labels and species of a Run's samples and hands them to `metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics, scores, store
from fas_core.errors import BadInputError
from fas_core.manifest import ATTACK, BONA_FIDE
from fas_core.store import Run

LEVEL = "frame"  # one decision per image


def score_set(samples: pd.DataFrame, values: NDArray[np.float64], missing: dict[str, int]) -> metrics.ScoreSet:
    """Sorted scores of some samples (columns label, pai_species); `missing`: images that gave no output, per label."""
    padding = missing[BONA_FIDE] + missing[ATTACK]
    attack = np.concatenate(
        [samples["label"].to_numpy() == ATTACK, np.repeat([False, True], [missing[BONA_FIDE], missing[ATTACK]])]
    )
    species = [*samples["pai_species"], *[""] * padding]
    return metrics.score_set(np.concatenate([values, np.full(padding, np.nan)]), attack, species)


def pooled_score_set(run: Run, values: NDArray[np.float64], subsets: Sequence[str]) -> metrics.ScoreSet:
    """Some subsets as one set of samples; `values`: (n,) a score of every row of the Run.

    Images without output count as non-responses of their subset.
    """
    samples = run.samples(["label", "pai_species"])
    rows = np.concatenate([run.rows_of(subset) for subset in subsets]) if subsets else np.empty(0, np.int64)
    missing = {BONA_FIDE: 0, ATTACK: 0}
    for subset in subsets:
        for label, count in store.non_responses(run, subset).items():
            missing[label] += count
    return score_set(samples.iloc[rows], values[rows], missing)


def evaluated(run: Run, score: str | None = None, subset: str | None = None) -> dict[str, Any]:
    """The document of `fas evaluate --json`: metrics per score and subset, None where undefined.

    Raises BadInputError for an unknown score or subset, and for a subset asked for by name that holds one class only.
    """
    chosen = [score] if score else scores.offered(run)
    if subset is not None and subset not in run.subsets:
        raise BadInputError(f"Run {run.info.name} has no subset '{subset}'. Subsets: {', '.join(run.subsets)}.")
    documents: dict[str, dict[str, Any]] = {}
    for name in chosen:
        values = scores.values(run, name)
        sets = {s: pooled_score_set(run, values, [s]) for s in (run.subsets if subset is None else [subset])}
        if subset is not None:
            require_both_classes(sets[subset], f"Subset '{subset}' of Run {run.info.name}")
        documents[name] = {s: metrics.document(one) for s, one in sets.items() if one.n_bona_fide + one.n_attack}
    return {"run": run.id, "level": LEVEL, "scores": documents}


def require_both_classes(scores_of_set: metrics.ScoreSet, where: str) -> None:
    """Raises BadInputError when bona fide images or attacks with a score are missing."""
    if scores_of_set.n_bona_fide and scores_of_set.n_attack:
        return
    kind = "attacks" if scores_of_set.n_attack else "bona fide samples"
    other = "bona fide samples" if scores_of_set.n_attack else "attacks"
    count = scores_of_set.n_attack or scores_of_set.n_bona_fide
    raise BadInputError(
        f"{where} holds only {kind} ({count}): ROC, EER and APCER/BPCER trade-offs need {other} as well."
    )
