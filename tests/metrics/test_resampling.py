"""Resamples against what defines them: sorting every one of them again, and every resample there can be."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from fas_core import metrics
from fas_core.metrics import resampling, uncertainty
from fas_core.metrics.resampling import Statistic, resampled
from fas_core.metrics.uncertainty import UnitInterval, Units, codes_of, draws, zero_error_upper_bound

from .conftest import subjects_of

AUC, EER, BPCER = Statistic("roc_auc"), Statistic("eer"), Statistic("bpcer")
TARGETS = (0, 0.1, 0.3, 1)
EVERYTHING = [
    *(AUC, EER, BPCER, Statistic("apcer_max"), Statistic("apcer_pooled")),
    *(Statistic(name, species) for name in ("roc_auc", "apcer") for species in "abc"),
    *(Statistic(name, target) for name in ("bpcer_at_apcer", "apcer_max_at_bpcer") for target in TARGETS),
    *(Statistic("apcer_at_bpcer", (target, kind)) for target in TARGETS for kind in (None, "a", "b", "c")),
    *(Statistic("precision_at_recall", target) for target in TARGETS[1:]),
    Statistic("average_precision"),
]


def aucs_of(
    scores: np.ndarray,
    attack: np.ndarray,
    groups: np.ndarray,
    resamples: int,
    seed: int = 0,
    quantiles: int = resampling.QUANTILES,
) -> np.ndarray:
    units = Units("subject", groups)
    drawn = resampled([scores], attack, units, [AUC], resamples=resamples, quantiles=quantiles, seed=seed)
    return drawn.values[AUC][0]


def sorted_again(scores: np.ndarray, attack: np.ndarray, species: np.ndarray, t: float) -> dict[Statistic, float]:
    """EVERYTHING of one resample, by `metrics`; NaN where undefined."""
    drawn = metrics.score_set(scores, attack, species)
    here = metrics.rates_at(drawn, t)
    rates = {Statistic(name): getattr(here, name) for name in ("bpcer", "apcer_max", "apcer_pooled")}
    rates |= {Statistic("apcer", kind): here.apcer_per_species.get(kind) for kind in "abc"}
    both = bool(drawn.n_bona_fide and drawn.n_attack)
    rates |= {AUC: metrics.roc_auc(drawn) if both else None}
    rates |= {EER: metrics.equal_error_rate(drawn).value if both else None}
    for kind in "abc":
        present = both and drawn.attacks.get(kind, np.empty(0)).size
        rates[Statistic("roc_auc", kind)] = metrics.roc_auc(drawn, kind) if present else None
    for x in TARGETS:
        rates[Statistic("bpcer_at_apcer", x)] = metrics.bpcer_at_apcer(drawn, x).bpcer if drawn.n_attack else None
        at = metrics.apcer_at_bpcer(drawn, x) if both else None
        rates[Statistic("apcer_max_at_bpcer", x)] = at and at.apcer_max
        rates |= {
            Statistic("apcer_at_bpcer", (x, kind)): at and (at.apcer_per_species.get(kind) if kind else at.apcer_pooled)
            for kind in (None, "a", "b", "c")
        }
    curve = metrics.curves(drawn) if both else None
    for x in TARGETS[1:]:
        last = None if curve is None else np.flatnonzero(curve.recall >= x - 1e-12)[-1]
        rates[Statistic("precision_at_recall", x)] = None if curve is None else curve.precision[last]
    rates[Statistic("average_precision")] = metrics.average_precision(drawn) if both else None
    return {name: np.nan if rate is None else rate for name, rate in rates.items()}


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_histograms_give_what_sorting_every_resample_again_gives(
    decimals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two models, three species, missing scores, infinite ones, subjects with one class only, blocks that are short."""
    monkeypatch.setattr(resampling, "_BLOCK", 7)
    rng = np.random.default_rng(decimals)
    n, t = 150, [0.5, 0.7]
    subjects, attack, species = rng.integers(9, size=n), rng.random(n) < 0.5, rng.choice(list("abc"), n)
    attack[subjects == 3], attack[subjects == 5] = True, False
    species[subjects != 4] = np.where(species[subjects != 4] == "c", "b", species[subjects != 4])  # c: one subject
    models = [np.round(rng.normal(size=n) + attack, decimals) for _ in range(2)]
    models[1][rng.random(n) < 0.1] = np.nan
    models[0][[3, 50]], models[1][[4, 60]] = np.inf, -np.inf
    drawn: list[np.ndarray] = []
    ours = uncertainty.draws

    def recorded(*arguments: object) -> object:
        for weights in ours(*arguments):
            drawn.append(weights)
            yield weights

    monkeypatch.setattr(resampling, "draws", recorded)
    estimates = resampled(
        models, attack, Units("subject", subjects), EVERYTHING, species=species, thresholds=t, resamples=25
    )
    times = np.concatenate(drawn, axis=1)[subjects].astype(int)
    assert np.isnan(estimates.values[Statistic("apcer", "c")]).any()
    for j, i in itertools.product(range(25), range(2)):
        rows = np.repeat(np.arange(n), times[:, j])
        expected = sorted_again(models[i][rows], attack[rows], species[rows], t[i])
        assert {name: of[i, j] for name, of in estimates.values.items()} == pytest.approx(
            expected, abs=1e-12, nan_ok=True
        )


