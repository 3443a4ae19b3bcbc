"""Codes in the plane: PCA and UMAP (thesis sections 3.7 and 4)."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fas_core import memo
from fas_core.errors import BadInputError
from fas_core.latent import (
    MOST_FITTED,
    drawn_rows,
    fitting_sample,
    has_training_rows,
    sample_key,
    sample_words,
    training_rows,
)
from fas_core.metrics.uncertainty import one_thread
from fas_core.runs.store import Run

COMPONENTS = 10  # principal components kept; any two make a plot
LARGE = 200_000  # codes, whose places are kept
BLOCK = 1024  # codes that are multiplied at once
NEIGHBOURS, MIN_DIST = 15, 0.1  # UMAP's own defaults
UMAP_DIMENSIONS = 50  # principal components that UMAP sees: in all 512, neighbours take much longer to find
EPOCHS = 200  # as umap-learn takes for large sets
UMAP_LIMIT = 10_000  # codes that UMAP is fitted on; more are sampled, the rest lies among them, and the page says so
PLACED_AT_ONCE = 16_384  # of the others
NEAREST = 3  # fitted codes between which another one lies
QUICK = 2e11  # multiplications that principal components may take in a page: some seconds of one core
# Shares of a layout's time after which its neighbours are known, umap is imported, and compiled so that the first epoch
# begins, and the last epoch has ended.
FOUND, IMPORTED, BEGUN, LAID_OUT = 0.1, 0.2, 0.6, 0.95

NEIGHBOURS_BOUNDS, MIN_DIST_BOUNDS, SEED_BOUNDS = (2, 200), (0.0, 0.99), (0, 2**31 - 1)  # of a UMAP, both ends included

FittedOn = Literal["training", "all"]  # bona fide training images, or all images of a Run
Told = Callable[[float], None]  # hears what share of the work is done, 0..1, as it goes


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
    """The k directions of largest variance of (n, d) codes; signs fixed so that the largest entry is positive.

    float32 codes are multiplied as such, around the mean of their block, and summed in float64: each variance is right
    to 1e-6 of the largest one. float64 codes stay what they are. Memory: a block of codes and a few (d, d) matrices.
    Raises BadInputError for fewer than two codes.
    """
    return _principal_components((z[i : i + BLOCK] for i in range(0, len(z), BLOCK)), k)


def _principal_components(blocks: Iterable[NDArray[np.floating]], k: int) -> PrincipalComponents:
    """As `fitted_pca`, of codes that come in blocks (m, d), m > 0: scatter inside the blocks, and of their means."""
    counts, means, left = [], [], []  # left: what rounding the means to the codes' type leaves
    within = np.zeros((1, 1))
    with one_thread():
        for block in blocks:
            counts.append(len(block))
            means.append(block.mean(0, dtype=np.float64))
            shift = means[-1].astype(block.dtype)
            left.append(means[-1] - shift)
            centred = block - shift
            within = within + centred.T @ centred
        n = sum(counts)
        if n < 2:
            raise BadInputError(f"Principal components need at least two codes; there are {n}.")
        weights, rest = np.array(counts)[:, None], np.array(left)
        mean = (weights * means).sum(0) / n
        apart = means - mean
        scatter = within + (weights * apart).T @ apart - (weights * rest).T @ rest
        variances, vectors = np.linalg.eigh(scatter / (n - 1))
    components = vectors.T[::-1][:k]
    signs = np.sign(components[np.arange(len(components)), np.abs(components).argmax(1)])
    all_variance = variances.clip(min=0).sum()
    explained = variances[::-1][:k].clip(min=0) / all_variance if all_variance > 0 else np.zeros(len(components))
    return PrincipalComponents(mean, components * signs[:, None], explained)


def pca_rows(run: Run, on: FittedOn = "training") -> tuple[NDArray[np.int64], bool]:
    """Rows that `pca_of` is fitted on, and whether they are bona fide training images; of all where not two are. Of
    many, a sample, as `pca_words` says."""
    if on == "training":
        try:
            rows = fitting_sample(run).rows
        except BadInputError:
            pass
        else:
            if len(rows) > 1:  # one has no variance
                return rows, True
    return drawn_rows(len(run)), False


def pca_words(run: Run, on: FittedOn = "training") -> str:
    """What `pca_of` is fitted on: "PCA fitted on the 24 live training images"."""
    rows, is_training = pca_rows(run, on)
    if is_training:
        sample = fitting_sample(run)
        return f"PCA fitted on {'the ' if len(sample) == sample.n else ''}{sample.words}"
    whom, is_all = sample_words(len(rows), len(run), "images"), len(rows) == len(run)
    if not has_training_rows(run, 2):
        return f"PCA fitted on {'the ' if is_all else ''}{whom} (there are not two training images)"
    return f"PCA fitted on {'all ' if is_all else ''}{whom}, attacks among them; no labels"


def pca_of(run: Run, k: int = COMPONENTS, on: FittedOn = "training") -> PrincipalComponents:
    """First k principal components of a Run's bona fide training codes, or of all its codes, as where it has fewer than
    two of them; of many, of a sample: see `pca_words`. Raises BadInputError for a Run of fewer than two codes."""
    rows, _ = pca_rows(run, on)
    arrays = memo.arrays(
        run.cache,
        "pca",
        _pca_parameters(run, k, on),
        lambda: asdict(_principal_components(run.latent_blocks(rows), k)),
    )
    return PrincipalComponents(**arrays)


def _pca_parameters(run: Run, k: int, on: FittedOn) -> dict[str, object]:
    # What is fitted on training images has always been stored under a key that does not say so.
    of_all = on == "all" or not has_training_rows(run, 2)
    return (
        {"run": run.shards_digest, "k": k} | ({} if on == "training" else {"on": on}) | sample_key(run, of_all=of_all)
    )


def is_pca_at_hand(run: Run, on: FittedOn = "training") -> bool:
    """Whether `pca_of` answers within seconds: it is stored, or there are not too many codes to multiply."""
    if min(len(run), MOST_FITTED) * float(run.latent_dim) ** 2 <= QUICK or _is_small(run, on):
        return True
    return memo.found(run.cache, "pca", _pca_parameters(run, COMPONENTS, on)) is not None


def _is_small(run: Run, on: FittedOn) -> bool:
    return len(pca_rows(run, on)[0]) * float(run.latent_dim) ** 2 <= QUICK


def coordinates(run: Run, pca: PrincipalComponents) -> NDArray[np.float32]:
    """Every code of a Run in some principal components, (n, k); the codes are read block by block, those of a large Run
    once."""

    def applied() -> memo.Arrays:
        places = np.empty((len(run), len(pca.components)), np.float32)
        with one_thread():
            for shard in run.shards:
                places[shard.start : shard.start + shard.n] = pca.applied(shard.array("latents"))
        return {"places": places}

    if len(run) < LARGE:
        return applied()["places"]
    content = hashlib.sha256(pca.mean.tobytes() + pca.components.tobytes()).hexdigest()
    return memo.arrays(run.cache, "coordinates", {"run": run.shards_digest, "components": content}, applied)["places"]


def first_plane(run: Run, pca: PrincipalComponents) -> NDArray[np.float32]:
    """Its `coordinates` in the first two components, (n, 2) where there are so many: what pages open with."""
    return coordinates(run, replace(pca, components=pca.components[:2]))


@dataclass(frozen=True)
class Umap:
    """What a UMAP layout depends on besides the codes.

    `neighbours`: of a code that it is to lie among, few for detail and many for the whole; `min_dist`: how close points
    may lie, in units of the layout. Raises BadInputError where either is out of bounds or the seed is negative.
    """

    neighbours: int = NEIGHBOURS
    min_dist: float = MIN_DIST
    seed: int = 0
    on: FittedOn = "all"

    def __post_init__(self) -> None:
        for name, value, (low, high) in (
            ("neighbours", self.neighbours, NEIGHBOURS_BOUNDS),
            ("min_dist", self.min_dist, MIN_DIST_BOUNDS),
            ("seed", self.seed, SEED_BOUNDS),
        ):
            if not low <= value <= high:
                raise BadInputError(f"UMAP cannot have {name} {value}: choose from {low} to {high}.")
        if self.on not in ("training", "all"):
            raise BadInputError(f"UMAP cannot be fitted on '{self.on}': choose training or all.")


USUAL = Umap()  # what is made ready for every Run


@dataclass(frozen=True)
class Embedding:
    """UMAP coordinates (n, 2) of every row of a Run, and the rows (m,), ascending, that the layout was fitted on."""

    fitted: NDArray[np.int64]
    points: NDArray[np.float32]


def _umap_parameters(run: Run, how: Umap) -> dict[str, object]:
    parameters: dict[str, object] = {
        "run": run.shards_digest,
        "seed": how.seed,
        "neighbours": how.neighbours,
        "min_dist": how.min_dist,
        "limit": UMAP_LIMIT,
        "dimensions": UMAP_DIMENSIONS,
        "epochs": EPOCHS,
        "nearest": NEAREST,
    }
    return parameters | ({} if how.on == "all" else {"on": how.on})  # as with the PCA, the usual one is not named


def known_umap(run: Run, how: Umap = USUAL) -> Embedding | None:
    """The stored embedding, or None while nobody has computed it. Never computes: pages may call it."""
    arrays = memo.found(run.cache, "umap", _umap_parameters(run, how))
    return None if arrays is None else Embedding(**arrays)


def is_umap_known(run: Run, how: Umap = USUAL) -> bool:
    """Whether it is stored; it is not read."""
    return memo.is_kept(run.cache, "umap", _umap_parameters(run, how))


def umap_of(run: Run, how: Umap = USUAL, tell: Told = lambda _: None) -> Embedding:
    """UMAP of all codes of a Run, without labels; tens of seconds, so never inside a page.

    Fitted on a sample with the same share of every subset where there are more than `UMAP_LIMIT`.
    Raises BadInputError when there are too few, or no training images to fit it on.
    """
    arrays = memo.arrays(run.cache, "umap", _umap_parameters(run, how), lambda: asdict(_embedded(run, how, tell)))
    return Embedding(**arrays)


def umap_rows(run: Run, on: FittedOn) -> NDArray[np.int64]:
    """Rows that a UMAP is fitted on, or sampled from. Raises BadInputError where there are no training images."""
    return training_rows(run) if on == "training" else np.arange(len(run))


def umap_words(how: Umap, n_fitted: int, n: int, n_all: int, d: int) -> str:
    """What a UMAP has seen of the codes: "UMAP fitted on the first 50 of 512 principal components of all 24 images".

    It is fitted on `n_fitted` of the n codes that it may be fitted on, and shows `n_all` codes of d numbers.
    """
    whom = "live training images" if how.on == "training" else "images"
    codes = f"all {n:,} {whom}" if n == n_fitted else f"{n_fitted:,} of {n:,} {whom} (at most {UMAP_LIMIT:,})"
    of = f"the first {UMAP_DIMENSIONS} of {d} principal components of " if d > UMAP_DIMENSIONS else ""
    others = ", the others placed between their nearest" if n_fitted < n_all else ""
    return f"UMAP fitted on {of}{codes}{others}"


def _embedded(run: Run, how: Umap, tell: Told) -> Embedding:
    rows = umap_rows(run, how.on)
    if len(rows) <= how.neighbours:
        what = "live training images" if how.on == "training" else "images"
        raise BadInputError(f"UMAP needs more than {how.neighbours} {what}; Run {run.info.name} has {len(rows)}.")
    subset = run.samples(["subset"], repeated=["subset"])["subset"].cat.codes.to_numpy()  # in order of name
    rows = rows[sampled_rows(subset[rows], UMAP_LIMIT, how.seed)]
    pca = _principal_components(run.latent_blocks(rows), UMAP_DIMENSIONS)
    with one_thread():
        sample = np.concatenate([pca.applied(block).astype(np.float32) for block in run.latent_blocks(rows)])
    points = np.empty((len(run), 2), np.float32)
    points[rows] = layout = laid_out(sample, how, tell)
    others = np.ones(len(run), np.bool_)
    others[rows] = False
    for start in range(0, len(run), PLACED_AT_ONCE):
        here = start + np.flatnonzero(others[start : start + PLACED_AT_ONCE])
        if len(here):
            with one_thread():
                z = pca.applied(run.codes[start : start + PLACED_AT_ONCE]).astype(np.float32)[here - start]
            points[here] = placed(z, sample, layout)
        tell(LAID_OUT + (1 - LAID_OUT) * start / len(run))
    tell(1.0)
    return Embedding(rows, points)


def placed(z: NDArray[np.float32], sample: NDArray[np.float32], layout: NDArray[np.float32]) -> NDArray[np.float32]:
    """Codes (n, k) among those that were laid out, (m, k) and (m, 2): (n, 2).

    Each lies at the mean of its `NEAREST` ones, weighted by the inverse squares of their distances.
    """
    distance, nearest = _nearest(sample, z, NEAREST)
    weight = 1 / (distance.astype(np.float64) ** 2 + 1e-30)  # a copy of a fitted code lies where that one does
    return np.asarray((layout[nearest] * weight[..., None]).sum(1) / weight.sum(1, keepdims=True), np.float32)


def laid_out(sample: NDArray[np.float32], how: Umap = USUAL, tell: Told = lambda _: None) -> NDArray[np.float32]:
    """UMAP (McInnes, Healy and Melville, 2018) of codes (m, k), principal components in order: (m, 2).

    Neighbours are exact, found by all cores; the result is the same on every call: UMAP gets a seed, and so lays out in
    one thread.
    """
    distance, neighbours = _nearest(sample, sample, how.neighbours)
    tell(FOUND)
    # Begun at the first two components, the layout keeps their order at large; UMAP's spectral start takes long.
    begin = "pca" if sample.shape[1] > 1 and sample.any() else "random"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and umap's notes on threads, seeds and neighbours; they are meant
        import umap

        tell(IMPORTED)
        layout = umap.UMAP(
            n_neighbors=how.neighbours,
            min_dist=how.min_dist,
            n_epochs=EPOCHS,
            init=begin,
            random_state=how.seed,
            precomputed_knn=(neighbours, distance),  # its own search takes half a minute to compile
            tqdm_kwds={"file": _Epochs(tell), "bar_format": "{n}", "disable": False},
        ).fit_transform(sample)
    return np.asarray(layout, np.float32)


class _Epochs:
    """The file that UMAP's bar is written to: the number of epochs that are over, which is all it is asked to write."""

    def __init__(self, tell: Told) -> None:
        self._tell = tell

    def write(self, text: str) -> None:
        done = text.strip()
        if done.isdecimal():
            self._tell(BEGUN + (LAID_OUT - BEGUN) * min(1.0, int(done) / EPOCHS))

    def flush(self) -> None:
        pass


def _nearest(
    fitted: NDArray[np.float32], z: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Distances of the k nearest fitted codes to each code of z, ascending, and their positions: (m, k) each."""
    from sklearn.neighbors import NearestNeighbors

    distance, nearest = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(fitted).kneighbors(z)
    return distance, nearest


def sampled_rows(groups: NDArray[np.str_ | np.integer], limit: int, seed: int) -> NDArray[np.int64]:
    """At most about `limit` of n rows, the same share of every group (at least one), in row order.

    `groups`: (n,) names, or numbers in order of name.
    """
    n = len(groups)
    if n <= limit:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    chosen = []
    # Of millions, numbers are counted: to put them in order takes longer than all else.
    for group in np.flatnonzero(np.bincount(groups)) if groups.dtype.kind in "iu" else np.unique(groups):
        rows = np.flatnonzero(groups == group)
        chosen.append(rng.choice(rows, max(1, round(limit * len(rows) / n)), replace=False))
    return np.sort(np.concatenate(chosen))
