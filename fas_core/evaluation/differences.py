"""What another Run does better or worse than A on the samples they share: metrics, verdicts, groups.

    both = joined([System(a, "rec"), System(b, "rec")])
    of_each = differences(both, DEFAULT, resampled(both, DEFAULT))
    of_each[ROC_AUC].b, of_each[ROC_AUC].low, in_words(both, DEFAULT, of_each)

A difference is always B - A. Each Run is judged at its own threshold, at which its BPCER (or its worst APCER) on the
common samples is at most the same: matched, so that scores of other units can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from fas_core import metrics
from fas_core.data.names import BONA_FIDE
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation import verdicts
from fas_core.evaluation.join import Joined, of_each
from fas_core.evaluation.verdicts import RIGHT, VERDICTS
from fas_core.metrics import ScoreSet, resampling
from fas_core.metrics.operating_point import COST, DEFAULT, Rule, threshold_by
from fas_core.metrics.resampling import QUANTILES, Resampled, Statistic
from fas_core.metrics.uncertainty import RESAMPLES, UnitInterval, Units, codes_of, delong, mcnemar, swap_p

# --------------------------------------------------------------------------------------------------------- verdicts


def matched_rule(rule: Rule, *, has_costs: bool = False) -> Rule:
    """`rule` if it gives each Run a threshold; raises BadInputError for a species, @95, and cost without figures."""
    if rule.species or rule.at_95 or (rule.kind == COST and not has_costs):
        without = ", without @95" if rule.at_95 else ""
        raise BadInputError(
            f"Runs cannot be compared at {rule}: take bpcer<=X or apcer<=X (the worst species){without}, eer, or "
            "threshold=X of A. Costs are set in the app."
        )
    return rule


def thresholds(both: Joined, rule: Rule = DEFAULT) -> list[float]:
    """Of each Run, by the same rule on the common samples. Raises UndefinedMetricError where they allow none."""
    return [threshold_by(rule, scores) for scores in both.score_sets]


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
    codes_a: NDArray[np.uint8]  # (n,) positions in `VERDICTS`
    codes_b: NDArray[np.uint8]

    @cached_property
    def verdicts_a(self) -> NDArray[np.str_]:
        """(n,) as `verdicts_at` names them."""
        return np.array(VERDICTS)[self.codes_a]

    @cached_property
    def verdicts_b(self) -> NDArray[np.str_]:
        """(n,) as `verdicts_at` names them."""
        return np.array(VERDICTS)[self.codes_b]

    @cached_property
    def wrong_a(self) -> NDArray[np.bool_]:
        """(n,)"""
        return self.codes_a != VERDICTS.index(RIGHT)

    @cached_property
    def wrong_b(self) -> NDArray[np.bool_]:
        """(n,)"""
        return self.codes_b != VERDICTS.index(RIGHT)

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """(n,) A is wrong and B is right."""
        return self.wrong_a & ~self.wrong_b

    @property
    def broken(self) -> NDArray[np.bool_]:
        """(n,) A is right and B is wrong."""
        return ~self.wrong_a & self.wrong_b

    @property
    def both_wrong(self) -> NDArray[np.bool_]:
        return self.wrong_a & self.wrong_b

    def counts(self, wanted: NDArray[np.bool_] | None = None) -> Turned:
        """Of all samples or of some."""
        chosen = slice(None) if wanted is None else wanted
        fixed, broken = int(self.fixed[chosen].sum()), int(self.broken[chosen].sum())
        return Turned(fixed, broken, mcnemar(fixed, broken))


def flips(both: Joined, at: Sequence[float], b: int = 1) -> Flips:
    """A against Run number `b` of those joined, `at` the thresholds of all of them."""
    return Flips(at[0], at[b], *(verdicts.codes_of(both.is_attack, both.scores[i], at[i]) for i in (0, b)))


# ------------------------------------------------------------------------------------------- metrics with intervals

GROUPS = 2_000  # of independent samples, drawn as wholes: as good as single ones, and much faster


def drawn_units(both: Joined) -> Units:
    """`Joined.units`; more than `GROUPS` units are drawn in that many groups, made by a hash of their names."""
    units, _ = both.units
    if codes_of(units.groups)[1] <= GROUPS:
        return units
    is_named = units.groups.dtype.kind not in "iu"
    names = units.groups.astype(str).astype(object) if is_named else both.samples["sample_id"].to_numpy(object)
    return Units(units.name, pd.util.hash_array(names) % GROUPS)


ROC_AUC = Statistic("roc_auc")
AVERAGE_PRECISION = Statistic("average_precision")


BPCER_FIXED = Statistic("bpcer")  # at thresholds that are chosen elsewhere


def statistics(both: Joined, rule: Rule, *, is_fixed: bool = False) -> list[Statistic]:
    """Every metric that is compared, in the order of tables; those at a target are at the rule's rate.

    `is_fixed`: rates are those at thresholds chosen elsewhere, not where the rule holds on these samples.
    """
    x = float(rule.value)
    species = sorted(both.kind_counts.keys() - {BONA_FIDE})
    matched = [Statistic("apcer_max_at_bpcer", x), Statistic("apcer_at_bpcer", (x, None)), bpcer_by(rule)]
    fixed = [BPCER_FIXED, Statistic("apcer_max"), Statistic("apcer_pooled")]
    return [
        ROC_AUC,
        AVERAGE_PRECISION,
        Statistic("eer"),
        *(fixed if is_fixed else matched),
        *(apcer_of(name, None if is_fixed else rule) for name in species),
        *(Statistic("roc_auc", name) for name in species),
    ]


def apcer_of(species: str, rule: Rule | None) -> Statistic:
    """The APCER of a species where BPCER is at most the rule's rate; without a rule at a fixed threshold."""
    return Statistic("apcer", species) if rule is None else Statistic("apcer_at_bpcer", (float(rule.value), species))


