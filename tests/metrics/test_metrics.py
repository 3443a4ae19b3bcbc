"""Metrics against the golden vectors, against brute force, against scikit-learn and on real scores."""

import itertools
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.special import ndtri
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from fas_core import metrics
from fas_core.errors import BadInputError
from fas_core.metrics import ScoreSet, UndefinedMetricError, score_set

SHARED = Path(__file__).parents[2].parent / "shared"
GOLDEN = SHARED / "golden" / "metrics_golden.json"
AUXILIARY = SHARED / "data" / "pad_scores" / "auxiliary_grandtest.csv"
INF = math.inf


def num(x: Any) -> Any:
    return float(x) if isinstance(x, str) and x in ("inf", "-inf", "nan") else x


def golden_cases() -> list[Any]:
    if not GOLDEN.exists():
        return [pytest.param(None, marks=pytest.mark.skip(f"golden vectors are absent: {GOLDEN}"))]
    return [pytest.param(case, id=case["name"]) for case in json.loads(GOLDEN.read_text())["sets"]]


def golden_case(name: str) -> dict[str, Any]:
    if not GOLDEN.exists():
        pytest.skip(f"golden vectors are absent: {GOLDEN}")
    return next(case for case in json.loads(GOLDEN.read_text())["sets"] if case["name"] == name)


def set_of(case: dict[str, Any]) -> ScoreSet:
    return score_set([num(x) for x in case["scores"]], case["labels"], case["species"])


def close(x: Any) -> Any:
    """The expected value with the golden tolerance, at any depth; None stays None."""
    if isinstance(x, dict):
        return {key: close(entry) for key, entry in x.items()}
    if isinstance(x, list):
        return [close(entry) for entry in x]
    return x if x is None else pytest.approx(num(x), abs=1e-9, rel=0)


def random_sets(n_sets: int, seed: int, *, infinite: bool = True) -> list[tuple[ScoreSet, Any, Any, Any]]:
    """Small random sets, some full of ties, some with infinite scores: (set, scores, labels, species)."""
    rng = np.random.default_rng(seed)
    sets = []
    for i in range(n_sets):
        n = int(rng.integers(4, 40))
        scores = rng.normal(size=n) if i % 2 else rng.integers(0, 6, n).astype(float)
        if infinite and i % 3 == 0:
            scores[rng.integers(0, n, 2)] = rng.choice([-INF, INF], 2)
        labels = rng.integers(0, 2, n)
        labels[:2] = (0, 1)
        species = [str(rng.choice(["print", "mask", "replay"])) if label else None for label in labels]
        sets.append((score_set(scores, labels, species), scores, labels, species))
    return sets


# ---------------------------------------------------------------------------------------------------------------------
# Golden vectors


@pytest.mark.parametrize("case", golden_cases())
def test_rank_metrics_are_the_golden_ones(case: dict[str, Any]) -> None:
    expected = case["expected"]
    document = metrics.summary(set_of(case)).as_json()
    assert document["n_bona_fide"] == expected["n_bonafide"]
    assert document["n_attack"] == expected["n_attack"]
    assert document["n_per_species"] == expected["n_per_species"]
    assert document["roc_auc"] == close(expected["roc_auc"])
    assert document["average_precision"] == close(expected["average_precision"])
    if expected["roc_auc"] is None:
        assert document["roc_auc_per_species"] == {}
        assert set(document["prior_adjusted_average_precision"].values()) == {None}
        return
    assert document["roc_auc_per_species"] == close(expected["roc_auc_per_species"])
    assert document["prior_adjusted_average_precision"] == close(expected["prior_adjusted_average_precision"])


@pytest.mark.parametrize("case", golden_cases())
def test_eer_is_the_golden_one(case: dict[str, Any]) -> None:
    expected, scores = case["expected"]["eer"], set_of(case)
    if expected is None:
        assert metrics.summary(scores).as_json()["eer"] is None
        return
    eer = metrics.equal_error_rate(scores)
    assert eer.value == close(expected["roc_linear"])
    assert [eer.low, eer.high] == close(expected["bounds_of_staircase_crossing"])
    nearest = expected["min_abs_diff"]
    rates = metrics.rates_at(scores, eer.threshold)
    assert eer.threshold == num(nearest["threshold"])
    assert {key: getattr(rates, key) for key in ("apcer_pooled", "bpcer")} == close(
        {key: nearest[key] for key in ("apcer_pooled", "bpcer")}
    )
    assert rates.hter == close(nearest["eer"])


