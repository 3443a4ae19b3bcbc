"""Arrays -> charts of Gaussian mixtures: who lies in which, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go  # ellipses are read with one scale on both axes, and saved as a picture of any size
from numpy.typing import NDArray

from app.charts.echarts import QUIET, Option, table
from app.charts.plots import figure, plot_words, symbol
from fas_core.data.names import in_group_order, readable
from fas_core.reports.palette import NEUTRAL, styles_of

INSIDE = 0.9  # share of a Gaussian's codes that its ellipse holds
_RADIUS = float(np.sqrt(-2 * np.log(1 - INSIDE)))  # of a Gaussian in two dimensions
_CORNERS = 48
MOST_NUMBERED = 16  # ellipses that still have room for their numbers
_VIRIDIS = ("#440154", "#472D7B", "#3B528B", "#2C728E", "#21918C", "#28AE80", "#5EC962", "#ADDC30", "#FDE725")


def component_map(shares: Mapping[str, NDArray[np.float64]], n: Mapping[str, int], chosen: int) -> Option:
    """Heat map of Gaussians by groups: the share (k,) of each group that each Gaussian is most responsible for.

    Cells can be selected: see `selected_cell`. `chosen`: the framed Gaussian. `map_height` is how high it wants to be.
    """
    names = in_group_order(list(shares))
    k = max(len(share) for share in shares.values())
    cells = [
        [
            j,
            row,
            round(100 * float(share), 4),
            f"Gaussian {j + 1}",
            f"{share:.1%} of {readable(name)} (n = {n[name]:,})",
        ]
        for row, name in enumerate(names)
        for j, share in enumerate(shares[name])
    ]
    most = max(float(share.max()) for share in shares.values())
    numbers: Option = {"type": "category", "data": [str(j + 1) for j in range(k)], "splitArea": {"show": False}}
    numbers |= {"name": "Gaussian, heaviest first", "nameLocation": "middle", "nameGap": 28}
    labels = [f"{readable(name)}\nn = {n[name]:,}" for name in names]
    groups: Option = {"type": "category", "inverse": True, "data": labels}
    bare: Option = {"show": False, "min": 0, "type": "value"}  # of the frame, which runs between categories
    frame = [[chosen, 0], [chosen + 1, 0], [chosen + 1, 1], [chosen, 1], [chosen, 0]]
    return {
        "animation": False,
        "grid": {"left": 130, "right": 16, "top": 40, "bottom": 48, "outerBoundsMode": "none"},
        "tooltip": {"trigger": "item", "confine": True, "formatter": "{@[3]}<br>{@[4]}"},
        "xAxis": [numbers | {"axisLabel": {"hideOverlap": True, "fontSize": 12}}, bare | {"max": k}],
        "yAxis": [groups | {"axisLabel": {"fontSize": 12, "lineHeight": 15}}, bare | {"max": 1}],
        "visualMap": _scale(most),
        "series": [
            {
                "type": "heatmap",
                "data": cells,
                "selectedMode": "single",
                "select": {"itemStyle": {"borderWidth": 0}},
                "emphasis": {"disabled": True},
                "itemStyle": {"borderColor": "rgba(255,255,255,0.6)", "borderWidth": 1 if k <= 32 else 0},
            },
            {
                "type": "line",
                "data": frame,
                "xAxisIndex": 1,
                "yAxisIndex": 1,
                "symbol": "none",
                "clip": False,
                "lineStyle": {"color": NEUTRAL, "width": 3, "opacity": 1},
                "z": 5,
            }
            | QUIET,
        ],
    } | table(
        ["group", "n", "Gaussian", "share"],
        ([name, n[name], j + 1, float(share)] for name in names for j, share in enumerate(shares[name])),
    )


def _scale(most: float) -> Option:
    """The bar of shares from 0 to `most`."""
    return {
        "type": "continuous",
        "min": 0,
        "max": 100 * most or 1.0,
        "dimension": 2,
        "seriesIndex": 0,
        "calculable": False,
        "hoverLink": False,
        "orient": "horizontal",
        "left": 130,
        "top": 0,
        "itemWidth": 10,
        "itemHeight": 180,
        "text": [f"{100 * most:.0f}\u00a0% of the group", "0"],
        "inRange": {"color": list(_VIRIDIS)},
    }


def map_height(n: int) -> int:
    """Pixels that n groups take in `component_map`."""
    return 88 + 40 * n


def selected_cell(
    selected: Sequence[Mapping[str, Sequence[int]]], shares: Mapping[str, NDArray[np.float64]]
) -> tuple[int, str] | None:
    """The Gaussian and the group of what is selected in `component_map`; None where nothing is."""
    places = [index for of_series in selected for index in of_series["data_indices"]]
    sizes = {name: len(shares[name]) for name in in_group_order(list(shares))}
    for index in places[:1]:
        for name, k in sizes.items():
            if index < k:
                return index, name
            index -= k
    return None


def ellipses(
    points: Mapping[str, NDArray[np.floating]],
    means: NDArray[np.float64],
    covariances: NDArray[np.float64],
    chosen: int,
    *,
    titles: Sequence[str],
) -> go.Figure:
    """Points (m, 2) per group, and the ellipses that hold `INSIDE` of each Gaussian: means (k, 2), covariances
    (k, 2, 2). The one `chosen` is heavy."""
    chart = figure(x_title=titles[0], y_title=titles[1], height=520)
    for name, style in styles_of(in_group_order(list(points))).items():
        chart.add_scatter(
            x=points[name][:, 0].astype(np.float32),
            y=points[name][:, 1].astype(np.float32),
            mode="markers",
            name=plot_words(name),
            marker={
                "size": 5,
                "opacity": 0.45,
                "color": style.colour,
                "symbol": symbol(style),
            },
            hoverinfo="skip",
        )
    outlines = [_outline(mean, covariance) for mean, covariance in zip(means, covariances, strict=True)]
    gap = np.full((1, 2), np.nan)
    others = np.concatenate(
        [np.concatenate([outline, gap]) for j, outline in enumerate(outlines) if j != chosen] or [gap]
    )
    for xy, width, name in ((others, 1.5, "Gaussians"), (outlines[chosen], 4, f"Gaussian {chosen + 1}")):
        chart.add_scatter(
            x=xy[:, 0],
            y=xy[:, 1],
            mode="lines",
            name=name,
            line={"color": NEUTRAL, "width": width},
            hoverinfo="skip",
            showlegend=bool(np.isfinite(xy).any()),
        )
    numbered = range(len(means)) if len(means) <= MOST_NUMBERED else [chosen]
    for j in numbered:
        chart.add_annotation(
            x=means[j, 0],
            y=means[j, 1],
            text=f"<b>{j + 1}</b>",
            showarrow=False,
            font={"size": 13, "color": "#222222"},
            bgcolor="rgba(255,255,255,0.8)",
            borderpad=1,
        )
    chart.update_yaxes(scaleanchor="x", scaleratio=1)
    chart.update_layout(legend={"itemsizing": "constant"})
    return chart


def _outline(mean: NDArray[np.float64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m, 2) corners of the ellipse, closed."""
    angles = np.linspace(0, 2 * np.pi, _CORNERS + 1)
    variances, axes = np.linalg.eigh(covariance)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(mean + _RADIUS * (circle * np.sqrt(variances.clip(min=0))) @ axes.T)
