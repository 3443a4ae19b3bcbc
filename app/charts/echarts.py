"""What ECharts options are made of. Knows no Streamlit.

ECharts changes a chart in place and takes a quarter of the browser's time that Plotly takes for the same curves; it has
no functions in an option, so what the pointer reads is written into the data. Texts from files are drawn as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fas_core.reports.palette import DASHES

Option = dict[str, object]

QUIET: Option = {"silent": True, "tooltip": {"show": False}}
GRID_COLOUR = "rgba(128,128,128,0.2)"


def line_type(dash: str) -> object:
    """A name of `palette.DASHES` as ECharts has it."""
    return list(DASHES[dash].lengths) or "solid"


LINE_TYPES = tuple(map(line_type, DASHES))  # of Runs A, B, C, D, E, F
LINE_WORDS = tuple(dash.words for dash in DASHES.values())


def value_axis(name: str, **more: object) -> Option:
    return {
        "type": "value",
        "name": name,
        "nameLocation": "middle",
        "nameTextStyle": {"fontSize": 12, "lineHeight": 15},
        "axisLabel": {"hideOverlap": True, "fontSize": 12},
        "splitLine": {"lineStyle": {"color": GRID_COLOUR}},
    } | more


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Option:
    """What is drawn in the words of the chart, which is what it is saved as: for charts whose coordinates are others.

    Where the first column is the name of a series, the legend switches its rows too. What is not finite is left empty.
    """

    def held(value: object) -> object:
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return {"dataset": {"source": [list(heads), *([held(value) for value in row] for row in rows)]}}


def percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


def number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def pairs(points: NDArray[np.float64]) -> list[list[float]]:
    """Finite points as JSON, `rounded`."""
    return rounded(points[np.isfinite(points).all(1)] if len(points) else points).tolist()


def rounded(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) to six digits, of each number and of its column's range: what a screen can show. NaN stays."""
    known = np.where(np.isfinite(points), points, 0.0)
    scale = np.abs(known)
    if len(points):
        scale = np.minimum(scale, known.max(0) - known.min(0))
    digits = 5 - np.floor(np.log10(np.where(scale > 0, scale, 1.0))).clip(-300, 300)
    tens = 10.0 ** np.abs(digits)
    with np.errstate(over="ignore"):  # where the other one is taken
        return np.where(digits >= 0, np.rint(points * tens) / tens, np.rint(points / tens) * tens)


def marks(data: Sequence[Option], line: Option, label: Option) -> Option:
    """Lines across the plane, at a number of one axis each, behind everything and out of the pointer's reach."""
    mark = {"silent": True, "symbol": "none", "animation": False, "lineStyle": line, "label": label, "data": list(data)}
    return {"type": "line", "data": [], "z": 1, "markLine": mark} | QUIET


def invisible(name: str, data: Sequence[Sequence[object]], text: str, size: int) -> Option:
    """Places x, y without a picture, and what else `text` says of each. One path, for there may be many."""
    return {
        "type": "scatter",
        "name": name,
        "data": data,
        "symbolSize": size,
        "itemStyle": {"opacity": 0},
        "emphasis": {"disabled": True},
        "tooltip": {"formatter": text},
        "large": True,
        "largeThreshold": 0,
        "z": 3,
    }


def loop(
    x: NDArray[np.float64], y: NDArray[np.float64], colour: str, scale: float, name: str, opacity: float = 0.18
) -> Option:
    """A filled outline: an area chart whose way there and way back cancel each other below; ends where it began."""
    outline = np.column_stack([x, y])
    outline = outline[np.isfinite(outline).all(1)]
    return (
        {
            "type": "line",
            "name": name,  # the legend switches it with its line
            "data": pairs(scale * np.concatenate([outline, outline[:1]])),
            "symbol": "none",
            "lineStyle": {"opacity": 0},
            "areaStyle": {"color": colour, "opacity": opacity},
            "itemStyle": {"color": colour},
            "emphasis": {"disabled": True},
            "z": 1,
        }
        | QUIET
    )


def simplified(points: NDArray[np.float64], scale: tuple[float, float], tolerance: float = 0.4) -> NDArray[np.float64]:
    """(n, 2) -> (m, 2): the corners of a line that is drawn with; what is not finite is left out.

    Times `scale`, it is nowhere further than `tolerance` from the line through all points (Douglas and Peucker,
    Cartographica 1973), of which those in one square of that size are taken together first.
    """
    points = points[np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])]
    if len(points) < 3:
        return points
    places = (points * scale).view(np.complex128)[:, 0]  # in a plane
    squares = np.rint(points * (scale[0] / tolerance, scale[1] / tolerance)).view(np.complex128)[:, 0]
    chosen = np.flatnonzero(np.r_[True, squares[1:-1] != squares[:-2], True])
    places = places[chosen]
    kept = np.array([0, len(places) - 1])
    while True:
        part = np.repeat(np.arange(len(kept) - 1), np.diff(kept))  # of the line, for every place but the last
        start, way = places[kept[:-1]], np.diff(places[kept])
        from_start = places[:-1] - start[part]
        along = (from_start * way.conj()[part]).real / np.maximum(np.abs(way) ** 2, 1e-300)[part]
        distance = np.abs(from_start - along.clip(0, 1) * way[part])
        furthest = np.maximum.reduceat(distance, kept[:-1])
        at = np.flatnonzero(distance == furthest[part])
        at = at[np.searchsorted(at, kept[:-1])]  # one of each part
        more = at[furthest > tolerance]
        if not len(more):
            return points[chosen[kept]]
        kept = np.sort(np.r_[kept, more])
