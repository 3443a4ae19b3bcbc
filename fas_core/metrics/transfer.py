"""Whether a threshold that was chosen in one place holds in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fas_core.metrics.cost import Costs
from fas_core.metrics.operating_point import BPCER, BY_HAND, COST, EER, Rule, threshold_by
from fas_core.metrics.rates import rates_at
from fas_core.metrics.scoreset import ScoreSet, UndefinedMetricError

Rate = Literal["bpcer", "apcer_max"]


@dataclass(frozen=True)
class Errors:
    """Rates of one subset, fractions in [0, 1]; None where it holds no sample of the class."""

    bpcer: float | None
    apcer_max: float | None  # of the worst species


@dataclass(frozen=True)
class Transfer:
    """One subset at a threshold that came from elsewhere, and where the rule is applied to the subset itself."""

    subset: str
    at: Errors
    own_threshold: float | None  # None where the rule cannot be applied to this subset
    own: Errors

    def gap(self, rate: Rate) -> float | None:
        """How much higher a rate is than at its own threshold; None where one of the two is undefined."""
        here, own = getattr(self.at, rate), getattr(self.own, rate)
        return None if here is None or own is None else here - own


def own_rule(rule: Rule) -> Rule:
    """What a subset's own threshold is chosen by: the rule, or equal errors where a threshold was set by hand.

    Without @95: what carries over is the rate, and few subsets have the subjects that an upper bound takes.
    """
    return Rule(EER) if rule.kind == BY_HAND else replace(rule, at_95=False)


def rate_of(rule: Rule) -> Rate:
    """The rate that tells whether a rule carries over: the one that it limits, or else the worst species'."""
    return "bpcer" if rule.kind in (BPCER, COST) else "apcer_max"


def transfers(rule: Rule, threshold: float, sets: Mapping[str, ScoreSet], costs: Costs | None = None) -> list[Transfer]:
    """Each subset, by name, at `threshold` and at its own. `costs`: what the rule cost needs."""
    rows = []
    for subset, scores in sets.items():
        try:
            own_threshold = threshold_by(own_rule(rule), scores, costs)
        except UndefinedMetricError:
            rows.append(Transfer(subset, _errors(scores, threshold), None, Errors(None, None)))
        else:
            rows.append(Transfer(subset, _errors(scores, threshold), own_threshold, _errors(scores, own_threshold)))
    return rows


def _errors(scores: ScoreSet, threshold: float) -> Errors:
    at = rates_at(scores, threshold)
    return Errors(at.bpcer, at.apcer_max)


def most_moved(rows: Iterable[Transfer], rate: Rate, chosen_on: Iterable[str]) -> Transfer | None:
    """The subset whose rate lies farthest from its own, those left out on which the threshold was chosen; the first
    among equal ones. None where no subset has both rates."""
    elsewhere = [row for row in rows if row.subset not in set(chosen_on) and row.gap(rate) is not None]
    return max(elsewhere, key=lambda row: abs(row.gap(rate) or 0.0), default=None)
