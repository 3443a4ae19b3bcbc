"""Which samples another Run changes, and how they are listed on the screen and on paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data.names import BONA_FIDE, groups_of, readable
from fas_core.evaluation.differences import Flips
from fas_core.evaluation.join import Joined
from fas_core.evaluation.sheet import LETTERS, Sheet
from fas_core.evaluation.verdicts import percentiles

ALL = "All"
CHANGED, FIXED, BROKEN, BOTH_WRONG = "Changed", "Fixed by B", "Broken by B", "Wrong in both"
CHANGE, SCORE_A, SCORE_B = "Largest change", "Score of A, high to low", "Score of B, high to low"


@dataclass(frozen=True)
class Filter:
    """Which samples are listed, and in which order."""

    verdicts: str | None = None  # a key of `verdict_masks`; None: those that changed, where any has
    classes: tuple[str, ...] = ()  # of `groups_of`; none: all
    order: str = CHANGE
    selected: tuple[int, ...] = ()  # places of common samples; none: all


@dataclass(frozen=True, eq=False)
class Pair:
    """The n common samples in A and one other Run: row i of everything is one sample."""

    both: Joined
    b: int
    flips: Flips | None
    kinds: NDArray[np.str_]  # (n,) `groups_of`
    place_a: NDArray[np.float64]  # (n,) share of the common live samples that score lower in A; NaN without any
    place_b: NDArray[np.float64]

    @property
    def scores(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Twice (n,)"""
        return self.both.scores[0], self.both.scores[self.b]


def pair_of(sheet: Sheet, b: int) -> Pair:
    """A and Run `b`."""
    both = sheet.joined
    live = (both.samples["label"] == BONA_FIDE).to_numpy()
    place_a, place_b = (percentiles(both.scores[i], both.scores[i][live]) for i in (0, b))
    return Pair(both, b, sheet.flips(b), groups_of(both.samples), place_a, place_b)


def verdict_masks(pair: Pair) -> dict[str, NDArray[np.bool_]]:
    """Which samples (n,) each choice of verdicts lists; without thresholds there is one choice."""
    everything = {ALL: np.ones(len(pair.both), np.bool_)}
    at = pair.flips
    if at is None:
        return everything
    return {CHANGED: at.fixed | at.broken, FIXED: at.fixed, BROKEN: at.broken, BOTH_WRONG: at.both_wrong} | everything


def narrowed(fits: NDArray[np.bool_], selected: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows that pass the filters (n,), ascending; where some are selected, of these alone."""
    return selected[fits[selected]] if len(selected) else np.flatnonzero(fits)


def ordered(pair: Pair, rows: NDArray[np.int64], order: str) -> NDArray[np.int64]:
    """Some rows, first things first.

    The largest change is that of the place among the live samples, which does not depend on a score's unit; of the
    scores where there are no live samples.
    """
    values_a, values_b = pair.scores
    has_places = not np.isnan(pair.place_a).all()
    change = np.abs(pair.place_b - pair.place_a) if has_places else np.abs(values_b - values_a)
    return rows[np.argsort(-{CHANGE: change, SCORE_A: values_a, SCORE_B: values_b}[order][rows], kind="stable")]


def usual_verdicts(pair: Pair) -> str:
    """Those that changed; all where none has."""
    return CHANGED if pair.flips is not None and (pair.flips.fixed | pair.flips.broken).any() else ALL


def listed(pair: Pair, by: Filter) -> NDArray[np.int64]:
    """The rows that pass a filter, first things first."""
    masks = verdict_masks(pair)
    fits = masks[by.verdicts if by.verdicts in masks else usual_verdicts(pair)]
    if by.classes:
        fits = fits & np.isin(pair.kinds, by.classes)
    return ordered(pair, narrowed(fits, np.array(by.selected, np.int64)), by.order)


def samples_table(pair: Pair, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Some samples with the verdicts and scores of both Runs."""
    letter, at = LETTERS[pair.b], pair.flips
    values_a, values_b = pair.scores
    content: dict[str, object] = {
        "Sample": pair.both.samples["sample_id"].to_numpy(str)[rows],
        "Class": [readable(name) for name in pair.kinds[rows]],
        "Subset": pair.both.samples["subset"].to_numpy(str)[rows],
    }
    if at is not None:
        content |= {"Verdict of A": at.verdicts_a[rows], f"Verdict of {letter}": at.verdicts_b[rows]}
    content |= {"Score of A": values_a[rows], f"Score of {letter}": values_b[rows]}
    return pd.DataFrame(content)
