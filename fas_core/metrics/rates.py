"""APCER and BPCER at a threshold and at a target, by the conventions of `fas_core.metrics`; undefined is None."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.metrics.decision import check_threshold, n_below
from fas_core.metrics.scoreset import ScoreSet, UndefinedMetricError, ratio, require
from fas_core.metrics.uncertainty import Interval, clopper_pearson, wilson

PRIORS = (0.001, 0.01, 0.05, 0.5)
TARGETS = (0.01, 0.05, 0.1)


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


def _errors_at(scores: ScoreSet, threshold: float) -> _Errors:
    check_threshold(threshold)
    return _Errors(
        fp=scores.n_bona_fide - n_below(scores.bona_fide, threshold),
        fn={name: n_below(ordered, threshold) for name, ordered in scores.attacks.items()},
    )


def _apcer_per_species(scores: ScoreSet, errors: _Errors) -> dict[str, float | None]:
    return {name: ratio(errors.fn[name], ordered.size) for name, ordered in scores.attacks.items()}


def _worst(apcer: Mapping[str, float | None]) -> tuple[str | None, float | None]:
    """The species with the largest APCER (the first by name among equals) and that APCER."""
    defined = {name: rate for name, rate in apcer.items() if rate is not None}
    if not defined:
        return None, None
    name = max(defined, key=defined.__getitem__)
    return name, defined[name]


@dataclass(frozen=True)
class Counts:
    """Of decisions; the attack is the positive class."""

    tp: int
    fn: int
    fp: int
    tn: int


@dataclass(frozen=True)
class Intervals:
    """Two-sided 95 % intervals of a rate."""

    clopper_pearson: Interval
    wilson: Interval


@dataclass(frozen=True)
class SpeciesIntervals:
    """Those of the APCER of a species: `k` errors of `n` attacks."""

    k: int
    n: int
    clopper_pearson: Interval
    wilson: Interval


@dataclass(frozen=True)
class Rates:
    """Everything about one threshold; None where undefined."""

    threshold: float
    apcer_per_species: Mapping[str, float | None]
    apcer_max: float | None
    apcer_worst: str | None  # the species with the largest APCER, the first by name among equals
    apcer_pooled: float | None
    bpcer: float | None
    acer: float | None  # (apcer_max + bpcer) / 2
    hter: float | None  # (apcer_pooled + bpcer) / 2
    precision: float | None  # TP / (TP + FP): None without an alarm
    recall: float | None
    f1: float | None  # 2 TP / (2 TP + FP + FN): None only where all three are 0
    counts: Counts
    bpcer_ci95: Intervals | None
    apcer_ci95_per_species: Mapping[str, SpeciesIntervals | None]
    prior_adjusted_precision: Mapping[str, float | None]  # by the prior, as text

    def as_json(self) -> Json:
        """An `at_threshold` entry of the document, with the raw float threshold."""
        return asdict(self)


def _intervals(errors: int, trials: int) -> Intervals | None:
    return Intervals(clopper_pearson(errors, trials), wilson(errors, trials)) if trials else None


def _species_intervals(errors: int, trials: int) -> SpeciesIntervals | None:
    if trials == 0:
        return None
    return SpeciesIntervals(errors, trials, clopper_pearson(errors, trials), wilson(errors, trials))


def rates_at(scores: ScoreSet, threshold: float, priors: Iterable[float] = PRIORS) -> Rates:
    """Everything about one threshold, with precisions adjusted to `priors`."""
    errors = _errors_at(scores, threshold)
    n_bona_fide, n_attack = scores.n_bona_fide, scores.n_attack
    fp, fn = errors.fp, errors.fn_pooled
    tp, tn = n_attack - fn, n_bona_fide - fp
    apcer = _apcer_per_species(scores, errors)
    worst, apcer_max = _worst(apcer)
    apcer_pooled, bpcer, recall = ratio(fn, n_attack), ratio(fp, n_bona_fide), ratio(tp, n_attack)
    return Rates(
        threshold=float(threshold),
        apcer_per_species=apcer,
        apcer_max=apcer_max,
        apcer_worst=worst,
        apcer_pooled=apcer_pooled,
        bpcer=bpcer,
        acer=_mean(apcer_max, bpcer),
        hter=_mean(apcer_pooled, bpcer),
        precision=ratio(tp, tp + fp),
        recall=recall,
        f1=ratio(2 * tp, 2 * tp + fp + fn),
        counts=Counts(tp, fn, fp, tn),
        bpcer_ci95=_intervals(fp, n_bona_fide),
        apcer_ci95_per_species={
            name: _species_intervals(errors.fn[name], ordered.size) for name, ordered in scores.attacks.items()
        },
        prior_adjusted_precision={
            str(prior): prior_adjusted_precision(recall, bpcer, prior) for prior in as_priors(priors)
        },
    )


def _mean(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else (a + b) / 2


def prior_adjusted_precision(tpr: float | None, fpr: float | None, prior: float) -> float | None:
    """Precision if a share `prior` of all samples were attacks: pi TPR / (pi TPR + (1 - pi) FPR); no alarms: None."""
    if tpr is None or fpr is None or tpr + fpr == 0:
        return None
    return prior * tpr / (prior * tpr + (1 - prior) * fpr)


def as_priors(priors: Iterable[float]) -> list[float]:
    """As floats. Raises BadInputError where one is not strictly between 0 and 1."""
    values = [float(prior) for prior in priors]
    for prior in values:
        if not 0 < prior < 1:
            raise BadInputError(f"a prior is a share of attacks strictly between 0 and 1 (0.01 for 1 %), got {prior}")
    return values


# ---------------------------------------------------------------------------------------------------------------------
# "At most": thresholds by order statistics


def _n_allowed(target: float, n: int) -> int:
    """How many errors among n are "at most target": the largest k with k/n <= target, robust to the rounding of x N."""
    if not 0 <= target <= 1:
        raise BadInputError(f"a target error rate is a share between 0 and 1 (0.05 for 5 %), got {target}")
    return math.floor(target * n + 1e-9)


def threshold_at_apcer(scores: ScoreSet, target: float) -> float:
    """The highest threshold with APCER <= target for every species: min over species of sorted_ascending[floor(x n)].

    No higher one qualifies, so no other has a smaller BPCER. +inf for target 1, where any threshold would do.
    """
    require(scores, "the threshold at an APCER", attack=True)
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
    require(scores, "the threshold at a BPCER", bona_fide=True)
    allowed = _n_allowed(target, scores.n_bona_fide)
    return float(scores.bona_fide[-1 - allowed]) if allowed < scores.n_bona_fide else None


def _next_above(limit: float | None) -> float:
    return -math.inf if limit is None else math.nextafter(limit, math.inf)


@dataclass(frozen=True)
class RatesAtTarget:
    """At the threshold that a target allows: one of the other kind of error. None where undefined."""

    target: float
    threshold: float | None
    bpcer: float | None
    apcer_max: float | None
    apcer_pooled: float | None
    apcer_per_species: Mapping[str, float | None]


def bpcer_at_apcer(scores: ScoreSet, target: float) -> RatesAtTarget:
    """The rates at `threshold_at_apcer`: the smallest BPCER for which every species has APCER <= target.

    BPCER is None without bona fide samples. BPCER10, BPCER20 and BPCER100 of the standard are the targets 1/10, 1/20
    and 1/100.
    """
    threshold = threshold_at_apcer(scores, target)
    return _at_target(scores, target, threshold, _errors_at(scores, threshold))


def apcer_at_bpcer(scores: ScoreSet, target: float) -> RatesAtTarget:
    """The rates at `threshold_at_bpcer`: the smallest APCER of every species for which BPCER <= target.

    The APCERs are None (and {}) without attacks. Where no threshold qualifies
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


def _at_target(scores: ScoreSet, target: float, threshold: float, errors: _Errors) -> RatesAtTarget:
    apcer = _apcer_per_species(scores, errors)
    return RatesAtTarget(
        target=float(target),
        threshold=threshold,
        bpcer=ratio(errors.fp, scores.n_bona_fide),
        apcer_max=_worst(apcer)[1],
        apcer_pooled=ratio(errors.fn_pooled, scores.n_attack),
        apcer_per_species=apcer,
    )
