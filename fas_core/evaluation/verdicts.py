"""Single samples against a threshold or a reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fas_core import metrics
from fas_core.data.names import ATTACK

RIGHT, MISSED, REJECTED, NO_RESPONSE = VERDICTS = ("right", "missed", "rejected", "no response")

# ------------------------------------------------------------------------- samples against a threshold or a reference


def verdicts_at(labels: ArrayLike, values: ArrayLike, threshold: float) -> NDArray[np.str_]:
    """(n,) "right", "missed" (an attack let through), "rejected" (bona fide called attack) or "no response" (NaN)."""
    return verdicts_of(np.asarray(labels) == ATTACK, np.asarray(values, np.float64), threshold)


def verdicts_of(attack: NDArray[np.bool_], numbers: NDArray[np.float64], threshold: float) -> NDArray[np.str_]:
    """As `verdicts_at`."""
    return np.array(VERDICTS)[codes_of(attack, numbers, threshold)]


def codes_of(attack: NDArray[np.bool_], numbers: NDArray[np.float64], threshold: float) -> NDArray[np.uint8]:
    """As `verdicts_at`, as positions in `VERDICTS`."""
    unanswered = np.isnan(numbers)
    called = metrics.is_attack(np.where(unanswered, -np.inf, numbers), threshold)
    codes = np.where(called == attack, np.uint8(0), np.where(attack, np.uint8(1), np.uint8(2)))
    codes[unanswered] = 3
    return codes


def percentiles(values: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """(n,) share of the reference scores below each value, 0..1; equal ones count half. NaN without a reference."""
    return shares_below(values, ascending(reference))


def ascending(reference: ArrayLike) -> NDArray[np.float64]:
    """Those that are known, sorted."""
    ordered = np.sort(np.asarray(reference, np.float64))
    return ordered[~np.isnan(ordered)]


def shares_below(values: ArrayLike, ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """`percentiles` by a reference that is `ascending`: millions need not be sorted again for every value."""
    numbers = np.asarray(values, np.float64)
    if not ordered.size:
        return np.full(numbers.shape, np.nan)
    below = np.searchsorted(ordered, numbers, side="left") + np.searchsorted(ordered, numbers, side="right")
    return np.where(np.isnan(numbers), np.nan, below / (2 * ordered.size))


def percent_borders(reference: ArrayLike) -> NDArray[np.float64]:
    """(101,) the lowest number that is above so many whole percent of the reference scores, never rounded up to all:
    its `percentiles`, times 100, are p or more. Ascending; NaN where no number is, all without a reference.

    A hundred numbers stand for millions: `searchsorted(borders, value, side="right") - 1` is the whole percent.
    """
    ordered, p = ascending(reference), np.arange(101)
    n = ordered.size
    if not n:
        return np.full(101, np.nan)
    below = -(-p * 2 * n // 100)  # how many scores at least are lower than the border, in halves, as equal ones count
    below += np.floor(100 * (below / (2 * n))) < p  # as it is rounded
    x = ordered[np.maximum(-(-below // 2) - 1, 0)]
    first, last = np.searchsorted(ordered, x, side="left"), np.searchsorted(ordered, x, side="right")
    above = np.where(x < np.inf, np.nextafter(x, np.inf), np.nan)
    return np.where(p == 0, -np.inf, np.where(first + last >= below, x, above))


def called(value: float, threshold: float) -> str:
    """What an image is called by its score: "bona fide", "attack", or "attack (no score)" where it is NaN."""
    if np.isnan(value):
        return "attack (no score)"
    return "attack" if metrics.is_attack([value], threshold)[0] else "bona fide"


def in_widths(values: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """(n,) distance of each value from the median of some reference scores, in their interquartile ranges.

    Brings scores of other units together. Only finite reference scores count, of all values where there are none; a
    range of 0 is taken for 1. NaN stays NaN.
    """
    numbers = np.asarray(values, np.float64)
    known = np.asarray(reference, np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        known = numbers[np.isfinite(numbers)]
    if not known.size:
        return np.full(numbers.shape, np.nan)
    low, middle, high = np.percentile(known, [25, 50, 75])
    return (numbers - middle) / ((high - low) or 1.0)
