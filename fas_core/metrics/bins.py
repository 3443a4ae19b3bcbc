"""Bins for histograms, and what of an axis is drawn, for any finite scores: denormal ones, and the largest."""

import math

import numpy as np
from numpy.typing import NDArray

from fas_core.metrics.scoreset import Floats

FAR = 1e300  # what lies further from 0 is drawn there: the difference of two places is a number, in a browser too


def edges(low: float, high: float, bins: int) -> Floats:
    """(bins + 1,) edges that ascend strictly, evenly from `low` to `high`; around them where they are too close."""
    low, high = (min(max(end, -FAR), FAR) for end in (low, high))
    least = max(4 * bins * float(np.spacing(max(abs(low), abs(high)))), 1 / FAR)
    if high - low <= least:
        half = max(0.5, least)
        low, high = low - half, high + half
    return np.linspace(low, high, bins + 1)


def percentiles(values: NDArray[np.float64], percents: tuple[float, float]) -> tuple[float, float]:
    """Of finite values (n,), n > 0, as numpy interpolates them."""
    low, high = np.percentile(values.clip(-FAR, FAR), percents)
    return float(low), float(high)


def moments(values: Floats) -> tuple[int, float, float]:
    """How many of (n,) values are finite, their mean and standard deviation (n - 1); NaN of too few.

    Near the largest float squares are beyond it: sums are of values over a power of two, which costs no digit.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0, math.nan, math.nan
    exponent = np.frexp(np.abs(finite).max())[1]
    scaled = np.ldexp(finite, -exponent)
    spread = float(np.ldexp(scaled.std(ddof=1), exponent)) if finite.size > 1 else math.nan
    return finite.size, float(np.ldexp(scaled.mean(), exponent)), spread
