"""Gaussian mixtures of latent codes (thesis sections 2.5.1 and 3.7), and how probable they find each sample."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from fas_core import memo, metrics
from fas_core.analysis import training_rows
from fas_core.errors import BadInputError
from fas_core.manifest import ATTACK, BONA_FIDE
from fas_core.store import Run

COMPONENTS = (1, 2, 4, 8, 16, 32, 64, 128)  # the thesis' numbers of mixtures
COVARIANCES = ("diag", "full")
REGULARISATION = 1e-6  # added to every variance, as scikit-learn does
LOW_SHARE = 0.05  # "improbable" = below this share of the training codes
_ROWS_AT_ONCE = 16_384
_QUICK_WORK = 2e7  # see `is_quick`


@dataclass(frozen=True)
class Mixture:
    """k Gaussians in d dimensions: weights (k,), means (k, d), covariances (k, d) diagonal or (k, d, d) full."""

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    @property
    def n_parameters(self) -> int:
        k, d = self.means.shape
        return n_parameters(k, d, "diag" if self.covariances.ndim == 2 else "full")

    def log_likelihood(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """log p(z) in nats: (n, d) -> (n,)."""
        parts = [self._joint(z[i : i + _ROWS_AT_ONCE]) for i in range(0, len(z), _ROWS_AT_ONCE)]
        return np.concatenate([logsumexp(part, axis=1) for part in parts]) if parts else np.empty(0)

    def _joint(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """log w_j + log N(z; mean_j, covariance_j): (n, d) -> (n, k)."""
        z64 = np.asarray(z, np.float64)
        squared, log_determinants = self._diagonal(z64) if self.covariances.ndim == 2 else self._full(z64)
        with np.errstate(divide="ignore"):  # a component that lost all its weight: log 0 = -inf, it adds nothing
            log_weights = np.log(self.weights)
        return log_weights - 0.5 * (self.means.shape[1] * np.log(2 * np.pi) + log_determinants + squared)

    def _diagonal(self, z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Squared Mahalanobis distances (n, k), as two matrix products, and log-determinants (k,)."""
        # Around the mixture's own centre, so that the square opened up below loses no digits to a common offset.
        centre = self.weights @ self.means
        centred, means, precisions = z - centre, self.means - centre, 1 / self.covariances
        squared = centred**2 @ precisions.T - 2 * (centred @ (means * precisions).T) + (means**2 * precisions).sum(1)
        return squared.clip(min=0), np.log(self.covariances).sum(1)

    def _full(self, z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Squared Mahalanobis distances (n, k) and log-determinants (k,), by Cholesky factors."""
        squared, log_determinants = [], []
        for mean, covariance in zip(self.means, self.covariances, strict=True):
            factor = np.linalg.cholesky(covariance)
            squared.append((solve_triangular(factor, (z - mean).T, lower=True) ** 2).sum(0))
            log_determinants.append(2 * np.log(np.diag(factor)).sum())
        return np.stack(squared, axis=1), np.array(log_determinants)


def n_parameters(k: int, d: int, covariance: str) -> int:
    """Free numbers of a mixture: weights, means, covariances."""
    return k - 1 + k * d + (k * d if covariance == "diag" else k * d * (d + 1) // 2)


def is_estimable(n: int, k: int, d: int, covariance: str) -> bool:
    """Whether n codes can fill k covariances: a full one of fewer than d + 1 codes is singular, a diagonal of one."""
    return n >= (k * (d + 1) if covariance == "full" else max(2, k))


def is_quick(n: int, k: int, d: int, covariance: str) -> bool:
    """Whether a fit takes a few seconds, so that somebody may wait for it (64 full components of 1,264 codes: 13 s)."""
    return n * k * d * (d / 8 if covariance == "full" else 1) <= _QUICK_WORK


def fitted(z: NDArray[np.floating], k: int, covariance: str = "diag", seed: int = 0) -> Mixture:
    """Expectation maximisation from k-means: (n, d) -> Mixture. `covariance`: "diag" or "full".

    Raises BadInputError when there are fewer codes than components.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if len(z) < max(2, k):
        raise BadInputError(f"{k} components need at least {max(2, k)} training images; there are {len(z)}.")
    model = GaussianMixture(k, covariance_type=covariance, reg_covar=REGULARISATION, max_iter=200, random_state=seed)
    with warnings.catch_warnings():
        # Likelihoods have long settled to the digits that matter when the tolerance is missed.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(np.asarray(z, np.float64))
    return Mixture(model.weights_, model.means_, model.covariances_)


def _parameters(run: Run, k: int, covariance: str, seed: int) -> dict[str, Any]:
    return {"run": run.digest, "k": k, "covariance": covariance, "seed": seed, "reg": REGULARISATION}


def known(run: Run, k: int, covariance: str = "diag", seed: int = 0) -> Mixture | None:
    """The stored mixture of a Run's bona fide training codes, or None while nobody has fitted it. Never fits."""
    arrays = memo.found(run.cache, "mixture", _parameters(run, k, covariance, seed))
    return None if arrays is None else Mixture(**arrays)


def of_training(run: Run, k: int, covariance: str = "diag", seed: int = 0) -> Mixture:
    """The mixture of a Run's bona fide training codes; fitted once, then read from the memo."""
    rows = training_rows(run)
    arrays = memo.arrays(
        run.cache,
        "mixture",
        _parameters(run, k, covariance, seed),
        lambda: asdict(fitted(np.asarray(run.latents()[rows]), k, covariance, seed)),
    )
    return Mixture(**arrays)


def auc_per_species(samples: pd.DataFrame, log_likelihood: NDArray[np.float64]) -> dict[str, float]:
    """AUC of -log p per attack species against all bona fide samples given; {} where either kind is missing.

    Needs the columns label and pai_species; row i of `samples` has log_likelihood[i].
    """
    one = metrics.score_set(-log_likelihood, samples["label"].to_numpy() == ATTACK, list(samples["pai_species"]))
    if not (one.n_bona_fide and one.n_attack):
        return {}
    return {name: metrics.roc_auc(one, name) for name, of_species in one.attacks.items() if len(of_species)}


def per_subset(
    samples: pd.DataFrame, log_likelihood: NDArray[np.float64], training: NDArray[np.float64]
) -> pd.DataFrame:
    """One row per subset, label and species: n, mean, median, share below the training codes' 5th percentile, AUC.

    `training`: log-likelihoods of the bona fide training codes. AUC: this species of -log p against the bona fide
    samples of the same subset; None for bona fide rows and where the subset has none.
    """
    limit = np.quantile(training, LOW_SHARE)
    table = samples[["subset", "label", "pai_species"]].assign(value=log_likelihood)
    rows = []
    for subset, of_subset in table.groupby("subset", sort=False):
        auc = auc_per_species(of_subset, of_subset["value"].to_numpy())
        for label in (BONA_FIDE, ATTACK):
            for species, group in of_subset[of_subset["label"] == label].groupby("pai_species"):
                value = group["value"]
                rows.append(
                    {
                        "subset": subset,
                        "label": label,
                        "pai_species": species,
                        "n": len(value),
                        "mean": value.mean(),
                        "median": value.median(),
                        "below": float((value < limit).mean()),
                        "auc": auc.get(species or metrics.UNSPECIFIED) if label == ATTACK else None,
                    }
                )
    columns = ["subset", "label", "pai_species", "n", "mean", "median", "below", "auc"]
    return pd.DataFrame(rows, columns=columns).astype({"auc": float})
