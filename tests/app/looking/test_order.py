"""The order of samples."""

from pathlib import Path

import numpy as np
import pytest

from app.looking import order
from app.looking.order import DISAGREEMENT, HIGH, LOW, NEAR, RANDOM, Order
from app.session.cache import clear
from fas_core.runs import store
from fas_core.runs.store import Run

VALUES = {"rec": [0.4, 0.1, np.nan, 0.3, 0.3], "kl": [1.0, 4.0, 2.0, 3.0, 5.0]}
EVERY = np.arange(5)


@pytest.fixture
def run(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(order, "score_values", lambda _, score: np.array(VALUES[score]))
    clear()
    yield store.open_run(tiny_cache, "a")
    clear()


def ordered(run: Run, kind: str, rows: np.ndarray = EVERY, seed: int = 0) -> list[int]:
    return order.in_order(run, rows, Order(kind, "rec", "kl", seed), np.abs(np.array(VALUES["rec"]) - 0.2)).tolist()


def test_equal_scores_stay_in_row_order_and_those_without_come_last(run: Run) -> None:
    assert ordered(run, HIGH) == [0, 3, 4, 1, 2]
    assert ordered(run, LOW) == [1, 3, 4, 0, 2]
    assert ordered(run, HIGH, np.array([1, 2, 4])) == [4, 1, 2]


def test_nearest_the_threshold_on_both_sides(run: Run) -> None:
    # 0.2, 0.1, none, 0.1, 0.1: 0.3 - 0.2 is less than 0.2 - 0.1 in floating point
    assert ordered(run, NEAR) == [3, 4, 1, 0, 2]


def test_two_scores_disagree_by_their_ranks(run: Run) -> None:
    # rec, of four: 7/8, 1/8, none, 1/2, 1/2; kl, of five: 1/10, 7/10, 3/10, 1/2, 9/10; apart: .775, .575, none, 0, .4
    assert order.ranks(run, "rec")[[0, 1, 3, 4]].tolist() == [0.875, 0.125, 0.5, 0.5]
    assert ordered(run, DISAGREEMENT) == [0, 1, 4, 3, 2]


def test_a_random_order_is_the_same_whatever_is_filtered(run: Run) -> None:
    full = ordered(run, RANDOM, seed=3)
    assert sorted(full) == EVERY.tolist()
    assert full != ordered(run, RANDOM, seed=4) or full != ordered(run, RANDOM, seed=5)
    assert ordered(run, RANDOM, np.array([0, 2, 4]), seed=3) == [row for row in full if row in (0, 2, 4)]


def test_a_column_orders_by_its_numbers_and_its_texts_as_people_count(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {"name": np.array(["s10", "s2", "", "s1", "s2"]), "width": np.array([3.0, np.nan, 1.0, 2.0, 1.0])}
    monkeypatch.setattr(order.filters, "column", lambda _, name: columns[name])

    def by(name: str, kind: str) -> list[int]:
        return order.in_order(run, EVERY, Order(kind, name, "kl", 0), np.zeros(5)).tolist()

    assert by("name", LOW) == [3, 1, 4, 0, 2]  # what is empty comes last
    assert by("name", HIGH) == [0, 1, 4, 3, 2]
    assert by("width", HIGH) == [0, 3, 2, 4, 1]


def test_groups_have_headings_with_counts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"name": np.array(["s10", "s2", "", "s2", "s10"]), "width": np.arange(100.0)}
    columns["width"][7] = np.nan
    monkeypatch.setattr(order.filters, "column", lambda _, name: columns[name])
    rows, headings = order.grouped(run, np.array([4, 3, 2, 1, 0]), "name")
    assert rows.tolist() == [3, 1, 4, 0, 2]  # within a group as they were
    assert list(dict.fromkeys(headings)) == ["name: s2 · 2", "name: s10 · 2", "name: (empty) · 1"]
    rows, headings = order.grouped(run, np.arange(100), "width")  # many values: ranges of about as many samples
    assert rows.tolist() == [*(i for i in range(100) if i != 7), 7]
    assert list(dict.fromkeys(headings)) == [
        "width: 0 to 20 · 20",
        "width: 21 to 40 · 20",
        "width: 41 to 59 · 19",
        "width: 60 to 79 · 20",
        "width: 80 to 99 · 20",
        "width: (empty) · 1",
    ]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_numbers_are_put_in_order_as_a_stable_sort_does(kind: type) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 300).round(1).astype(kind).astype(np.float64)
    values[::7], values[::11], values[::13], values[3:5] = np.nan, -np.nan, -0.0, (np.inf, -np.inf)
    for each in (values, -values, values[:0], np.append(values, 1e300)):
        assert order.ascending(each).tolist() == np.argsort(each, kind="stable").tolist()