def test_five_subjects_follow_the_golden_exact_law(shared: Path) -> None:
    sets = json.loads((shared / "golden" / "metrics_golden.json").read_text())["sets"]
    golden_set = next(golden_set for golden_set in sets if golden_set["name"] == "five_subject_bootstrap")
    law, subjects = golden_set["expected_exact_bootstrap"], Units("subject", np.array(golden_set["subjects"]))
    attack = np.array(golden_set["labels"]) == 1
    draws = resampled(
        [golden_set["scores"]], attack, subjects, [BPCER], thresholds=[law["threshold"]], resamples=20_000
    ).values[BPCER][0]
    assert draws.mean() == pytest.approx(law["mean"], abs=0.003)
    assert draws.std() == pytest.approx(law["sd"], abs=0.003)
    for name, expected in law["quantiles_inverted_cdf"].items():
        assert np.quantile(draws, float(name[1:]) / 100) == pytest.approx(expected, abs=0.02)


def test_resamples_are_draws_of_whole_subjects_with_both_their_classes() -> None:
    """Four subjects: two with both classes, one live only, one attack only. Every resample is one of the 2 * 2."""
    subjects = np.array(list("AAAABBBBBCCCDD"))
    attack = np.array([0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1], bool)
    scores = np.array([1, 2, 2, 7, 3, 1, 5, 5, 9, 4, 6, 2, 3, 8], float)
    exact = []
    for pair in itertools.product("AB", repeat=2):
        rows = np.concatenate([np.flatnonzero(subjects == drawn) for drawn in [*pair, "C", "D"]])
        exact.append(roc_auc_score(attack[rows], scores[rows]))
    aucs = aucs_of(scores, attack, subjects, 4000)
    for value in set(exact):
        share = np.isclose(aucs, value, rtol=0, atol=1e-12).mean()
        assert share == pytest.approx(exact.count(value) / 4, abs=0.03)
    assert len(set(exact)) == 3  # AA, BB, and AB as often as both


def test_neither_the_order_of_samples_nor_the_size_of_batches_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, attack, subjects = subjects_of(12, 5)
    shuffled = np.random.default_rng(1).permutation(scores.size)
    expected = aucs_of(scores, attack, subjects, 51)
    monkeypatch.setattr(uncertainty, "_AT_ONCE", 300)
    again = aucs_of(scores[shuffled], attack[shuffled], subjects[shuffled], 51)
    np.testing.assert_allclose(again, expected, rtol=1e-12)
    assert len(np.unique(expected)) > 40
    assert not np.allclose(aucs_of(scores, attack, subjects, 51, seed=1), expected)


