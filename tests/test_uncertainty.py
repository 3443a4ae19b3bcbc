"""Intervals against golden vectors and what defines them: the binomial distribution, every resample there can be."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest, norm
from sklearn.metrics import roc_auc_score

from fas_core import metrics, uncertainty
from fas_core.uncertainty import Units, auc_intervals, clopper_pearson, resampled_aucs, wilson, zero_error_upper_bound

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


# ---------------------------------------------------------------------------------------------------------------------
# Resampling of whole subjects


def golden_set(golden: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in golden["sets"] if one["name"] == name)


def subjects_of(n_subjects: int, n_each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with ties, labels, subjects: subjects differ in how their live samples and their attacks score."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_subjects), 2 * n_each)
    attack = np.tile(np.repeat([False, True], n_each), n_subjects)
    level = rng.normal(0, 1, (n_subjects, 2))[subjects, attack.astype(int)]
    return np.round(level + attack + rng.normal(0, 0.5, subjects.size), 1), attack, subjects


def test_resamples_follow_the_golden_exact_law_of_five_subjects(golden: dict[str, Any]) -> None:
    """With all attacks at 1 and bona fide scores cut to 0 and 1 the AUC is 1 - BPCER / 2."""
    one = golden_set(golden, "five_subject_bootstrap")
    law = one["expected_exact_bootstrap"]
    attack = np.array(one["labels"]) == 1
    cut = np.where(attack, 1.0, np.array(one["scores"]) >= law["threshold"])
    [aucs] = resampled_aucs([cut], attack, one["subjects"], resamples=20_000)
    bpcer = 2 * (1 - aucs)
    assert bpcer.mean() == pytest.approx(law["mean"], abs=0.003)
    assert bpcer.std() == pytest.approx(law["sd"], abs=0.003)
    for name, expected in law["quantiles_inverted_cdf"].items():
        assert np.quantile(bpcer, float(name[1:]) / 100) == pytest.approx(expected, abs=0.02)


def test_resamples_are_draws_of_whole_subjects_with_both_their_classes() -> None:
    """Four subjects: two with both classes, one live only, one attack only. Every resample is one of the 2 * 2."""
    subjects = np.array(list("AAAABBBBBCCCDD"))
    attack = np.array([0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1], bool)
    scores = np.array([1, 2, 2, 7, 3, 1, 5, 5, 9, 4, 6, 2, 3, 8], float)
    exact = []
    for pair in itertools.product("AB", repeat=2):
        rows = np.concatenate([np.flatnonzero(subjects == drawn) for drawn in [*pair, "C", "D"]])
        exact.append(roc_auc_score(attack[rows], scores[rows]))
    [aucs] = resampled_aucs([scores], attack, subjects, resamples=4000)
    for value in set(exact):
        share = np.isclose(aucs, value, rtol=0, atol=1e-12).mean()
        assert share == pytest.approx(exact.count(value) / 4, abs=0.03)
    assert len(set(exact)) == 3  # AA, BB, and AB as often as both


def test_neither_the_order_of_samples_nor_the_size_of_batches_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, attack, subjects = subjects_of(12, 5)
    shuffled = np.random.default_rng(1).permutation(scores.size)
    expected = resampled_aucs([scores], attack, subjects, resamples=50)
    monkeypatch.setattr(uncertainty, "_AT_ONCE", 300)
    again = resampled_aucs([scores[shuffled]], attack[shuffled], subjects[shuffled], resamples=50)
    np.testing.assert_allclose(again, expected, rtol=1e-12)
    assert len(np.unique(expected)) > 40
    assert not np.allclose(resampled_aucs([scores], attack, subjects, resamples=50, seed=1), expected)


def test_scores_share_their_draws_and_only_ranks_matter() -> None:
    scores, attack, subjects = subjects_of(12, 5)
    extreme = np.where(scores == scores.max(), np.inf, np.exp(scores))
    aucs = resampled_aucs([scores, extreme, -scores], attack, subjects, resamples=50)
    np.testing.assert_array_equal(aucs[0], aucs[1])
    np.testing.assert_allclose(aucs[0] + aucs[2], 1, rtol=1e-12)


@pytest.mark.parametrize("n_attack", [40, 2500, 4900])
def test_bins_move_the_area_by_less_than_one_over_their_number(n_attack: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    attack = np.arange(5000) < n_attack
    scores = rng.normal(0, 1, 5000) + attack
    scores[rng.random(5000) < 0.3] = 0.5  # a heavy tie
    exact = metrics.roc_auc(metrics.score_set(scores, attack))
    one_group = np.zeros(5000)  # every draw is the set itself
    assert resampled_aucs([scores], attack, one_group, resamples=1)[0, 0] == pytest.approx(exact, abs=1e-12)
    for quantiles in (20, 100):
        monkeypatch.setattr(uncertainty, "QUANTILES", quantiles)
        binned = resampled_aucs([scores], attack, one_group, resamples=1)[0, 0]
        assert 0 < abs(binned - exact) < 1 / quantiles


def test_attacks_just_above_a_heavy_tie_are_not_taken_for_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """All 40 attacks lie between two neighbouring quantiles, the lower of which is the score of 4,000 live samples."""
    monkeypatch.setattr(uncertainty, "QUANTILES", 20)
    scores = np.concatenate([np.linspace(0, 0.4, 960), np.full(4000, 0.5), np.linspace(0.51, 0.6, 40)])
    [[auc]] = resampled_aucs([scores], np.arange(5000) >= 4960, np.zeros(5000), resamples=1)
    assert auc == 1


def test_binned_intervals_are_close_to_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    _, attack, subjects = subjects_of(20, 50)
    scores = rng.normal(0, 1, subjects.size) + attack + rng.normal(0, 0.5, 20)[subjects]
    exact = resampled_aucs([scores], attack, subjects, resamples=200)
    monkeypatch.setattr(uncertainty, "QUANTILES", 100)
    np.testing.assert_allclose(resampled_aucs([scores], attack, subjects, resamples=200), exact, atol=1e-3)


def test_frames_of_one_subject_are_no_independent_trials() -> None:
    scores, attack, subjects = subjects_of(15, 40)
    [by_subject] = auc_intervals([scores], attack, Units("subject", subjects))
    [by_image] = auc_intervals([scores], attack, Units("image", np.arange(scores.size)))
    assert by_subject is not None
    assert by_image is not None
    assert (by_subject.unit, by_subject.n_groups, by_subject.resamples) == ("subject", 15, uncertainty.RESAMPLES)
    assert by_image.n_groups == 1200
    assert by_subject.high - by_subject.low > 3 * (by_image.high - by_image.low)
    assert by_subject.low < roc_auc_score(attack, scores) < by_subject.high


def test_intervals_of_independent_samples_agree_with_delong() -> None:
    rng = np.random.default_rng(0)
    attack = np.arange(600) % 3 == 0
    scores = rng.normal(0, 1, 600) + attack
    [interval] = auc_intervals([scores], attack, Units("image", np.arange(600)), resamples=4000, level=0.9)
    [auc], [[variance]] = uncertainty.delong([scores], attack)
    assert interval is not None
    expected = auc + norm.ppf([0.05, 0.95]) * np.sqrt(variance)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=0.004)


def test_an_interval_needs_two_subjects_of_each_class_and_some_variation() -> None:
    attack = np.array([False, False, False, True, True, True])
    scores = np.array([1.0, 3.0, 2.0, 2.5, 4.0, 0.5])

    def interval(subjects: str, values: np.ndarray = scores) -> uncertainty.BootstrapInterval | None:
        return auc_intervals([values], attack, Units("subject", np.array(list(subjects))))[0]

    assert interval("ABBCDD") is not None
    assert interval("ABBABB") is not None
    assert interval("AAABCD") is None
    assert interval("ABCDDD") is None
    assert interval("ABCABC", np.arange(6.0)) is None  # all attacks above all live samples, whoever is drawn
    assert interval("ABBCDD", np.where(attack & (scores > 1), np.nan, scores)) is None  # one attack has a score
    assert auc_intervals([scores[:3]], attack[:3], Units("image", np.arange(3))) == [None]
    assert auc_intervals([[]], [], Units("image", np.arange(0))) == [None]
    with pytest.raises(ValueError, match="level"):
        auc_intervals([scores], attack, Units("image", np.arange(6)), level=1.0)


def test_a_missing_score_is_left_out() -> None:
    scores, attack, subjects = subjects_of(12, 5)
    gone = np.random.default_rng(1).random(scores.size) < 0.3
    gone |= subjects == 7
    missing = np.where(gone, np.nan, scores)
    [[auc]] = resampled_aucs([missing], attack, np.zeros(scores.size), resamples=1)
    assert auc == pytest.approx(roc_auc_score(attack[~gone], scores[~gone]), abs=1e-12)
    full, holed = auc_intervals([scores, missing], attack, Units("subject", subjects))
    assert full is not None
    assert holed is not None
    assert (full.n_groups, holed.n_groups) == (12, 11)


def test_a_resample_without_a_class_has_no_area_and_is_passed_over() -> None:
    scores, attack, subjects = subjects_of(6, 5)
    missing = np.where(attack & (subjects > 1), np.nan, scores)  # four of six subjects without a score of an attack
    [aucs] = resampled_aucs([missing], attack, subjects, resamples=4000)
    assert np.isnan(aucs).mean() == pytest.approx((4 / 6) ** 6, abs=0.02)
    [interval] = auc_intervals([missing], attack, Units("subject", subjects), resamples=4000)
    assert interval is not None
    assert interval.resamples == 4000 - np.isnan(aucs).sum()


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
        unit = uncertainty.unit_of(rows)
        assert unit.groups.tolist() == rows[column].tolist()
        named.append(unit.name)
        rows.loc[1, column] = " " if column == "session_id" else None if column == "video_id" else ""
    assert named == ["subject", "video", "session", "image"]
    for without_names in (rows, rows[[]]):
        assert uncertainty.unit_of(without_names).name == "image"
        assert uncertainty.unit_of(without_names).groups.tolist() == [0, 1, 2]


# ---------------------------------------------------------------------------------------------------------------------
# DeLong


def test_delong_is_the_golden_one(golden: dict[str, Any]) -> None:
    one = golden_set(golden, "paired_medium")
    expected = one["expected_delong"]
    aucs, v = uncertainty.delong([one["scores"], one["scores_model_2"]], np.array(one["labels"]) == 1)
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
