"""Claims on numbers, and whether they hold: pure functions of values by seed and of resamples by subject.

A number of an experiment is the mean over its seeds. Its 95 % interval has two sources that are independent of each
other: other people (percentiles of resamples of whole subjects, the same ones for every experiment, seed and score) and
other trainings (Student's t of the seeds' values, n - 1 degrees of freedom). Both distances from the mean are squared
and added (MOVER: Zou and Donner, Statistics in Medicine 2008), below and above it. Of one seed there are the people
alone, which is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from fas_core.documents import Json
from fas_core.metrics.uncertainty import percentiles

Floats = NDArray[np.float64]
Verdict = Literal["holds", "does not hold", "cannot be told"]
HOLDS: Verdict = "holds"
FAILS: Verdict = "does not hold"
UNCLEAR: Verdict = "cannot be told"
RULE = (
    "A finding holds where the 95 % interval of every number that it rests on lies wholly on the side that the thesis "
    "says; it does not hold where one of them lies wholly on the other side; else it cannot be told: the interval "
    "overlaps the limit."
)


class Cell(NamedTuple):
    """One number: of an experiment by a score on the attacks of a group ("": all) against live faces.

    "auc": area under the ROC. "found": share of the attacks found where at most 5 % of live faces are rejected.
    """

    experiment: str
    score: str
    group: str = ""
    statistic: Literal["auc", "found"] = "auc"


Contrast = tuple[tuple[float, Cell], ...]  # a weighted sum of cells


def mean_of(a: Sequence[Cell], less: Sequence[Cell] = ()) -> Contrast:
    """The mean of some cells, less that of others."""
    return (*((1 / len(a), cell) for cell in a), *((-1 / len(less), cell) for cell in less))


@dataclass(frozen=True)
class Claim:
    """That a contrast lies above a limit, or below one; one of the two is given."""

    words: str
    of: Contrast
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """A cell of s seeds: `values` (s,), and `draws` (s, resamples), NaN where a resample lacks a class.

    Column i of every cell's draws is the same resample of people, and row k of every experiment's the same seed.
    `fewest`: people of the class that has fewer of them.
    """

    values: Floats
    draws: Floats
    fewest: int


class Estimate(NamedTuple):
    """A mean over seeds with its 95 % interval; nan where there is none."""

    mean: float
    low: float
    high: float
    seeds: int


def estimated(measured: Measured, smallest: float = 0.0) -> Estimate:
    """By the module's rule, within `smallest` and 1. Fewer than two people of a class give no interval; where all
    resamples agree, it is what so many people still allow, as everywhere (`uncertainty.percentiles`)."""
    mean, n_seeds = float(measured.values.mean()), len(measured.values)
    draws = measured.draws.mean(0)
    draws = draws[~np.isnan(draws)]
    if not draws.size or math.isnan(mean) or measured.fewest < 2:
        return Estimate(mean, math.nan, math.nan, n_seeds)
    low, high, _ = percentiles(draws[None], measured.fewest, 0.95, smallest)
    return with_seeds(mean, float(low[0]), float(high[0]), measured.values, (smallest, 1.0))


def with_seeds(mean: float, low: float, high: float, values: Floats, bounds: tuple[float, float]) -> Estimate:
    """An interval by people, `low` to `high`, widened by how much the values (s,) of seeds differ."""
    half = seeds_half_width(values)
    below = math.hypot(max(mean - low, 0.0), half)
    above = math.hypot(max(high - mean, 0.0), half)
    return Estimate(mean, max(mean - below, bounds[0]), min(mean + above, bounds[1]), len(values))


def seeds_half_width(values: Floats) -> float:
    """Student's half width at 95 % of the mean of some trainings; 0 of one, which says nothing of others."""
    n = len(values)
    return float(stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(n)) if n > 1 else 0.0


def contrast(of: Contrast, cells: Mapping[Cell, Measured]) -> Measured | None:
    """The weighted sum, seed by seed and resample by resample; None where a cell is not there."""
    if any(cell not in cells for _, cell in of):
        return None
    values = np.sum([weight * cells[cell].values for weight, cell in of], axis=0)
    draws = np.sum([weight * cells[cell].draws for weight, cell in of], axis=0)
    return Measured(values, draws, min(cells[cell].fewest for _, cell in of))


@dataclass(frozen=True)
class Judged:
    """A claim with its number; `why`: what is missing, where it has none."""

    claim: Claim
    estimate: Estimate | None
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.estimate is None or math.isnan(self.estimate.low):
            return UNCLEAR
        low, high = self.estimate.low, self.estimate.high
        if self.claim.above is not None:
            return HOLDS if low > self.claim.above else FAILS if high < self.claim.above else UNCLEAR
        assert self.claim.below is not None
        return HOLDS if high < self.claim.below else FAILS if low > self.claim.below else UNCLEAR

    @property
    def words(self) -> str:
        if self.estimate is None:
            return f"{self.claim.words}: {self.why}"
        limit = f"above {self.claim.above:g}" if self.claim.above is not None else f"below {self.claim.below:g}"
        mean, low, high, _ = self.estimate
        if math.isnan(low):
            return f"{self.claim.words}: {_number(mean)}, too few people for an interval ({limit} is claimed)"
        return f"{self.claim.words}: {_number(mean)} ({_number(low)} to {_number(high)}; {limit} is claimed)"

    def as_json(self) -> Json:
        numbers = {} if self.estimate is None else {
            name: None if math.isnan(value) else value for name, value in self.estimate._asdict().items()
        }  # fmt: skip
        limits = {"above": self.claim.above, "below": self.claim.below}
        return {"claim": self.claim.words, **limits, **numbers, "missing": self.why, "verdict": self.verdict}


def judged(claim: Claim, cells: Mapping[Cell, Measured], missing: Mapping[str, str]) -> Judged:
    """`missing`: why an experiment or group is not there, by its name."""
    measured = contrast(claim.of, cells)
    if measured is not None:
        return Judged(claim, estimated(measured, -1.0 if any(weight < 0 for weight, _ in claim.of) else 0.0))
    lacking = [cell for _, cell in claim.of if cell not in cells]
    for cell in lacking:
        for name in (cell.experiment, cell.group):
            if name in missing:
                return Judged(claim, None, missing[name])
    cell = lacking[0]
    return Judged(claim, None, f"{cell.experiment} has no {cell.score} of {cell.group or 'attacks'} here")


def verdict(of: Sequence[Judged]) -> Verdict:
    """Of a finding, by the `RULE`."""
    verdicts = [each.verdict for each in of]
    if FAILS in verdicts:
        return FAILS
    return HOLDS if all(each == HOLDS for each in verdicts) else UNCLEAR


def said(of: Sequence[Judged]) -> str:
    """The verdict as the beginning of a sentence, with the reason where it cannot be told."""
    whole = verdict(of)
    if whole != UNCLEAR:
        return "Holds here:" if whole == HOLDS else "Does not hold here:"
    return f"Cannot be told here{', intervals overlap' if all(each.estimate is not None for each in of) else ''}:"


def sentence(of: Sequence[Judged]) -> str:
    """Whether the finding holds here, with the numbers."""
    return f"{said(of)} {numbers(of)}"


def numbers(of: Sequence[Judged]) -> str:
    """What the verdict rests on."""
    return f"{'; '.join(each.words for each in of)}."


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
