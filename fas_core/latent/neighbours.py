"""The images nearest to an image, of live training or of all others, by codes and by pixels: exact, without an index.

A question is one pass over the codes as they lie on disk, mapped into memory: |x|^2 - 2 x q in float32 leaves a few
candidates, whose distances are then computed in float64. Maps and |x|^2 of the Runs asked about last are kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fas_core.data import thumbnails
from fas_core.errors import BadInputError
from fas_core.latent import has_training_rows, projection, training_rows
from fas_core.runs import duplicates
from fas_core.runs.store import Run

RUNS_KEPT = 4
AT_ONCE = 1024  # codes whose distances to all others are in memory: 40 MB to ten thousand
SPARE = 4  # candidates beyond the k nearest in float32, whose order rounding may have turned
Among = Literal["training", "others"]  # live training images; all other images
Near = tuple[NDArray[np.float64], NDArray[np.int64]]
Told = Callable[[float], object]  # hears what share is done


def nearest(run: Run, rows: NDArray[np.int64], k: int, among: Among = "training") -> Near:
    """Distances, ascending, and rows of the k images nearest to those in m rows by codes: (m, k) both.

    As `nearest_to`; an image is not its own neighbour.
    """
    candidates = _codes(run, among)
    codes = np.concatenate([block for row in rows for block in run.latent_blocks(np.array([row]))])
    own = [np.flatnonzero(candidates.rows == row) for row in rows]
    return candidates.nearest(codes, own, min(k, len(candidates.rows) - max(map(len, own))))


def nearest_to(run: Run, codes: NDArray[np.floating], k: int, among: Among = "training") -> Near:
    """Euclidean distances, ascending, and rows of the k codes nearest to codes (m, d): (m, k) both.

    Of equally near ones the first row comes first. Fewer than k where there are no more. Raises BadInputError for codes
    of another length, a Run without images, and one without any image to look among.
    """
    candidates = _codes(run, among)
    d = candidates.blocks[0].shape[1]
    if codes.ndim != 2 or codes.shape[1] != d:
        raise BadInputError(
            f"Codes of shape {codes.shape} have no neighbours in Run {run.info.name}, whose have {d} numbers."
        )
    return candidates.nearest(codes, [np.zeros(0, np.int64)] * len(codes), min(k, len(candidates.rows)))


def nearest_pictures(
    run: Run, image: NDArray[np.uint8], k: int, among: Among = "training", *, own: int | None = None
) -> Near:
    """Differences, ascending, and rows of the k stored inputs nearest to an image (H, W) by pixels: (k,) both.

    Root mean squares of pixels in 0..1, shrunk to 32x32. `own`: a row that is left out. Raises BadInputError as
    `nearest_to`, and for a Run of more than `duplicates.MOST` images, whose thumbnails would fill the memory.
    """
    rows = _rows(run, among)
    rows = rows[rows != own]
    differences = thumbnails.differences_from(_pictures(run), thumbnails.shrunk(image[np.newaxis]))[rows]
    order = np.argsort(differences, kind="stable")[:k]
    return differences[order], rows[order]


@lru_cache(maxsize=RUNS_KEPT)
def _pictures(run: Run) -> NDArray[np.uint8]:
    if len(run) > duplicates.MOST:
        raise BadInputError(f"Pixels are compared in Runs of at most {duplicates.MOST:,} images.")
    return duplicates.pixels(run)


@dataclass(frozen=True, eq=False)
class _Codes:
    """Some codes in blocks (b, d); where each begins and ends; their rows (t,), ascending, and |x|^2."""

    blocks: tuple[NDArray[np.float32], ...]
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    lengths: NDArray[np.float64]

    def nearest(self, codes: NDArray[np.floating], left_out: list[NDArray[np.int64]], n: int) -> Near:
        """`left_out`: per code, positions that are no neighbours; n more than those are there."""
        near = [self._nearest(code, without, n) for code, without in zip(codes, left_out, strict=True)]
        return np.stack([distances for distances, _ in near]), np.stack([rows for _, rows in near])

    def _nearest(self, code: NDArray[np.floating], without: NDArray[np.int64], n: int) -> Near:
        if n < 1:
            return np.empty(0), np.empty(0, np.int64)
        q = code.astype(np.float32)
        squared = self.lengths - 2 * np.concatenate([block @ q for block in self.blocks])  # but for q's own length
        squared[without] = np.inf
        # Rounding moves a sum of d products by at most d roundings of the product of both norms (Higham, Accuracy and
        # Stability of Numerical Algorithms, 2002, section 3.1); two of these differ by at most twice as much.
        norms = float(np.sqrt(self.lengths.max() * np.square(q, dtype=np.float64).sum()))
        error = 2 * len(q) * float(np.finfo(np.float32).eps) * norms
        candidates = np.flatnonzero(squared <= np.partition(squared, n - 1)[n - 1] + 2 * error)
        exact = np.linalg.norm(self._of(candidates).astype(np.float64) - code, axis=1)
        order = np.argsort(exact, kind="stable")[:n]
        return exact[order], self.rows[candidates[order]]

    def _of(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of positions that ascend."""
        block = np.searchsorted(self.starts, positions, side="right") - 1
        return np.concatenate([self.blocks[i][positions[block == i] - self.starts[i]] for i in np.unique(block)])


