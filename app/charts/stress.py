"""Arrays -> small multiples of errors against what goes wrong with images. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.charts.plots import ErrorLine, clear, figure, plot_text
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
        _add(chart, line, x)
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


def _add(chart: go.Figure, line: ErrorLine, x: NDArray[np.int64]) -> None:
    if np.isfinite(line.low).all():
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        chart.add_scatter(x=x, y=100 * line.low, name=f"{line.name}, lowest", **edge)
        band = {"fill": "tonexty", "fillcolor": clear(line.colour, 0.13)}
        chart.add_scatter(x=x, y=100 * line.high, name=f"{line.name}, highest", **band, **edge)
    chart.add_scatter(
        x=x,
        y=100 * line.rates,
        name=line.name,
        mode="lines+markers",
        line={"color": line.colour, "width": 2.25, "dash": line.dash},
        marker={"size": 6},
        customdata=[plot_text(note) for note in line.notes],
        hovertemplate="%{customdata}<extra></extra>",
    )
