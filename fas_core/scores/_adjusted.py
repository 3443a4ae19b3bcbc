"""A score less what of it follows the look of an image, by a curve that is fitted on live training images alone.

    score(outputs, "rec", "brightness", reference)      what `rec~brightness` is

The curve is a natural cubic spline of five knots at the quantiles of Harrell (Regression Modeling Strategies, 2001,
table 2.3; basis of Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, eq. 5.4 and 5.5), fitted by
Huber's M-estimate (1964), so that some odd images do not bend it. Beyond the darkest and the brightest training image
it goes on level: nothing is known there, and what a curve would make of it is not taken off. The middle of the curve is
put back, so that the score keeps its unit and about its size. Attacks and test images have no part in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fas_core import memo
from fas_core.data.measures import OF_PIXELS
from fas_core.latent import training_rows
from fas_core.runs.store import Run

if TYPE_CHECKING:
    from fas_core.scores import Outputs

Floats = NDArray[np.float64]

CAUSES = OF_PIXELS  # which are known of any image, a new one too
TRAINING_IMAGES = 30  # six for each number of the curve
KNOTS = (0.05, 0.275, 0.5, 0.725, 0.95)
HUBER = 1.345  # standard deviations, from where on an image weighs less; 95 % efficient for normal errors
_ROUNDS = 50
_FORMAT = 1


def score(outputs: Outputs, base: str, cause: str, reference: Run) -> Floats:
    """(n,) of the images that a model's outputs are of; the curve is that of `reference`."""
    from fas_core import scores

    def computed() -> memo.Arrays:
        rows = training_rows(reference)
        return fitted(reference.looks(cause)[rows], scores.of_outputs(reference, base, reference)[rows])

    about = {"run": reference.digest_of(base), "score": base, "cause": cause, "format": _FORMAT}
    curve = memo.arrays(reference.cache, "adjusted", about, computed)
    return scores.of_outputs(outputs, base, reference) - (on_curve(curve, outputs.looks(cause)) - curve["middle"])


def fitted(x: Floats, y: Floats) -> dict[str, Floats]:
    """The curve through n points; those that are not finite are passed over.

    `knots` (k,), `coefficients` (k or 2 or 1,), `range` (2,) of x, and the median height as `middle`.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    knots = np.unique(np.quantile(x, KNOTS)) if len(x) else np.zeros(1)
    ends = np.array([x.min(), x.max()]) if len(x) else np.zeros(2)
    columns = _basis(x, knots)
    weights: NDArray[Any] = np.ones(len(x))
    coefficients: NDArray[Any] = np.zeros(columns.shape[1])
    for _ in range(_ROUNDS if len(x) else 0):
        root = np.sqrt(weights)
        before, coefficients = coefficients, np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)[0]
        if np.allclose(before, coefficients, rtol=1e-10, atol=1e-12):
            break
        off = np.abs(y - columns @ coefficients)
        limit = HUBER * np.median(off) / 0.6745
        weights = np.where(off > limit, limit / np.where(off > 0, off, 1), 1.0)
    curve: dict[str, Floats] = {"knots": knots, "coefficients": coefficients, "range": ends}
    return curve | {"middle": np.asarray(np.median(on_curve(curve, x)) if len(x) else 0.0)}


def on_curve(curve: memo.Arrays, x: Floats) -> Floats:
    """(n,) its height at x, level beyond its range; NaN where x is."""
    return _basis(np.clip(x, *curve["range"]), curve["knots"]) @ curve["coefficients"]


def _basis(x: Floats, knots: Floats) -> Floats:
    """(n, k) of k knots: 1, x and k - 2 cubics that end as lines; (n, 1) where there is one knot."""
    if len(knots) == 1:
        return np.ones((len(x), 1)) + 0 * x[:, None]
    low, span = knots[0], knots[-1] - knots[0]
    x, knots = (x - low) / span, (knots - low) / span
    cubes = np.maximum(x[:, None] - knots, 0) ** 3
    slopes = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([np.ones(len(x)), x, slopes[:, :-1] - slopes[:, -1:]])
