"""Confidence intervals of rates: of independent trials, and of samples that hang together; DeLong and McNemar.

Frames of one video, or videos of one person, are not independent trials, and a formula that takes them for such gives
intervals that are too narrow. The first part, k errors among n trials as fractions in [0, 1], is for independent trials
only: Clopper-Pearson for claims (it covers at least `level`), Wilson for plots. The second part names the unit, the
subject or the closest to a subject that the data name, and resamples whole units: one rate, or a rate at every
threshold of a grid. What needs both classes (AUC, EER, ...), and differences between models, is in `resampling`.

One rule gives the interval of a rate, for every number of errors. An upper bound at a confidence c is

- Clopper-Pearson's where each of the n samples is a unit of its own;
- else, of G units, the largest of three: the quantile of the rates of resamples of whole units, Clopper-Pearson's as if
  the samples were independent (units that happen to agree prove no more than that), and 1 - (1 - c)^(1/G), which G
  units without a single error still allow. The quantile is at Phi(sqrt(G/(G - 1)) t) instead of c, t being Student's
  quantile at c with G - 1 degrees of freedom: percentiles of few units are too narrow (Hesterberg, The American
  Statistician 2015).

Lower bounds mirror that. An interval at 95 % has 2.5 % on each side; where nobody errs, or everybody, that side is
certain and the other has the whole 5 %. Every part grows with the number of errors and none with the luck of having
none: more errors never give a lower bound. Few units cannot prove a small rate, with or without errors among them: 4
subjects none below 53 %, whether 0 or 11 of their 156 samples are wrong.
"""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, betaincinv, ndtr, ndtri, stdtrit
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]

UNITS = {"subject_id": "subject", "video_id": "video", "session_id": "session", "sample_id": "sample"}
WITHIN = {"video_id": "session_id"}  # numbers of videos often begin anew in every session
RESAMPLES = 2000
_AT_ONCE = 2**17  # numbers of an array of draws or of resampled counts: a megabyte, which a core has near
_DENSE = 0.1  # share of cells with a count from which many resamples are worth their memory
_PRODUCT_DENSE = 0.01  # and from which a product of all cells with many columns is faster than one of these alone
_TOGETHER = 64  # resamples that make such a product worth while
_BLOCK = 2**21  # its cells at once: eight megabytes
_EXACT_IN_FLOAT32 = 2**24


class _Threads:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_asked = 0  # for one only
        self.limits: Any = None


_threads = _Threads()


class Interval(NamedTuple):
    """Both ends included, in the unit of what it is of."""

    low: float
    high: float


def clopper_pearson(errors: int, trials: int, level: float = 0.95) -> Interval:
    """Exact two-sided binomial interval (Clopper and Pearson, Biometrika 1934): beta quantiles, (1 - level)/2 per side.

    0 errors give exactly 0 below and 1 - ((1 - level)/2)^(1/n) above; n errors mirror that.
    """
    _check(errors, trials, level)
    low, high = _beta_quantiles(np.array([errors]), trials, level)
    return Interval(float(low[0]), float(high[0]))


def _beta_quantiles(errors: NDArray[np.int64], trials: int, level: float) -> tuple[Floats, Floats]:
    """Clopper-Pearson of m numbers of errors among the same trials: low (m,), high (m,)."""
    tail = (1 - level) / 2
    # The clipping keeps the arguments legal where the other branch is taken.
    low = np.where(errors == 0, 0.0, betaincinv(np.maximum(errors, 1), trials - errors + 1, tail))
    high = np.where(errors == trials, 1.0, betaincinv(errors + 1, np.maximum(trials - errors, 1), 1 - tail))
    return low, high


def wilson(errors: int, trials: int, level: float = 0.95) -> Interval:
    """Two-sided score interval (Wilson, JASA 1927), without continuity correction."""
    _check(errors, trials, level)
    z = float(ndtri((1 + level) / 2))
    rate = errors / trials
    scale = 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    # At the ends the formula is exactly 0 and 1; floating point is not.
    low = 0.0 if errors == 0 else max(0.0, centre - half)
    high = 1.0 if errors == trials else min(1.0, centre + half)
    return Interval(low, high)


