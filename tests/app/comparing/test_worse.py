"""The first screen of a decision, without a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from app.comparing import answer, worse
from app.comparing import comparison as c
from app.comparing.comparison import Comparison
from app.comparing.scatter import points_of
from fas_core.evaluation.join import System
from fas_core.evaluation.sheet import OVER_ALL
from fas_core.metrics.operating_point import Rule
from fas_core.reports.tables import forest_rows, worse_table
from fas_core.runs.scorefile import scores_only_run


@pytest.fixture
def by_skin(tmp_path: Path) -> Comparison:
    """B finds what A misses of the attacks, and rejects 24 of 40 live faces with dark skin, of which A rejects none."""
    n = 200
    place = np.arange(n) / n
    live = pd.DataFrame({"label": "bona_fide", "pai_species": "", "skin": np.where(np.arange(n) % 5, "light", "dark")})
    dark = np.flatnonzero(live["skin"] == "dark")
    attack = pd.DataFrame({"label": "attack", "pai_species": "print", "skin": ""}, index=range(n))
    tables = []
    for subset in ("dev", "test"):
        a, b = live.assign(score=place), live.assign(score=place)
        if subset == "test":
            b.loc[dark[:20], "score"] = 2.0
            a.loc[dark, "score"] = 0.1
        missed = np.where(np.arange(n) % 2, 3.0, -1.0)
        rows = [
            pd.concat([a, attack.assign(score=missed + place)], ignore_index=True),
            pd.concat([b, attack.assign(score=3 + place)], ignore_index=True),
        ]
        tables.append([t.assign(subset=subset, sample_id=[f"{subset}{i}" for i in range(len(t))]) for t in rows])
    systems = [
        System(scores_only_run(tmp_path, name, pd.concat(parts, ignore_index=True), ["score"], ""), "score")
        for name, parts in zip(("first", "second"), zip(*tables, strict=True), strict=True)
    ]
    return Comparison(tuple(systems), "frame", ("test",), Rule("bpcer", 0.1), ("dev",))


def test_the_worst_group_is_in_bold_and_first_in_the_table(by_skin: Comparison) -> None:
    said = answer.answer(by_skin, with_intervals=False).replace("\\", "").replace("\u00a0", " ")
    assert said.startswith("B (second) is better and worse: it misses fewer print attacks (0 % instead of 50 %)")
    assert ", **but rejects " in said  # which Markdown takes for bold
    assert said.endswith(" of live faces with skin dark.**")
    found = c.worse(by_skin, 1, with_intervals=True)
    assert found is not None
    table = worse_table(found.listed()[0], "B", found.unit)
    assert table.iloc[0][["Group", "n"]].tolist() == ["skin: dark", 40]
    assert table.iloc[0]["A → B"] == "0 → 60 %"
    assert table.iloc[0][["Sure?", "p"]].tolist() == ["yes", "< 0.001"]
    assert "Samples" not in table  # each is a unit of its own
    assert worse_table(found.listed()[0], "B", "subject").iloc[0]["Subjects"] == "40"


def test_the_forest_says_what_every_other_part_says(by_skin: Comparison) -> None:
    rows = {row.label: row for row in forest_rows(c.sheet(by_skin), with_intervals=True)["B"]}
    assert [*rows] == ["live rejected", "print missed", "AUC"]
    table = c.group_rates(by_skin, 1, "skin", with_intervals=True).set_index(["group", "kind"])
    metrics = {statistic.name: metric for statistic, metric in c.differences(by_skin, 1, with_intervals=True).items()}
    for label, kind, name in (("live rejected", "bona_fide", "bpcer"), ("print missed", "print", "apcer")):
        ends = table.loc[("", kind), ["low", "high"]].astype(float) * 100
        assert [rows[label].low, rows[label].high] == pytest.approx(ends.tolist())
        assert rows[label].low == pytest.approx(100 * (metrics[name].low or 0))
    assert rows["print missed"].worse == -50
    assert rows["AUC"].worse < 0  # it has grown


def test_a_row_opens_its_samples(by_skin: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    found = c.worse(by_skin, 1, with_intervals=False)
    assert found is not None
    state: dict[str, object] = {"worse_live": {"selection": {"rows": [0]}}}
    monkeypatch.setattr(st, "session_state", state)
    worse.open_samples(by_skin, found.listed()[0], "worse_live")
    points = points_of(by_skin)
    samples = c.joined(by_skin).samples.iloc[points.within(points.selected)]
    assert len(samples) == 40
    assert (samples["label"] == "bona_fide").all()
    assert state["part"] == "Which samples change?"


def test_nothing_is_bold_or_compared_where_ties_leave_no_threshold(by_skin: Comparison, tmp_path: Path) -> None:
    run = by_skin.systems[1].run
    tied = run.samples().assign(score=np.minimum(c.joined(replace(by_skin, subsets=("dev", "test"))).scores[1], 0.8))
    other = System(scores_only_run(tmp_path, "tied", tied, ["score"], ""), "score")
    without = replace(by_skin, systems=(by_skin.a, other))
    said = answer.answer(without, with_intervals=False)
    assert "**" not in said
    assert "cannot be matched" in said
    assert c.worse(without, 1, with_intervals=False) is None
    assert c.flips(without, 1) is None
    assert [row.label for row in forest_rows(c.sheet(without), with_intervals=False)["B"]] == ["AUC", "AUC print"]
    assert {statistic.name for statistic in c.differences(without, 1, with_intervals=False)} == set(OVER_ALL)


def test_a_third_run_that_cannot_be_matched_keeps_no_other_from_being_compared(
    by_skin: Comparison, tmp_path: Path
) -> None:
    run = by_skin.systems[1].run
    tied = run.samples().assign(score=np.minimum(c.joined(replace(by_skin, subsets=("dev", "test"))).scores[1], 0.8))
    other = System(scores_only_run(tmp_path, "tied", tied, ["score"], ""), "score")
    three = replace(by_skin, systems=(*by_skin.systems, other))
    of_b, of_c = answer.answer(three, with_intervals=False).split("\n\n")
    assert of_b == answer.answer(by_skin, with_intervals=False)
    assert "C has no point between" in of_c.replace("\\", "")
    assert "B has no point" not in of_c
    assert c.worse(three, 1, with_intervals=False) == c.worse(by_skin, 1, with_intervals=False)
    assert c.worse(three, 2, with_intervals=False) is None
    assert c.flips(three, 2) is None
    rows = forest_rows(c.sheet(three), with_intervals=False)
    assert [[row.label for row in rows[letter]] for letter in "BC"] == [
        ["live rejected", "print missed", "AUC"],
        ["AUC"],
    ]


def test_one_switch_changes_every_part(by_skin: Comparison) -> None:
    anew = replace(by_skin, chosen_on=())
    assert anew.digest != by_skin.digest
    assert c.thresholds(anew)[0] != c.thresholds(by_skin)[0]
    parts: list[Callable[[Comparison], object]] = [
        lambda one: [row.words for row in forest_rows(c.sheet(one), with_intervals=True)["B"]],
        lambda one: c.group_rates(one, 1, "skin", with_intervals=True)["wrong_b"].tolist(),
        lambda one: [str(statistic) for statistic in c.differences(one, 1, with_intervals=True)],
    ]
    for part in parts:
        assert part(anew) != part(by_skin)
