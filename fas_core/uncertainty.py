"""Confidence intervals for an error rate: k errors among n independent trials, as fractions in [0, 1].

The trials must be independent. Frames of one video, or videos of one person, are not: their intervals come out too
narrow, whichever formula is used. Clopper-Pearson is for claims (it covers at least `level`), Wilson for plots.
"""

import math
from typing import NamedTuple

from scipy.special import betaincinv, ndtri


class Interval(NamedTuple):
    low: float
    high: float


def clopper_pearson(errors: int, trials: int, level: float = 0.95) -> Interval:
    """Exact two-sided binomial interval (Clopper and Pearson, Biometrika 1934): beta quantiles, (1 - level)/2 per side.

    0 errors give exactly 0 below and 1 - ((1 - level)/2)^(1/n) above; n errors mirror that.
    """
    _check(errors, trials, level)
    tail = (1 - level) / 2
    low = 0.0 if errors == 0 else float(betaincinv(errors, trials - errors + 1, tail))
    high = 1.0 if errors == trials else float(betaincinv(errors + 1, trials - errors, 1 - tail))
    return Interval(low, high)


def wilson(errors: int, trials: int, level: float = 0.95) -> Interval:
    """Two-sided score interval (Wilson, JASA 1927), without continuity correction."""
    _check(errors, trials, level)
    z = float(ndtri((1 + level) / 2))
    rate = errors / trials
    scale = 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    # At the ends the formula is exactly 0 and 1; floating point is not.
    low = 0.0 if errors == 0 else max(0.0, centre - half)
    high = 1.0 if errors == trials else min(1.0, centre + half)
    return Interval(low, high)


def zero_error_upper_bound(trials: int, level: float = 0.95) -> float:
    """What 0 errors in n trials still allow: the exact one-sided upper bound 1 - (1 - level)^(1/n).

    At 95 % that is close to 3/n, the "rule of 3": 150 attacks without one success only prove APCER < 1.98 %.
    """
    _check(0, trials, level)
    return -math.expm1(math.log1p(-level) / trials)


def _check(errors: int, trials: int, level: float) -> None:
    if trials < 1:
        raise ValueError(f"an interval needs at least one trial, got {trials}")
    if not 0 <= errors <= trials:
        raise ValueError(f"errors must lie between 0 and the number of trials ({trials}), got {errors}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1 (for example 0.95), got {level}")
