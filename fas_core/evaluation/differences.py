"""What another Run does better or worse than A on the samples they share: metrics, verdicts, groups.

    both = joined([System(a, "rec"), System(b, "rec")])
    found = differences(both, DEFAULT, resampled(both, DEFAULT))
    found[ROC_AUC].b, found[ROC_AUC].low, in_words(both, DEFAULT, found)

A difference is always B - A. Each Run is judged at its own threshold, at which its BPCER (or its worst APCER) on the
common samples is at most the same: matched, so that scores of other units can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from fas_core import metrics
from fas_core.data.names import BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.evaluation.join import Joined
from fas_core.evaluation.verdicts import RIGHT, verdicts_of
from fas_core.metrics import ScoreSet, resampling
from fas_core.metrics.operating_point import APCER, BPCER, DEFAULT, Rule, threshold_by
from fas_core.metrics.resampling import QUANTILES, Resampled, Statistic
from fas_core.metrics.uncertainty import RESAMPLES, UnitInterval, Units, codes_of, delong, mcnemar

# --------------------------------------------------------------------------------------------------------- verdicts


def matched_rule(rule: Rule) -> Rule:
    """`rule` if thresholds can be matched by it; raises BadInputError for others than bpcer<=X and apcer<=X."""
    if rule.kind not in (BPCER, APCER) or rule.species or rule.at_95:
        raise BadInputError(
            f"Runs cannot be compared at {rule}: thresholds are matched by bpcer<=X or apcer<=X (the worst species)"
            f"{', without @95' if rule.at_95 else ''}."
        )
    return rule


def thresholds(both: Joined, rule: Rule = DEFAULT) -> list[float]:
    """Of each Run, by the same rule on the common samples. Raises UndefinedMetricError where they allow none."""
    return [threshold_by(rule, one) for one in both.score_sets]


class Turned(NamedTuple):
    """How many verdicts of A another Run puts right and wrong; McNemar takes samples for independent."""

    fixed: int
    broken: int
    mcnemar_p: float


@dataclass(frozen=True, eq=False)
class Flips:
    """The verdicts of A and another Run on the same samples, each at its own threshold."""

    threshold_a: float
    threshold_b: float
    verdicts_a: NDArray[np.str_]  # (n,) as `verdicts` returns them
    verdicts_b: NDArray[np.str_]

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """(n,) A is wrong and B is right."""
        return (self.verdicts_a != RIGHT) & (self.verdicts_b == RIGHT)

    @property
    def broken(self) -> NDArray[np.bool_]:
        """(n,) A is right and B is wrong."""
        return (self.verdicts_a == RIGHT) & (self.verdicts_b != RIGHT)

    @property
    def both_wrong(self) -> NDArray[np.bool_]:
        return (self.verdicts_a != RIGHT) & (self.verdicts_b != RIGHT)

    def counts(self, wanted: NDArray[np.bool_] | None = None) -> Turned:
        """Of all samples or of some."""
        chosen = slice(None) if wanted is None else wanted
        fixed, broken = int(self.fixed[chosen].sum()), int(self.broken[chosen].sum())
        return Turned(fixed, broken, mcnemar(fixed, broken))


def flips(both: Joined, at: Sequence[float], b: int = 1) -> Flips:
    """A against Run number `b` of those joined, `at` the thresholds of all of them."""
    found = [verdicts_of(both.is_attack, both.scores[i], at[i]) for i in (0, b)]
    return Flips(at[0], at[b], *found)


# ------------------------------------------------------------------------------------------- metrics with intervals

GROUPS = 2_000  # of independent samples, drawn as wholes: as good as single ones, and much faster


def _drawn_units(both: Joined) -> Units:
    """`Joined.units`; more than `GROUPS` units are drawn in that many groups, made by a hash of their names."""
    units, _ = both.units
    if codes_of(units.groups)[1] <= GROUPS:
        return units
    is_named = units.groups.dtype.kind not in "iu"
    names = units.groups.astype(str).astype(object) if is_named else both.samples["sample_id"].to_numpy(object)
    return Units(units.name, pd.util.hash_array(names) % GROUPS)


ROC_AUC = Statistic("roc_auc")


def statistics(both: Joined, rule: Rule) -> list[Statistic]:
    """Every metric that is compared, in the order of tables; those at a target are at the rule's rate."""
    x = float(rule.value)
    species = sorted(both.kind_counts.keys() - {BONA_FIDE})
    return [
        ROC_AUC,
        Statistic("average_precision"),
        Statistic("eer"),
        Statistic("apcer_max_at_bpcer", x),
        Statistic("apcer_at_bpcer", (x, None)),
        bpcer_by(rule),
        *(apcer_of(name, rule) for name in species),
        *(Statistic("roc_auc", name) for name in species),
    ]


