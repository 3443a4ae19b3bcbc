"""Error rates of presentation attack detection as ISO/IEC 30107-3 defines them, and the curves through them.

The conventions, stated once:

- A score is an anomaly score: higher = more attack-like. **A sample is called an attack iff score >= threshold**
  (equality is an attack). +inf and -inf are legal extreme scores. Everything is computed in float64.
- NaN is a non-response: counted, part of no rate, never compared with a threshold. For the fail-closed policy
  (no score = no access) hand in +inf in its place.
- APCER of a species = share of its attacks with score < threshold; the headline `apcer_max` is the worst species.
  `apcer_pooled` takes all attacks together and is a different, smaller number. BPCER = share of bona fide samples
  with score >= threshold. The positive class of ROC, precision and recall is the attack.
- "At most x" allows floor(x N + 1e-9) errors and never interpolates.
- Rates are fractions in [0, 1]. What is undefined raises `UndefinedMetricError`; in dictionaries it is None.

Build a `ScoreSet` once (it sorts), then ask it: one threshold costs a binary search per species.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from fas_core.errors import BadInputError
from fas_core.uncertainty import clopper_pearson, wilson

Floats = NDArray[np.float64]

UNSPECIFIED = "unspecified"  # the species of an attack whose row names none
PRIORS = (0.001, 0.01, 0.05, 0.5)
TARGETS = (0.01, 0.05, 0.1)


class UndefinedMetricError(ValueError):
    """The value asked for does not exist on these scores; the message says which and why."""


# ---------------------------------------------------------------------------------------------------------------------
# The decision and the sorted scores


def is_attack(scores: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """The one decision rule: score >= threshold is an attack. Same shape as `scores`; a NaN anywhere raises."""
    values = np.asarray(scores, dtype=np.float64)
    _check_threshold(threshold)
    if np.isnan(values).any():
        raise BadInputError("a NaN score is a non-response and has no decision: leave it out or replace it beforehand")
    return values >= threshold


@dataclass(frozen=True, eq=False)
class ScoreSet:
    """The scores of one set, sorted once. Read-only float64 arrays in ascending order, without NaN."""

    bona_fide: Floats  # (n_bona_fide,)
    attacks: Mapping[str, Floats]  # species, in order of name -> (n_species,); (0,) if none of its samples has a score
    pooled: Floats  # (n_attack,): the attacks of all species
    n_non_response: Mapping[str, int]  # NaN scores: {"bona_fide", "attack"}

    @property
    def n_bona_fide(self) -> int:
        return self.bona_fide.size

    @property
    def n_attack(self) -> int:
        return self.pooled.size


def score_set(
    scores: ArrayLike, attack: ArrayLike, species: Sequence[str | None] | pd.Series | None = None
) -> ScoreSet:
    """Sorted scores of n samples. The order of the samples has no influence on anything computed from the set.

    `scores`: (n,) numbers. `attack`: (n,) booleans or 0/1, 1 = attack. `species`: (n,) names, looked at for attacks
    only; an empty, missing or not textual one is "unspecified".
    """
    values = _as_scores(scores)
    labels = _as_labels(attack, values.size)
    if species is None:
        return score_set_from_codes(values, labels.astype(np.int32), [UNSPECIFIED])
    if len(species) != values.size:
        raise BadInputError(f"{values.size} scores but {len(species)} species: one per score is needed")
    return score_set_from_codes(values, *species_codes(labels, species))


def score_set_from_codes(scores: ArrayLike, codes: ArrayLike, names: Sequence[str]) -> ScoreSet:
    """`score_set` without a loop over names. `codes`: (n,) integers, 0 = bona fide, k = an attack of names[k - 1]."""
    values, kinds = _as_scores(scores), np.asarray(codes)
    if kinds.shape != values.shape:
        raise BadInputError(f"{values.size} scores but {kinds.size} species codes: one per score is needed")
    if len(set(names)) != len(names):
        raise BadInputError(f"species names must differ from each other, got {list(names)}")
    counts = _code_counts(kinds, len(names))
    answered = ~np.isnan(values)
    missing = kinds[~answered]
    n_missing_bona_fide = int((missing == 0).sum())
    if missing.size:
        values, kinds = values[answered], kinds[answered]
    present = sorted((name, code) for code, name in enumerate(names, start=1) if counts[code])
    attacks = {name: _sorted(values[kinds == code]) for name, code in present}
    pooled = next(iter(attacks.values())) if len(attacks) == 1 else _sorted(values[kinds > 0])
    return ScoreSet(
        bona_fide=_sorted(values[kinds == 0]),
        attacks=attacks,
        pooled=pooled,
        n_non_response={"bona_fide": n_missing_bona_fide, "attack": missing.size - n_missing_bona_fide},
    )


def of_species(scores: ScoreSet, species: str) -> ScoreSet:
    """The bona fide scores with the attacks of one species alone; non-responses are those of the whole set."""
    attacks = scores.attacks[species]
    return ScoreSet(scores.bona_fide, {species: attacks}, attacks, scores.n_non_response)


def _as_scores(scores: ArrayLike) -> Floats:
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"scores must be numbers: {error}") from error
    if values.ndim != 1:
        raise BadInputError(f"scores must be one value per sample, got an array of shape {values.shape}")
    return values


def _as_labels(attack: ArrayLike, n: int) -> NDArray[np.bool_]:
    labels = np.asarray(attack)
    if labels.shape != (n,):
        raise BadInputError(f"{n} scores but labels of shape {labels.shape}: one label per score is needed")
    if labels.dtype != np.bool_:
        wrong = np.flatnonzero(~((labels == 0) | (labels == 1)))
        if wrong.size:
            raise BadInputError(
                f"label {labels[wrong[0]]!r} at position {wrong[0]}: labels are 1 (attack) or 0 (bona fide)"
            )
    return labels.astype(np.bool_)


def _code_counts(codes: NDArray[Any], n_names: int) -> NDArray[np.intp]:
    if codes.size == 0:
        return np.zeros(n_names + 1, dtype=np.intp)
    if codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() > n_names:
        raise BadInputError(f"species codes must be integers from 0 (bona fide) to {n_names}")
    return np.bincount(codes, minlength=n_names + 1)


def species_codes(
    attack: NDArray[np.bool_], species: Sequence[str | None] | pd.Series
) -> tuple[NDArray[np.int32], list[str]]:
    """(n,) 0 = bona fide, k = an attack of species names[k - 1], named as in a `ScoreSet`; a Series is much faster."""
    rows = np.flatnonzero(attack)
    given = species.iloc[rows] if isinstance(species, pd.Series) else np.array([*species, None], dtype=object)[rows]
    of_row, raws = pd.factorize(given)
    of_raw = [_species_name(raw) for raw in raws]
    names = list(dict.fromkeys([*of_raw, UNSPECIFIED]))
    codes = np.zeros(attack.size, np.int32)
    # The last one is that of rows without a name, whose number is -1.
    codes[rows] = np.array([1 + names.index(name) for name in [*of_raw, UNSPECIFIED]], np.int32)[of_row]
    return codes, names


def species_names(attack: NDArray[np.bool_], species: Sequence[str | None] | pd.Series) -> NDArray[np.str_]:
    """(n,) the species of every attack, named as in a `ScoreSet`, and "" for bona fide samples."""
    codes, names = species_codes(attack, species)
    return np.array(["", *names])[codes]


def _species_name(name: object) -> str:
    return name if isinstance(name, str) and name.strip() else UNSPECIFIED


def _sorted(values: Floats) -> Floats:
    ordered = np.sort(values)
    ordered.flags.writeable = False
    return ordered


def _check_threshold(threshold: float) -> None:
    if math.isnan(threshold):
        raise BadInputError("the threshold is NaN: give a number, inf or -inf")


def _require(scores: ScoreSet, metric: str, *, bona_fide: bool = False, attack: bool = False) -> None:
    missing = [
        kind
        for kind, needed, n in (
            ("bona fide sample", bona_fide, scores.n_bona_fide),
            ("attack", attack, scores.n_attack),
        )
        if needed and n == 0
    ]
    if missing:
        raise UndefinedMetricError(f"{metric} is undefined: no {' and no '.join(missing)} with a score")


# ---------------------------------------------------------------------------------------------------------------------
# Rates at one threshold


@dataclass(frozen=True)
class _Errors:
    """Error counts at one threshold. fp: bona fide called attack; fn: species -> attacks called bona fide."""

    fp: int
    fn: Mapping[str, int]

    @property
    def fn_pooled(self) -> int:
        return sum(self.fn.values())


def _n_below(ordered: Floats, threshold: float) -> int:
    """How many of the sorted scores are < threshold, that is not called an attack."""
    return int(np.searchsorted(ordered, threshold, side="left"))


def _errors_at(scores: ScoreSet, threshold: float) -> _Errors:
    _check_threshold(threshold)
    return _Errors(
        fp=scores.n_bona_fide - _n_below(scores.bona_fide, threshold),
        fn={name: _n_below(ordered, threshold) for name, ordered in scores.attacks.items()},
    )


def _apcer_per_species(scores: ScoreSet, errors: _Errors) -> dict[str, float | None]:
    return {name: _ratio(errors.fn[name], ordered.size) for name, ordered in scores.attacks.items()}


def _worst(apcer: Mapping[str, float | None]) -> tuple[str | None, float | None]:
    """The species with the largest APCER (the first by name among equals) and that APCER."""
    defined = {name: rate for name, rate in apcer.items() if rate is not None}
    if not defined:
        return None, None
    name = max(defined, key=defined.__getitem__)
    return name, defined[name]


def _ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def _intervals(errors: int, trials: int) -> dict[str, list[float]] | None:
    if trials == 0:
        return None
    return {
        "clopper_pearson": list(clopper_pearson(errors, trials)),
        "wilson": list(wilson(errors, trials)),
    }


def _counted_intervals(errors: int, trials: int) -> dict[str, Any] | None:
    intervals = _intervals(errors, trials)
    return intervals and {"k": errors, "n": trials, **intervals}


def rates_at(scores: ScoreSet, threshold: float, priors: Iterable[float] = PRIORS) -> dict[str, Any]:
    """Everything about one threshold: one `at_threshold` entry of the document, with the raw float threshold.

    precision = TP/(TP+FP) is None without an alarm. f1 = 2TP/(2TP+FP+FN) is None only when all three are 0.
    acer = (apcer_max + bpcer)/2; hter = (apcer_pooled + bpcer)/2. The intervals are two-sided 95 %.
    """
    errors = _errors_at(scores, threshold)
    n_bona_fide, n_attack = scores.n_bona_fide, scores.n_attack
    fp, fn = errors.fp, errors.fn_pooled
    tp, tn = n_attack - fn, n_bona_fide - fp
    apcer = _apcer_per_species(scores, errors)
    worst, apcer_max = _worst(apcer)
    apcer_pooled, bpcer = _ratio(fn, n_attack), _ratio(fp, n_bona_fide)
    return {
        "threshold": float(threshold),
        "apcer_per_species": apcer,
        "apcer_max": apcer_max,
        "apcer_worst": worst,
        "apcer_pooled": apcer_pooled,
        "bpcer": bpcer,
        "acer": _mean(apcer_max, bpcer),
        "hter": _mean(apcer_pooled, bpcer),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, n_attack),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "counts": {"tp": tp, "fn": fn, "fp": fp, "tn": tn},
        "bpcer_ci95": _intervals(fp, n_bona_fide),
        "apcer_ci95_per_species": {
            name: _counted_intervals(errors.fn[name], ordered.size) for name, ordered in scores.attacks.items()
        },
        "prior_adjusted_precision": {
            str(prior): prior_adjusted_precision(_ratio(tp, n_attack), bpcer, prior) for prior in _as_priors(priors)
        },
    }


def _mean(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else (a + b) / 2


def prior_adjusted_precision(tpr: float | None, fpr: float | None, prior: float) -> float | None:
    """Precision if a share `prior` of all samples were attacks: pi TPR / (pi TPR + (1 - pi) FPR); no alarms: None."""
    if tpr is None or fpr is None or tpr + fpr == 0:
        return None
    return prior * tpr / (prior * tpr + (1 - prior) * fpr)


def _as_priors(priors: Iterable[float]) -> list[float]:
    values = [float(prior) for prior in priors]
    for prior in values:
        if not 0 < prior < 1:
            raise BadInputError(f"a prior is a share of attacks strictly between 0 and 1, got {prior}")
    return values


# ---------------------------------------------------------------------------------------------------------------------
# Metrics over all thresholds


def roc_auc(scores: ScoreSet, species: str | None = None) -> float:
    """P(attack > bona fide) + P(equal)/2 over all pairs (Mann-Whitney), from exact integer counts.

    All attacks, or those of one species, against all bona fide samples. Equals the area under the linear ROC.
    """
    attacks = scores.pooled if species is None else scores.attacks[species]
    _require(scores, "roc_auc", bona_fide=True, attack=True)
    if not attacks.size:
        raise UndefinedMetricError(f"roc_auc is undefined: no attack of species {species!r} with a score")
    below = np.searchsorted(scores.bona_fide, attacks, side="left").sum(dtype=np.int64)
    not_above = np.searchsorted(scores.bona_fide, attacks, side="right").sum(dtype=np.int64)
    return int(below + not_above) / (2 * attacks.size * scores.n_bona_fide)


def average_precision(scores: ScoreSet, prior: float | None = None) -> float:
    """sum (R_n - R_{n-1}) P_n over the distinct thresholds, ties grouped, no interpolation (as scikit-learn has it).

    `prior`: the precision is computed as if that share of all samples were attacks; None takes the share as it is.
    Recall moves only at attack scores, so this is the mean, over attacks, of the precision at the attack's own score.
    """
    _require(scores, "average_precision", bona_fide=True, attack=True)
    return _average_precisions(scores, [None if prior is None else _as_priors([prior])[0]])[0]


def _average_precisions(scores: ScoreSet, priors: Sequence[float | None]) -> list[float]:
    """`average_precision` for several priors: the counts are the same for all of them."""
    attacks, n_attack, n_bona_fide = scores.pooled, scores.n_attack, scores.n_bona_fide
    first_of_ties = np.maximum.accumulate(np.where(_starts(attacks), np.arange(n_attack), 0))
    tp = n_attack - first_of_ties
    fp = n_bona_fide - np.searchsorted(scores.bona_fide, attacks, side="left")
    averages = []
    for prior in priors:
        # With the prior equal to the sampled share the weight is 1.
        weight = 1.0 if prior is None else (1 - prior) / prior * n_attack / n_bona_fide
        averages.append(float(np.mean(tp / (tp + weight * fp))))
    return averages


def _starts(ordered: Floats) -> NDArray[np.bool_]:
    """(n,): whether the value differs from the one before it. The first one does."""
    starts = np.ones(ordered.size, dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    return starts


@dataclass(frozen=True)
class EqualErrorRate:
    """Of bona fide samples against all attacks pooled.

    `value`: where the linearly interpolated ROC crosses BPCER = APCER. `low`, `high`: what the steps around the
    crossing allow. `threshold`: the attainable threshold with the smallest |BPCER - APCER| (its rates need not lie
    within low and high); among equals the smaller sum, then the lower (more secure) threshold.
    """

    value: float
    low: float
    high: float
    threshold: float


def equal_error_rate(scores: ScoreSet) -> EqualErrorRate:
    """BPCER - APCER falls from 1 to -1 as the threshold rises over the distinct scores; its sign change is searched."""
    _require(scores, "eer", bona_fide=True, attack=True)
    n_bona_fide, n_attack = scores.n_bona_fide, scores.n_attack

    def errors(threshold: float) -> tuple[int, int]:
        """BPCER and APCER in units of 1/(n_bona_fide n_attack): integers, so that ties are exact."""
        fp = n_bona_fide - _n_below(scores.bona_fide, threshold)
        return fp * n_attack, _n_below(scores.pooled, threshold) * n_bona_fide

    def is_past(threshold: float) -> bool:
        bpcer, apcer = errors(threshold)
        return bpcer < apcer

    before, after = _neighbours((scores.bona_fide, scores.pooled), is_past)
    pairs = n_bona_fide * n_attack
    bpcer_0, apcer_0 = errors(before)
    bpcer_1, apcer_1 = errors(after) if after is not None else (0, pairs)  # past every score nothing is an attack
    step = (bpcer_0 - apcer_0) / (bpcer_0 - apcer_0 + apcer_1 - bpcer_1)
    candidates = [(abs(bpcer_0 - apcer_0), bpcer_0 + apcer_0, before)]
    if after is not None:
        candidates.append((abs(bpcer_1 - apcer_1), bpcer_1 + apcer_1, after))
    return EqualErrorRate(
        value=(bpcer_0 + step * (bpcer_1 - bpcer_0)) / pairs,
        low=max(apcer_0, bpcer_1) / pairs,
        high=min(apcer_1, bpcer_0) / pairs,
        threshold=min(candidates)[2],
    )


def _neighbours(arrays: Iterable[Floats], is_past: Callable[[float], bool]) -> tuple[float, float | None]:
    """The last value for which `is_past` (False, then True, as values rise) fails, and the first for which it holds."""
    last: list[float] = []
    first: list[float] = []
    for ordered in arrays:
        index = bisect_left(ordered, True, key=is_past)
        last.extend(ordered[:index][-1:].tolist())
        first.extend(ordered[index:][:1].tolist())
    return max(last), min(first, default=None)


# ---------------------------------------------------------------------------------------------------------------------
# "At most": thresholds by order statistics


def _n_allowed(target: float, n: int) -> int:
    """How many errors among n are "at most target": the largest k with k/n <= target, robust to the rounding of x N."""
    if not 0 <= target <= 1:
        raise BadInputError(f"a target error rate must lie between 0 and 1 (for example 0.05), got {target}")
    return math.floor(target * n + 1e-9)


def threshold_at_apcer(scores: ScoreSet, target: float) -> float:
    """The highest threshold with APCER <= target for every species: min over species of sorted_ascending[floor(x n)].

    No higher one qualifies, so no other has a smaller BPCER. +inf for target 1, where any threshold would do.
    """
    _require(scores, "the threshold at an APCER", attack=True)
    present = [ordered for ordered in scores.attacks.values() if ordered.size]
    allowed = [_n_allowed(target, ordered.size) for ordered in present]
    return min(float(ordered[k]) if k < ordered.size else math.inf for ordered, k in zip(present, allowed, strict=True))


def threshold_at_bpcer(scores: ScoreSet, target: float) -> float:
    """The lowest threshold with BPCER <= target, from the bona fide scores alone; -inf for target 1.

    With u = sorted_descending[floor(x n)] a sample is an attack iff score > u, that is score >= nextafter(u, +inf).
    Raises where u is +inf: then too many bona fide samples score +inf, and every threshold calls them attacks.
    """
    above = _bona_fide_limit(scores, target)
    if above == math.inf:
        raise UndefinedMetricError(
            f"no threshold keeps BPCER at or below {target}: more bona fide samples than that have the score +inf"
        )
    return _next_above(above)


def _bona_fide_limit(scores: ScoreSet, target: float) -> float | None:
    """u of `threshold_at_bpcer`: an attack iff score > u. None: everything is an attack."""
    _require(scores, "the threshold at a BPCER", bona_fide=True)
    allowed = _n_allowed(target, scores.n_bona_fide)
    return float(scores.bona_fide[-1 - allowed]) if allowed < scores.n_bona_fide else None


def _next_above(limit: float | None) -> float:
    return -math.inf if limit is None else float(np.nextafter(limit, np.inf))


def bpcer_at_apcer(scores: ScoreSet, target: float) -> dict[str, Any]:
    """The rates at `threshold_at_apcer`: the smallest BPCER for which every species has APCER <= target.

    {"target", "threshold", "bpcer" (None without bona fide samples), "apcer_max", "apcer_pooled", "apcer_per_species"}.
    BPCER10, BPCER20 and BPCER100 of the standard are the targets 1/10, 1/20 and 1/100.
    """
    threshold = threshold_at_apcer(scores, target)
    return _at_target(scores, target, threshold, _errors_at(scores, threshold))


def apcer_at_bpcer(scores: ScoreSet, target: float) -> dict[str, Any]:
    """The rates at `threshold_at_bpcer`: the smallest APCER of every species for which BPCER <= target.

    The same keys as `bpcer_at_apcer`; the APCERs are None (and {}) without attacks. Where no threshold qualifies
    (too many bona fide samples at +inf) this is the closing point of the curves, where nothing is called an attack:
    threshold +inf, BPCER 0, APCER 1. `threshold_at_bpcer` refuses to return that one as a threshold to be applied.
    """
    limit = _bona_fide_limit(scores, target)
    threshold = _next_above(limit)
    if limit == math.inf:
        errors = _Errors(fp=0, fn={name: ordered.size for name, ordered in scores.attacks.items()})
    else:
        errors = _errors_at(scores, threshold)
    return _at_target(scores, target, threshold, errors)


def _at_target(scores: ScoreSet, target: float, threshold: float, errors: _Errors) -> dict[str, Any]:
    apcer = _apcer_per_species(scores, errors)
    return {
        "target": float(target),
        "threshold": threshold,
        "bpcer": _ratio(errors.fp, scores.n_bona_fide),
        "apcer_max": _worst(apcer)[1],
        "apcer_pooled": _ratio(errors.fn_pooled, scores.n_attack),
        "apcer_per_species": apcer,
    }


# ---------------------------------------------------------------------------------------------------------------------
# Curves


@dataclass(frozen=True, eq=False)
class Curves:
    """ROC, precision-recall, DET and APCER per species, on one axis of m thresholds. All arrays are (m,) float64.

    Thresholds ascend over every distinct score; the last is +inf and stands for "nothing is called an attack" (also
    where a score is +inf, so that it then occurs twice). From first to last BPCER falls 1 -> 0 and APCER rises 0 -> 1.
    ROC: x = fpr, y = tpr. Precision-recall: x = recall, y = precision. DET: x = APCER, y = BPCER, both by `probit`.
    """

    thresholds: Floats
    bpcer: Floats
    apcer_pooled: Floats
    apcer: Mapping[str, Floats]  # per species
    tpr: Floats  # of all attacks pooled
    precision: Floats  # NaN at the last point, which has no alarms
    n_bona_fide: int
    n_attack: int

    @property
    def fpr(self) -> Floats:
        return self.bpcer

    @property
    def recall(self) -> Floats:
        return self.tpr

    @property
    def apcer_max(self) -> Floats:
        """(m,): the worst species at each threshold."""
        first, *others = self.apcer.values()
        worst = first.copy()
        for rates in others:
            np.maximum(worst, rates, out=worst)
        return worst


def curves(scores: ScoreSet) -> Curves:
    """All curves in linear time beyond one sort; no point is dropped, a tie is one point. Needs both classes."""
    _require(scores, "a curve", bona_fide=True, attack=True)
    merged = np.sort(np.concatenate([scores.bona_fide, scores.pooled]))
    distinct = merged[_starts(merged)]
    n_bona_fide, n_attack = scores.n_bona_fide, scores.n_attack

    fp = n_bona_fide - _n_below_each(scores.bona_fide, distinct)
    fn = np.zeros_like(fp)
    apcer = {}
    for name, ordered in scores.attacks.items():
        if ordered.size:
            below = _n_below_each(ordered, distinct)
            apcer[name] = below / ordered.size
            fn += below
    tp = n_attack - fn
    precision = np.full(tp.size, np.nan)
    precision[:-1] = tp[:-1] / (tp[:-1] + fp[:-1])  # every threshold but the last has an alarm: its own score
    return Curves(
        thresholds=np.append(distinct, np.inf),
        bpcer=fp / n_bona_fide,
        apcer_pooled=fn / n_attack,
        apcer=apcer,
        tpr=tp / n_attack,
        precision=precision,
        n_bona_fide=n_bona_fide,
        n_attack=n_attack,
    )


def _n_below_each(ordered: Floats, distinct: Floats) -> NDArray[np.intp]:
    """(m + 1,): for each of the m distinct ascending thresholds how many scores are below it; at the end all are.

    `ordered` (n,) ascends and each of its values occurs in `distinct`. The n scores are looked up among the m
    thresholds, not the other way round: all species together then cost one pass over the scores.
    """
    position = np.searchsorted(distinct, ordered, side="left")
    run_lengths = np.diff(position, prepend=-1, append=distinct.size)
    return np.repeat(np.arange(ordered.size + 1), run_lengths)


def thinned(full: Curves, points: int = 2000) -> Curves:
    """At most `points` of the points of the curves, for drawing; the ends stay, all of them if there are few enough.

    For some grid step h, the finest that fits: between two kept neighbours every rate changes by at most h, and its
    probit by at most h of the probit axis, unless they were neighbours before (a jump stays a jump). So the line
    through the kept points is nowhere further than h from the full curve. Precision, which is not monotone, keeps its
    smallest and its largest value between them.
    """
    if full.thresholds.size <= points:
        return full
    # A first guess that is seldom far off: both levels of every rate are crossed once each, with a point on both sides.
    grid = max(1, points // (4 * (len(full.apcer) + 2)))
    kept = _kept_points(full, grid)
    while kept.size > points and grid > 1:
        grid = min(grid - 1, int(grid / 1.2)) or 1
        kept = _kept_points(full, grid)
    if kept.size > points:
        raise ValueError(f"curves of {len(full.apcer)} species cannot be drawn with fewer than {kept.size} points")
    while grid < points and (finer := _kept_points(full, math.ceil(grid * 1.2))).size <= points:
        kept, grid = finer, math.ceil(grid * 1.2)
    return Curves(
        thresholds=full.thresholds[kept],
        bpcer=full.bpcer[kept],
        apcer_pooled=full.apcer_pooled[kept],
        apcer={name: rates[kept] for name, rates in full.apcer.items()},
        tpr=full.tpr[kept],
        precision=full.precision[kept],
        n_bona_fide=full.n_bona_fide,
        n_attack=full.n_attack,
    )


def _kept_points(full: Curves, grid: int) -> NDArray[np.intp]:
    """Indices of both sides of each crossing of `grid` levels per rate, linear and probit, and precision's extremes."""
    m = full.thresholds.size
    edge = ndtri(1 / (2 * max(full.n_bona_fide, full.n_attack)))
    even = np.linspace(0, 1, grid + 1)
    levels = np.concatenate([even, ndtr(edge * (1 - 2 * even))])
    rising = (*full.apcer.values(), full.apcer_pooled, full.bpcer[::-1])
    crossings = [np.searchsorted(rates, levels, side="left") for rates in rising]
    crossings[-1] = m - crossings[-1]  # the falling one, read backwards
    after = np.unique(np.concatenate([np.concatenate(crossings), [1, m - 1]]).clip(1, m - 1))
    ends = np.unique(np.concatenate([after - 1, after]))
    gaps = np.flatnonzero(np.diff(ends) > 1)
    inner = [(int(ends[gap]) + 1, int(ends[gap + 1])) for gap in gaps]
    extremes = [
        low + int(pick(full.precision[low:high]))  # the one NaN is the last point: never inside a gap
        for low, high in inner
        for pick in (np.argmin, np.argmax)
    ]
    return np.unique(np.concatenate([ends, np.array(extremes, dtype=np.intp)]))


