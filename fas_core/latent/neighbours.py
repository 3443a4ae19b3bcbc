"""The images nearest to an image, of live training or of all others, by codes and by pixels: exact, without an index.

A question is one pass over the codes as they lie on disk, mapped into memory: |x|^2 - 2 x q in float32 leaves a few
candidates, whose distances are then computed in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fas_core.data import thumbnails
from fas_core.errors import BadInputError
from fas_core.latent import has_training_rows, passes, training_rows
from fas_core.runs import duplicates
from fas_core.runs.store import Run

RUNS_KEPT = 4
AT_ONCE = 1024  # codes whose distances to all others are in memory: 40 MB to ten thousand
SPARE = 4  # candidates beyond the k nearest in float32, whose order rounding may have turned
CHUNK = 64  # values of which the smallest is found first
AmongWhom = Literal["training", "others"]  # live training images; all other images
Near = tuple[NDArray[np.float64], NDArray[np.int64]]
Told = Callable[[float], object]  # hears what share is done


def nearest(
    run: Run, code: NDArray[np.floating], k: Mapping[AmongWhom, int], *, own: int | None = None
) -> dict[AmongWhom, Near]:
    """Euclidean distances, ascending, and rows of the codes nearest to one (d,), k of each kind: (k,) both.

    Of equally near ones the first row comes first. Fewer than k where there are no more. `own`: a row that is left out.
    Raises BadInputError for a code of another length, and for a Run without codes.
    """
    if code.shape != (run.latent_dim,):
        raise BadInputError(
            f"A code of shape {code.shape} has no neighbours in Run {run.info.name}, whose have {run.latent_dim} "
            "numbers."
        )
    squared, error = _squared(run, code.astype(np.float32))
    of_whom = {among: _rows(run, among, own) for among in k}
    return {among: _nearest(run, code, rows, squared[rows], error, k[among]) for among, rows in of_whom.items()}


def _squared(run: Run, q: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """(n,) |x|^2 - 2 x q of every code x of a Run, in float32, and how far rounding may have moved one of them."""
    squared, longest = np.empty(len(run), np.float32), 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # then the bound is no number, and all are candidates
        for shard in run.shards:
            codes = np.asarray(shard.array("latents"), np.float32)
            lengths = np.einsum("nd,nd->n", codes, codes)
            squared[shard.start : shard.start + shard.n] = lengths - codes @ (2 * q)
            longest = max(longest, float(np.sqrt(lengths.max(initial=0))))
    # A sum of d products is moved by at most d roundings of the product of both norms (Higham, Accuracy and Stability
    # of Numerical Algorithms, 2002, section 3.1), the difference of two sums by two more.
    norms = longest * (longest + 2 * float(np.linalg.norm(q.astype(np.float64))))
    return squared, (len(q) + 2) * float(np.finfo(np.float32).eps) * norms


def _nearest(
    run: Run, code: NDArray[np.floating], rows: NDArray[np.int64], squared: NDArray[np.float32], error: float, k: int
) -> Near:
    """The k nearest among some rows (m,), which ascend; `squared`: (m,) theirs, of which no two are to be told apart
    that differ by less than twice the error."""
    n = min(k, len(rows))
    if n < 1:
        return np.empty(0), np.empty(0, np.int64)
    is_beyond = squared > float(np.partition(squared, n - 1)[n - 1]) + 2 * error
    candidates = rows[~is_beyond]
    those = np.concatenate(list(run.latent_blocks(candidates)))
    exact = np.linalg.norm(those.astype(np.float64) - code, axis=1)
    order = np.argsort(exact, kind="stable")[:n]
    return exact[order], candidates[order]


def nearest_pictures(
    run: Run, image: NDArray[np.uint8], k: int, among: AmongWhom = "training", *, own: int | None = None
) -> Near:
    """Differences, ascending, and rows of the k stored inputs nearest to an image (H, W) by pixels: (k,) both.

    Root mean squares of pixels in 0..1, shrunk to 32x32. `own`: a row that is left out. Raises BadInputError for a Run
    without images, and for one of more than `duplicates.MOST`, whose thumbnails would fill the memory.
    """
    rows = _rows(run, among, own)
    differences = thumbnails.differences_from(_pictures(run), thumbnails.shrunk(image[np.newaxis]))[rows]
    order = np.argsort(differences, kind="stable")[:k]
    return differences[order], rows[order]


@lru_cache(maxsize=RUNS_KEPT)
def _pictures(run: Run) -> NDArray[np.uint8]:
    if len(run) > duplicates.MOST:
        raise BadInputError(f"Pixels are compared in Runs of at most {duplicates.MOST:,} images.")
    return duplicates.pixels(run)


def _rows(run: Run, among: AmongWhom, own: int | None) -> NDArray[np.int64]:
    is_one = np.zeros(len(run), np.bool_)
    if has_training_rows(run, 1):
        is_one[training_rows(run)] = True
    if among == "others":
        is_one = ~is_one
    if own is not None:
        is_one[own] = False
    return np.flatnonzero(is_one)


def of_each(codes: NDArray[np.float32], k: int, told: Told = lambda _: None) -> Near:
    """Distances, ascending, and rows of the k codes nearest to each of n codes, itself left out: (n, k) both, k < n.

    `told` hears what share is done.
    """
    from sklearn.neighbors import NearestNeighbors

    fitted = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(codes)
    distances, rows = np.empty((len(codes), k)), np.empty((len(codes), k), np.int64)
    for start in range(0, len(codes), duplicates.BLOCK):
        here = np.arange(start, min(start + duplicates.BLOCK, len(codes)))
        near, near_rows = fitted.kneighbors(codes[here])
        is_other = near_rows != here[:, np.newaxis]
        is_other[is_other.all(axis=1), -1] = False  # of k + 1 copies of a code, itself was not among the nearest
        distances[here] = near[is_other].reshape(-1, k)
        rows[here] = near_rows[is_other].reshape(-1, k)
        told(min(1.0, (start + duplicates.BLOCK) / len(codes)))
    return distances, rows


def distances(
    among: NDArray[np.floating], codes: passes.Codes, k: int, own: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Euclidean distances, ascending, of the k of m codes (m, d) that are nearest to each of n codes (n, d): (n, k).

    `own`: (n,) the position among the m that is the code itself and so none of its neighbours; -1 where none is. Fewer
    than k where m, or m - 1 with `own`, are fewer. Memory does not grow with n.
    """
    them = Among(among)

    def says(z: NDArray[np.floating], start: int) -> passes.Arrays:
        return {"distances": them.distances(z, k, None if own is None else own[start : start + len(z)])}

    return passes.said(codes, [says])[0]["distances"]


