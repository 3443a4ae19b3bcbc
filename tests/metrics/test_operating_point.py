import numpy as np
import pytest

from fas_core import metrics
from fas_core.errors import BadInputError
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import Costs, Share
from fas_core.metrics.operating_point import Rule

LIVE = np.arange(20) / 20
MASK, PAPER = 0.5 + np.arange(10) / 20, 0.8 + np.arange(5) / 10
SCORES = metrics.score_set(
    np.concatenate([LIVE, MASK, PAPER]), np.repeat([0, 1, 1], [20, 10, 5]), [""] * 20 + ["mask"] * 10 + ["paper"] * 5
)

MASKS = {"mask": Share(0.1, 0.1, 0.1)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bpcer<=0.05", Rule("bpcer", 0.05)),
        (" apcer <= 0.1 ", Rule("apcer", 0.1)),
        ("apcer[3d mask]<=0.1", Rule("apcer", 0.1, "3d mask")),
        ("apcer[mask [b]]<=0.1", Rule("apcer", 0.1, "mask [b]")),
        ("apcer[x]<=0.5]<=0.1", Rule("apcer", 0.1, "x]<=0.5")),
        ("EER", Rule("eer")),
        ("cost", Rule("cost")),
        ("threshold=-0.25", Rule("threshold", -0.25)),
        ("bpcer<=0.02@95", Rule("bpcer", 0.02, at_95=True)),
        ("apcer <= 0.1 @ 95 %", Rule("apcer", 0.1, at_95=True)),
        ("apcer[mask]<=0.1@95", Rule("apcer", 0.1, "mask", at_95=True)),
    ],
)
def test_rules_are_text_and_back(text: str, expected: Rule) -> None:
    assert str(op.rule(text)) == str(expected)
    assert op.rule(text).at_95 == expected.at_95
    assert str(op.rule(str(expected))) == str(expected)


@pytest.mark.parametrize("text", ["", "bpcer", "bpcer<=x", "bpcer<=1", "bpcer<=-0.1", "bpcer<=nan", "bpcer[mask]<=0.1",
                                  "threshold=inf", "threshold=nan", "eer<=0.1", "apcer[]<=0.1",
                                  "bpcer<=0.02@90", "bpcer<=0@95", "eer@95", "threshold=0.3@95"])  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="rule|Rule|finite"):
        op.rule(text)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("bpcer<=5", "0.05 for 5 %"), ("apcer <= 2.5", "0.025 for 2.5 %"), ("apcer[mask]<=10", "0.1 for 10 %"),
     ("bpcer<=-3", "0.05 for 5 %"), ("bpcer<=100", "0.05 for 5 %")],
)  # fmt: skip
def test_a_rate_in_percent_is_told_as_a_share(text: str, remedy: str) -> None:
    with pytest.raises(BadInputError) as error:
        op.rule(text)
    assert str(error.value) == f"Rule '{text}': an error rate is a share between 0 and 1: {remedy}."
    with pytest.raises(BadInputError, match=r"'bpcer<=5%' is no rule. Rules: .* \(a share between 0 and 1, here 5 %\)"):
        op.rule("bpcer<=5%")


def test_every_rule_keeps_its_promise_and_no_other_threshold_is_better() -> None:
    for share in (0.0, 0.05, 0.12, 0.5):
        at = metrics.rates_at(SCORES, op.threshold_by(Rule("bpcer", share), SCORES))
        assert at.bpcer <= share < at.bpcer + 1 / 20
        for species, n in (("mask", 10), ("paper", 5)):
            rates = metrics.rates_at(SCORES, op.threshold_by(Rule("apcer", share, species), SCORES))
            assert rates.apcer_per_species[species] <= share < rates.apcer_per_species[species] + 1 / n
        worst = metrics.rates_at(SCORES, op.threshold_by(Rule("apcer", share), SCORES))
        assert worst.apcer_max <= share
    assert op.threshold_by(Rule("eer"), SCORES) == metrics.equal_error_rate(SCORES).threshold
    assert op.threshold_by(Rule("threshold", 0.3), SCORES) == 0.3


def test_the_cheapest_threshold_follows_the_prices() -> None:
    shares = {"mask": Share(0.1, 0.1, 0.1), "paper": Share(0.1, 0.1, 0.1)}
    secure = op.threshold_by(Rule("cost"), SCORES, Costs(100, shares, 1000, 1))
    lenient = op.threshold_by(Rule("cost"), SCORES, Costs(100, shares, 1, 10))
    assert secure == 0.5  # the lowest attack: none is let through, and no live sample more is rejected than that needs
    assert lenient > 0.9
    with pytest.raises(metrics.UndefinedMetricError, match="cheapest to let everything pass"):
        op.threshold_by(Rule("cost"), metrics.score_set([1.0, 0.5], [0, 1], ["", "mask"]), Costs(100, MASKS, 1, 10))
    with pytest.raises(BadInputError, match="needs costs"):
        op.threshold_by(Rule("cost"), SCORES)


def test_a_rule_that_allows_no_finite_threshold_says_so() -> None:
    with pytest.raises(metrics.UndefinedMetricError, match="no replay attack; species: mask, paper"):
        op.threshold_by(Rule("apcer", 0.1, "replay"), SCORES)
    only_inf = metrics.score_set([np.inf, np.inf], [1, 1], ["mask", "mask"])
    with pytest.raises(metrics.UndefinedMetricError):
        op.threshold_by(Rule("apcer", 0.1), only_inf)


def test_a_point_is_optimistic_on_what_it_was_chosen_on_and_where_it_is_set_by_hand() -> None:
    by = op.DEFAULT
    fresh = op.operating_point(by, 0.5, ["dev"], ["test"])
    assert (fresh.chosen_on, fresh.reported_on, fresh.is_optimistic) == (("dev",), ("test",), False)
    assert op.operating_point(by, 0.5, ["dev"], ["test", "dev"]).is_optimistic
    assert op.operating_point(Rule("threshold", 0.5), 0.5, [], ["test"]).is_optimistic
