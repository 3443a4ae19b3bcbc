"""The one rule that decides: score >= threshold is an attack, equality included."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fas_core.errors import BadInputError
from fas_core.metrics.scoreset import Floats

# ---------------------------------------------------------------------------------------------------------------------
# The decision and the sorted scores


def is_attack(scores: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """The one decision rule: score >= threshold is an attack. Same shape as `scores`; a NaN anywhere raises."""
    values = np.asarray(scores, dtype=np.float64)
    check_threshold(threshold)
    if np.isnan(values).any():
        raise BadInputError("a NaN score is a non-response and has no decision: leave it out or replace it beforehand")
    return values >= threshold


def check_threshold(threshold: float) -> None:
    """Raises BadInputError for NaN; any other number is a threshold, infinities too."""
    if math.isnan(threshold):
        raise BadInputError("the threshold is NaN: give a number, inf or -inf")


def n_below(ordered: Floats, threshold: float) -> int:
    """How many of the sorted scores are < threshold, that is not called an attack."""
    return int(np.searchsorted(ordered, threshold, side="left"))
