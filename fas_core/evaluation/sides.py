"""How clearly codes differ between the sides of a comparison: six measures, each with an interval by subject.

- `probe`: AUC of a linear probe that is told the sides, cross-validated by leaving whole subjects out (Alain and
  Bengio, Understanding intermediate layers using linear classifier probes, 2017). What the codes contain.
- AUCs of scores that are told nothing: whether they are higher on the second side than on the first. Of two sides only.
- `purity`: share of a code's `NEIGHBOURS` nearest codes of other subjects that are on its own side, each side's
  neighbours counted as if both were as large. Mean over both sides.
- `silhouette`: (b - a) / max(a, b) of mean distances to the own side, a, and to the other, b (Rousseeuw, 1987). Mean
  over both sides.
- `frechet`: Frechet distance of two Gaussians (Dowson and Landau, 1982), as a multiple of the codes' variance.

By chance AUCs and `purity` are 0.5, `silhouette` and `frechet` 0. Intervals are 95 %, by the unit that is given. Of
more than two sides, each is compared with the others, and what is given is the mean of the values, and of the ends of
their intervals, which together are rather too far apart than too close.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from scipy.special import stdtrit

from fas_core import metrics
from fas_core.metrics.resampling import Statistic, resampled
from fas_core.metrics.uncertainty import RESAMPLES, Units, codes_of, draws, percentiles

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

FOLDS = 5
NEIGHBOURS = 10
DIRECTIONS = 32  # principal components that the Frechet distance sees: covariances of more need more images
BLOCKS = 40  # of units, each left out once for the interval of the Frechet distance
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Measure:
    """`low` and `high` are None where a side is of one subject, who says nothing about others."""

    value: float
    low: float | None = None
    high: float | None = None


def measures(
    z: NDArray[np.floating], sides: Ints, units: Units, scores: Mapping[str, Floats]
) -> dict[str, Measure | None]:
    """All measures of codes (n, d) on sides 0, 1, ... (n,), none of which is empty; undefined ones are None.

    `scores`: by name, (n,), whose AUCs are asked for.
    """
    n_sides = int(sides.max()) + 1
    z = np.asarray(z, np.float32)
    against_rest = sides[:, None] == (np.arange(n_sides) if n_sides > 2 else [1])  # (n, m)
    probes = probe_scores(z, sides, against_rest, units)
    neighbours = _neighbours(z, units)
    distances = _side_distances(z, sides, n_sides)
    by_name: dict[str, list[Measure | None]] = {
        name: [] for name in ("probe", *scores, "purity", "silhouette", "frechet")
    }
    for side, second in enumerate(against_rest.T):
        judged = {} if probes is None else {"probe": probes[:, side]}
        judged |= scores if n_sides == 2 else {}
        aucs = _aucs(judged, second, units)
        for name in ("probe", *scores):
            by_name[name].append(aucs.get(name))
        by_name["purity"].append(
            None if neighbours is None else _side_mean(_purity(neighbours, second), second, units, 0)
        )
        far = np.stack([distances.sum(1) - distances[:, side], distances[:, side]], 1) if n_sides > 2 else distances
        by_name["silhouette"].append(_side_mean(_silhouette(far, second), second, units, -1))
        by_name["frechet"].append(frechet(z, second, units))
    return {name: _mean(of_sides) for name, of_sides in by_name.items()}


def _mean(of_sides: Sequence[Measure | None]) -> Measure | None:
    """Of all; None where one is undefined."""
    defined = [measure for measure in of_sides if measure is not None]
    if len(defined) < len(of_sides):
        return None
    value = float(np.mean([measure.value for measure in defined]))
    lows, highs = [measure.low for measure in defined], [measure.high for measure in defined]
    if None in lows or None in highs:
        return Measure(value)
    return Measure(value, float(np.mean(lows)), float(np.mean(highs)))  # type: ignore[arg-type]


def _aucs(of_scores: Mapping[str, Floats], second: NDArray[np.bool_], units: Units) -> dict[str, Measure]:
    """P(score of the second side > score of the first), equal ones half, and its interval; {} without scores."""
    if not of_scores:
        return {}
    statistic = Statistic("roc_auc", "")  # of the one "species" that there is: cheaper than of all of them
    drawn = resampled(list(of_scores.values()), second, units, [statistic])
    aucs = {}
    for i, (name, values) in enumerate(of_scores.items()):
        interval = drawn.interval(statistic, i)
        ends = (None, None) if interval is None else (interval.low, interval.high)
        aucs[name] = Measure(metrics.roc_auc(metrics.score_set(values, second)), *ends)
    return aucs


def folds_of(sides: Ints, units: Units) -> Ints | None:
    """(n,) numbers of folds such that no unit is in two, and each fold has a similar share of every side.

    As many as `FOLDS`, or as the side with the fewest units has; None where that is one. Units are dealt out largest
    first, each to the fold that has least of the unit's sides.
    """
    codes, n_units = codes_of(units.groups)
    n_sides = int(sides.max()) + 1
    counts = np.zeros((n_units, n_sides))
    np.add.at(counts, (codes, sides), 1)
    n_folds = min(FOLDS, int((counts > 0).sum(0).min()))
    if n_folds < 2:
        return None
    shares = counts / counts.sum(0)
    order = np.random.default_rng(0).permutation(n_units)  # equally large ones in no order of their names
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    load, fold_of = np.zeros((n_folds, n_sides)), np.zeros(n_units, np.intp)
    for unit in order:
        fold_of[unit] = fold = int(np.argmin(load @ shares[unit]))
        load[fold] += shares[unit]
    return fold_of[codes]


def probe_scores(z: NDArray[np.floating], sides: Ints, against_rest: NDArray[np.bool_], units: Units) -> Floats | None:
    """(n, m) how clearly a probe that has not seen the sample's unit puts it on each of m second sides; None: one unit.

    The probe is Fisher's linear discriminant with the total covariance of standardised codes, which has the direction
    of least squares on the sides, shrunk as Ledoit and Wolf (2004) find best, and zero halfway between the means of
    both sides, so that folds can be pooled. NaN where a fold leaves one side empty.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage

    folds = folds_of(sides, units)
    if folds is None:
        return None
    scores = np.full(against_rest.shape, np.nan)
    for fold in range(int(folds.max()) + 1):
        train = folds != fold
        mean, spread = z[train].mean(0, np.float64), z[train].std(0, dtype=np.float64)
        x = (z - mean) / np.where(spread > 0, spread, 1)
        shrinkage = float(ledoit_wolf_shrinkage(x[train], assume_centered=True))
        covariance = x[train].T @ x[train] / train.sum()
        level = np.trace(covariance) / len(covariance)
        if not level > 0:
            return None  # all codes are the same
        covariance = (1 - shrinkage) * covariance + (shrinkage + 1e-6) * level * np.eye(len(covariance))
        for side, second in enumerate(against_rest.T):
            if second[train].all() or not second[train].any():
                continue
            first_mean, second_mean = x[train & ~second].mean(0), x[train & second].mean(0)
            direction = solve(covariance, second_mean - first_mean, assume_a="pos")
            scores[~train, side] = (x[~train] - (first_mean + second_mean) / 2) @ direction
    return scores


