"""What a threshold costs a month and whether another one is cheaper, in sentences that say how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fas_core.evaluation.words import threshold_text
from fas_core.metrics import ScoreSet, cost
from fas_core.metrics.cost import CostCurve, Costs, Paired, amount_text

SURE = 0.95  # of resamples: from here on a threshold is called the cheapest


@dataclass(frozen=True, eq=False)
class Priced:
    """A threshold beside the one with the lowest likely cost on the same samples."""

    costs: Costs
    curve: CostCurve
    threshold: float
    here: float  # its likely cost
    unproven: tuple[str, ...]  # species with a share of which no attack passes, at one of both thresholds

    @property
    def best(self) -> float:
        """The threshold with the lowest likely cost."""
        return float(self.curve.thresholds[self.curve.best])

    @property
    def is_best(self) -> bool:
        """Whether no other threshold has a lower likely cost."""
        return self.here <= float(self.curve.likely[self.curve.best])

    @property
    def passes_all(self) -> bool:
        """Whether the lowest likely cost is that of no threshold at all."""
        return self.curve.best == len(self.curve.thresholds) - 1


def priced(scores: ScoreSet, costs: Costs, threshold: float) -> Priced:
    """Raises UndefinedMetricError as `cost.curve` does."""
    curve = cost.curve(scores, costs)
    [here] = cost.expected(scores, costs, np.array([threshold])).likely
    lowest = min(threshold, float(curve.thresholds[curve.best]))
    asked = [name for name, share in costs.shares.items() if share.high]
    unproven = tuple(name for name in asked if not (scores.attacks[name] < lowest).any())
    return Priced(costs, curve, threshold, float(here), unproven)


def sentences(of: Priced, paired: Paired | None) -> list[str]:
    """The cost here, the lowest likely one, and in how many resamples it is lower. Nothing is the cheapest that is not
    so in 95 % of them. `paired`: the threshold and the best one; None where there are too few units to resample."""
    money, curve, best = of.costs.money, of.curve, of.curve.best

    def between(i: int) -> str:
        if paired is None:
            return ""
        low, high = paired.ranges[i]
        return f" ({amount_text(rounded(low))}–{amount_text(rounded(high))})"

    lead = f"At {threshold_text(of.threshold)} the cost is {money(rounded(of.here))} a month{between(0)}"
    if of.is_best:
        words = [f"{lead}. On these samples no other threshold has a lower likely cost."]
    else:
        lowest = f"{money(rounded(float(curve.likely[best])))}{between(1)}"
        other = "letting everything pass" if of.passes_all else f"the threshold {threshold_text(of.best)}"
        if paired is None:
            words = [f"{lead}. The lowest likely cost, {lowest}, has {other}; too few subjects say how sure that is."]
        elif paired.cheaper >= SURE:
            words = [f"{lead}; cheapest is {other}, with {lowest}: cheaper in {_share(paired)}."]
        else:
            words = [
                f"{lead}; the lowest likely cost, {lowest}, has {other}, but it is cheaper in {_share(paired)}, "
                "so not clearly."
            ]
    if of.passes_all:
        words.append("With these costs no threshold pays.")
    else:
        low, high = (threshold_text(end) for end in curve.flat)
        words.append(f"Between {low} and {high} the likely cost is within {100 * cost.FLAT:g} % of the lowest.")
    if of.unproven:
        priced = [name for name, share in of.costs.shares.items() if share.high]
        which = "" if len(of.unproven) == len(priced) > 1 else f"{' or '.join(of.unproven)} "
        where = "this threshold" if of.is_best else "the lower of both"
        words.append(f"No {which}attack passes at {where}, which does not prove that none ever will: it may cost more.")
    return words


def rounded(amount: float) -> float:
    """To three digits: no more is known of a cost."""
    return float(f"{amount:.3g}")


def _share(paired: Paired) -> str:
    """In 83 % of 2,000 resamples of 24 subjects and of the shares."""
    percent = max(1, int(100 * paired.cheaper))  # never rounded up
    told = "all" if paired.cheaper == 1 else "none" if paired.cheaper == 0 else f"{percent} %"
    units = f"{paired.n_units:,} {paired.unit}{'' if paired.n_units == 1 else 's'}"
    return f"{told} of {paired.n:,} resamples of {units} and of the shares"
