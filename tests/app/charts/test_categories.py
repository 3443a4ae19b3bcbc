"""Charts over categories as ECharts options: what is drawn, and what the pointer reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.charts import categories
from app.charts.categories import AucRow
from fas_core.reports.palette import NEUTRAL, Style


def test_lines_of_species_skip_what_is_unknown_and_mark_what_is_chosen() -> None:
    auc = {1: {"mask": 0.5, "pa<b>": 0.25}, 2: {"mask": 0.75}, 10: {"mask": 1.0, "pa<b>": 0.5}}
    chart: dict[str, Any] = categories.auc_over_components(auc, 2, {"mask": 3000, "pa<b>": 7})
    mask, odd, chance = chart["series"]
    assert chart["xAxis"]["data"] == ["1", "2", "10"]  # by number, not by letter
    assert [dot["value"] for dot in odd["data"]] == [
        ["1", 0.25, "1 Gaussians: AUC 0.25"],
        ["10", 0.5, "10 Gaussians: AUC 0.50"],
    ]
    assert [dot["symbolSize"] for dot in mask["data"]] == [7, 13, 7]
    assert mask["tooltip"]["formatter"] == "{a} (n = 3,000)<br>{@[2]}"
    assert "<b>" not in odd["tooltip"]["formatter"]  # which is HTML
    assert chance["markLine"]["data"][0]["yAxis"] == 0.5
    json.dumps(chart, allow_nan=False)


def test_a_criterion_rings_the_best_and_keeps_what_is_far_below_at_the_edge() -> None:
    chart: dict[str, Any] = categories.criterion({1: -10.0, 2: 0.0, 4: -9e9}, 4, 2, y_title="nats", floor=-100.0)
    line, ring = chart["series"]
    assert [dot.get("symbol") for dot in line["data"]] == [None, None, "triangle"]
    assert chart["yAxis"]["min"] < line["data"][2]["value"][1] < -100
    assert "−9,000,000,000.0" in line["data"][2]["value"][2]
    assert [dot["symbolSize"] for dot in line["data"]] == [8, 8, 15]
    assert ring["data"] == [["2", 0.0]]
    json.dumps(chart, allow_nan=False)


def test_rows_of_aucs_stand_below_their_headings() -> None:
    seen = AucRow("seen_paper", Style("#E69F00"), 0.9, (0.8, 0.95), 0.3, "<i>note")
    unseen = AucRow("unseen_paper", Style("#F0C566", "dash", True), 0.7, None, None, "")
    rows = {"attacks": [seen, unseen], "live faces by": [AucRow("hat", Style(NEUTRAL), 0.5, None, 0.5, "")]}
    chart: dict[str, Any] = categories.auc_rows(rows, x_title="AUC", auc_name="probe", beside_name="distance")
    dots, beside, interval, labels, chance = chart["series"]
    assert [dot["value"] for dot in dots["data"]] == [
        [0.9, -1, "<i>note", "0.90"],
        [0.7, -2, "", "0.70"],
        [0.5, -4, "", "0.50"],
    ]
    assert [dot["itemStyle"]["color"] for dot in dots["data"]] == ["#E69F00", "transparent", NEUTRAL]
    assert [dot["value"][:2] for dot in beside["data"]] == [[0.3, -1], [0.5, -4]]  # where there is one
    assert interval["data"] == [[0.8, -1], [0.95, -1]]
    texts = [(label["yAxis"], label["label"]["formatter"]) for label in labels["markLine"]["data"]]
    assert texts == [(0, "attacks"), (-1, "seen paper"), (-2, "unseen paper"), (-3, "live faces by"), (-4, "hat")]
    assert chart["xAxis"]["min"] == pytest.approx(0.25)
    assert chance["markLine"]["data"][0]["xAxis"] == 0.5
    heads, *saved = chart["dataset"]["source"]  # what is drawn, not where
    assert heads == ["series", "heading", "row", "AUC", "low95", "high95"]
    assert saved == [
        ["probe", "attacks", "seen_paper", 0.9, 0.8, 0.95],
        ["distance", "attacks", "seen_paper", 0.3, None, None],
        ["probe", "attacks", "unseen_paper", 0.7, None, None],
        ["probe", "live faces by", "hat", 0.5, None, None],
        ["distance", "live faces by", "hat", 0.5, None, None],
    ]
    json.dumps(chart, allow_nan=False)