def _neighbours(z: NDArray[np.float32], units: Units) -> Ints | None:
    """(n, k) the nearest codes of other units, k = `NEIGHBOURS` or as many as there are; None where there are none."""
    codes, n_units = codes_of(units.groups)
    n = len(z)
    k = min(NEIGHBOURS, n - int(np.bincount(codes).max()))
    if k < 1 or n_units < 2:
        return None
    centred = z - z.mean(0)
    lengths = (centred**2).sum(1)
    nearest = np.empty((n, k), np.intp)
    for start in range(0, n, _ROWS_AT_ONCE):
        here = slice(start, start + _ROWS_AT_ONCE)
        squared = lengths - 2 * (centred[here] @ centred.T)  # but for what is the same for all candidates
        squared[codes[here, None] == codes] = np.inf
        nearest[here] = np.argpartition(squared, k - 1, axis=1)[:, :k]
    return nearest


def _purity(neighbours: Ints, second: NDArray[np.bool_]) -> Floats:
    """(n,) share of neighbours on the own side, each side's counted as if both sides were as large."""
    of_second = second[neighbours].mean(1) / second.mean()
    of_first = (1 - second[neighbours].mean(1)) / (1 - second.mean())
    own: Floats = np.where(second, of_second, of_first) / (of_second + of_first)
    return own


def _side_distances(z: NDArray[np.float32], sides: Ints, n_sides: int) -> Floats:
    """(n, n_sides) sum of the distances of each code to those of each side."""
    centred = z - z.mean(0)
    lengths = (centred**2).sum(1)
    one_hot = (sides[:, None] == np.arange(n_sides)).astype(np.float32)
    parts = []
    for start in range(0, len(z), _ROWS_AT_ONCE):
        here = slice(start, start + _ROWS_AT_ONCE)
        squared = lengths[here, None] + lengths - 2 * (centred[here] @ centred.T)
        squared[np.arange(len(squared)), np.arange(start, start + len(squared))] = 0
        parts.append((np.sqrt(squared.clip(min=0)) @ one_hot).astype(np.float64))
    return np.concatenate(parts)


