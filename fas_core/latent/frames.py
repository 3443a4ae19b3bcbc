"""Codes of several checkpoints in one frame, and where groups go in it from checkpoint to checkpoint.

Axes of two trainings have nothing to do with each other, nor do signs and order of their principal components. Only
checkpoints of one training share a basis; others are brought together by the places of the same images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fas_core.latent.alignment import aligned

ONE, OWN, UMAP = "one PCA", "aligned PCA", "aligned UMAP"
LEAST_SHARED = 4  # live training images that places along two axes are aligned by
Blocks = Callable[[NDArray[np.int64]], Iterable[NDArray[np.floating]]]  # rows, ascending -> their codes (m, d)


# ------------------------------------------------------------------------------------------ which frame, and who by


def trained_together(trainings: Iterable[str]) -> bool:
    """Whether checkpoints are of one training, each named by what stands for its own; "" where nobody knows."""
    distinct = set(trainings)
    return len(distinct) == 1 and "" not in distinct


def usual(trainings: Sequence[str], dims: Sequence[int]) -> str:
    """The frame that is right without a choice: one PCA for codes (of `dims` numbers) of one training."""
    return ONE if trained_together(trainings) and len(set(dims)) == 1 else OWN


def possible(wanted: str, dims: Sequence[int], *, has_umap: bool) -> str:
    """The frame that is wanted, or its nearest: one PCA needs codes of one size, UMAP that of every checkpoint."""
    if wanted == UMAP and not has_umap:
        return OWN
    return OWN if wanted == ONE and len(set(dims)) > 1 else wanted


def can_be_aligned(n_shared: int) -> bool:
    """Whether there are enough live training images that all checkpoints share."""
    return n_shared >= LEAST_SHARED


def n_aligned(dims: Sequence[int], n_shared: int) -> int:
    """Along how many axes places are aligned: with fewer than two samples an axis, any places fit any others."""
    return max(2, min(*dims, n_shared // 2))


def in_one_frame(
    own: Sequence[NDArray[np.floating]],
    rows: Sequence[NDArray[np.int64]],
    is_fit: NDArray[np.bool_],
    *,
    reference: int,
    axes: Sequence[int],
    is_aligned: bool,
) -> list[NDArray[np.floating]]:
    """(m, 2) each, the common samples of every checkpoint along two axes of the reference, the position of one of them.

    own: (n_i, k_i) places of all codes of each checkpoint, `rows`: (m,) its rows of the common samples. Aligned, the
    common samples in `is_fit` (m,) are laid onto those of the reference along as many axes as they allow, and all
    others follow; else all have the same axes already. Raises BadInputError as `aligned` does.
    """
    target = own[reference][rows[reference]]
    k = n_aligned([places.shape[1] for places in own], int(is_fit.sum()))
    laid: list[NDArray[np.floating]] = []
    for i, (places, of_common) in enumerate(zip(own, rows, strict=True)):
        here = places[of_common]
        if not is_aligned or i == reference:
            laid.append(here[:, list(axes)])
            continue
        alignment = aligned(here[is_fit][:, :k], target[is_fit][:, :k])
        laid.append(alignment.applied(here[:, :k])[:, list(axes)].astype(np.float32))
    return laid


# ------------------------------------------------------------------------------------------------ where groups are


def centroids(
    places: NDArray[np.floating], codes: NDArray[np.integer], n_groups: int, is_counted: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """(n_groups, 2) mean of the places (n, 2) of every group, NaN where it has none; `codes` (n,) name the groups.

    `is_counted` (n,): others have no part in it.
    """
    if is_counted is not None:
        places, codes = places[is_counted], codes[is_counted]
    counts = np.bincount(codes, minlength=n_groups)
    sums = np.stack([np.bincount(codes, places[:, axis].astype(np.float64), n_groups) for axis in (0, 1)], 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / counts[:, None], np.float64)


def live_spreads(
    blocks: Blocks, live: NDArray[np.int64], groups: Mapping[str, NDArray[np.int64]]
) -> dict[str, float | None]:
    """How far each group's mean code lies from the live mean code, in live spreads; None where it cannot be said.

    A live spread is the standard deviation (n - 1) of the live codes along the line through both means. All dimensions
    of the codes count, and the number does not change when codes are rotated, shifted or scaled: no alignment is in it.
    `blocks`: codes by rows, as `Run.latent_blocks`; `live` and `groups`: rows, ascending. The live codes are read
    twice.
    """
    if len(live) < 2:
        return dict.fromkeys(groups)
    origin = _mean(blocks, live)
    offsets = {name: _mean(blocks, rows) - origin for name, rows in groups.items() if len(rows)}
    lengths = {name: float(np.linalg.norm(offset)) for name, offset in offsets.items()}
    lines = {name: offsets[name] / length for name, length in lengths.items() if length > 0}
    spreads: dict[str, float] = {}
    if lines:
        directions = np.stack([*lines.values()], 1)
        squares = sum(
            (((np.asarray(block, np.float64) - origin) @ directions) ** 2).sum(0) for block in blocks(live)
        ) / (len(live) - 1)
        spreads = dict(zip(lines, np.sqrt(squares).tolist(), strict=True))
    in_spreads: dict[str, float | None] = {}
    for name in groups:
        if name not in lengths or (name in spreads and not spreads[name] > 0):
            in_spreads[name] = None
        else:
            in_spreads[name] = lengths[name] / spreads[name] if name in spreads else 0.0
    return in_spreads


def _mean(blocks: Blocks, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(d,) of at least one row."""
    return np.asarray(sum(block.sum(0, dtype=np.float64) for block in blocks(rows)) / len(rows), np.float64)
