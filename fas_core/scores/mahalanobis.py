"""Mahalanobis distance of the code from the live training codes, in standard deviations (Mahalanobis, 1936).

The covariance is that of the bona fide images of `train`, shrunk towards a multiple of the identity as far as Ledoit
and Wolf (2004) find best: codes often have more dimensions than there are images, and their plain covariance is then
singular.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from fas_core import memo
from fas_core.latent import mixture, training_rows
from fas_core.runs.store import Run
from fas_core.scores import Outputs

NEEDS = ("latents",)
TRAINING_IMAGES = 8  # as `gmm_nll`: fewer say little about a spread
_ROWS_AT_ONCE = 4096


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """sqrt((z - m)^T C^-1 (z - m)), (n,); m and C are fitted on the bona fide images of `train` in `reference`."""
    fit = memo.arrays(reference.cache, "mahalanobis", {"run": reference.shards_digest}, lambda: _fitted(reference))
    factor, z = np.linalg.cholesky(fit["covariance"]), outputs.latents()
    parts = [
        np.linalg.norm(solve_triangular(factor, (z[i : i + _ROWS_AT_ONCE] - fit["mean"]).T, lower=True), axis=0)
        for i in range(0, len(z), _ROWS_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _fitted(reference: Run) -> dict[str, NDArray[np.float64]]:
    """Mean (d,) and covariance (d, d)."""
    from sklearn.covariance import LedoitWolf

    codes = np.asarray(reference.latents()[training_rows(reference)], np.float64)
    model = LedoitWolf(store_precision=False).fit(codes)
    # Shrinkage leaves zeros where no code differs from another; as in the mixtures, no variance is exactly 0.
    return {"mean": model.location_, "covariance": model.covariance_ + mixture.REGULARISATION * np.eye(codes.shape[1])}
