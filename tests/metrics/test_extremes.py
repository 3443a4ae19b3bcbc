"""Scores at the ends of what a number can be: everything computed from them, and everything drawn, stays in order."""

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.charts import curves as curve_charts
from app.charts import ridges
from app.components import threshold as panel
from app.session import operating
from fas_core import metrics
from fas_core.evaluation import breakdown
from fas_core.metrics import bins, cost, operating_point, resampling, uncertainty
from fas_core.reports import appendix
from fas_core.reports import curves as on_paper
from fas_core.reports.palette import Style

MOST, LEAST, INF = float(np.finfo(np.float64).max), 5e-324, math.inf
SCORES = {  # bona fide, attacks
    "largest": ([-MOST, MOST, 0.0, MOST], [MOST, -MOST, MOST, 1.0]),
    "near the largest": ([1e308, 1.7e308, -1.7e308], [1.79e308, MOST, MOST]),
    "all the largest": ([MOST] * 3, [MOST] * 2),
    "all the lowest": ([-MOST] * 3, [-MOST] * 2),
    "denormal": ([LEAST, 2 * LEAST, 3 * LEAST, 0.0], [4 * LEAST, 5 * LEAST, LEAST, 2e-310]),
    "zero and denormal": ([0.0, -0.0, 0.0], [LEAST, -LEAST]),
    "infinite": ([-INF, 0.0, 1.0, INF], [INF, INF, 0.5, -INF]),
    "nothing finite": ([INF, INF], [INF, INF]),
    "apart by infinity": ([-INF, -INF], [INF, INF]),
    "equal": ([1.0] * 3, [1.0] * 2),
    "large and equal": ([1e300] * 3, [1e300] * 2),
    "neighbours": ([1.0, math.nextafter(1, 2)], [math.nextafter(1, 2), 1.0]),
    "far from zero": ([1e9 + 1e-4, 1e9 + 2e-4, 1e9 + 3e-4], [1e9 + 2e-4, 1e9 + 4e-4]),
    "every magnitude": ([1e-300, 1e300, -1e-300], [-1e300, 1e-300, 1e200]),
    "many ties": (np.repeat([0.0, 1.0], 50_000), np.repeat([0.0, 1.0, 2.0], 3)),
    "one each": ([0.0], [MOST]),
}


