"""One code among those of a Run, in a plane, as an ECharts option. Knows no Streamlit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.charts.echarts import QUIET, Option, pairs, value_axis
from fas_core.data.names import in_group_order, readable
from fas_core.reports.palette import SHAPES, Style, styles_of

Floats = NDArray[np.floating]
HEIGHT = 460
RADIUS = 3  # pixels, of a point


def among(xy: Floats, kinds: NDArray[np.str_], at: Floats, *, titles: tuple[str, str]) -> Option:
    """Points `xy` (n, 2) in the colours and shapes of their groups, `kinds` (n,), and a cross `at` (2,)."""
    styles = styles_of(in_group_order(sorted(set(kinds))))
    groups = [_points(readable(kind), style, xy[kinds == kind]) for kind, style in styles.items()]
    cross = {
        "type": "scatter",
        "name": "this image",
        "data": pairs(np.asarray(at, np.float64)[np.newaxis]),
        **_shape("x", 7.5),
        "itemStyle": {"color": "#000000", "borderColor": "#FFFFFF", "borderWidth": 2, "opacity": 1},
        "emphasis": {"disabled": True},
        "tooltip": {"formatter": "{a}"},
        "z": 5,
    }
    return {
        "animation": False,
        "tooltip": {"trigger": "item", "confine": True},
        "legend": {
            "type": "scroll",
            "top": 0,
            "itemWidth": 14,
            "itemHeight": 10,
            "itemGap": 8,
            "textStyle": {"fontSize": 12},
        },
        "grid": {"left": 56, "right": 16, "top": 44, "bottom": 48, "outerBoundsMode": "none"},
        "xAxis": value_axis(titles[0], nameGap=30, scale=True),
        "yAxis": value_axis(titles[1], nameGap=40, scale=True),
        "series": [*groups, cross],
    }


def _points(name: str, style: Style, xy: Floats) -> Option:
    fill = "transparent" if style.is_hollow else style.colour
    return {
        "type": "scatter",
        "name": name,
        "data": pairs(np.asarray(xy, np.float64)),
        **_shape(style.shape, RADIUS),
        "itemStyle": {"color": fill, "borderColor": style.colour, "borderWidth": int(style.is_hollow), "opacity": 0.6},
        "emphasis": {"disabled": True},
    } | QUIET


def _shape(name: str, radius: float) -> Option:
    """A point of one of `palette.SHAPES`."""
    if name == "circle":
        return {"symbol": name, "symbolSize": 2 * radius}
    corners = SHAPES[name]
    width, height = (radius * (max(along) - min(along)) for along in zip(*corners, strict=True))
    path = "L".join(f"{x:g} {y:g}" for x, y in corners)
    return {"symbol": f"path://M{path}Z", "symbolSize": [round(width, 2), round(height, 2)]}
