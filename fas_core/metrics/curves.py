"""ROC, precision-recall and DET curves of a set of scores, exact at ties."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from fas_core.metrics.areas import starts
from fas_core.metrics.scoreset import Floats, ScoreSet, require

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
    require(scores, "a curve", bona_fide=True, attack=True)
    merged = np.sort(np.concatenate([scores.bona_fide, scores.pooled]))
    distinct = merged[starts(merged)]
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
    """About `points` of the points of the curves, for drawing; the ends stay, all of them if there are few enough.

    There are more where the coarsest grid has more, as with the two rates of each of hundreds of species.
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
