"""Arrays -> Plotly figures. Knows no Streamlit. One colour per thing, everywhere.

Seen = full tone, solid line, filled marker; unseen = lighter tone, dashed line, hollow marker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from fas_core.data.names import GROUP_ORDER, in_group_order
from fas_core.data.names import readable as words
from fas_core.metrics.cost import CostCurve
from fas_core.reports.palette import (
    BONA_FIDE_COLOUR,
    MORE_COLOURS,
    NEUTRAL,
    SPECIES_COLOURS,
    TEXT_COLOUR,
    Style,
    style_of,
)


def plot_text(text: str) -> str:
    """Text from files for Plotly, which reads markup in every text it draws: shown as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def plot_words(name: str) -> str:
    """`words` for Plotly."""
    return plot_text(words(name))


def figure(
    *,
    x_title: str = "",
    y_title: str = "",
    height: int = 380,
    x_range: Sequence[float] | None = None,
    y_range: Sequence[float] | None = None,
    legend: bool = True,
) -> go.Figure:
    """An empty figure in the project's style: quiet grid, legend above, fixed height, transparent ground."""
    made = go.Figure()
    made.update_layout(
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
    made.update_xaxes(title=x_title, range=x_range, **grid)
    made.update_yaxes(title=y_title, range=y_range, **grid)
    return made


def add_threshold(made: go.Figure, threshold: float) -> go.Figure:
    """One heavy neutral vertical line."""
    made.add_vline(x=threshold, line={"color": NEUTRAL, "width": 3})
    return made


def _by_group(values: Mapping[str, NDArray[np.float64]]) -> list[tuple[str, NDArray[np.float64]]]:
    return [(name, values[name]) for name in in_group_order(list(values))]


# ------------------------------------------------------------------------------------------------ curves and thresholds


COST_POINTS = 600


def cost_curve(curve: CostCurve, threshold: float, *, x_title: str, x_range: Sequence[float]) -> go.Figure:
    """Expected cost a month against the threshold: the likely one, its range, the minimum and where it is flat."""
    made = figure(x_title=x_title, y_title="expected cost a month", x_range=x_range, legend=False)
    low, high = curve.flat
    inside = (curve.thresholds >= x_range[0]) & (curve.thresholds <= x_range[1])
    shown = np.flatnonzero(inside)
    shown = np.unique(np.append(shown[:: max(1, len(shown) // COST_POINTS)], [curve.best]))
    x = curve.thresholds[shown]
    colour = SPECIES_COLOURS["partial"]
    for y, fill in ((curve.low[shown], None), (curve.high[shown], "tonexty")):
        made.add_scatter(
            x=x, y=y, mode="lines", line={"width": 0}, fill=fill, fillcolor=_clear(colour, 0.25), hoverinfo="skip"
        )
    made.add_scatter(
        x=x,
        y=curve.likely[shown],
        mode="lines",
        line={"color": TEXT_COLOUR, "width": 2},
        customdata=np.stack([curve.low[shown], curve.high[shown]], axis=1),
        hovertemplate="threshold %{x:.5~g}<br>cost %{y:,.0f} (%{customdata[0]:,.0f}–%{customdata[1]:,.0f})"
        "<extra></extra>",
    )
    made.add_vrect(x0=low, x1=high, fillcolor=_clear(NEUTRAL, 0.15), line_width=0, layer="below")
    made.add_scatter(
        x=[curve.thresholds[curve.best]],
        y=[curve.likely[curve.best]],
        mode="markers+text",
        marker={"size": 10, "color": TEXT_COLOUR},
        text=["cheapest"],
        textposition="top center",
        hoverinfo="skip",
    )
    # High where everybody is rejected: the region around the minimum is what is to be read.
    made.update_yaxes(range=[0, 1.05 * min(curve.high[shown].max(), 6 * max(curve.likely[curve.best], 1e-9))])
    return add_threshold(made, threshold)


def _clear(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


# ------------------------------------------------------------------------------------------- latent space, likelihood

MOST_CATEGORIES = 12
OTHER, NOT_GIVEN = "other", "not given"
_SILENT = "#B4B4B4"  # of both


def category_styles(count_of: Mapping[str, int]) -> dict[str, Style]:
    """A style per category of a column: the most frequent ones, then "other"; "" is "not given".

    Give the counts of the whole Run, not only of what is drawn: then filtering changes no colour.
    """
    named = sorted((-count, name) for name, count in count_of.items() if name)
    chosen = sorted(name for _, name in named[:MOST_CATEGORIES])
    known = {name for name in chosen if style_of(name).colour not in MORE_COLOURS}  # the project's own words
    free = iter((*MORE_COLOURS, "#CC3311", "#6655CC"))
    styles = {name: style_of(name) if name in known else Style(next(free)) for name in chosen}
    if len(named) > len(chosen):
        styles[OTHER] = Style(_SILENT)
    if "" in count_of:
        styles[NOT_GIVEN] = Style(_SILENT, is_hollow=True)
    return styles


def pairs(auc: float) -> str:
    """An AUC as the share of pairs it is; never rounded to all or none of them."""
    if 0.995 <= auc < 1:
        return ">99\u00a0%"
    if 0 < auc < 0.005:
        return "<1\u00a0%"
    return f"{100 * auc:.0f}\u00a0%"


def ridges(
    values: Mapping[str, NDArray[np.float64]],
    *,
    x_title: str,
    behind: NDArray[np.float64],
    behind_name: str,
    notes: Mapping[str, str],
    limit: float,
    limit_text: str,
    bins: int = 70,
) -> go.Figure:
    """A histogram per group, one above the other, on shared bins; `behind` (n,) is outlined in every attack's row.

    The bins leave out what is rarest, and the outermost two also take what lies beyond: outliers stay counted and
    visible. Heights are comparable: each group's bars sum to 1. `notes` stand at the right end of their rows.
    `limit`: a vertical line.
    """
    drawn = [(name, v[np.isfinite(v)]) for name, v in _by_group(values) if np.isfinite(v).any()]
    made = figure(x_title=x_title, height=90 + 64 * max(1, len(drawn)), legend=False)
    if not drawn:
        return made
    # Three quarters of every group in view, whatever the tail: a few extreme attacks must not flatten the rest.
    low = min(float(np.percentile(v, 0.5 if name in GROUP_ORDER else 25)) for name, v in drawn)
    high = max(float(np.percentile(v, 99.5, method="higher")) for _, v in drawn)
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    _add_ridges(made, drawn, edges, behind, behind_name)
    for row, (name, _) in enumerate(reversed(drawn)):
        if name in notes:
            made.add_annotation(x=1.01, xref="paper", xanchor="left", y=row + 0.3, text=notes[name], showarrow=False)
    made.add_vline(x=limit, line={"color": NEUTRAL, "width": 1.5, "dash": "dot"})
    made.add_annotation(x=limit, xanchor="right", y=1, yref="paper", yanchor="bottom", text=limit_text, showarrow=False)
    made.update_layout(margin={"l": 130, "t": 28, "r": 76, "b": 48})
    return made


def span(groups_of_values: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """From the lowest 0.5th percentile of any group to the highest 99.5th; all of groups of less than 200."""
    low = min(float(np.percentile(v, 0.5, method="lower")) for v in groups_of_values)
    return low, max(float(np.percentile(v, 99.5, method="higher")) for v in groups_of_values)


def _add_ridges(
    made: go.Figure,
    drawn: Sequence[tuple[str, NDArray[np.float64]]],
    edges: NDArray[np.float64],
    behind: NDArray[np.float64],
    behind_name: str,
) -> None:
    """A row per group, the first on top, with what lies outside the bins written where it is 2 % or more."""
    shares = {name: shares_in(v, edges) for name, v in drawn}
    reference = shares_in(behind, edges) if len(behind) else None
    # The outermost bins hold whole tails: they do not set the scale, and are cut where they would leave their row.
    top = max(float(s[1:-1].max()) for s in (*shares.values(), *([] if reference is None else [reference]))) / 0.85
    top = top or 1.0
    for row, (name, group) in enumerate(reversed(drawn)):
        style = style_of(name)
        if reference is not None and name not in GROUP_ORDER:
            _add_ridge(made, edges, reference, top, row, Style(BONA_FIDE_COLOUR), behind_name, width=1.2)
        said = f"{plot_words(name)} (n = {len(group):,})"
        _add_ridge(made, edges, shares[name], top, row, style, said, width=2, is_filled=True)
        left, right = float((group < edges[0]).mean()), float((group > edges[-1]).mean())
        if left >= 0.02:
            text = f"← {100 * left:.0f} % further left"
            made.add_annotation(x=edges[2], xanchor="left", y=row + 0.6, text=text, showarrow=False)
        if right >= 0.02:
            text = f"{100 * right:.0f} % further right →"
            made.add_annotation(x=edges[-3], xanchor="right", y=row + 0.6, text=text, showarrow=False)
    labels = [f"{plot_words(name)}<br>n = {len(group):,}" for name, group in reversed(drawn)]
    made.update_yaxes(tickvals=[row + 0.3 for row in range(len(drawn))], ticktext=labels, showgrid=False)
    made.update_yaxes(range=(-0.05, len(drawn)))
    made.update_xaxes(range=(edges[0], edges[-1]))


def shares_in(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the values per bin; what lies outside counts in the outermost bins."""
    return np.histogram(values.clip(edges[0], edges[-1]), edges)[0] / len(values)


def _add_ridge(
    made: go.Figure,
    edges: NDArray[np.float64],
    shares: NDArray[np.float64],
    top: float,
    row: int,
    style: Style,
    name: str,
    *,
    width: float,
    is_filled: bool = False,
) -> None:
    """One outlined histogram standing on y = row; `top` is the share that a height of 1 stands for."""
    x = np.repeat(edges, 2)
    stairs = np.concatenate([[0], np.repeat(shares, 2), [0]])
    if is_filled:
        made.add_scatter(x=x[[0, -1]], y=[row, row], mode="lines", line={"width": 0}, hoverinfo="skip")
    else:  # an outline over empty bins would only underline the row
        around = np.maximum(np.append(stairs[1:], 0), np.append(0, stairs[:-1]))
        stairs = np.where((stairs == 0) & (around == 0), np.nan, stairs)
    made.add_scatter(
        x=x,
        y=row + (stairs / top).clip(max=0.92),
        customdata=stairs,
        mode="lines",
        fill="tonexty" if is_filled else None,
        fillcolor=f"{style.colour}{'22' if style.is_hollow else '55'}",
        line={"color": style.colour, "dash": "4px,2px" if style.is_hollow else "solid", "width": width},
        hovertemplate=f"{name}<br>%{{x:.4~g}}: %{{customdata:.1%}} of the group<extra></extra>",
    )


def auc_over_components(auc: Mapping[int, Mapping[str, float]], chosen: int, n: Mapping[str, int]) -> go.Figure:
    """AUC per species over numbers of components, one line per species with its name at the end; `chosen` is marked."""
    ks = sorted(auc)
    made = figure(x_title="number of Gaussians", y_title="AUC", height=340, legend=False)
    made.add_hline(y=0.5, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    made.add_annotation(
        x=0, xref="paper", xanchor="left", y=0.5, yanchor="top", text="chance", showarrow=False, font={"size": 12}
    )
    species = sorted({name for per_species in auc.values() for name in per_species})
    _add_lines(
        made,
        [str(k) for k in ks],
        {name: {str(k): auc[k][name] for k in ks if name in auc[k]} for name in species},
        str(chosen),
        {name: f"(n = {n[name]:,})<br>%{{x}} Gaussians: AUC %{{y:.2f}}" for name in species},
    )
    made.update_yaxes(range=(0, 1.02))
    return made


def distances_by_epoch(
    distances: Mapping[str, Mapping[str, float]], epochs: Sequence[str], chosen: str, n: Mapping[str, int]
) -> go.Figure:
    """How far each species (n images) lies from live faces after each epoch that is kept; `chosen` is marked."""
    made = figure(x_title="epoch", y_title="distance, in live spreads", height=330, legend=False)
    hover = {name: f"(n = {n[name]:,})<br>epoch %{{x}}: %{{y:.1f}} live spreads" for name in distances}
    _add_lines(made, epochs, distances, chosen, hover)
    made.update_yaxes(rangemode="tozero")
    return made


def _add_lines(
    made: go.Figure,
    x: Sequence[str],
    lines: Mapping[str, Mapping[str, float]],
    chosen: str,
    hover: Mapping[str, str],
) -> None:
    """Lines of species over categories, each named at its end, with large dots where x is `chosen`."""
    for name, line in lines.items():
        known = [one for one in x if one in line]
        made.add_scatter(
            x=known,
            y=[line[one] for one in known],
            mode="lines+markers+text",
            text=["" if one != known[-1] else f"  {plot_words(name)}" for one in known],
            textposition="middle right",
            textfont={"size": 13},
            cliponaxis=False,
            line={"color": style_of(name).colour, "width": 2},
            marker={"size": [13 if one == chosen else 7 for one in known], "opacity": 1},
            hovertemplate=f"{plot_words(name)} {hover[name]}<extra></extra>",
        )
    made.update_xaxes(type="category", categoryorder="array", categoryarray=list(x))
    made.update_layout(margin={"r": 96, "t": 16})


@dataclass(frozen=True)
class AucRow:
    """One row of `auc_rows`: an AUC with its interval, another one beside it, and what the pointer reads."""

    name: str
    style: Style
    auc: float
    ends: tuple[float, float] | None
    beside: float | None
    note: str


def auc_rows(groups: Mapping[str, Sequence[AucRow]], *, x_title: str, auc_name: str, beside_name: str) -> go.Figure:
    """Rows of dots with intervals under the headings of their groups, all on one axis with chance at 0.5."""
    lines: list[tuple[str, AucRow | None]] = []
    for heading, rows in groups.items():
        lines += [(f"<b>{plot_text(heading)}</b>", None), *((plot_words(row.name), row) for row in rows)]
    shown = [(-y, row) for y, (_, row) in enumerate(lines) if row is not None]
    lowest = min([0.45, *(v for _, row in shown for v in (row.auc, row.beside, *(row.ends or ())) if v is not None)])
    made = figure(x_title=x_title, height=110 + 26 * len(lines), x_range=(lowest - 0.03, 1.02))
    made.add_vline(x=0.5, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    made.add_annotation(
        x=0.5,
        y=0,
        xanchor="left",
        text="chance",
        showarrow=False,
        font={"size": 12},  # beside the first heading
    )
    for y, row in shown:
        if row.ends is not None:
            made.add_scatter(
                x=row.ends,
                y=[y, y],
                mode="lines",
                line={"color": row.style.colour, "width": 3, "dash": row.style.dash},
                hoverinfo="skip",
                showlegend=False,
            )
    ys = [y for y, _ in shown]
    colours = [row.style.colour for _, row in shown]
    made.add_scatter(
        x=[row.auc for _, row in shown],
        y=ys,
        mode="markers",
        marker={
            "size": 12,
            "color": colours,
            "opacity": 1,
            "symbol": ["circle-open" if row.style.is_hollow else "circle" for _, row in shown],
            "line": {"width": 3, "color": colours},
        },
        text=[plot_text(row.note) for _, row in shown],
        hovertemplate=f"{auc_name} %{{x:.2f}}<br>%{{text}}<extra></extra>",
        showlegend=False,
    )
    made.add_scatter(
        x=[row.beside for _, row in shown],
        y=ys,
        mode="markers",
        marker={"size": 11, "color": NEUTRAL, "symbol": "diamond-open", "line": {"width": 2}},
        text=[plot_text(row.note) for _, row in shown],
        hovertemplate=f"{beside_name} %{{x:.2f}}<br>%{{text}}<extra></extra>",
        name=beside_name,
    )
    made.add_scatter(
        x=[None],
        y=[None],
        mode="lines+markers",
        name=auc_name,
        line={"color": NEUTRAL, "width": 3},
        marker={"size": 12},
        legendrank=1,
    )  # the legend shows the shape in a neutral colour
    made.update_yaxes(
        tickvals=[-y for y in range(len(lines))],
        ticktext=[text for text, _ in lines],
        range=(0.6 - len(lines), 0.6),
        automargin=True,
        showgrid=False,
    )
    return made


# ---------------------------------------------------------------------------------------------- scores over each other

# Colours belong to classes: scores differ by line style, and by tones of gray that no class has.
SCORE_COLOURS = ("#7A7A7A", "#5F7596", "#94754F")
SCORE_DASHES = ("solid", "6px,3px", "2px,2px", "8px,3px,2px,3px", "13px,4px")
MOST_SCORES = len(SCORE_COLOURS) * len(SCORE_DASHES)  # that look different


def score_styles(names: Sequence[str]) -> dict[str, Style]:
    """A style per score by its place in `names`: give all scores of the Run, so that leaving one out changes none."""
    return {
        name: Style(SCORE_COLOURS[i % len(SCORE_COLOURS)], SCORE_DASHES[i % len(SCORE_DASHES)])
        for i, name in enumerate(names)
    }
