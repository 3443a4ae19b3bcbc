"""Arrays -> Plotly figures. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go  # for what is zoomed into and saved as a picture; curves are ECharts: see echarts.py
from numpy.typing import NDArray

from fas_core.data.names import readable
from fas_core.metrics.cost import CostCurve
from fas_core.reports.palette import NEUTRAL, SPECIES_COLOURS, TEXT_COLOUR, Style


def plot_text(text: str) -> str:
    """Text from files for Plotly, which reads markup in every text it draws: shown as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def plot_words(name: str) -> str:
    """`readable` for Plotly."""
    return plot_text(readable(name))


def symbol(style: Style) -> str:
    """The shape of a point, by Plotly's name."""
    name = {"plus": "cross", "bar": "octagon"}.get(style.shape, style.shape)
    return f"{name}-open" if style.is_hollow else name


def figure(
    *,
    x_title: str = "",
    y_title: str = "",
    height: int = 380,
    x_range: Sequence[float] | None = None,
    legend: bool = True,
) -> go.Figure:
    """An empty figure in the project's style: quiet grid, legend above, fixed height, transparent ground."""
    chart = go.Figure()
    chart.update_layout(
        height=height,
        margin={"l": 56, "r": 16, "t": 28 if not legend else 44, "b": 48},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": None},
        hovermode="closest",
        font={"size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    grid = {"gridcolor": "rgba(128,128,128,0.2)", "zeroline": False, "linecolor": "rgba(128,128,128,0.5)"}
    chart.update_xaxes(title=x_title, range=x_range, **grid)
    chart.update_yaxes(title=y_title, **grid)
    return chart


COST_POINTS = 600


def cost_curve(
    curve: CostCurve, threshold: float, *, x_title: str, x_range: Sequence[float], currency: str
) -> go.Figure:
    """Expected cost a month against the threshold: the likely one, its range, the minimum and where it is flat."""
    y_title = f"expected cost a month{f', {currency}' if currency else ''}"
    chart = figure(x_title=x_title, y_title=y_title, x_range=x_range, legend=False)
    low, high = curve.flat
    inside = (curve.thresholds >= x_range[0]) & (curve.thresholds <= x_range[1])
    shown = np.flatnonzero(inside)
    shown = np.unique(np.append(shown[:: max(1, len(shown) // COST_POINTS)], [curve.best]))
    x = curve.thresholds[shown]
    colour = SPECIES_COLOURS["partial"]
    for name, y, fill in (("lowest", curve.low[shown], None), ("highest", curve.high[shown], "tonexty")):
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        chart.add_scatter(x=x, y=y, name=name, fill=fill, fillcolor=clear(colour, 0.25), **edge)
    chart.add_scatter(
        x=x,
        y=curve.likely[shown],
        name="likely",
        mode="lines",
        line={"color": TEXT_COLOUR, "width": 2},
        customdata=np.stack([curve.low[shown], curve.high[shown]], axis=1),
        hovertemplate="threshold %{x:.5~g}<br>cost %{y:,.0f} (%{customdata[0]:,.0f}–%{customdata[1]:,.0f})"
        "<extra></extra>",
    )
    chart.add_vrect(x0=low, x1=high, fillcolor=clear(NEUTRAL, 0.15), line_width=0, layer="below")
    chart.add_scatter(
        x=[curve.thresholds[curve.best]],
        y=[curve.likely[curve.best]],
        name="lowest likely cost",
        mode="markers+text",
        marker={"size": 10, "color": TEXT_COLOUR},
        text=["lowest likely cost"],
        textposition="bottom right",
        hoverinfo="skip",
    )
    # High where everybody is rejected: the region around the minimum is what is to be read.
    chart.update_yaxes(range=[0, 1.05 * min(curve.high[shown].max(), 6 * max(curve.likely[curve.best], 1e-9))])
    chart.add_vline(x=threshold, line={"color": NEUTRAL, "width": 3})
    return chart


@dataclass(frozen=True)
class ErrorLine:
    """A rate, in shares, at each of m places with its interval; NaN where there is none. Lines that mean no class are
    told apart by their dash."""

    name: str
    colour: str
    dash: str  # of `palette.DASHES`
    rates: NDArray[np.float64]  # (m,)
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    notes: Sequence[str]  # (m,) what the pointer reads beside the rate


def errors_over_time(lines: Sequence[ErrorLine], places: Sequence[str], *, x_title: str) -> go.Figure:
    """Rates at places that follow each other, evenly apart whatever lies between, with their intervals as bands."""
    chart = figure(x_title=x_title, y_title="share decided wrongly, in %", height=360)
    x = list(places)
    for line in lines:
        add_error_line(chart, line, x, hover="%{x}<br>%{customdata}", width=2.5, dot=7)
    tops = [100 * float(np.nanmax(np.r_[line.rates, line.high, 0.01])) for line in lines]
    chart.update_yaxes(range=[0, min(102.0, 1.05 * max(tops))], rangemode="tozero")  # 100 with its whole marker
    chart.update_xaxes(type="category")
    return chart


def add_error_line(
    chart: go.Figure, line: ErrorLine, x: Sequence[str] | NDArray[np.int64], *, hover: str, width: float, dot: float
) -> None:
    """A line and its dots over its interval as a band; `width` and `dot` in pixels."""
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False, "legendgroup": line.name}
    if np.isfinite(line.low).all():
        chart.add_scatter(x=x, y=100 * line.low, name=f"{line.name}, lowest", **edge)
        filled = {"fill": "tonexty", "fillcolor": clear(line.colour, 0.13)}
        chart.add_scatter(x=x, y=100 * line.high, name=f"{line.name}, highest", **filled, **edge)
    chart.add_scatter(
        x=x,
        y=100 * line.rates,
        name=line.name,
        legendgroup=line.name,
        mode="lines+markers",
        line={"color": line.colour, "width": width, "dash": line.dash},
        marker={"size": dot},
        customdata=[plot_text(note) for note in line.notes],
        hovertemplate=f"{hover}<extra></extra>",
    )


def clear(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"
