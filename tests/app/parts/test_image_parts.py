"""Parts of the page Image that are functions of numbers: which frames are drawn, and what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from app.components.strip import Axis, Line
from app.looking import filmstrip, in_runs, nearest
from app.looking.in_runs import InRun
from fas_core import scores
from fas_core.runs.store import Run
from tests.video_runs import write_video_image_run


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


def test_a_video_stands_on_its_seconds_or_else_on_its_numbers() -> None:
    about = pd.DataFrame({"time": ["2.5", "2.75", "4"], "frame": [3.0, 30.0, 60.0]})
    assert filmstrip.axis_of(about) == Axis("seconds", [0.0, 0.25, 1.5])
    assert filmstrip.axis_of(about.assign(time=["2.5", "", "4"])) == Axis("frame", [3.0, 30.0, 60.0])
    assert filmstrip.axis_of(about[["frame"]].assign(frame=np.nan)) is None
    assert filmstrip.axis_of(about[["time"]].assign(time=1.0)) is None


def test_how_a_video_decides_is_drawn_and_said(tmp_path: Path) -> None:
    run = write_video_image_run(tmp_path)
    samples = run.samples()
    row = int(samples.index[(samples["subject_id"] == "s1") & (samples["video_id"] == "v2")][0])
    frames = filmstrip.frames_of(run, row)
    values = scores.values(run, "rec")[frames]
    of_video = filmstrip.course(run, "rec", "video 2 of 4", row)
    assert of_video is not None
    np.testing.assert_array_equal(of_video.values, values)
    assert of_video.so_far[-1] == np.sort(values[:4])[-2]
    threshold = float(np.sort(values[:3])[-2])
    places = [f"frame {i}, {i / 4:.2f} s" for i in range(len(values))]
    at = int(np.flatnonzero(values >= threshold)[1])
    decision = filmstrip.decision_of(of_video, threshold, places)
    assert (decision.at, decision.words) == (at, f"attack, after {at / 4:.2f} s")
    assert list(decision.is_counted) == [True] * 4 + [False] * 2
    said = filmstrip.decision_words(of_video, threshold, places)
    assert said.startswith("By video 2 of 4, of 4 of 6 frames: attack with ")
    assert said.endswith(f"settled at frame {at}, {at / 4:.2f} s.")
    drawn = Line("rec", values.tolist(), places, axis=Axis("seconds", [0.0] * 6), decision=decision).drawable()
    assert drawn["decision"]["soFar"][-1] == of_video.so_far[-1]  # type: ignore[index]
    assert filmstrip.course(run, "rec", "frame", row) is None
    assert filmstrip.course(run, "rec", "session mean", row) is None
