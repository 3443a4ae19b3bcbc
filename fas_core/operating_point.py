"""A threshold, the rule and the samples it was chosen by, and the samples it may be reported on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fas_core import metrics
from fas_core.metrics import ScoreSet

MAX_BPCER = {"BPCER ≤ 1 %": 0.01, "BPCER ≤ 5 %": 0.05, "BPCER ≤ 10 %": 0.10}
EER, BY_HAND = "EER", "By hand"
RULES = (*MAX_BPCER, EER, BY_HAND)
DEFAULT_RULE = "BPCER ≤ 5 %"  # needs no attacks: the natural rule for a model that has only seen live faces


@dataclass(frozen=True)
class OperatingPoint:
    """score >= `threshold` is an attack. Optimistic: chosen on samples it is reported on, or while looking at them."""

    rule: str
    threshold: float
    chosen_on: tuple[str, ...]
    reported_on: tuple[str, ...]
    is_optimistic: bool


def threshold_by(rule: str, scores: ScoreSet) -> float:
    """The threshold of a rule on some samples; raises UndefinedMetricError where they do not allow it."""
    if rule == EER:
        return metrics.equal_error_rate(scores).threshold
    return metrics.threshold_at_bpcer(scores, MAX_BPCER[rule])


def dev_subsets(names: Sequence[str]) -> list[str]:
    """Where to choose unless somebody says otherwise: a development set if there is one, else live people nobody
    trained on, else the training images, else nothing."""
    return next(([name] for name in ("dev", "live", "train") if name in names), [])


def operating_point(rule: str, threshold: float, chosen_on: Sequence[str], shown: Sequence[str]) -> OperatingPoint:
    """Reports on the shown subsets that neither training nor the choice has seen; on all shown where none is left."""
    fresh = [name for name in shown if name != "train" and name not in chosen_on]
    reported = fresh or list(shown)
    is_optimistic = rule == BY_HAND or bool(set(reported) & set(chosen_on))
    return OperatingPoint(rule, threshold, tuple(chosen_on), tuple(reported), is_optimistic)