@pytest.fixture(params=SCORES, ids=lambda name: name.replace(" ", "_"))
def both(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """(n,) scores, (n,) whether it is an attack."""
    bona_fide, attacks = (np.asarray(part, np.float64) for part in SCORES[request.param])
    return np.concatenate([bona_fide, attacks]), np.repeat([False, True], [len(bona_fide), len(attacks)])


def assert_shares(*values: object) -> None:
    for value in values:
        assert value is None or 0 <= float(value) <= 1, value  # type: ignore[arg-type]


def test_metrics(both: tuple[np.ndarray, np.ndarray]) -> None:
    values, attack = both
    score_set = metrics.score_set(values, attack)
    document = metrics.summary(score_set, thresholds=[0.0, MOST, -MOST, INF, -INF, LEAST]).as_json()
    json.dumps(document, allow_nan=False)
    wins = (score_set.pooled[:, None] > score_set.bona_fide[None, :1000]).mean() if len(values) < 1000 else None
    if wins is not None:
        ties = (score_set.pooled[:, None] == score_set.bona_fide[None]).mean()
        assert document["roc_auc"] == pytest.approx(wins + ties / 2)
    assert_shares(document["roc_auc"], document["average_precision"], document["eer"]["value"])
    for entry in document["at_threshold"]:
        assert_shares(entry["bpcer"], entry["apcer_max"], *entry["bpcer_ci95"]["clopper_pearson"])
    for entry in document["apcer_at_bpcer"]:
        assert entry["bpcer"] <= entry["target"]
        assert (
            entry["bpcer"] == pytest.approx((score_set.bona_fide >= float(entry["threshold"])).mean()) or INF in values
        )

    whole = metrics.curves(score_set)
    for rates in (whole.bpcer[::-1], whole.apcer_pooled, whole.thresholds):
        assert (rates[1:] >= rates[:-1]).all()
    assert len(metrics.thinned(whole, 50).thresholds) <= 50
    for text in ("bpcer<=0.05", "apcer<=0.1", "eer"):
        try:
            threshold = operating_point.threshold_by(operating_point.rule(text), score_set)
        except metrics.UndefinedMetricError as error:
            assert str(error)  # noqa: PT017
            continue
        assert math.isfinite(threshold)
        assert text != "bpcer<=0.05" or (score_set.bona_fide >= threshold).mean() <= 0.05

    costs = cost.Costs(1000, {"unspecified": cost.Share(0.1, 0.05, 0.2)}, 5, 1)
    try:
        priced = cost.curve(score_set, costs)
    except metrics.UndefinedMetricError:
        assert not np.isfinite(values).any()
    else:
        assert np.isfinite(priced.likely).all()
        assert (priced.thresholds[1:] > priced.thresholds[:-1]).all()


def test_intervals_and_groups(both: tuple[np.ndarray, np.ndarray]) -> None:
    values, attack = both
    some = np.unique(np.linspace(0, len(values) - 1, 40).astype(int))
    values, attack = values[some], attack[some]
    units = uncertainty.Units("subject", np.arange(len(values)) // 2)
    rate = uncertainty.rate_interval(values >= 0, units)
    assert rate is None or 0 <= rate.low <= rate.high <= 1
    grid = np.unique(np.append(values, [-MOST, MOST]))
    band = uncertainty.rate_bands(values, units, grid)
    assert band is None or (band[0] <= band[1]).all()
    statistics = [
        resampling.Statistic("roc_auc"),
        resampling.Statistic("eer"),
        resampling.Statistic("bpcer_at_apcer", 0.1),
        resampling.Statistic("apcer_at_bpcer", (0.1, None)),
        resampling.Statistic("average_precision"),
        resampling.Statistic("bpcer"),
    ]
    two = [values, values[::-1].copy()]
    drawn = resampling.resampled(two, attack, units, statistics, thresholds=[0.0, MOST], resamples=50)
    for statistic in statistics:
        for model in (0, 1):
            known = drawn.values[statistic][model]
            assert ((known >= 0) & (known <= 1) | np.isnan(known)).all()
    rows = pd.DataFrame(
        {
            "label": np.where(attack, "attack", "bona_fide"),
            "pai_species": np.where(attack, "print", ""),
            "device": np.where(np.arange(len(values)) % 2, "a", "b"),
            "distance": values,
            "sample_id": [str(i) for i in range(len(values))],
        }
    )
    for column in ("device", "distance"):
        try:
            groups = breakdown.by_column(rows, values, 0.0, column)
        except breakdown.BadInputError:
            continue
        json.dumps(metrics.json_safe(groups.as_json()), allow_nan=False)
        assert groups.sentence()
    if min(attack.sum(), (~attack).sum()) > 1:
        areas, covariance = uncertainty.delong(two, attack)
        assert ((areas >= 0) & (areas <= 1)).all()
        assert np.isfinite(covariance).all()


def assert_is_drawn(option: Any) -> None:
    """As JSON without a number that JSON lacks."""
    json.dumps(option, allow_nan=False)


def test_charts(both: tuple[np.ndarray, np.ndarray]) -> None:
    values, attack = both
    groups = {"live": values[~attack], "print": values[attack]}
    option = ridges.distributions_of_score(
        groups, x_title="score", behind=groups["live"], behind_name="live", limit=(0.0, "limit")
    )
    assert_is_drawn(option)
    assert_axis(option["xAxis"], option["series"])
    option = ridges.distributions_of_runs({"A": groups, "B": groups}, x_title="score")
    assert_is_drawn(option)
    assert_axis(option["xAxis"], option["series"])
    kinds = np.where(attack, "print", "live")
    of_all = metrics.score_set(values, attack)
    errors = on_paper.errors("A", on_paper.thinned(of_all), of_all, float(values[0]))
    drawings = [*appendix.distribution(values, kinds, "score"), *errors]
    assert len(drawings) == 2 * bool(np.isfinite(values).any())
    for drawn in (drawing.of.drawn() for drawing in drawings):
        assert "nan" not in drawn
        assert "inf" not in drawn
    curves = curve_charts.run_curves(metrics.curves(metrics.score_set(values, attack)))
    assert_is_drawn(curve_charts.roc_of_runs({"A": curves}, {"A": None}))
    assert_is_drawn(curve_charts.det_of_runs({"A": curves}, {"A": None}))


def assert_axis(axis: Any, series: Any) -> None:
    assert axis["min"] < axis["max"]
    assert math.isfinite(axis["max"] - axis["min"])
    for line in series:
        if line["type"] == "line" and len(line["data"]) > 2:
            x = [at[0] for at in line["data"]]
            assert len(set(x)) > 10, "the bars lie on each other"
            slack = 1e-5 * (axis["max"] - axis["min"])
            assert axis["min"] - slack <= min(x) <= max(x) <= axis["max"] + slack


def test_the_threshold_panel(both: tuple[np.ndarray, np.ndarray]) -> None:
    values, attack = both
    rows = pd.DataFrame({"sample_id": np.arange(len(values)).astype(str)})
    cells = [
        panel.Cell("all", name, values[kind], rows[kind], Style("#000"))
        for name, kind in (("", ~attack), ("print", attack))
    ]
    sent = panel.prepared(cells, reported=["all"])
    json.dumps(sent.json, allow_nan=False)
    low, high = sent.json["view"]
    assert low < high
    assert math.isfinite(high - low)


def test_limits_of_a_slider(both: tuple[np.ndarray, np.ndarray]) -> None:
    finite = both[0][np.isfinite(both[0])]
    if not finite.size:
        return
    low, high = operating.threshold_limits(float(finite.min()), float(finite.max()))
    assert low < (low + high) / 2 < high
    assert math.isfinite(high - low)
    if abs(finite).max() <= bins.FAR:
        assert low <= finite.min()
        assert high >= finite.max()


@pytest.mark.parametrize("n", [1, 2, 40, 70])
@pytest.mark.parametrize(
    "ends", [*pairwise([-MOST, -1e300, -1.0, 0.0, LEAST, 2e-310, 1e-300, 1.0, 1e300, MOST]), (-MOST, MOST), (1.0, 1.0)]
)
def test_edges_ascend_between_any_two_numbers(ends: tuple[float, float], n: int) -> None:
    for low, high in (ends, (ends[0], ends[0]), (ends[1], ends[1])):
        edges = bins.edges(low, high, n)
        assert len(edges) == n + 1
        assert np.isfinite(edges).all()
        assert (np.diff(edges) > 0).all()
    assert bins.edges(0.0, 10.0, 5).tolist() == [0, 2, 4, 6, 8, 10]


def test_moments_of_the_largest_and_the_smallest_floats_are_numbers() -> None:
    largest = float(np.finfo(np.float64).max)
    assert bins.moments(np.array([largest, largest, np.inf, np.nan])) == (2, largest, 0)
    assert bins.moments(np.array([5e-324, 5e-324])) == (2, 5e-324, 0)
    values = np.random.default_rng(0).normal(3, 2, 100)
    assert bins.moments(values) == pytest.approx((100, values.mean(), values.std(ddof=1)), rel=1e-12)
    assert np.isnan(bins.moments(np.array([1.0]))[2])
