"""Scores of several Runs of the same presentations as one: by their ranks among live people that nobody trained on.

Scores of two Runs have other units. What they share is how rare a score is among bona fide samples, so each becomes its
rank among those of the development set, in (0, 1), and a sample gets the mean or the largest of its ranks. No attack is
looked at. `metrics.ranks` says what a rank is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase as LETTERS

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.names import BONA_FIDE, dev_subsets, readable
from fas_core.errors import BadInputError
from fas_core.evaluation.join import Joined, System, at_level, joined, pairing, require_common
from fas_core.evaluation.levels import ORDER
from fas_core.evaluation.presentations import COLUMNS, grouped
from fas_core.metrics.ranks import LEAST, ranks_among
from fas_core.runs.store import Run

MEAN, LARGEST = "mean", "max"


@dataclass(frozen=True)
class Fused:
    """A score of each sample of the first of k Runs, and what it was made by."""

    systems: tuple[System, ...]
    how: str  # mean or max
    chosen_on: tuple[str, ...]  # subsets of the first Run
    n_calibrating: int
    values: NDArray[np.float64]  # (n,) of the first Run, in row order; NaN where another one lacks it
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """What the score is, with where it comes from."""
        of = ", ".join(f"{run.info.name} ({run.id[:6]}) by {score}" for run, score in self.systems)
        return f"{fusion_words(self.how, self.n_calibrating, self.chosen_on)} of {of}"


def fusion_words(how: str, n_calibrating: int, chosen_on: Sequence[str]) -> str:
    """Mean of ranks among 40 live samples of dev."""
    what = "mean" if how == MEAN else "largest"
    return f"{what} of ranks among {n_calibrating:,} live samples of {', '.join(map(readable, chosen_on))}"


def fused(systems: Sequence[System], how: str = MEAN, chosen_on: Sequence[str] = ()) -> Fused:
    """The scores of two Runs or more as one. `chosen_on`: subsets of the first whose live samples calibrate; by default
    those on which thresholds are chosen.

    Raises BadInputError for another `how`, subsets that there are not, fewer than `LEAST` live samples in them that
    all Runs have a score of, and as `joined`, `require_common`.
    """
    if how not in (MEAN, LARGEST):
        raise BadInputError(f"--how {how}: choose {MEAN} or {LARGEST}.")
    require_common(joined(systems), systems)  # first: what is not the same data, no calibration mends
    run = systems[0].run
    chosen = _chosen(systems[0], chosen_on)
    paired = pairing([system.run for system in systems])
    samples = run.samples(["sample_id", "label", "subset"])
    table = np.stack(
        [np.append(scores.values(*system), np.nan)[rows] for system, rows in zip(systems, paired.position, strict=True)]
    )
    calibrates = np.isfinite(table).all(axis=0) & (samples["label"] == BONA_FIDE) & samples["subset"].isin(chosen)
    calibrating = calibrates.to_numpy(bool)
    _require_enough(int(calibrating.sum()), run.info.name, chosen)
    values = _combined(table, calibrating, how)
    notes = [
        f"{int(missing.sum()):,} of {len(run):,} samples of {run.info.name} have no companion in "
        f"{other.run.info.name}, first '{samples['sample_id'].iloc[int(missing.argmax())]}': they count as "
        "non-responses of the fused score."
        for other, rows in zip(systems[1:], paired.position[1:], strict=True)
        if (missing := rows < 0).any()
    ]
    for other, rows in zip(systems[1:], paired.position[1:], strict=True):
        notes += _in_other_subsets(samples["subset"], other.run, rows)
        if rest := len(other.run) - int((rows >= 0).sum()):
            notes.append(f"{rest:,} of {len(other.run):,} samples of {other.run.info.name} have no companion.")
    return Fused(tuple(systems), how, chosen, int(calibrating.sum()), values, tuple(notes))


def fused_of(both: Joined, run: Run, how: str, chosen_on: Sequence[str], level: str) -> tuple[Joined, int]:
    """The fused score of frames that all Runs have (`joined` without a level), as one of the first of them, `run`,
    decided on at a level; and how many live samples of some subsets calibrate it.

    Raises BadInputError where they are fewer than `LEAST`.
    """
    table = np.stack(both.scores)
    is_live = ~both.is_attack & both.samples["subset"].isin(list(chosen_on)).to_numpy()
    calibrating = is_live & np.isfinite(table).all(axis=0)
    _require_enough(int(calibrating.sum()), "A", chosen_on)
    alone = replace(both.of_first(1), scores=(_combined(table, calibrating, how),))
    columns = [name for name in (*COLUMNS, *ORDER) if name in run.column_names()]
    frames = grouped(run.samples(columns), level, f"Run {run.info.name}")
    frames = frames.only(np.isin(np.arange(len(run)), both.rows[0]))
    return at_level(alone, frames, np.ones(len(both), np.bool_)), int(calibrating.sum())


def words_on(
    both: Joined, run: Run, subsets: Sequence[str], chosen_on: Sequence[str], level: str, each: Sequence[float]
) -> str:
    """A sentence: what the fused score separates in some subsets, beside what each Run does alone, its AUC. As
    `fused_of`.

    "" where it cannot be said: too few live samples, or one class.
    """
    try:
        together, n = fused_of(both, run, MEAN, chosen_on, level)
    except BadInputError:
        return ""
    judged = together.in_subsets(subsets)
    if not judged.has_both_classes:
        return ""
    alone = ", ".join(f"{letter} {value:.3f}" for letter, value in zip(LETTERS, each, strict=False))
    area = metrics.roc_auc(judged.score_sets[0])
    return f"Fused ({fusion_words(MEAN, n, chosen_on)}), the AUC is {area:.3f}; alone {alone}."


def _combined(table: NDArray[np.float64], calibrating: NDArray[np.bool_], how: str) -> NDArray[np.float64]:
    """(n,) of scores (k, n)."""
    of_each = np.stack([ranks_among(values, values[calibrating]) for values in table])
    return of_each.mean(axis=0) if how == MEAN else of_each.max(axis=0)  # NaN where one of them is


def _in_other_subsets(subset: pd.Series, other: Run, rows: NDArray[np.int64]) -> list[str]:
    """A sentence where companions are in two subsets, so that who calibrates one may have trained the other."""
    here = np.flatnonzero(rows >= 0)
    ours, theirs = subset.to_numpy(str)[here], other.samples(["subset"])["subset"].to_numpy(str)[rows[here]]
    differs = ours != theirs
    if not differs.any():
        return []
    first = int(differs.argmax())
    return [
        f"{int(differs.sum()):,} samples are in another subset in {other.info.name}, e.g. {ours[first]} here and "
        f"{theirs[first]} there: what calibrates one may have trained the other. Divide companions together: "
        "fas data subsets of the manifest that holds all modalities"
    ]


def _chosen(first: System, asked: Sequence[str]) -> tuple[str, ...]:
    run = first.run
    if unknown := [name for name in asked if name not in run.subsets]:
        raise BadInputError(
            f"Run {run.info.name} has no subset {', '.join(unknown)} to calibrate on; it has {', '.join(run.subsets)}."
        )
    chosen = tuple(asked) or tuple(dev_subsets(run.subsets))
    if not chosen:
        raise BadInputError(
            f"Run {run.info.name} has no subset dev to calibrate on. Name one: --choose-on SUBSET. It has "
            f"{', '.join(run.subsets)}."
        )
    return chosen


def _require_enough(n: int, name: str, chosen_on: Sequence[str]) -> None:
    if n < LEAST:
        raise BadInputError(
            f"Of the live samples of {', '.join(chosen_on) or 'no subset'} in Run {name}, {n} have a score in all "
            f"Runs; ranks among fewer than {LEAST} say nothing. Calibrate on another subset: --choose-on SUBSET"
        )
