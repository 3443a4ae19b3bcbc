"""A threshold, the rule and the samples it was chosen by, and the samples it may be reported on."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fas_core import metrics
from fas_core.errors import BadInputError
from fas_core.metrics import ScoreSet, UndefinedMetricError, cost, limits
from fas_core.metrics.cost import Costs
from fas_core.metrics.limits import Trials

BPCER, APCER, EER, COST, BY_HAND = limits.BPCER, limits.APCER, "eer", "cost", "threshold"
KINDS = (BPCER, APCER, EER, COST, BY_HAND)
_GRAMMAR = re.compile(
    r"(?P<kind>bpcer|apcer)(\[(?P<species>.+)\])?\s*<=\s*(?P<value>[^\s@]+)(?P<at_95>\s*@\s*95\s*%?)?"
    r"|(?P<hand>threshold)\s*=\s*(?P<at>\S+)"
)


@dataclass(frozen=True)
class Rule:
    """How a threshold is found; as text: bpcer<=0.05, apcer<=0.1, apcer[mask]<=0.1, eer, cost, threshold=0.3.

    With @95 (bpcer<=0.02@95) the rate's upper 95 % bound on the choosing samples is within the limit too.
    """

    kind: str  # one of `KINDS`
    value: float = math.nan  # the error rate that is at most allowed, or the threshold set by hand
    species: str = ""  # of an APCER; empty: the worst
    at_95: bool = False  # whether the limit is one for the upper 95 % bound too

    def __str__(self) -> str:
        if self.kind in (EER, COST):
            return self.kind
        if self.kind == BY_HAND:
            return f"{self.kind}={self.value!r}"
        return f"{self.kind}{f'[{self.species}]' if self.species else ''}<={self.value:g}{'@95' if self.at_95 else ''}"

    @property
    def has_limit(self) -> bool:
        """Whether it promises a rate, so that there is something to check where it is reported."""
        return self.kind in (BPCER, APCER)

    def as_json(self) -> str:
        return str(self)

    @classmethod
    def from_json(cls, content: object, where: str) -> Rule:
        """The rule that a document states as text; raises BadInputError, beginning with `where`, where it is none."""
        if not isinstance(content, str):
            raise BadInputError(f"{where} should be a text; {content!r} is of another type.")
        return rule(content)

    @property
    def words(self) -> str:
        """The rule as a person would write it: BPCER ≤ 5 %."""
        if self.kind == EER:
            return "EER"
        if self.kind == COST:
            return "lowest expected cost"
        if self.kind == BY_HAND:
            return "set by hand"
        of = f" of {self.species}" if self.species else " of the worst species" if self.kind == APCER else ""
        proven = ", also the upper 95 % bound" if self.at_95 else ""
        return f"{self.kind.upper()}{of} ≤ {100 * self.value:g} %{proven}"


DEFAULT = Rule(BPCER, 0.05)  # needs no attacks: the natural rule for a model that has only seen live faces


def rule(text: str) -> Rule:
    """The rule that a text like "bpcer<=0.05" states. Raises BadInputError, with the grammar, for anything else."""
    plain = text.strip().lower()
    if plain in (EER, COST):
        return Rule(plain)
    parts = _GRAMMAR.fullmatch(text.strip())
    if parts and not (parts["kind"] == BPCER and parts["species"]):
        kind = parts["hand"] or parts["kind"]
        try:
            value = float(parts["at"] or parts["value"])
        except ValueError:
            pass
        else:
            return _checked(Rule(kind, value, parts["species"] or "", bool(parts["at_95"])), text)
    raise BadInputError(
        f"'{text}' is no rule. Rules: bpcer<=0.05 (a share between 0 and 1, here 5 %), apcer<=0.1 (the worst species), "
        "apcer[mask]<=0.1, eer, cost, threshold=0.3. A limit with @95 behind it (bpcer<=0.02@95) holds for the upper "
        "95 % bound too."
    )


def _checked(stated: Rule, text: str) -> Rule:
    if stated.kind == BY_HAND and not math.isfinite(stated.value):
        raise BadInputError(f"A threshold must be a finite number, got {stated.value}.")
    if stated.kind != BY_HAND and not 0 <= stated.value < 1:
        meant = stated.value if 1 <= stated.value < 100 else 5
        raise BadInputError(
            f"Rule '{text}': an error rate is a share between 0 and 1: {meant / 100:g} for {meant:g} %."
        )
    if stated.at_95 and stated.value == 0:
        raise BadInputError(
            f"Rule {stated}: no number of samples proves a rate of 0. Take a limit above it, or no @95."
        )
    return stated


@dataclass(frozen=True)
class OperatingPoint:
    """score >= `threshold` is an attack. Optimistic: chosen on samples it is reported on, or while looking at them."""

    rule: Rule
    threshold: float
    chosen_on: tuple[str, ...]
    reported_on: tuple[str, ...]
    is_optimistic: bool


def threshold_by(by: Rule, scores: ScoreSet, costs: Costs | None = None, trials: Trials | None = None) -> float:
    """The finite threshold of a rule on some samples; raises UndefinedMetricError where they do not allow one.

    `trials`: the same samples with their subjects, which a rule with @95 needs.
    """
    if by.kind == BY_HAND:
        return by.value
    if by.kind == COST:
        if costs is None:
            raise BadInputError(
                "The rule 'cost' needs costs: sessions, loss per attack, cost per rejection, attack shares."
            )
        return _cheapest(scores, costs)
    if by.at_95:
        threshold = _proven(by, scores, trials)
    elif by.kind == EER:
        threshold = metrics.equal_error_rate(scores).threshold
    elif by.kind == BPCER:
        threshold = metrics.threshold_at_bpcer(scores, by.value)
    elif not by.species:
        threshold = metrics.threshold_at_apcer(scores, by.value)
    elif by.species in scores.attacks:
        threshold = metrics.threshold_at_apcer(metrics.of_species(scores, by.species), by.value)
    else:
        raise _unknown(by, scores)
    if not math.isfinite(threshold):
        raise UndefinedMetricError(f"{by} gives the threshold {threshold}, which calls every finite score the same")
    return threshold


def _proven(by: Rule, scores: ScoreSet, trials: Trials | None) -> float:
    if trials is None:
        raise ValueError(f"the rule {by} needs the subjects of the samples: hand in their trials")
    if by.kind == BPCER:
        return limits.threshold_proven_at_bpcer(trials, by.value)
    if by.species and by.species not in scores.attacks:
        raise _unknown(by, scores)
    return limits.threshold_proven_at_apcer(trials, by.value, by.species)


def _unknown(by: Rule, scores: ScoreSet) -> UndefinedMetricError:
    known = ", ".join(scores.attacks) or "none"
    return UndefinedMetricError(f"there is no {by.species} attack; species: {known}")


def _cheapest(scores: ScoreSet, costs: Costs) -> float:
    curve = cost.curve(scores, costs)
    if curve.best == len(curve.thresholds) - 1:
        raise UndefinedMetricError("with these costs it is cheapest to let everything pass, so there is no threshold")
    return float(curve.thresholds[curve.best])


def operating_point(by: Rule, threshold: float, chosen_on: Sequence[str], reported_on: Sequence[str]) -> OperatingPoint:
    """Is optimistic where it is set by hand, or reported on a subset that it was chosen on."""
    is_optimistic = by.kind == BY_HAND or bool(set(reported_on) & set(chosen_on))
    return OperatingPoint(by, threshold, tuple(chosen_on), tuple(reported_on), is_optimistic)
