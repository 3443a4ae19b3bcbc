"""Arrays -> figures of Gaussian mixtures: criteria over their number, who lies in which, where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.charts.plots import figure, plot_words
from fas_core.data.names import in_group_order
from fas_core.reports.palette import NEUTRAL, TEXT_COLOUR, style_of

INSIDE = 0.9  # share of a Gaussian's codes that its ellipse holds
_RADIUS = float(np.sqrt(-2 * np.log(1 - INSIDE)))  # of a Gaussian in two dimensions
_CORNERS = 48
MOST_NUMBERED = 16  # ellipses that still have room for their numbers


def criterion(
    values: Mapping[int, float], chosen: int, best: int | None, *, y_title: str, floor: float | None = None
) -> go.Figure:
    """A number per number of Gaussians; `chosen` is the large dot, `best` has a ring. What lies below `floor` is drawn
    as a triangle at the lower edge."""
    ks = sorted(values)
    made = figure(x_title="number of Gaussians", y_title=y_title, height=260, legend=False)
    y = np.array([values[k] for k in ks])
    low = float(y.min()) if floor is None else max(float(y.min()), floor)
    margin = 0.12 * (float(y.max()) - low) or 1.0
    is_below = y < low
    made.add_scatter(
        x=[str(k) for k in ks],
        y=np.where(is_below, low - margin / 2, y),
        customdata=y,
        mode="lines+markers",
        line={"color": TEXT_COLOUR, "width": 2},
        marker={
            "size": [15 if k == chosen else 8 for k in ks],
            "symbol": ["triangle-down" if below else "circle" for below in is_below],
            "color": NEUTRAL,
            "opacity": 1,
        },
        hovertemplate=f"%{{x}} Gaussians<br>{y_title} %{{customdata:,.1f}}<extra></extra>",
    )
    if best is not None:
        made.add_scatter(
            x=[str(best)],
            y=[values[best]],
            mode="markers",
            marker={"symbol": "circle-open", "size": 21, "color": NEUTRAL, "line": {"width": 2}},
            hoverinfo="skip",
        )
    made.update_xaxes(type="category", categoryorder="array", categoryarray=[str(k) for k in ks])
    made.update_yaxes(range=(low - margin, float(y.max()) + margin), tickformat="~s" if floor is None else None)
    made.update_layout(margin={"t": 12, "r": 12})
    return made


def component_map(shares: Mapping[str, NDArray[np.float64]], n: Mapping[str, int], chosen: int) -> go.Figure:
    """Heat map of Gaussians by groups: the share (k,) of each group that each Gaussian is most responsible for.

    Cells are bars, which a browser can select: their customdata is the Gaussian's index, the trace's number that of
    the group among `in_group_order`. `chosen`: the framed Gaussian.
    """
    names = in_group_order(list(shares))
    made = figure(x_title="Gaussian, heaviest first", height=150 + 40 * len(names), legend=False)
    for row, name in enumerate(names):
        share = shares[name]
        x = np.arange(1, len(share) + 1)
        made.add_bar(
            x=x,
            y=np.full(len(x), 0.94),
            base=len(names) - row - 1.47,
            width=0.96,
            customdata=np.arange(len(x)),
            marker={"color": share, "coloraxis": "coloraxis", "line": {"width": 0}},
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            text=[f"{s:.1%}" for s in share],
            textposition="none",
            hovertemplate=f"Gaussian %{{x}}<br>%{{text}} of {plot_words(name)} (n = {n[name]:,})<extra></extra>",
        )
    k = max(len(share) for share in shares.values())
    made.add_shape(
        type="rect", x0=chosen + 0.5, x1=chosen + 1.5, y0=-0.5, y1=len(names) - 0.5, line={"color": NEUTRAL, "width": 3}
    )
    labels = [f"{plot_words(name)}<br>n = {n[name]:,}" for name in reversed(names)]
    made.update_yaxes(tickvals=list(range(len(names))), ticktext=labels, showgrid=False)
    made.update_yaxes(range=(-0.55, len(names) - 0.45), fixedrange=True)
    ticks = list(range(1, k + 1)) if k <= 16 else [1, *range(k // 8, k + 1, k // 8)]
    made.update_xaxes(range=(0.4, k + 0.6), tickvals=ticks, showgrid=False, fixedrange=True)
    bar = {"title": {"text": "share of the group", "side": "top"}, "orientation": "h", "thickness": 10}
    bar |= {"x": 0, "xanchor": "left", "len": 1, "y": 1.02, "yanchor": "bottom", "tickformat": ".0%", "outlinewidth": 0}
    made.update_layout(
        barmode="overlay",
        margin={"l": 130, "t": 70, "r": 16},
        coloraxis={"colorscale": "Viridis", "cmin": 0, "colorbar": bar},
        clickmode="event+select",
        dragmode=False,
    )
    return made


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
    made = figure(x_title=titles[0], y_title=titles[1], height=520)
    for name in in_group_order(list(points)):
        style = style_of(name)
        made.add_scattergl(
            x=points[name][:, 0].astype(np.float32),
            y=points[name][:, 1].astype(np.float32),
            mode="markers",
            name=plot_words(name),
            marker={
                "size": 5,
                "opacity": 0.45,
                "color": style.colour,
                "symbol": "circle-open" if style.is_hollow else "circle",
            },
            hoverinfo="skip",
        )
    outlines = [_outline(mean, covariance) for mean, covariance in zip(means, covariances, strict=True)]
    gap = np.full((1, 2), np.nan)
    others = np.concatenate([np.concatenate([one, gap]) for j, one in enumerate(outlines) if j != chosen] or [gap])
    for xy, width, name in ((others, 1.5, "Gaussians"), (outlines[chosen], 4, f"Gaussian {chosen + 1}")):
        made.add_scatter(
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
        made.add_annotation(
            x=means[j, 0],
            y=means[j, 1],
            text=f"<b>{j + 1}</b>",
            showarrow=False,
            font={"size": 13, "color": "#222222"},
            bgcolor="rgba(255,255,255,0.8)",
            borderpad=1,
        )
    made.update_yaxes(scaleanchor="x", scaleratio=1)
    made.update_layout(legend={"itemsizing": "constant"})
    return made


def _outline(mean: NDArray[np.float64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m, 2) corners of the ellipse, closed."""
    angles = np.linspace(0, 2 * np.pi, _CORNERS + 1)
    variances, axes = np.linalg.eigh(covariance)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(mean + _RADIUS * (circle * np.sqrt(variances.clip(min=0))) @ axes.T)
