"""A scatter plot of millions of points in the browser: pan, zoom, hover, click, lasso and box select, legend toggles.

    where = plane(coordinates)                                  # once per projection: keep it
    shown = by_category(codes, ["live", "mask"], styles)        # once per colouring: keep it
    carried(where, shown)                                       # their bytes, which scatters of this key wait for
    scatter(where, shown, selection=..., on_selected=..., key="latent")
    hover(answer, key="latent_hover")                           # in a fragment of its own

A point is 5 bytes: two 16-bit coordinates and the code of its colour. They travel once: Streamlit does not resend what
the browser has, and each of the three kinds of bytes (points, colours, selected bits) is an element of its own. The
browser decides what lies in a lasso, on the same integers that it draws, and answers with one bit per row: exact at any
size.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray

from app import charts
from app.charts import Style

TOP = 65535  # the largest coordinate
HIDDEN, NOT_GIVEN = 255, 253  # codes as scatter.js has them: not drawn; no number
MOST_CATEGORIES = 250
KEY_BYTES = 64  # before the bytes: what they are called
MOST_ASKED = 16  # rows at once, while hovering
UNDRAWN = "scatter_undrawn"

_HERE = Path(__file__)
_mount = st.components.v2.component(
    "fas_scatter",
    html='<div class="scatter"></div>\n',
    css=_HERE.with_suffix(".css").read_text(),
    js=_HERE.with_name("ticks.js").read_text() + _HERE.with_suffix(".js").read_text(),
)
_mount_bytes = st.components.v2.component(
    "fas_scatter_bytes",
    js="""
const shared = (globalThis.fasScatter ??= { bytes: new Map(), heard: new EventTarget(), ask: null, tell: null });
const named = new WeakMap(); // element -> name of the bytes it has brought
export default function ({ data, parentElement }) {
  const name = new TextDecoder().decode(data.subarray(0, 64)).trim();
  if (named.get(parentElement) !== name) shared.bytes.delete(named.get(parentElement));
  named.set(parentElement, name);
  shared.bytes.set(name, data.subarray(64));
  shared.heard.dispatchEvent(new CustomEvent("bytes"));
  return () => shared.bytes.delete(named.get(parentElement));
}
""",
)
_mount_hover = st.components.v2.component(
    "fas_scatter_hover",
    js="""
const shared = (globalThis.fasScatter ??= { bytes: new Map(), heard: new EventTarget(), ask: null, tell: null });
let serial = 0;
export default function ({ data, setTriggerValue }) {
  const ask = (what) => setTriggerValue("asked", { ...what, serial: ++serial });
  const tell = (what) => setTriggerValue("shown", what);
  Object.assign(shared, { ask, tell });
  if (data.answers) {
    const answers = data.answers.map((one, i) => ({ ...one, pixels: data.pixels.getChild("pixels").get(i) }));
    shared.heard.dispatchEvent(new CustomEvent("answer", { detail: { run: data.run, answers } }));
  }
  return () => {
    if (shared.ask === ask) Object.assign(shared, { ask: null, tell: null });
  };
}
""",
)


@dataclass(frozen=True, eq=False)
class Plane:
    """Points of a plane on a grid of 65,536 x 65,536 between the lowest and highest coordinates of both axes."""

    name: str  # stands for the bytes
    points: NDArray[np.uint16]  # (n, 2)
    low: tuple[float, float]  # of 0 and of TOP, in the units of the coordinates
    high: tuple[float, float]
    is_placed: NDArray[np.bool_] | None  # (n,); None: all are


def plane(coordinates: NDArray[np.floating]) -> Plane:
    """(n, 2) -> Plane. A point whose coordinates are not finite has no place, and is not drawn."""
    points = np.zeros((len(coordinates), 2), np.uint16)
    is_placed = np.isfinite(coordinates).all(1)
    bounds = []
    for axis in (0, 1):
        values = coordinates[:, axis]
        inside = values[is_placed]
        low, high = (float(inside.min()), float(inside.max())) if len(inside) else (0.0, 1.0)
        high = high if high > low else low + 1
        bounds.append((low, high))
        points[is_placed, axis] = np.rint((inside.astype(np.float64) - low) / (high - low) * TOP)
    points.setflags(write=False)
    (left, right), (bottom, top) = bounds
    return Plane(
        _named("points", points.data), points, (left, bottom), (right, top), None if is_placed.all() else is_placed
    )


@dataclass(frozen=True)
class Category:
    """One entry of the legend."""

    code: int
    name: str
    words: str
    style: Style
    n: int  # points that are drawn


@dataclass(frozen=True)
class Scale:
    """Numbers as colours: texts below the bar's ends."""

    title: str
    low: str
    high: str


