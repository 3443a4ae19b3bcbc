"""How often a training sees the images of each source: `fas train --source-weights a=1,b=2`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data.merging import SOURCE
from fas_core.errors import BadInputError


def weights_of(text: str) -> dict[str, float]:
    """`a=1,b=2` -> the weight of each source. Raises BadInputError for what is no such list, or no weight above 0."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, separator, number = part.strip().partition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not (separator and name) or not 0 < weight < math.inf or name in weights:
            raise BadInputError(
                f"--source-weights {text}: write SOURCE=WEIGHT for every source once, weights above 0: a=1,b=2."
            )
        weights[name] = weight
    return weights


def chances(rows: pd.DataFrame, weights: Mapping[str, float]) -> NDArray[np.float64]:
    """(n,) cumulative chances of n images: of each source as its weight says, of one source all alike.

    Raises BadInputError where the images' sources are not those that have a weight.
    """
    sources = set(rows[SOURCE].astype("str")) if SOURCE in rows else set()
    if sources != set(weights):
        listed = ", ".join(sorted(sources)) or "none (the manifest has no column source: fas data merge)"
        raise BadInputError(f"--source-weights names {', '.join(weights)}. Sources of the training images: {listed}.")
    of_image = rows[SOURCE].map(weights) / rows[SOURCE].map(rows[SOURCE].value_counts())
    return np.cumsum(of_image.to_numpy(np.float64) / of_image.sum())


def drawn_at(step: int, batch_size: int, cumulative: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Which images batch number `step` holds: drawn by their chances, each time anew, so that one may come twice."""
    rng = np.random.default_rng([seed, 3, step])
    return np.minimum(np.searchsorted(cumulative, rng.random(batch_size), side="right"), len(cumulative) - 1)
