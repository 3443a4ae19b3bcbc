"""Ranks of numbers, those that are equal sharing the mean of theirs.

As `scipy.stats.rankdata`, whose package takes most of a second to load, which every command and the app would wait for.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray


def mid_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """(n,) of (n,) numbers without NaN: 1 for the lowest."""
    return pd.Series(np.asarray(values, np.float64)).rank().to_numpy()
