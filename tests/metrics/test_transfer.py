"""A threshold applied to other samples than it was chosen on, worked out by hand."""

import numpy as np
import pytest

from fas_core import metrics
from fas_core.metrics.cost import Costs, Share
from fas_core.metrics.operating_point import Rule
from fas_core.metrics.transfer import Errors, most_moved, own_rule, rate_of, transfers


def scores(live: list[float], **attacks: list[float]) -> metrics.ScoreSet:
    values = np.array([*live, *(value for of_species in attacks.values() for value in of_species)])
    species = [""] * len(live) + [name for name, of_species in attacks.items() for _ in of_species]
    return metrics.score_set(values, np.arange(len(values)) >= len(live), species)


DARK = scores([0.3, 0.5, 0.6, 0.7], mask=[0.55, 0.8], paper=[0.9, 0.95])
LIVE = scores([0.1, 0.2, 0.3, 0.9])
ATTACKS = scores([], mask=[0.2, 0.8])


def test_the_rates_at_a_threshold_from_elsewhere_and_at_the_own_one() -> None:
    [dark] = transfers(Rule("bpcer", 0.25), 0.5, {"dark": DARK})
    assert dark.at == Errors(0.75, 0.0)  # 0.5, 0.6 and 0.7 are rejected: equality is an attack
    assert dark.own_threshold == np.nextafter(0.6, 1)  # one of four may be rejected
    assert dark.own == Errors(0.25, 0.5)  # of the masks 0.55 passes
    assert dark.gap("bpcer") == 0.5
    assert dark.gap("apcer_max") == -0.5


def test_a_rule_that_a_subset_does_not_allow_has_no_threshold_of_its_own_there() -> None:
    live, attacks = transfers(Rule("apcer", 0.5, "mask"), 0.5, {"live": LIVE, "attacks": ATTACKS})
    assert (live.at, live.own_threshold, live.own) == (Errors(0.25, None), None, Errors(None, None))
    assert live.gap("bpcer") is None
    assert (attacks.at, attacks.own_threshold) == (Errors(None, 0.5), 0.8)
    assert attacks.own == Errors(None, 0.5)


def test_a_threshold_by_hand_is_set_against_equal_errors() -> None:
    assert own_rule(Rule("threshold", 0.4)) == Rule("eer")
    assert own_rule(Rule("apcer", 0.1, "mask")) == Rule("apcer", 0.1, "mask")
    [dark] = transfers(Rule("threshold", 0.4), 0.4, {"dark": DARK})
    assert dark.own_threshold == metrics.equal_error_rate(DARK).threshold


def test_the_lowest_cost_is_that_of_the_subset_itself() -> None:
    shares = {"mask": Share(0.1, 0.1, 0.1)}
    [cheap] = transfers(Rule("cost"), 0.9, {"dark": DARK}, Costs(100, shares, 1000, 1))
    assert cheap.own_threshold == 0.55  # every mask costs far more than the two live ones above it
    assert cheap.own == Errors(0.5, 0.0)


@pytest.mark.parametrize(
    ("rule", "rate"),
    [("bpcer", "bpcer"), ("cost", "bpcer"), ("apcer", "apcer_max"), ("eer", "apcer_max"), ("threshold", "apcer_max")],
)
def test_the_rate_that_tells(rule: str, rate: str) -> None:
    assert rate_of(Rule(rule, 0.1)) == rate


def test_most_moved_counts_both_directions_and_leaves_out_where_it_was_chosen() -> None:
    # Own thresholds at BPCER <= 0 lie just above the highest live score; the rates there are 0.
    sets = {name: scores(live) for name, live in {"a": [0.9] * 4, "b": [0.1, 0.9], "c": [0.1, 0.2, 0.9]}.items()}
    rows = transfers(Rule("bpcer", 0.0), 0.5, sets)
    assert [row.gap("bpcer") for row in rows] == [1.0, 0.5, pytest.approx(1 / 3)]
    assert most_moved(rows, "bpcer", ["a"]) == rows[1]
    assert most_moved(rows, "bpcer", []) == rows[0]
    assert most_moved(rows, "apcer_max", []) is None
    secure = transfers(Rule("bpcer", 0.5), 2.0, {"a": scores([0.1, 0.2]), "b": scores([0.1])})
    assert [row.gap("bpcer") for row in secure] == [-0.5, 0.0]
    assert most_moved(secure, "bpcer", []) == secure[0]
