"""Histograms of groups as ECharts options: every value counts, and what is far out does not set the scale."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from app.charts import ridges


def of_name(option: dict[str, Any], name: str, kind: str) -> list[dict[str, Any]]:
    return [series for series in option["series"] if series.get("name") == name and series["type"] == kind]


def bars(option: dict[str, Any], whose: str) -> list[float]:
    """Shares of a group in percent, as the pointer reads them."""
    [read] = of_name(option, "", "scatter")
    texts = [text for _, _, name, text in read["data"] if name == whose]
    return [float(text.split(": ")[1].removesuffix("\u00a0%")) for text in texts]


def labels(option: dict[str, Any]) -> list[str]:
    """From the top."""
    return [mark["label"]["formatter"] for mark in option["series"][0]["markLine"]["data"]][::-1]


def test_distributions_count_what_lies_beyond() -> None:
    rng = np.random.default_rng(0)
    values = {
        letter: {"live": rng.normal(0, 1, 500), "seen_<b>": np.r_[rng.normal(2, 1, 99), np.inf]} for letter in "AB"
    }
    option: dict[str, Any] = ridges.distributions_of_runs(values, x_title="score")
    [read] = of_name(option, "", "scatter")
    for letter in "AB":
        for group in ("live", "seen <b>"):
            texts = [text for _, _, whose, text in read["data"] if whose == f"{letter}, {group}"]
            assert len(texts) == 50
            shares = [float(text.split(": ")[1].removesuffix("\u00a0%")) for text in texts]
            assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares))
            of_row = [row for row in option["dataset"]["source"] if row[1] == f"{letter}, {group}"]
            assert sum(share for *_, share in of_row) == pytest.approx(1), "saved are shares, not places of rows"
    filled = [series for series in option["series"] if "areaStyle" in series]
    assert {series["name"] for series in filled} == {"A, live", "A, seen <b>"}
    labels = [mark["label"]["formatter"] for mark in option["series"][0]["markLine"]["data"]]
    assert labels[-1].endswith("n = 500")
    json.dumps(option, allow_nan=False)


def test_the_bars_of_every_group_sum_to_1_with_its_outliers() -> None:
    rng = np.random.default_rng(0)
    values = {
        "train": np.append(rng.normal(0, 1, 5000), [np.nan, 1e9]),
        "live": rng.normal(0, 1, 300),
        "seen_paper": np.concatenate([rng.normal(2, 1, 100), np.full(50, 1e6), [np.inf, -np.inf]]),
    }
    chart: dict[str, Any] = ridges.distributions_of_score(
        values, x_title="score", behind=values["live"], behind_name="live faces"
    )
    for name, n in (("train", 5001), ("live", 300), ("seen paper", 152)):
        heights = bars(chart, f"{name} (n = {n:,})")
        assert len(heights) == 50
        assert sum(heights) == pytest.approx(100, abs=0.05 * 50)
    assert bars(chart, "seen paper (n = 152)")[-1] == pytest.approx(100 * 51 / 152, abs=0.05)  # far out, and infinite
    assert len(bars(chart, "live faces")) == 50  # behind the one row of attacks
    texts = [
        item["label"]["formatter"] for series in chart["series"] for item in series["data"] if isinstance(item, dict)
    ]
    assert texts == ["34\u00a0% further right →"]
    low, high = chart["xAxis"]["min"], chart["xAxis"]["max"]
    assert low < -2
    assert 2 < high < 20  # the outliers do not set the scale
    top = max(y for series in chart["series"] if series["type"] == "line" for _, y in series["data"] if y != "-")
    assert top < chart["yAxis"]["max"] == 3
    assert [label.split("\n")[0] for label in labels(chart)] == ["train", "live", "seen paper"]
    json.dumps(chart, allow_nan=False)


def test_long_tails_of_attacks_leave_the_view_where_a_share_of_them_is_enough() -> None:
    rng = np.random.default_rng(0)
    attacks = np.r_[rng.normal(-2, 1, 80), np.linspace(-7, -6, 40)]  # within twice the width of the live faces
    far = np.linspace(-9, -8, 100)  # an attack that lies outside altogether
    live = rng.normal(0, 1, 300)

    def drawn(in_view: float, **more: np.ndarray) -> dict[str, Any]:
        groups = {"live": live, "seen_mask": attacks, **more}
        chart: dict[str, Any] = ridges.distributions_of_score(
            groups, x_title="log-likelihood", behind=live, behind_name="live faces", in_view=in_view
        )
        return chart

    whole, cut, reached = drawn(1.0), drawn(0.6), drawn(0.6, seen_paper=far)
    assert whole["xAxis"]["min"] == pytest.approx(-7)
    assert live.min() - 0.1 < cut["xAxis"]["min"] < -2
    assert bars(cut, "seen mask (n = 120)")[0] >= 100 / 3  # what lies beyond is counted at the end
    assert reached["xAxis"]["min"] == pytest.approx(-8.6, abs=0.01)


@pytest.mark.parametrize("group", [np.full(5, 3.0), np.full(5, np.nan), np.array([np.inf, 1.0]), np.empty(0)])
def test_odd_groups_are_drawn_or_left_out(group: np.ndarray) -> None:
    chart: dict[str, Any] = ridges.distributions_of_score(
        {"live": group}, x_title="score", behind=np.empty(0), behind_name=""
    )
    assert bool(labels(chart)) == bool((~np.isnan(group)).any())
    json.dumps(chart, allow_nan=False)
