import numpy as np
import pytest

from fas_core import metrics
from fas_core.errors import BadInputError
from fas_core.metrics import cost
from fas_core.metrics.cost import Costs, Share

RNG = np.random.default_rng(0)
live, mask_scores, paper_scores = RNG.normal(0, 1, 200), RNG.normal(1, 1, 50), RNG.normal(2, 1, 70)
SCORES = metrics.score_set(
    np.concatenate([live, mask_scores, paper_scores]),
    np.repeat([0, 1, 1], [200, 50, 70]),
    [""] * 200 + ["mask"] * 50 + ["paper"] * 70,
)
SHARES = {"mask": Share(0.01, 0.002, 0.05), "paper": Share(0.02, 0.02, 0.02)}


def plain(t: float, mask: float, paper: float) -> float:
    """The definition, session by session."""
    accepted = mask * (mask_scores < t).mean() + paper * (paper_scores < t).mean()
    return 1000 * (accepted * 40 + (1 - mask - paper) * (live >= t).mean() * 3)


def test_it_is_the_definition_at_every_threshold() -> None:
    curve = cost.curve(SCORES, Costs(1000, SHARES, 40, 3))
    assert curve.thresholds.size == 321
    for i in range(0, 321, 20):
        t = curve.thresholds[i]
        assert curve.likely[i] == pytest.approx(plain(t, 0.01, 0.02))
        ends = [plain(t, share, 0.02) for share in (0.002, 0.05)]
        assert (curve.low[i], curve.high[i]) == (pytest.approx(min(ends)), pytest.approx(max(ends)))


def test_the_best_threshold_is_the_cheapest_and_the_flat_region_is_around_it() -> None:
    curve = cost.curve(SCORES, Costs(1000, SHARES, 400, 3))
    cheapest = curve.likely.min()
    assert curve.likely[curve.best] == cheapest
    low, high = curve.flat
    inside = (curve.thresholds >= low) & (curve.thresholds <= high)
    assert low <= curve.thresholds[curve.best] <= high
    assert (curve.likely[inside] <= 1.05 * cheapest).all()
    outside = [np.flatnonzero(inside)[0] - 1, np.flatnonzero(inside)[-1] + 1]
    assert (curve.likely[outside] > 1.05 * cheapest).all()


def test_what_was_not_tested_cannot_be_priced() -> None:
    with pytest.raises(metrics.UndefinedMetricError, match="no replay attack"):
        cost.curve(SCORES, Costs(1, {"replay": Share(0.1, 0.1, 0.1)}, 1, 1))
    cost.curve(SCORES, Costs(1, {"replay": Share(0, 0, 0)}, 1, 1))
    no_live = metrics.score_set([1.0, 2.0], [1, 1], ["mask", "mask"])
    with pytest.raises(metrics.UndefinedMetricError, match="no bona fide"):
        cost.curve(no_live, Costs(1, {}, 1, 1))


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ((-1, {}, 1, 1), "sessions a month must be 0 or more"),
        ((1, {}, float("nan"), 1), "loss per accepted attack"),
        ((1, {"mask": Share(0.5, 0.6, 0.7)}, 1, 1), "the share of mask attacks"),
        ((1, {"mask": Share(0.5, 0.5, 0.6), "paper": Share(0.5, 0.5, 0.5)}, 1, 1), "together reach 1.1"),
    ],
)
def test_impossible_costs_are_refused(costs: tuple[object, ...], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        Costs(*costs)  # type: ignore[arg-type]


def test_shares_are_read_from_texts_with_and_without_a_range() -> None:
    assert cost.shares(["mask=0.001", "paper=0.01:0.002-0.05"]) == {
        "mask": Share(0.001, 0.001, 0.001),
        "paper": Share(0.01, 0.002, 0.05),
    }
    assert cost.shares(["mask=0.001", "mask=0.002:0-0.01"]) == {"mask": Share(0.002, 0, 0.01)}  # the last one counts


@pytest.mark.parametrize("text", ["mask", "mask=", "mask=x", "mask=0.1:0.2", "mask=0.1:-"])
def test_texts_that_are_no_shares_are_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=f"--attack-share {text}: write for example"):
        cost.shares([text])
