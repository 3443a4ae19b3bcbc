"""What the page says and what its report says: the same numbers, whatever is chosen; and the command line's too."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.session.operating import RULE_NAMES
from fas_core.reports import report
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import Result

from .conftest import MAIN, said_of_all, texts

NAMES, SUBSETS, LEVELS = ("first", "second", "third"), ("dev", "near", "far"), ("frame", "video mean", "video max")


class Sheets(HTMLParser):
    """Tables, by the texts of their heads, and the paragraphs that answer."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.answers: list[str] = []
        self._into: list[str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._into = self.tables[-1][-1]
        elif tag == "p" and ("class", "answer") in attrs:
            self.answers.append("")
            self._into = self.answers

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "p"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data

    def table(self, first: str) -> list[list[str]]:
        """The rows below the head that begins with a text."""
        [rows] = [rows for rows in self.tables if rows[0][:1] == [first]]
        return rows[1:]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three systems with two scores each on videos of thirty people; the second is worse for one device."""
    folder, rng = tmp_path_factory.mktemp("cache"), np.random.default_rng(0)
    n = 480
    kind = np.repeat(rng.choice(["", "", "mask", "print"], n // 2), 2)
    table = pd.DataFrame(
        {
            "sample_id": [f"{i:04d}" for i in range(n)],
            "label": np.where(kind == "", "bona_fide", "attack"),
            "pai_species": kind,
            "subset": np.repeat(rng.choice(SUBSETS, n // 2), 2),
            "subject_id": np.repeat([f"s{i}" for i in rng.integers(30, size=n // 2)], 2),
            "video_id": np.repeat([f"v{i}" for i in range(n // 2)], 2),
            "device": np.repeat(rng.choice(["left", "right"], n // 2), 2),
        }
    )
    shared = rng.normal(np.where(kind == "", 0, 1.5), 1)
    for number, name in enumerate(NAMES):
        fails = number == 1 and (table["device"] == "left") & (table["pai_species"] == "mask")
        scores = {
            "quick": shared + rng.normal(0, 0.3 + 0.3 * number, n) - 3 * np.asarray(fails),
            "slow": 100 * shared + rng.normal(0, 60, n),
        }
        rows = table.assign(**scores).iloc[rng.permutation(n)[: n - 20 * number]].reset_index(drop=True)
        scores_only_run(folder, name, rows, list(scores), "by hand")
    return folder


def states(n: int) -> list[dict[str, Any]]:
    """What a person may have chosen, drawn with a seed."""
    rng = random.Random(0)
    drawn = []
    for _ in range(n):
        a, *others = rng.sample(NAMES, rng.choice((2, 2, 3)))
        drawn.append(
            {
                "a": a,
                "others": others,
                "scores": [rng.choice(("quick", "slow")) for _ in (a, *others)],
                "rule": rng.choice(("bpcer", "apcer")),
                "at_most": rng.choice((2.0, 5.0, 10.0, 20.0)),
                "level": rng.choice(LEVELS),
                "subsets": sorted(rng.sample(SUBSETS, rng.choice((2, 3))), key=SUBSETS.index),
                "chosen_on": rng.sample(SUBSETS, 1),
                "thresholds": rng.choice(("fixed", "matched anew")),
                "groups_by": rng.choice(("subset", "device")),
                "detail": rng.choice("BC"[: len(others)]),
            }
        )
    return drawn


def opened(cache: Path, state: dict[str, Any]) -> AppTest:
    label = {name: f"{name} ({store.open_run(cache, name).id[:6]})" for name in NAMES}
    at = AppTest.from_file(MAIN, default_timeout=120)
    at.query_params["run"] = label[state["a"]]
    at.query_params["score"] = state["scores"][0]
    at.query_params["rule"] = RULE_NAMES[state["rule"]]
    for name in ("level", "subsets", "chosen_on"):
        at.query_params[name] = state[name]
    at.query_params["at_most"] = str(state["at_most"])
    at.query_params["compare"] = [label[name] for name in state["others"]]
    for letter, score in zip("bc", state["scores"][1:], strict=False):
        at.query_params[f"score_{letter}"] = score
    at.query_params["thresholds"] = state["thresholds"]
    if len(state["others"]) > 1:
        at.query_params["detail"] = state["detail"]
    at.query_params["part"] = "Every metric"
    at.session_state["groups_by"] = state["groups_by"]
    at.switch_page("views/compare.py").run()
    assert not at.exception
    assert not at.error
    return at


def plain(markdown: str) -> list[str]:
    """The paragraphs of Markdown, without its marks."""
    return markdown.replace("\\", "").replace("**", "").replace("\u200b", "").replace("\u00a0", " ").split("\n\n")


def shown(table: pd.DataFrame, formats: dict[str, str]) -> list[list[str]]:
    """Numbers as the page's columns write them."""

    def text(name: str, value: Any) -> str:
        if value is None or pd.isna(value):
            return "–"
        return format(value, formats[name]).replace("-", "−") if name in formats else f"{value}"

    return [
        [text(name, value) for name, value in zip(table, row, strict=True)] for row in table.itertuples(index=False)
    ]


@pytest.mark.parametrize("state", states(20), ids=str)
def test_page_file_and_command_say_the_same(
    state: dict[str, Any],
    cache: Path,
    tmp_path: Path,
    fas: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAS_CACHE", str(cache))
    monkeypatch.setattr(report, "_made", lambda: "today")
    files: list[str] = []
    monkeypatch.setattr(
        st, "download_button", lambda _, data, *__, key="", **___: files.append(data()) if key == "report" else None
    )
    at = opened(cache, state)
    files.clear()  # of other pages
    at.session_state["part"] = at.query_params["part"] = "Report"
    paper = (at.run(), files[-1])[1]
    sheets, letter = Sheets(paper), state["detail"]

    at.session_state["part"] = at.query_params["part"] = "Every metric"
    at.run()
    assert not at.exception
    assert sheets.answers == plain(said_of_all(at))
    every = next(table.value for table in at.dataframe if "Metric" in table.value)
    letters = "ABC"[: 1 + len(state["others"])]
    assert sheets.table("Metric") == shown(every, dict.fromkeys(letters, ".3f") | {f"{letter} − A": "+.3f"})
    if any("Wrong more often" in table.value for table in at.dataframe):
        worse = next(table.value for table in at.dataframe if "Wrong more often" in table.value)
        assert sheets.table("Wrong more often") == shown(worse, {})[: report.MOST_WORSE]
    else:
        assert all(rows[0][:1] != ["Wrong more often"] for rows in sheets.tables if rows)
    [judged] = [caption.value for caption in at.caption if re.search(r"\d (samples|videos) compared", caption.value)]
    rule = plain(judged)[0].split(" · ")[-2]
    assert paper.count(f"{rule}, by {state['level']}") == 1  # of the foot; its other place is a string of CSS

    if letter == "B":
        assert command_page(state, cache, tmp_path, fas) == paper
    assert f"There is no Run {state['a']}" not in texts(at)


def command_page(state: dict[str, Any], cache: Path, folder: Path, fas: Callable[..., Result]) -> str:
    others = [f"{name}:{score}" for name, score in zip(state["others"], state["scores"][1:], strict=True)]
    options = [("--compare", text) for text in others]
    options += [("--subset", name) for name in state["subsets"]]
    options += [("--choose-on", name) for name in state["chosen_on"]]
    options += [("--matched",)] if state["thresholds"] == "matched anew" else []
    options += [("--rule", f"{state['rule']}<={state['at_most'] / 100}"), ("--level", state["level"])]
    options += [("--groups-by", state["groups_by"]), ("--score", state["scores"][0])]
    out = folder / "report.html"
    assert fas("report", state["a"], *sum(options, ()), "--cache", cache, "--out", out).code == 0
    return out.read_text()
