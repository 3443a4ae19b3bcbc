"""The frames of the video that an image is one of: what they score over time, how they decide, their pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.components import strip as component
from app.components.gallery import picture
from app.components.strip import Axis, Decision, Level, Line
from app.parts import columns
from app.session import faces, operating, readers
from app.session.cache import cached
from app.session.sidebar import Shown
from app.words import escaped, number
from fas_core import metrics
from fas_core.errors import BadInputError
from fas_core.evaluation import levels, presentations
from fas_core.evaluation.levels import NUMBER, ORDER, TIME, Frames
from fas_core.evaluation.presentations import COLUMNS, Grouping
from fas_core.evaluation.verdicts import called
from fas_core.runs.store import Run

TILES = 14  # frames that are drawn as images
MOST = 2000  # frames of the line


@cached(entries=64)
def _video(run: Run, row: int) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Rows of the frames of the video that a sample is one of, in order, and what tells that; none where the data name
    no video."""
    named = {*COLUMNS, *ORDER} - {"sample_id"}
    names = [name for name in run.column_names() if name in named]
    about = run.samples_of(np.array([row]), names)
    if not len(presentations.same_video(about, 0)):
        return np.empty(0, np.int64), about.iloc[:0]
    alike = run.alike(row, [name for name in names if name not in ORDER])
    about = run.samples_of(alike, names)
    frames = presentations.same_video(about, int(np.searchsorted(alike, row)))
    return alike[frames], about.iloc[frames]


def frames_of(run: Run, row: int) -> NDArray[np.int64]:
    """Rows of the frames of the video that a sample is one of, in order; none where the data name no video."""
    return _video(run, row)[0]


def tiles(n: int, chosen: int) -> list[int]:
    """Which of n frames are drawn: all, or some evenly from the first to the last, the chosen one among them."""
    if n <= TILES:
        return list(range(n))
    even = np.rint(np.linspace(0, n - 1, TILES)).astype(int)
    even[np.argmin(np.abs(even - chosen))] = chosen
    return [int(frame) for frame in even]


# ----------------------------------------------------------------------------------------------- how a video decides


@dataclass(frozen=True, eq=False)
class Course:
    """How the n frames of a video that gave an output decide by a level, in their order."""

    level: str
    so_far: NDArray[np.float64]  # (n,) the video's score as each frame leaves it
    frames: Frames  # of the video alone
    values: NDArray[np.float64]  # (n,)

    def settled_at(self, threshold: float) -> int:
        """The frame from which the decision stays as it is."""
        return self.frames.settled_at(self.values, self.so_far, threshold)


@cached(entries=16)
def _in_order(run: Run, level: str) -> Grouping | None:
    """What decisions are made on, with the order of frames; None where they have none."""
    try:
        return presentations.grouping(run, level, in_order=True)
    except BadInputError:
        return None


@cached(entries=64)
def course(run: Run, score: str, level: str, row: int) -> Course | None:
    """Of the video that a sample is a frame of; None where videos do not decide, or their frames have no order, and
    where the rule looks at none that gave an output."""
    grouped = _in_order(run, level) if levels.level(level).unit == "video" else None
    if grouped is None:
        return None
    rows, frames = grouped.frames.alone(row)
    if len(rows) > MOST:
        return None
    has_output = rows < grouped.n
    values = np.full(len(rows), np.nan)
    values[has_output] = readers.score_values(run, score)[rows[has_output]]
    shown = frames.only(has_output)
    if not shown.is_counted.any():
        return None
    return Course(level, frames.so_far(values)[has_output], shown, values[has_output])


# --------------------------------------------------------------------------------------------------------- the strip