@lru_cache(maxsize=2 * RUNS_KEPT)
def _codes(run: Run, among: Among) -> _Codes:
    rows = _rows(run, among)
    blocks = tuple(_blocks(run, rows))
    lengths = [np.einsum("nd,nd->n", block, block, dtype=np.float64) for block in blocks]
    starts = np.cumsum([0, *map(len, blocks[:-1])])
    return _Codes(blocks, starts, rows, np.concatenate(lengths))


def _rows(run: Run, among: Among) -> NDArray[np.int64]:
    if among == "training":
        return training_rows(run)
    rows = np.arange(len(run))
    others = np.setdiff1d(rows, training_rows(run)) if has_training_rows(run, 1) else rows
    if not len(others):
        raise BadInputError(f"Run {run.info.name} has no images but those of training.")
    return others


def _blocks(run: Run, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """The codes of some rows, which ascend, shard by shard: mapped where they lie side by side, else copied."""
    for shard in run.shards:
        inside = rows[slice(*np.searchsorted(rows, [shard.start, shard.start + shard.n]))] - shard.start
        if len(inside):
            codes = np.asarray(shard.array("latents"))
            are_adjacent = inside[-1] - inside[0] == len(inside) - 1
            yield codes[inside[0] : inside[-1] + 1] if are_adjacent else codes[inside]


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
    among: NDArray[np.floating], codes: NDArray[np.floating], k: int, own: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Euclidean distances, ascending, of the k of m codes (m, d) that are nearest to each of n codes (n, d): (n, k).

    `own`: (n,) the position among the m that is the code itself and so none of its neighbours; -1 where none is. Fewer
    than k where m, or m - 1 with `own`, are fewer. Products in float32, around the mean of the m, leave some more than
    k candidates, whose distances are then computed in float64. Memory does not grow with n.
    """
    k = min(k, len(among) - (own is not None))
    if not len(codes) or k < 1:
        return np.empty((len(codes), max(k, 0)))
    middle = among.mean(axis=0, dtype=np.float64)
    centred = (among - middle).astype(np.float32)
    lengths = np.einsum("md,md->m", centred, centred)
    n_candidates = min(k + SPARE, len(among))

    def of_block(start: int) -> NDArray[np.float64]:
        block = (codes[start : start + AT_ONCE] - middle).astype(np.float32)
        squared = block @ centred.T
        squared *= -2
        squared += lengths  # but for the block's own lengths
        if own is not None:
            itself = own[start : start + AT_ONCE]
            squared[np.flatnonzero(itself >= 0), itself[itself >= 0]] = np.inf
        near = np.argpartition(squared, n_candidates - 1, axis=1)[:, :n_candidates]
        apart = among[near].astype(np.float64) - codes[start : start + AT_ONCE, np.newaxis]
        exact = np.sqrt(np.einsum("nkd,nkd->nk", apart, apart))
        exact[np.isinf(np.take_along_axis(squared, near, axis=1))] = np.inf
        return np.sort(exact, axis=1)[:, :k]

    with projection.one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(of_block, range(0, len(codes), AT_ONCE))))
