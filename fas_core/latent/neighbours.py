"""The live training images whose codes are nearest to those of images: exact, without an index.

A question is one pass over the training codes as they lie on disk, mapped into memory: |x|^2 - 2 x q in float32 leaves
a few candidates, whose distances are then computed in float64. Maps and |x|^2 of the Runs asked about last are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fas_core.errors import BadInputError
from fas_core.latent import training_rows
from fas_core.runs.store import Run

RUNS_KEPT = 4
Near = tuple[NDArray[np.float64], NDArray[np.int64]]


def nearest(run: Run, rows: NDArray[np.int64], k: int) -> Near:
    """Distances, ascending, and rows of the k bona fide training images nearest to those in m rows: (m, k) both.

    As `nearest_to`; an image is not its own neighbour.
    """
    training = _training(run)
    codes = np.concatenate([block for row in rows for block in run.latent_blocks(np.array([row]))])
    own = [np.flatnonzero(training.rows == row) for row in rows]
    return training.nearest(codes, own, min(k, len(training.rows) - max(map(len, own))))


def nearest_to(run: Run, codes: NDArray[np.floating], k: int) -> Near:
    """Euclidean distances, ascending, and rows of the k bona fide training codes nearest to codes (m, d): (m, k) both.

    Of equally near ones the first row comes first. Fewer than k where there are no more. Raises BadInputError for codes
    of another length, a Run without images, and one without bona fide training images.
    """
    training = _training(run)
    d = training.blocks[0].shape[1]
    if codes.ndim != 2 or codes.shape[1] != d:
        raise BadInputError(
            f"Codes of shape {codes.shape} have no neighbours in Run {run.info.name}, whose have {d} numbers."
        )
    return training.nearest(codes, [np.zeros(0, np.int64)] * len(codes), min(k, len(training.rows)))


@dataclass(frozen=True, eq=False)
class _TrainingCodes:
    """Bona fide training codes in blocks (b, d); where each begins and ends; their rows (t,), ascending, and |x|^2."""

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
        exact = np.linalg.norm(self._codes(candidates).astype(np.float64) - code, axis=1)
        order = np.argsort(exact, kind="stable")[:n]
        return exact[order], self.rows[candidates[order]]

    def _codes(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of positions that ascend."""
        block = np.searchsorted(self.starts, positions, side="right") - 1
        return np.concatenate([self.blocks[i][positions[block == i] - self.starts[i]] for i in np.unique(block)])


@lru_cache(maxsize=RUNS_KEPT)
def _training(run: Run) -> _TrainingCodes:
    rows = training_rows(run)
    blocks = tuple(_blocks(run, rows))
    lengths = [np.einsum("nd,nd->n", block, block, dtype=np.float64) for block in blocks]
    starts = np.cumsum([0, *map(len, blocks[:-1])])
    return _TrainingCodes(blocks, starts, rows, np.concatenate(lengths))


def _blocks(run: Run, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """The codes of some rows, which ascend, shard by shard: mapped where they lie side by side, else copied."""
    for shard in run.shards:
        inside = rows[slice(*np.searchsorted(rows, [shard.start, shard.start + shard.n]))] - shard.start
        if len(inside):
            codes = np.asarray(shard.array("latents"))
            are_adjacent = inside[-1] - inside[0] == len(inside) - 1
            yield codes[inside[0] : inside[-1] + 1] if are_adjacent else codes[inside]
