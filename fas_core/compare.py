"""Runs on the samples they share, joined by sample_id; and single samples against a threshold or a reference.

    both = joined([System(a, "rec"), System(b, "rec")])
    found = differences(both, DEFAULT, resampled(both, DEFAULT))
    found["roc_auc"].b, found["roc_auc"].low, in_words(both, DEFAULT, found)

A difference is always B - A. Each Run is judged at its own threshold, at which its BPCER (or its worst APCER) on the
common samples is at most the same: matched, so that scores of other units can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from fas_core import metrics, resampling, scores
from fas_core.errors import BadInputError
from fas_core.manifest import ATTACK, BONA_FIDE
from fas_core.metrics import ScoreSet, UndefinedMetricError
from fas_core.operating_point import APCER, BPCER, DEFAULT, Rule, threshold_by
from fas_core.presentations import COLUMNS, FRAME, grouped, summed_up
from fas_core.resampling import QUANTILES, Resampled, Statistic
from fas_core.store import Run
from fas_core.uncertainty import RESAMPLES, UnitInterval, Units, codes_of, delong, mcnemar, unit_of

RIGHT, MISSED, REJECTED, NO_RESPONSE = "right", "missed", "rejected", "no response"

# ------------------------------------------------------------------------- samples against a threshold or a reference


def verdicts(labels: ArrayLike, values: ArrayLike, threshold: float) -> NDArray[np.str_]:
    """(n,) "right", "missed" (an attack let through), "rejected" (bona fide called attack) or "no response" (NaN)."""
    return _verdicts(np.asarray(labels) == ATTACK, np.asarray(values, np.float64), threshold)


def _verdicts(attack: NDArray[np.bool_], numbers: NDArray[np.float64], threshold: float) -> NDArray[np.str_]:
    answered = ~np.isnan(numbers)
    called = np.zeros(len(numbers), np.bool_)
    called[answered] = metrics.is_attack(numbers[answered], threshold)
    found = np.where(answered, np.where(called == attack, 0, np.where(attack, 1, 2)), 3)
    return np.array([RIGHT, MISSED, REJECTED, NO_RESPONSE])[found]


def percentiles(values: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """(n,) share of the reference scores below each value, 0..1; equal ones count half. NaN without a reference."""
    ordered = np.sort(np.asarray(reference, np.float64))
    ordered = ordered[~np.isnan(ordered)]
    numbers = np.asarray(values, np.float64)
    if not ordered.size:
        return np.full(numbers.shape, np.nan)
    below = np.searchsorted(ordered, numbers, side="left") + np.searchsorted(ordered, numbers, side="right")
    return np.where(np.isnan(numbers), np.nan, below / (2 * ordered.size))


# ----------------------------------------------------------------------------------------------- Runs side by side


class System(NamedTuple):
    """A Run and the score that it is judged by."""

    run: Run
    score: str


@dataclass(frozen=True, eq=False)
class Joined:
    """The samples that have a score in each of k Runs: row i of everything here is one sample. A is the first Run."""

    samples: pd.DataFrame  # (n,) what A says: sample_id, subset, label, pai_species, and the ids that A has
    rows: tuple[NDArray[np.int64], ...]  # k times (n,) row of the sample in each Run
    scores: tuple[NDArray[np.float64], ...]  # k times (n,)
    n_only: tuple[int, ...]  # samples of each whole Run that another Run lacks
    n_no_response: int  # samples of all Runs that one of them gave no score

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def is_attack(self) -> NDArray[np.bool_]:
        """(n,)"""
        return (self.samples["label"] == ATTACK).to_numpy()

    @cached_property
    def _species(self) -> tuple[NDArray[np.int32], list[str]]:
        """As `metrics.species_codes`."""
        return metrics.species_codes(self.is_attack, self.samples["pai_species"])

    @cached_property
    def kinds(self) -> NDArray[np.str_]:
        """(n,) "bona_fide" or the species, named as `metrics` names them."""
        codes, names = self._species
        return np.array([BONA_FIDE, *names])[codes]

    @cached_property
    def kind_counts(self) -> dict[str, int]:
        """Samples per kind, the most frequent one first."""
        codes, names = self._species
        counts = dict(zip([BONA_FIDE, *names], np.bincount(codes, minlength=len(names) + 1).tolist(), strict=True))
        return {name: counts[name] for name in sorted(counts, key=lambda one: (-counts[one], one)) if counts[name]}

    @cached_property
    def _metrics(self) -> dict[tuple[int, Rule], dict[str, float | None]]:
        """What `differences` has computed of each Run: A is compared with several."""
        return {}

    @cached_property
    def units(self) -> tuple[Units, bool]:
        """What is resampled as a whole, and whether every sample is one of its own, so that all are independent."""
        found = unit_of(self.samples)
        return found, codes_of(found.groups)[1] == len(self)

    @cached_property
    def score_sets(self) -> list[ScoreSet]:
        """The scores of each Run."""
        return self.score_sets_of(np.ones(len(self), np.bool_))

    def score_sets_of(self, wanted: NDArray[np.bool_]) -> list[ScoreSet]:
        """The same of some samples."""
        codes, names = self._species
        return [metrics.score_set_from_codes(values[wanted], codes[wanted], names) for values in self.scores]

    def only(self, wanted: NDArray[np.bool_]) -> Joined:
        """Some of the common samples; the counts of the others stay those of the Runs."""
        return replace(
            self,
            samples=self.samples[wanted].reset_index(drop=True),
            rows=tuple(rows[wanted] for rows in self.rows),
            scores=tuple(values[wanted] for values in self.scores),
        )

    def in_subsets(self, subsets: Sequence[str]) -> Joined:
        """The common samples of some subsets of A."""
        return self.only(self.samples["subset"].isin(list(subsets)).to_numpy())


def joined(systems: Sequence[System], level: str = FRAME) -> Joined:
    """Joins two or more Runs by sample_id; by subset and sample_id where an id stands in several subsets.

    At another level than frame a row is a presentation, named after its first frame; frames that one Run gave no score
    are left out of all. Raises BadInputError where one sample has two labels, or A does not name its videos.
    """
    a = systems[0].run
    ours = a.samples([name for name in COLUMNS if name in a.column_names()])
    others = [one.run.samples(["sample_id", "subset", "label"]) for one in systems[1:]]
    position = [np.arange(len(ours)), *_positions(ours, others)]
    for system, theirs, of in zip(systems[1:], others, position[1:], strict=True):
        _require_same_labels(a, ours, system.run, theirs, of)
    common = np.flatnonzero(np.min(position, axis=0) >= 0)
    rows = tuple(of_run[common].astype(np.int64) for of_run in position)
    values = tuple(scores.values(*one)[here] for one, here in zip(systems, rows, strict=True))
    answered = ~np.asarray(np.isnan(np.stack(values)).any(axis=0))
    everything = Joined(
        samples=ours.iloc[common].reset_index(drop=True),
        rows=rows,
        scores=values,
        n_only=tuple(len(table) - len(common) for table in (ours, *others)),
        n_no_response=int((~answered).sum()),
    )
    return _at_level(everything.only(answered), level, f"Run {a.info.name}")


def _positions(ours: pd.DataFrame, others: Sequence[pd.DataFrame]) -> list[NDArray[np.intp]]:
    """(n,) for each other table: the row of each of our samples in it, -1 where it lacks it."""
    ids = pa.array(ours["sample_id"], pa.large_string())
    found = []
    for theirs in others:
        in_ours = np.asarray(pc.index_in(pa.array(theirs["sample_id"], pa.large_string()), value_set=ids).fill_null(-1))
        rows = np.flatnonzero(in_ours >= 0)
        found.append(np.full(len(ours), -1, np.intp))
        found[-1][in_ours[rows]] = rows
        if (found[-1] >= 0).sum() < len(rows):
            break  # an id stands in it twice
    else:
        if not ours["sample_id"].duplicated().any():
            return found
    key = ["subset", "sample_id"]
    index = pd.MultiIndex.from_frame(ours[key])
    return [pd.MultiIndex.from_frame(theirs[key]).get_indexer(index) for theirs in others]


def _require_same_labels(a: Run, ours: pd.DataFrame, b: Run, theirs: pd.DataFrame, of: NDArray[np.intp]) -> None:
    here = np.flatnonzero(of >= 0)
    attack_a, attack_b = ((one["label"] == ATTACK).to_numpy(bool) for one in (ours, theirs))
    differ = here[attack_a[here] != attack_b[of[here]]]
    if len(differ):
        first = differ[0]
        raise BadInputError(
            f"Sample '{ours['sample_id'].iloc[first]}' is {ours['label'].iloc[first]} in Run {a.info.name} but "
            f"{theirs['label'].iloc[of[first]]} in Run {b.info.name} ({len(differ)} samples like it): "
            "the Runs do not describe the same data."
        )


def _at_level(both: Joined, level: str, whose: str) -> Joined:
    of_row, first = grouped(both.samples, level, whose)
    return replace(
        both,
        samples=both.samples.iloc[first].reset_index(drop=True),
        rows=tuple(rows[first] for rows in both.rows),
        scores=tuple(summed_up(values, of_row, level) for values in both.scores),
    )


# --------------------------------------------------------------------------------------------------------- verdicts


def matched_rule(rule: Rule) -> Rule:
    """`rule` if thresholds can be matched by it; raises BadInputError for others than bpcer<=X and apcer<=X."""
    if rule.kind not in (BPCER, APCER) or rule.species:
        raise BadInputError(
            f"Runs cannot be compared at {rule}: thresholds are matched by bpcer<=X or apcer<=X (the worst species)."
        )
    return rule


def thresholds(both: Joined, rule: Rule = DEFAULT) -> list[float]:
    """Of each Run, by the same rule on the common samples. Raises UndefinedMetricError where they allow none."""
    return [threshold_by(rule, one) for one in both.score_sets]


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

    def counts(self, wanted: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """{"fixed", "broken", "mcnemar_p"} of all samples or of some; McNemar takes samples for independent."""
        chosen = slice(None) if wanted is None else wanted
        fixed, broken = int(self.fixed[chosen].sum()), int(self.broken[chosen].sum())
        return {"fixed": fixed, "broken": broken, "mcnemar_p": mcnemar(fixed, broken)}


def flips(both: Joined, at: Sequence[float], b: int = 1) -> Flips:
    """A against Run number `b` of those joined, `at` the thresholds of all of them."""
    found = [_verdicts(both.is_attack, both.scores[i], at[i]) for i in (0, b)]
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


def _statistics(both: Joined, rule: Rule) -> dict[str, Statistic]:
    """Every metric by its name in the document."""
    x = float(rule.value)
    species = sorted(both.kind_counts.keys() - {BONA_FIDE})
    found = {
        "roc_auc": Statistic("roc_auc"),
        "average_precision": Statistic("average_precision"),
        "eer": Statistic("eer"),
        f"apcer_max_at_bpcer_{x:g}": Statistic("apcer_max_at_bpcer", x),
        f"apcer_pooled_at_bpcer_{x:g}": Statistic("apcer_at_bpcer", (x, None)),
        f"bpcer_at_apcer_{x:g}": Statistic("bpcer_at_apcer", x),
    }
    found |= {apcer_name(name, rule): Statistic("apcer_at_bpcer", (x, name)) for name in species}
    return found | {f"roc_auc_{name}": Statistic("roc_auc", name) for name in species}


def apcer_name(species: str, rule: Rule) -> str:
    """The metric that is the APCER of a species where BPCER is at most the rule's rate."""
    return f"apcer_{species}_at_bpcer_{float(rule.value):g}"


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
        *_statistics(both, rule).values(),
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
) -> dict[str, Difference]:
    """Every metric of A and of Run number `b` of those joined; without `drawn` (see `resampled`) no interval and p."""
    for i in (0, b):
        if (i, rule) not in both._metrics:
            both._metrics[i, rule] = _values(both.score_sets[i], rule)
    values_a, values_b = (both._metrics[i, rule] for i in (0, b))
    kinds, independent = both.kinds, both.units[1]
    found = {}
    for name, statistic in _statistics(both, rule).items():
        first, second = values_a.get(name), values_b.get(name)
        one = Difference(first, second)
        if drawn is not None and one.difference is not None:
            interval = drawn.difference(statistic, b, 0)
            if interval is not None:
                p: float | None
                if statistic.name == "roc_auc" and independent:
                    wanted = (kinds == BONA_FIDE) | (kinds == statistic.of) | (statistic.of is None)
                    p, method = _delong_p(both.only(wanted), b), "delong"
                else:
                    p, method = _bootstrap_p(drawn.values[statistic], b, interval), "bootstrap"
                one = Difference(first, second, interval.low, interval.high, p, method)
        found[name] = one
    return found


