"""Ranks of numbers, those that are equal sharing the mean of theirs; among themselves, or among calibrating ones.

`mid_ranks` are those of `scipy.stats.rankdata`, whose package takes most of a second to load, which every command and
the app would wait for.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

LEAST = 8  # calibrating values: ranks among fewer say nothing


def mid_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """(n,) of (n,) numbers without NaN: 1 for the lowest."""
    return pd.Series(np.asarray(values, np.float64)).rank().to_numpy()


def ranks_among(values: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) in (0, 1), or at its ends for infinite ones, of some values among finite ones, (m,); NaN stays NaN.

    Mid-ranks, so that ties count half: of m calibrating values, `below` below s and `equal` equal to it, s has the rank
    (below + equal / 2) / m. Between two calibrating values it is interpolated, and beyond the largest one (rank r) it
    is 1 - (1 - r) / (1 + d), where d is the distance from it in units of the calibrating values' range, so that values
    beyond all of them keep their order; below the smallest one likewise.
    """
    different, counts = np.unique(among, return_counts=True)
    middles = (np.cumsum(counts) - counts / 2) / len(among)
    span = float(different[-1] - different[0]) or 1.0
    with np.errstate(over="ignore"):
        beyond = np.maximum(values - different[-1], 0) / span
        before = np.maximum(different[0] - values, 0) / span
    within = np.interp(values, different, middles)
    return np.where(
        beyond > 0, 1 - (1 - middles[-1]) / (1 + beyond), np.where(before > 0, middles[0] / (1 + before), within)
    )
