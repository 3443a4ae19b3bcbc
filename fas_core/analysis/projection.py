"""Codes in the plane: PCA and UMAP (thesis sections 3.7 and 4)."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from fas_core import memo
from fas_core.analysis import training_rows
from fas_core.errors import BadInputError
from fas_core.store import Run

COMPONENTS = 10  # principal components kept; any two make a plot
UMAP_LIMIT = 20_000  # points; beyond it a stratified sample is embedded, and the page says so
NEIGHBOURS, MIN_DIST = 15, 0.1  # the method's own defaults


@dataclass(frozen=True)
class PrincipalComponents:
    """mean (d,), components (k, d) orthonormal rows, explained (k,) share of the variance each accounts for."""

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    explained: NDArray[np.float64]

    def applied(self, z: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, d) -> (n, k) coordinates."""
        return (np.asarray(z, np.float64) - self.mean) @ self.components.T


def fitted_pca(z: NDArray[np.floating], k: int = COMPONENTS) -> PrincipalComponents:
    """The k directions of largest variance of (n, d) codes; signs fixed so that the largest entry is positive."""
    if len(z) < 2:
        raise BadInputError(f"Principal components need at least two codes; there are {len(z)}.")
    z64 = np.asarray(z, np.float64)
    mean = z64.mean(0)
    centred = z64 - mean
    variances, vectors = np.linalg.eigh(centred.T @ centred / (len(z64) - 1))
    components = vectors.T[::-1][:k]
    signs = np.sign(components[np.arange(len(components)), np.abs(components).argmax(1)])
    total = variances.sum()
    explained = variances[::-1][:k] / total if total > 0 else np.zeros(len(components))
    return PrincipalComponents(mean, components * signs[:, None], explained.clip(min=0))


def pca_rows(run: Run) -> tuple[NDArray[np.int64], bool]:
    """Rows that `pca_of` is fitted on, and whether they are the bona fide training images; all rows where none are."""
    try:
        return training_rows(run), True
    except BadInputError:
        return np.arange(len(run)), False


def pca_of(run: Run) -> PrincipalComponents:
    """Principal components of a Run's bona fide training codes, or of all its codes where it has no training images."""
    rows, _ = pca_rows(run)
    arrays = memo.arrays(
        run.cache,
        "pca",
        {"run": run.digest, "k": COMPONENTS},
        lambda: asdict(fitted_pca(np.asarray(run.latents()[rows]))),
    )
    return PrincipalComponents(**arrays)


@dataclass(frozen=True)
class Embedding:
    """UMAP coordinates (m, 2) of the rows (m,) of a Run."""

    rows: NDArray[np.int64]
    points: NDArray[np.float32]


def _umap_parameters(run: Run, seed: int) -> dict[str, object]:
    return {
        "run": run.digest,
        "seed": seed,
        "neighbours": NEIGHBOURS,
        "min_dist": MIN_DIST,
        "limit": UMAP_LIMIT,
    }


def known_umap(run: Run, seed: int = 0) -> Embedding | None:
    """The stored embedding, or None while nobody has computed it. Never computes: pages may call it."""
    arrays = memo.found(run.cache, "umap", _umap_parameters(run, seed))
    return None if arrays is None else Embedding(**arrays)


def umap_of(run: Run, seed: int = 0) -> Embedding:
    """UMAP of a Run's codes, fitted on all of them without labels; tens of seconds, so never inside a page."""
    arrays = memo.arrays(run.cache, "umap", _umap_parameters(run, seed), lambda: asdict(_embedded(run, seed)))
    return Embedding(**arrays)


def _embedded(run: Run, seed: int) -> Embedding:
    rows = sampled_rows(run.samples(["subset"])["subset"].to_numpy(), UMAP_LIMIT, seed)
    z = np.asarray(run.latents()[rows], np.float32)
    if len(z) <= NEIGHBOURS:
        raise BadInputError(f"UMAP needs more than {NEIGHBOURS} images; Run {run.info.name} has {len(z)}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and umap's notes on threads and seeds; the seed is meant
        import umap

        points = umap.UMAP(n_neighbors=NEIGHBOURS, min_dist=MIN_DIST, random_state=seed).fit_transform(z)
    return Embedding(rows, points.astype(np.float32))


def sampled_rows(groups: NDArray[np.str_], limit: int, seed: int) -> NDArray[np.int64]:
    """At most about `limit` of n rows, the same share of every group (at least one), in row order."""
    n = len(groups)
    if n <= limit:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    chosen = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        chosen.append(rng.choice(rows, max(1, round(limit * len(rows) / n)), replace=False))
    return np.sort(np.concatenate(chosen))