def test_models_share_their_draws_and_only_ranks_matter() -> None:
    scores, attack, subjects = subjects_of(12, 5)
    extreme = np.where(scores == scores.max(), np.inf, np.exp(scores))
    drawn = resampled([scores, extreme, -scores], attack, Units("subject", subjects), [AUC], resamples=50)
    aucs = drawn.values[AUC]
    np.testing.assert_array_equal(aucs[0], aucs[1])
    np.testing.assert_allclose(aucs[0] + aucs[2], 1, rtol=1e-12)


def test_an_auc_alone_is_what_it_is_beside_other_statistics() -> None:
    """By itself it needs only the runs of bins that hold one class; all draws are the same."""
    rng = np.random.default_rng(5)
    n = 300
    attack = rng.random(n) < 0.3
    species = np.where(attack, rng.choice(["a", "b"], n), "")
    models = [np.round(rng.normal(size=n) + attack, 1), rng.normal(size=n) + 2 * attack]  # many ties; hardly one
    areas = [Statistic("roc_auc"), Statistic("roc_auc", "a"), Statistic("roc_auc", "b")]
    subjects = Units("subject", rng.integers(0, 40, n))
    alone, beside = (
        resampled(models, attack, subjects, wanted, species=species, resamples=50) for wanted in (areas, [*areas, EER])
    )
    for area in areas:
        assert np.array_equal(alone.values[area], beside.values[area])


