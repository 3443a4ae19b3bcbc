"""Arrays -> figures (Plotly; ECharts for curves that grow). Knows no Streamlit. One colour per thing, everywhere.

Seen = full tone, solid line, filled marker; unseen = lighter tone, dashed line, hollow marker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from fas_core.cost import CostCurve
from fas_core.metrics import Curves, probit
from fas_core.palette import ALL_ATTACKS as ALL_ATTACKS
from fas_core.palette import BONA_FIDE_COLOUR as BONA_FIDE_COLOUR
from fas_core.palette import GROUP_ORDER as GROUP_ORDER
from fas_core.palette import MISSED as MISSED
from fas_core.palette import MORE_COLOURS as MORE_COLOURS
from fas_core.palette import NEUTRAL as NEUTRAL
from fas_core.palette import REJECTED as REJECTED
from fas_core.palette import SPECIES_COLOURS as SPECIES_COLOURS
from fas_core.palette import TEXT_COLOUR as TEXT_COLOUR
from fas_core.palette import TRAINING_COLOUR as TRAINING_COLOUR
from fas_core.palette import Style as Style
from fas_core.palette import group_codes as group_codes
from fas_core.palette import groups as groups
from fas_core.palette import in_group_order as in_group_order
from fas_core.palette import lighter as lighter
from fas_core.palette import style_of as style_of
from fas_core.palette import words as words


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


def _roc_plane() -> go.Figure:
    made = _unit_square("BPCER (live faces rejected)", "1 − APCER (attacks found)")
    made.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": NEUTRAL, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )
    return made


def _precision_recall_plane() -> go.Figure:
    return _unit_square("recall (attacks found)", "precision (alarms that are attacks)")


def _unit_square(x_title: str, y_title: str) -> go.Figure:
    """Two shares against each other, with a little room so that lines along the edges stay whole."""
    made = figure(x_title=x_title, y_title=y_title, height=400)
    made.update_xaxes(range=(-0.01, 1.01), tickformat=".0%")
    made.update_yaxes(range=(-0.01, 1.02), tickformat=".0%")
    return made


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


def score_ridges(
    values: Mapping[str, NDArray[np.float64]],
    *,
    x_title: str,
    behind: NDArray[np.float64],
    behind_name: str,
    bins: int = 50,
) -> go.Figure:
    """`ridges` for one of several small panels: lower rows, no limit. Infinite scores count in the outermost bins."""
    drawn = [(name, v[~np.isnan(v)]) for name, v in _by_group(values) if not np.isnan(v).all()]
    made = figure(x_title=x_title, height=78 + 42 * max(1, len(drawn)), legend=False)
    finite = {name: v[np.isfinite(v)] for name, v in drawn if np.isfinite(v).any()}
    if not finite:
        return made
    low, high = _span(list(finite.values()))
    if live := [v for name, v in finite.items() if name in GROUP_ORDER]:
        # Attacks far out must not flatten what the live faces do: beside these is room for twice their width.
        from_live, to_live = _span(live)
        reach = 2 * (to_live - from_live)
        low, high = max(low, from_live - reach), min(high, to_live + reach)
    if low == high:
        low, high = low - 0.5, high + 0.5
    _add_ridges(made, drawn, np.linspace(low, high, bins + 1), behind[~np.isnan(behind)], behind_name)
    made.update_layout(margin={"l": 118, "t": 8, "r": 16, "b": 62}, font={"size": 12})
    made.update_xaxes(title_font={"size": 12})
    return made


def _span(groups_of_values: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
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
    shares = {name: _shares(v, edges) for name, v in drawn}
    reference = _shares(behind, edges) if len(behind) else None
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


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
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


# ------------------------------------------------------------------------------------------- Runs beside each other

RUN_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")  # A, B, C, D, E, F
LETTER_PLACES = ("top center", "bottom center", "middle right", "middle left", "top right", "bottom left")
Bands = Mapping[
    str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
]  # along, low, high: (m,) each


def roc_of_runs(
    curves: Mapping[str, Curves],
    at: Mapping[str, tuple[float, float] | None],
    colour: str = NEUTRAL,
    bands: Bands | None = None,
) -> go.Figure:
    """ROC of several Runs ("A", "B", ...) for the same attacks: one colour, line styles and letters differ.

    `bands`: BPCER, and the 95 % interval of 1 - APCER there.
    """
    made = _roc_plane()
    _add_bands(made, bands or {}, colour)
    lines = {name: (one.fpr, one.tpr) for name, one in curves.items()}
    return _add_runs(made, lines, at, colour, "BPCER %{x:.1%}<br>attacks found %{y:.1%}")


def precision_recall_of_runs(
    curves: Mapping[str, Curves],
    at: Mapping[str, tuple[float, float] | None],
    colour: str = NEUTRAL,
    bands: Bands | None = None,
) -> go.Figure:
    """Precision against recall of several Runs for the same attacks. `bands`: recall, and the interval of precision."""
    made = _precision_recall_plane()
    _add_bands(made, bands or {}, colour)
    lines = {name: (one.recall, one.precision) for name, one in curves.items()}
    return _add_runs(made, lines, at, colour, "recall %{x:.1%}<br>precision %{y:.1%}")


DET_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)


def det_of_runs(
    curves: Mapping[str, Curves],
    at: Mapping[str, tuple[float, float] | None],
    colour: str = NEUTRAL,
    bands: Bands | None = None,
) -> go.Figure:
    """BPCER against APCER on probit axes; `at` (apcer, bpcer). `bands`: BPCER, and the 95 % interval of APCER there.

    Rates are clipped to half a trial, which is the edge of the plane: 0 has no place on a probit axis.
    """
    one = next(iter(curves.values()))
    made = figure(x_title="APCER (attacks let through)", y_title="BPCER (live faces rejected)", height=400)
    n_x, n_y = one.n_attack, one.n_bona_fide
    ticks = {"tickvals": probit(DET_TICKS, 10**9), "ticktext": [f"{100 * tick:g}%" for tick in DET_TICKS]}
    made.update_xaxes(range=probit([0, 1], n_x), **ticks)
    made.update_yaxes(range=probit([0, 1], n_y), **ticks)
    on_axes = {
        name: (probit(1 - high, n_x), probit(1 - low, n_x), probit(along, n_y))
        for name, (along, low, high) in (bands or {}).items()
    }
    for left, right, y in on_axes.values():
        made.add_scatter(
            x=np.concatenate([left, right[::-1]]),
            y=np.concatenate([y, y[::-1]]),
            mode="lines",
            fill="toself",
            fillcolor=_clear(colour, 0.18),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
    lines = {name: (probit(of.apcer_pooled, n_x), probit(of.bpcer, n_y)) for name, of in curves.items()}
    shares = {name: np.column_stack([of.apcer_pooled, of.bpcer]) for name, of in curves.items()}
    points = {
        name: None if point is None else (float(probit([point[0]], n_x)[0]), float(probit([point[1]], n_y)[0]))
        for name, point in at.items()
    }
    hover = "APCER %{customdata[0]:.1%}<br>BPCER %{customdata[1]:.1%}"
    shares |= {f"{name} point": np.array([point]) for name, point in at.items() if point is not None}
    return _add_runs(made, lines, points, colour, hover, shares)


def _add_bands(made: go.Figure, bands: Bands, colour: str) -> None:
    for along, low, high in bands.values():
        for y, fill in ((low, None), (high, "tonexty")):
            made.add_scatter(
                x=along,
                y=y,
                mode="lines",
                line={"width": 0},
                fill=fill,
                fillcolor=_clear(colour, 0.18),
                hoverinfo="skip",
                showlegend=False,
            )


def _add_runs(
    made: go.Figure,
    lines: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    at: Mapping[str, tuple[float, float] | None],
    colour: str,
    hover: str,
    data: Mapping[str, NDArray[np.float64]] | None = None,
) -> go.Figure:
    """`data`: what the hover text says of each line, and of each "NAME point", where it is not x and y."""
    custom = data or {}
    for (name, (x, y)), dash in zip(lines.items(), RUN_DASHES, strict=False):
        made.add_scatter(
            x=x,
            y=y,
            customdata=custom.get(name),
            mode="lines",
            name=name,
            line={"color": colour, "width": 2.5, "dash": dash},
            hovertemplate=f"{name}<br>{hover}<extra></extra>",
        )
        point = at[name]
        if point is None:
            continue
        made.add_scatter(
            x=[point[0]],
            y=[point[1]],
            customdata=custom.get(f"{name} point"),
            mode="markers+text",
            text=[f"<b>{name}</b>"],
            textposition=LETTER_PLACES[list(lines).index(name)],
            textfont={"size": 15},
            cliponaxis=False,
            marker={"color": colour, "size": 11, "line": {"color": "white", "width": 1.5}},
            showlegend=False,
            hovertemplate=f"{name}, at its threshold<br>{hover}<extra></extra>",
        )
    made.update_layout(legend={"traceorder": "normal"})  # bands would turn it round
    return made


def distributions_of_runs(
    values: Mapping[str, Mapping[str, NDArray[np.float64]]], *, x_title: str, bins: int = 50
) -> go.Figure:
    """Letter -> group -> values: a row per group, the Runs over each other by line style on shared bins, A filled.

    Each Run's bars sum to 1; the outermost bins also take what lies beyond.
    """
    groups_shown = in_group_order(list(next(iter(values.values()))))
    made = figure(x_title=x_title, height=90 + 52 * max(1, len(groups_shown)), legend=False)
    finite = [v[np.isfinite(v)] for of_run in values.values() for v in of_run.values()]
    finite = [v for v in finite if v.size]
    if not finite:
        return made
    low, high = _span(finite)
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    for row, group in enumerate(reversed(groups_shown)):
        shares = {
            letter: _shares(of_run[group][~np.isnan(of_run[group])], edges)
            for letter, of_run in values.items()
            if (~np.isnan(of_run[group])).any()
        }
        top = max((float(s.max()) for s in shares.values()), default=1.0) / 0.85
        for (letter, of_group), dash in zip(shares.items(), RUN_DASHES, strict=False):
            colour = style_of(group).colour
            if letter == "A":
                made.add_scatter(x=edges[[0, -1]], y=[row, row], mode="lines", line={"width": 0}, hoverinfo="skip")
            stairs = np.concatenate([[0], np.repeat(of_group, 2), [0]])
            made.add_scatter(
                x=np.repeat(edges, 2),
                y=row + stairs / top,
                customdata=stairs,
                mode="lines",
                fill="tonexty" if letter == "A" else None,
                fillcolor=_clear(colour, 0.25),
                line={"color": colour, "dash": dash, "width": 2},
                hovertemplate=f"{letter}, {plot_words(group)}<br>%{{x:.4~g}}: %{{customdata:.1%}}<extra></extra>",
            )
    labels = [
        f"{plot_words(group)}<br>n = {len(next(iter(values.values()))[group]):,}" for group in reversed(groups_shown)
    ]
    made.update_yaxes(tickvals=[row + 0.3 for row in range(len(labels))], ticktext=labels, showgrid=False)
    made.update_yaxes(range=(-0.05, len(labels)))
    made.update_layout(margin={"l": 130, "t": 8, "r": 16, "b": 48})
    return made


def scores_against_each_other(
    xy: NDArray[np.float64],
    rows: NDArray[np.int64],
    texts: NDArray[np.str_],
    kinds: NDArray[np.str_],
    at: tuple[float, float] | None,
    *,
    x_title: str,
    y_title: str,
) -> go.Figure:
    """Score of B against that of A, both thresholds as lines: what lies in two of the quarters has changed sides.

    `xy` (n, 2); `rows` (n,) are handed back by a selection, `texts` (n,) are shown on hover.
    """
    made = figure(x_title=x_title, y_title=y_title, height=460)
    finite = xy[np.isfinite(xy).all(1)]
    low, high = np.percentile(finite, [0.5, 99.5], axis=0) if len(finite) else (np.zeros(2), np.ones(2))
    room = 0.08 * np.maximum(high - low, 1e-12)
    made.update_xaxes(range=(low[0] - room[0], high[0] + room[0]))
    made.update_yaxes(range=(low[1] - room[1], high[1] + room[1]))
    for name in in_group_order(sorted(set(kinds.tolist()))):
        style, chosen = style_of(name), kinds == name
        made.add_scattergl(
            x=xy[chosen, 0].astype(np.float32),
            y=xy[chosen, 1].astype(np.float32),
            customdata=rows[chosen].astype(np.int32),
            text=texts[chosen],
            mode="markers",
            name=f"{plot_words(name)} ({chosen.sum():,})",
            marker={
                "color": style.colour,
                "symbol": "circle-open" if style.is_hollow else "circle",
                "size": 6,
                "opacity": 0.7,
            },
            hovertemplate="%{text}<extra></extra>",
        )
    if at is not None:
        made.add_vline(x=at[0], line={"color": NEUTRAL, "width": 2})
        made.add_hline(y=at[1], line={"color": NEUTRAL, "width": 2})
    made.update_layout(dragmode="lasso", legend={"itemsizing": "constant", "font": {"size": 12}})
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


def roc_of_scores(
    curves: Mapping[str, Curves], notes: Mapping[str, str], styles: Mapping[str, Style], chosen: str
) -> go.Figure:
    """ROC of several scores of the same samples; `notes` stand behind the names, the `chosen` one is drawn heavier."""
    lines = {name: (one.fpr, one.tpr) for name, one in curves.items()}
    return _add_scores(_roc_plane(), lines, notes, styles, chosen, "BPCER %{x:.1%}<br>attacks found %{y:.1%}")


def precision_recall_of_scores(
    curves: Mapping[str, Curves], notes: Mapping[str, str], styles: Mapping[str, Style], chosen: str
) -> go.Figure:
    """Precision against recall of several scores of the same samples, with the precision of guessing."""
    made = _precision_recall_plane()
    one = next(iter(curves.values()))
    share = one.n_attack / (one.n_attack + one.n_bona_fide)
    made.add_hline(y=share, line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    made.add_annotation(
        x=1,
        xanchor="right",
        y=share,
        yanchor="top" if share > 0.1 else "bottom",  # below the line, where few curves are, if there is room
        text=f"chance: {share:.0%} are attacks",
        showarrow=False,
    )
    lines = {name: (one.recall, one.precision) for name, one in curves.items()}
    return _add_scores(made, lines, notes, styles, chosen, "recall %{x:.1%}<br>precision %{y:.1%}")


def _add_scores(
    made: go.Figure,
    lines: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    notes: Mapping[str, str],
    styles: Mapping[str, Style],
    chosen: str,
    hover: str,
) -> go.Figure:
    for name, (x, y) in lines.items():
        made.add_scatter(
            x=x,
            y=y,
            mode="lines",
            name=f"{plot_text(name)} {notes[name]}",
            line={"color": styles[name].colour, "dash": styles[name].dash, "width": 4 if name == chosen else 2},
            hovertemplate=f"{plot_text(name)}<br>{hover}<extra></extra>",
        )
    room = 22 * -(-len(lines) // 2)  # two names a row where the chart is narrow
    made.update_layout(
        height=400 + room,
        margin={"t": 12, "b": 56 + room},
        legend={"y": -56 / 332, "yanchor": "top", "itemwidth": 44, "font": {"size": 12}},
    )
    return made


# ------------------------------------------------------------------------------------------------ trainings

# Drawn by ECharts: it changes a chart in place, where a Plotly figure that changes is taken away and built anew. A
# curve that grows every two seconds must not flicker. All texts below are the project's own.

LINE_TYPES = ("solid", [8, 4], [2, 3], [9, 3, 2, 3])  # A, B, C, D, as in RUN_DASHES
LETTER_WIDTH = 12  # pixels
MOST_SYMBOLS = 40  # epochs; more dots than that are a thick line


@dataclass(frozen=True)
class TrainingCurve:
    """One loss term of one training as (n, 2) arrays of x and value; `letter` is "" where there is only one."""

    letter: str
    epochs: NDArray[np.float64]  # dev images, after every epoch
    kept: NDArray[np.float64]  # the one of them whose checkpoint was kept
    steps: NDArray[np.float64]  # training images, running mean
    points: NDArray[np.float64]  # training images, single steps
    settled_from: float = 0.0  # x; what the running mean does before does not set the scale
    events: Sequence[float] = ()  # x; marked at the top


def training_curves(curves: Sequence[TrainingCurve], *, x_title: str, x_max: float) -> dict[str, object]:
    """An ECharts option: dev as a line with a dot per epoch, training thin and gray, trainings by line style."""
    low, high, interval = _value_axis(curves)
    series: list[dict[str, object]] = []
    ends: list[NDArray[np.float64]] = []
    for curve, line_type in zip(curves, LINE_TYPES, strict=False):
        drawn = curve.epochs if len(curve.epochs) else curve.steps
        end = drawn[-1] / (x_max, high - low) if len(drawn) else np.full(2, np.nan)
        # Letters of lines that end together stand side by side.
        series += _series_of(curve, line_type, high, sum(bool((np.abs(end - other) < 0.08).all()) for other in ends))
        ends.append(end)
    axis = {"type": "value", "splitLine": {"lineStyle": {"color": "rgba(128,128,128,0.2)"}}}
    label = {"hideOverlap": True, "fontSize": 12}
    return {
        "animation": False,
        "grid": {
            "left": 56,
            "right": 24 + LETTER_WIDTH * (len(curves) - 1),
            "top": 20,
            "bottom": 42,
            "outerBoundsMode": "none",
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "valueFormatter": "%,.4g",
            "axisPointer": {"label": {"formatter": f"{x_title} {{value}}", "precision": 0}},
        },
        "xAxis": axis
        | {"min": 0, "max": x_max, "minInterval": 1, "axisLabel": label}
        | {"name": x_title, "nameLocation": "middle", "nameGap": 26, "nameTextStyle": {"fontSize": 12}},
        "yAxis": axis | {"min": low, "max": high, "interval": interval, "axisLabel": label},
        "series": series,
    }


def _series_of(curve: TrainingCurve, line_type: object, top: float, n_beside: int) -> list[dict[str, object]]:
    of = f"{curve.letter}, " if curve.letter else ""
    has_dev = len(curve.epochs) > 0
    quiet = {"silent": True, "tooltip": {"show": False}}
    letter = {"show": bool(curve.letter), "formatter": curve.letter, "distance": 6 + LETTER_WIDTH * n_beside}
    letter |= {"fontSize": 14, "fontWeight": "bold"}
    gray, blue = {"color": TRAINING_COLOUR}, {"color": BONA_FIDE_COLOUR, "opacity": 1}
    points = {"type": "scatter", "data": _pairs(curve.points), "symbolSize": 2.5, "z": 1} | quiet
    training = {
        "type": "line",
        "name": f"{of}training",
        "data": _pairs(curve.steps),
        "showSymbol": False,
        "z": 2,
        "lineStyle": gray | {"width": 1.5, "type": line_type},
        "itemStyle": gray,
        "emphasis": {"disabled": True},
        "endLabel": letter | {"show": bool(curve.letter) and not has_dev},
    }
    dev = training | {
        "name": f"{of}dev",
        "data": _pairs(curve.epochs),
        "symbol": "circle",
        "symbolSize": 4 if curve.letter else 6,
        "showSymbol": len(curve.epochs) <= MOST_SYMBOLS,
        "z": 3,
        "lineStyle": blue | {"width": 2, "type": line_type},
        "itemStyle": blue,
        "endLabel": letter,
    }
    kept = {
        "type": "scatter",
        "data": _pairs(curve.kept),
        "symbolSize": 12,
        "z": 4,
        "itemStyle": blue | {"borderColor": "#FFFFFF", "borderWidth": 2},
        "label": {"show": not curve.letter, "formatter": "kept", "position": "top", "fontSize": 12},
    } | quiet
    events = {
        "type": "scatter",
        "data": [[x, top] for x in curve.events],
        "symbol": "triangle",
        "symbolRotate": 180,
        "symbolSize": 9,
        "itemStyle": {"color": MISSED, "opacity": 1},
        "z": 4,
    } | quiet
    made = [points | {"itemStyle": gray | {"opacity": 0.4}}, training, dev, kept, events]
    if has_dev and len(curve.steps):
        # The pointer rests on epochs, and tells both means there: not those of the many steps between.
        at_epochs = np.column_stack([curve.epochs[:, 0], np.interp(curve.epochs[:, 0], *curve.steps.T)])
        made[1] = training | quiet
        made.append(training | {"data": _pairs(at_epochs), "lineStyle": {"opacity": 0}})
    return made


def _pairs(points: NDArray[np.float64]) -> list[list[float]]:
    """Finite points as JSON, with six digits: what a screen can show."""
    finite = points[np.isfinite(points).all(1)] if len(points) else points
    return [[float(f"{x:.6g}"), float(f"{y:.6g}")] for x, y in finite.tolist()]


def _value_axis(curves: Sequence[TrainingCurve]) -> tuple[float, float, float]:
    """Lowest, highest and distance of the marks, all round numbers, for what the lines do once they have settled."""
    values = []
    for curve in curves:
        settled = curve.steps[curve.steps[:, 0] >= curve.settled_from]
        values += [curve.epochs[:, 1], (settled if len(settled) else curve.steps)[:, 1]]
    finite = np.concatenate([*values, [np.nan]])
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low == high:  # a constant is shown with its distance from 0
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    span = high - low
    power = 10.0 ** np.floor(np.log10(span / 4))
    interval = next(m for m in (1, 2, 5, 10) if m * power >= span / 4) * power
    bottom, top = np.floor((low - 0.05 * span) / interval), np.ceil((high + 0.1 * span) / interval)
    if low >= 0:
        bottom = max(bottom, 0.0)  # losses have no negative values to make room for
    low, high, interval = (float(f"{bound:.10g}") for bound in (bottom * interval, top * interval, interval))
    return low, high, interval
