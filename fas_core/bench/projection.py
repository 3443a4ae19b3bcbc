"""PCA of a Run of 300,000 codes in 512 dimensions; UMAP of one of 50,000, against umap-learn as it comes.

The target of PCA is absolute: a page waits for it. So measure on a machine that is idle. Both Runs are real ones with
images of one pixel, and everything that `fas cache` does for them is measured, with the reading and the storing.

The codes: 400 people, each a Gaussian cloud around a point of 16 hidden dimensions, bent into 512 by a random network
of one layer of 256 tanh units, and noise of deviation 0.05 in every dimension.

umap-learn gets the 512 dimensions, a seed, and its own defaults. Trustworthiness (Venna and Kaski, 2001) of both is
that of the same 4,000 images, all fitted ones and placed ones alike, by their 15 nearest in all 512 dimensions. `cold`
is a process's first UMAP, which compiles; the ratio is of warm ones.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo
from fas_core.bench import medians
from fas_core.latent import projection
from fas_core.runs import store

PEOPLE, HIDDEN, UNITS, NOISE = 400, 16, 256, 0.05
JUDGED, WARMING = 4_000, 5_000  # umap-learn takes another way, which does not compile its search, below 4,096
TARGETS = {
    "pca_seconds": ("at_most", 3.0),
    "umap": ("at_most", 0.35),
    "trustworthiness_difference": ("at_least", -0.01),
}


def figures(
    n_pca: int = 300_000, n_umap: int = 50_000, dimensions: int = 512, judged: int = JUDGED
) -> dict[str, float]:
    """Seconds, `umap` the ratio of both, and trustworthiness. `coordinates`: of every code in the components shown."""
    with tempfile.TemporaryDirectory() as folder:
        of_pca = _pca_figures(_run_of(Path(folder), "pca", _codes(n_pca, dimensions)))
    with tempfile.TemporaryDirectory() as folder:
        z = _codes(n_umap, dimensions)
        return of_pca | _umap_figures(_run_of(Path(folder), "umap", z), z, judged)


def _pca_figures(run: store.Run) -> dict[str, float]:
    pca = projection.pca_of(run)
    works: dict[str, Callable[[], object]] = {
        "pca_seconds": lambda: projection.pca_of(_forgetful(run)),
        "coordinates_seconds": lambda: projection.coordinates(run, pca),
    }
    return medians(works, 3)


def _umap_figures(run: store.Run, z: NDArray[np.float32], judged: int) -> dict[str, float]:
    from sklearn.manifold import trustworthiness

    cold, _ = _timed(lambda: projection.umap_of(_forgetful(run)).points)
    _umap_learn(z[:WARMING])
    seconds, points = {}, {}
    seconds["ours"], points["ours"] = _timed(lambda: projection.umap_of(_forgetful(run)).points)
    seconds["umap_learn"], points["umap_learn"] = _timed(lambda: _umap_learn(z))
    rows = np.random.default_rng(1).choice(len(z), min(judged, len(z)), replace=False)
    trust = {name: float(trustworthiness(z[rows], points[name][rows], n_neighbors=15)) for name in points}
    by_name = {f"{name}_seconds": value for name, value in seconds.items()}
    by_name |= {f"{name}_trustworthiness": value for name, value in trust.items()}
    return by_name | {
        "cold_seconds": cold,
        "umap": seconds["ours"] / seconds["umap_learn"],
        "trustworthiness_difference": trust["ours"] - trust["umap_learn"],
    }


def _timed(work: Callable[[], NDArray[np.float32]]) -> tuple[float, NDArray[np.float32]]:
    start = time.perf_counter()
    points = work()
    return time.perf_counter() - start, points


def _umap_learn(z: NDArray[np.float32]) -> NDArray[np.float32]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its notes on threads and seeds
        import umap

        return np.asarray(umap.UMAP(random_state=0).fit_transform(z))


def _forgetful(run: store.Run) -> store.Run:
    """The Run, with nothing stored of it."""
    shutil.rmtree(memo.folder(run.cache), ignore_errors=True)
    return run


def _codes(n: int, dimensions: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    people = rng.normal(size=(PEOPLE, HIDDEN))
    first, second = rng.normal(size=(HIDDEN, UNITS)), rng.normal(size=(UNITS, dimensions))
    z = np.empty((n, dimensions), np.float32)
    for i in range(0, n, 10_000):
        here = z[i : i + 10_000]
        hidden = people[rng.integers(0, PEOPLE, len(here))] + 0.4 * rng.normal(size=(len(here), HIDDEN))
        bent = np.tanh(1.5 * hidden @ first / np.sqrt(HIDDEN)) @ second / np.sqrt(UNITS)
        here[:] = bent + NOISE * rng.normal(size=here.shape)
    return z


def _run_of(cache: Path, name: str, z: NDArray[np.float32]) -> store.Run:
    """A Run of live training images with these codes, and one pixel each."""
    info = store.RunInfo(run=store.run_id(name), name=name, kind="images", subsets={"train": len(z)}, scores=["rec"])
    folder = store.create(cache, info)
    for i, shard in enumerate(info.shard_names("train")):
        here = z[i * info.shard_size : (i + 1) * info.shard_size]
        samples = pd.DataFrame({"sample_id": [f"{shard}/{k}.png" for k in range(len(here))]})
        samples = samples.assign(label="bona_fide", pai_species="", subset="train", rec=np.float32(1))
        store.write_shard(
            folder / "train" / shard,
            samples,
            samples.iloc[:0].assign(reason=pd.Series([], dtype="str")),
            latents=here,
            **{kind: np.zeros((len(here), 1, 1), np.uint8) for kind in ("reconstructions", "inputs")},
        )
    return store.open_run(cache, name)