@dataclass(frozen=True, eq=False)
class Colours:
    """The colour of every point, ready for the browser."""

    name: str  # stands for the bytes
    codes: NDArray[np.uint8]  # (n,)
    categories: tuple[Category, ...]
    scale: Scale | None = None


def by_category(
    codes: NDArray[np.integer[Any]],
    names: Sequence[str],
    styles: Mapping[str, Style],
    is_shown: NDArray[np.bool_] | None,
) -> Colours:
    """(n,) positions in `names`; `styles` in the legend's order, with at most `MOST_CATEGORIES`.

    What has no style of its own is drawn as charts.OTHER. Categories without a point that is shown are left out.
    """
    ordered = list(styles)
    other = ordered.index(charts.OTHER) if charts.OTHER in styles else HIDDEN
    code_of = np.array([ordered.index(name) if name in styles else other for name in names], np.uint8)
    made = _shown(code_of[codes], is_shown)
    counts = np.bincount(made, minlength=256)
    categories = tuple(
        Category(code, name, charts.words(name), styles[name], int(counts[code]))
        for code, name in enumerate(ordered)
        if counts[code]
    )
    return Colours(_named("colours", made.data), made, categories)


def by_number(
    numbers: NDArray[np.floating], *, title: str, words: Callable[[float], str], is_shown: NDArray[np.bool_] | None
) -> Colours:
    """One scale between the 1st and 99th percentiles of all numbers, whatever is shown; NaN is grey."""
    finite = numbers[np.isfinite(numbers)]
    low, high = np.percentile(finite, [1, 99]).tolist() if finite.size else (0.0, 1.0)
    with np.errstate(invalid="ignore"):
        levels = np.rint((numbers - low) / ((high - low) or 1) * (NOT_GIVEN - 1)).clip(0, NOT_GIVEN - 1)
    made = _shown(np.where(np.isnan(numbers), NOT_GIVEN, levels).astype(np.uint8), is_shown)
    n_missing = int((made == NOT_GIVEN).sum())
    missing = Category(NOT_GIVEN, charts.NOT_GIVEN, charts.NOT_GIVEN, Style("#969696"), n_missing)
    scale = Scale(title, f"≤ {words(low)}", f"≥ {words(high)}")
    return Colours(_named("colours", made.data), made, (missing,) if n_missing else (), scale)


