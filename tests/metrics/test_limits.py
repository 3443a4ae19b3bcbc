"""Whether limits hold, in numbers and words, and thresholds that prove them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from fas_core import metrics
from fas_core.metrics import limits
from fas_core.metrics import operating_point as op
from fas_core.metrics.limits import Target, Trials, share_text, target_words
from fas_core.metrics.operating_point import Rule
from fas_core.metrics.uncertainty import RateInterval, Units, rate_interval, zero_error_upper_bound

BPCER, WORST, MASK = Rule("bpcer", 0.02), Rule("apcer", 0.1), Rule("apcer", 0.1, "mask")


def interval(upper: float) -> RateInterval:
    return RateInterval(0.0, 1.0, "subject", 20, "bootstrap", 2000, upper)


@dataclass(frozen=True)
class Judged:
    bpcer: float | None = None
    bpcer_interval: RateInterval | None = None
    apcer_per_species: Mapping[str, float | None] = ()  # type: ignore[assignment]
    apcer_interval_per_species: Mapping[str, RateInterval | None] = ()  # type: ignore[assignment]


def test_a_limit_is_held_against_the_rate_and_its_upper_bound() -> None:
    for rate, upper, met, proven in ((0.01, 0.02, True, True), (0.02, 0.03, True, False), (0.0201, 0.03, False, False)):
        found = limits.target(BPCER, Judged(rate, interval(upper)))
        assert found == Target(rate, 0.02, met, upper, proven)
        assert found.as_json() == {"rate": rate, "limit": 0.02, "met": met, "upper95": upper, "met_at_95": proven}
    assert limits.target(Rule("eer"), Judged(0.5, interval(0.6))) is None
    assert limits.target(Rule("threshold", 0.3), Judged(0.5, interval(0.6))) is None


def test_what_is_undefined_is_neither_met_nor_missed() -> None:
    assert limits.target(BPCER, Judged()) == Target(None, 0.02, None, None, None)
    assert limits.target(BPCER, Judged(0.01)) == Target(0.01, 0.02, True, None, None)  # all of one subject
    nothing = Judged(apcer_per_species={"paper": 0.2, "mask": None}, apcer_interval_per_species={"paper": None})
    assert limits.target(MASK, nothing) == Target(None, 0.1, None, None, None)
    assert limits.target(WORST, nothing) == Target(0.2, 0.1, False, None, None)


def test_the_worst_species_has_the_largest_bound_of_any() -> None:
    """The bound of mask is the higher one, as few masks were tried, although more prints passed."""
    rates = {"mask": 0.0, "paper": 0.05, "replay": None}
    bounds = {"mask": interval(0.5), "paper": interval(0.08), "replay": None}
    judged = Judged(apcer_per_species=rates, apcer_interval_per_species=bounds)
    assert limits.target(WORST, judged) == Target(0.05, 0.1, True, 0.5, False)
    assert limits.target(MASK, judged) == Target(0.0, 0.1, True, 0.5, False)


@pytest.mark.parametrize(
    ("rule", "target", "words"),
    [
        (
            BPCER,
            Target(0.025, 0.02, False, 0.033, False),
            "live rejected 2.5 %, above 2 %",
        ),
        (
            BPCER,
            Target(0.01, 0.02, True, 0.0201, False),
            "live rejected 1.0 %, within 2 %, not proven: upper bound 2.01 %",
        ),
        (
            MASK,
            Target(0.0, 0.1, True, 0.09, True),
            "mask attacks passed 0.0 %, within 10 %, proven: upper bound 9.0 %",
        ),
        (
            WORST,
            Target(0.1, 0.1, True, None, None),
            "attacks of the worst species passed 10.0 %, within 10 %, not proven: all are of one subject",
        ),
        (BPCER, Target(None, 0.02, None, None, None), "no live sample was judged: the limit of 2 % is not checked"),
        (WORST, Target(None, 0.1, None, None, None), "no attack was judged: the limit of 10 % is not checked"),
    ],
)
def test_a_target_in_words(rule: Rule, target: Target, words: str) -> None:
    assert target_words(rule, target) == words


def test_where_a_limit_holds_in_a_sentence() -> None:
    held, proven = Target(0.01, 0.02, True, 0.03, False), Target(0.001, 0.02, True, 0.004, True)
    missed, unknown = Target(0.0204, 0.02, False, 0.05, False), Target(None, 0.02, None, None, None)
    for targets, words in (
        ({}, ""),
        (
            {"a": held, "b": proven, "c": missed},
            "within 2 %, not proven, on a (upper bound 3.0 %); within 2 %, proven, on b (upper bound 0.4 %); "
            "above 2 % on c (2.04 %).",
        ),
        ({"a": missed, "c": missed}, "above 2 % on a, c (at most 2.04 %)."),
        ({"c": missed, "d": unknown}, "above 2 % on c (2.04 %); not checked on d."),
    ):
        said = limits.summary_words("BPCER ≤ 2 %", targets)
        assert said == (f"The limit BPCER ≤ 2 %: {words}" if words else "")


def test_a_target_in_short() -> None:
    assert limits.short_words(Target(0.0204, 0.02, False, 0.033, False)) == "2.04 %, above 2 %"
    assert limits.short_words(Target(0.0, 0.02, True, None, None)) == (
        "0.0 %, within 2 %, not proven: all are of one subject"
    )
    assert limits.short_words(Target(None, 0.02, None, None, None)) == "not checked"


def test_a_bound_of_unnamed_samples_proves_nothing() -> None:
    of_samples = RateInterval(0.0, 1.0, "sample", 2000, "clopper_pearson", 0, 0.019)
    assumed, named = (limits.target(BPCER, Judged(0.01, of)) for of in (of_samples, interval(0.019)))
    assert assumed is not None
    assert named is not None
    assert (assumed.is_proven, named.is_proven) == (False, True)
    assert limits.held_words(assumed) == "within 2 % if all samples are of different people: upper bound 1.9 %"
    assert limits.held_words(named) == "within 2 %, proven: upper bound 1.9 %"
    assert "taken" not in assumed.as_json()  # cards of before are sealed without
    missed = Target(0.03, 0.02, False, 0.04, False)
    for targets, words in (
        ((named, assumed), "within 2 % if all samples are of different people"),
        ((named, missed), "above 2 %"),
        ((named, Target(None, 0.02, None, None, None)), "not checked everywhere"),
        ((named, Target(0.01, 0.02, True, 0.03, False)), "within 2 %, not proven"),
    ):
        assert limits.overall_words(targets) == words


def test_nothing_is_rounded_across_the_limit() -> None:
    for share, limit, text in (
        (0.0204, 0.02, "2.04 %"),
        (0.02, 0.02, "2.0 %"),
        (0.0196, 0.02, "2.0 %"),  # at the limit, not above it
        (0.02000001, 0.02, "2.000001 %"),
        (0.29, 0.29, "29.0 %"),  # 100 * 0.29 is a little less than 29
        (0.04999, 0.0499, "5.0 %"),
        (1 / 3, 0.3333, "33.333 %"),
        (0.0, 0.02, "0.0 %"),
    ):
        assert share_text(share, limit) == text
    rng = np.random.default_rng(0)
    for limit in (0.02, 0.07, 0.29, 0.005):
        for share in limit * (1 + rng.normal(0, 1, 200) * 10.0 ** rng.uniform(-8, 0, 200)):
            shown = float(share_text(share, limit).removesuffix(" %"))
            assert shown > 100 * limit if share > limit else shown <= 100 * limit


def trials_of(n_subjects: int, n_each: int, seed: int = 0) -> Trials:
    """Live faces and two species of each subject, who differ from each other."""
    rng = np.random.default_rng(seed)
    n = n_subjects * n_each
    subjects = np.tile(np.repeat(np.arange(n_subjects), n_each), 3)
    kinds = np.repeat([0, 1, 2], n)
    scores = rng.normal(0, 0.5, n_subjects)[subjects] + rng.normal(0, 1, 3 * n) + 2 * kinds
    scores[::37] = np.nan
    return Trials(np.round(scores, 2), kinds, ["mask", "paper"], Units("subject", subjects))


def sorted_set(trials: Trials) -> metrics.ScoreSet:
    return metrics.score_set_from_codes(trials.scores, trials.kinds, trials.names)


def test_a_proven_threshold_is_the_lowest_that_proves_the_limit() -> None:
    trials = trials_of(80, 4)
    live, subjects = trials.of(0)
    for limit in (0.04, 0.1, 0.3):
        threshold = op.threshold_by(Rule("bpcer", limit, at_95=True), sorted_set(trials), trials=trials)
        found = rate_interval(live >= threshold, subjects)
        lower = np.sort(live[live < threshold])[-1]  # the next lower threshold that decides otherwise
        assert found is not None
        assert found.upper <= limit < rate_interval(live >= lower, subjects).upper  # type: ignore[union-attr]
        assert threshold > op.threshold_by(Rule("bpcer", limit), sorted_set(trials))


def test_a_proven_threshold_against_attacks_is_the_highest_and_holds_for_every_species() -> None:
    trials = trials_of(80, 4)
    at = {}
    for kind, name in enumerate(trials.names, start=1):
        attacks, subjects = trials.of(kind)
        at[name] = op.threshold_by(Rule("apcer", 0.1, name, at_95=True), sorted_set(trials), trials=trials)
        found = rate_interval(attacks < at[name], subjects)
        higher = np.nextafter(at[name], np.inf)
        assert found is not None
        assert found.upper <= 0.1 < rate_interval(attacks < higher, subjects).upper  # type: ignore[union-attr]
    assert op.threshold_by(Rule("apcer", 0.1, at_95=True), sorted_set(trials), trials=trials) == min(at.values())
    with pytest.raises(metrics.UndefinedMetricError, match="there is no wax attack; species: mask, paper"):
        op.threshold_by(Rule("apcer", 0.1, "wax", at_95=True), sorted_set(trials), trials=trials)


def test_a_search_in_many_passes_finds_what_one_by_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = trials_of(60, 3, seed=3)
    rule = Rule("bpcer", 0.2, at_95=True)
    expected = op.threshold_by(rule, sorted_set(trials), trials=trials)
    for at_once in (2, 3, 1000):
        monkeypatch.setattr(limits, "_AT_ONCE", at_once)
        assert op.threshold_by(rule, sorted_set(trials), trials=trials) == expected


def test_what_cannot_be_proven_says_what_it_takes() -> None:
    trials = trials_of(20, 5)
    with pytest.raises(
        metrics.UndefinedMetricError,
        match=r"within 2 % takes at least 149 subjects with a bona fide sample, none of them wrong; here are 20 "
        r"subjects, which can prove 13.92 % at best",
    ):
        op.threshold_by(Rule("bpcer", 0.02, at_95=True), sorted_set(trials), trials=trials)
    assert zero_error_upper_bound(20) <= 0.1392
    with pytest.raises(metrics.UndefinedMetricError, match="29 subjects with a mask attack"):
        op.threshold_by(Rule("apcer", 0.1, at_95=True), sorted_set(trials), trials=trials)
    assert np.isfinite(op.threshold_by(Rule("bpcer", 0.14, at_95=True), sorted_set(trials), trials=trials))
    nobody = Trials(np.full(3, np.nan), np.zeros(3, int), [], Units("sample", np.arange(3)))
    with pytest.raises(metrics.UndefinedMetricError, match="no bona fide sample with a score"):
        op.threshold_by(Rule("bpcer", 0.1, at_95=True), sorted_set(nobody), trials=nobody)
    with pytest.raises(ValueError, match="hand in their trials"):
        op.threshold_by(Rule("bpcer", 0.1, at_95=True), sorted_set(trials))


def test_units_needed_are_the_fewest_that_prove_a_limit() -> None:
    assert [limits.units_needed(limit) for limit in (0.02, 0.1, 0.05, 0.0198, 0.99)] == [149, 29, 59, 150, 2]
    for limit in (0.3, 0.123, 0.01, 1 - 0.05 ** (1 / 150)):
        n = limits.units_needed(limit)
        assert zero_error_upper_bound(n) <= limit < zero_error_upper_bound(n - 1)


def test_the_largest_numbers_are_scores_like_others() -> None:
    most = np.finfo(float).max
    scores = np.append(np.linspace(0, most, 150), [-most])
    trials = Trials(scores, np.zeros(151, int), [], Units("sample", np.arange(151)))
    threshold = op.threshold_by(Rule("bpcer", 0.05, at_95=True), sorted_set(trials), trials=trials)
    assert 1e308 < threshold < most
    attacks = Trials(scores, np.ones(151, int), ["mask"], Units("sample", np.arange(151)))
    assert op.threshold_by(Rule("apcer", 0.05, at_95=True), sorted_set(attacks), trials=attacks) < 1e307


def test_infinite_scores_prove_nothing() -> None:
    scores = np.append(np.arange(99.0), [np.inf] * 50)
    trials = Trials(scores, np.zeros(149, int), [], Units("sample", np.arange(149)))
    with pytest.raises(metrics.UndefinedMetricError, match="gives the threshold inf"):
        op.threshold_by(Rule("bpcer", 0.05, at_95=True), sorted_set(trials), trials=trials)