def bpcer_by(rule: Rule) -> Statistic:
    """The BPCER where the APCER of every species is at most the rule's rate."""
    return Statistic("bpcer_at_apcer", float(rule.value))


def threshold_by_rule(rule: Rule) -> Statistic:
    """The threshold that the rule gives in each resample."""
    return Statistic(f"threshold_at_{rule.kind}", float(rule.value))


def resampled(
    both: Joined,
    rule: Rule = DEFAULT,
    *,
    at: Sequence[float] | None = None,
    bpcers: Sequence[float] = (),
    recalls: Sequence[float] = (),
    resamples: int = RESAMPLES,
    quantiles: int = QUANTILES,
) -> Resampled:
    """All metrics of all Runs on the same resamples of whole units; thresholds are matched anew in each of them.

    `at`: the threshold of each Run, where these are taken as given instead. For bands around curves also the pooled
    APCER at some BPCERs and the precision at some recalls.
    """
    wanted = [
        *statistics(both, rule, is_fixed=at is not None),
        *([threshold_by_rule(rule)] if at is None else []),
        *(Statistic("apcer_at_bpcer", (float(x), None)) for x in bpcers),
        *(Statistic("precision_at_recall", float(x)) for x in recalls),
    ]
    return resampling.resampled(
        both.scores,
        both.is_attack,
        drawn_units(both),
        list(dict.fromkeys(wanted)),
        species=both.kinds,
        thresholds=at,
        resamples=resamples,
        quantiles=quantiles,
    )