def show(shown: Shown, row: int, go_to: Callable[[str], None]) -> None:
    """Nothing where the data name no video, or the image is its only frame. `go_to`: called with a sample_id."""
    run = shown.run
    rows, about = _video(run, row)
    if len(rows) < 2 or "inputs" not in faces.kinds(run):
        return
    if len(rows) > MOST:  # whichever MOST of them are nearest
        first = int(np.clip(np.flatnonzero(rows == row)[0] - MOST // 2, 0, len(rows) - MOST))
        rows, about = rows[first : first + MOST], about.iloc[first : first + MOST]
    chosen = int(np.flatnonzero(rows == row)[0])
    values = readers.score_values(run, shown.score)[rows]
    point, _ = operating.operating_point(run, shown.score, shown.level, shown.subsets)
    names = _names(about)
    threshold = None if point is None else point.threshold
    axis = axis_of(about)
    places = [f"frame {name}" for name in names]
    if axis is not None and axis.title == SECONDS:
        places = [f"{place}, {second:.2f} s" for place, second in zip(places, axis.values, strict=True)]
    of_video = course(run, shown.score, shown.level, row)
    decision = None if of_video is None or threshold is None else decision_of(of_video, threshold, places)
    st.markdown(
        f"**Video {escaped(str(about['video_id'].iloc[0]))}** · {answer(values, chosen, threshold)}"
        + (f" {escaped(decision_words(of_video, threshold, places))}" if of_video and threshold is not None else "")
    )
    at = tiles(len(rows), chosen)
    across = [] if threshold is None else [Level(threshold, "threshold", is_threshold=True)]
    component.strip(
        picture("original", faces.images(run, "inputs", rows[at])),
        [[f"frame {names[i]}", number(values[i])] for i in at],
        columns=len(at),
        key="filmstrip",
        chosen=chosen,
        on_choose=lambda i: go_to(columns.ids_of(run, rows[i : i + 1])[0]),
        line=Line(f"{shown.score} of each frame", values.tolist(), places, across, axis=axis, decision=decision),
        at=at,
    )


SECONDS, FRAMES = "seconds", "frame"  # titles of the axis
FROM_THE_FIRST = "from the first frame"


def axis_of(about: pd.DataFrame) -> Axis | None:
    """Seconds since the first of n frames in their order, or else their numbers; None where they have neither."""
    for name, title in ((TIME, SECONDS), (NUMBER, FRAMES)):
        if name not in about:
            continue
        numbers = pd.to_numeric(about[name], errors="coerce").to_numpy(np.float64)
        if np.isfinite(numbers).all() and (np.diff(numbers) >= 0).all() and numbers[-1] > numbers[0]:
            return Axis(title, (numbers - numbers[0] if title == SECONDS else numbers).tolist())
    return None


def decision_of(of_video: Course, threshold: float, places: list[str]) -> Decision:
    """For the strip."""
    at = of_video.settled_at(threshold)
    value = of_video.so_far[at]
    return Decision(
        f"{of_video.level} so far",
        of_video.so_far.tolist(),
        of_video.frames.is_counted.tolist(),
        at,
        f"{called(value, threshold)}, {_when(places[at]) if at else FROM_THE_FIRST}",
    )


def decision_words(of_video: Course, threshold: float, places: list[str]) -> str:
    """How the video is decided and when, in a sentence."""
    at = of_video.settled_at(threshold)
    value = of_video.so_far[-1]
    n = int(of_video.frames.is_counted.sum())
    looked_at = f"all {n} frames" if n == len(places) else f"{n} of {len(places)} frames"
    what = f"{called(value, threshold)} with {number(value)}"
    return f"By {of_video.level}, of {looked_at}: {what}, {f'settled at {places[at]}' if at else FROM_THE_FIRST}."


def _when(place: str) -> str:
    """The time of a place, or its frame where it has none."""
    return f"after {place.rpartition(', ')[2]}" if ", " in place else f"at {place}"


def answer(values: NDArray[np.float64], chosen: int, threshold: float | None) -> str:
    """Which frame it is, and how many of them are called an attack."""
    place = f"this is image {chosen + 1} of {len(values)}"
    answered = values[~np.isnan(values)]
    if threshold is None or not len(answered):
        return f"{place}."
    n = int(metrics.is_attack(answered, threshold).sum())
    of_them = {0: "none", len(answered): "all"}.get(n, f"{n}")
    silent = len(values) - len(answered)
    without = f"; {silent} have no score" if silent else ""
    return f"{place}; {of_them} of {len(answered)} are called attack{without}."


def _names(about: pd.DataFrame) -> list[str]:
    """The numbers of frames as the data have them; their place where they have none."""
    frames = about[NUMBER].to_numpy(np.float64) if NUMBER in about else np.full(len(about), np.nan)
    if np.isnan(frames).any():
        return [str(i + 1) for i in range(len(frames))]
    return [f"{frame:g}" for frame in frames]