def apcer_of(species: str, rule: Rule) -> Statistic:
    """The APCER of a species where BPCER is at most the rule's rate."""
    return Statistic("apcer_at_bpcer", (float(rule.value), species))


def bpcer_by(rule: Rule) -> Statistic:
    """The BPCER where the APCER of every species is at most the rule's rate."""
    return Statistic("bpcer_at_apcer", float(rule.value))


def resampled(
    both: Joined,
    rule: Rule = DEFAULT,
    *,
    bpcers: Sequence[float] = (),
    recalls: Sequence[float] = (),
    resamples: int = RESAMPLES,
    quantiles: int = QUANTILES,
) -> Resampled:
    """All metrics of all Runs on the same resamples of whole units; thresholds are matched anew in each of them.

    For bands around curves also the pooled APCER at some BPCERs and the precision at some recalls.
    """
    wanted = [
        *statistics(both, rule),
        *(Statistic("apcer_at_bpcer", (float(x), None)) for x in bpcers),
        *(Statistic("precision_at_recall", float(x)) for x in recalls),
    ]
    return resampling.resampled(
        both.scores,
        both.is_attack,
        _drawn_units(both),
        list(dict.fromkeys(wanted)),
        species=both.kinds,
        resamples=resamples,
        quantiles=quantiles,
    )


def band(drawn: Resampled, statistics: Sequence[Statistic], model: int) -> NDArray[np.float64]:
    """(m, 2) from the 2.5 to the 97.5 percentile of each statistic of one Run; NaN where it is undefined.

    For drawing: where all resamples agree it has no width, though a few units leave more open than that.
    """
    found = np.full((len(statistics), 2), np.nan)
    for row, statistic in enumerate(statistics):
        values = drawn.values[statistic][model]
        if not np.isnan(values).all():
            found[row] = np.nanquantile(values, [0.025, 0.975])
    return found


@dataclass(frozen=True)
class Difference:
    """A metric of A and of B on the same samples; None where undefined.

    `low` to `high`: 95 % of B - A, by the paired bootstrap over units. `method`: what `p` of "no difference" is by.
    """

    a: float | None
    b: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    method: str | None = None  # "delong" where samples are independent units, else "bootstrap"

    @property
    def difference(self) -> float | None:
        return None if self.a is None or self.b is None else self.b - self.a

    def as_json(self) -> dict[str, Any]:
        """An entry of `metrics` in the document."""
        ci95 = None if self.low is None else [self.low, self.high]
        return {
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "ci95": ci95,
            "p": self.p,
            "method": self.method,
        }


def differences(
    both: Joined, rule: Rule = DEFAULT, drawn: Resampled | None = None, b: int = 1
) -> dict[Statistic, Difference]:
    """Every metric of A and of Run number `b` of those joined; without `drawn` (see `resampled`) no interval and p."""
    for i in (0, b):
        if (i, rule) not in both._metrics:
            both._metrics[i, rule] = _values(both.score_sets[i], rule)
    values_a, values_b = (both._metrics[i, rule] for i in (0, b))
    kinds, independent = both.kinds, both.units[1]
    found = {}
    for statistic in statistics(both, rule):
        first, second = values_a.get(statistic), values_b.get(statistic)
        one = Difference(first, second)
        if drawn is not None and one.difference is not None:
            interval = drawn.difference(statistic, b, 0)
            if interval is not None:
                p: float | None
                if statistic.name == "roc_auc" and independent:
                    wanted = (kinds == BONA_FIDE) | (kinds == statistic.species) | (statistic.species is None)
                    p, method = _delong_p(both.only(wanted), b), "delong"
                else:
                    p, method = _bootstrap_p(drawn.values[statistic], b, interval), "bootstrap"
                one = Difference(first, second, interval.low, interval.high, p, method)
        found[statistic] = one
    return found


def _values(one: ScoreSet, rule: Rule) -> dict[Statistic, float | None]:
    x = float(rule.value)
    if not one.n_bona_fide + one.n_attack:
        return {}
    cell = metrics.document(one, max_bpcer=[x], max_apcer=[x])
    at = cell["apcer_at_bpcer"][0]
    return {
        ROC_AUC: cell["roc_auc"],
        Statistic("average_precision"): cell["average_precision"],
        Statistic("eer"): cell["eer"]["value"] if cell["eer"] else None,
        Statistic("apcer_max_at_bpcer", x): at["apcer_max"],
        Statistic("apcer_at_bpcer", (x, None)): at["apcer_pooled"],
        bpcer_by(rule): cell["bpcer_at_apcer"][0]["bpcer"],
        **{apcer_of(species, rule): rate for species, rate in at["apcer_per_species"].items()},
        **{Statistic("roc_auc", species): auc for species, auc in cell["roc_auc_per_species"].items()},
    }


