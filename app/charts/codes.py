"""One code among those of a Run, in a plane."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.charts import plots
from fas_core.data.names import in_group_order
from fas_core.reports.palette import styles_of

Floats = NDArray[np.floating]


def among(xy: Floats, kinds: NDArray[np.str_], at: Floats, *, titles: tuple[str, str]) -> go.Figure:
    """Points `xy` (n, 2) in the colours of their groups, `kinds` (n,), and a cross `at` (2,)."""
    chart = plots.figure(x_title=titles[0], y_title=titles[1], height=460)
    for kind, style in styles_of(in_group_order(sorted(set(kinds)))).items():
        here = kinds == kind
        chart.add_scatter(
            x=xy[here, 0],
            y=xy[here, 1],
            mode="markers",
            name=plots.plot_words(kind),
            marker={
                "color": style.colour,
                "size": 6,
                "opacity": 0.6,
                "symbol": plots.symbol(style),
            },
            hoverinfo="skip",
        )
    chart.add_trace(
        go.Scatter(
            x=at[:1],
            y=at[1:],
            mode="markers",
            name="this image",
            marker={"symbol": "x", "size": 15, "color": "#000000", "line": {"color": "#FFFFFF", "width": 2}},
            hoverinfo="name",
        )
    )
    return chart
