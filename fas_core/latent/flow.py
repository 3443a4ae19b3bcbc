"""A normalising flow of codes without a network: rotation-based iterative Gaussianisation (Laparra, Camps-Valls and
Malo, 2011), by which densities are told that no single Gaussian has.

Codes are whitened by the mean and the shrunk covariance (Ledoit and Wolf, 2004), which alone is one Gaussian. Each
layer then makes every coordinate Gaussian by itself, x -> Phi^-1(F(x)), and turns what comes of it onto its principal
axes. Departures from the paper: F is no histogram but a monotone rational quadratic spline through quantiles (Gregory
and Delbourgo, 1982), so that the density is continuous and its Jacobian exact; beyond the outermost quantiles it goes
on as a line, as Gaussian tails do, so that nothing is infinitely improbable; a coordinate keeps its own mean and
spread, or layers would undo what shrinking has done; they are as many as make held-out live training codes likelier,
not until the sample itself looks Gaussian.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from fas_core import memo
from fas_core.latent import fitting_sample, mixture, passes, sample_key
from fas_core.metrics.uncertainty import one_thread
from fas_core.runs.store import Run

Floats = NDArray[np.float64]

KNOTS = 16  # quantiles that a spline goes through
PER_KNOT = 10  # codes at least, or there is no layer
MOST_LAYERS = 12
LIMIT = 10_000  # codes that it is fitted on; of more, a sample
HEIGHTS = ndtri((np.arange(KNOTS) + 0.5) / KNOTS)
_LEAST_GAP = 1e-6  # standard deviations between two quantiles
_ROWS_AT_ONCE = 1024
FORMAT = 1  # of fitting and of what comes of it


@dataclass(frozen=True, eq=False)
class Flow:
    """z (n, d) -> u (n, d), which is about N(0, I): mean (d,), whitening (d, d), and of L layers means and standard
    deviations of coordinates, (L, 2, d), the knots of splines and their slopes there, (L, d, `KNOTS`) both, and
    rotations (L, d, d)."""

    mean: Floats
    whitening: Floats
    moments: Floats
    knots: Floats
    slopes: Floats
    rotations: Floats

    def log_likelihood(self, z: passes.Codes) -> Floats:
        """log p(z) in nats: (n, d) -> (n,)."""
        return passes.said(z, [lambda block, _: {"values": self.of_block(block)}])[0]["values"]

    def of_block(self, z: NDArray[np.floating]) -> Floats:
        """As `log_likelihood`, of few enough codes to be held at once."""
        parts = [np.empty(0)]
        for start in range(0, len(z), _ROWS_AT_ONCE):
            u, log_jacobian = self.transformed(z[start : start + _ROWS_AT_ONCE])
            parts.append(log_jacobian - 0.5 * (u.shape[1] * np.log(2 * np.pi) + np.square(u).sum(1)))
        return np.concatenate(parts)

    def transformed(self, z: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """u (n, d), and the logarithm of the Jacobian's determinant, (n,)."""
        u = (np.asarray(z, np.float64) - self.mean) @ self.whitening
        log_jacobian = np.full(len(u), np.linalg.slogdet(self.whitening)[1])
        for moments, knots, slopes, rotation in zip(self.moments, self.knots, self.slopes, self.rotations, strict=True):
            u, log_slopes = _gaussianised(u, moments, knots, slopes)
            u, log_jacobian = u @ rotation, log_jacobian + log_slopes
        return u, log_jacobian


def of_training(run: Run) -> Flow:
    """The flow of a Run's bona fide training codes; fitted once, then read from the memo."""
    about = {"run": run.shards_digest, "format": FORMAT} | sample_key(run)
    return Flow(**memo.arrays(run.cache, "flow", about, lambda: asdict(_of_training(run))))


def _of_training(run: Run) -> Flow:
    rows, parts = fitting_sample(run).drawn(LIMIT), mixture.split(run)
    z, is_held = mixture.codes(run, rows), np.isin(rows, parts.held_out)
    return fitted(z, n_layers(z[~is_held], z[is_held]))


