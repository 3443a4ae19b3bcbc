"""The other frames of the video that an image is one of: what they score, one after another, with their pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.components.gallery import picture
from app.components.strip import Level, Line, strip
from app.session import faces, operating, readers
from app.session.cache import cached
from app.session.sidebar import Shown
from app.words import escaped, number
from fas_core import metrics
from fas_core.evaluation import presentations
from fas_core.evaluation.presentations import COLUMNS
from fas_core.runs.store import Run

TILES = 14  # frames that are drawn as images
MOST = 2000  # frames of the line


@cached(entries=64)
def frames_of(run: Run, row: int) -> NDArray[np.int64]:
    """Rows of the frames of the video that a sample is one of, in order; none where the data name no video."""
    return presentations.same_video(readers.samples(run, (*COLUMNS, "frame")), row)


def tiles(n: int, chosen: int) -> list[int]:
    """Which of n frames are drawn: all, or some evenly from the first to the last, the chosen one among them."""
    if n <= TILES:
        return list(range(n))
    even = np.rint(np.linspace(0, n - 1, TILES)).astype(int)
    even[np.argmin(np.abs(even - chosen))] = chosen
    return [int(frame) for frame in even]


def show(shown: Shown, row: int, go_to: Callable[[str], None]) -> None:
    """Nothing where the data name no video, or the image is its only frame. `go_to`: called with a sample_id."""
    run = shown.run
    rows = frames_of(run, row)
    if len(rows) < 2 or "inputs" not in faces.kinds(run):
        return
    if len(rows) > MOST:  # whichever MOST of them are nearest
        first = int(np.clip(np.flatnonzero(rows == row)[0] - MOST // 2, 0, len(rows) - MOST))
        rows = rows[first : first + MOST]
    chosen = int(np.flatnonzero(rows == row)[0])
    values = readers.score_values(run, shown.score)[rows]
    point, _ = operating.operating_point(run, shown.score, shown.level, shown.subsets)
    about = readers.samples(run, ("video_id", "frame")).iloc[rows]
    names = _names(about["frame"].to_numpy(np.float64)) if "frame" in about else [str(i + 1) for i in range(len(rows))]
    threshold = None if point is None else point.threshold
    st.markdown(f"**Video {escaped(str(about['video_id'].iloc[0]))}** · {answer(values, chosen, threshold)}")
    at = tiles(len(rows), chosen)
    levels = [] if threshold is None else [Level(threshold, "threshold", is_threshold=True)]
    ids = readers.ids(run)
    strip(
        picture("original", faces.images(run, "inputs", rows[at])),
        [[f"frame {names[i]}", number(values[i])] for i in at],
        columns=len(at),
        key="filmstrip",
        chosen=chosen,
        on_choose=lambda i: go_to(str(ids[rows[i]])),
        line=Line(f"{shown.score} of each frame", values.tolist(), [f"frame {name}" for name in names], levels),
        at=at,
    )


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


def _names(frames: NDArray[np.float64]) -> list[str]:
    """The numbers of frames as the data have them; their place where they have none."""
    if np.isnan(frames).any():
        return [str(i + 1) for i in range(len(frames))]
    return [f"{frame:g}" for frame in frames]
