"""Intervals of rates against golden vectors and what defines them: the binomial distribution, every resample."""

import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest, norm
from scipy.stats import t as student

from fas_core.metrics import uncertainty
from fas_core.metrics.uncertainty import (
    RateInterval,
    Units,
    clopper_pearson,
    mcnemar,
    rate_bands,
    rate_interval,
    unit_of,
    upper_bounds,
    wilson,
    zero_error_upper_bound,
)

from .conftest import subjects_of

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "metrics_golden.json"


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


# ---------------------------------------------------------------------------------------------------------------------
# Resampling of whole subjects


def golden_set(golden: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in golden["sets"] if entry["name"] == name)


def test_the_unit_is_the_first_column_that_names_every_sample() -> None:
    rows = pd.DataFrame(
        {
            "sample_id": ["a", "b", "c"],
            "session_id": ["x", "x", "y"],
            "video_id": ["v", "v", "w"],
            "subject_id": ["s", "t", "t"],
        }
    )
    named = []
    for column in ("subject_id", "video_id", "session_id", "sample_id"):
        unit = unit_of(rows)
        assert unit.groups.tolist() == rows[column].tolist()
        named.append(unit.name)
        rows.loc[1, column] = " " if column == "session_id" else None if column == "video_id" else ""
    assert named == ["subject", "video", "session", "sample"]
    for without_names in (rows, rows[[]]):
        assert unit_of(without_names).name == "sample"
        assert unit_of(without_names).groups.tolist() == [0, 1, 2]


def test_units_of_some_samples() -> None:
    units = Units("subject", np.array(list("abc")))
    for rows in ([True, False, True], [0, 2]):
        assert units.of(rows).name == "subject"
        assert units.of(rows).groups.tolist() == ["a", "c"]


