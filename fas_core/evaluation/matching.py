"""The thresholds at which Runs are compared: one rule for all, and whether it holds them to the same rate.

matched = matching(both.in_subsets(["dev"]), rule, ["dev"])   # chosen there, fixed
matched = matching(both, rule)                                # matched anew on what is judged

A rule that limits a rate is matched anew in every resample; equal errors, the lowest cost and a threshold by hand are
found once and taken as given. A threshold is set by hand for A alone, whose scores it is of: the others get the one at
which they reject as many live samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fas_core.data.names import BONA_FIDE, fresh_subsets, readable
from fas_core.evaluation.differences import matched_rule
from fas_core.evaluation.join import Joined, of_each
from fas_core.metrics import ScoreSet, UndefinedMetricError, limits, rates_at
from fas_core.metrics.cost import Costs
from fas_core.metrics.limits import Target
from fas_core.metrics.operating_point import APCER, BPCER, BY_HAND, EER, Rule, threshold_by
from fas_core.metrics.uncertainty import RateInterval, rate_interval

SHORT = 0.25  # of a rule's rate: how much less may be reached because samples share a score


@dataclass(frozen=True)
class Matching:
    """The thresholds of k Runs by one rule."""

    rule: Rule
    chosen_on: tuple[str, ...]  # the subsets that fixed them; none: the judged samples, anew in every resample
    thresholds: tuple[float, ...]  # none where the rule gives a Run none
    reached: tuple[float, ...]  # of each Run the rate that the rule limits, or BPCER, on the samples it was chosen by
    problem: str  # why the Runs are not compared at them; "" where they are
    short: tuple[str, ...] = ()  # of each Run why it is far from what the rule asks for; "" where it is not
    unit: str = "sample"  # what they were chosen by, as `Joined.unit`

    def of(self, b: int) -> Matching:
        """The same for A and Run `b` alone: a third Run that cannot be matched keeps no other from being compared."""
        if not self.thresholds or not self.short:
            return self
        return replace(self, problem=_problem(self.rule, [self.short[0], self.short[b]], self.unit))

    @property
    def is_fixed(self) -> bool:
        """Whether resamples take the thresholds as given."""
        return bool(self.chosen_on) or not self.rule.has_limit

    @property
    def is_optimistic(self) -> bool:
        """Whether they were chosen on the samples that they are judged on, or while looking at them."""
        return not self.chosen_on or self.rule.kind == BY_HAND

    @property
    def at(self) -> tuple[float, ...] | None:
        """The thresholds that every resample takes as given; None where each is matched anew."""
        return self.thresholds if self.is_fixed else None

    @property
    def words(self) -> str:
        """How the thresholds were found: BPCER ≤ 5 % chosen on dev, fixed."""
        optimistic = "; optimistic" if self.is_optimistic else ""
        if self.is_fixed:
            return f"{self.rule_words} chosen on {', '.join(self.chosen_on) or 'what is judged'}, fixed{optimistic}"
        return f"{self.rule_words} matched anew on what is judged{optimistic}"

    @property
    def rule_words(self) -> str:
        """The rule; of a threshold by hand, whose it is and what the others' are by."""
        if self.rule.kind != BY_HAND:
            return self.rule.words
        as_many = f" ({100 * self.reached[0]:.1f} %)" if self.reached else ""
        return f"A's threshold {self.rule.value:.6g} by hand, the others where they reject as many live{as_many},"