def probit(rates: ArrayLike, n: int) -> Floats:
    """Inverse normal distribution function, for a DET axis; rates of n trials are clipped to [1/2n, 1 - 1/2n] first.

    The clipping is for display only: rates of 0 and 1 have no place on the axis. Say so beside the chart.
    """
    if n < 1:
        raise ValueError(f"a rate needs at least one trial, got {n}")
    clipped: Floats = ndtri(np.clip(np.asarray(rates, dtype=np.float64), 1 / (2 * n), 1 - 1 / (2 * n)))
    return clipped


# ---------------------------------------------------------------------------------------------------------------------
# The document


def document(
    scores: ScoreSet,
    *,
    thresholds: Iterable[float] = (),
    max_bpcer: Iterable[float] = TARGETS,
    max_apcer: Iterable[float] = TARGETS,
    priors: Iterable[float] = PRIORS,
) -> dict[str, Any]:
    """All metrics of one set, ready for JSON: infinite numbers as "inf" and "-inf", None where undefined, never NaN.

    `at_threshold` has one entry per given threshold, `apcer_at_bpcer` one per `max_bpcer`, `bpcer_at_apcer` one per
    `max_apcer`. Counts are of samples with a score; the non-responses stand beside them, with their shares bpnrr and
    apnrr of all samples of their kind. A set without any score raises.
    """
    n_bona_fide, n_attack, missing = scores.n_bona_fide, scores.n_attack, scores.n_non_response
    if n_bona_fide + n_attack == 0:
        n_missing = sum(missing.values())
        raise BadInputError(f"there is no score to evaluate: {n_missing} samples, all of them without a score (NaN)")
    shares = _as_priors(priors)
    averages: list[float] | list[None] = [None] * (1 + len(shares))
    if n_bona_fide and n_attack:
        averages = _average_precisions(scores, [None, *shares])
    return json_safe(
        {
            "n_bona_fide": n_bona_fide,
            "n_attack": n_attack,
            "n_per_species": {name: ordered.size for name, ordered in scores.attacks.items()},
            "n_non_response": dict(missing),
            "bpnrr": _ratio(missing["bona_fide"], missing["bona_fide"] + n_bona_fide),
            "apnrr": _ratio(missing["attack"], missing["attack"] + n_attack),
            "roc_auc": _or_none(roc_auc, scores),
            "roc_auc_per_species": {name: _or_none(roc_auc, scores, name) for name in scores.attacks},
            "average_precision": averages[0],
            "prior_adjusted_average_precision": dict(zip(map(str, shares), averages[1:], strict=True)),
            "eer": _or_none(equal_error_rate, scores),
            "at_threshold": [rates_at(scores, threshold, shares) for threshold in thresholds],
            "bpcer_at_apcer": [
                _or_none(bpcer_at_apcer, scores, target) or _undefined_at(scores, target) for target in max_apcer
            ],
            "apcer_at_bpcer": [
                _or_none(apcer_at_bpcer, scores, target) or _undefined_at(scores, target) for target in max_bpcer
            ],
        }
    )


def _or_none(metric: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return metric(*arguments)
    except UndefinedMetricError:
        return None


def _undefined_at(scores: ScoreSet, target: float) -> dict[str, Any]:
    return {
        "target": target,
        "threshold": None,
        "bpcer": None,
        "apcer_max": None,
        "apcer_pooled": None,
        "apcer_per_species": dict.fromkeys(scores.attacks),
    }


def json_safe(value: Any) -> Any:
    """The same value from what JSON knows: "inf" and "-inf", None for NaN, lists for arrays, dicts for dataclasses."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): json_safe(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [json_safe(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