@pytest.mark.parametrize("case", golden_cases())
def test_at_most_targets_are_the_golden_ones(case: dict[str, Any]) -> None:
    scores = set_of(case)
    for row in case["expected"].get("bpcer_at_apcer", []):
        entry = asdict(metrics.bpcer_at_apcer(scores, row["target_apcer"]))
        assert entry["target"] == row["target_apcer"]
        assert entry["threshold"] == num(row["threshold"])
        for key in ("bpcer", "apcer_max", "apcer_per_species"):
            assert entry[key] == close(row[key]), key
    for row in case["expected"].get("apcer_at_bpcer", []):
        entry = asdict(metrics.apcer_at_bpcer(scores, row["target_bpcer"]))
        assert entry["threshold"] == np.nextafter(num(row["attack_iff_score_greater_than"]), INF)
        for key in ("bpcer", "apcer_max", "apcer_per_species"):
            assert entry[key] == close(row[key]), key
        assert 1 - entry["apcer_pooled"] == close(row["tpr_pooled"])


def assert_is_operating_point(at: metrics.Rates, expected: dict[str, Any]) -> None:
    rates = metrics.json_safe(at.as_json())
    plain = ("apcer_max", "apcer_pooled", "bpcer", "acer", "hter", "precision", "recall", "f1", "apcer_per_species")
    for key in (*plain, "bpcer_ci95", "apcer_ci95_per_species"):
        assert rates[key] == close(expected[key]), key
    assert rates["counts"] == {key: expected[key] for key in ("tp", "fn", "fp", "tn")}
    for prior, value in expected.get("prior_adjusted_precision", {}).items():
        assert rates["prior_adjusted_precision"][prior] == close(value), prior


@pytest.mark.parametrize("case", golden_cases())
def test_rates_at_a_threshold_are_the_golden_ones(case: dict[str, Any]) -> None:
    scores = set_of(case)
    for point in case["expected"]["operating_points"]:
        assert_is_operating_point(metrics.rates_at(scores, num(point["threshold"])), point)


def test_thresholds_chosen_on_dev_give_the_golden_rates_on_test() -> None:
    case = golden_case("dev_test_transfer")
    dev, test = set_of(case["dev"]), set_of(case)
    chosen = {
        "dev_eer_min_abs_diff": metrics.equal_error_rate(dev).threshold,
        "dev_bpcer_at_most_5pct_from_bonafide_only": metrics.threshold_at_bpcer(dev, 0.05),
        "dev_apcer_max_at_most_10pct": metrics.threshold_at_apcer(dev, 0.1),
    }
    assert set(chosen) == set(case["expected_dev_to_test"])
    for rule, expected in case["expected_dev_to_test"].items():
        assert chosen[rule] == close(expected["threshold"]), rule
        assert_is_operating_point(metrics.rates_at(dev, chosen[rule]), expected["dev"])
        assert_is_operating_point(metrics.rates_at(test, chosen[rule]), expected["test"])


def test_golden_non_responses_are_excluded_or_fail_closed_never_live() -> None:
    case = golden_case("nonfinite")
    scores = np.array([num(x) for x in case["scores_with_nan"]])
    labels, species = case["labels_with_nan"], case["species_with_nan"]
    policies = case["expected_nan_policies"]
    at = policies["threshold"]

    excluded = metrics.summary(score_set(scores, labels, species), thresholds=[at]).as_json()
    assert excluded["n_non_response"] == {"bona_fide": 2, "attack": 1}
    assert (excluded["n_bona_fide"], excluded["n_attack"]) == (20, 15)
    assert [excluded["bpnrr"], excluded["apnrr"]] == close([policies["exclude"]["bpnrr"], policies["exclude"]["apnrr"]])
    assert excluded["at_threshold"][0]["bpcer"] == close(policies["exclude"]["bpcer"])
    assert excluded["at_threshold"][0]["apcer_max"] == close(policies["exclude"]["apcer"])

    closed = metrics.rates_at(score_set(np.where(np.isnan(scores), INF, scores), labels, species), at)
    assert [closed.bpcer, closed.apcer_max] == [5 / 22, 3 / 16]


def test_probit_is_the_golden_one() -> None:
    if not GOLDEN.exists():
        pytest.skip(f"golden vectors are absent: {GOLDEN}")
    axis = json.loads(GOLDEN.read_text())["det_axis"]
    assert metrics.probit(axis["p"], 10_000_000) == pytest.approx(axis["probit"], abs=1e-9)


