"""`data.measures` and `data.pairs` of every image of a Run: computed once, shard by shard, then read from the memo."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo
from fas_core.data import measures, pairs, regions
from fas_core.data.measures import BLOCK, COMPRESSION, MEASURES
from fas_core.data.names import CROP
from fas_core.data.regions import Places
from fas_core.progress import task

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


# ------------------------------------------------------------------------------------ of images and reconstructions

MOST_PAIRS = 20_000  # images whose pairs are measured without being asked for: 3 ms each
EYES, FACE = "place of the eyes", "place of the face"  # what is known of a face: eyes, and eyes or a box


def of_pairs(run: Run, measure: str, rows: NDArray[np.int64] | None = None) -> dict[str, Floats]:
    """(n,) of each column of one of `pairs.MEASURES`, in row order; or of some rows, which ascend.

    Of a large Run that nobody has measured, the pictures of these rows alone are read. Raises BadInputError where the
    Run lacks pictures.
    """
    run.require(*(name for name in pairs.MEASURES[measure].needs if name != "places"))
    known = memo.found(run.cache, "pairs", _of_measure(run, measure))
    if rows is not None and known is None and len(run) > MOST_PAIRS:
        return _measured(run, measure, rows)
    if known is None:
        known = memo.arrays(run.cache, "pairs", _of_measure(run, measure), partial(_all_pairs, run, measure))
    return {name: values if rows is None else values[rows] for name, values in known.items()}


def is_measured(run: Run, measure: str) -> bool:
    """Whether nothing has to be computed."""
    return memo.is_kept(run.cache, "pairs", _of_measure(run, measure))


def _of_measure(run: Run, measure: str) -> dict[str, object]:
    return {"run": run.shards_digest, "measure": measure, "format": pairs.MEASURES[measure].format}


def _all_pairs(run: Run, measure: str) -> dict[str, Floats]:
    """Shard by shard, block by block: whatever the size of a Run, some hundred images are in memory."""
    needs, columns = pairs.MEASURES[measure].needs, pairs.MEASURES[measure].columns
    parts = []
    with task(f"Measuring the pictures of {run.info.name} ({measure})", len(run)) as shown:
        for shard in run.shards:
            reconstructions = shard.array("reconstructions") if "reconstructions" in needs else None
            places = _places(run, shard) if "places" in needs else None
            parts.append(pairs.of(measure, shard.array("inputs"), reconstructions, places))
            shown.advance(shard.n)
    return {name: np.concatenate([*(part[name] for part in parts), np.empty(0)]) for name in columns}


def _measured(run: Run, measure: str, rows: NDArray[np.int64]) -> dict[str, Floats]:
    needs = pairs.MEASURES[measure].needs
    parts = []
    for shard, here in run.holding(rows):
        reconstructions = shard.items("reconstructions", here) if "reconstructions" in needs else None
        places = _places(run, shard)[here] if "places" in needs else None
        parts.append(pairs.of(measure, shard.items("inputs", here), reconstructions, places))
    return {
        name: np.concatenate([*(part[name] for part in parts), np.empty(0)]) for name in pairs.MEASURES[measure].columns
    }


def places_known(run: Run) -> frozenset[str]:
    """Which of `EYES` and `FACE` are known of any image of a Run."""
    known: set[str] = set()
    for shard in run.shards if _has_squares(run) else ():
        places = _places(run, shard)
        known |= {name for name, has in ((EYES, places.has_eyes), (FACE, places.has_face)) if has.any()}
        if len(known) == 2:
            break
    return frozenset(known)


def _has_squares(run: Run) -> bool:
    """Whether its pictures are squares, and it is known of what: of arrays that were imported, only columns say it."""
    if not run.shards or "inputs" not in run.shards[0].meta.arrays:
        return False
    if not set(regions.COLUMNS) & set(run.column_names()):
        return False
    height, width = run.shards[0].meta.arrays["inputs"].shape[1:3]
    return height == width and (bool(run.info.checkpoint) or set(CROP) <= set(run.column_names()))


def _places(run: Run, shard: Shard) -> Places:
    has = set(run.column_names())
    names = [name for name in regions.COLUMNS if name in has]
    if not run.info.checkpoint:  # whoever has made the arrays has cut the pictures by rules of their own
        names = [name for name in names if name not in regions.SIZE]
    rows = shard.table("samples", names or ["sample_id"]).to_pandas()
    return regions.placed(rows)
