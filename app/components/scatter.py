"""A scatter plot of millions of points in the browser: pan, zoom, hover, click, lasso and box select, legend toggles.

    (where,) = planes([coordinates])                            # once per projection: keep it
    shown = by_category(codes, ["live", "mask"], styles)        # once per colouring: keep it
    carried(where, shown)                                       # their bytes, which scatters of this key wait for
    scatter(where, shown, selection=..., on_selected=..., key="latent")
    hover(answer, key="latent_hover")                           # in a fragment of its own

A point is 5 bytes: two 16-bit coordinates and the code of its colour. They travel once: Streamlit does not resend what
the browser has, and each of the three kinds of bytes (points, colours, selected bits) is an element of its own. The
browser decides what lies in a lasso, on the same integers that it draws, and answers with one bit per row: exact at any
size.

Plots of one page with the same `run` show the same rows, and are linked in the browser: what is selected, pointed at,
switched off or zoomed to in one is so in all. One `hover` answers for all of them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray

from app.components.bundle import mounted
from fas_core.data.names import readable
from fas_core.reports import palette
from fas_core.reports.palette import Style

TOP = 65535  # the largest coordinate
HIDDEN, NOT_GIVEN = 255, 253  # codes as scatter_shapes.js has them: not drawn; no number
MOST_CATEGORIES = 250
KEY_BYTES = 64  # before the bytes: what they are called
MOST_ASKED = 16  # rows at once, while hovering
MOST_PICTURES = 60  # images at once, of those in view
PICTURE = 64  # pixels of their sides, about
UNDRAWN = "scatter_undrawn"
# Without its darkest end, which cannot be seen on a dark ground.
VIRIDIS = ("#472D7B", "#3B528B", "#2C728E", "#21918C", "#28AE80", "#5EC962", "#ADDC30", "#FDE725")
ACROSS = 1.6  # times as wide as high, where axes have units of their own

_mount = mounted(Path(__file__), '<div class="scatter"></div>\n')
_mount_bytes = st.components.v2.component(
    "fas_scatter_bytes",
    js="""
const shared = (globalThis.fasScatter ??= { bytes: new Map(), heard: new EventTarget(), ask: null, tell: null });
const holders = new Map(); // name of bytes -> the elements that have brought them: one goes while another comes
export default function ({ data, parentElement }) {
  const name = new TextDecoder().decode(data.subarray(0, 64)).trim();
  holders.set(name, (holders.get(name) ?? new Set()).add(parentElement));
  shared.bytes.set(name, data.subarray(64));
  shared.heard.dispatchEvent(new CustomEvent("bytes"));
  return () => {
    holders.get(name).delete(parentElement);
    if (holders.get(name).size) return;
    holders.delete(name);
    shared.bytes.delete(name);
  };
}
""",
)
_mount_hover = st.components.v2.component(
    "fas_scatter_hover",
    js="""
