"""Mahalanobis distance of the code from the live training codes, in standard deviations (Mahalanobis, 1936).

The covariance is that of the bona fide images of `train`, shrunk towards a multiple of the identity as far as Ledoit
and Wolf (2004) find best: codes often have more dimensions than there are images, and their plain covariance is then
singular.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from fas_core import memo
from fas_core.latent import fitting_sample, mixture, passes, sample_key
from fas_core.metrics.uncertainty import one_thread
from fas_core.runs.store import Run
from fas_core.scores import Outputs
from fas_core.scores._kept import OfCodes

NEEDS = ("latents",)
TRAINING_IMAGES = 8  # as `gmm_nll`: fewer say little about a spread


@dataclass(frozen=True, eq=False)
class _Says:
    mean: NDArray[np.float64]
    factor: NDArray[np.float64]  # of the covariance, by Cholesky

    def __call__(self, z: NDArray[np.floating], start: int) -> passes.Arrays:  # noqa: ARG002 - as all of them
        return {"values": np.linalg.norm(solve_triangular(self.factor, (z - self.mean).T, lower=True), axis=0)}


def _says(outputs: Outputs, reference: Run) -> passes.Says:  # noqa: ARG001 - as all of them
    about = fit_key(reference)
    fit = memo.arrays(reference.cache, "mahalanobis", about, lambda: _fitted(reference))
    return _Says(fit["mean"], np.linalg.cholesky(fit["covariance"]))


def fit_key(reference: Run) -> dict[str, object]:
    """Of the stored mean and covariance."""
    return {"run": reference.shards_digest} | sample_key(reference)


OF_CODES = OfCodes("mahalanobis", 1, _says)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """sqrt((z - m)^T C^-1 (z - m)), (n,); m and C are fitted on bona fide images of `train` in `reference`: see
    `fitting_sample`."""
    return OF_CODES.values(outputs, reference)


def _fitted(reference: Run) -> dict[str, NDArray[np.float64]]:
    """Mean (d,) and covariance (d, d); codes are gone over twice, block by block."""
    rows, d = fitting_sample(reference).rows, reference.latent_dim
    mean = sum((block.sum(0, dtype=np.float64) for block in reference.latent_blocks(rows)), np.zeros(d)) / len(rows)
    scatter, fourths = np.zeros((d, d)), 0.0
    with one_thread():
        for block in reference.latent_blocks(rows):
            apart = block - mean
            scatter += apart.T @ apart
            fourths += float(np.square(np.square(apart).sum(1)).sum())
    covariance, n = scatter / len(rows), len(rows)
    scale = covariance.trace() / d  # mu, and below delta squared and beta squared, of Ledoit and Wolf's lemma 3.2 ff.
    spread = np.square(covariance).sum() / d - scale**2
    noise = min((fourths / n - np.square(covariance).sum()) / (n * d), spread)
    share = noise / spread if noise > 0 else 0.0
    # Shrinkage leaves zeros where no code differs from another; as in the mixtures, no variance is exactly 0.
    shrunk = (1 - share) * covariance + (share * scale + mixture.REGULARISATION) * np.eye(d)
    return {"mean": mean, "covariance": shrunk}
