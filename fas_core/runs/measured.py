"""`data.measures` of every image of a Run: computed once, shard by shard, then read from the memo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo
from fas_core.data import measures
from fas_core.data.measures import BLOCK, COMPRESSION, MEASURES

if TYPE_CHECKING:
    from fas_core.runs.store import Run, Shard

Floats = NDArray[np.float64]

_AT_ONCE = 256  # images: some 30 MB with what is computed of them
_FORMAT = 2  # raise it whenever a measure changes


def of_run(run: Run) -> dict[str, Floats]:
    """(n,) of each of `MEASURES`, in row order; nothing for a Run without images."""
    if not run.has("inputs"):
        return {}
    return memo.arrays(run.cache, "measures", _parameters(run), lambda: _computed(run))


def is_known(run: Run) -> bool:
    """Whether nothing has to be computed; reading the images of a large Run takes minutes."""
    return not run.has("inputs") or memo.found(run.cache, "measures", _parameters(run)) is not None


def _parameters(run: Run) -> dict[str, object]:
    return {"run": run.shards_digest, "format": _FORMAT}


def _computed(run: Run) -> dict[str, Floats]:
    of_shards = [_of_shard(shard, set(run.column_names())) for shard in run.shards]
    return {name: np.concatenate([*(of[name] for of in of_shards), np.empty(0)]) for name in MEASURES}


def _of_shard(shard: Shard, has: set[str]) -> dict[str, Floats]:
    images = shard.array("inputs")
    periods = np.zeros(shard.n)  # not measured
    if {"width", "height"} <= has:
        # The square of the shorter side was scaled to the model's size, and the blocks with it. By a factor that is
        # not whole, resampling leaves a period of its own, which noise shows more clearly than blocks do.
        sizes = shard.table("samples", ["width", "height"]).to_pandas()
        sides = sizes.apply(pd.to_numeric, errors="coerce").min(axis=1)
        factor = (images.shape[1] / sides).to_numpy(np.float64)
        is_whole = np.isclose(factor, np.rint(factor)) | np.isclose(1 / factor, np.rint(1 / factor))
        periods = np.where(is_whole, BLOCK * factor, 0)
    parts = []
    for start in range(0, shard.n, _AT_ONCE):
        block = measures.luma(np.asarray(images[start : start + _AT_ONCE]))
        blocky = measures.blockiness(block, periods[start : start + _AT_ONCE])
        parts.append(measures.of_pixels(block) | {COMPRESSION: blocky})
    return {name: np.concatenate([part[name] for part in parts] or [np.empty(0)]) for name in MEASURES}