const shared = (globalThis.fasScatter ??= { bytes: new Map(), heard: new EventTarget(), ask: null, tell: null });
let serial = 0;
export default function ({ data, setStateValue, setTriggerValue }) {
  // Of triggers that wait for a busy server together one may be lost. Questions are asked again; state is sent with
  // everything that follows.
  const ask = (what) => setTriggerValue("asked", { ...what, serial: ++serial });
  const tell = (what) => setStateValue("shown", what);
  Object.assign(shared, { ask, tell });
  if (data.answers) {
    const answers = data.answers.map((one, i) => ({ ...one, pixels: data.pixels.getChild("pixels").get(i) }));
    shared.heard.dispatchEvent(new CustomEvent("answer", { detail: { run: data.run, answers } }));
  }
  if (data.sheet) {
    const detail = { ...data.sheet, run: data.run, pixels: data.pixels.getChild("pixels").get(0) };
    shared.heard.dispatchEvent(new CustomEvent("sheet", { detail }));
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
    ticks: tuple[tuple[float, float], tuple[float, float]]  # what the axes say at low and high: of x, of y


def planes(coordinates: Sequence[NDArray[np.floating]]) -> list[Plane]:
    """(n, 2) each -> planes with the same bounds, so that places on them compare.

    A point whose coordinates are not finite has no place, and is not drawn.
    """
    placed = [np.isfinite(points).all(1) for points in coordinates]
    bounds = []
    for axis in (0, 1):
        inside = [
            points[is_placed, axis] for points, is_placed in zip(coordinates, placed, strict=True) if is_placed.any()
        ]
        low = float(min((values.min() for values in inside), default=0.0))
        high = float(max((values.max() for values in inside), default=1.0))
        bounds.append((low, high if high > low else low + 1))
    return [_plane(points, is_placed, bounds) for points, is_placed in zip(coordinates, placed, strict=True)]


def _plane(
    coordinates: NDArray[np.floating], is_placed: NDArray[np.bool_], bounds: Sequence[tuple[float, float]]
) -> Plane:
    points = np.zeros((len(coordinates), 2), np.uint16)
    drawn = slice(None) if is_placed.all() else is_placed  # of millions, a mask takes longer than all
    for axis, (low, high) in enumerate(bounds):
        values = coordinates[drawn, axis].astype(np.float64)
        points[drawn, axis] = np.rint((values - low) / (high - low) * TOP)
    points.setflags(write=False)
    (left, right), (bottom, top) = bounds
    return Plane(
        _named("points", points.data),
        points,
        (left, bottom),
        (right, top),
        None if is_placed.all() else is_placed,
        ((left, right), (bottom, top)),
    )


def filled_plane(coordinates: NDArray[np.floating], including: Sequence[float]) -> Plane:
    """(n, 2) numbers of two units -> a plane that each axis fills with 99.8 % of its own; the others lie on the edge.

    `including`: a number of each axis that is in view as well, if it is finite. What is NaN has no place.
    """
    shares = np.empty(coordinates.shape)
    ticks = []
    for axis, also in enumerate(including):
        values = coordinates[:, axis].astype(np.float64)
        finite = values[np.isfinite(values)]
        low, high = 0.0, 1.0
        if finite.size:
            low = float(np.percentile(finite, 0.1, method="lower"))
            high = float(np.percentile(finite, 99.9, method="higher"))
        if math.isfinite(also):
            low, high = min(low, also), max(high, also)
        high = high if high > low else low + 1
        shares[:, axis] = ((values - low) / (high - low)).clip(0, 1)
        ticks.append((low, high))
    is_placed = np.asarray(np.isfinite(shares).all(1))
    plane = _plane(shares, is_placed, ((0, 1), (0, 1)))
    return replace(plane, high=(ACROSS, 1), ticks=(ticks[0], ticks[1]))


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
    other = ordered.index(palette.OTHER) if palette.OTHER in styles else HIDDEN
    code_of = np.array([ordered.index(name) if name in styles else other for name in names], np.uint8)
    drawn = _shown(code_of[codes], is_shown)
    counts = np.bincount(drawn, minlength=256)
    categories = tuple(
        Category(code, name, readable(name), styles[name], int(counts[code]))
        for code, name in enumerate(ordered)
        if counts[code]
    )
    return Colours(_named("colours", drawn.data), drawn, categories)


def by_number(
    numbers: NDArray[np.floating], *, title: str, words: Callable[[float], str], is_shown: NDArray[np.bool_] | None
) -> Colours:
    """One scale between the 1st and 99th percentiles of all numbers, whatever is shown; NaN is grey."""
    finite = numbers[np.isfinite(numbers)]
    low, high = np.percentile(finite, [1, 99]).tolist() if finite.size else (0.0, 1.0)
    with np.errstate(invalid="ignore"):
        levels = np.rint((numbers - low) / ((high - low) or 1) * (NOT_GIVEN - 1)).clip(0, NOT_GIVEN - 1)
    drawn = _shown(np.where(np.isnan(numbers), NOT_GIVEN, levels).astype(np.uint8), is_shown)
    n_missing = int((drawn == NOT_GIVEN).sum())
    missing = Category(NOT_GIVEN, palette.NOT_GIVEN, palette.NOT_GIVEN, Style("#969696", shape="square"), n_missing)
    scale = Scale(title, f"≤ {words(low)}", f"≥ {words(high)}")
    return Colours(_named("colours", drawn.data), drawn, (missing,) if n_missing else (), scale)


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
    """Brings bytes to the browser that it does not have yet. Nothing is drawn. Once a page."""
    st.html(f"<style>div:has(> [class*='st-key-{UNDRAWN}']) {{ display: none; }}</style>")
    content = {
        carrier.name: carrier.points.data if isinstance(carrier, Plane) else carrier.codes.data for carrier in carriers
    }
    with _undrawn("bytes"):
        for name, data in content.items():
            _carry(name, data)


def carried_selection(selection: Selection | None) -> None:
    """The same for what is selected. In the fragment of the plots, as it is all that a new selection sends."""
    if selection:
        with _undrawn("bits"):
            _carry(selection.name, selection.bits)


@contextmanager
def _undrawn(name: str) -> Iterator[None]:
    """For components that only speak: they take no room."""
    with st.container(key=f"{UNDRAWN}_{name}"):
        yield


def _carry(name: str, content: bytes | memoryview) -> None:
    _mount_bytes(key=f"{UNDRAWN}_{name}", data=b"".join([name.ljust(KEY_BYTES).encode(), content]))


@dataclass(frozen=True)
class Trail:
    """Where the middle of one category is in each of several steps, None where it has none."""

    name: str
    style: Style
    places: Sequence[tuple[float, float] | None]


@dataclass(frozen=True)
class Trails:
    """Lines over the points. `steps`: short names of the steps; `current`: the one that the plot shows."""

    steps: Sequence[str]
    current: int
    of: Sequence[Trail]


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
    trails: Trails | None = None,
    lines: tuple[float, float] | None = None,
    has_legend: bool = True,
    has_images: bool = False,
    fills: bool = False,
) -> None:
    """Draws the plot: `where` and `colours` must be `carried` on the page, and `selection` by `carried_selection`.

    `run`: digest of what the rows are of, a Run or samples that several share. `colour`: what the colours stand for;
    another one forgets what was switched off. `titles` of the axes, `note` above them, `words`: all of it as a text.
    `has_units`: whether numbers on the axes mean something. `view` and `off`: with what the plot starts, as `hover`
    tells it. `marked`: a row. `trails`, and `lines` at a number of each axis: drawn above the points. `has_legend`: one
    is enough for linked plots. `has_images`: `hover` answers with images of points where few are in view. `fills`: the
    plot takes what there is of the window, with tools and legend within. `on_selected`: called with what was selected
    before the page, or the fragment around this, runs again.
    """
    _mount(
        key=key,
        data={
            "points": where.name,
            **_colours_as_json(colours),
            "selection": selection.name if selection else "",
            "run": run,
            "n": len(where.points),
            "low": list(where.low),
            "high": list(where.high),
            "colour": colour,
            "titles": list(titles),
            "ticks": [list(ends) for ends in where.ticks] if has_units else None,
            "note": note,
            "words": words,
            "view": list(view) if view else None,
            "off": list(off),
            "marked": marked,
            "legend": has_legend,
            "pictures": has_images,
            "fills": fills,
            "lines": None
            if lines is None
            else [_share(at, *ends) for at, ends in zip(lines, where.ticks, strict=True)],
            "trails": None if trails is None else _trails_as_json(trails),
        },
        on_selected_change=lambda: _hear_selected(key, run, len(where.points), on_selected),
    )


def _colours_as_json(colours: Colours) -> dict[str, object]:
    return {
        "colours": colours.name,
        "categories": [_as_json(category) for category in colours.categories],
        "scale": _scale_as_json(colours.scale) if colours.scale else None,
        "circle": palette.SHAPES["circle"],
    }


def _as_json(category: Category) -> dict[str, object]:
    style = category.style
    named = {"code": category.code, "name": category.name, "words": category.words, "n": category.n}
    look = {"colour": style.colour, "edges": list(style.edges), "hollow": style.is_hollow}
    return named | look | {"outline": palette.SHAPES[style.shape]}


def _scale_as_json(scale: Scale) -> dict[str, object]:
    edges = [[Style(colour).edges[ground] for colour in VIRIDIS] for ground in range(len(palette.GROUNDS))]
    return vars(scale) | {"colours": VIRIDIS, "edges": edges}


def _trails_as_json(trails: Trails) -> dict[str, object]:
    groups = [
        {"name": trail.name, "colour": trail.style.colour, "hollow": trail.style.is_hollow}
        | {"places": [None if place is None else list(place) for place in trail.places]}
        for trail in trails.of
    ]
    return {"steps": list(trails.steps), "current": trails.current, "groups": groups}


def _share(value: float, low: float, high: float) -> float | None:
    return (value - low) / (high - low) if math.isfinite(value) else None


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
    try:
        bits = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Selection(name[:KEY_BYTES], run, bits) if len(bits) == -(-n // 8) else None


@dataclass(frozen=True)
class Answer:
    """What is shown of a row while the pointer is on it."""

    lines: Sequence[str]
    image: NDArray[np.uint8]  # (H, W) or (H, W, 3); (0, 0) where there is none


def hover(
    answers: Callable[[NDArray[np.int64]], Sequence[Answer]],
    *,
    images: Callable[[NDArray[np.int64]], NDArray[np.uint8]] | None,
    run: str,
    n: int,
    on_shown: Callable[[Sequence[float] | None, Sequence[str]], None],
    key: str,
) -> None:
    """Answers what the browser asks for while the pointer is on points; put it in a fragment of its own.

    `answers`: for a few rows, which ascend; `images`: (m, H, W) or (m, H, W, 3) of more of them, which are drawn small;
    None: there are none. `on_shown`: called with the view (x and y of the middle as shares of the axes, zoom; None:
    everything) and the names of the categories that are switched off, when they have rested.
    """
    asked = (st.session_state.get(key) or {}).get("asked")
    data: dict[str, Any] = {}
    rows, serial = rows_asked(asked, run, n)
    if len(rows):
        told = answers(rows)
        data = {
            "run": run,
            "serial": serial,  # the same question again has an answer again
            "answers": [
                {
                    "row": int(row),
                    "lines": list(answer.lines),
                    "height": answer.image.shape[0],
                    "width": answer.image.shape[1],
                }
                for row, answer in zip(rows, told, strict=True)
            ],
            "pixels": pa.table({"pixels": pa.array([answer.image.tobytes() for answer in told], pa.binary())}),
        }
    pictured, serial = rows_asked(asked, run, n, "sheet", MOST_PICTURES)
    if images is not None and len(pictured):
        small = smaller(images(pictured))
        data = {
            "run": run,
            "serial": serial,
            "sheet": {"rows": pictured.tolist(), "height": small.shape[1], "width": small.shape[2]},
            "pixels": pa.table({"pixels": pa.array([small.tobytes()], pa.binary())}),
        }
    with _undrawn(key):
        _mount_hover(
            key=key,
            data=data,
            on_asked_change=lambda: None,
            on_shown_change=lambda: _hear_shown(key, on_shown),
        )


def smaller(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(m, H, W) or (m, H, W, 3) -> the same of about `PICTURE` pixels a side: means of whole squares of pixels."""
    by = max(1, min(images.shape[1:3]) // PICTURE)
    height, width = (side // by for side in images.shape[1:3])
    whole = images[:, : by * height, : by * width]
    squares = whole.reshape(len(images), height, by, width, by, *images.shape[3:])
    return squares.mean((2, 4)).round().astype(np.uint8)


def rows_asked(
    message: object, run: str, n: int, kind: str = "rows", at_most: int = MOST_ASKED
) -> tuple[NDArray[np.int64], int]:
    """The rows of a Run of n rows that the browser asks for, ascending, and its number; no rows for anything else."""
    if isinstance(message, Mapping) and message.get("run") == run:
        rows, serial = message.get(kind), message.get("serial")
        if isinstance(rows, list) and isinstance(serial, int):
            here = {row for row in rows[:at_most] if type(row) is int and 0 <= row < n}
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


def shown_before(key: str) -> tuple[Sequence[float] | None, Sequence[str]]:
    """The view and what is switched off in the legend, as this session left them (under `key`) or the address has them.

    Both stand in the address afterwards.
    """
    if key not in st.session_state:
        view = view_of(st.query_params.get("view", "").split(","))
        st.session_state[key] = (view, st.query_params.get_all("off"))
    view, off = st.session_state[key]
    keep_shown(key, view, off)
    return view, off


def keep_shown(key: str, view: Sequence[float] | None, off: Sequence[str]) -> None:
    """For `hover`, which hears of both."""
    st.session_state[key] = (view, list(off))
    wanted = {"view": [",".join(f"{value:.5g}" for value in view)] if view else [], "off": list(off)}
    for name, values in wanted.items():
        if st.query_params.get_all(name) != values:
            if values:
                st.query_params[name] = values
            else:
                st.query_params.pop(name, None)
