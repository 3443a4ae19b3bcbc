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
    UnitInterval,
    Units,
    clopper_pearson,
    mcnemar,
    rate_bands,
    rate_interval,
    unit_of,
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
    ours = uncertainty.percentiles
    monkeypatch.setattr(uncertainty, "percentiles", lambda rates, *rest: seen.append(rates) or ours(rates, *rest))
    interval = rate_interval(errors, units, resamples=20_000)
    [rates] = seen[0]
    assert rates.mean() == pytest.approx(law["mean"], abs=0.003)
    assert rates.std() == pytest.approx(law["sd"], abs=0.003)
    for name, expected in law["quantiles_inverted_cdf"].items():
        assert np.quantile(rates, float(name[1:]) / 100) == pytest.approx(expected, abs=0.02)
    assert interval == UnitInterval(*np.quantile(rates, [0.025, 0.975]), "subject", 5, "bootstrap", 20_000)


def test_the_rate_of_a_resample_is_a_ratio_of_sums() -> None:
    """Two subjects, 1 of 2 and 3 of 4 wrong: a quarter of the resamples has either alone, the others have 4 of 6."""
    errors, units = [True, False, True, True, False, True], Units("subject", np.array(list("aabbbb")))
    assert rate_interval(errors, units) == UnitInterval(0.5, 0.75, "subject", 2, "bootstrap", uncertainty.RESAMPLES)
    inner = rate_interval(errors, units, level=0.3)  # the middle 30 % of the resamples agree
    bound = zero_error_upper_bound(2, 0.3)
    assert inner is not None
    assert (inner.low, inner.high) == pytest.approx((4 / 6 * (1 - bound), 4 / 6 + bound * 2 / 6))


def test_frames_of_one_subject_are_no_independent_trials() -> None:
    scores, _, subjects = subjects_of(15, 40)
    by_subject = rate_interval(scores >= 1, Units("subject", subjects))
    by_image = rate_interval(scores >= 1, Units("sample", np.arange(scores.size)))
    assert by_subject is not None
    assert by_image is not None
    assert (by_subject.unit, by_subject.n_units, by_subject.method) == ("subject", 15, "bootstrap")
    expected = clopper_pearson(int((scores >= 1).sum()), scores.size)
    assert by_image == UnitInterval(*expected, "sample", scores.size, "clopper_pearson", 0)
    assert by_subject.high - by_subject.low > 3 * (by_image.high - by_image.low)


def test_one_sample_of_each_subject_is_an_independent_trial() -> None:
    interval = rate_interval([True, False, False], Units("subject", np.array(list("abc"))))
    assert interval == UnitInterval(*clopper_pearson(1, 3), "subject", 3, "clopper_pearson", 0)


def test_no_errors_are_bounded_by_the_number_of_subjects_not_of_samples() -> None:
    units = Units("subject", np.repeat(np.arange(10), 100))
    bound = zero_error_upper_bound(10)
    expected = UnitInterval(0.0, pytest.approx(bound), "subject", 10, "rule_of_three", uncertainty.RESAMPLES)
    assert rate_interval(np.zeros(1000), units) == expected
    mirrored = rate_interval(np.ones(1000), units)
    assert mirrored is not None
    assert (mirrored.low, mirrored.high, mirrored.method) == (pytest.approx(1 - bound), 1.0, "rule_of_three")
    alike = rate_interval(np.arange(1000) % 4 == 0, units)  # a quarter of every subject
    assert alike is not None
    assert (alike.low, alike.high) == pytest.approx((0.25 * (1 - bound), 0.25 + 0.75 * bound))


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


def test_about_as_many_intervals_hold_the_truth_as_they_say() -> None:
    """Percentiles of 30 subjects with 8 frames each: a little below 95 %; taken for 240 trials far below."""
    rng = np.random.default_rng(0)
    truth, held, held_as_trials = 0.2, 0, 0
    units = Units("subject", np.repeat(np.arange(30), 8))
    for _ in range(300):
        errors = rng.random(240) < np.repeat(rng.beta(0.4, 1.6, 30), 8)  # mean 0.2
        interval = rate_interval(errors, units, resamples=400)
        assert interval is not None
        low, high = clopper_pearson(int(errors.sum()), 240)
        held += interval.low <= truth <= interval.high
        held_as_trials += low <= truth <= high
    assert 0.88 < held / 300 < 0.98
    assert held_as_trials / 300 < 0.8


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
