"""The points of a page's plots: what they stand for, and what of them is selected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import streamlit as st

from app.components.scatter import selection_of
from app.parts.selection import Points
from fas_core.runs import store
from fas_core.runs.store import Run


@pytest.fixture
def run(tiny_cache: Path) -> Run:
    return store.open_run(tiny_cache, "a")


@pytest.fixture(autouse=True)
def _session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", {})


def some(run: Run, rows: list[int], *, name: str = "x", subsets: tuple[str, ...] | None = None) -> Points:
    return Points("here", name, run, np.array(rows), tuple(run.subsets) if subsets is None else subsets)


def test_points_stand_for_the_samples_of_their_rows(run: Run) -> None:
    ids = run.samples(["sample_id"])["sample_id"].tolist()
    points = some(run, [16, 0, 9, 15])
    assert len(points) == 4
    assert points.counted(np.array([0, 1, 3])) == "1 train, 2 seen paper"
    cards = points.cards(np.array([3, 1]), [["far"], ["near"]])
    assert [list(card.lines) for card in cards] == [[ids[15], "far"], [ids[0], "near"]]
    assert [card.group for card in cards] == ["seen paper", "train"]
    codes, names = points.groups
    assert [names[code] for code in codes] == ["seen_paper", "train", "live", "seen_paper"]
    everything = Points("here", run.digest, run, None, tuple(run.subsets))
    assert len(everything) == 24
    assert everything.rows_of(np.array([5, 3])).tolist() == [5, 3]


def test_what_is_selected_is_so_among_the_same_points_only_and_where_they_are_drawn(run: Run) -> None:
    points = some(run, [16, 0, 9, 15])
    assert points.selected is None
    assert points.within(points.selected).tolist() == []
    st.session_state["here_page"] = 3
    points.keep(selection_of(np.array([0, 1, 2]), 4, "x"))
    assert st.session_state["here_page"] == 1
    assert points.within(points.selected).tolist() == [0, 1, 2]
    fewer = some(run, [16, 0, 9, 15], subsets=("train", "live"))
    assert fewer.within(fewer.selected).tolist() == [1, 2]
    assert some(run, [1, 2, 3, 4], name="y").selected is None
    assert Points("there", "x", run, points.rows, points.subsets).selected is None


def test_images_are_turned_to_page_by_page(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str]] = []
    monkeypatch.setattr(st, "pagination", lambda n, key: (asked.append((n, key)), 3)[1])
    points = some(run, list(range(8)))
    assert points.page_of(np.arange(8), 3).tolist() == [6, 7]
    assert asked == [(3, "here_page")]
    assert points.page_of(np.arange(3), 3).tolist() == [0, 1, 2]
    assert len(asked) == 1


def test_points_are_told_apart_by_all_that_they_are(run: Run, tiny_cache: Path) -> None:
    points = some(run, [0, 1])
    assert some(run, [0, 1]).digest == points.digest
    others = (
        some(run, [0, 1], name="y"),
        some(run, [0, 1], subsets=("live",)),
        some(store.open_run(tiny_cache, "b"), [0, 1]),
    )
    assert len({points.digest, *(other.digest for other in others)}) == 4