def test_resamples_follow_the_golden_exact_law_of_five_subjects(
    golden: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = golden_set(golden, "five_subject_bootstrap")
    law = people["expected_exact_bootstrap"]
    bona_fide = np.array(people["labels"]) == 0
    errors = (np.array(people["scores"]) >= law["threshold"])[bona_fide]
    units = Units("subject", np.array(people["subjects"])[bona_fide])
    seen: list[np.ndarray] = []
    ours = uncertainty._resampled_rates

    def drawn(*given: Any) -> np.ndarray:
        seen.append(ours(*given))
        return seen[-1]

    monkeypatch.setattr(uncertainty, "_resampled_rates", drawn)
    interval = rate_interval(errors, units, resamples=20_000)
    [rates] = seen[0]
    assert rates.mean() == pytest.approx(law["mean"], abs=0.003)
    assert rates.std() == pytest.approx(law["sd"], abs=0.003)
    for name, expected in law["quantiles_inverted_cdf"].items():
        assert np.quantile(rates, float(name[1:]) / 100) == pytest.approx(expected, abs=0.02)
    # Read further out, as five subjects are few: at the normal distribution's share beyond sqrt(5/4) t, of t's tail.
    beyond = norm.sf(np.sqrt(5 / 4) * student.ppf([0.975, 0.95], 4))
    low, high = np.quantile(rates, [beyond[0], 1 - beyond[0]])
    upper = np.quantile(rates, 1 - beyond[1])
    assert interval is not None
    assert (interval.unit, interval.n_units, interval.method, interval.resamples) == ("subject", 5, "bootstrap", 20_000)
    assert interval.low == pytest.approx(min(low, clopper_pearson(int(errors.sum()), errors.size).low))
    bounds = [zero_error_upper_bound(5, level) for level in (0.975, 0.95)]
    assert (interval.high, interval.upper) == pytest.approx((max(high, bounds[0]), max(upper, bounds[1])))


def test_the_rate_of_a_resample_is_a_ratio_of_sums() -> None:
    """Two subjects, 1 of 2 and 3 of 4 wrong: a quarter of the resamples has either alone, the others have 4 of 6."""
    counts, trials = np.array([[1.0, 3.0]]), np.array([2, 4])
    rates, times = np.unique(uncertainty._resampled_rates(counts, trials, 2000, 0), return_counts=True)
    assert rates == pytest.approx([0.5, 4 / 6, 0.75])
    assert times / 2000 == pytest.approx([0.25, 0.5, 0.25], abs=0.04)


def test_an_interval_of_four_subjects_by_hand() -> None:
    """39 images of each of four subjects. Without an error they leave 1 - 0.05^(1/4) = 52.7 %.

    With 11 of 156, 8 of them of one subject, no resample has more than 8/39 = 20.5 %, and 156 independent trials would
    give 12.3 %: what four subjects cannot prove without an error they cannot prove with 11. With 80 of 156, 20 of each
    subject, all resamples agree, and Clopper-Pearson of 156 trials stands: 43.2 to 59.4 %, and 58.1 % with 5 % beyond;
    what four leave with 2.5 % on either side, 1 - 0.025^(1/4) = 60.2 %, is wider.
    """
    subjects = Units("subject", np.repeat(np.arange(4), 39))

    def interval(*errors: int) -> RateInterval:
        found = rate_interval(np.concatenate([np.arange(39) < k for k in errors]), subjects)
        assert found is not None
        return found

    none, few, half = interval(0, 0, 0, 0), interval(1, 1, 1, 8), interval(20, 20, 20, 20)
    every = interval(39, 39, 39, 39)
    assert (none.low, none.high, none.upper) == pytest.approx((0, 0.5271, 0.5271), abs=1e-4)
    assert (few.low, few.high, few.upper) == pytest.approx((1 / 39, 0.6024, 0.5271), abs=1e-4)
    assert (half.low, half.high, half.upper) == pytest.approx((1 - 0.6024, 0.6024, 0.5812), abs=1e-4)
    assert (every.low, every.high, every.upper) == pytest.approx((1 - 0.5271, 1, 1), abs=1e-4)


def test_no_interval_jumps_and_more_errors_never_give_a_lower_bound() -> None:
    rng = np.random.default_rng(2)
    for n_subjects, n_each in ((4, 39), (12, 5), (60, 20), (41, 1)):
        units = Units("subject", np.repeat(np.arange(n_subjects), n_each))
        scores = rng.normal(0, 1, n_subjects)[units.groups] + rng.normal(0, 1, units.groups.size)
        grid = np.append(np.unique(scores), np.inf)
        band = rate_bands(scores, units, grid, resamples=200)
        upper = upper_bounds(scores, units, grid, resamples=200)
        assert band is not None
        assert upper is not None
        for bounds in (*band, upper):
            assert (np.diff(bounds) <= 0).all()
        assert (band[0] <= upper).all()
        assert (upper <= band[1]).all()
        bound = zero_error_upper_bound(n_subjects)
        assert (band[0][0], band[0][-1]) == (pytest.approx(1 - bound), 0)
        assert (band[1][0], band[1][-1], upper[-1]) == (1, pytest.approx(bound), pytest.approx(bound))
        for j in (0, 3, len(grid) // 2, len(grid) - 1):
            interval = rate_interval(scores >= grid[j], units, resamples=200)
            assert interval is not None
            assert interval.upper == pytest.approx(upper[j], abs=1e-12)


def test_frames_of_one_subject_are_no_independent_trials() -> None:
    scores, _, subjects = subjects_of(15, 40)
    by_subject = rate_interval(scores >= 1, Units("subject", subjects))
    by_image = rate_interval(scores >= 1, Units("sample", np.arange(scores.size)))
    assert by_subject is not None
    assert by_image is not None
    assert (by_subject.unit, by_subject.n_units, by_subject.method) == ("subject", 15, "bootstrap")
    expected = clopper_pearson(int((scores >= 1).sum()), scores.size)
    upper = clopper_pearson(int((scores >= 1).sum()), scores.size, 0.9).high
    assert by_image == RateInterval(*expected, "sample", scores.size, "clopper_pearson", 0, upper)
    assert by_subject.high - by_subject.low > 3 * (by_image.high - by_image.low)


def test_one_sample_of_each_subject_is_an_independent_trial() -> None:
    interval = rate_interval([True, False, False], Units("subject", np.array(list("abc"))))
    upper = clopper_pearson(1, 3, 0.9).high  # 5 % on either side
    assert interval == RateInterval(*clopper_pearson(1, 3), "subject", 3, "clopper_pearson", 0, upper)
    for errors in (0, 1):  # of 41 subjects, one sample each or three each: the same
        for n_each in (1, 3):
            units = Units("subject", np.repeat(np.arange(41), n_each))
            alike = rate_interval(np.full(41 * n_each, errors), units)
            assert alike is not None
            bound = zero_error_upper_bound(41)
            assert (alike.low, alike.high) == pytest.approx((1 - bound, 1) if errors else (0, bound))


def test_no_errors_are_bounded_by_the_number_of_subjects_not_of_samples() -> None:
    units = Units("subject", np.repeat(np.arange(10), 100))
    bound = zero_error_upper_bound(10)
    expected = RateInterval(0.0, pytest.approx(bound), "subject", 10, "rule_of_three", 0, pytest.approx(bound))
    assert rate_interval(np.zeros(1000), units) == expected
    mirrored = rate_interval(np.ones(1000), units)
    assert mirrored is not None
    assert (mirrored.low, mirrored.high, mirrored.method) == (pytest.approx(1 - bound), 1.0, "rule_of_three")
    alike = rate_interval(np.arange(1000) % 4 == 0, units)  # a quarter of every subject
    assert alike is not None
    assert alike.low == pytest.approx(clopper_pearson(250, 1000).low)
    assert alike.high == pytest.approx(zero_error_upper_bound(10, 0.975))  # above the 27.8 % of 1000 trials


def test_one_subject_says_nothing_about_others() -> None:
    assert rate_interval([True, False], Units("subject", np.array(["a", "a"]))) is None
    assert rate_interval([], Units("sample", np.arange(0))) is None
    assert rate_bands([1.0, np.nan, 2.0], Units("subject", np.array(["a", "b", "a"])), [0.0]) is None
    assert rate_bands([], Units("sample", np.arange(0)), [0.0]) is None


def test_neither_the_order_of_samples_nor_the_size_of_batches_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, _, subjects = subjects_of(12, 5)
    shuffled = np.random.default_rng(1).permutation(scores.size)
    expected = rate_interval(scores > 0.7, Units("subject", subjects), resamples=51)
    monkeypatch.setattr(uncertainty, "_AT_ONCE", 100)
    assert rate_interval((scores > 0.7)[shuffled], Units("subject", subjects[shuffled]), resamples=51) == expected
    assert rate_interval(scores > 0.7, Units("subject", subjects), resamples=51, seed=1) != expected


@pytest.mark.parametrize(
    ("n_subjects", "n_each", "truth", "alike", "least"),
    [(4, 20, 0.05, 1.0, 0.97), (10, 10, 0.2, 2.0, 0.93), (30, 8, 0.2, 2.0, 0.88)],
)
def test_about_as_many_intervals_hold_the_truth_as_they_say(
    n_subjects: int, n_each: int, truth: float, alike: float, least: float
) -> None:
    """Subjects with rates of their own, beta(alike truth, ...). Few of them are not too few; as trials they are."""
    rng = np.random.default_rng(0)
    held = held_as_trials = bounded = 0
    units = Units("subject", np.repeat(np.arange(n_subjects), n_each))
    for _ in range(200):
        rates = rng.beta(alike * truth, alike * (1 - truth), n_subjects)
        errors = rng.random(units.groups.size) < rates[units.groups]
        interval = rate_interval(errors, units, resamples=400)
        assert interval is not None
        low, high = clopper_pearson(int(errors.sum()), errors.size)
        held += interval.low <= truth <= interval.high
        bounded += truth <= interval.upper
        held_as_trials += low <= truth <= high
    assert held / 200 >= least
    assert bounded / 200 >= least
    assert held_as_trials / 200 < 0.85


def test_a_band_is_the_interval_at_every_threshold() -> None:
    scores, _, subjects = subjects_of(9, 6)
    scores[4], scores[77] = np.inf, -np.inf
    missing = np.where(np.arange(scores.size) % 7 == 0, np.nan, scores)
    answered = ~np.isnan(missing)
    grid = np.concatenate([[-np.inf], np.unique(scores)[::3], [1.25, 99.0, np.inf]])  # scores, and between scores
    grid.sort()
    for units in (Units("subject", subjects), Units("sample", np.arange(scores.size))):
        low, high = rate_bands(missing, units, grid)
        for j, t in enumerate(grid):
            interval = rate_interval(scores[answered] >= t, units.of(answered))
            assert interval is not None
            assert (low[j], high[j]) == pytest.approx((interval.low, interval.high), abs=1e-12)
            share_below = rate_interval(scores[answered] < t, units.of(answered))
            assert share_below is not None
            assert (1 - high[j], 1 - low[j]) == pytest.approx((share_below.low, share_below.high), abs=1e-12)


def test_a_band_is_quick_enough_to_be_redrawn() -> None:
    rng = np.random.default_rng(0)
    units = Units("subject", rng.integers(0, 300, 15_000))
    scores = rng.normal(0, 1, 15_000)
    start = time.process_time()
    rate_bands(scores, units, np.linspace(-3, 3, 256), resamples=1000)
    assert time.process_time() - start < 1  # 0.02 s on an idle machine


def test_what_cannot_be_resampled_is_refused() -> None:
    units = Units("sample", np.arange(3))
    with pytest.raises(ValueError, match="one per sample"):
        rate_interval([True, False], units)
    with pytest.raises(ValueError, match="level"):
        rate_interval([True, False, True], units, level=1.0)
    for grid in ([1.0, 0.0], [np.nan], [[0.0]]):
        with pytest.raises(ValueError, match="ascending"):
            rate_bands([1.0, 2.0, 3.0], units, grid)


# ---------------------------------------------------------------------------------------------------------------------
# Two models on the same independent samples


def test_delong_is_the_golden_one(golden: dict[str, Any]) -> None:
    paired = golden_set(golden, "paired_medium")
    expected = paired["expected_delong"]
    aucs, v = uncertainty.delong([paired["scores"], paired["scores_model_2"]], np.array(paired["labels"]) == 1)
    assert aucs == pytest.approx([expected["auc_1"], expected["auc_2"]], abs=1e-9)
    assert (v[0, 0], v[1, 1]) == pytest.approx((expected["var_1"], expected["var_2"]), abs=1e-12)
    assert v[0, 1] == v[1, 0] == pytest.approx(expected["cov"], abs=1e-12)
    z = (aucs[0] - aucs[1]) / np.sqrt(v[0, 0] + v[1, 1] - 2 * v[0, 1])
    assert 2 * norm.sf(z) == pytest.approx(expected["p_two_sided"], abs=1e-9)


def test_delong_is_its_definition_also_with_ties() -> None:
    scores, attack, _ = subjects_of(6, 4)
    other = np.round(scores + np.random.default_rng(3).normal(0, 1, scores.size))
    aucs, v = uncertainty.delong([scores, other], attack)
    wins = np.array([[[float(a > b) + 0.5 * (a == b) for b in s[~attack]] for a in s[attack]] for s in (scores, other)])
    np.testing.assert_allclose(aucs, wins.mean((1, 2)), rtol=1e-12)
    for i, j in itertools.product(range(2), repeat=2):
        s10 = np.cov(wins[i].mean(1), wins[j].mean(1))[0, 1]
        s01 = np.cov(wins[i].mean(0), wins[j].mean(0))[0, 1]
        assert v[i, j] == pytest.approx(s10 / attack.sum() + s01 / (~attack).sum(), rel=1e-12)


def test_delong_refuses_what_has_no_variance() -> None:
    with pytest.raises(ValueError, match="two bona fide samples and two attacks"):
        uncertainty.delong([[1.0, 2.0, 3.0]], [False, True, True])
    with pytest.raises(ValueError, match="a score of every sample"):
        uncertainty.delong([[1.0, 2.0, 3.0, np.nan]], [False, True, True, False])


def test_mcnemar_is_a_binomial_test_of_the_discordant_samples() -> None:
    for a, b in ((0, 1), (1, 0), (3, 3), (2, 9), (9, 2), (0, 40), (700, 800), (4, 5)):
        assert mcnemar(a, b) == pytest.approx(binomtest(a, a + b).pvalue, rel=1e-9)
    assert mcnemar(0, 0) == 1
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 3)


def test_the_margin_of_an_auc_is_by_units() -> None:
    # Attacks 1 and 3 against live 0, 2 and 4. Pairs won by an attack: 1 > 0; 3 > 0 and 3 > 2: AUC 3/6.
    # Shares won per attack: 1/3, 2/3, variance 1/18; per live face: 1, 1/2, 0, variance 1/4.
    values, attack = [0, 2, 4, 1, 3], np.array([False, False, False, True, True])
    alone = Units("sample", np.arange(5))
    quantile = student.ppf(0.975, 1)  # two attacks: one degree of freedom
    assert uncertainty.auc_margin(values, attack, alone) == pytest.approx(
        quantile * np.sqrt((1 / 18) / 2 + (1 / 4) / 3)
    )
    # Every sample five times, as one unit: nothing more is known.
    often = uncertainty.auc_margin(
        np.repeat(values, 5), np.repeat(attack, 5), Units("video", np.repeat(np.arange(5), 5))
    )
    assert often == pytest.approx(uncertainty.auc_margin(values, attack, alone))
    # Attacks and live faces of one subject shift together: an offset of the subject takes nothing away.
    both = uncertainty.auc_margin(
        [0, 1, 10, 11, 20, 21], [False, True] * 3, Units("subject", np.repeat(np.arange(3), 2))
    )
    apart = uncertainty.auc_margin([0, 1, 10, 11, 20, 21], [False, True] * 3, Units("sample", np.arange(6)))
    assert both < apart / 5


def test_the_margin_of_an_auc_has_bounds_where_nothing_varies() -> None:
    values, attack = np.arange(8.0), np.arange(8) >= 4
    alone = Units("sample", np.arange(8))
    assert uncertainty.auc_margin(values, attack, alone) == uncertainty.zero_error_upper_bound(4)
    one_person = Units("subject", np.where(attack, 9, np.arange(8)))
    assert uncertainty.auc_margin(values[::-1] % 5, attack, one_person) == math.inf
    assert uncertainty.auc_margin(values, attack & False, alone) == math.inf
