"""Arrays -> small multiples of errors against what goes wrong with images. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.charts.plots import ErrorLine, add_error_line, clear, figure
from fas_core.reports.palette import NEUTRAL, TEXT_COLOUR

HEIGHT = 236  # pixels of a panel


@dataclass(frozen=True)
class Panel:
    """One degradation: lines of m places, of which `broken` (from, to) are those at which an error breaks."""

    title: str
    places: Sequence[str]
    lines: Sequence[ErrorLine]
    broken: Sequence[tuple[int, int]]


def errors_under_stress(panel: Panel, top: float, limit: float | None) -> go.Figure:
    """One panel. `top`: the highest rate of all panels, which share their range."""
    chart = figure(x_title=panel.title, y_title="decided wrongly, in %", height=HEIGHT, legend=False)
    x = np.arange(len(panel.places))
    for line in panel.lines:
        add_error_line(chart, line, x, hover="%{customdata}", width=2.25, dot=6)
    for first, last in panel.broken:
        chart.add_vrect(
            x0=first - 0.5, x1=last + 0.5, fillcolor=clear(NEUTRAL, 0.22), line_width=0, layer="below", name="broken"
        )
    if limit is not None:
        chart.add_hline(y=100 * limit, line={"color": TEXT_COLOUR, "width": 1, "dash": "dot"})
    chart.update_xaxes(
        tickvals=x,
        ticktext=list(panel.places),
        tickangle=0,
        range=[-0.5, len(x) - 0.5],
        title_standoff=4,
        showgrid=False,
    )
    chart.update_yaxes(range=[0, min(102.0, 108 * top + 2)], title_standoff=4)
    chart.update_layout(margin={"l": 44, "r": 4, "t": 8, "b": 40}, font={"size": 12})
    return chart


def highest(panels: Sequence[Panel]) -> float:
    """The highest rate of all, as a share."""
    return max(float(np.nanmax(np.r_[line.rates, 0.01])) for panel in panels for line in panel.lines)
