"""What the page Compare compares, as one frozen value, and what follows from it, kept between sessions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.charts.curves import RunCurves, run_curves
from app.session.cache import cached, keyed
from fas_core import metrics
from fas_core.evaluation import comparison as paired
from fas_core.evaluation import differences as core
from fas_core.evaluation import join, regressions
from fas_core.evaluation.differences import Difference, Flips
from fas_core.evaluation.join import Joined, System
from fas_core.evaluation.matching import Matching
from fas_core.evaluation.matching import matching as matched
from fas_core.evaluation.matching import targets as held
from fas_core.evaluation.regressions import Grouping, Regressions
from fas_core.metrics import ScoreSet
from fas_core.metrics.limits import Target
from fas_core.metrics.operating_point import Rule
from fas_core.metrics.resampling import Resampled, Statistic

LETTERS = "ABCDEF"
SUBSET = "subset"
OVER_ALL = ("roc_auc", "average_precision", "eer")  # metrics that need no threshold
# Enough for two digits, and a third of a second for two Runs of 50,000 samples; `fas compare` takes more of both.
RESAMPLES, QUANTILES = 1000, 1024
BPCERS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, *np.linspace(0.1, 1, 16).round(4).tolist())  # where bands stand
RECALLS = tuple(np.linspace(0.05, 1, 20).round(4).tolist())


@keyed
@dataclass(frozen=True)
class Comparison:
    """Runs with a score each, on some subsets of A, the first, at thresholds that one rule matches.

    `b` in what follows is the number of another Run among `systems`, from 1.
    """

    systems: tuple[System, ...]
    level: str  # what decisions are made on: see `presentations.LEVELS`
    subsets: tuple[str, ...]  # judged
    rule: Rule
    chosen_on: tuple[str, ...] = ()  # subsets that fix the thresholds; none: they are matched anew on what is judged

    @property
    def samples_digest(self) -> str:
        """Stands for which samples are compared by which scores, whatever the rule."""
        return repr(([(run.digest, score) for run, score in self.systems], self.level, self.subsets))

    @property
    def digest(self) -> str:
        return f"{self.samples_digest} {self.rule!r} {self.chosen_on!r}"

    @property
    def a(self) -> System:
        return self.systems[0]

    @property
    def letters(self) -> str:
        """One of each Run: A, B, ..."""
        return LETTERS[: len(self.systems)]


@cached(entries=16, spinner="Matching samples …")
def _joined(systems: tuple[System, ...], level: str, subsets: tuple[str, ...]) -> Joined:
    return join.joined(systems, level).in_subsets(subsets)


def joined(comparison: Comparison) -> Joined:
    """The samples that all Runs have; another rule compares the same ones."""
    return _joined(comparison.systems, comparison.level, comparison.subsets)


@cached(entries=16)
def cautions(comparison: Comparison) -> dict[str, str]:
    """What to know before the numbers are believed: sentences, and the letters of the Runs that each is about."""
    letters: dict[str, list[str]] = {}
    of_run = dict(zip((run.id for run, _ in reversed(comparison.systems)), reversed(comparison.letters), strict=True))
    for run, caution in paired.cautions(joined(comparison), comparison.systems):
        if caution.kind != "no_subjects":  # the sentence on intervals says what they are by
            letters.setdefault(caution.message, []).append(of_run[run.id])
    return {message: " and ".join(of_runs) for message, of_runs in letters.items()}


@cached(entries=16)
def matching(comparison: Comparison) -> Matching:
    """The thresholds of all Runs, and whether they are compared at them."""
    chosen_on = comparison.chosen_on
    chosen_by = _joined(comparison.systems, comparison.level, chosen_on) if chosen_on else joined(comparison)
    return matched(chosen_by, comparison.rule, chosen_on, comparison.letters)


def thresholds(comparison: Comparison) -> tuple[tuple[float, ...], str]:
    """Of every Run; none, and why, where the rule cannot be applied, or matches them badly."""
    by = matching(comparison)
    return ((), by.problem) if by.problem else (by.thresholds, "")


@cached(entries=16)
def targets(comparison: Comparison) -> tuple[Target, ...]:
    """Whether the rule's limit holds for each Run where it is judged."""
    return () if matching(comparison).problem else held(joined(comparison), matching(comparison))