class Among:
    """m codes (m, d) among which the nearest are looked for.

    Products in float32, around their mean, leave some more than are asked for, whose distances are then computed in
    float64.
    """

    def __init__(self, codes: NDArray[np.floating]) -> None:
        self._codes = codes
        self._middle = codes.mean(axis=0, dtype=np.float64)
        self._centred = (codes - self._middle).astype(np.float32)
        self._lengths = np.einsum("md,md->m", self._centred, self._centred)
        self._centred *= -2  # exact; products are then what is to be added to the lengths

    def distances(
        self, codes: NDArray[np.floating], k: int, own: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """As the function, (n, k); in one thread."""
        k = min(k, len(self._codes) - (own is not None))
        if not len(codes) or k < 1:
            return np.empty((len(codes), max(k, 0)))
        blocks = (slice(start, start + AT_ONCE) for start in range(0, len(codes), AT_ONCE))
        return np.concatenate([self._distances(codes[rows], k, None if own is None else own[rows]) for rows in blocks])

    def _distances(self, codes: NDArray[np.floating], k: int, own: NDArray[np.int64] | None) -> NDArray[np.float64]:
        squared = (codes - self._middle).astype(np.float32) @ self._centred.T
        squared += self._lengths  # but for the codes' own lengths
        if own is not None:
            squared[np.flatnonzero(own >= 0), own[own >= 0]] = np.inf
        near = _smallest(squared, min(k + SPARE, len(self._codes)))
        apart = self._codes[near].astype(np.float64) - codes[:, np.newaxis]
        exact = np.sqrt(np.einsum("nkd,nkd->nk", apart, apart))
        exact[np.isinf(np.take_along_axis(squared, near, axis=1))] = np.inf
        return np.sort(exact, axis=1)[:, :k]


def _smallest(values: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Columns of the n smallest of each row, (m, n), in no order.

    They lie in the n chunks whose smallest values are smallest; putting those in order is a tenth of the work.
    """
    n_chunks = values.shape[1] // CHUNK
    if n_chunks <= 4 * n:
        return np.argpartition(values, n - 1, axis=1)[:, :n]
    whole = n_chunks * CHUNK
    least = values[:, :whole].reshape(len(values), n_chunks, CHUNK).min(axis=2)
    chunks = np.argpartition(least, n - 1, axis=1)[:, :n]
    columns = (chunks[:, :, np.newaxis] * CHUNK + np.arange(CHUNK)).reshape(len(values), -1)
    rest = np.broadcast_to(np.arange(whole, values.shape[1]), (len(values), values.shape[1] - whole))
    columns = np.concatenate([columns, rest], axis=1)
    here = np.take_along_axis(values, columns, axis=1)
    return np.take_along_axis(columns, np.argpartition(here, n - 1, axis=1)[:, :n], axis=1)
