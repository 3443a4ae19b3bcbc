"""One pass over codes: what several fitted things say of each, computed together, so that codes are read once.

Codes come in blocks of `ROWS`, counted from the first row, whatever shards they lie in and whoever computes them: the
same numbers come of one process and of many. Memory: a block a thread, and the answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fas_core.metrics.uncertainty import one_thread

ROWS = 4096
Arrays = dict[str, NDArray[Any]]
Told = Callable[[float], object]  # hears what share is done


class Codes(Protocol):
    """(n, d) that is sliced by rows: an array, or the codes of a Run."""

    shape: Any

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.floating[Any]]: ...


class Says(Protocol):
    """What something that is fitted says of codes (m, d), of which the first is in row `start`: arrays (m, ...).

    It is called in several threads at once, and itself starts none; it can be sent to another process.
    """

    def __call__(self, z: NDArray[np.floating[Any]], start: int, /) -> Arrays: ...


def said(
    codes: Codes, of: Sequence[Says], *, rows: range | None = None, threads: int = 0, told: Told = lambda _: None
) -> list[Arrays]:
    """What each of some things says of all codes, or of a range of their rows that begins at a multiple of `ROWS`.

    `threads`: as many as there are cores, if 0.
    """
    rows = range(len(codes)) if rows is None else rows
    starts = range(rows.start, rows.stop, ROWS)

    def of_block(start: int) -> list[Arrays]:
        z = codes[start : min(start + ROWS, rows.stop)]
        return [says(z, start) for says in of]

    parts: list[list[Arrays]] = []
    with one_thread(), ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for part in pool.map(of_block, starts):
            parts.append(part)
            told(len(parts) / len(starts))
    if not parts:
        with one_thread():
            return [says(np.empty(codes.shape, np.float32), 0) for says in of]
    return [joined([part[i] for part in parts]) for i in range(len(of))]


def joined(parts: Sequence[Arrays]) -> Arrays:
    """What was said of some rows after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