@cached(entries=32)
def flips(comparison: Comparison, b: int) -> Flips | None:
    """The verdicts of A and Run `b`; None where there are no thresholds."""
    at, _ = thresholds(comparison)
    return core.flips(joined(comparison), at, b) if at else None


def _fixed(comparison: Comparison) -> tuple[float, ...] | None:
    """The thresholds that resamples take as given."""
    return thresholds(comparison)[0] or None if comparison.chosen_on else None


@cached(entries=16)
def drawn(comparison: Comparison) -> Resampled:
    """Every metric of every Run on resamples, in the numbers that the page takes. Needs both classes."""
    return core.resampled(
        joined(comparison),
        comparison.rule,
        at=_fixed(comparison),
        bpcers=BPCERS,
        recalls=RECALLS,
        resamples=RESAMPLES,
        quantiles=QUANTILES,
    )


@cached(entries=1)
def drawn_already() -> set[str]:
    """Digests of comparisons whose intervals are there: others are shown without first, so that nobody waits."""
    return set()


@cached(entries=16)
def differences(comparison: Comparison, b: int, *, with_intervals: bool) -> dict[Statistic, Difference]:
    """Every metric of A and of Run `b`; without thresholds those over all of them."""
    resampled = drawn(comparison) if with_intervals else None
    of_each = core.differences(joined(comparison), comparison.rule, resampled, b, at=_fixed(comparison))
    if thresholds(comparison)[0]:
        return of_each
    return {statistic: difference for statistic, difference in of_each.items() if statistic.name in OVER_ALL}


@cached(entries=16)
def _groupings(systems: tuple[System, ...], level: str, subsets: tuple[str, ...]) -> dict[str, Grouping]:
    return regressions.groupings([run for run, _ in systems], _joined(systems, level, subsets))


def groupings(comparison: Comparison) -> dict[str, Grouping]:
    """The columns that the common samples fall into groups by."""
    return _groupings(comparison.systems, comparison.level, comparison.subsets)


@cached(entries=16)
def worse(comparison: Comparison, b: int, *, with_intervals: bool) -> Regressions | None:
    """What Run `b` does worse than A; None without thresholds."""
    resampled = drawn(comparison) if with_intervals else None
    return regressions.what_got_worse(
        joined(comparison),
        matching(comparison),
        groupings(comparison),
        resampled,
        b=b,
        resamples=RESAMPLES if with_intervals else 0,
    )


def groups(comparison: Comparison, column: str) -> NDArray[np.str_]:
    """(n,) the group of each common sample by one of `groupings`, or by subset."""
    grouping = groupings(comparison).get(column)
    if grouping is None:  # all are of one subset
        return joined(comparison).samples[SUBSET].to_numpy(str)
    return np.asarray(grouping.names, str)[grouping.codes]


@cached(entries=32)
def group_rates(comparison: Comparison, b: int, column: str, *, with_intervals: bool) -> pd.DataFrame:
    """`differences.table` of A and Run `b`, by the groups of a column, with the intervals of what got worse."""
    both, by = joined(comparison), matching(comparison)
    table = core.table(both, flips(comparison, b), groups(comparison, column), b=b).assign(low=np.nan, high=np.nan)
    if by.problem or not with_intervals:
        return table
    columns = {name: of_rows for name, of_rows in groupings(comparison).items() if name == column}
    cells = regressions.cells(both, by, columns, drawn(comparison), b=b, resamples=RESAMPLES)
    ends = {(cell.group, cell.kind): (cell.low, cell.high) for cell in cells}
    rows = list(zip(table["group"], table["kind"], strict=True))
    if not columns:  # one group is all
        rows = [("", kind) for _, kind in rows]
    table[["low", "high"]] = pd.DataFrame([ends[row] for row in rows], columns=["low", "high"], dtype=float)
    return table


def score_sets(comparison: Comparison, species: str) -> list[ScoreSet]:
    """The scores of each Run; with a `species` those of its attacks and of all bona fide samples."""
    sets = joined(comparison).score_sets
    return [metrics.of_species(of_run, species) for of_run in sets] if species else sets


@cached(entries=32)
def curves(comparison: Comparison, species: str) -> list[RunCurves]:
    """Of each Run, drawn from `score_sets`."""
    return [run_curves(metrics.curves(of_run)) for of_run in score_sets(comparison, species)]