def n_layers(z: NDArray[np.floating], held_out: NDArray[np.floating]) -> int:
    """How many layers fitted on z (n, d) make other codes (m, d) likelier, one by one; 0 where either are too few."""
    if not len(held_out) or len(z) < PER_KNOT * KNOTS:
        return 0
    mean, whitening = _white(z)
    both = (np.concatenate([z, held_out]).astype(np.float64) - mean) @ whitening
    best, log_jacobian = -np.inf, np.zeros(len(both))
    with one_thread():
        for layers in range(MOST_LAYERS + 1):
            likelihood = float((log_jacobian - 0.5 * np.square(both).sum(1))[len(z) :].mean())
            if likelihood <= best:
                return layers - 1
            best = likelihood
            both, log_slopes, _ = _layer(both, len(z))
            log_jacobian += log_slopes
    return MOST_LAYERS


def fitted(z: NDArray[np.floating], layers: int) -> Flow:
    """The flow of some layers of codes (n, d)."""
    mean, whitening = _white(z)
    u, d = (np.asarray(z, np.float64) - mean) @ whitening, z.shape[1]
    moments, rotations = np.empty((layers, 2, d)), np.empty((layers, d, d))
    knots, slopes = np.empty((2, layers, d, KNOTS))
    with one_thread():
        for i in range(layers):
            u, _, (moments[i], knots[i], slopes[i], rotations[i]) = _layer(u, len(u))
    return Flow(mean, whitening, moments, knots, slopes, rotations)


def _white(z: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Mean (d,), and what codes around it are multiplied by, (d, d)."""
    from sklearn.covariance import LedoitWolf

    model = LedoitWolf(store_precision=False).fit(np.asarray(z, np.float64))
    variances, axes = np.linalg.eigh(model.covariance_)
    # As in the mixtures, no variance is exactly 0.
    return model.location_, axes[:, ::-1] / np.sqrt(variances[::-1].clip(min=0) + mixture.REGULARISATION)


def _layer(u: Floats, n: int) -> tuple[Floats, Floats, tuple[Floats, Floats, Floats, Floats]]:
    """Codes after a layer that is fitted on the first n, and log-slopes (n,); of `Flow`, what the layer is."""
    spread = u[:n].std(axis=0)
    moments = np.stack([u[:n].mean(axis=0), np.where(spread > _LEAST_GAP, spread, 1)])
    knots, slopes = _splines((u[:n] - moments[0]) / moments[1])
    u, log_slopes = _gaussianised(u, moments, knots, slopes)
    rotation = np.linalg.eigh(np.cov(u[:n], rowvar=False).reshape(u.shape[1], -1))[1]
    return u @ rotation, log_slopes, (moments, knots, slopes, rotation)


def _splines(u: Floats) -> tuple[Floats, Floats]:
    """Knots (d, k) and slopes there, > 0, by which each coordinate of (n, d) becomes Gaussian.

    A coordinate whose quantiles coincide stays as it is.
    """
    knots = np.quantile(u, (np.arange(KNOTS) + 0.5) / KNOTS, axis=0).T
    knots[(np.diff(knots, axis=1) < _LEAST_GAP).any(axis=1)] = HEIGHTS
    widths = np.diff(knots, axis=1)
    secants = np.diff(HEIGHTS) / widths
    inner = (secants[:, :-1] * widths[:, 1:] + secants[:, 1:] * widths[:, :-1]) / (widths[:, :-1] + widths[:, 1:])
    return knots, np.column_stack([secants[:, 0], inner, secants[:, -1]])


def _gaussianised(u: Floats, moments: Floats, knots: Floats, slopes: Floats) -> tuple[Floats, Floats]:
    """Every coordinate of (n, d) by its spline, and the sum of the logarithms of their slopes, (n,)."""
    u = (u - moments[0]) / moments[1]
    place = np.zeros(u.shape, np.intp)
    for knot in knots.T[1:-1]:
        place += u >= knot
    column = np.arange(u.shape[1])
    left, right = knots[column, place], knots[column, place + 1]
    low, high = slopes[column, place], slopes[column, place + 1]
    rise = HEIGHTS[place + 1] - HEIGHTS[place]
    secant = rise / (right - left)
    # Gregory and Delbourgo's equations, as Durkan et al. (2019) write them; outside t is at an end, where they end.
    t = np.clip((u - left) / (right - left), 0, 1)
    both = t * (1 - t)
    below = secant + (low + high - 2 * secant) * both
    values = HEIGHTS[place] + rise * (secant * t**2 + low * both) / below
    slope = secant**2 * (high * t**2 + 2 * secant * both + low * (1 - t) ** 2) / below**2
    beyond = np.minimum(u - knots[:, 0], 0) * slopes[:, 0] + np.maximum(u - knots[:, -1], 0) * slopes[:, -1]
    return moments[0] + moments[1] * (values + beyond), np.log(slope).sum(1)