def test_what_is_computed_of_some_bins_alone_is_what_all_bins_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks of bins, few units, a species of one unit that most resamples lack; by two threads as by one."""
    rng = np.random.default_rng(3)
    n, resamples = 4_000, 20
    attack, subjects = rng.random(n) < 0.6, rng.integers(30, size=n)
    species = np.where(subjects == 7, "c", rng.choice(["a", "b"], n))
    scores = [attack + rng.normal(0, 1, n), np.round(attack + rng.normal(0, 1, n), 3)]
    scores[0][[0, 1]] = np.inf
    units = Units("subject", subjects)

    def drawn(wanted: list[Statistic]) -> dict[Statistic, np.ndarray]:
        by = resampled(scores, attack, units, wanted, species=species, thresholds=[0.5, 0.4], resamples=resamples)
        return dict(by.values)

    whole = drawn(EVERYTHING)  # precisions look at every bin
    monkeypatch.setattr(resampling, "_FEW", 0)
    monkeypatch.setattr(resampling, "_PAIRS", 0)
    np.testing.assert_equal(drawn(EVERYTHING), whole)
    for block in (128, 1000):
        monkeypatch.setattr(resampling, "_BLOCK", block)
        monkeypatch.setattr(resampling, "_PAIRS", 1000)
        for kind in {statistic.name for statistic in EVERYTHING}:
            some = [statistic for statistic in EVERYTHING if statistic.name in (kind, "eer")]
            np.testing.assert_equal(drawn(some), {statistic: whole[statistic] for statistic in some})


def test_a_difference_of_paired_models_is_narrower_than_of_unpaired_ones() -> None:
    scores, attack, subjects = subjects_of(25, 6)
    other = scores + np.random.default_rng(1).normal(0, 0.2, scores.size)
    units = Units("subject", subjects)
    drawn = resampled([scores, other], attack, units, [AUC, BPCER], thresholds=[0.5, 0.6])
    for statistic in (AUC, BPCER):
        paired = drawn.difference(statistic)
        assert paired is not None
        differences = drawn.values[statistic][0] - drawn.values[statistic][1]
        assert (paired.low, paired.high) == pytest.approx(np.quantile(differences, [0.025, 0.975]).tolist())
        alone = drawn.interval(statistic)
        assert alone is not None
        assert paired.high - paired.low < (alone.high - alone.low) / 2
        mirrored = drawn.difference(statistic, 1, 0)
        assert mirrored is not None
        assert (mirrored.low, mirrored.high) == pytest.approx((-paired.high, -paired.low))


@pytest.mark.parametrize("n_attack", [40, 2500, 4900])
def test_bins_move_a_value_by_less_than_one_over_their_number(n_attack: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    attack = np.arange(5000) < n_attack
    scores = rng.normal(0, 1, 5000) + attack
    scores[rng.random(5000) < 0.3] = 0.5  # a heavy tie
    score_set = metrics.score_set(scores, attack)
    at_target = Statistic("bpcer_at_apcer", 0.1)
    exact = {
        AUC: metrics.roc_auc(score_set),
        EER: metrics.equal_error_rate(score_set).value,
        at_target: metrics.bpcer_at_apcer(score_set, 0.1).bpcer,
    }
    units = Units("all", np.zeros(5000))  # every draw is the set itself

    def moved(quantiles: int = resampling.QUANTILES) -> dict[Statistic, float]:
        drawn = resampled([scores], attack, units, list(exact), resamples=1, quantiles=quantiles).values
        return {name: float(drawn[name][0, 0]) - value for name, value in exact.items()}

    assert moved() == pytest.approx(dict.fromkeys(exact, 0), abs=1e-12)
    for quantiles in (20, 100):
        binned = moved(quantiles)
        assert (binned[AUC] != 0) == (quantiles < min(n_attack, 5000 - n_attack))  # a small class has its own bins
        assert abs(binned[AUC]) < 1 / (2 * quantiles)
        assert abs(binned[EER]) < 1 / quantiles
        assert 0 <= binned[at_target] < 1 / quantiles


def test_attacks_just_above_a_heavy_tie_are_not_taken_for_equal() -> None:
    """All 40 attacks lie between two neighbouring quantiles, the lower of which is the score of 4,000 live samples."""
    scores = np.concatenate([np.linspace(0, 0.4, 960), np.full(4000, 0.5), np.linspace(0.51, 0.6, 40)])
    assert aucs_of(scores, np.arange(5000) >= 4960, np.zeros(5000), 1, quantiles=20) == [1]


def test_binned_resamples_are_close_to_exact_ones() -> None:
    rng = np.random.default_rng(0)
    _, attack, subjects = subjects_of(20, 50)
    scores = rng.normal(0, 1, subjects.size) + attack + rng.normal(0, 0.5, 20)[subjects]
    exact = aucs_of(scores, attack, subjects, 200)
    np.testing.assert_allclose(aucs_of(scores, attack, subjects, 200, quantiles=100), exact, atol=1e-3)


def test_frames_of_one_subject_are_no_independent_trials() -> None:
    scores, attack, subjects = subjects_of(15, 40)
    by_subject = resampled([scores], attack, Units("subject", subjects), [AUC]).interval(AUC)
    by_image = resampled([scores], attack, Units("sample", np.arange(scores.size)), [AUC]).interval(AUC)
    assert by_subject is not None
    assert by_image is not None
    assert (by_subject.unit, by_subject.n_units, by_subject.method) == ("subject", 15, "bootstrap")
    assert (by_subject.resamples, by_image.n_units) == (uncertainty.RESAMPLES, 1200)
    assert by_subject.high - by_subject.low > 3 * (by_image.high - by_image.low)
    assert by_subject.low < roc_auc_score(attack, scores) < by_subject.high


def test_intervals_of_independent_samples_agree_with_delong() -> None:
    rng = np.random.default_rng(0)
    attack = np.arange(600) % 3 == 0
    scores = rng.normal(0, 1, 600) + attack
    drawn = resampled([scores], attack, Units("sample", np.arange(600)), [AUC], resamples=4000)
    interval = drawn.interval(AUC, level=0.9)
    [auc], [[variance]] = uncertainty.delong([scores], attack)
    assert interval is not None
    expected = auc + norm.ppf([0.05, 0.95]) * np.sqrt(variance)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=0.004)


def test_an_interval_needs_two_subjects_of_each_class_that_matters() -> None:
    attack = np.array([False, False, False, True, True, True])
    scores = np.array([1.0, 3.0, 2.0, 2.5, 4.0, 0.5])

    def has_interval(subjects: str, statistic: Statistic = AUC, values: np.ndarray = scores) -> bool:
        units = Units("subject", np.array(list(subjects)))
        return resampled([values], attack, units, [statistic], thresholds=[2]).interval(statistic) is not None

    assert has_interval("ABBCDD")
    assert has_interval("ABBABB")
    assert not has_interval("AAABCD")
    assert not has_interval("ABCDDD")
    assert has_interval("ABCDDD", BPCER)
    assert not has_interval("ABCDDD", Statistic("apcer_max"))
    assert not has_interval("ABCDDD", Statistic("bpcer_at_apcer", 0.1))
    one_attack_has_a_score = np.where(attack & (scores > 1), np.nan, scores)
    assert not has_interval("ABBCDD", AUC, one_attack_has_a_score)
    two = resampled([scores, one_attack_has_a_score], attack, Units("subject", np.array(list("ABBCDD"))), [AUC])
    assert two.difference(AUC) is None


def test_where_nobody_errs_the_scarcest_kind_of_unit_bounds_what_is_not_known() -> None:
    """Six subjects with live samples, four with prints, two of them with masks as well; no score is on a wrong side."""
    subjects = np.array([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 0, 1])
    attack = np.arange(12) >= 6
    species = np.array([""] * 6 + ["print"] * 4 + ["mask"] * 2)
    fewest = {
        **{AUC: 4, Statistic("roc_auc", "mask"): 2, EER: 2, BPCER: 6, Statistic("apcer", "print"): 4},
        **{Statistic("apcer_max"): 2, Statistic("apcer", "mask"): 2, Statistic("bpcer_at_apcer", 0): 2},
    }
    fewest[AUC] = 2
    models = [np.arange(12.0), np.arange(12.0) ** 3]
    drawn = resampled(
        models, attack, Units("subject", subjects), list(fewest), species=species, thresholds=[6, 216], resamples=100
    )
    for statistic, n_units in fewest.items():
        bound = zero_error_upper_bound(n_units)
        low, high = (1 - bound, 1) if statistic.name == "roc_auc" else (0, bound)
        interval = drawn.interval(statistic)
        assert interval is not None
        assert (interval.method, interval.n_units) == ("rule_of_three", n_units)
        assert (interval.low, interval.high) == pytest.approx((low, high))
        difference = drawn.difference(statistic)
        assert difference is not None
        assert (difference.low, difference.high) == pytest.approx((-bound, bound))
        assert difference.method == "rule_of_three"


def test_a_missing_score_is_left_out() -> None:
    scores, attack, subjects = subjects_of(12, 5)
    gone = np.random.default_rng(1).random(scores.size) < 0.3
    gone |= subjects == 7
    missing = np.where(gone, np.nan, scores)
    [auc] = aucs_of(missing, attack, np.zeros(scores.size), 1)
    assert auc == pytest.approx(roc_auc_score(attack[~gone], scores[~gone]), abs=1e-12)
    drawn = resampled([scores, missing], attack, Units("subject", subjects), [AUC])
    full, holed = drawn.interval(AUC, 0), drawn.interval(AUC, 1)
    assert full is not None
    assert holed is not None
    assert (full.n_units, holed.n_units) == (12, 11)


def test_a_resample_without_a_class_has_no_value_and_is_passed_over() -> None:
    scores, attack, subjects = subjects_of(6, 5)
    missing = np.where(attack & (subjects > 1), np.nan, scores)  # four of six subjects without a score of an attack
    needs_attacks = [AUC, EER, Statistic("apcer_max"), Statistic("apcer_pooled"), Statistic("bpcer_at_apcer", 0.1)]
    needs_attacks += [Statistic("apcer_max_at_bpcer", 0.1), Statistic("average_precision")]
    units = Units("subject", subjects)
    drawn = resampled([missing], attack, units, [*needs_attacks, BPCER], thresholds=[0.5], resamples=4000)
    assert not np.isnan(drawn.values[BPCER]).any()
    for statistic in needs_attacks:
        undefined = np.isnan(drawn.values[statistic][0])
        assert undefined.mean() == pytest.approx((4 / 6) ** 6, abs=0.02)
        interval = drawn.interval(statistic)
        assert interval is not None
        assert interval.resamples == 4000 - undefined.sum()


@pytest.mark.parametrize("label", [False, True])
def test_with_one_class_there_are_its_rates_and_nothing_else(label: bool) -> None:
    units = Units("subject", np.array([0, 0, 1, 1, 2]))
    at_threshold = [BPCER, Statistic("apcer_max"), Statistic("apcer_pooled")]
    statistics = [AUC, EER, Statistic("bpcer_at_apcer", 0.1), *at_threshold]
    drawn = resampled([np.arange(5.0)], np.full(5, label), units, statistics, thresholds=[2], resamples=20)
    defined = {statistic for statistic in statistics if drawn.interval(statistic) is not None}
    assert defined == set(at_threshold[1:] if label else at_threshold[:1])


def test_without_samples_or_models_nothing_is_defined() -> None:
    nobody = Units("sample", np.arange(0))
    assert resampled([[]], [], nobody, [AUC, BPCER], thresholds=[1]).interval(AUC) is None
    assert resampled([], [False, True], Units("sample", np.arange(2)), [AUC]).values[AUC].shape == (0, 2000)


def test_what_cannot_be_resampled_is_refused() -> None:
    units = Units("sample", np.arange(3))

    def refused(statistic: Statistic, message: str, scores: list[float] = [1.0, 2.0, 3.0]) -> None:  # noqa: B006
        with pytest.raises(ValueError, match=message):
            resampled([scores], [False, True, True], units, [statistic], species=["", "a", "b"])

    refused(Statistic("acer"), "no statistic 'acer'")
    refused(Statistic("roc_auc", "c"), "'a', 'b'")
    refused(Statistic("apcer"), "None")
    refused(Statistic("bpcer_at_apcer", 2), "between 0 and 1")
    refused(Statistic("apcer_at_bpcer", (2, None)), "between 0 and 1")
    refused(Statistic("apcer_at_bpcer", (0.1, "c")), "'a', 'b'")
    refused(BPCER, "one threshold per model")
    refused(AUC, "one per sample", [1.0, 2.0])
    with pytest.raises(ValueError, match="one per sample"):
        resampled([[1.0, 2.0]], [False, True], Units("sample", np.arange(2)), [AUC], species=["a"])
    with pytest.raises(ValueError, match="every attack needs a species"):
        resampled([[1.0, 2.0]], [False, True], Units("sample", np.arange(2)), [AUC], species=["", None])


def test_the_record_of_an_interval_says_what_was_drawn() -> None:
    scores, attack, subjects = subjects_of(12, 5)
    drawn = resampled([scores], attack, Units("video", subjects), [BPCER], thresholds=[0.5], resamples=200)
    interval = drawn.interval(BPCER)
    low, high = np.quantile(drawn.values[BPCER][0], [0.025, 0.975])
    assert interval == UnitInterval(pytest.approx(low), pytest.approx(high), "video", 12, "bootstrap", 200)


def test_thresholds_of_each_resample_are_those_of_its_rates() -> None:
    rng = np.random.default_rng(3)
    attack = rng.random(300) < 0.5
    scores = rng.normal(attack, 1).round(1)
    units = Units("subject", rng.integers(0, 40, 300))
    wanted = [Statistic("threshold_at_bpcer", 0.1), Statistic("apcer_at_bpcer", (0.1, None))]
    wanted += [Statistic("threshold_at_apcer", 0.1), Statistic("bpcer_at_apcer", 0.1)]
    drawn = resampling.resampled([scores], attack, units, wanted, resamples=50)
    codes, n_units = codes_of(units.groups)
    [weights] = draws(resampling.strata_of(attack, codes, n_units), n_units, 50, 0)
    at_bpcer, apcer, at_apcer, bpcer = (drawn.values[one][0] for one in wanted)
    for r in range(50):
        times = weights[codes, r]
        assert np.average(scores[attack] < at_bpcer[r], weights=times[attack]) == pytest.approx(apcer[r])
        assert np.average(scores[~attack] >= at_bpcer[r], weights=times[~attack]) <= 0.1
        assert np.average(scores[~attack] >= at_apcer[r], weights=times[~attack]) == pytest.approx(bpcer[r])