def judged_subsets(subsets: Sequence[str], chosen_on: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of some subsets those to judge on, and those to choose thresholds on: none where no other is left to judge."""
    fresh = tuple(fresh_subsets(subsets, chosen_on))
    return (fresh, tuple(chosen_on)) if fresh and chosen_on else (tuple(subsets), ())


def matching(
    chosen_by: Joined,
    rule: Rule,
    chosen_on: Sequence[str] = (),
    letters: str = "ABCDEF",
    costs: Costs | None = None,
) -> Matching:
    """The threshold of each Run by `rule` on some common samples, of the subsets `chosen_on`, or those judged.

    Raises BadInputError as `matched_rule` does.
    """
    matched_rule(rule, has_costs=costs is not None)
    sets = chosen_by.score_sets
    try:
        of_others = rule if rule.kind != BY_HAND else Rule(BPCER, _bpcer(sets[0], rule.value))
        thresholds = tuple(threshold_by(of_others if i else rule, scores, costs) for i, scores in enumerate(sets))
    except UndefinedMetricError as error:
        return Matching(rule, tuple(chosen_on), (), (), str(error))
    reached = tuple(_rate(of_others, scores, t) for scores, t in zip(sets, thresholds, strict=True))
    short = tuple(
        _short_words(of_others, letter, scores, threshold, rate, chosen_by.unit)
        for letter, scores, threshold, rate in zip(letters, sets, thresholds, reached, strict=False)
    )
    problem = _problem(rule, short, chosen_by.unit)
    return Matching(rule, tuple(chosen_on), thresholds, reached, problem, short, chosen_by.unit)


def _problem(rule: Rule, short: Sequence[str], unit: str) -> str:
    """Why Runs are not compared; "" where none falls short."""
    what = f"As many rejected live {unit}s as at A's threshold" if rule.kind == BY_HAND else rule.words
    said = "; ".join(filter(None, short))
    return f"{what} cannot be matched: {said}." if said else ""


def _bpcer(scores: ScoreSet, threshold: float) -> float:
    rate = rates_at(scores, threshold).bpcer
    if rate is None:
        raise UndefinedMetricError("there is no bona fide sample with a score to match a threshold by hand by")
    return rate


def _short_words(rule: Rule, letter: str, scores: ScoreSet, threshold: float, rate: float, unit: str) -> str:
    """That samples which share a score keep a Run far from what the rule asks for; "" where they do not."""
    if rule.has_limit and _without_ties(rule, scores) - rate > SHORT * rule.value:
        return _gap_words(rule, letter, scores, threshold, rate, unit)
    if rule.kind == EER:
        at = rates_at(scores, threshold)
        bpcer, apcer = at.bpcer or 0.0, at.apcer_pooled or 0.0
        a_sample = 1 / min(scores.n_bona_fide, scores.n_attack)
        if abs(bpcer - apcer) - a_sample > SHORT * max(bpcer, apcer):
            return f"{letter} at best rejects {100 * bpcer:.1f} % of live and misses {100 * apcer:.1f} % of attacks"
    return ""


@dataclass(frozen=True)
class _Judged:
    """What `limits.target` looks at."""

    bpcer: float | None
    bpcer_interval: RateInterval | None
    apcer_per_species: Mapping[str, float | None]
    apcer_interval_per_species: Mapping[str, RateInterval | None]


def targets(both: Joined, by: Matching) -> tuple[Target, ...]:
    """Whether the rule's limit holds for each Run on the judged samples; none where they have no threshold."""
    units, _ = both.units
    rows = {kind: np.flatnonzero(both.kinds == kind) for kind in both.kind_counts}
    units_of = {kind: units.of(here) for kind, here in rows.items()}

    def held(of_run: tuple[NDArray[np.float64], float]) -> Target | None:
        values, threshold = of_run
        is_wrong = (values >= threshold) != both.is_attack
        rates: dict[str, float | None] = {kind: float(is_wrong[here].mean()) for kind, here in rows.items()}
        intervals = {kind: rate_interval(is_wrong[here], units_of[kind]) for kind, here in rows.items()}
        bpcer, interval = rates.pop(BONA_FIDE, None), intervals.pop(BONA_FIDE, None)
        return limits.target(by.rule, _Judged(bpcer, interval, rates, intervals))

    told = of_each(held, list(zip(both.scores, by.thresholds, strict=False)))
    return tuple(target for target in told if target is not None)


def limits_words(by: Matching, held: Sequence[Target], judged_on: Sequence[str], letters: str = "ABCDEF") -> str:
    """Whether the limit holds for each Run where it is judged, in a sentence; "" where there is nothing to check."""
    if not held:
        return ""
    by_run = "; ".join(f"{letter} {limits.short_words(of_run)}" for letter, of_run in zip(letters, held, strict=False))
    optimistic = f" Optimistic: the thresholds were chosen on these {by.unit}s." if by.is_optimistic else ""
    where = ", ".join(map(readable, judged_on))
    return f"The limit {by.rule.words} on {where}: {by_run}.{optimistic} {limits.BOUNDS_WORDS}"


def _rate(rule: Rule, scores: ScoreSet, threshold: float) -> float:
    at = rates_at(scores, threshold)
    rate = at.apcer_max if rule.kind == APCER else at.bpcer
    return float("nan") if rate is None else rate


def _without_ties(rule: Rule, scores: ScoreSet) -> float:
    """The rate that is reached at least where all scores differ: the largest whole number of errors allowed."""
    kinds = scores.attacks.values() if rule.kind == APCER else [scores.bona_fide]
    return min(math.floor(rule.value * values.size + 1e-9) / values.size for values in kinds if values.size)


def _gap_words(rule: Rule, letter: str, scores: ScoreSet, threshold: float, rate: float, unit: str) -> str:
    """Between which rates a Run has no threshold."""
    beyond = _next_rate(rule, scores, threshold)
    what = "attacks of a species" if rule.kind == APCER else f"live {unit}s"
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
