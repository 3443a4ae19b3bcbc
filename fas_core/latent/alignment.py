"""Places of one checkpoint laid onto those of another, and what that leaves, beside what plain pixels leave.

Two sets of places of the same images always have something in common: the images. So what alignment leaves is said of
samples whose subjects had no part in it, and beside what it leaves of the images themselves, laid on likewise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fas_core import memo
from fas_core.data.measures import luma
from fas_core.errors import BadInputError
from fas_core.latent import projection
from fas_core.metrics.uncertainty import codes_of, draws
from fas_core.runs.store import Run

TRAINING_LIVE, OTHER_LIVE, ATTACKS = "training live", "other live", "attacks"
FOLDS = 10  # parts of the fitted subjects, each laid by an alignment of the others
PIXELS = 32  # images are compared at about this many pixels a side
RESAMPLES, LEAST_UNITS = 1000, 5  # of subjects, before pixels are said to leave more


@dataclass(frozen=True, eq=False)
class Alignment:
    """x (n, k) -> scale (x - source) rotation + target: places of one Run among those of another."""

    scale: float
    rotation: NDArray[np.float64]  # (k, k) orthogonal; may reflect
    source: NDArray[np.float64]  # (k,) means of both
    target: NDArray[np.float64]
    residual: float  # share of the target's variance that is left, 0..1

    def applied(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, k) -> (n, k)"""
        return self.scale * (np.asarray(x, np.float64) - self.source) @ self.rotation + self.target


def aligned(x: NDArray[np.floating], y: NDArray[np.floating]) -> Alignment:
    """The shift, rotation or reflection, and one scale that bring x (n, k) closest to y (n, k), row by row.

    Orthogonal Procrustes (Schönemann, 1966; with shift and scale Gower, 1975): with centred X and Y and X'Y = U S V',
    the rotation is U V', the scale trace(S) / |X|², and 1 - trace(S)² / (|X|² |Y|²) of Y's variance is left.
    Raises BadInputError where there are not more rows than columns, as any places could then be laid onto any others,
    or where either does not vary.
    """
    n, k = x.shape
    if n <= k:
        raise BadInputError(f"Places along {k} axes are aligned by more than {k} shared samples; there are {n}.")
    source, target = x.mean(0, dtype=np.float64), y.mean(0, dtype=np.float64)
    centred, wanted = x - source, y - target
    size_x, size_y = float((centred**2).sum()), float((wanted**2).sum())
    if not size_x > 0 or not size_y > 0:
        raise BadInputError("Places that are all the same cannot be aligned.")
    u, s, vt = np.linalg.svd(centred.T @ wanted)
    trace = float(s.sum())
    residual = min(1.0, max(0.0, 1 - trace**2 / (size_x * size_y)))
    return Alignment(trace / size_x, u @ vt, source, target, residual)


