"""Gaussian mixtures of latent codes (thesis sections 2.5.1 and 3.7), and how probable they find each sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from fas_core import memo, metrics
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.latent import em, fitting_sample, has_training_rows, passes, projection, sample_key
from fas_core.latent.passes import Codes
from fas_core.latent.projection import PrincipalComponents
from fas_core.runs.store import Run

COMPONENTS = (1, 2, 4, 8, 16, 32, 64, 128)  # the thesis' numbers of mixtures
COVARIANCES = ("diag", "full")
RAW = 0  # dimensions: the codes as they are, no principal components
DIMENSIONS = (RAW, 2, 8, 16, 32)  # principal components, as a choice
REGULARISATION = em.REGULARISATION
HELD_OUT = 0.2  # share of the training codes, at least, that the others are judged by
LOW_SHARE = 0.05  # "improbable" = below this share of the training codes
SEED = 0
_QUICK_WORK = 2e7  # see `is_quick`
_METHOD = 2  # of fitting; part of the key, so that what another one fitted is not found


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

    def bic(self, log_likelihood: NDArray[np.float64]) -> float:
        """Schwarz' criterion, of the log-likelihoods (n,) of the codes that it was fitted on; lower is better."""
        return float(self.n_parameters * np.log(len(log_likelihood)) - 2 * log_likelihood.sum())

    def aic(self, log_likelihood: NDArray[np.float64]) -> float:
        """Akaike's criterion, of the log-likelihoods (n,) of the codes that it was fitted on; lower is better."""
        return float(2 * self.n_parameters - 2 * log_likelihood.sum())

    def log_likelihood(self, z: Codes) -> NDArray[np.float64]:
        """log p(z) in nats: (n, d) -> (n,)."""
        return passes.said(z, [lambda block, _: {"values": logsumexp(self._joint(block), axis=1)}])[0]["values"]

    def placed(self, z: Codes) -> tuple[NDArray[np.float64], NDArray[np.int16], NDArray[np.float32]]:
        """log p(z), the most responsible component, and its responsibility, (n,) each: see `placed_block`."""
        values, component, share = passes.said(z, [lambda block, _: self.placed_block(block)])[0].values()
        return values, component, share

    def placed_block(self, z: NDArray[np.floating]) -> passes.Arrays:
        """As `placed`, of few enough codes to be held at once: log_likelihood, component, responsibility, (m,) each.

        The responsibility of j for z is w_j N(z; mean_j, covariance_j) / p(z) (the posterior of thesis section 2.5.1).
        """
        joint = self._joint(z)
        total = logsumexp(joint, axis=1)
        share = np.exp(joint.max(1) - total)
        placed = {"log_likelihood": total, "component": joint.argmax(1).astype(np.int16)}
        return placed | {"responsibility": share.astype(np.float32)}

    def ellipses(self, axes: NDArray[np.float64], centre: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Means (k, 2) and covariances (k, 2, 2) in the plane of `axes` (2, d) around `centre` (d,)."""
        if self.covariances.ndim == 2:
            spread = np.einsum("id,kd,jd->kij", axes, self.covariances, axes)
        else:
            spread = np.einsum("id,kde,je->kij", axes, self.covariances, axes)
        return (self.means - centre) @ axes.T, spread

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


def components_of(n: int) -> list[int]:
    """Those of `COMPONENTS` that n codes can be fitted with."""
    return [k for k in COMPONENTS if max(2, k) <= n]


def is_quick(n: int, k: int, d: int, covariance: str) -> bool:
    """Whether a fit takes about a second, so that somebody may wait for it."""
    return n * k * d * (d / 8 if covariance == "full" else 1) <= _QUICK_WORK


def fitted(z: NDArray[np.floating], k: int, covariance: str = "diag", seed: int = SEED) -> Mixture:
    """Expectation maximisation from k-means: (n, d) -> Mixture, heaviest component first; see em.py.

    `covariance`: "diag" or "full". Raises BadInputError when there are fewer codes than components, or one only.
    """
    if len(z) < max(2, k):
        raise BadInputError(f"{k} components need at least {max(2, k)} training images; there are {len(z)}.")
    parameters = em.fitted(z, k, covariance, seed)
    return Mixture(parameters.weights, parameters.means, parameters.covariances)


def dimensions_of(d: int, n: int) -> list[int]:
    """Those of `DIMENSIONS` that n codes of d dimensions have."""
    return [number for number in DIMENSIONS if number < min(d, n)]


def codes(run: Run, rows: NDArray[np.int64], dimensions: int = RAW) -> NDArray[np.floating]:
    """Codes of some rows, which ascend, as they are or in principal components of the training codes: (m, d)."""
    if dimensions == RAW:
        z = np.empty((len(rows), run.latent_dim), run.codes.dtype)
        blocks: Iterable[NDArray[np.floating]] = run.latent_blocks(rows)
    else:
        pca = projection.pca_of(run, dimensions)
        z, blocks = np.empty((len(rows), len(pca.components))), map(pca.applied, run.latent_blocks(rows))
    start = 0
    for block in blocks:
        z[start : start + len(block)] = block
        start += len(block)
    return z


def about(run: Run, k: int, covariance: str, dimensions: int) -> dict[str, object]:
    """What a mixture, and what it says of all codes, are kept by: it stands for them."""
    fit = {"k": k, "covariance": covariance, "dimensions": dimensions, "seed": SEED, "reg": REGULARISATION}
    is_stepwise = len(run) > em.MOST_EXACT and has_training_rows(run, em.MOST_EXACT + 1)
    steps = {"batch": em.BATCH, "forgetting": em.FORGETTING} if is_stepwise else {}
    return {"run": run.shards_digest, "method": _METHOD} | fit | steps | sample_key(run)


def known(run: Run, k: int, covariance: str = "diag", dimensions: int = RAW) -> Mixture | None:
    """The stored mixture of a Run's bona fide training codes, or None while nobody has fitted it. Never fits."""
    arrays = memo.found(run.cache, "mixture", about(run, k, covariance, dimensions))
    return None if arrays is None else Mixture(**arrays)


def is_known(run: Run, k: int, covariance: str = "diag", dimensions: int = RAW) -> bool:
    """Whether it is stored; it is not read."""
    return memo.is_kept(run.cache, "mixture", about(run, k, covariance, dimensions))


def of_training(run: Run, k: int, covariance: str = "diag", dimensions: int = RAW) -> Mixture:
    """The mixture of a Run's bona fide training codes, or of a sample of them (`latent.fitting_sample`); fitted once,
    then read from the memo."""
    asked = about(run, k, covariance, dimensions)
    return Mixture(**memo.arrays(run.cache, "mixture", asked, lambda: fit(run, k, covariance, dimensions)))


def fit(run: Run, k: int, covariance: str, dimensions: int) -> passes.Arrays:
    """What `of_training` stores."""
    return asdict(fitted(codes(run, fitting_sample(run).rows, dimensions), k, covariance))


@dataclass(frozen=True)
class Likelihoods:
    """What a mixture says of every row of a Run: see `Mixture.placed_block`.

    held_out: () mean log-likelihood in nats of the held-out training codes under a mixture that is fitted to the
    others; NaN where those are too few for one.
    """

    log_likelihood: NDArray[np.float64]
    component: NDArray[np.int16]
    responsibility: NDArray[np.float32]
    held_out: NDArray[np.float64]


def known_likelihoods(run: Run, k: int, covariance: str = "diag", dimensions: int = RAW) -> Likelihoods | None:
    """What `likelihoods` has stored, or None. Never computes: pages may call it."""
    arrays = memo.found(run.cache, "likelihoods", about(run, k, covariance, dimensions))
    return None if arrays is None else Likelihoods(**arrays)


def are_known(run: Run, k: int, covariance: str = "diag", dimensions: int = RAW) -> bool:
    """Whether `likelihoods` are stored, which are not read."""
    return memo.is_kept(run.cache, "likelihoods", about(run, k, covariance, dimensions))


def likelihoods(run: Run, k: int, covariance: str = "diag", dimensions: int = RAW) -> Likelihoods:
    """What the mixture of the training codes says of all rows; two fits where nothing is stored."""

    def compute() -> dict[str, Any]:
        says = placing(run, of_training(run, k, covariance, dimensions), dimensions)
        return passes.said(run.codes, [says])[0] | held_out(run, k, covariance, dimensions)

    return Likelihoods(**memo.arrays(run.cache, "likelihoods", about(run, k, covariance, dimensions), compute))


def keep(run: Run, k: int, covariance: str, dimensions: int, fitted_elsewhere: passes.Arrays) -> Mixture:
    """Stores what `fit` has given elsewhere, as `of_training` does."""
    asked = about(run, k, covariance, dimensions)
    return Mixture(**memo.arrays(run.cache, "mixture", asked, lambda: fitted_elsewhere))


def known_held_out(run: Run, k: int, covariance: str, dimensions: int) -> passes.Arrays | None:
    """What `keep_held_out` has stored, or None."""
    return memo.found(run.cache, "held out", about(run, k, covariance, dimensions))


def keep_held_out(run: Run, k: int, covariance: str, dimensions: int, said: passes.Arrays) -> passes.Arrays:
    """Stores what `held_out` has given, until it is part of the likelihoods."""
    return memo.arrays(run.cache, "held out", about(run, k, covariance, dimensions), lambda: said)


def keep_likelihoods(run: Run, k: int, covariance: str, dimensions: int, said: passes.Arrays) -> None:
    """Stores what `placing` and `held_out` have given elsewhere, as `likelihoods` does."""
    memo.arrays(run.cache, "likelihoods", about(run, k, covariance, dimensions), lambda: said)


@dataclass(frozen=True, eq=False)
class _Placing:
    """`passes.Says`: `Mixture.placed_block` of codes as they are, or in principal components."""

    mixture: Mixture
    pca: PrincipalComponents | None

    def __call__(self, z: NDArray[np.floating], start: int) -> passes.Arrays:  # noqa: ARG002 - as all of them
        return self.mixture.placed_block(z if self.pca is None else self.pca.applied(z))


def placing(run: Run, mixture: Mixture, dimensions: int = RAW) -> passes.Says:
    """What a mixture says of the codes of a Run, block by block."""
    return _Placing(mixture, None if dimensions == RAW else projection.pca_of(run, dimensions))


@dataclass(frozen=True)
class Split:
    """Training rows, ascending: those that are fitted, and those held out, which are `n_held` whole units."""

    fitted: NDArray[np.int64]
    held_out: NDArray[np.int64]
    unit: str  # "subjects" or "images"
    n_held: int


def split(run: Run) -> Split:
    """A fifth of the rows that are fitted held out, or a little more: whole subjects where each row names one."""
    rows, groups, by_subject = fitting_sample(run).rows, np.empty(0, np.intp), False
    if "subject_id" in run.column_names():
        people = run.samples(["subject_id"], repeated=["subject_id"])["subject_id"].iloc[rows].cat
        here, groups = np.unique(people.codes, return_inverse=True)
        by_subject = len(here) > 1 and here[0] >= 0 and "" not in people.categories[here]
    if not by_subject:
        groups = np.arange(len(rows))
    sizes = np.bincount(groups)
    order = np.random.default_rng(SEED).permutation(len(sizes))
    n_held = 1 + int(np.searchsorted(sizes[order].cumsum(), HELD_OUT * len(rows)))
    is_held = np.isin(groups, order[: min(n_held, len(order) - 1)])
    unit = "subjects" if by_subject else "images"
    return Split(rows[~is_held], rows[is_held], unit, min(n_held, len(order) - 1))


def held_out(run: Run, k: int, covariance: str, dimensions: int) -> passes.Arrays:
    """`held_out` of `Likelihoods`; a fit."""
    return {"held_out": np.array(_held_out(run, k, covariance, dimensions))}


def _held_out(run: Run, k: int, covariance: str, dimensions: int) -> float:
    parts = split(run)
    fit, held = codes(run, parts.fitted), codes(run, parts.held_out) if len(parts.held_out) else None
    if dimensions and held is not None and len(fit) > dimensions:
        pca = projection.fitted_pca(fit, dimensions)
        fit, held = pca.applied(fit), pca.applied(held)
    if held is None or not is_estimable(len(fit), k, fit.shape[1], covariance):
        return float("nan")
    return float(fitted(fit, k, covariance).log_likelihood(held).mean())


def auc_per_species(samples: pd.DataFrame, log_likelihood: NDArray[np.float64]) -> dict[str, float]:
    """AUC of -log p per attack species against all bona fide samples given; {} where either kind is missing.

    Needs the columns label and pai_species; row i of `samples` has log_likelihood[i].
    """
    is_attack = (samples["label"] == ATTACK).to_numpy(bool)
    score_set = metrics.score_set(-log_likelihood, is_attack, samples["pai_species"])
    if not (score_set.n_bona_fide and score_set.n_attack):
        return {}
    return {name: metrics.roc_auc(score_set, name) for name, of_species in score_set.attacks.items() if len(of_species)}


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