def _values(one: ScoreSet, rule: Rule) -> dict[str, float | None]:
    x = float(rule.value)
    if not one.n_bona_fide + one.n_attack:
        return {}
    cell = metrics.document(one, max_bpcer=[x], max_apcer=[x])
    at = cell["apcer_at_bpcer"][0]
    return {
        "roc_auc": cell["roc_auc"],
        "average_precision": cell["average_precision"],
        "eer": cell["eer"]["value"] if cell["eer"] else None,
        f"apcer_max_at_bpcer_{x:g}": at["apcer_max"],
        f"apcer_pooled_at_bpcer_{x:g}": at["apcer_pooled"],
        f"bpcer_at_apcer_{x:g}": cell["bpcer_at_apcer"][0]["bpcer"],
        **{apcer_name(species, rule): rate for species, rate in at["apcer_per_species"].items()},
        **{f"roc_auc_{species}": auc for species, auc in cell["roc_auc_per_species"].items()},
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
                row |= found.counts(chosen)
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


# --------------------------------------------------------------------------------------------------------- in words


MOST_TOLD = 3  # species in a part of a sentence: the table has all of them


def clear(found: Mapping[str, Difference], names: Sequence[str]) -> set[str]:
    """Which of some metrics differ beyond chance: p < 0.05 after Holm's correction for their number."""
    known = sorted((found[name].p, name) for name in names if found[name].p is not None)
    beyond: set[str] = set()
    for place, (p, name) in enumerate(known):
        if p is None or p * (len(known) - place) >= 0.05:
            break
        beyond.add(name)
    return beyond


def in_words(
    both: Joined, rule: Rule, found: Mapping[str, Difference], at: Flips | None, letter: str = "B"
) -> list[str]:
    """The comparison in sentences of plain text: species by species, over all thresholds, and verdicts that turned.

    `at`: the verdicts of A and the other Run, None where there are none. `letter`: of the other Run.
    """
    if not found or found["roc_auc"].difference is None:
        return ["The common samples hold one class only: there is nothing to trade off."]
    words = [_species_words(rule, found, both.kind_counts, letter)]
    auc = found["roc_auc"]
    digits = 2 if min(both.is_attack.sum(), (~both.is_attack).sum()) < 1000 else 3
    is_sure = (auc.p is None or auc.p < 0.05) and auc.difference != 0
    how = "better" if (auc.difference or 0) > 0 else "worse"
    over_all = f"{letter} separates {how}" if is_sure else "the two cannot be told apart"
    words.append(
        f"Over all thresholds {over_all}: AUC {auc.b:.{digits}f} instead of {auc.a:.{digits}f}"
        f"{_evidence(auc, 1, digits)}."
    )
    if at is None:
        return words
    for name, called, threshold in (("A", at.verdicts_a, at.threshold_a), (letter, at.verdicts_b, at.threshold_b)):
        if not ((called == RIGHT) == both.is_attack).any():
            words.append(
                f"{name} calls nothing an attack at its threshold {threshold:.6g}: more than {100 * rule.value:g} % of "
                "the live samples share its highest score."
            )
    dependent = "" if both.units[1] else ", which takes all samples for independent"
    turned = at.counts()
    words.append(
        f"{letter} puts {turned['fixed']:,} wrong verdicts right and {turned['broken']:,} right ones wrong "
        f"(McNemar {p_text(turned['mcnemar_p'])}{dependent})."
    )
    return words


def _species_words(rule: Rule, found: Mapping[str, Difference], counts: Mapping[str, int], letter: str) -> str:
    n_live = counts.get(BONA_FIDE, 0)
    if rule.kind == APCER:
        rejected = found[f"bpcer_at_apcer_{float(rule.value):g}"]
        lead = f"Where each lets at most {100 * rule.value:g} % of every species pass, {letter} rejects "
        return f"{lead}{_change(rejected, n_live, 'of the live samples')}."
    by_name = {name: found[apcer_name(name, rule)] for name in counts if name != BONA_FIDE}
    lead = f"Where each rejects at most {100 * rule.value:g} % of the {n_live:,} live samples, "
    if all(one.difference == 0 for one in by_name.values()):
        return f"{lead}{letter} misses the same share of every attack species as A."
    beyond = clear(found, [apcer_name(name, rule) for name in by_name])
    is_told = {
        name: apcer_name(name, rule) in beyond or (one.p is None and one.difference != 0)
        for name, one in by_name.items()
    }
    by_size = sorted(by_name, key=lambda name: (-abs(by_name[name].difference or 0), name))

    def listed(names: Sequence[str]) -> str:
        told = [f"{name.replace('_', ' ')} {_rates(by_name[name], int(counts[name]))}" for name in names[:MOST_TOLD]]
        more = len(names) - len(told)
        return "; ".join([*told, f"{more} more species"] if more else told)

    fewer = [name for name in by_size if is_told[name] and (by_name[name].difference or 0) < 0]
    more = [name for name in by_size if is_told[name] and (by_name[name].difference or 0) > 0]
    rest = [name for name in by_size if not is_told[name]]
    parts = [f"{letter} misses fewer attacks of {listed(fewer)}"] if fewer else []
    parts += [f"{'but more' if fewer else letter + ' misses more attacks'} of {listed(more)}"] if more else []
    none_told = "there is no clear difference" if not parts else "no clear difference for"
    parts += [f"{none_told}{'' if parts else ':'} {listed(rest)}"] if rest else []
    if any(p is not None and p < 0.05 for p in (by_name[name].p for name in rest)):
        parts[-1] += f" (p is held against 0.05 after Holm's correction for {len(by_name)} species)"
    return f"{lead}{'; '.join(parts)}."


def _change(one: Difference, n: int, of: str) -> str:
    if one.difference == 0:
        return f"the same share {of}, {_percent(one.a, n)}"
    more = "fewer" if (one.difference or 0) < 0 else "more"
    sure = "" if one.p is None or one.p < 0.05 else "; chance may explain it"
    return f"{more} {of}: {_rates(one, n)}{sure}"


def _rates(one: Difference, n: int) -> str:
    return f"{_percent(one.b, n)} instead of {_percent(one.a, n)}{_evidence(one, 100, 0 if n < 1000 else 1)}"


def _percent(share: float | None, n: int) -> str:
    return "–" if share is None else f"{100 * share:.{0 if n < 1000 else 1}f} %"


def _evidence(one: Difference, scale: float, digits: int) -> str:
    """The difference with its interval and p, in brackets; nothing where there is no interval."""
    if one.low is None or one.high is None or one.difference is None:
        return ""
    low, high, middle = (signed(scale * value, digits) for value in (one.low, one.high, one.difference))
    unit = " points" if scale == 100 else ""
    said = "" if one.p is None else f", {p_text(one.p)}"
    return f" ({middle}{unit} [{low} to {high}]{said})"


def metric_words(name: str, rule: Rule = DEFAULT) -> str:
    """A name of the document for people: apcer_max_at_bpcer_0.05 -> APCER of the worst species at BPCER ≤ 5 %."""
    share, value = f"{100 * rule.value:g} %", f"{float(rule.value):g}"
    known = {"roc_auc": "AUC", "average_precision": "Average precision", "eer": "EER"}
    known |= {f"bpcer_at_apcer_{value}": f"BPCER at APCER ≤ {share}"}
    if name in known:
        return known[name]
    if name.startswith("roc_auc_"):
        return f"AUC of {name.removeprefix('roc_auc_').replace('_', ' ')}"
    of = name.removeprefix("apcer_").removesuffix(f"_at_bpcer_{value}")
    words = {"max": "the worst species", "pooled": "all attacks"}.get(of, of.replace("_", " "))
    return f"APCER of {words} at BPCER ≤ {share}"


def signed(value: float, digits: int) -> str:
    """+1.5, −1.5, or 0 without a sign."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if not float(f"{value:.{digits}f}") else text


def p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


# --------------------------------------------------------------------------------------------------------- document


def tested(both: Joined) -> Joined:
    """The common samples outside `train`; all where there are no others."""
    outside = both.only((both.samples["subset"] != "train").to_numpy())
    return outside if len(outside) else both


def document(
    a: System, b: System, rule: Rule = DEFAULT, level: str = FRAME, *, resamples: int = RESAMPLES, letter: str = "B"
) -> dict[str, Any]:
    """The paired comparison as JSON: every metric on the common samples outside `train`; None where undefined.

    `letter`: what its sentences call the Run that is not A.
    Raises BadInputError as `joined` and `matched_rule` do.
    """
    matched_rule(rule)
    both = tested(joined([a, b], level))
    has_both_classes = bool(both.is_attack.any() and (~both.is_attack).any())
    drawn = resampled(both, rule, resamples=resamples) if has_both_classes else None
    found = differences(both, rule, drawn) if len(both) else {}
    units, independent = both.units
    content: dict[str, Any] = {
        "a": a.run.id,
        "b": b.run.id,
        "score": a.score,
        "score_b": b.score,
        "level": level,
        "n_common": len(both),
        "n_only_a": both.n_only[0],
        "n_only_b": both.n_only[1],
        "n_no_response": both.n_no_response,
        "unit": units.name,
        "n_units": codes_of(units.groups)[1],
        "samples_are_independent": independent,
        "resamples": resamples,
        "metrics": {name: one.as_json() for name, one in found.items()},
        "flips": None,
    }
    at = None
    try:
        at = flips(both, thresholds(both, rule))
    except UndefinedMetricError as error:
        content["flips_undefined_because"] = str(error)
    else:
        kinds = both.kinds
        content["flips"] = {
            "at": str(rule),
            "threshold_a": at.threshold_a,
            "threshold_b": at.threshold_b,
            **at.counts(),
            "both_wrong": int(at.both_wrong.sum()),
            "per_kind": {kind: at.counts(kinds == kind) for kind in sorted(set(kinds.tolist()))},
        }
    content["in_words"] = in_words(both, rule, found, at, letter)
    safe: dict[str, Any] = metrics.json_safe(content)
    return safe