def by_others(
    x: NDArray[np.floating], y: NDArray[np.floating], is_fit: NDArray[np.bool_], units: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(m, k) where x (m, k) comes to lie by alignments onto y of the samples in `is_fit`, none of its own subject's.

    units: (m,) numbers of the subjects; those with fitted samples are parted into up to `FOLDS`. NaN where the others
    are too few. Raises BadInputError as `aligned` does.
    """
    laid = aligned(x[is_fit], y[is_fit]).applied(x)
    people = np.unique(units[is_fit])
    folds = min(FOLDS, len(people))
    for fold in range(folds):
        is_held = np.isin(units, people[fold::folds])
        others = is_fit & ~is_held
        try:
            laid[is_held] = aligned(x[others], y[others]).applied(x[is_held])
        except BadInputError:
            laid[is_held] = np.nan
    return laid


@dataclass(frozen=True)
class Left:
    """Shares of the variance of the reference's places that alignment leaves of a group of samples, over 1 where the
    group's own mean would be nearer: by the codes of another checkpoint, and by plain pixels."""

    codes: float
    pixels: float
    is_less: bool  # by codes than by pixels, also in 97.5 % of resamples of subjects


def left_over(
    places: Mapping[str, NDArray[np.floating]],
    onto: NDArray[np.floating],
    axes: Sequence[int],
    groups: Mapping[str, NDArray[np.bool_]],
    subjects: NDArray[np.generic],
) -> dict[str, Left]:
    """What is left of each group, each (m,) of m samples, along some axes of the reference's places `onto` (m, k).

    places: "codes" and "pixels", (m, k) each, laid onto them by the samples of group `TRAINING_LIVE`, as `by_others`
    does. subjects: (m,). Groups of which nothing can be said, as they do not vary, are left out. Raises BadInputError
    as `aligned` does.
    """
    units, n_units = codes_of(subjects)
    wanted = np.asarray(onto, np.float64)[:, list(axes)]
    squares = {
        name: ((by_others(x, onto, groups[TRAINING_LIVE], units)[:, list(axes)] - wanted) ** 2).sum(1)
        for name, x in places.items()
    }
    left = {}
    for name, is_here in groups.items():
        spread = float(((wanted[is_here] - wanted[is_here].mean(0)) ** 2).sum()) if is_here.any() else 0.0
        codes, pixels = (squares[kind][is_here] for kind in ("codes", "pixels"))
        if spread > 0 and np.isfinite(codes.sum() + pixels.sum()):
            gained: NDArray[np.float64] = np.bincount(units[is_here], pixels - codes, n_units).astype(np.float64)
            left[name] = Left(
                float(codes.sum()) / spread,
                float(pixels.sum()) / spread,
                _is_positive(gained[np.unique(units[is_here])]),
            )
    return left


def _is_positive(gained: NDArray[np.float64]) -> bool:
    """Whether the sum over units (n,) is, also in 97.5 % of their resamples."""
    n = len(gained)
    if n < LEAST_UNITS:
        return False
    sums = np.concatenate([gained @ weights for weights in draws([np.arange(n)], n, RESAMPLES, 0)])
    return bool(np.quantile(sums, 0.025) > 0)


def pixel_places_of(run: Run, rows: NDArray[np.int64], is_fit: NDArray[np.bool_], k: int) -> NDArray[np.float32]:
    """`pixel_places` of some rows (m,) of a Run's inputs; computed once, then read from the memo."""
    exact = hashlib.sha256(rows.astype(np.int64).tobytes() + is_fit.tobytes()).hexdigest()
    kept = memo.arrays(
        run.cache,
        "pixel places",
        {"run": run.shards_digest, "rows": exact, "k": k, "pixels": PIXELS},
        lambda: {"places": pixel_places(luma(run.images("inputs", rows)), is_fit, k)},
    )
    return np.asarray(kept["places"], np.float32)


def pixel_places(images: NDArray[np.uint8], is_fit: NDArray[np.bool_], k: int) -> NDArray[np.float32]:
    """(m, k) principal components, fitted on `is_fit`, of images (m, H, W) made as small as `PIXELS` a side: means of
    squares; rows and columns that do not fill one are left out."""
    m, height, width = images.shape
    down, across = max(1, height // PIXELS), max(1, width // PIXELS)
    squares = images[:, : height // down * down, : width // across * across]
    small = squares.reshape(m, height // down, down, width // across, across).mean((2, 4), dtype=np.float32)
    flat = small.reshape(m, -1)
    return projection.fitted_pca(flat[is_fit], k).applied(flat).astype(np.float32)


# ---------------------------------------------------------------------------------------------------------- in words


def agreement_words(left: Mapping[str, Left], name: str = "") -> str:
    """What alignment leaves, what pixels leave, and whether checkpoints agree by more than their images do.

    name: of the checkpoint that is laid on, where there are several. "" where nothing can be said.
    """
    if not left:
        return ""
    each = _listed([f"{100 * of_group.codes:.0f} % of {group}" for group, of_group in left.items()])
    pixels = _listed([f"{100 * of_group.pixels:.0f}" for of_group in left.values()])
    closer = [group for group, of_group in left.items() if of_group.is_less]
    if not closer:
        verdict = "the two checkpoints' agreement is no more than the images' own"
    else:
        verdict = "the two checkpoints agree by more than the images do"
        verdict += "" if len(closer) == len(left) else f" on {_listed(closer)} alone"
    return f"Alignment{f' of {name}' if name else ''} leaves {each}; plain pixels leave {pixels} %: {verdict}."


def _listed(words: Sequence[str]) -> str:
    return " and ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), words[-1]])
