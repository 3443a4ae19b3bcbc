"""Parts of the page Image that are functions of numbers: which frames are drawn, and what is said."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from app.looking import filmstrip, in_runs, nearest
from app.looking.in_runs import InRun
from fas_core.runs.store import Run


@pytest.mark.parametrize(("n", "chosen"), [(2, 1), (14, 0), (15, 14), (60, 20), (2000, 1999), (2000, 0), (300, 151)])
def test_frames_drawn_go_from_first_to_last_with_the_chosen_one(n: int, chosen: int) -> None:
    at = filmstrip.tiles(n, chosen)
    assert at == sorted(set(at))
    assert chosen in at
    assert len(at) == min(n, filmstrip.TILES)
    assert 0 <= at[0] <= at[-1] < n
    if chosen not in (at[0], at[-1]):
        assert (at[0], at[-1]) == (0, n - 1)


def test_frames_that_are_called_attack_are_counted() -> None:
    values = np.array([1.0, 2.0, np.nan, 4.0])
    assert filmstrip.answer(values, 1, 2.0) == "this is image 2 of 4; 2 of 3 are called attack; 1 have no score."
    assert filmstrip.answer(values, 0, 9.0) == "this is image 1 of 4; none of 3 are called attack; 1 have no score."
    assert filmstrip.answer(values[:2], 0, 1.0) == "this is image 1 of 2; all of 2 are called attack."
    assert filmstrip.answer(values, 0, None) == "this is image 1 of 4."


def test_what_runs_call_it_and_whether_that_is_right() -> None:
    low = InRun(cast(Run, SimpleNamespace(id="a")), 0, "rec", 1.0, 2.0)
    high, unknown = replace(low, value=3.0), replace(low, threshold=None)
    assert in_runs.answer([low, low, unknown], "bona_fide") == "all 2 Runs call it bona fide, which is right."
    assert in_runs.answer([low, low], "attack") == "all 2 Runs call it bona fide, which is wrong."
    assert in_runs.answer([high, high], "attack") == "all 2 Runs call it attack, which is right."
    assert in_runs.answer([high, high], "bona_fide") == "all 2 Runs call it attack, which is wrong."
    assert in_runs.answer([low, high, low], "attack") == "1 of 3 Runs calls it attack, which is right."
    assert in_runs.answer([high, high, low], "bona_fide") == "2 of 3 Runs call it attack, which is wrong."
    assert in_runs.answer([unknown, unknown], "attack").endswith("none of them has a threshold.")


def test_a_sample_is_placed_by_its_subset() -> None:
    assert nearest.place("train", "bona_fide", "train") == "live, training"
    assert nearest.place("live", "bona_fide", "live") == "live"
    assert nearest.place("unseen_mask", "bona_fide", "bona fide, unseen") == "unseen mask, live"
    assert nearest.place("unseen_mask", "attack", "unseen_mask") == "unseen mask"
    assert nearest.place("train", "attack", "paper") == "paper, training"
