"""What is random in a training: the order of the images, and the numbers of one step.

Both are functions of seed and place, the same ones whoever asks: after a kill, or in several processes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def step_seed(seed: int, step: int) -> int:
    """A seed for PyTorch: 32 bits, as its CPU generator silently ignores all others."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])


class Draws:
    """A function of (seed, step) and an image's place in the whole batch; `rows` are the places this process works on.

    Numbers are drawn for the whole batch of `size` images, and each process keeps its own rows: a training does not
    change with the number of processes, and goes on after a kill as if nothing had been.
    """

    def __init__(self, seed: int, step: int, size: int, rows: Sequence[int] | None = None, device: str = "cpu") -> None:
        self._generator = torch.Generator(device).manual_seed(step_seed(seed, step))
        self._size = size
        self._rows = (
            torch.arange(size, device=device) if rows is None else torch.tensor(rows, dtype=torch.long, device=device)
        )

    def __len__(self) -> int:
        return len(self._rows)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(n, *shape) from [low, high), n the images of this process."""
        drawn = torch.rand((self._size, *shape), generator=self._generator, device=self._generator.device)
        return low + (high - low) * drawn[self._rows]

    def normal(self, *shape: int) -> Tensor:
        """(n, *shape) from N(0, 1)."""
        return torch.randn((self._size, *shape), generator=self._generator, device=self._generator.device)[self._rows]

    def happens(self, probability: float) -> Tensor:
        """(n,) of bool, true with the given probability."""
        return self.uniform(0, 1) < probability


def shuffled(positions: NDArray[np.int64], n: int, seed: Sequence[int]) -> NDArray[np.int64]:
    """Where a random permutation of range(n) takes some positions, without ever making the permutation.

    A Feistel network of four rounds permutes the pairs of digits of the next larger square; whoever lands outside
    range(n) walks on until he is inside (Black and Rogaway, 2002). Time and memory do not depend on n.
    """
    side = int(np.ceil(np.sqrt(n)))
    keys = np.random.default_rng(list(seed)).integers(1, 1 << 32, (4, 2), dtype=np.uint64)

    def permuted(x: NDArray[np.int64]) -> NDArray[np.int64]:
        high, low = np.divmod(x.astype(np.uint64), np.uint64(side))
        for key, odd in keys:
            mixed = (low + key) * (odd | np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            high, low = low, (high + (mixed >> np.uint64(32))) % np.uint64(side)
        return (high * np.uint64(side) + low).astype(np.int64)

    taken = permuted(positions)
    while (outside := taken >= n).any():
        taken[outside] = permuted(taken[outside])
    return taken
