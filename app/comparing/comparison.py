"""What the page Compare compares, as one frozen value, and what follows from it, kept between sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.charts.curves import RunCurves, run_curves
from app.session.cache import cached, keyed
from fas_core import metrics
from fas_core.evaluation import join
from fas_core.evaluation.differences import Difference, Flips
from fas_core.evaluation.join import Joined, System
from fas_core.evaluation.matching import Matching
from fas_core.evaluation.regressions import SUBSET as SUBSET
from fas_core.evaluation.regressions import Grouping, Regressions
from fas_core.evaluation.sheet import BPCERS as BPCERS
from fas_core.evaluation.sheet import LETTERS as LETTERS
from fas_core.evaluation.sheet import RECALLS as RECALLS
from fas_core.evaluation.sheet import Comparison as Comparison
from fas_core.evaluation.sheet import Samples, Sheet
from fas_core.metrics import ScoreSet
from fas_core.metrics.limits import Target
from fas_core.metrics.resampling import Resampled, Statistic

keyed(Comparison)


@cached(entries=1)
def _of_all_subsets(systems: tuple[System, ...], level: str) -> Joined:
    return join.joined(systems, level)


@cached(entries=16, spinner="Matching samples …")
def _samples(systems: tuple[System, ...], level: str, subsets: tuple[str, ...]) -> Samples:
    return Samples(systems, level, subsets, _of_all_subsets)


@cached(entries=16)
def sheet(comparison: Comparison) -> Sheet:
    """All that the page and its report say; another rule compares the same samples."""
    return Sheet(comparison, _samples)


@cached(entries=1)
def drawn_already() -> set[str]:
    """Digests of comparisons whose intervals are there: others are shown without first, so that nobody waits."""
    return set()


def joined(comparison: Comparison) -> Joined:
    """The samples that all Runs have."""
    return sheet(comparison).joined


def matching(comparison: Comparison) -> Matching:
    """The thresholds of all Runs, and whether they are compared at them."""
    return sheet(comparison).matching


def thresholds(comparison: Comparison) -> tuple[tuple[float, ...], str]:
    """Of every Run; none, and why, where the rule cannot be applied, or matches them badly."""
    return sheet(comparison).thresholds, matching(comparison).problem


def targets(comparison: Comparison) -> tuple[Target, ...]:
    """Whether the rule's limit holds for each Run where it is judged."""
    return sheet(comparison).targets


def flips(comparison: Comparison, b: int) -> Flips | None:
    """The verdicts of A and Run `b`; None where there are no thresholds."""
    return sheet(comparison).flips(b)


def drawn(comparison: Comparison) -> Resampled:
    """Every metric of every Run on resamples. Needs both classes."""
    return sheet(comparison).drawn


def differences(comparison: Comparison, b: int, *, with_intervals: bool) -> dict[Statistic, Difference]:
    """Every metric of A and of Run `b`; without thresholds those over all of them."""
    return sheet(comparison).differences(b, with_intervals=with_intervals)


def groupings(comparison: Comparison) -> dict[str, Grouping]:
    """The columns that the common samples fall into groups by."""
    return sheet(comparison).groupings


def worse(comparison: Comparison, b: int, *, with_intervals: bool) -> Regressions | None:
    """What Run `b` does worse than A; None without thresholds."""
    return sheet(comparison).worse(b, with_intervals=with_intervals)


def group_rates(comparison: Comparison, b: int, column: str, *, with_intervals: bool) -> pd.DataFrame:
    """`differences.table` of A and Run `b`, by the groups of a column, with the intervals of what got worse."""
    return sheet(comparison).group_rates(b, column, with_intervals=with_intervals)


def score_sets(comparison: Comparison, species: str) -> list[ScoreSet]:
    """The scores of each Run; with a `species` those of its attacks and of all bona fide samples."""
    sets = joined(comparison).score_sets
    return [metrics.of_species(of_run, species) for of_run in sets] if species else sets


@cached(entries=32)
def curves(comparison: Comparison, species: str) -> list[RunCurves]:
    """Of each Run, drawn from `score_sets`."""
    return join.of_each(lambda of_run: run_curves(metrics.curves(of_run)), score_sets(comparison, species))


@cached(entries=32)
def areas(comparison: Comparison, species: str) -> list[tuple[float, float]]:
    """Of each Run the AUC and the average precision of `score_sets`."""
    if not species:
        return sheet(comparison).areas
    of_species = score_sets(comparison, species)
    return join.of_each(lambda of_run: (metrics.roc_auc(of_run), metrics.average_precision(of_run)), of_species)


def groups(comparison: Comparison, column: str) -> NDArray[np.str_]:
    """(n,) the group of each common sample by one of `groupings`, or by subset."""
    return sheet(comparison).groups(column)
