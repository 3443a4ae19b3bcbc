"""Gaussian mixtures of 50,000 codes in 64 dimensions, all eight numbers of components, against scikit-learn's.

The target of the diagonal ones is absolute: it is how long `fas cache` and a reader of the page wait. So measure on a
machine that is idle. Both sides fit the same float32 codes, one number of components after another, with the same
regularisation, tolerance, most steps and seed, and are judged by 10,000 codes that neither has seen.

The codes: 400 people, each a Gaussian cloud around a point of 16 hidden dimensions, bent into 64 by a random network of
one layer of 256 tanh units to variance 1, and noise of deviation 0.5 in every dimension.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fas_core.latent import em, mixture

PEOPLE, HIDDEN, UNITS, NOISE = 400, 16, 256, 0.5
TARGETS = {
    "diag_seconds": ("at_most", 15.0),
    "full": ("at_most", 0.7),
    "diag_drop": ("at_most", 0.005),
    "full_drop": ("at_most", 0.005),
}
QUICK = {"n": 1_000, "dimensions": 16, "ks": (4,)}
QUICK_TARGETS = {"full": ("at_most", 2.0)}  # what is begun before a fit counts


def figures(n: int = 50_000, dimensions: int = 64, ks: tuple[int, ...] = mixture.COMPONENTS) -> dict[str, float]:
    """Seconds of all fits of a family, the ratio of both sides, and `drop`: the largest share by which the held-out
    log-likelihood of any number of components is lower than scikit-learn's (below 0: it is higher everywhere)."""
    z = _codes(n + n // 5, dimensions)
    training, held_out = z[:n], z[n:]
    by_name: dict[str, float] = {}
    for covariance in mixture.COVARIANCES:
        for fit in (mixture.fitted, _scikit_learn):
            fit(training[: 20 * dimensions], 1, covariance)  # what is loaded at the first fit is not measured
        ours = theirs = 0.0
        drops = []
        for k in ks:
            seconds, fitted = _timed(lambda k, c: mixture.fitted(training, k, c), k, covariance)
            ours += seconds
            seconds, other = _timed(lambda k, c: _scikit_learn(training, k, c), k, covariance)
            theirs += seconds
            reached, reference = fitted.log_likelihood(held_out).mean(), float(other.score(held_out.astype(np.float64)))
            drops.append((reference - reached) / abs(reference))
        by_name |= {f"{covariance}_seconds": ours, f"{covariance}_scikit_learn_seconds": theirs}
        by_name |= {covariance: ours / theirs, f"{covariance}_drop": float(max(drops))}
    return by_name


def _timed(fit: Callable[[int, str], Any], k: int, covariance: str) -> tuple[float, Any]:
    start = time.perf_counter()
    fitted = fit(k, covariance)
    return time.perf_counter() - start, fitted


def _scikit_learn(z: NDArray[np.float32], k: int, covariance: str) -> Any:
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        k,
        covariance_type=covariance,
        reg_covar=em.REGULARISATION,
        tol=em.TOLERANCE,
        max_iter=em.MOST_STEPS,
        random_state=mixture.SEED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its note where the steps end before the tolerance is met
        return model.fit(z)


def _codes(n: int, dimensions: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    people = rng.normal(size=(PEOPLE, HIDDEN))
    first, second = rng.normal(size=(HIDDEN, UNITS)), rng.normal(size=(UNITS, dimensions))
    hidden = people[rng.integers(0, PEOPLE, n)] + 0.4 * rng.normal(size=(n, HIDDEN))
    bent = np.tanh(1.5 * hidden @ first / np.sqrt(HIDDEN)) @ second
    return (bent / bent.std(0) + NOISE * rng.normal(size=bent.shape)).astype(np.float32)