def zero_error_upper_bound(trials: int, level: float = 0.95) -> float:
    """What 0 errors in n trials still allow: the exact one-sided upper bound 1 - (1 - level)^(1/n).

    At 95 % that is close to 3/n, the "rule of 3": 150 attacks without one success only prove APCER < 1.98 %.
    """
    _check(0, trials, level)
    return -math.expm1(math.log1p(-level) / trials)


def _check(errors: int, trials: int, level: float) -> None:
    if trials < 1:
        raise ValueError(f"an interval needs at least one trial, got {trials}")
    if not 0 <= errors <= trials:
        raise ValueError(f"errors must lie between 0 and the number of trials ({trials}), got {errors}")
    _check_level(level)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1 (for example 0.95), got {level}")


# ---------------------------------------------------------------------------------------------------------------------
# Samples that hang together: resampling whole subjects


class Units(NamedTuple):
    """What is drawn as a whole: a "subject", "video", "session" or "sample", and which one each sample is of, (n,)."""

    name: str
    groups: NDArray[Any]

    def of(self, rows: ArrayLike) -> "Units":
        """Of some of the samples: a mask (n,) or row numbers."""
        return Units(self.name, self.groups[np.asarray(rows)])


def unit_of(rows: pd.DataFrame) -> Units:
    """By the first of subject_id, video_id and session_id that all n samples have; else every sample by itself.

    A column that is empty in a single row is passed over: the unnamed samples might be of anybody. A video is its id
    within its session; subjects that are not named for all cannot keep sessions of the same name apart.
    """
    for column, name in UNITS.items():
        if column in rows and all(not pd.isna(name) and str(name).strip() for name in rows[column].unique()):
            outer = WITHIN.get(column)
            if outer in rows:
                of_pair = rows.groupby([outer, column], dropna=False, observed=True).ngroup().to_numpy()
                if of_pair.max(initial=-1) + 1 > rows[column].nunique():
                    return Units(name, of_pair)
            return Units(name, rows[column].to_numpy())
    return Units("sample", np.arange(len(rows)))


@dataclass(frozen=True)
class UnitInterval:
    """`low` to `high`, from samples of `n_units` units named as in `Units`, and by which method.

    "clopper_pearson": each sample is a unit of its own, so that they are independent trials. "bootstrap": from
    `resamples` resamples of whole units. "rule_of_three": all samples are alike, as they are where nobody errs, or all
    resamples agree, and a width of 0 would be a lie. Then: had more than a share `zero_error_upper_bound(n_units)` of
    the population been unlike all units seen, one of them would have been seen (level one-sided). The interval runs
    from all of that share at the smallest value there is to all of it at the largest: for 0 errors from 0 to the bound.
    """

    low: float
    high: float
    unit: str
    n_units: int
    method: str
    resamples: int  # 0 where none were needed


@dataclass(frozen=True)
class RateInterval(UnitInterval):
    """Of a rate, with its one-sided upper bound at the same level: by how much a limit can be said to hold.

    It is `high` where nobody errs, and a little below it elsewhere. None only on cards of before there was one.
    """

    upper: float | None = None


