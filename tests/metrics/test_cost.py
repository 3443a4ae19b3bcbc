import numpy as np
import pytest

from fas_core import metrics
from fas_core.errors import BadInputError
from fas_core.metrics import cost
from fas_core.metrics.cost import Costs, Share
from fas_core.metrics.limits import Trials
from fas_core.metrics.uncertainty import Units

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


def test_a_share_is_drawn_below_the_likely_one_as_often_as_above_it() -> None:
    u = np.array([0, 0.25, 0.5, 0.75, 1 - 1e-12])
    assert Share(0.01, 0.0001, 0.04).drawn(u) == pytest.approx([0.0001, 0.001, 0.01, 0.02, 0.04])  # by orders
    assert Share(0.01, 0, 0.04).drawn(u) == pytest.approx([0, 0.005, 0.01, 0.02, 0.04])  # from 0 there are none
    assert Share(0, 0, 0.04).drawn(u) == pytest.approx([0, 0, 0, 0.02, 0.04])
    assert Share.between(0.001, 0.1) == pytest.approx((0.01, 0.001, 0.1))
    assert Share.between(0, 0.1) == (0.05, 0, 0.1)
    assert Share.between(0, 0) == (0, 0, 0)


def test_two_thresholds_are_compared_on_the_same_resamples() -> None:
    nan = np.nan
    rates = cost.ResampledRates(
        np.array([[0, 0.5, 0.1], [0.25, 0.25, 0.1]]),
        {"mask": np.array([[0.5, 0.5, nan], [0, 1, nan]])},  # the third has no mask
        "subject",
        4,
    )
    costs = Costs(100, {"mask": Share(0.1, 0.1, 0.1), "paper": Share(0, 0, 0)}, 10, 2)
    # 100 sessions: 10 masks, 90 live. First: 5 pass, none or 45 rejected; second: none or 10 pass, 22.5 rejected.
    assert cost.paired(rates, costs) == cost.Paired(((52.25, 137.75), (47.5, 142.5)), 0.5, 2, "subject", 4)
    dear = Costs(100, costs.shares, 10, 200)
    assert cost.paired(rates, dear).cheaper == 0.5
    same = cost.ResampledRates(rates.bpcer[[0, 0]], {"mask": rates.apcer["mask"][[0, 0]]}, "subject", 4)
    assert cost.paired(same, costs).cheaper == 0.5  # equal costs are no reason for either


def test_shares_that_differ_by_orders_make_the_cost_differ() -> None:
    rates = cost.ResampledRates(np.full((2, 4000), [[0.1], [0.0]]), {"mask": np.full((2, 4000), [[0], [0.5]])}, "s", 9)
    # Cheaper to pass masks while they are rarer than s in 10 s / 2 = (1 - s) / 10, so s = 1 / 51.
    of = cost.paired(rates, Costs(1, {"mask": Share(1 / 51, 0.0001, 0.5)}, 10, 1))
    assert of.cheaper == pytest.approx(0.5, abs=0.03)
    assert cost.paired(rates, Costs(1, {"mask": Share(0.001, 0.0001, 0.01)}, 10, 1)).cheaper == 1


def test_whole_subjects_are_resampled_and_a_single_one_tells_nothing() -> None:
    scores, kinds = np.array([0.0, 1, 2, 3, np.nan, 1, 2]), np.array([0, 0, 0, 0, 0, 1, 1])
    units = Units("subject", np.array(list("aabbade")))
    rates = cost.resampled_rates(Trials(scores, kinds, ["mask"], units), [0.5, 2.5], ["mask"], resamples=400)
    assert rates is not None
    assert (rates.unit, rates.n_units) == ("subject", 4)
    # Subject a alone, both, or b alone: of four live scores 2, 3 or 4 are at or above 0.5, and 0, 1 or 2 above 2.5.
    assert {tuple(pair) for pair in rates.bpcer.T} == {(0.5, 0), (0.75, 0.25), (1, 0.5)}
    assert {tuple(pair) for pair in rates.apcer["mask"].T} == {(0, 1)}
    alone = Trials(scores, kinds, ["mask"], Units("subject", np.array(list("aaaaade"))))
    assert cost.resampled_rates(alone, [0.5, 2.5], ["mask"], resamples=10) is None


@pytest.mark.parametrize("currency", ["EUR", "€", "kr", "zł"])
def test_amounts_have_their_currency(currency: str) -> None:
    costs = Costs(1, {}, 1, 1, currency)
    assert costs.money(12345.6) == f"12,346 {currency}"
    assert costs.money(1.25) == f"1.25 {currency}"


@pytest.mark.parametrize("currency", ["", "EURO", "1", "<b", "E R"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises(BadInputError, match="a currency is a code of three letters or a symbol"):
        Costs(1, {}, 1, 1, currency)


def test_the_document_has_what_was_said_only() -> None:
    assert set(Costs(1, SHARES, 1, 1).as_json()) == {"sessions", "shares", "per_attack", "per_rejection"}
    said = Costs(1, SHARES, 1, 1, "EUR", ("sessions a month",)).as_json()
    assert (said["currency"], said["examples"]) == ("EUR", ("sessions a month",))