# ---------------------------------------------------------------------------------------------------------------------
# The decision


def test_equality_is_an_attack_and_infinities_are_extremes() -> None:
    assert metrics.is_attack([0.4, 0.5, 0.6, INF, -INF], 0.5).tolist() == [False, True, True, True, False]
    assert metrics.is_attack([-INF, 0.0, INF], -INF).all()
    assert metrics.is_attack([1.0, INF], INF).tolist() == [False, True]


def test_nan_has_no_decision() -> None:
    with pytest.raises(BadInputError, match="non-response"):
        metrics.is_attack([0.1, math.nan], 0.5)
    with pytest.raises(BadInputError, match="threshold is NaN"):
        metrics.is_attack([0.1], math.nan)
    with pytest.raises(BadInputError, match="threshold is NaN"):
        metrics.rates_at(score_set([0.1, 0.9], [0, 1]), math.nan)


def test_rates_count_what_the_decision_says() -> None:
    for scores, values, labels, species in random_sets(60, seed=1):
        for threshold in (*np.unique(values), 2.5, -INF, INF):
            attack = metrics.is_attack(values, threshold)
            rates = metrics.rates_at(scores, threshold)
            assert rates.bpcer == attack[labels == 0].mean()
            for name in set(filter(None, species)):
                mine = np.array([kind == name for kind in species])
                assert rates.apcer_per_species[name] == (~attack[mine]).mean()
            assert rates.apcer_max == max(rates.apcer_per_species.values())
            assert rates.apcer_per_species[rates.apcer_worst] == rates.apcer_max
            assert rates.acer == (rates.apcer_max + rates.bpcer) / 2


def test_a_float32_score_is_not_confused_with_its_float64_neighbour() -> None:
    near = np.nextafter(0.5, 1)
    assert np.float32(near) == np.float32(0.5)
    assert metrics.roc_auc(score_set([0.5, near], [0, 1])) == 1.0


# ---------------------------------------------------------------------------------------------------------------------
# Building a set


def test_species_are_in_order_of_name_and_nameless_attacks_are_unspecified() -> None:
    scores = score_set(
        [1, 2, 3, 4, 5, 6, 7], [0, 1, 1, 1, 1, 1, 1], ["x", "replay", None, "", "mask", math.nan, "replay"]
    )
    assert list(scores.attacks) == ["mask", "replay", "unspecified"]
    assert scores.attacks["replay"].tolist() == [2, 7]
    assert scores.attacks["unspecified"].tolist() == [3, 4, 6]
    assert scores.pooled.tolist() == [2, 3, 4, 5, 6, 7]
    assert list(score_set([1, 2], [False, True]).attacks) == ["unspecified"]


def test_codes_and_names_build_the_same_set() -> None:
    for scores, values, labels, species in random_sets(20, seed=2):
        names = ["replay", "never seen", "mask", "print"]
        codes = [names.index(name) + 1 if label else 0 for label, name in zip(labels, species, strict=True)]
        assert (
            metrics.summary(metrics.score_set_from_codes(values, codes, names)).as_json()
            == metrics.summary(scores).as_json()
        )


