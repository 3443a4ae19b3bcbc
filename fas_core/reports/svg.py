"""Plots as SVG text, for pages that carry no script. Texts are escaped; numbers are placed by this module alone.

plot = Plot(linear_axis("BPCER in %", 0, 1, percent=True), linear_axis("found in %", 0, 1, percent=True), "ROC")
plot.line(fpr, tpr, "#0072B2", name="live")
plot.drawn()
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

from fas_core import metrics
from fas_core.reports.palette import DASHES, SHAPES, Style

_LEFT, _TOP, _BOTTOM = 58, 10, 44  # around the plane, in pixels
_KEY = 18  # height of a line of the legend


class Axis(NamedTuple):
    """`low` to `high` in the units of what is drawn; ticks are values and texts.

    `scale`: value -> place, of an axis on which those differ; `low` and `high` are places then.
    """

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    scale: Callable[[ArrayLike], NDArray[np.float64]] | None = None

    def shares(self, values: ArrayLike) -> NDArray[np.float64]:
        """Where values (n,) lie between `low`, 0, and `high`, 1; what is far outside lies not far outside."""
        places = np.asarray(values, np.float64) if self.scale is None else self.scale(values)
        return np.asarray(((places - self.low) / (self.high - self.low)).clip(-0.2, 1.2))


def linear_axis(title: str, low: float, high: float, *, percent: bool = False, n_ticks: int = 6) -> Axis:
    """Round ticks, about as many as asked for. `percent`: shares are written as percentages."""
    span = high - low if high > low else 1.0
    power = 10.0 ** np.floor(np.log10(span / n_ticks))
    step = next(m for m in (1, 2, 5, 10) if m * power >= span / n_ticks) * power
    places = np.arange(np.ceil(low / step - 1e-9), np.floor((low + span) / step + 1e-9) + 1) * step + 0.0
    return Axis(title, low, low + span, [(float(x), f"{100 * x:.6g}" if percent else f"{x:.6g}") for x in places])


def _dot(style: Style, x: float, y: float, radius: float) -> str:
    if style.shape == "circle":
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:g}'/>"
    corners = " ".join(f"{x + radius * dx:.1f},{y + radius * dy:.1f}" for dx, dy in SHAPES[style.shape])
    return f"<polygon points='{corners}'/>"


class Plot:
    """A plane with curves on it; what is outside is cut off."""

    def __init__(self, x: Axis, y: Axis, label: str, *, width: int = 240, height: int = 220) -> None:
        self.x, self.y, self.label, self.width, self.height = x, y, label, width, height
        self.drawings: list[str] = []
        self.series: list[tuple[str, ArrayLike, ArrayLike]] = []  # what was drawn: name, x, y
        self.legend: list[tuple[str, str]] = []  # drawing of the key, text

    def _px(self, x: ArrayLike) -> NDArray[np.float64]:
        return _LEFT + self.width * self.x.shares(x)

    def _py(self, y: ArrayLike) -> NDArray[np.float64]:
        return _TOP + self.height * (1 - self.y.shares(y))

    def line(
        self,
        x: ArrayLike,
        y: ArrayLike,
        colour: str,
        dash: str = "solid",
        *,
        width: float = 1.6,
        name: str = "",
        in_legend: bool = True,
    ) -> None:
        """Points (n,) in order; those that are not finite are left out. `dash`: a name of `DASHES`.

        A `name` is entered in the legend, unless one beside it has it already.
        """
        self.series.append((name, x, y))
        stroke = f"stroke='{colour}' stroke-width='{width:g}' fill='none'" + (
            f" stroke-dasharray='{' '.join(map(str, lengths))}'" if (lengths := DASHES[dash].lengths) else ""
        )
        self.drawings.append(f"<polyline points='{self._points(x, y)}' {stroke}/>")
        if name and in_legend:
            self.legend.append((f"<path d='M0 0h30' {stroke}/>", name))

    def area(self, x: ArrayLike, y: ArrayLike, colour: str, opacity: float = 0.2) -> None:
        """The inside of a closed line of points (n,)."""
        self.drawings.append(f"<polygon points='{self._points(x, y)}' fill='{colour}' fill-opacity='{opacity:g}'/>")

    def dots(self, x: ArrayLike, y: ArrayLike, style: Style, *, radius: float = 2.5, name: str = "") -> None:
        """Points (n,), in the shape of a style."""
        self.series.append((name, x, y))
        edge, _ = style.edges  # paper is white
        look = f"stroke='{edge}' stroke-width='.8' " + ("fill='none'" if style.is_hollow else f"fill='{style.colour}'")
        self.drawings.append(f"<g {look}>{''.join(_dot(style, a, b, radius) for a, b in self._places(x, y))}</g>")
        if name:
            self.legend.append((f"<g {look}>{_dot(style, 15, 0, 4)}</g>", name))

    def _places(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        points = np.column_stack([self._px(x), self._py(y)])
        drawable: NDArray[np.float64] = points[np.isfinite(points).all(1)]
        return drawable

    def _points(self, x: ArrayLike, y: ArrayLike) -> str:
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in self._places(x, y))

    def drawn(self) -> Markup:
        """The SVG, the legend below the plane."""
        below = _TOP + self.height + _BOTTOM
        per_row = max(1, int((_LEFT + self.width) // max([90, *(46 + 7 * len(text) for _, text in self.legend)])))
        column = (_LEFT + self.width) / per_row
        keys = "".join(
            f"<g transform='translate({4 + column * (i % per_row):.0f} {below + _KEY * (i // per_row) + 8})'>{key}"
            f"<text x='36' y='4'>{escape(text)}</text></g>"
            for i, (key, text) in enumerate(self.legend)
        )
        width, height = _LEFT + self.width + 12, below + _KEY * -(-len(self.legend) // per_row) + 4
        drawings = "".join(self.drawings)
        name = f"clip{zlib.crc32(f'{self.label} {drawings}'.encode()):08x}"  # one page has many: each its own
        return Markup(
            f"<svg viewBox='0 0 {width} {height}' width='{width}' height='{height}' role='img' "
            f"font-size='12' font-family='system-ui, sans-serif' fill='#1a1a1a' "
            f"aria-label='{escape(self.label)}'><clipPath id='{name}'>{self._frame()}</clipPath>"
            f"{self._axes()}<g clip-path='url(#{name})'>{drawings}</g>{keys}</svg>"
        )

    def data(self) -> pd.DataFrame:
        """What lines and dots are drawn of, a row per point: the series, and x and y under the titles of the axes.

        Shares stay shares, whose ticks are in per cent.
        """
        x_title, y_title = (axis.title.removesuffix(" in %") for axis in (self.x, self.y))
        names = [name or ("line" if np.size(x) > 1 else "point") for name, x, _ in self.series]
        tables = [
            pd.DataFrame({"series": name, x_title: np.asarray(x), y_title: np.asarray(y)})
            for name, (_, x, y) in zip(names, self.series, strict=True)
        ]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["series"])

    def _frame(self, look: str = "") -> str:
        return f"<rect x='{_LEFT}' y='{_TOP}' width='{self.width}' height='{self.height}' {look}/>"

    def _axes(self) -> str:
        bottom, right = _TOP + self.height, _LEFT + self.width
        parts = [self._frame("fill='none' stroke='#999'")]
        for place, text in self.x.ticks:
            x = float(self._px(place))
            parts.append(
                f"<path d='M{x:.1f} {_TOP}V{bottom}' stroke='#e5e5e5'/>"
                f"<text x='{x:.1f}' y='{bottom + 16}' text-anchor='middle'>{escape(text)}</text>"
            )
        for place, text in self.y.ticks:
            y = float(self._py(place))
            parts.append(
                f"<path d='M{_LEFT} {y:.1f}H{right}' stroke='#e5e5e5'/>"
                f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' text-anchor='end'>{escape(text)}</text>"
            )
        middle_x, middle_y = _LEFT + self.width / 2, _TOP + self.height / 2
        parts.append(
            f"<text x='{middle_x}' y='{bottom + 36}' text-anchor='middle'>{escape(self.x.title)}</text>"
            f"<text x='14' y='{middle_y}' text-anchor='middle' transform='rotate(-90 14 {middle_y})'>"
            f"{escape(self.y.title)}</text>"
        )
        return "".join(parts)


# ---------------------------------------------------------------------------------------------------------------- DET

_SHOWN = 1_000  # trials: rates below half of one of them are drawn at the edge
_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)
DET_SCALES = f"Both axes of DET are probit scales; rates below {50 / _SHOWN:g} % lie at the edge."


def on_det(rates: ArrayLike) -> NDArray[np.float64]:
    """The places of rates (n,) on the axes of `det_plane`."""
    return metrics.probit(rates, _SHOWN)


def det_plane(label: str, size: tuple[int, int] = (240, 220)) -> Plot:
    """APCER to the right, BPCER upwards: rates, drawn by `on_det`. `size`: width and height in pixels."""
    width, height = size
    low, high = on_det([0, 1]).tolist()
    ticks = [(tick, f"{100 * tick:g}") for tick in _TICKS]
    return Plot(
        Axis("APCER in %", low, high, ticks, on_det),
        Axis("BPCER in %", low, high, ticks, on_det),
        label,
        width=width,
        height=height,
    )
