"""What is compared, and which of it is kept for what."""

from __future__ import annotations

from dataclasses import replace
from graphlib import TopologicalSorter

import numpy as np
import pytest

from app.comparing import comparison as c
from app.comparing.comparison import Comparison
from app.views import compare
from fas_core.evaluation.join import System
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import Costs, Share
from fas_core.metrics.operating_point import DEFAULT, Rule

from ...house import PROJECT, modules


def test_a_digest_stands_for_everything_and_that_of_the_samples_for_all_but_the_rule(of_three: Comparison) -> None:
    a, b, third = of_three.systems
    others = [
        replace(of_three, systems=(a, b)),
        replace(of_three, systems=(a, third, b)),
        replace(of_three, systems=(a, b, System(third.run, "another"))),
        replace(of_three, level="video mean"),
        replace(of_three, subsets=("dev",)),
        replace(of_three, subsets=("test", "dev")),
    ]
    assert len({variant.digest for variant in [of_three, *others]}) == len(others) + 1
    assert len({variant.samples_digest for variant in [of_three, *others]}) == len(others) + 1
    by_another = replace(of_three, rule=Rule("bpcer", 0.2500001))  # not told apart in words
    assert str(by_another.rule) == str(of_three.rule)
    assert by_another.digest != of_three.digest
    assert by_another.samples_digest == of_three.samples_digest


def test_samples_are_matched_once_for_all_rules(comparison: Comparison) -> None:
    by_another = replace(comparison, rule=Rule("apcer", 0.5))
    assert c.joined(by_another) is c.joined(comparison)
    assert c.thresholds(by_another)[0] != c.thresholds(comparison)[0]
    assert c.joined(replace(comparison, subsets=("dev",))) is not c.joined(comparison)
    assert len(c.joined(replace(comparison, subsets=("dev",)))) == 0


def test_verdicts_are_those_of_the_run_asked_for(of_three: Comparison) -> None:
    ids = c.joined(of_three).samples["sample_id"].to_numpy()
    assert "paper1" not in ids  # C gave it no score
    of_b, of_c = c.flips(of_three, 1), c.flips(of_three, 2)
    assert of_b is not None
    assert of_c is not None
    assert (ids[of_b.fixed].tolist(), ids[of_b.broken].tolist()) == (["paper0"], ["mask0"])
    assert (ids[of_c.fixed].tolist(), ids[of_c.broken].tolist()) == (["live3", "mask1", "paper0"], ["live0"])


def test_without_samples_there_are_no_verdicts_but_a_reason(comparison: Comparison) -> None:
    nobody = replace(comparison, subsets=())
    at, problem = c.thresholds(nobody)
    assert at == ()
    assert problem
    assert c.flips(nobody, 1) is None


def test_groups_are_of_a_wherever_a_sample_stands_in_it(comparison: Comparison) -> None:
    turned = replace(comparison, systems=comparison.systems[::-1])  # A is in another order
    for either in (comparison, turned):
        ids = c.joined(either).samples["sample_id"]
        wanted = ["left" if int(name[-1]) % 2 == 0 else "right" for name in ids]
        assert c.groups(either, "device").tolist() == wanted
        assert set(c.groups(either, c.SUBSET)) == {"test"}
    rates = c.group_rates(comparison, 1, "device", with_intervals=False).set_index(["group", "kind"])
    assert rates.loc[("left", "mask"), "wrong_b"] == 1.0
    assert rates.loc[("right", "paper"), "wrong_b"] == 0.0


def test_a_species_in_the_curves_leaves_all_live_samples(comparison: Comparison) -> None:
    of_all, of_mask = (c.score_sets(comparison, species)[1] for species in ("", "mask"))
    assert (of_all.n_bona_fide, of_all.n_attack) == (4, 4)
    assert (of_mask.n_bona_fide, of_mask.n_attack) == (4, 2)
    assert len(c.curves(comparison, "mask")) == 2
    assert c.curves(comparison, "mask")[0].n_attack == 2


@pytest.mark.parametrize(
    ("rule", "matches"),
    [("bpcer<=0.02", True), ("apcer<=0.1", True), ("apcer[mask]<=0.1", False), ("eer", True), ("threshold=3", True)],
)
def test_only_rules_that_match_thresholds_are_taken_over(rule: str, matches: bool) -> None:
    asked = op.rule(rule)
    assert compare.matched_rule(asked) == (asked if matches else DEFAULT)


def test_equal_errors_lowest_cost_and_a_threshold_by_hand_give_every_run_its_own(of_three: Comparison) -> None:
    assert compare.matched_rule(Rule("cost")) == DEFAULT
    costs = Costs(1000, {"mask": Share.between(0.1, 0.2), "paper": Share.between(0.1, 0.2)}, 5.0, 1.0)
    assert compare.matched_rule(Rule("cost"), costs) == Rule("cost")
    for rule in (Rule("eer"), Rule("cost")):
        by = replace(of_three, rule=rule, costs=costs if rule.kind == "cost" else None)
        sets = c.joined(by).score_sets
        assert c.thresholds(by) == (tuple(op.threshold_by(rule, scores, costs) for scores in sets), "")
        assert c.matching(by).is_fixed  # resamples take them as given
        assert c.worse(by, 2, with_intervals=True) is not None
        assert {statistic.name for statistic in c.differences(by, 1, with_intervals=True)} >= {"bpcer", "apcer_max"}
        assert c.targets(by) == ()
    # By hand 2.5 of A, which rejects half of live there: the others reject as many.
    by_hand = replace(of_three, rule=Rule("threshold", 2.5))
    assert c.thresholds(by_hand)[0] == (2.5, np.nextafter(20.0, 30), np.nextafter(0.2, 1))
    assert c.sheet(by_hand).rule_words == (
        "A's threshold 2.5 by hand, the others where they reject as many live (50.0 %), chosen and judged on test, "
        "optimistic"
    )
    assert c.sheet(by_hand).details(1, with_intervals=False)[0].startswith("At A's threshold 2.5 by hand, the others ")


def test_a_itself_is_offered_last(of_three: Comparison) -> None:
    first, second, third = (system.run for system in of_three.systems)
    assert compare.others_first(first, [first, second, third]) == [second, third, first]


def test_parts_import_each_other_one_way() -> None:
    rooms = "app.comparing."
    graph = {m.name: {name.rpartition(".")[0] for name in m.imported()} for m in modules(PROJECT, "app/comparing")}
    parts = {name: {to for to in imports if to.startswith(rooms)} for name, imports in graph.items() if rooms in name}
    assert len(parts) > 5
    order = [*TopologicalSorter(parts).static_order()]  # raises where there is a circle
    assert order[0] == "app.comparing.comparison"
