"""The colours of some of a Run's samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.components import scatter
from app.parts.colouring import GROUP, SCORE, VERDICT, VERDICTS, Colouring, Judged, coloured, verdict_codes
from app.parts.selection import Points
from fas_core import scores
from fas_core.runs import store
from fas_core.runs.store import Run

ROWS = [16, 0, 9, 15]  # paper, train, live, paper


@pytest.fixture
def run(tiny_cache: Path) -> Run:
    return store.open_run(tiny_cache, "a")


@pytest.fixture
def points(run: Run) -> Points:
    return Points("here", "x", run, np.array(ROWS), tuple(run.subsets))


def named(colours: scatter.Colours) -> list[str]:
    """Of every point, "" where it is hidden."""
    names = {category.code: category.name for category in colours.categories} | {scatter.HIDDEN: ""}
    return [names[code] for code in colours.codes.tolist()]


def test_groups_and_categories_are_those_of_each_points_sample(run: Run, points: Points) -> None:
    assert named(coloured(Colouring(points, GROUP))) == ["seen_paper", "train", "live", "seen_paper"]
    glasses = run.samples(["glasses"])["glasses"].to_numpy(str)[ROWS].tolist()
    assert len(set(glasses)) == 2
    assert named(coloured(Colouring(points, "glasses"))) == glasses


def test_other_subsets_and_points_without_a_place_are_hidden(run: Run) -> None:
    (where,) = scatter.planes([np.array([[0, 0], [np.nan, 1], [2, 1], [3, 3]])])
    points = Points("here", "x", run, np.array(ROWS), ("train", "seen_paper"))
    assert named(coloured(Colouring(points, GROUP))) == ["seen_paper", "train", "", "seen_paper"]
    assert named(coloured(Colouring(points, GROUP, where=where))) == ["seen_paper", "", "", "seen_paper"]


def test_numbers_and_verdicts_follow_the_score_they_are_judged_by(run: Run, points: Points) -> None:
    values = scores.values(run, "rec")[ROWS]
    by_score = coloured(Colouring(points, SCORE, Judged("rec")))
    assert by_score.scale is not None
    assert by_score.scale.title == "rec"
    assert (np.argsort(by_score.codes, kind="stable") == np.argsort(values)).all()
    assert coloured(Colouring(points, SCORE, Judged("ssim"))).name != by_score.name
    threshold = float(np.sort(values)[2])  # at the threshold is above it
    verdicts = named(coloured(Colouring(points, VERDICT, Judged("rec", "frame", threshold))))
    words = {(True, True): "attack found", (True, False): "attack missed"}
    words |= {(False, True): "live rejected", (False, False): "live accepted"}
    is_attack = [True, False, False, True]
    assert verdicts == [words[attack, value >= threshold] for attack, value in zip(is_attack, values, strict=True)]


def test_verdicts_by_hand() -> None:
    is_attack = np.array([False, True, False, True, False, True])
    values = np.array([0.0, 1.0, 1.0, 0.9, np.nan, np.nan])
    codes = verdict_codes(is_attack, values, 1.0)
    assert [list(VERDICTS)[code] for code in codes] == [
        "live accepted", "attack found", "live rejected", "attack missed", "no response", "no response",
    ]  # fmt: skip
