"""The thresholds at which Runs are compared: one rule for all, and whether it holds them to the same rate.

found = matching(both.in_subsets(["dev"]), rule, ["dev"])   # chosen there, fixed
found = matching(both, rule)                                # matched anew on what is judged
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fas_core.data.names import BONA_FIDE, fresh_subsets
from fas_core.evaluation.differences import matched_rule
from fas_core.evaluation.join import Joined
from fas_core.metrics import ScoreSet, UndefinedMetricError, limits, rates_at
from fas_core.metrics.limits import Target
from fas_core.metrics.operating_point import APCER, Rule, threshold_by
from fas_core.metrics.uncertainty import RateInterval, rate_interval

SHORT = 0.25  # of a rule's rate: how much less may be reached because samples share a score


@dataclass(frozen=True)
class Matching:
    """The thresholds of k Runs by one rule."""

    rule: Rule
    chosen_on: tuple[str, ...]  # the subsets that fixed them; none: the judged samples, anew in every resample
    thresholds: tuple[float, ...]  # none where the rule gives a Run none
    reached: tuple[float, ...]  # of each Run the rate that the rule limits, on the samples that it was chosen by
    problem: str  # why the Runs are not compared at them; "" where they are

    @property
    def is_fixed(self) -> bool:
        return bool(self.chosen_on)

    @property
    def at(self) -> tuple[float, ...] | None:
        """The thresholds that every resample takes as given; None where each is matched anew."""
        return self.thresholds if self.is_fixed else None

    @property
    def words(self) -> str:
        """How the thresholds were found: BPCER ≤ 5 % chosen on dev, fixed."""
        if self.is_fixed:
            return f"{self.rule.words} chosen on {', '.join(self.chosen_on)}, fixed"
        return f"{self.rule.words} matched anew on what is judged"


def judged_subsets(subsets: Sequence[str], chosen_on: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of some subsets those to judge on, and those to choose thresholds on: none where no other is left to judge."""
    fresh = tuple(fresh_subsets(subsets, chosen_on))
    return (fresh, tuple(chosen_on)) if fresh and chosen_on else (tuple(subsets), ())


def matching(chosen_by: Joined, rule: Rule, chosen_on: Sequence[str] = (), letters: str = "ABCDEF") -> Matching:
    """The threshold of each Run by `rule` on some common samples, of the subsets `chosen_on`, or those judged.

    Raises BadInputError as `matched_rule` does.
    """
    matched_rule(rule)
    try:
        thresholds = tuple(threshold_by(rule, scores) for scores in chosen_by.score_sets)
    except UndefinedMetricError as error:
        return Matching(rule, tuple(chosen_on), (), (), str(error))
    reached = tuple(_rate(rule, scores, t) for scores, t in zip(chosen_by.score_sets, thresholds, strict=True))
    short = [
        _gap_words(rule, letter, scores, threshold, rate)
        for letter, scores, threshold, rate in zip(letters, chosen_by.score_sets, thresholds, reached, strict=False)
        if _without_ties(rule, scores) - rate > SHORT * rule.value
    ]
    problem = f"{rule.words} cannot be matched: {'; '.join(short)}." if short else ""
    return Matching(rule, tuple(chosen_on), thresholds, reached, problem)


@dataclass(frozen=True)
class _Judged:
    """What `limits.target` looks at."""

    bpcer: float | None
    bpcer_interval: RateInterval | None
    apcer_per_species: Mapping[str, float | None]
    apcer_interval_per_species: Mapping[str, RateInterval | None]


def targets(both: Joined, by: Matching) -> tuple[Target, ...]:
    """Whether the rule's limit holds for each Run on the judged samples; none where they have no threshold."""
    held = []
    units, _ = both.units
    for values, threshold in zip(both.scores, by.thresholds, strict=False):
        is_wrong = (values >= threshold) != both.is_attack
        rows = {kind: np.flatnonzero(both.kinds == kind) for kind in both.kind_counts}
        rates: dict[str, float | None] = {kind: float(is_wrong[here].mean()) for kind, here in rows.items()}
        intervals = {kind: rate_interval(is_wrong[here], units.of(here)) for kind, here in rows.items()}
        bpcer, interval = rates.pop(BONA_FIDE, None), intervals.pop(BONA_FIDE, None)
        held.append(limits.target(by.rule, _Judged(bpcer, interval, rates, intervals)))
    return tuple(target for target in held if target is not None)


def _rate(rule: Rule, scores: ScoreSet, threshold: float) -> float:
    at = rates_at(scores, threshold)
    rate = at.apcer_max if rule.kind == APCER else at.bpcer
    return float("nan") if rate is None else rate


def _without_ties(rule: Rule, scores: ScoreSet) -> float:
    """The rate that is reached at least where all scores differ: the largest whole number of errors allowed."""
    kinds = scores.attacks.values() if rule.kind == APCER else [scores.bona_fide]
    return min(math.floor(rule.value * values.size + 1e-9) / values.size for values in kinds if values.size)


def _gap_words(rule: Rule, letter: str, scores: ScoreSet, threshold: float, rate: float) -> str:
    """Between which rates a Run has no threshold."""
    beyond = _next_rate(rule, scores, threshold)
    what = "attacks of a species" if rule.kind == APCER else "live samples"
    return f"{letter} has no point between {100 * rate:.1f} % and {100 * beyond:.1f} %, where {what} share a score"


def _next_rate(rule: Rule, scores: ScoreSet, threshold: float) -> float:
    """The rate at the nearest threshold that makes more errors of the limited kind."""
    if rule.kind == APCER:
        rates = []
        for values in scores.attacks.values():
            above: NDArray[np.float64] = values[values >= threshold]
            rates += [float((values <= above.min()).mean())] if above.size else []
        return min(rates, default=1.0)
    below = scores.bona_fide[scores.bona_fide < threshold]
    return float((scores.bona_fide >= below.max()).mean()) if below.size else 1.0
