"""Runs over each other as ECharts options: what is drawn, and what the pointer reads."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from app import run_charts
from fas_core import metrics


def scored(seed: int, n_live: int = 2000, n_attack: int = 1500) -> metrics.ScoreSet:
    rng = np.random.default_rng(seed)
    values = np.r_[rng.normal(0, 1, n_live), rng.normal(1.5, 1, n_attack)]
    return metrics.score_set(values, np.arange(len(values)) >= n_live, [None] * n_live + ["mask"] * n_attack)


def of_name(option: dict[str, Any], name: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in option["series"] if one.get("name") == name and one["type"] == kind]


def test_the_pointer_reads_what_the_metrics_say() -> None:
    sets = {"A": scored(0), "B": scored(1)}
    whole = {name: metrics.curves(one) for name, one in sets.items()}
    curves = {name: run_charts.run_curves(one) for name, one in whole.items()}
    assert all(len(one.drawn.tpr) < len(whole[name].tpr) for name, one in curves.items())
    nowhere = dict.fromkeys(sets)
    roc: dict[str, Any] = run_charts.roc_of_runs(curves, nowhere)
    pr: dict[str, Any] = run_charts.precision_recall_of_runs(curves, nowhere)
    for name, one in sets.items():
        drawn, read = of_name(roc, name, "line")
        assert (drawn["silent"], drawn["tooltip"]) == (True, {"show": False})
        assert "silent" not in read
        at = dict(read["data"])
        assert list(at) == pytest.approx(100 * run_charts.READ_AT, rel=1e-5)
        found = metrics.apcer_at_bpcer(one, 0.05)
        assert at[5.0] == pytest.approx(100 * (1 - found["apcer_pooled"]), rel=1e-5)
        precision = dict(of_name(pr, name, "line")[1]["data"])
        enough = whole[name].recall >= 0.8
        assert precision[80.0] == pytest.approx(100 * whole[name].precision[enough][-1], rel=1e-5)
        assert 0.0 not in precision  # no alarms: no precision
    json.dumps([roc, pr], allow_nan=False)


def test_a_band_ends_where_it_began_and_is_named_as_its_run() -> None:
    curves = {name: run_charts.run_curves(metrics.curves(scored(i))) for i, name in enumerate("AB")}
    along = np.array([0.01, 0.1, 0.5])
    bands = {"B": (along, np.array([0.2, 0.5, 0.9]), np.array([0.4, 0.7, 1.0]))}
    option: dict[str, Any]
    for option in (
        run_charts.roc_of_runs(curves, dict.fromkeys("AB"), bands=bands),
        run_charts.det_of_runs(curves, dict.fromkeys("AB"), bands=bands),
    ):
        [band] = [one for one in option["series"] if "areaStyle" in one]
        assert band["name"] == "B"
        assert len(band["data"]) == 2 * len(along) + 1
        assert band["data"][0] == band["data"][-1]
        assert option["legend"]["data"] == ["A", "B"]
        first = next(one for one in option["series"] if one.get("name") == "B")
        assert "areaStyle" not in first  # the legend shows the first series of a name
        json.dumps(option, allow_nan=False)


def test_each_threshold_has_its_letter() -> None:
    curves = {name: run_charts.run_curves(metrics.curves(scored(i))) for i, name in enumerate("AB")}
    option: dict[str, Any] = run_charts.det_of_runs(curves, {"A": (0.25, 0.05), "B": None})
    [point] = [one for one in of_name(option, "A", "scatter") if "label" in one]
    assert point["data"][0] == pytest.approx([*metrics.probit([0.25], 1500), *metrics.probit([0.05], 2000)])
    assert point["tooltip"]["formatter"] == "A, at its threshold<br>APCER 25.0\u00a0%<br>BPCER 5.0\u00a0%"
    assert not [one for one in of_name(option, "B", "scatter") if "label" in one]


def test_distributions_count_what_lies_beyond() -> None:
    rng = np.random.default_rng(0)
    values = {
        letter: {"live": rng.normal(0, 1, 500), "seen_<b>": np.r_[rng.normal(2, 1, 99), np.inf]} for letter in "AB"
    }
    option: dict[str, Any] = run_charts.distributions_of_runs(values, x_title="score")
    [read] = of_name(option, "", "scatter")
    for letter in "AB":
        for group in ("live", "seen <b>"):
            texts = [text for _, _, whose, text in read["data"] if whose == f"{letter}, {group}"]
            assert len(texts) == 50
            shares = [float(text.split(": ")[1].removesuffix("\u00a0%")) for text in texts]
            assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares))
    filled = [one for one in option["series"] if "areaStyle" in one]
    assert {one["name"] for one in filled} == {"A"}
    labels = [one["label"]["formatter"] for one in option["series"][0]["markLine"]["data"]]
    assert labels[-1].endswith("n = 500")
    json.dumps(option, allow_nan=False)
