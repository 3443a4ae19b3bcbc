"""Decoded images beside each other, in a strip or a grid, and below a strip a line of one number per image.

    strip(Panel("decoded", images), captions, columns=9, key="strip", chosen=0, on_choose=enlarge, line=line)

The points of the line stand below their images; where only some of its values have one, the line is as wide as all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app.components.bundle import mounted
from app.components.gallery import Panel, drawable

_mount = mounted(
    Path(__file__),
    """
<div class="strip">
  <div class="tiles"></div>
  <div class="bars"></div>
  <div class="lined"><div class="line"></div></div>
</div>
""",
)


@dataclass(frozen=True)
class Level:
    """A level that the line is read against, drawn across it."""

    value: float
    name: str
    is_threshold: bool = False  # one heavy neutral line


@dataclass(frozen=True)
class Axis:
    """Where the points of a line stand, (n,), which ascend; evenly where there is none."""

    title: str
    values: Sequence[float]


@dataclass(frozen=True)
class Decision:
    """What a rule makes of the values up to each, (n,); which it looks at, (n,); and where, in words, it is settled."""

    title: str
    so_far: Sequence[float]
    is_counted: Sequence[bool]
    at: int
    words: str


@dataclass(frozen=True)
class Line:
    """One number per image: `values` (n,), at `places` that are said in words. What is not finite has no point."""

    title: str
    values: Sequence[float]
    places: Sequence[str]
    levels: Sequence[Level] = ()
    is_ordered: bool = True  # whether the images follow each other; where not, their points are not connected
    axis: Axis | None = None  # only where some values have no image
    decision: Decision | None = None

    def drawable(self) -> dict[str, object]:
        """What the browser draws."""
        axis, decision = self.axis, self.decision
        return {
            "title": self.title,
            "values": _finite(self.values),
            "places": list(self.places),
            "levels": [
                {"value": float(level.value), "name": level.name, "threshold": level.is_threshold}
                for level in self.levels
            ],
            "ordered": self.is_ordered,
            "axis": None if axis is None else {"title": axis.title, "values": [float(x) for x in axis.values]},
            "decision": None
            if decision is None
            else {
                "title": decision.title,
                "soFar": _finite(decision.so_far),
                "counted": [bool(is_counted) for is_counted in decision.is_counted],
                "at": int(decision.at),
                "words": decision.words,
            },
        }


def _finite(values: Sequence[float]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def strip(
    panel: Panel,
    captions: Sequence[Sequence[str]],
    *,
    columns: int,
    key: str,
    chosen: int,
    on_choose: Callable[[int], None],
    line: Line | None = None,
    at: Sequence[int] | None = None,
) -> None:
    """Draws the images of a panel row by row, the lines of their captions below them; number `chosen` is framed.

    `on_choose`: called with the number of an image, before the page runs again, when it is clicked or arrows have led
    to it. `line` only where all images are in one row. `at`: which of the line's values each image belongs to, where
    it has more; `chosen` and what is chosen are then values, and arrows go from one to the next.
    """
    if len(captions) != len(panel.images) or (line is not None and at is None and len(line.values) != len(captions)):
        raise ValueError(f"{len(panel.images)} images, but captions or values for {len(captions)}")
    n = len(line.values) if line is not None and at is not None else len(captions)
    _mount(
        key=key,
        data={
            **drawable([panel]),
            "captions": [list(lines) for lines in captions],
            "columns": columns,
            "chosen": chosen,
            "at": None if at is None else [int(value) for value in at],
            "line": None if line is None else line.drawable(),
        },
        on_chosen_change=lambda: _chosen(key, n, on_choose),
    )


def _chosen(key: str, n: int, on_choose: Callable[[int], None]) -> None:
    index = st.session_state[key].get("chosen")
    if isinstance(index, int) and 0 <= index < n:
        on_choose(index)
