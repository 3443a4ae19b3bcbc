"""What a threshold costs, in words: nothing is the cheapest that is not surely so."""

from dataclasses import replace

import pytest

from fas_core import metrics
from fas_core.deciding import pricing
from fas_core.metrics.cost import Costs, Paired, Share

# Live 0, 1, 2, 3; masks 2, 4: at 2 half of the live faces are rejected and none passes, at 4 none is and half pass.
SCORES = metrics.score_set([0, 1, 2, 3, 2, 4], [0, 0, 0, 0, 1, 1], [""] * 4 + ["mask"] * 2)
COSTS = Costs(1000, {"mask": Share(0.1, 0.05, 0.2)}, 10, 1, "EUR")


def said(paired: Paired | None, threshold: float = 2, costs: Costs = COSTS) -> str:
    return " ".join(pricing.sentences(pricing.priced(SCORES, costs, threshold), paired))


def paired(cheaper: float) -> Paired:
    return Paired(((300, 600), (200, 1100.4)), cheaper, 2000, "subject", 24)


def test_both_costs_and_how_sure_the_lower_one_is() -> None:
    cheap = replace(COSTS, per_attack=5)  # at 2: 900 live, half rejected; at 4: 100 masks, half pass
    lead = "At 2 the cost is 450 EUR a month (300–600); "
    other = "the threshold 4"
    assert said(paired(0.8399), costs=cheap).startswith(
        f"{lead}the lowest likely cost, 250 EUR (200–1,100), has {other}, but it is cheaper in 83 % of 2,000 "
        "resamples of 24 subjects and of the shares, so not clearly."
    )
    assert "cheapest" not in said(paired(0.9499), costs=cheap)
    assert said(paired(0.999), costs=cheap).startswith(
        f"{lead}cheapest is {other}, with 250 EUR (200–1,100): cheaper in 99 % of 2,000 resamples"
    )
    assert "in all of 2,000 resamples" in said(paired(1), costs=cheap)
    assert said(None, costs=cheap).startswith(
        "At 2 the cost is 450 EUR a month. The lowest likely cost, 250 EUR, has the threshold 4; too few subjects "
        "say how sure that is."
    )


def test_at_the_lowest_cost_nothing_is_called_cheapest() -> None:
    text = said(paired(0.5), 4, replace(COSTS, per_attack=5))
    assert text.startswith(
        "At 4 the cost is 250 EUR a month (300–600). On these samples no other threshold has a lower"
    )
    assert "cheapest" not in text


def test_no_error_among_few_is_no_proof() -> None:
    assert "No mask attack passes at the lower of both" in said(paired(0.9), costs=replace(COSTS, per_attack=5))
    assert "attack passes at" not in said(paired(0.5), 4, replace(COSTS, per_attack=5))
    both = metrics.score_set([0, 1, 2, 3, 2, 4], [0, 0, 0, 0, 1, 1], [""] * 4 + ["mask", "paper"])
    shares = {"mask": Share(0.1, 0.1, 0.1), "paper": Share(0.1, 0.1, 0.1)}
    none = pricing.priced(both, replace(COSTS, shares=shares, per_attack=1000), 2)
    assert "No attack passes at this threshold" in " ".join(pricing.sentences(none, paired(0.5)))


def test_where_no_threshold_pays_that_is_said() -> None:
    highest_is_live = metrics.score_set([0, 1, 5, 2], [0, 0, 0, 1], ["", "", "", "mask"])
    priced = pricing.priced(highest_is_live, replace(COSTS, per_attack=0), 2)
    text = " ".join(pricing.sentences(priced, paired(0.97)))
    assert "cheapest is letting everything pass, with 0 EUR" in text
    assert "With these costs no threshold pays." in text
    with pytest.raises(metrics.UndefinedMetricError, match="no paper attack"):
        said(None, costs=Costs(1, {"paper": Share(0.1, 0.1, 0.1)}, 1, 1))
