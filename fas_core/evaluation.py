"""Metrics of Runs: joins scores, labels and species of a Run's samples and hands them to `metrics`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics, scores, store, uncertainty
from fas_core.errors import BadInputError
from fas_core.manifest import ATTACK, BONA_FIDE
from fas_core.store import Run

LEVEL = "frame"  # one decision per image
MEASURED = 2_000  # images at most, evenly spaced, whose pixels are read to judge reconstructions


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

    To the metrics of a score file come 95 % intervals of the AUCs, by resampling whole subjects or the nearest to that
    which all samples of a cell name: `roc_auc_ci95` and `roc_auc_per_species_ci95`.
    Raises BadInputError for an unknown score or subset, and for a subset asked for by name that holds one class only.
    """
    chosen = [score] if score else scores.offered(run)
    if subset is not None and subset not in run.subsets:
        raise BadInputError(f"Run {run.info.name} has no subset '{subset}'. Subsets: {', '.join(run.subsets)}.")
    columns = {"label", "pai_species", *uncertainty.UNITS}
    samples = run.samples([name for name in run.column_names() if name in columns])
    values = {name: scores.values(run, name) for name in chosen}
    documents: dict[str, dict[str, Any]] = {name: {} for name in chosen}
    for one_subset in run.subsets if subset is None else [subset]:
        rows, missing = run.rows_of(one_subset), store.non_responses(run, one_subset)
        here, values_here = samples.iloc[rows], {name: of_run[rows] for name, of_run in values.items()}
        sets = {name: score_set(here, of_rows, missing) for name, of_rows in values_here.items()}
        if subset is not None:
            for one in sets.values():
                require_both_classes(one, f"Subset '{subset}' of Run {run.info.name}")
        intervals = _auc_intervals(here, values_here)
        for name, one in sets.items():
            if one.n_bona_fide + one.n_attack:
                of_species = {species: intervals.get(species, {}).get(name) for species in one.attacks}
                documents[name][one_subset] = metrics.document(one) | {
                    "roc_auc_ci95": intervals[None][name],
                    "roc_auc_per_species_ci95": of_species,
                }
    document = {"run": run.id, "level": LEVEL, "scores": documents}
    if run.has_images:
        document["reconstruction"] = reconstruction_errors(run)
    return document


def reconstruction_errors(run: Run) -> dict[str, dict[str, Any]]:
    """How well live images are reconstructed, per subset that has some: mean squared pixel errors in the [0, 1] range.

    `mean_image_mse` is the error of guessing the mean live training image every time, and `below_mean_image` the share
    of it that the model saves, the same images for both; None without training images. A model that has learned
    nothing but the average face saves 0.
    """
    labels = run.samples(["label"])["label"].to_numpy()

    def live(subset: str) -> NDArray[np.int64]:
        rows = run.rows_of(subset)
        rows = rows[labels[rows] == BONA_FIDE]
        return rows[:: max(1, -(-len(rows) // MEASURED))]

    def pixels(name: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asarray(run.images(name, rows), np.float32) / np.float32(255)

    training = live("train") if "train" in run.subsets else np.empty(0, np.int64)
    average = pixels("inputs", training).mean(0) if len(training) else None
    found: dict[str, dict[str, Any]] = {}
    for subset in run.subsets:
        rows = live(subset)
        if not len(rows):
            continue
        inputs = pixels("inputs", rows)
        mse = float(np.square(inputs - pixels("reconstructions", rows)).mean())
        guess = None if average is None else float(np.square(inputs - average).mean())
        saved = 1 - mse / guess if guess else None
        found[subset] = {"n": len(rows), "mse": mse, "mean_image_mse": guess, "below_mean_image": saved}
    return found


def _auc_intervals(
    samples: pd.DataFrame, values: Mapping[str, NDArray[np.float64]]
) -> dict[str | None, dict[str, dict[str, Any] | None]]:
    """Species (None: all attacks) -> score -> interval of its AUC, None where undefined.

    Each species has draws of its own, so that its attacks are in all of them; the scores share them.
    """
    attack = samples["label"].to_numpy() == ATTACK
    named = samples["pai_species"].to_numpy(str)
    species = np.where(np.char.strip(named) == "", metrics.UNSPECIFIED, named)
    names = list(np.unique(species[attack]))
    found: dict[str | None, dict[str, dict[str, Any] | None]] = {}
    for name in [None, *names]:
        if name is not None and len(names) == 1:
            found[name] = found[None]
            continue
        wanted = np.ones(len(samples), np.bool_) if name is None else ~attack | (species == name)
        units = uncertainty.unit_of(samples[wanted])
        intervals = uncertainty.auc_intervals([v[wanted] for v in values.values()], attack[wanted], units)
        found[name] = {
            score: None if interval is None else asdict(interval)
            for score, interval in zip(values, intervals, strict=True)
        }
    return found


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