def _shown(codes: NDArray[np.uint8], is_shown: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    if is_shown is not None:
        codes[~is_shown] = HIDDEN
    codes.setflags(write=False)
    return codes


def _named(kind: str, content: memoryview | bytes) -> str:
    return f"{kind} {hashlib.sha256(content).hexdigest()[:40]}"


@dataclass(frozen=True, eq=False)
class Selection:
    """Selected rows of one Run. `name` differs for every change: the browser knows those that it has made."""

    name: str
    run: str  # digest
    bits: bytes  # one per row, the first one highest

    def rows(self, n: int) -> NDArray[np.int64]:
        """Selected row numbers of a Run of n rows, ascending."""
        return np.flatnonzero(np.unpackbits(np.frombuffer(self.bits, np.uint8), count=n))


def selection_of(rows: NDArray[np.int64], n: int, run: str) -> Selection:
    """The rows of a Run of n rows as a selection that the server makes."""
    flags = np.zeros(n, np.bool_)
    flags[rows] = True
    bits = np.packbits(flags).tobytes()
    return Selection(_named("selection", bits), run, bits)


def carried(*carriers: Plane | Colours) -> None:
    """Brings bytes to the browser that it does not have yet. Nothing is drawn."""
    st.html(f"<style>div:has(> [class*='st-key-{UNDRAWN}']) {{ display: none; }}</style>")
    with _undrawn("bytes"):
        for one in carriers:
            if isinstance(one, Plane):
                _carry("points", one.name, one.points.data)
            elif isinstance(one, Colours):
                _carry("colours", one.name, one.codes.data)


@contextmanager
def _undrawn(name: str) -> Iterator[None]:
    """For components that only speak: they take no room."""
    with st.container(key=f"{UNDRAWN}_{name}"):
        yield


def _carry(kind: str, name: str, content: bytes | memoryview) -> None:
    _mount_bytes(key=f"{UNDRAWN}_{kind}", data=b"".join([name.ljust(KEY_BYTES).encode(), content]))


def scatter(
    where: Plane,
    colours: Colours,
    selection: Selection | None,
    *,
    run: str,
    colour: str,
    titles: tuple[str, str],
    note: str,
    words: str,
    has_units: bool,
    view: Sequence[float] | None,
    off: Sequence[str],
    marked: int | None,
    on_selected: Callable[[Selection], None],
    key: str,
) -> None:
    """Draws the plot: `where` and `colours` must be `carried` on the page.

    `run`: digest of the Run that the rows are of. `colour`: what the colours stand for; another one forgets what was
    switched off. `titles` of the axes, `note` above them, `words`: all of it as a text. `has_units`: whether numbers on
    the axes mean something. `view` and `off`: with what the plot starts, as `hover` tells it. `marked`: a row.
    `on_selected`: called with what was selected before the page, or the fragment around this, runs again.
    """
    _mount(
        key=key,
        data={
            "points": where.name,
            "colours": colours.name,
            "selection": selection.name if selection else "",
            "run": run,
            "n": len(where.points),
            "low": list(where.low),
            "high": list(where.high),
            "colour": colour,
            "categories": [
                {"code": c.code, "name": c.name, "words": c.words, "n": c.n}
                | {"colour": c.style.colour, "hollow": c.style.is_hollow}
                for c in colours.categories
            ],
            "scale": vars(colours.scale) if colours.scale else None,
            "titles": list(titles),
            "ticks": has_units,
            "note": note,
            "words": words,
            "view": list(view) if view else None,
            "off": list(off),
            "marked": marked,
        },
        on_selected_change=lambda: _hear_selected(key, run, len(where.points), on_selected),
    )
    if selection:
        # Beside the plot, where it is in the same fragment: it is all that a new selection sends.
        with _undrawn("bits"):
            _carry("selection", selection.name, selection.bits)


def _hear_selected(key: str, run: str, n: int, tell: Callable[[Selection], None]) -> None:
    heard = selected_by(st.session_state[key].get("selected"), run, n)
    if heard is not None:
        tell(heard)


def selected_by(message: object, run: str, n: int) -> Selection | None:
    """What the browser sends as a selection of a Run of n rows; None for anything else, or of another Run."""
    if not isinstance(message, Mapping) or message.get("run") != run or message.get("n") != n:
        return None
    name, packed = message.get("id"), message.get("bits")
    if not isinstance(name, str) or not isinstance(packed, str):
        return None
    size = -(-n // 8)
    try:
        inflating = zlib.decompressobj(-15)
        bits = inflating.decompress(base64.b64decode(packed, validate=True), size + 1)
    except (binascii.Error, zlib.error, ValueError):
        return None
    return Selection(name[:KEY_BYTES], run, bits) if len(bits) == size else None


@dataclass(frozen=True)
class Answer:
    """What is shown of a row while the pointer is on it."""

    lines: Sequence[str]
    image: NDArray[np.uint8]  # (H, W)


def hover(
    answers: Callable[[NDArray[np.int64]], Sequence[Answer]],
    *,
    run: str,
    n: int,
    on_shown: Callable[[Sequence[float] | None, Sequence[str]], None],
    key: str,
) -> None:
    """Answers what the browser asks for while the pointer is on points; put it in a fragment of its own.

    `answers`: for a few rows, which ascend. `on_shown`: called with the view (x and y of the middle as shares of the
    axes, zoom; None: everything) and the names of the categories that are switched off, when they have rested.
    """
    asked = (st.session_state.get(key) or {}).get("asked")
    data: dict[str, Any] = {}
    rows, serial = rows_asked(asked, run, n)
    if len(rows):
        made = answers(rows)
        data = {
            "run": run,
            "serial": serial,  # the same question again has an answer again
            "answers": [
                {"row": int(row), "lines": list(one.lines), "height": one.image.shape[0], "width": one.image.shape[1]}
                for row, one in zip(rows, made, strict=True)
            ],
            "pixels": pa.table({"pixels": pa.array([one.image.tobytes() for one in made], pa.binary())}),
        }
    with _undrawn(key):
        _mount_hover(
            key=key,
            data=data,
            on_asked_change=lambda: None,
            on_shown_change=lambda: _hear_shown(key, on_shown),
        )


def rows_asked(message: object, run: str, n: int) -> tuple[NDArray[np.int64], int]:
    """The rows of a Run of n rows that the browser asks for, ascending, and its number; no rows for anything else."""
    if isinstance(message, Mapping) and message.get("run") == run:
        rows, serial = message.get("rows"), message.get("serial")
        if isinstance(rows, list) and isinstance(serial, int):
            here = {row for row in rows[:MOST_ASKED] if type(row) is int and 0 <= row < n}
            return np.array(sorted(here), np.int64), serial
    return np.empty(0, np.int64), 0


def _hear_shown(key: str, tell: Callable[[Sequence[float] | None, Sequence[str]], None]) -> None:
    shown = st.session_state[key].get("shown")
    if isinstance(shown, Mapping):
        view, off = shown.get("view"), shown.get("off")
        tell(view_of(view), [name for name in off if isinstance(name, str)] if isinstance(off, list) else [])


def view_of(given: object) -> tuple[float, ...] | None:
    """Three finite numbers, the last one positive; None for anything else."""
    if not isinstance(given, Sequence) or len(given) != 3:
        return None
    try:
        numbers = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        return None
    return numbers if all(map(math.isfinite, numbers)) and numbers[2] > 0 else None
