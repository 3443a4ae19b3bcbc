"""Confidence intervals: for an error rate of independent trials, and for an AUC whose samples hang together.

Frames of one video, or videos of one person, are not independent trials, and a formula that takes them for such gives
intervals that are too narrow. The first half, k errors among n trials as fractions in [0, 1], is for independent trials
only: Clopper-Pearson for claims (it covers at least `level`), Wilson for plots. The second half resamples whole
subjects, or the closest to a subject that the data name.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri

Floats = NDArray[np.float64]

UNITS = {"subject_id": "subject", "video_id": "video", "session_id": "session", "sample_id": "image"}
RESAMPLES = 2000
QUANTILES = 8192  # beyond twice as many distinct scores, scores between two neighbouring quantiles count as equal
_AT_ONCE = 2**17  # numbers of a histogram array: what fits in a processor's cache


class Interval(NamedTuple):
    low: float
    high: float


def clopper_pearson(errors: int, trials: int, level: float = 0.95) -> Interval:
    """Exact two-sided binomial interval (Clopper and Pearson, Biometrika 1934): beta quantiles, (1 - level)/2 per side.

    0 errors give exactly 0 below and 1 - ((1 - level)/2)^(1/n) above; n errors mirror that.
    """
    _check(errors, trials, level)
    tail = (1 - level) / 2
    low = 0.0 if errors == 0 else float(betaincinv(errors, trials - errors + 1, tail))
    high = 1.0 if errors == trials else float(betaincinv(errors + 1, trials - errors, 1 - tail))
    return Interval(low, high)


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
    """What is drawn as a whole: a "subject", "video", "session" or "image", and which one each sample is of, (n,)."""

    name: str
    groups: NDArray[Any]


def unit_of(rows: pd.DataFrame) -> Units:
    """By the first of subject_id, video_id and session_id that all n samples have; else every sample by itself.

    A column that is empty in a single row is passed over: the unnamed samples might be of anybody.
    """
    for column, name in UNITS.items():
        if column in rows and (rows[column].notna() & (rows[column].astype("str").str.strip() != "")).all():
            return Units(name, rows[column].to_numpy())
    return Units("image", np.arange(len(rows)))


@dataclass(frozen=True)
class BootstrapInterval:
    """`low` to `high`, by `resamples` resamples that have both classes, of `n_groups` units named as in `Units`."""

    low: float
    high: float
    unit: str
    n_groups: int
    resamples: int
    seed: int


def auc_intervals(
    values: Sequence[ArrayLike],
    is_attack: ArrayLike,
    units: Units,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> list[BootstrapInterval | None]:
    """Percentile intervals of the AUC (attack > bona fide, equal ones half) of s scores of the same n samples.

    `values`: s times (n,), NaN where a score is missing; see `resampled_aucs` for what is drawn. None where fewer than
    two units have a bona fide sample with a score, or fewer than two an attack: one subject says nothing about others.
    None also where all resamples agree, as they do at an AUC of 1: what is not known has no interval of width 0.
    Few units make them too narrow: simulated, about 82 % held the true AUC with 5 subjects, 89 % with 10, 93 % with 50.
    """
    _check_level(level)
    attack, codes = np.asarray(is_attack, np.bool_), np.unique(units.groups, return_inverse=True)[1]
    sizes = []  # per score: units with any sample, with an attack, with a bona fide sample
    for score in values:
        answered = ~np.isnan(np.asarray(score, np.float64))
        sizes.append([np.unique(codes[answered & kind]).size for kind in (True, attack, ~attack)])
    found: list[BootstrapInterval | None] = [None] * len(sizes)
    usable = [i for i, (_, *of_each_class) in enumerate(sizes) if min(of_each_class) >= 2]
    aucs = resampled_aucs([values[i] for i in usable], attack, codes, resamples=resamples, seed=seed)
    for i, of_score in zip(usable, aucs, strict=True):
        defined = of_score[~np.isnan(of_score)]
        low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]).tolist()
        if low < high:
            found[i] = BootstrapInterval(low, high, units.name, sizes[i][0], defined.size, seed)
    return found


def resampled_aucs(
    values: Sequence[ArrayLike],
    is_attack: ArrayLike,
    groups: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """The AUC of s scores on bootstrap resamples of whole groups: s times (n,) values -> (s, resamples).

    A drawn group brings all its samples, bona fide and attacks. Groups are drawn with replacement among those that
    have the same classes (bona fide only, attacks only, both), as many as there are: so no resample lacks a class, and
    a group that is the only one of its kind is in all of them.
    All scores see the same draws, which makes differences between scores paired. A missing score (NaN) is left out;
    if that empties a class of a resample, its AUC is NaN. The order of the samples has no influence. (Field, C. A. and
    Welsh, A. H.: Bootstrapping clustered data, J. R. Stat. Soc. B 69, 2007.)

    Each draw is a vector of how often every group occurs. Its product with the groups' counts of scores per bin gives
    the histograms of the resample, from which any rate or area follows without sorting again. A bin is a distinct
    score, so the AUCs are exact, up to 2 * QUANTILES of them. Beyond, scores between neighbouring quantiles share a
    bin and count as equal: that moves the AUC of the samples themselves by less than 1/QUANTILES, typically by 1e-6.
    """
    attack = np.asarray(is_attack, np.bool_)
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    counts = [_counts(np.asarray(score, np.float64), attack, codes, names.size) for score in values]
    aucs = np.empty((len(counts), resamples))
    rows = max(1, _AT_ONCE // max([1, names.size, *(of_bona_fide.shape[0] for of_bona_fide, _ in counts)]))
    draws = _draws(attack, codes, names.size, resamples, seed)
    for start in range(0, resamples if counts else 0, rows):
        here = slice(start, min(start + rows, resamples))
        weights = np.stack([next(draws) for _ in range(here.start, here.stop)], axis=1).astype(np.float64)
        for row, (of_bona_fide, of_attacks) in zip(aucs, counts, strict=True):
            row[here] = _areas(of_bona_fide @ weights, of_attacks @ weights)
    return aucs


def _draws(
    attack: NDArray[np.bool_], codes: NDArray[np.intp], n: int, resamples: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """How often each of the n groups occurs, (n,), resample after resample."""
    rng = np.random.default_rng(seed)
    has_attack, has_bona_fide = (np.bincount(codes[side], minlength=n) > 0 for side in (attack, ~attack))
    kinds = 2 * has_attack + has_bona_fide
    strata = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    for _ in range(resamples):
        weights = np.empty(n, np.int64)
        for members in strata:
            drawn = rng.integers(members.size, size=members.size)
            weights[members] = np.bincount(drawn, minlength=members.size)
        yield weights


def _counts(values: Floats, attack: NDArray[np.bool_], codes: NDArray[np.intp], n_groups: int) -> tuple[Any, Any]:
    """How many bona fide scores, and how many attack scores, are in each bin of each group: sparse (bins, groups)."""
    from scipy.sparse import csr_array

    answered = ~np.isnan(values)
    attack, codes = attack[answered], codes[answered]
    bins = _bins(values[answered])
    shape = (int(bins.max(initial=-1)) + 1, n_groups)
    of_bona_fide, of_attacks = (
        csr_array((np.ones(side.sum()), (bins[side], codes[side])), shape=shape) for side in (~attack, attack)
    )
    return of_bona_fide, of_attacks


def _bins(values: Floats) -> NDArray[np.intp]:
    """(n,) ascending with the score. A quantile has a bin of its own: heavy ties share theirs with no other score."""
    distinct, bins = np.unique(values, return_inverse=True)
    if distinct.size <= 2 * QUANTILES:
        return bins
    at = np.unique(np.sort(bins)[np.linspace(0, bins.size - 1, QUANTILES + 1).astype(np.int64)])
    return np.searchsorted(at, bins, side="left") + np.searchsorted(at, bins, side="right")


def _areas(bona_fide: Floats, attacks: Floats) -> Floats:
    """Histograms (bins, r) of r resamples -> (r,) AUC, NaN where a class is empty."""
    below = np.cumsum(bona_fide, axis=0)
    below -= bona_fide / 2
    with np.errstate(invalid="ignore"):
        return np.einsum("br,br->r", attacks, below) / (attacks.sum(0) * bona_fide.sum(0))


def delong(values: Sequence[ArrayLike], is_attack: ArrayLike) -> tuple[Floats, Floats]:
    """AUCs (s,) of s scores of the same n independent samples, and their covariance (s, s); O(s n log n).

    DeLong, DeLong and Clarke-Pearson, Biometrics 1988, by sorting as Sun and Xu, IEEE Signal Processing Letters 2014.
    The variance of a difference of two AUCs is v[0, 0] + v[1, 1] - 2 v[0, 1] on the same samples (paired), and the sum
    of the two variances on different ones. Samples must be independent: where subjects repeat, use `resampled_aucs`.
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


def _shares_below(values: Floats, ordered: Floats) -> Floats:
    """(n,) share of the sorted scores below each value, equal ones half."""
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return below / (2 * ordered.size)