def test_the_set_is_read_only_and_leaves_its_input_alone() -> None:
    given = np.array([3.0, 1.0, 2.0])
    scores = score_set(given, [1, 0, 1], ["b", None, "a"])
    assert given.tolist() == [3.0, 1.0, 2.0]
    for array in (scores.bona_fide, scores.pooled, *scores.attacks.values()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_species_without_any_score_stays_visible() -> None:
    scores = score_set([0.1, 0.9, math.nan], [0, 1, 1], [None, "print", "mask"])
    document = metrics.summary(scores, thresholds=[0.5]).as_json()
    assert document["n_per_species"] == {"mask": 0, "print": 1}
    assert document["roc_auc_per_species"] == {"mask": None, "print": 1.0}
    (rates,) = document["at_threshold"]
    assert rates["apcer_per_species"] == {"mask": None, "print": 0.0}
    assert rates["apcer_ci95_per_species"]["mask"] is None
    assert (rates["apcer_max"], rates["apcer_worst"]) == (0.0, "print")
    assert document["bpcer_at_apcer"][0]["threshold"] == 0.9
    assert list(metrics.curves(scores).apcer) == ["print"]


@pytest.mark.parametrize(
    ("scores", "labels", "species", "message"),
    [
        ([1.0, 2.0], [0], None, "one label per score"),
        ([1.0, 2.0], [0, 1], ["a"], "2 scores but 1 species"),
        ([1.0, 2.0], [0, 2], None, "label .*2.* at position 1"),
        ([1.0, 2.0], [0, math.nan], None, "position 1"),
        ([1.0, 2.0], ["live", "spoof"], None, "position 0"),
        (["a", "b"], [0, 1], None, "scores must be numbers"),
        ([[1.0, 2.0]], [0, 1], None, "one value per sample"),
    ],
)
def test_bad_input_says_what_is_wrong(scores: Any, labels: Any, species: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        score_set(scores, labels, species)


@pytest.mark.parametrize(
    ("codes", "names", "message"),
    [([0, 2], ["a"], "from 0"), ([0, -1], ["a"], "from 0"), ([0.0, 1.0], ["a"], "integers"), ([0, 1], "aa", "differ")],
)
def test_bad_codes_are_refused(codes: Any, names: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        metrics.score_set_from_codes([0.1, 0.2], codes, names)


# ---------------------------------------------------------------------------------------------------------------------
# Properties


def test_ranks_agree_with_brute_force_over_pairs_and_thresholds() -> None:
    for scores, values, labels, _ in random_sets(60, seed=3):
        bona_fide, attacks = values[labels == 0], values[labels == 1]
        pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(attacks, bona_fide)]
        assert metrics.roc_auc(scores) == pytest.approx(np.mean(pairs), abs=1e-12)
        told = metrics.summary(scores)
        assert told.roc_auc == metrics.roc_auc(scores)  # to the last digit, though pairs are counted species by species
        assert told.roc_auc_per_species == {name: metrics.roc_auc(scores, name) for name in scores.attacks}

        for prior in (None, 0.02, 0.5):
            share = len(attacks) / len(values) if prior is None else prior
            area, recall = 0.0, 0.0
            for threshold in np.unique(values)[::-1]:
                tpr, fpr = (attacks >= threshold).mean(), (bona_fide >= threshold).mean()
                area += (tpr - recall) * share * tpr / (share * tpr + (1 - share) * fpr)
                recall = tpr
            assert metrics.average_precision(scores, prior) == pytest.approx(area, abs=1e-12)


def test_eer_threshold_is_the_best_of_all_and_the_value_lies_in_its_bracket() -> None:
    for scores, values, labels, _ in random_sets(120, seed=4):
        n_bona_fide, n_attack = (labels == 0).sum(), (labels == 1).sum()

        def distance(t: float, values=values, labels=labels, m=n_bona_fide, n=n_attack) -> tuple[int, int, float]:
            bpcer = int((values[labels == 0] >= t).sum() * n)
            apcer = int((values[labels == 1] < t).sum() * m)
            return abs(bpcer - apcer), bpcer + apcer, t

        eer = metrics.equal_error_rate(scores)
        assert eer.threshold == min(map(distance, np.unique(values)))[2]
        assert eer.low <= eer.value <= eer.high

        full = metrics.curves(scores)
        index = np.arange(full.bpcer.size)
        along = brentq(lambda u, i=index, f=full: np.interp(u, i, f.bpcer - f.apcer_pooled), 0, index[-1], xtol=1e-13)
        assert eer.value == pytest.approx(np.interp(along, index, full.bpcer), abs=1e-9)


@pytest.mark.parametrize("target", [0, 0.01, 0.1, 0.2, 0.3, 1 / 3, 0.5, 0.999, 1])
def test_at_most_is_at_most_and_nothing_better_exists(target: float) -> None:
    for scores, values, _, _ in random_sets(60, seed=5):
        everywhere = [metrics.rates_at(scores, t) for t in (-INF, *np.unique(values), INF)]
        by_apcer = metrics.bpcer_at_apcer(scores, target)
        assert by_apcer.apcer_max <= target + 1e-9
        assert by_apcer.bpcer == min(r.bpcer for r in everywhere if r.apcer_max <= target + 1e-9)
        applied = metrics.rates_at(scores, by_apcer.threshold)
        assert (applied.bpcer, applied.apcer_max) == (by_apcer.bpcer, by_apcer.apcer_max)

        by_bpcer = metrics.apcer_at_bpcer(scores, target)
        assert by_bpcer.bpcer <= target + 1e-9
        allowed = [r for r in everywhere if r.bpcer <= target + 1e-9]
        if not allowed:
            assert (by_bpcer.threshold, by_bpcer.bpcer, by_bpcer.apcer_max) == (INF, 0, 1)
            with pytest.raises(UndefinedMetricError, match=r"\+inf"):
                metrics.threshold_at_bpcer(scores, target)
            continue
        applied = metrics.rates_at(scores, metrics.threshold_at_bpcer(scores, target))
        for name, apcer in by_bpcer.apcer_per_species.items():
            assert apcer == min(r.apcer_per_species[name] for r in allowed)
            assert apcer == applied.apcer_per_species[name]


def test_at_most_survives_the_rounding_of_the_product() -> None:
    assert 0.29 * 100 < 29
    scores = score_set(np.arange(200.0), np.arange(200) >= 100)
    assert metrics.apcer_at_bpcer(scores, 0.29).bpcer == 0.29
    assert metrics.bpcer_at_apcer(scores, 0.29).apcer_max == 0.29


def test_the_interpolated_quantile_would_break_at_most() -> None:
    bona_fide = np.arange(50.0)
    scores = score_set(bona_fide, np.zeros(50))
    assert (bona_fide >= np.quantile(bona_fide, 0.95)).mean() == 0.06
    assert metrics.apcer_at_bpcer(scores, 0.05).bpcer == 0.04


def test_extreme_targets() -> None:
    scores = score_set([1.0, 2.0, 1.5], [0, 1, 1], [None, "a", "b"])
    assert metrics.threshold_at_apcer(scores, 1) == INF
    assert metrics.threshold_at_bpcer(scores, 1) == -INF
    assert metrics.threshold_at_apcer(scores, 0) == 1.5
    assert metrics.threshold_at_bpcer(scores, 0) == np.nextafter(1.0, 2)
    for target in (-0.1, 1.1, 5, math.nan):
        with pytest.raises(BadInputError, match="between 0 and 1"):
            metrics.threshold_at_bpcer(scores, target)
        with pytest.raises(BadInputError, match="between 0 and 1"):
            metrics.threshold_at_apcer(scores, target)


def test_the_threshold_for_an_apcer_is_set_by_the_hardest_species() -> None:
    scores = score_set([0, 5, 6, 1, 2], [0, 1, 1, 1, 1], [None, "easy", "easy", "hard", "hard"])
    assert metrics.threshold_at_apcer(scores, 0.5) == 2
    assert metrics.rates_at(scores, 6).apcer_worst == "hard"
    assert metrics.rates_at(scores, 6).apcer_pooled == 0.75


def test_nothing_depends_on_the_order_of_the_samples() -> None:
    rng = np.random.default_rng(6)
    for scores, values, labels, species in random_sets(30, seed=7):
        order = rng.permutation(len(values))
        shuffled = score_set(values[order], labels[order], [species[i] for i in order])
        assert metrics.summary(shuffled, thresholds=[1.0]) == metrics.summary(scores, thresholds=[1.0])


def test_nan_samples_change_no_rate() -> None:
    for scores, values, labels, species in random_sets(30, seed=8):
        more = score_set([*values, math.nan, math.nan], [*labels, 0, 1], [*species, None, species[1]])
        assert more.n_non_response == {"bona_fide": 1, "attack": 1}
        with_nan, without = (
            metrics.summary(more, thresholds=[1.0]).as_json(),
            metrics.summary(scores, thresholds=[1.0]).as_json(),
        )
        for key in set(without) - {"n_non_response", "bpnrr", "apnrr"}:
            assert with_nan[key] == without[key], key


# ---------------------------------------------------------------------------------------------------------------------
# What is undefined


def test_one_class_alone_raises_and_says_which() -> None:
    only_live = score_set([1.0, 2.0], [0, 0])
    only_attacks = score_set([1.0, 2.0], [1, 1])
    for metric in (metrics.roc_auc, metrics.average_precision, metrics.equal_error_rate, metrics.curves):
        with pytest.raises(UndefinedMetricError, match="no attack with a score"):
            metric(only_live)
        with pytest.raises(UndefinedMetricError, match="no bona fide sample with a score"):
            metric(only_attacks)
    with pytest.raises(UndefinedMetricError, match="no attack"):
        metrics.bpcer_at_apcer(only_live, 0.1)
    with pytest.raises(UndefinedMetricError, match="no bona fide"):
        metrics.apcer_at_bpcer(only_attacks, 0.1)
    with pytest.raises(UndefinedMetricError, match="'mask'"):
        metrics.roc_auc(score_set([1, 2, math.nan], [0, 1, 1], [None, "print", "mask"]), "mask")


def test_the_document_of_one_class_has_null_where_undefined() -> None:
    live = metrics.summary(score_set([1.0, 2.0], [0, 0]), thresholds=[1.5]).as_json()
    assert live["roc_auc"] is live["average_precision"] is live["eer"] is None
    assert live["bpcer_at_apcer"][0] == {
        "target": 0.01,
        "threshold": None,
        "bpcer": None,
        "apcer_max": None,
        "apcer_pooled": None,
        "apcer_per_species": {},
    }
    assert live["apcer_at_bpcer"][0]["threshold"] == np.nextafter(2.0, 3)
    assert live["apcer_at_bpcer"][0]["bpcer"] == 0
    assert live["apcer_at_bpcer"][0]["apcer_max"] is None
    (rates,) = live["at_threshold"]
    assert (rates["bpcer"], rates["apcer_max"], rates["acer"], rates["recall"]) == (0.5, None, None, None)
    assert set(rates["prior_adjusted_precision"].values()) == {None}

    attacks = metrics.summary(score_set([1.0, 2.0], [1, 1]), thresholds=[1.5]).as_json()
    assert attacks["roc_auc_per_species"] == {"unspecified": None}
    assert attacks["bpcer_at_apcer"][0]["threshold"] == 1
    assert attacks["bpcer_at_apcer"][0]["bpcer"] is None
    assert attacks["apcer_at_bpcer"][0]["threshold"] is None
    assert attacks["at_threshold"][0]["bpcer"] is attacks["at_threshold"][0]["bpcer_ci95"] is None
    assert attacks["at_threshold"][0]["apcer_pooled"] == 0.5


def test_precision_without_an_alarm_is_undefined_but_f1_is_zero() -> None:
    rates = metrics.rates_at(score_set([1.0, 2.0], [0, 1]), 3)
    assert (rates.precision, rates.recall, rates.f1) == (None, 0, 0)
    assert set(rates.prior_adjusted_precision.values()) == {None}


def test_a_set_without_any_score_is_refused() -> None:
    for scores, labels in ([], []), ([math.nan, math.nan], [0, 1]):
        with pytest.raises(BadInputError, match="no score to evaluate"):
            metrics.summary(score_set(scores, labels)).as_json()


# ---------------------------------------------------------------------------------------------------------------------
# The document


def test_the_document_has_exactly_the_agreed_keys() -> None:
    scores = score_set([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], [None, None, "print", "mask"])
    document = metrics.summary(
        scores, thresholds=[0.35, 0.5], max_bpcer=[0.5], max_apcer=[0.2, 0.3], priors=[0.01]
    ).as_json()
    assert list(document) == [
        *("n_bona_fide", "n_attack", "n_per_species", "n_non_response", "bpnrr", "apnrr"),
        *("roc_auc", "roc_auc_per_species", "average_precision", "prior_adjusted_average_precision", "eer"),
        *("at_threshold", "bpcer_at_apcer", "apcer_at_bpcer"),
    ]
    assert set(document["eer"]) == {"value", "low", "high", "threshold"}
    assert [entry["threshold"] for entry in document["at_threshold"]] == [0.35, 0.5]
    assert set(document["at_threshold"][0]) == {
        *("threshold", "apcer_per_species", "apcer_max", "apcer_worst", "apcer_pooled", "bpcer", "acer", "hter"),
        *("precision", "recall", "f1", "counts"),
        *("bpcer_ci95", "apcer_ci95_per_species", "prior_adjusted_precision"),
    }
    assert set(document["at_threshold"][0]["bpcer_ci95"]) == {"clopper_pearson", "wilson"}
    assert list(document["prior_adjusted_average_precision"]) == ["0.01"]
    assert list(document["at_threshold"][0]["prior_adjusted_precision"]) == ["0.01"]
    assert [entry["target"] for entry in document["apcer_at_bpcer"]] == [0.5]
    assert [entry["target"] for entry in document["bpcer_at_apcer"]] == [0.2, 0.3]
    assert {"target", "threshold", "bpcer", "apcer_max", "apcer_per_species"} <= set(document["apcer_at_bpcer"][0])
    assert metrics.summary(scores).as_json()["at_threshold"] == []


def test_the_document_is_strict_json_also_with_infinite_scores() -> None:
    for scores, values, _, _ in random_sets(30, seed=9):
        document = metrics.summary(
            scores, thresholds=[*values, INF, -INF], max_bpcer=[0, 1], max_apcer=[0, 1]
        ).as_json()
        assert json.loads(json.dumps(document, allow_nan=False)) == document
        assert document["at_threshold"][-2]["threshold"] == "inf"
        assert document["apcer_at_bpcer"][1]["threshold"] == "-inf"
        assert document["bpcer_at_apcer"][1]["threshold"] == "inf"


def test_json_safe_knows_numpy() -> None:
    value = {"a": np.float64(INF), 1: np.array([1.0, math.nan, -INF]), "b": (np.int64(3), np.bool_(True), None, "x")}
    assert metrics.json_safe(value) == {"a": "inf", "1": [1.0, None, "-inf"], "b": [3, True, None, "x"]}


@pytest.mark.parametrize("prior", [0, 1, -0.5, 1.5, math.nan])
def test_impossible_priors_are_refused(prior: float) -> None:
    scores = score_set([0.1, 0.9], [0, 1])
    with pytest.raises(BadInputError, match="prior"):
        metrics.summary(scores, priors=[prior]).as_json()
    with pytest.raises(BadInputError, match="prior"):
        metrics.average_precision(scores, prior)


# ---------------------------------------------------------------------------------------------------------------------
# Curves


def test_curves_hold_every_distinct_threshold_and_its_rates() -> None:
    for scores, values, _, _ in random_sets(60, seed=10):
        full = metrics.curves(scores)
        assert full.thresholds.tolist() == [*np.unique(values), INF]
        for i, threshold in enumerate(full.thresholds[:-1]):
            rates = metrics.rates_at(scores, threshold)
            assert full.bpcer[i] == full.fpr[i] == rates.bpcer
            assert full.apcer_pooled[i] == rates.apcer_pooled
            assert {name: apcer[i] for name, apcer in full.apcer.items()} == rates.apcer_per_species
            assert full.apcer_max[i] == rates.apcer_max
            assert full.tpr[i] == full.recall[i] == rates.recall
            assert full.precision[i] == rates.precision
        assert (full.bpcer[0], full.apcer_pooled[0], full.tpr[0]) == (1, 0, 1)
        assert (full.bpcer[-1], full.apcer_pooled[-1], full.tpr[-1]) == (0, 1, 0)
        assert math.isnan(full.precision[-1])


def test_curves_are_those_of_scikit_learn() -> None:
    for scores, values, labels, _ in random_sets(30, seed=11, infinite=False):
        full = metrics.curves(scores)
        fpr, tpr, thresholds = roc_curve(labels, values, drop_intermediate=False)
        assert np.array_equal(full.fpr[::-1], fpr)
        assert np.array_equal(full.tpr[::-1], tpr)
        assert np.array_equal(full.thresholds[::-1], thresholds)
        precision, recall, _ = precision_recall_curve(labels, values)
        assert np.allclose(full.precision[:-1], precision[:-1], rtol=0, atol=1e-15)
        assert np.array_equal(full.recall, recall)
        assert metrics.roc_auc(scores) == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
        assert metrics.average_precision(scores) == pytest.approx(average_precision_score(labels, values), abs=1e-12)


def test_thinned_curves_stay_close_everywhere() -> None:
    rng = np.random.default_rng(12)
    n = 60_000
    labels = rng.random(n) < 0.3
    species = np.where(labels, rng.choice(["easy", "hard"], n), "")
    values = rng.normal(size=n) + labels * np.where(species == "hard", 1.0, 3.0)
    values[::50] = 1.25  # one large tie: a jump
    full = metrics.curves(score_set(values, labels, species.tolist()))
    few = metrics.thinned(full)
    assert 1000 < few.thresholds.size <= 2000
    kept = np.searchsorted(full.thresholds, few.thresholds)
    assert (kept[0], kept[-1]) == (0, full.thresholds.size - 1)
    for name in ("bpcer", "apcer_pooled", "tpr", "precision", "apcer_max"):
        assert np.array_equal(getattr(few, name), getattr(full, name)[kept], equal_nan=True)

    rates = {"bpcer": full.bpcer, "pooled": full.apcer_pooled, **full.apcer}
    hidden = np.diff(kept) > 1  # the gaps; a jump between neighbours is drawn as it is
    for name, rate in rates.items():
        assert np.abs(np.diff(rate[kept]))[hidden].max() < 0.02, name
        assert np.abs(np.diff(metrics.probit(rate[kept], n)))[hidden].max() < 0.02 * 2 * ndtri(1 - 1 / (2 * n)), name
    drawn = np.interp(full.recall[::-1], few.recall[::-1], few.apcer["hard"][::-1])
    assert np.abs(drawn - full.apcer["hard"][::-1]).max() < 0.02


def test_thinned_keeps_the_extremes_of_precision() -> None:
    rng = np.random.default_rng(13)
    n = 30_000
    full = metrics.curves(score_set(rng.normal(size=n), rng.random(n) < 0.01))
    few = metrics.thinned(full, 500)
    columns = np.linspace(0, 1, 21)
    for low, high in itertools.pairwise(columns):
        exact = full.precision[:-1][(full.recall[:-1] >= low) & (full.recall[:-1] <= high)]
        drawn = few.precision[:-1][(few.recall[:-1] >= low - 0.05) & (few.recall[:-1] <= high + 0.05)]
        assert drawn.max() >= exact.max()
        assert drawn.min() <= exact.min()


def test_thinned_leaves_short_curves_alone_and_takes_the_room_that_the_coarsest_grid_needs() -> None:
    short = metrics.curves(score_set(np.arange(50.0), np.arange(50) % 2))
    assert metrics.thinned(short, 60) is short
    assert 3 < metrics.thinned(short, 3).thresholds.size < 50
    for points in (40, 45, 50):
        assert metrics.thinned(short, points).thresholds.size <= points


def test_thinned_curves_of_many_species_take_a_few_points_for_each() -> None:
    rng = np.random.default_rng(14)
    n, labels = 3_000, np.arange(3_000) % 2 == 1
    species = np.where(labels, [f"species {i % 120}" for i in range(n)], "")
    full = metrics.curves(score_set(rng.normal(size=n), labels, species.tolist()))
    few = metrics.thinned(full, 300)
    assert len(few.apcer) == 60
    assert 300 < few.thresholds.size < full.thresholds.size
    assert (few.thresholds[0], few.thresholds[-1]) == (full.thresholds[0], full.thresholds[-1])


def test_probit_clips_to_half_an_error() -> None:
    assert metrics.probit([0, 0.5, 1], 50).tolist() == pytest.approx([ndtri(0.01), 0, ndtri(0.99)], abs=1e-12)
    assert np.isfinite(metrics.probit([0.0, 1.0], 6_000_000)).all()
    with pytest.raises(ValueError, match="at least one trial"):
        metrics.probit([0.5], 0)


# ---------------------------------------------------------------------------------------------------------------------
# Real scores


def test_real_scores_of_a_published_system() -> None:
    if not AUXILIARY.exists():
        pytest.skip(f"real scores are absent: {AUXILIARY}")
    table = pd.read_csv(AUXILIARY)
    table["attack"] = table["label"] == "attack"
    dev, test = table[table["split"] == "dev"], table[table["split"] == "test"]
    dev_set = score_set(dev["score"], dev["attack"], dev["pai_species"].tolist())
    test_set = score_set(test["score"], test["attack"], test["pai_species"].tolist())
    assert list(test_set.attacks) == ["makeup", "mask", "partial", "print", "replay"]
    assert "partial" not in dev_set.attacks

    assert metrics.roc_auc(test_set) == pytest.approx(0.975, abs=0.001)
    assert metrics.roc_auc(test_set) == pytest.approx(roc_auc_score(test["attack"], test["score"]), abs=1e-12)
    assert metrics.average_precision(test_set) == pytest.approx(
        average_precision_score(test["attack"], test["score"]), abs=1e-12
    )
    for name, attacks in test_set.attacks.items():
        rows = ~test["attack"] | (test["pai_species"] == name)
        expected = roc_auc_score(test["attack"][rows], test["score"][rows])
        assert metrics.roc_auc(test_set, name) == pytest.approx(expected, abs=1e-12)
        assert attacks.size == (test["pai_species"] == name).sum()

    threshold = metrics.threshold_at_bpcer(dev_set, 0.05)
    assert metrics.rates_at(dev_set, threshold).bpcer <= 0.05
    rates = metrics.rates_at(test_set, threshold)
    worst_three = {name: rates.apcer_per_species[name] for name in ("makeup", "partial", "mask")}
    assert worst_three == pytest.approx({"makeup": 0.80, "partial": 0.61, "mask": 0.36}, abs=0.01)
    assert rates.apcer_worst == "makeup"
    assert rates.apcer_pooled < rates.apcer_max / 2  # pooling hides what the worst species shows