def rate_interval(
    is_error: ArrayLike, units: Units, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> RateInterval | None:
    """Of the share of errors among n samples, (n,) booleans, by the one rule that the module states.

    APCER and BPCER at a threshold that is frozen. The rate of a resample is a ratio of sums: errors of all samples
    drawn over samples drawn. None without samples, and where all are of one unit, which says nothing about others.
    A missing score is no trial: leave it out on both sides, `rate_interval(scores[answered] >= t, units.of(answered))`.
    Raises ValueError for an impossible level, and where the lengths differ.
    """
    errors = np.asarray(is_error, np.bool_)
    _check_units(errors, units, level)
    codes, n_units = codes_of(units.groups)
    counts = np.bincount(codes, errors, n_units)[None]
    bounds = _share_bounds(counts, np.bincount(codes, minlength=n_units), level, resamples, seed)
    if bounds is None:
        return None
    method = "clopper_pearson" if n_units == errors.size else "bootstrap"
    if errors.all() or not errors.any():
        method = "rule_of_three"
    low, high, upper = (float(of_rate[0]) for of_rate in bounds)
    return RateInterval(low, high, units.name, n_units, method, resamples if method == "bootstrap" else 0, upper)


def rate_bands(
    scores: ArrayLike,
    units: Units,
    grid: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Floats, Floats] | None:
    """Low (m,) and high (m,) of the share of scores >= t for each of m ascending thresholds t: `rate_interval` of each.

    `scores`: (n,), NaN left out. For bona fide scores that is BPCER. APCER, the share below t, has the mirrored band
    (1 - high, 1 - low). It holds for one threshold at a time, not for the whole curve at once. None as `rate_interval`.
    """
    bounds = _bounds_at(scores, units, grid, level, resamples, seed)
    return None if bounds is None else bounds[:2]


def upper_bounds(
    scores: ArrayLike,
    units: Units,
    grid: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats | None:
    """(m,) the one-sided upper bound, `RateInterval.upper`, of the share of scores >= t for m ascending thresholds t.

    It never rises with t, so that thresholds can be searched by halves. `scores` and None as in `rate_bands`.
    """
    bounds = _bounds_at(scores, units, grid, level, resamples, seed)
    return None if bounds is None else bounds[2]


def _bounds_at(
    scores: ArrayLike, units: Units, grid: ArrayLike, level: float, resamples: int, seed: int
) -> tuple[Floats, Floats, Floats] | None:
    """`_share_bounds` of the share of scores >= t for each threshold of a grid."""
    values, thresholds = np.asarray(scores, np.float64), np.asarray(grid, np.float64)
    _check_units(values, units, level)
    if thresholds.ndim != 1 or np.isnan(thresholds).any() or (thresholds[1:] < thresholds[:-1]).any():
        raise ValueError("the thresholds of a band must be one ascending row of numbers")
    answered = ~np.isnan(values)
    # Of how many thresholds a score is at or above: threshold j counts those of more than j.
    reached = np.searchsorted(thresholds, values[answered], side="right")
    codes, n_units = codes_of(units.groups[answered])
    counts = sparse_counts(reached, codes, (thresholds.size + 1, n_units))[1:] if n_units else np.empty((0, 0))
    return _share_bounds(counts, np.bincount(codes, minlength=n_units), level, resamples, seed)


def _share_bounds(
    counts: Any, trials: NDArray[np.intp], level: float, resamples: int, seed: int
) -> tuple[Floats, Floats, Floats] | None:
    """Row j of `counts` (m, units): errors that are in rows j.. of the m rates; -> low, high, upper, (m,) each.

    By the one rule of the module; None where fewer than two units were tried.
    """
    n_units, n = len(trials), int(trials.sum())
    if n_units < 2 and n != 1:
        return None
    errors = np.asarray(counts.sum(axis=1), np.int64)[::-1].cumsum()[::-1]
    both = (1 + level) / 2
    low, high = _beta_quantiles(errors, n, level)
    upper = _beta_quantiles(errors, n, 2 * level - 1)[1]
    if n_units < n:
        if ((errors > 0) & (errors < n)).any():
            rates = _resampled_rates(counts, trials, resamples, seed)
            at_both, at_level = expanded(both, n_units), expanded(level, n_units)
            drawn = np.quantile(rates, [1 - at_both, at_both, at_level], axis=1)
            low, high, upper = np.minimum(low, drawn[0]), np.maximum(high, drawn[1]), np.maximum(upper, drawn[2])
        unseen = zero_error_upper_bound(n_units, both)
        low, high = np.minimum(low, 1 - unseen), np.maximum(high, unseen)
        upper = np.maximum(upper, zero_error_upper_bound(n_units, level))
    one_sided = zero_error_upper_bound(n_units, level)
    low = np.where(errors == 0, 0.0, np.where(errors == n, 1 - one_sided, low))
    high = np.where(errors == n, 1.0, np.where(errors == 0, one_sided, high))
    return low, high, np.where(errors == n, 1.0, upper)


def expanded(confidence: float, n_units: int) -> float:
    """Where to read the percentile of resamples of few units, so that about as many as `confidence` lie below it."""
    student = stdtrit(n_units - 1, confidence)
    return float(ndtr(math.sqrt(n_units / (n_units - 1)) * student))


def _resampled_rates(counts: Any, trials: NDArray[np.intp], resamples: int, seed: int) -> Floats:
    """(m, resamples) rates of resamples of whole units, `counts` as in `_share_bounds`.

    A matrix of how often each unit is drawn turns the counts into those of all resamples at once.
    """
    m, n_units = counts.shape
    if m == 1 and n_units * int(trials.max()) < 2**31:
        errors = counts.toarray() if hasattr(counts, "toarray") else np.asarray(counts)
        return _resampled_rate(errors[0].astype(np.int64), trials, resamples, seed)[None]
    rates = np.empty((m, resamples))
    start = 0
    for weights in draws([np.arange(n_units)], n_units, resamples, seed, width_of([counts], max(m, n_units))):
        errors = product(counts, weights)[::-1].cumsum(axis=0)[::-1]
        rates[:, start : start + weights.shape[1]] = errors / (trials @ weights)
        start += weights.shape[1]
    return rates


def _resampled_rate(errors: NDArray[np.int64], trials: NDArray[np.intp], resamples: int, seed: int) -> Floats:
    """(resamples,) as `_resampled_rates` of one rate, on the draws of `draws`, summed as they are drawn: both sums in
    one number."""
    both, rng = (trials.astype(np.int64) << 32) + errors, np.random.default_rng([seed, 0])
    sums, at_once = np.empty(resamples, np.int64), max(1, _AT_ONCE // trials.size)
    for start in range(0, resamples, at_once):
        r = min(at_once, resamples - start)
        sums[start : start + r] = both[rng.integers(trials.size, size=(r, trials.size))].sum(axis=1)
    return (sums & (2**32 - 1)) / (sums >> 32)


def percentiles(
    of_resamples: Floats, n_units: int, level: float, smallest: float = 0.0, largest: float = 1.0
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Values (m, resamples) without NaN -> low (m,), high (m,), and whether the resamples agree, (m,) booleans.

    Where they do, the interval is the one that `UnitInterval` explains under "rule_of_three".
    """
    low, high = np.quantile(of_resamples, [(1 - level) / 2, (1 + level) / 2], axis=1)
    agree = low == high
    unseen = zero_error_upper_bound(n_units, level)
    low[agree] -= unseen * (low[agree] - smallest)
    high[agree] += unseen * (largest - high[agree])
    return low, high, agree


def draws(
    strata: Sequence[NDArray[np.intp]], n_units: int, resamples: int, seed: int, width: int = 1
) -> Iterator[Floats]:
    """How often each of n units occurs in each of `resamples` bootstrap resamples, as arrays (n, r) one after another.

    From each stratum (the numbers of some units; together all n) as many units as it has are drawn with replacement.
    `width`: how many numbers the caller will keep per resample; r is such that they fit in memory, and changes nothing.
    """
    generators = [np.random.default_rng([seed, stratum]) for stratum in range(len(strata))]
    at_once = max(1, _AT_ONCE // max(width, 1))
    for start in range(0, resamples, at_once):
        r = min(at_once, resamples - start)
        weights = np.empty((n_units, r))
        for members, rng in zip(strata, generators, strict=True):
            drawn = rng.integers(members.size, size=(r, members.size))
            drawn += members.size * np.arange(r)[:, None]
            weights[members] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).T
        yield weights


def codes_of(groups: NDArray[Any]) -> tuple[NDArray[np.intp], int]:
    """(n,) numbers 0, 1, ... of the n samples' units in order of name, and how many units there are."""
    codes, names = pd.factorize(groups, sort=True, use_na_sentinel=False)
    return codes, len(names)


def width_of(counts: Sequence[Any], width: int) -> int:
    """The `width` of `draws` for the `product` of their arrays with such counts: that of many resamples together where
    many cells have one."""
    return _AT_ONCE // _TOGETHER if any(_share(each) > _DENSE for each in counts) else width


def product(counts: Any, weights: Floats) -> Floats:
    """`counts @ weights`, (rows, units) @ (units, r), of whole numbers: exact, and fast however many cells have one."""
    if _share(counts) <= _PRODUCT_DENSE + 1 / max(weights.shape[1], 1):  # to fill in zeros must be worth it
        return np.asarray(counts @ weights)
    is_small = float(counts.sum(axis=1).max()) * float(weights.max()) < _EXACT_IN_FLOAT32
    kind = np.float32 if is_small else np.float64
    factors, (m, n_units) = weights.astype(kind), counts.shape
    sums = np.empty((m, weights.shape[1]))
    at_once = max(1, _BLOCK // n_units)
    for start in range(0, m, at_once):
        here = slice(start, start + at_once)
        sums[here] = counts[here].astype(kind).toarray() @ factors
    return sums


@contextmanager
def one_thread() -> Iterator[None]:
    """Products in one thread: enough for any Run, the same bytes however many cores there are, and where those are
    busy, threads that wait for each other make small products and eigenvectors up to a hundred times slower."""
    # The number of threads is the whole process's: who comes first sets it, who leaves last sets it back.
    with _threads.lock:
        _threads.n_asked += 1
        if _threads.n_asked == 1:
            _threads.limits = threadpool_limits(1, "blas")
    try:
        yield
    finally:
        with _threads.lock:
            _threads.n_asked -= 1
            if not _threads.n_asked:
                _threads.limits.restore_original_limits()


def _share(counts: Any) -> float:
    """Of cells that have a count; 0 where they are in an array that is no sparse one."""
    cells = counts.shape[0] * counts.shape[1]
    return counts.nnz / cells if cells and hasattr(counts, "nnz") else 0.0


def sparse_counts(rows: NDArray[np.integer], columns: NDArray[np.integer], shape: tuple[int, int]) -> Any:
    """How many samples are in each cell, as a sparse array: most cells are empty, often."""
    from scipy.sparse import csr_array

    if rows.size < shape[0] * shape[1]:
        return csr_array((np.ones(rows.size), (rows, columns)), shape=shape)
    cells = rows.astype(np.intp, copy=False) * shape[1] + columns
    counts = np.bincount(cells, minlength=shape[0] * shape[1])  # less memory, of many samples
    return csr_array(counts.reshape(shape).astype(np.float64))


def _check_units(values: NDArray[Any], units: Units, level: float) -> None:
    if values.ndim != 1 or values.shape != units.groups.shape:
        raise ValueError(f"values of shape {values.shape} but units of shape {units.groups.shape}: one per sample")
    _check_level(level)


# ---------------------------------------------------------------------------------------------------------------------
# Two models on the same independent samples


def delong(values: Sequence[ArrayLike], is_attack: ArrayLike) -> tuple[Floats, Floats]:
    """AUCs (s,) of s scores of the same n independent samples, and their covariance (s, s); O(s n log n).

    DeLong, DeLong and Clarke-Pearson, Biometrics 1988, by sorting as Sun and Xu, IEEE Signal Processing Letters 2014.
    The variance of a difference of two AUCs is v[0, 0] + v[1, 1] - 2 v[0, 1] on the same samples (paired), and the sum
    of the two variances on different ones. Samples must be independent: where subjects repeat, use `resampling`.
    Raises ValueError for fewer than two samples of a class, or a missing score.
    """
    attack = np.asarray(is_attack, np.bool_)
    scores = np.asarray(values, np.float64)
    if min(attack.sum(), (~attack).sum()) < 2 or np.isnan(scores).any():
        raise ValueError("a variance needs two bona fide samples and two attacks at least, and a score of every sample")
    wins_of_attacks = np.stack([_shares_below(score[attack], np.sort(score[~attack])) for score in scores])
    losses_of_bona_fide = np.stack([_shares_below(score[~attack], np.sort(score[attack])) for score in scores])
    covariance = sum(
        np.atleast_2d(np.cov(shares)) / shares.shape[1] for shares in (wins_of_attacks, losses_of_bona_fide)
    )
    return wins_of_attacks.mean(1), np.asarray(covariance)


def auc_margin(scores: ArrayLike, is_attack: ArrayLike, units: Units, *, level: float = 0.95) -> float:
    """Half the interval of the AUC of n scores without NaN, (n,), whose samples hang together in units; O(n log n).

    The variance is DeLong's with the placements summed by unit, so that a unit may hold both classes (Obuchowski,
    Biometrics 1997). Departures: the quantile is Student's, of one unit less than the class of fewer units has, as its
    G/(G - 1) there; with that few subjects who are all attacks do not pass for many. Where all placements agree, as in
    an AUC of 1, it is the bound of `UnitInterval`'s rule of three. Infinite where a class has fewer than two units.
    """
    attack, values = np.asarray(is_attack, np.bool_), np.asarray(scores, np.float64)
    _check_units(values, units, level)
    codes, n_units = codes_of(units.groups)
    fewest, off = n_units, np.zeros(n_units)
    for mine, sign in ((attack, 1), (~attack, -1)):  # what helps an attack hurts a bona fide sample
        n_mine = np.unique(codes[mine]).size
        if n_mine < 2:
            return math.inf
        shares = _shares_below(values[mine], np.sort(values[~mine]))
        sums = np.bincount(codes[mine], shares - shares.mean(), n_units)
        off += sign * math.sqrt(n_mine / (n_mine - 1)) * sums / shares.size
        fewest = min(fewest, n_mine)
    error = math.sqrt(float(off @ off))
    return float(stdtrit(fewest - 1, (1 + level) / 2)) * error if error else zero_error_upper_bound(fewest, level)


def _shares_below(values: Floats, ordered: Floats) -> Floats:
    """(n,) share of the sorted scores below each value, equal ones half."""
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return below / (2 * ordered.size)


def mcnemar(only_a_wrong: int, only_b_wrong: int) -> float:
    """p of "both err equally often", from the samples that only one of two models decides wrongly (McNemar, 1947).

    Exact and two-sided: each discordant sample is a toss of a coin. 1 where there is none. Samples must be independent:
    where subjects repeat, use the interval of the difference of two error rates by `resampling`.
    """
    if min(only_a_wrong, only_b_wrong) < 0:
        raise ValueError(f"numbers of samples cannot be negative, got {only_a_wrong} and {only_b_wrong}")
    return min(1.0, 2 * float(bdtr(min(only_a_wrong, only_b_wrong), only_a_wrong + only_b_wrong, 0.5)))


_EXACT_REACH = 4_000  # the largest sum of changes whose distribution is computed, not approximated


def swap_p(changes: ArrayLike) -> float:
    """p of "A and B err alike" where units repeat: `mcnemar` for whole units, whose verdicts A and B might swap.

    `changes`: (u,) wrong verdicts of B less those of A in each unit. Two-sided: the share of all ways to swap A and B
    within some of the units that change the sum as much. Where no unit has a change beyond 1 that is McNemar's test.
    Exact, by inverting the characteristic function prod cos(t |change|); of large sums by their normal limit. Never
    below what as many tosses can say: 2^(1 - units with a change).
    """
    of_units = np.asarray(changes, np.int64)
    sizes, counts = np.unique(np.abs(of_units[of_units != 0]), return_counts=True)
    total = abs(int(of_units.sum()))
    if not total:
        return 1.0
    if sizes[-1] == 1:
        return mcnemar(int((of_units < 0).sum()), int((of_units > 0).sum()))
    reach = int(sizes @ counts)
    if reach > _EXACT_REACH:
        p = 2 * float(ndtr(-total / math.sqrt(float(np.square(sizes) @ counts))))
    else:
        angles = 2 * np.pi * np.arange(2 * reach + 1) / (2 * reach + 1)
        characteristic = np.prod(np.cos(np.outer(sizes, angles)) ** counts[:, None], axis=0)
        mass = np.fft.fft(characteristic).real / characteristic.size  # of each sum from 0 to reach, then the negative
        p = 2 * float(mass[total : reach + 1].sum())
    return min(1.0, max(p, 2.0 ** (1 - int(counts.sum()))))


def holm(p: ArrayLike) -> Floats:
    """(m,) p values that hold together (Holm, Scandinavian Journal of Statistics 1979): the k-th smallest of m times
    m + 1 - k, at least the one before it, at most 1."""
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    corrected = np.empty(values.size)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1)))
    return corrected


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """(m,) p values of which those below a level are false in at most that share, on average (Benjamini and Hochberg,
    Journal of the Royal Statistical Society B 1995): the k-th smallest of m times m / k, at most the one after it.

    That holds where the p are independent, or one-sided and of statistics that are correlated positively if at all
    (Benjamini and Yekutieli, Annals of Statistics 2001, section 3.1). Where nothing differs it bounds the chance of
    any false one.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(-values, kind="stable")
    corrected = np.empty(values.size)
    by_rank = values[order] * values.size / np.arange(values.size, 0, -1)
    corrected[order] = np.minimum(1.0, np.minimum.accumulate(by_rank))
    return corrected