def _silhouette(distances: Floats, second: NDArray[np.bool_]) -> Floats:
    """(n,) from the sums of distances (n, 2) to both sides; 0 for the only code of a side, as Rousseeuw has it."""
    counts = np.array([(~second).sum(), second.sum()])
    own, other = second.astype(np.intp), (~second).astype(np.intp)
    rows = np.arange(len(second))
    a = distances[rows, own] / np.maximum(counts[own] - 1, 1)
    b = distances[rows, other] / counts[other]
    larger = np.maximum(a, b)
    return np.where((counts[own] > 1) & (larger > 0), (b - a) / np.where(larger > 0, larger, 1), 0)


def _side_mean(values: Floats, second: NDArray[np.bool_], units: Units, smallest: float) -> Measure:
    """Mean of both sides' means of (n,) values from `smallest` to 1, and its percentile interval over units.

    Units are drawn as in `resampling`, among those with the same sides; each brings its samples with their values.
    """
    codes, n_units = codes_of(units.groups)
    value = float((values[second].mean() + values[~second].mean()) / 2)
    sums = np.stack([np.bincount(codes[s], values[s], n_units) for s in (~second, second)])
    counts = np.stack([np.bincount(codes[s], minlength=n_units) for s in (~second, second)])
    has = counts > 0
    if has.sum(1).min() < 2:
        return Measure(value)
    strata = [np.flatnonzero(has[0] + 2 * has[1] == kind) for kind in (1, 2, 3)]
    means = [((sums @ w) / (counts @ w)).mean(0) for w in draws(strata, n_units, RESAMPLES, 0, n_units)]
    low, high, _ = percentiles(np.concatenate(means)[None], int(has.sum(1).min()), 0.95, smallest)
    return Measure(value, float(low[0]), float(high[0]))


def frechet(z: NDArray[np.floating], second: NDArray[np.bool_], units: Units) -> Measure | None:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two Gaussians, over the variance of all codes; 0 = the same.

    In the first `DIRECTIONS` principal components of both sides together. Estimates from few codes are too large:
    blocks of units are left out in turn, which shows by how much (the jackknife's bias, Quenouille, 1956) and gives the
    interval; a value below 0 is 0. None where a side has a single code, or all codes are the same.
    """
    if min(second.sum(), (~second).sum()) < 2:
        return None
    centred = z - z.mean(0, np.float64)
    variances, vectors = np.linalg.eigh(centred.T @ centred / len(z))
    total = float(variances.clip(min=0).sum())
    if not total > 0:
        return None
    x = centred @ vectors[:, ::-1][:, :DIRECTIONS]
    codes, n_units = codes_of(units.groups)
    n_blocks = min(n_units, BLOCKS)
    block = (np.random.default_rng(0).permutation(n_units) % n_blocks)[codes]
    moments = [_block_moments(x[side], block[side], n_blocks) for side in (~second, second)]
    whole = [tuple(part.sum(0, keepdims=True) for part in of_side) for of_side in moments]
    value = float(_frechet(whole)[0]) / total
    without = [
        tuple(w - part for w, part in zip(of_all, of_side, strict=True))
        for of_all, of_side in zip(whole, moments, strict=True)
    ]
    if n_blocks < 2 or min(of_side[0].min() for of_side in without) < 2:
        return Measure(value)
    left = _frechet(without) / total
    unbiased = n_blocks * value - (n_blocks - 1) * float(left.mean())
    error = float(np.sqrt((n_blocks - 1) * left.var()))
    margin = float(stdtrit(n_blocks - 1, 0.975)) * error
    return Measure(max(unbiased, 0), max(unbiased - margin, 0), max(unbiased + margin, 0))


_Moments = tuple[Floats, Floats, Floats]


def _block_moments(x: Floats, block: Ints, n_blocks: int) -> _Moments:
    """Counts (b,), sums (b, k) and sums of products (b, k, k) of the rows of each block."""
    parts = [x[block == b] for b in range(n_blocks)]
    counts = np.array([float(len(part)) for part in parts])
    return counts, np.stack([part.sum(0) for part in parts]), np.stack([part.T @ part for part in parts])


def _frechet(of_sides: Sequence[tuple[Floats, ...]]) -> Floats:
    """(b,) from b moments of each of two sides."""
    means, covariances = [], []
    for count, total, products in of_sides:
        mean = total / count[:, None]
        means.append(mean)
        scatter = products - count[:, None, None] * mean[:, :, None] * mean[:, None, :]
        covariances.append(scatter / (count - 1)[:, None, None])
    apart = ((means[0] - means[1]) ** 2).sum(1)
    variances, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(variances.clip(min=0))[:, None, :]  # root root^T = C1
    # tr (C1 C2)^(1/2): root^T C2 root has the eigenvalues of C1 C2, and is symmetric.
    shared = np.sqrt(np.linalg.eigvalsh(root.transpose(0, 2, 1) @ covariances[1] @ root).clip(min=0)).sum(1)
    traces = sum(np.trace(covariance, axis1=1, axis2=2) for covariance in covariances)
    distance: Floats = apart + traces - 2 * shared
    return distance