def band(drawn: Resampled, statistics: Sequence[Statistic], model: int) -> NDArray[np.float64]:
    """(m, 2) from the 2.5 to the 97.5 percentile of each statistic of one Run; NaN where it is undefined.

    For drawing: where all resamples agree it has no width, though a few units leave more open than that.
    """
    ends = np.full((len(statistics), 2), np.nan)
    for row, statistic in enumerate(statistics):
        values = drawn.values[statistic][model]
        if not np.isnan(values).all():
            ends[row] = np.nanquantile(values, [0.025, 0.975])
    return ends


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
    method: str | None = (
        None  # "delong" where samples are independent units, "swap" at fixed thresholds, or "bootstrap"
    )
    is_bound: bool = False  # no resample disagrees: p is at most this

    @property
    def difference(self) -> float | None:
        return None if self.a is None or self.b is None else self.b - self.a

    def as_json(self) -> Json:
        """An entry of `metrics` in the document."""
        ci95 = None if self.low is None else [self.low, self.high]
        return {
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "ci95": ci95,
            "p": self.p,
            "method": self.method,
            "p_is_bound": self.is_bound,
        }


def differences(
    both: Joined,
    rule: Rule = DEFAULT,
    drawn: Resampled | None = None,
    b: int = 1,
    *,
    at: Sequence[float] | None = None,
) -> dict[Statistic, Difference]:
    """Every metric of A and of Run number `b` of those joined; without `drawn` (see `resampled`) no interval and p.

    `at`: as `resampled` takes it.
    """
    of_each_run = values_of_each(both, rule, at)
    turned = None if at is None or drawn is None else flips(both, at, b)
    is_alike = drawn is not None and alike(both, b)
    compared = {}
    for statistic in statistics(both, rule, is_fixed=at is not None):
        first, second = of_each_run[0].get(statistic), of_each_run[b].get(statistic)
        difference = Difference(first, second)
        if drawn is not None and difference.difference is not None and not is_alike:
            interval = drawn.difference(statistic, b, 0)
            if interval is not None:
                p, method, is_bound = _p_of(both, statistic, drawn, b, interval, turned)
                difference = Difference(first, second, interval.low, interval.high, p, method, is_bound)
        compared[statistic] = difference
    return compared


def alike(both: Joined, b: int) -> bool:
    """Whether Run `b` ranks all samples as A does: then nothing differs, and resamples have nothing to say of it."""
    return both.are_alike(b)


def _p_of(
    both: Joined, statistic: Statistic, drawn: Resampled, b: int, interval: UnitInterval, turned: Flips | None
) -> tuple[float | None, str, bool]:
    """p of "no difference", what it is by, and whether it is only a bound."""
    kinds = both.kinds
    if statistic.name == "roc_auc" and both.units[1]:
        wanted = (kinds == BONA_FIDE) | (kinds == statistic.species) | (statistic.species is None)
        return _delong_p(both.only(wanted), b), "delong", False
    if turned is not None and statistic.name in ("bpcer", "apcer"):
        rows = np.flatnonzero(kinds == (statistic.species or BONA_FIDE))
        return swap_p(changes_by_unit(both, turned, rows)), "swap", False
    return _by_bootstrap(drawn.values[statistic], b, interval)


