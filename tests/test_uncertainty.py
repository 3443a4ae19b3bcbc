"""Intervals against the golden vectors and against what defines them: the binomial distribution itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from fas_core.uncertainty import clopper_pearson, wilson, zero_error_upper_bound

GOLDEN = Path(__file__).parents[1].parent / "shared" / "golden" / "metrics_golden.json"


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    if not GOLDEN.exists():
        pytest.skip(f"golden vectors are absent: {GOLDEN}")
    return json.loads(GOLDEN.read_text())


def test_bounds_without_errors_are_the_golden_ones(golden: dict[str, Any]) -> None:
    for row in golden["zero_error_upper_bounds"]:
        n = row["n"]
        assert zero_error_upper_bound(n) == pytest.approx(row["one_sided95_upper"], abs=1e-9)
        assert clopper_pearson(0, n) == pytest.approx((0, row["two_sided95_clopper_upper"]), abs=1e-9)
        assert wilson(0, n) == pytest.approx((0, row["wilson95_upper"]), abs=1e-9)
        assert row["rule_of_3"] == pytest.approx(zero_error_upper_bound(n), rel=0.2)


def test_intervals_at_another_level_are_the_golden_ones(golden: dict[str, Any]) -> None:
    for row in golden["rule_of_30"]:
        assert clopper_pearson(row["errors"], row["trials"], 0.9) == pytest.approx(row["clopper_pearson90"], abs=1e-9)


def test_intervals_agree_with_scipy() -> None:
    for n in (1, 2, 7, 50, 333):
        for k in {0, 1, n // 3, n - 1, n}:
            for level in (0.9, 0.95, 0.99):
                exact = binomtest(k, n).proportion_ci(level, "exact")
                score = binomtest(k, n).proportion_ci(level, "wilson")
                assert clopper_pearson(k, n, level) == pytest.approx((exact.low, exact.high), abs=1e-9)
                assert wilson(k, n, level) == pytest.approx((score.low, score.high), abs=1e-9)


def test_clopper_pearson_covers_at_least_its_level_and_wilson_does_not() -> None:
    n = 40
    outcomes = np.arange(n + 1)
    exact = np.array([clopper_pearson(int(k), n) for k in outcomes])
    score = np.array([wilson(int(k), n) for k in outcomes])
    rates = np.linspace(0.005, 0.995, 199)

    def coverage(intervals: np.ndarray) -> np.ndarray:
        inside = (intervals[:, :1] <= rates) & (rates <= intervals[:, 1:])
        return (binom.pmf(outcomes[:, None], n, rates) * inside).sum(axis=0)

    assert coverage(exact).min() >= 0.95
    assert 0.8 < coverage(score).min() < 0.95
    assert coverage(score).mean() == pytest.approx(0.95, abs=0.01)


def test_zero_errors_are_as_likely_as_five_percent_at_the_bound() -> None:
    for n in (1, 50, 150, 6_000_000):
        assert (1 - zero_error_upper_bound(n)) ** n == pytest.approx(0.05, rel=1e-6)
    assert zero_error_upper_bound(150) == pytest.approx(0.0198, abs=5e-5)


def test_intervals_mirror_and_touch_the_ends() -> None:
    for interval in (clopper_pearson, wilson):
        low, high = interval(3, 11)
        assert interval(8, 11) == pytest.approx((1 - high, 1 - low), abs=1e-12)
        for n in range(1, 300):
            assert interval(0, n).low == 0.0
            assert interval(n, n).high == 1.0


@pytest.mark.parametrize(("errors", "trials", "level"), [(0, 0, 0.95), (-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0)])
def test_impossible_counts_and_levels_raise(errors: int, trials: int, level: float) -> None:
    for interval in (clopper_pearson, wilson):
        with pytest.raises(ValueError, match=r"trial|level"):
            interval(errors, trials, level)


def test_bound_of_no_trials_raises() -> None:
    with pytest.raises(ValueError, match="at least one trial"):
        zero_error_upper_bound(0)
