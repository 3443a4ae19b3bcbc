"""Runs over each other as ECharts options: what is drawn, and what the pointer reads."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from app.charts import curves as run_charts
from fas_core import metrics
from fas_core.reports.palette import score_styles


def scored(seed: int, n_live: int = 2000, n_attack: int = 1500) -> metrics.ScoreSet:
    rng = np.random.default_rng(seed)
    values = np.r_[rng.normal(0, 1, n_live), rng.normal(1.5, 1, n_attack)]
    return metrics.score_set(values, np.arange(len(values)) >= n_live, [None] * n_live + ["mask"] * n_attack)


def of_name(option: dict[str, Any], name: str, kind: str) -> list[dict[str, Any]]:
    return [series for series in option["series"] if series.get("name") == name and series["type"] == kind]


def test_the_pointer_reads_what_the_metrics_say() -> None:
    sets = {"A": scored(0), "B": scored(1)}
    whole = {name: metrics.curves(score_set) for name, score_set in sets.items()}
    curves = {name: run_charts.run_curves(curve) for name, curve in whole.items()}
    nowhere = dict.fromkeys(sets)
    roc: dict[str, Any] = run_charts.roc_of_runs(curves, nowhere)
    pr: dict[str, Any] = run_charts.precision_recall_of_runs(curves, nowhere)
    for name, score_set in sets.items():
        drawn, read = of_name(roc, name, "line")
        assert (drawn["silent"], drawn["tooltip"]) == (True, {"show": False})
        assert "silent" not in read
        at = dict(read["data"])
        assert list(at) == pytest.approx(100 * run_charts.READ_AT, rel=1e-5)
        rates = metrics.apcer_at_bpcer(score_set, 0.05)
        assert at[5.0] == pytest.approx(100 * (1 - rates.apcer_pooled), rel=1e-5)
        precision = dict(of_name(pr, name, "line")[1]["data"])
        enough = whole[name].recall >= 0.8
        assert precision[80.0] == pytest.approx(100 * whole[name].precision[enough][-1], rel=1e-5)
        assert 0.0 not in precision  # no alarms: no precision
    json.dumps([roc, pr], allow_nan=False)


@pytest.mark.parametrize(("n_live", "n_attack"), [(20_000, 30_000), (9, 4)])
def test_curves_are_drawn_with_few_corners_and_run_where_all_points_lie(n_live: int, n_attack: int) -> None:
    whole = metrics.curves(scored(0, n_live, n_attack))
    curves = run_charts.run_curves(whole)
    x, y = metrics.probit(whole.apcer_pooled, n_attack), metrics.probit(whole.bpcer, n_live)
    scale = np.array(run_charts.PLANE)
    for line, points, by in (
        (curves.roc, [whole.fpr, whole.tpr], scale),
        (curves.precision_recall, [whole.recall, whole.precision], scale),
        (curves.det, [x, y], scale / (np.ptp(x), np.ptp(y))),
    ):
        expected = np.column_stack(points)
        expected = expected[np.isfinite(expected).all(1)] * by
        assert len(line) < 300
        assert {tuple(point) for point in (line * by).round(6)} <= {tuple(point) for point in expected.round(6)}
        np.testing.assert_allclose(line[[0, -1]] * by, expected[[0, -1]])
        start, way = line[:-1] * by, np.diff(line * by, axis=0)
        for some in np.array_split(expected, 50):  # distances to the nearest piece of the line
            from_start = some[:, None] - start
            along = (from_start * way).sum(2) / np.maximum((way**2).sum(1), 1e-12)
            far = np.hypot(*np.moveaxis(from_start - along.clip(0, 1)[..., None] * way, 2, 0)).min(1)
            assert (far < 0.7).all()


def test_the_pointer_reads_rates_on_the_det_curve() -> None:
    curves = run_charts.run_curves(metrics.curves(scored(0)))
    option: dict[str, Any] = run_charts.det_of_runs({"A": curves}, {"A": None})
    [read] = of_name(option, "A", "scatter")
    assert 50 < len(read["data"]) <= run_charts.DET_POINTS
    for x, y, apcer, bpcer in read["data"]:
        assert [x, y] == pytest.approx(
            [*metrics.probit([apcer / 100], 1500), *metrics.probit([bpcer / 100], 2000)], abs=0.2
        )
    assert read["tooltip"]["formatter"] == "{a}<br>APCER {@[2]}\u00a0%<br>BPCER {@[3]}\u00a0%"
    # Saved are rates, of which the axes show the probits.
    whole = metrics.curves(scored(0))
    rates = np.column_stack([whole.apcer_pooled, whole.bpcer]).clip(1 / 4000, 1 - 1 / 4000)
    heads, *saved = option["dataset"]["source"]
    assert heads == ["series", "drawn as", "APCER", "BPCER"]
    for name, kind, *point in saved:
        assert (name, kind) == ("A", "line")
        assert np.abs(rates - point).sum(1).min() < 1e-3


def test_a_band_ends_where_it_began_and_is_named_as_its_run() -> None:
    curves = {name: run_charts.run_curves(metrics.curves(scored(i))) for i, name in enumerate("AB")}
    along = np.array([0.01, 0.1, 0.5])
    bands = {"B": (along, np.array([0.2, 0.5, 0.9]), np.array([0.4, 0.7, 1.0]))}
    option: dict[str, Any]
    for option in (
        run_charts.roc_of_runs(curves, dict.fromkeys("AB"), bands=bands),
        run_charts.det_of_runs(curves, dict.fromkeys("AB"), bands=bands),
    ):
        [band] = [series for series in option["series"] if "areaStyle" in series]
        assert band["name"] == "B"
        assert len(band["data"]) == 2 * len(along) + 1
        assert band["data"][0] == band["data"][-1]
        assert option["legend"]["data"] == ["A", "B"]
        first = next(series for series in option["series"] if series.get("name") == "B")
        assert "areaStyle" not in first  # the legend shows the first series of a name
        json.dumps(option, allow_nan=False)


def test_each_threshold_has_its_letter() -> None:
    curves = {name: run_charts.run_curves(metrics.curves(scored(i))) for i, name in enumerate("AB")}
    option: dict[str, Any] = run_charts.det_of_runs(curves, {"A": (0.25, 0.05), "B": None})
    [point] = [series for series in of_name(option, "A", "scatter") if "label" in series]
    assert point["data"][0] == pytest.approx([*metrics.probit([0.25], 1500), *metrics.probit([0.05], 2000)])
    assert point["tooltip"]["formatter"] == "A, at its threshold<br>APCER 25.0\u00a0%<br>BPCER 5.0\u00a0%"
    assert not [series for series in of_name(option, "B", "scatter") if "label" in series]


def test_chance_is_the_share_of_attacks_and_the_chosen_score_is_heavier() -> None:
    curves = {name: run_charts.run_curves(metrics.curves(scored(i))) for i, name in enumerate("ab")}
    styles = score_styles(["other", "a", "b"])
    notes = {"a": "0.83", "b": "0.7"}
    pr: dict[str, Any] = run_charts.precision_recall_of_scores(curves, notes, styles, "a")
    roc: dict[str, Any] = run_charts.roc_of_scores(curves, notes, styles, "a")
    [chance] = [series for series in pr["series"] if "markLine" in series]
    assert chance["markLine"]["data"] == [{"yAxis": pytest.approx(100 * 1500 / 3500)}]
    for option in (pr, roc):
        assert option["legend"]["data"] == ["a 0.83", "b 0.7"]
        first, second = (of_name(option, name, "line")[0]["lineStyle"] for name in option["legend"]["data"])
        assert first["width"] > second["width"]
        assert (first["color"], first["type"]) == (styles["a"].colour, [8, 4])
        assert (second["color"], second["type"]) == (styles["b"].colour, [2, 3])
        assert option["grid"]["height"] < run_charts.PLOT_HEIGHT == option["legend"]["top"]
        json.dumps(option, allow_nan=False)
    assert of_name(roc, "b 0.7", "line")[0]["data"][-1] == [0, 0]
