"""Ranks are SciPy's, without its package."""

import numpy as np
import pytest
from scipy.stats import rankdata

from fas_core.metrics.ranks import mid_ranks


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=500).round(1),
        np.array([3, 1, 3, 3, 2]),
        np.array([np.inf, -np.inf, 0.0, -0.0, np.inf]),
        np.array([True, False, True]),
        np.array([]),
        np.float32([0.1, 0.1, 0.2]),
    ],
    ids=["ties", "whole", "infinite", "truths", "none", "short"],
)
def test_they_are_those_of_scipy(values: np.ndarray) -> None:
    np.testing.assert_array_equal(mid_ranks(values), rankdata(values))
