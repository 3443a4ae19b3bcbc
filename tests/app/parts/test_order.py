"""The order of samples."""

from pathlib import Path

import numpy as np
import pytest

from app.parts import order
from app.parts.order import DISAGREEMENT, HIGH, LOW, NEAR, RANDOM, Order
from fas_core.runs import store
from fas_core.runs.store import Run

VALUES = {"rec": [0.4, 0.1, np.nan, 0.3, 0.3], "kl": [1.0, 4.0, 2.0, 3.0, 5.0]}
EVERY = np.arange(5)


@pytest.fixture
def run(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(order, "score_values", lambda _, score: np.array(VALUES[score]))
    order.ranks.clear()  # type: ignore[attr-defined]
    yield store.open_run(tiny_cache, "a")
    order.ranks.clear()  # type: ignore[attr-defined]


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