def _bootstrap_p(values: NDArray[np.float64], b: int, interval: UnitInterval) -> float:
    """Two-sided p of "no difference": how often resamples are on the other side of 0 (or on it), among those + 1.

    n units cannot say more against a tossed coin than n equal tosses: p is at least 2^(1 - n).
    """
    change = values[b] - values[0]
    change = change[~np.isnan(change)]
    fewest = min(int((change <= 0).sum()), int((change >= 0).sum()))
    return min(1.0, max(2 * (fewest + 1) / (change.size + 1), 2.0 ** (1 - interval.n_units)))


def _delong_p(both: Joined, b: int) -> float | None:
    """Of equal AUCs (DeLong et al. 1988, eq. 5 and 6); None where the variance is 0 and the AUCs differ."""
    try:
        areas, covariance = delong([both.scores[0], both.scores[b]], both.is_attack)
    except ValueError:  # fewer than two of a class
        return None
    difference, variance = areas[1] - areas[0], covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if difference == 0:
        return 1.0
    return 2 * float(ndtr(-abs(difference) / math.sqrt(variance))) if variance > 0 else None


# ----------------------------------------------------------------------------------------------- group by group

TABLE_COLUMNS = (
    "group", "kind", "n", "wrong_a", "wrong_b", "difference", "low", "high", "fixed", "broken", "mcnemar_p",
    "auc_a", "auc_b", "auc_difference",
)  # fmt: skip


def table(
    both: Joined,
    found: Flips | None,
    groups: ArrayLike,
    *,
    b: int = 1,
    resamples: int = 0,
) -> pd.DataFrame:
    """One row per kind of sample, over all groups ("") and in each: shares of wrong verdicts and AUC of A and B.

    `groups`: (n,) names. `kind` is "bona_fide" (whose share of wrong verdicts is the BPCER) or a species (APCER). The
    AUC of a species is against the bona fide samples of the same rows; None where there are none. Shares are None
    without `found`; `low` to `high`, 95 % of the difference by unit, take both thresholds as given, and are None
    without `resamples`.
    """
    names, kinds, attack = np.asarray(groups, str), both.kinds, both.is_attack
    units = _drawn_units(both) if resamples else None
    rows: list[dict[str, Any]] = []
    for group in ["", *sorted(set(names.tolist()))]:
        here = np.ones(len(both), np.bool_) if group == "" else names == group
        sets = both.score_sets if group == "" else both.score_sets_of(here)
        set_a, set_b = sets[0], sets[b]
        for kind in sorted(set(kinds[here].tolist()), key=lambda k: (k != BONA_FIDE, k)):
            chosen = here & (kinds == kind)
            row: dict[str, Any] = dict.fromkeys(TABLE_COLUMNS)
            row |= {"group": group, "kind": kind, "n": int(chosen.sum())}
            if found is not None:
                row |= found.counts(chosen)._asdict()
                row["wrong_a"] = float((found.verdicts_a[chosen] != RIGHT).mean())
                row["wrong_b"] = float((found.verdicts_b[chosen] != RIGHT).mean())
                row["difference"] = row["wrong_b"] - row["wrong_a"]
                if units is not None:
                    at = (found.threshold_a, found.threshold_b)
                    pair = [both.scores[i][chosen] for i in (0, b)]
                    interval = _rate_difference(pair, attack[chosen], units.of(chosen), at, resamples)
                    row |= {} if interval is None else {"low": interval.low, "high": interval.high}
            if kind != BONA_FIDE and set_a.n_bona_fide:
                row["auc_a"], row["auc_b"] = metrics.roc_auc(set_a, kind), metrics.roc_auc(set_b, kind)
                row["auc_difference"] = row["auc_b"] - row["auc_a"]
            rows.append(row)
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def _rate_difference(
    pair: Sequence[NDArray[np.float64]],
    attack: NDArray[np.bool_],
    units: Units,
    at: Sequence[float],
    resamples: int,
) -> UnitInterval | None:
    """Of the shares of wrong verdicts of samples of one kind, at frozen thresholds."""
    rate = Statistic("apcer_pooled" if attack.any() else "bpcer")
    return resampling.resampled(pair, attack, units, [rate], thresholds=at, resamples=resamples).difference(rate, 1, 0)