def changes_by_unit(both: Joined, turned: Flips, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """(u,) of each unit that some rows are of: wrong verdicts of the other Run less those of A."""
    change = turned.wrong_b[rows].astype(np.int64) - turned.wrong_a[rows]
    codes, n_units = both.unit_codes
    of_units = np.bincount(codes[rows], change, n_units)[np.bincount(codes[rows], minlength=n_units) > 0]
    return of_units.astype(np.int64)


def values_of_each(
    both: Joined, rule: Rule = DEFAULT, at: Sequence[float] | None = None
) -> list[dict[Statistic, float | None]]:
    """What `differences` compares, of each Run."""
    thresholds = None if at is None else tuple(map(float, at))
    key = (rule, thresholds)
    if key not in both._metrics:
        pairs = list(zip(both.score_sets, thresholds or [None] * len(both.scores), strict=True))
        both._metrics[key] = of_each(lambda of_run: _values(of_run[0], rule, of_run[1]), pairs)
    return both._metrics[key]


def _values(scores: ScoreSet, rule: Rule, threshold: float | None) -> dict[Statistic, float | None]:
    x = float(rule.value)
    if not scores.n_bona_fide + scores.n_attack:
        return {}
    limits = [x] if threshold is None else []
    summary = metrics.summary(scores, max_bpcer=limits, max_apcer=limits)
    over_all = {
        ROC_AUC: summary.roc_auc,
        AVERAGE_PRECISION: summary.average_precision,
        Statistic("eer"): summary.eer.value if summary.eer else None,
        **{Statistic("roc_auc", species): auc for species, auc in summary.roc_auc_per_species.items()},
    }
    if threshold is not None:
        rates = metrics.rates_at(scores, threshold)
        return over_all | {
            BPCER_FIXED: rates.bpcer,
            Statistic("apcer_max"): rates.apcer_max,
            Statistic("apcer_pooled"): rates.apcer_pooled,
            **{apcer_of(species, None): rate for species, rate in rates.apcer_per_species.items()},
        }
    at = summary.apcer_at_bpcer[0]
    return over_all | {
        Statistic("apcer_max_at_bpcer", x): at.apcer_max,
        Statistic("apcer_at_bpcer", (x, None)): at.apcer_pooled,
        bpcer_by(rule): summary.bpcer_at_apcer[0].bpcer,
        **{apcer_of(species, rule): rate for species, rate in at.apcer_per_species.items()},
    }


def _by_bootstrap(values: NDArray[np.float64], b: int, interval: UnitInterval) -> tuple[float, str, bool]:
    """Two-sided p of "no difference": how often resamples are on the other side of 0 (or on it), among those + 1.

    n units cannot say more against a tossed coin than n equal tosses: p is at least 2^(1 - n). Only a bound where no
    resample is on the other side.
    """
    change = values[b] - values[0]
    change = change[~np.isnan(change)]
    fewest = min(int((change <= 0).sum()), int((change >= 0).sum()))
    p = max(2 * (fewest + 1) / (change.size + 1), 2.0 ** (1 - interval.n_units))
    return min(1.0, p), "bootstrap", not fewest


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
    "group", "kind", "n", "wrong_a", "wrong_b", "difference", "fixed", "broken", "mcnemar_p",
    "auc_a", "auc_b", "auc_difference",
)  # fmt: skip


def table(
    both: Joined,
    turned: Flips | None,
    groups: ArrayLike,
    *,
    b: int = 1,
) -> pd.DataFrame:
    """One row per kind of sample, over all groups ("") and in each: shares of wrong verdicts and AUC of A and B.

    `groups`: (n,) names. `kind` is "bona_fide" (whose share of wrong verdicts is the BPCER) or a species (APCER). The
    AUC of a species is against the bona fide samples of the same rows; None where there are none. Shares are None
    without `turned`.
    """
    names, kinds = np.asarray(groups, str), both.kinds
    rows: list[dict[str, object]] = []
    for group in ["", *sorted(set(names.tolist()))]:
        here = np.ones(len(both), np.bool_) if group == "" else names == group
        sets = both.score_sets if group == "" else both.score_sets_of(here)
        set_a, set_b = sets[0], sets[b]
        for kind in sorted(set(kinds[here].tolist()), key=lambda k: (k != BONA_FIDE, k)):
            chosen = here & (kinds == kind)
            row: dict[str, Any] = dict.fromkeys(TABLE_COLUMNS)
            row |= {"group": group, "kind": kind, "n": int(chosen.sum())}
            if turned is not None:
                row |= turned.counts(chosen)._asdict()
                row["wrong_a"] = float(turned.wrong_a[chosen].mean())
                row["wrong_b"] = float(turned.wrong_b[chosen].mean())
                row["difference"] = row["wrong_b"] - row["wrong_a"]
            if kind != BONA_FIDE and set_a.n_bona_fide:
                row["auc_a"], row["auc_b"] = metrics.roc_auc(set_a, kind), metrics.roc_auc(set_b, kind)
                row["auc_difference"] = row["auc_b"] - row["auc_a"]
            rows.append(row)
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))
