"""Arrays -> figures (Plotly; ECharts for curves that grow). Knows no Streamlit. One colour per thing, everywhere.

Seen = full tone, solid line, filled marker; unseen = lighter tone, dashed line, hollow marker.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from fas_core.manifest import ATTACK, BONA_FIDE
from fas_core.metrics import Curves

BONA_FIDE_COLOUR = "#0072B2"
TRAINING_COLOUR = "#8C8C8C"
NEUTRAL = "#7A7A7A"  # the threshold line and other marks that mean no class; readable on light and dark
ALL_ATTACKS = "all attacks"
MISSED, REJECTED = "#D62728", "#E0A100"  # outlines: an attack let through, a live face turned away
SPECIES_COLOURS = {
    "paper": "#E69F00",
    "print": "#E69F00",
    "replay": "#D55E00",
    "mask": "#CC79A7",
    "makeup": "#009E73",
    "partial": "#56B4E9",
}
# Further species, subsets and categories, stable by name.
# No blue: that is bona fide alone.
MORE_COLOURS = (
    "#117733", "#882255", "#999933", "#AA4499", "#DDAA33", "#AA3377", "#997700", "#44AA77", "#CC3311", "#6B4C9A",
    "#8C6D31", "#D6616B", "#637939", "#B15928", "#C994C7", "#525252", "#E7969C", "#BD9E39", "#7B4173", "#A1D99B",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How one group is drawn."""

    colour: str
    dash: str = "solid"
    is_hollow: bool = False


def style_of(name: str) -> Style:
    """The style of a group, subset, species or any other category, by its name alone."""
    matched = re.fullmatch(r"(seen|unseen)_(.+)", name)
    if matched:
        colour = style_of(matched[2]).colour
        return Style(lighter(colour), "dash", True) if matched[1] == "unseen" else Style(colour)
    if name == "bona fide, unseen":
        return Style(lighter(BONA_FIDE_COLOUR), "dash", True)
    if name == "live":
        return Style(BONA_FIDE_COLOUR, "dot")  # apart from the live images of the seen sets, which share the colour
    if name in (BONA_FIDE, "bona fide", "bona fide, seen"):
        return Style(BONA_FIDE_COLOUR)
    if name == "train":
        return Style(TRAINING_COLOUR)
    if name in SPECIES_COLOURS:
        return Style(SPECIES_COLOURS[name])
    return Style(MORE_COLOURS[zlib.crc32(name.encode()) % len(MORE_COLOURS)])


def lighter(colour: str, by: float = 0.4) -> str:
    """A hexadecimal colour mixed with white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(p + (255 - p) * by):02X}" for p in parts)


def groups(samples: pd.DataFrame) -> NDArray[np.str_]:
    """(n,) what each sample is, for colours: its subset; the live images of spoof subsets as bona fide, seen or unseen.

    Where subsets are not the protocol's (dev, test, ...), the species of an attack, and bona fide. Needs the columns
    subset, label, pai_species.
    """
    subset = samples["subset"].to_numpy(str)
    is_attack = samples["label"].to_numpy() == ATTACK
    side = pd.Series(subset).str.extract(r"^(seen|unseen)_")[0].to_numpy()
    in_protocol = np.isin(subset, ["train", "live"]) | pd.notna(side)
    live_name = np.where(pd.isna(side), subset, "bona fide, " + pd.Series(side).fillna("").to_numpy(str))
    species = np.where(samples["pai_species"].to_numpy(str) == "", "unspecified", samples["pai_species"].to_numpy(str))
    elsewhere = np.where(is_attack, species, "bona fide")
    return np.where(in_protocol, np.where(is_attack, np.where(pd.isna(side), species, subset), live_name), elsewhere)


GROUP_ORDER = ("train", "live", "bona fide", "bona fide, seen", "bona fide, unseen")


def in_group_order(names: Sequence[str]) -> list[str]:
    """Training first, then bona fide, then attacks by species, seen before unseen."""

    def rank(name: str) -> tuple[int, int, str, str]:
        if name in GROUP_ORDER:
            return (0, GROUP_ORDER.index(name), "", "")
        matched = re.fullmatch(r"(seen|unseen)_(.+)", name)
        return (1, 0, matched[2], matched[1]) if matched else (1, 0, name, "")

    return sorted(map(str, names), key=rank)


def words(name: str) -> str:
    """A name as people read it: seen_paper -> seen paper."""
    return name.replace("_", " ")


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


def histogram(
    values: Mapping[str, NDArray[np.float64]], *, x_title: str, bins: int = 60, height: int = 380
) -> go.Figure:
    """Outlined histograms of several groups over shared bins; each group's bars sum to 1.

    The bins span the 0.5 to 99.5 percentiles of all values; the outermost two also take what lies beyond, so that
    outliers stay counted and visible, and the hover text says so.
    """
    everything = np.concatenate([v[np.isfinite(v)] for v in values.values()] or [np.empty(0)])
    made = figure(x_title=x_title, y_title="share of the group", height=height)
    if not everything.size:
        return made
    low, high = np.percentile(everything, [0.5, 99.5])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    for name, group in _by_group(values):
        finite = group[np.isfinite(group)]
        if not finite.size:
            continue
        shares = np.histogram(finite.clip(low, high), edges)[0] / finite.size
        style = style_of(name)
        made.add_scatter(
            x=np.repeat(edges, 2),
            y=np.concatenate([[0], np.repeat(shares, 2), [0]]),
            mode="lines",
            name=f"{plot_words(name)} ({finite.size})",
            line={"color": style.colour, "dash": style.dash, "width": 2},
            hovertemplate=f"{plot_words(name)}<br>{x_title} %{{x:.4~g}}<br>share %{{y:.1%}}<extra></extra>",
        )
    made.update_xaxes(range=(low, high))
    made.update_yaxes(tickformat=".0%", rangemode="tozero")
    return made


# ------------------------------------------------------------------------------------------------ curves and thresholds


def error_rates(curves: Curves, threshold: float, *, x_title: str, x_range: Sequence[float]) -> go.Figure:
    """BPCER and the APCER of every species against the threshold."""
    made = figure(x_title=x_title, y_title="error rate", x_range=x_range, y_range=(0, 1.02))
    finite = np.isfinite(curves.thresholds)
    x = curves.thresholds[finite]
    lines = [("BPCER", curves.bpcer, style_of(BONA_FIDE))]
    lines += [(f"APCER {plot_words(name)}", rates, style_of(name)) for name, rates in curves.apcer.items()]
    for name, rates, style in lines:
        made.add_scatter(
            x=x,
            y=rates[finite],
            mode="lines",
            name=name,
            line={"color": style.colour, "width": 3 if name == "BPCER" else 2, "shape": "vh"},
            hovertemplate=f"{name} %{{y:.1%}}<br>threshold %{{x:.5~g}}<extra></extra>",
        )
    made.update_yaxes(tickformat=".0%")
    return add_threshold(made, threshold)


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


def roc(by_species: Mapping[str, Curves], at: Mapping[str, tuple[float, float]]) -> go.Figure:
    """Attacks found against bona fide rejected; `at`: the points (bpcer, 1 - apcer) of the threshold."""
    made = _roc_plane()
    for name, curve in by_species.items():
        _add_curve(made, name, curve.fpr, curve.tpr, at[name], "BPCER %{x:.1%}<br>attacks found %{y:.1%}")
    return made


def precision_recall(by_species: Mapping[str, Curves], at: Mapping[str, tuple[float, float] | None]) -> go.Figure:
    """Precision against recall; `at`: (recall, precision) at the threshold, None where nothing is called an attack."""
    made = _precision_recall_plane()
    for name, curve in by_species.items():
        _add_curve(made, name, curve.recall, curve.precision, at[name], "recall %{x:.1%}<br>precision %{y:.1%}")
    return made


def _add_curve(
    made: go.Figure,
    name: str,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    at: tuple[float, float] | None,
    hover: str,
) -> None:
    is_all = name == ALL_ATTACKS
    colour = NEUTRAL if is_all else style_of(name).colour
    made.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=plot_words(name),
        line={"color": colour, "width": 3 if is_all else 2},
        hovertemplate=f"{plot_words(name)}<br>{hover}<extra></extra>",
    )
    if at is not None:
        made.add_scatter(
            x=[at[0]],
            y=[at[1]],
            mode="markers",
            marker={"color": colour, "size": 11, "line": {"color": "white", "width": 1.5}},
            showlegend=False,
            hovertemplate=f"{plot_words(name)}, at the threshold<br>{hover}<extra></extra>",
        )


# ------------------------------------------------------------------------------------------- latent space, likelihood

MOST_CATEGORIES = 12
OTHER, NOT_GIVEN = "other", "not given"
_SILENT = "#B4B4B4"  # of both


def category_styles(all_values: NDArray[np.str_]) -> dict[str, Style]:
    """A style per category of a column: the most frequent ones, then "other"; "" is "not given".

    Give all values of the Run, not only the drawn ones: then filtering changes no colour.
    """
    names, counts = np.unique(all_values, return_counts=True)
    named = sorted((-int(count), str(name)) for name, count in zip(names, counts, strict=True) if name)
    chosen = sorted(name for _, name in named[:MOST_CATEGORIES])
    known = {name for name in chosen if style_of(name).colour not in MORE_COLOURS}  # the project's own words
    free = iter((*MORE_COLOURS, "#CC3311", "#6655CC"))
    styles = {name: style_of(name) if name in known else Style(next(free)) for name in chosen}
    if len(named) > len(chosen):
        styles[OTHER] = Style(_SILENT)
    if "" in names:
        styles[NOT_GIVEN] = Style(_SILENT, is_hollow=True)
    return styles


def as_categories(values: NDArray[np.str_], styles: Mapping[str, Style]) -> NDArray[np.str_]:
    """Values as the names in `styles`: "" as "not given", rare ones as "other"."""
    named = np.where(values == "", NOT_GIVEN, values)
    return np.where(np.isin(named, list(styles)), named, OTHER)


@dataclass(frozen=True)
class Points:
    """What a scatter draws: positions (n, 2), row numbers (n,) handed back by a selection, hover texts (n,)."""

    xy: NDArray[np.floating]
    rows: NDArray[np.int64]
    texts: NDArray[np.str_]

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Points:
        return Points(self.xy[chosen], self.rows[chosen], self.texts[chosen])


def scatter_by_category(points: Points, kinds: NDArray[np.str_], styles: Mapping[str, Style]) -> go.Figure:
    """One colour per category; `styles` in drawing order, the first at the bottom."""
    made = _scatter_figure()
    at_bottom = [name for name in (OTHER, NOT_GIVEN) if name in styles]
    for name in (*at_bottom, *(name for name in styles if name not in at_bottom)):
        chosen = kinds == name
        if chosen.any():
            style = styles[name]
            marker = {"color": style.colour, "symbol": "circle-open" if style.is_hollow else "circle"}
            rank = 2000 if name in at_bottom else 1000
            _add_points(made, points[chosen], f"{plot_words(name)} ({chosen.sum():,})", marker, len(points.rows), rank)
    return made


def scatter_by_number(
    points: Points, numbers: NDArray[np.floating], is_attack: NDArray[np.bool_], *, title: str
) -> go.Figure:
    """One perceptual scale with its bar, between the 1st and 99th percentiles; attacks are diamonds."""
    made = _scatter_figure()
    has_number = np.isfinite(numbers)
    low, high = np.percentile(numbers[has_number], [1, 99]) if has_number.any() else (0.0, 1.0)
    kinds = (
        (NOT_GIVEN, ~has_number, "circle-open"),
        ("bona fide", has_number & ~is_attack, "circle"),
        ("attacks", has_number & is_attack, "diamond"),
    )
    for name, chosen, symbol in kinds:
        if not chosen.any():
            continue
        # The scale's outline keeps its dark end visible on a dark ground.
        outline = {"width": 0.5, "color": "rgba(128,128,128,0.7)"}
        coloured = {"color": numbers[chosen].astype(np.float32), "coloraxis": "coloraxis", "line": outline}
        marker = {"symbol": symbol, **(coloured if name != NOT_GIVEN else {"color": _SILENT})}
        _add_points(made, points[chosen], name, marker, len(points.rows), is_in_legend=False)
        made.add_scattergl(  # the legend shows the shape in a neutral colour
            x=[None],
            y=[None],
            mode="markers",
            marker={"symbol": symbol, "color": NEUTRAL},
            name=f"{name} ({chosen.sum():,})",
            legendgroup=name,
        )
    bar = {"title": {"text": title, "side": "top"}, "orientation": "h", "thickness": 10, "outlinewidth": 0}
    bar |= {"x": 0, "xanchor": "left", "len": 1, "y": -0.17, "yanchor": "top", "tickformat": ",.4~r"}
    made.update_layout(coloraxis={"colorscale": "Viridis", "cmin": low, "cmax": high, "colorbar": bar})
    return made


def _scatter_figure() -> go.Figure:
    made = figure(height=695)
    made.update_layout(
        dragmode="lasso",
        # The same plotting area whatever the legend holds: changing the colour moves nothing.
        margin={"l": 56, "r": 8, "t": 54, "b": 165, "autoexpand": False},
        legend={"y": -0.11, "yanchor": "top", "itemsizing": "constant", "tracegroupgap": 0, "font": {"size": 12}},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": NEUTRAL, "activecolor": BONA_FIDE_COLOUR},
    )
    made.update_yaxes(scaleanchor="x", scaleratio=1)  # distances mean the same in both directions
    return made


def _add_points(
    made: go.Figure,
    points: Points,
    name: str,
    marker: Mapping[str, object],
    n_all: int,
    rank: int = 1000,
    *,
    is_in_legend: bool = True,
) -> None:
    size = 8 if n_all <= 1_000 else 5 if n_all <= 8_000 else 4
    made.add_scattergl(
        x=points.xy[:, 0].astype(np.float32),
        y=points.xy[:, 1].astype(np.float32),
        customdata=points.rows.astype(np.int32),  # a number each: nested typed arrays do not come back as lists
        text=points.texts,
        mode="markers",
        name=name,
        legendgroup=name,
        legendrank=rank,
        showlegend=is_in_legend,
        marker={"size": size, "opacity": 0.75, **marker},
        hovertemplate="%{text}<extra></extra>",
    )


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
    for name in sorted({name for per_species in auc.values() for name in per_species}):
        known = [k for k in ks if name in auc[k]]
        made.add_scatter(
            x=[str(k) for k in known],
            y=[auc[k][name] for k in known],
            mode="lines+markers+text",
            text=["" if k != known[-1] else f"  {plot_words(name)}" for k in known],
            textposition="middle right",
            textfont={"size": 13},
            cliponaxis=False,
            line={"color": style_of(name).colour, "width": 2},
            marker={"size": [13 if k == chosen else 7 for k in known], "opacity": 1},
            hovertemplate=f"{plot_words(name)} (n = {n[name]:,})<br>%{{x}} Gaussians: AUC %{{y:.2f}}<extra></extra>",
        )
    made.update_xaxes(type="category", categoryorder="array", categoryarray=[str(k) for k in ks])
    made.update_yaxes(range=(0, 1.02))
    made.update_layout(margin={"r": 96, "t": 16})
    return made


# ------------------------------------------------------------------------------------------- Runs beside each other

RUN_DASHES = ("solid", "dash", "dot", "dashdot")  # A, B, C, D


def roc_of_runs(
    curves: Mapping[str, Curves], at: Mapping[str, tuple[float, float] | None], colour: str = NEUTRAL
) -> go.Figure:
    """ROC of several Runs ("A", "B", ...) for the same attacks: one colour, line styles and letters differ."""
    made = _roc_plane()
    lines = {name: (one.fpr, one.tpr) for name, one in curves.items()}
    return _add_runs(made, lines, at, colour, "BPCER %{x:.1%}<br>attacks found %{y:.1%}")


def precision_recall_of_runs(
    curves: Mapping[str, Curves], at: Mapping[str, tuple[float, float] | None], colour: str = NEUTRAL
) -> go.Figure:
    """Precision against recall of several Runs for the same attacks."""
    made = _precision_recall_plane()
    lines = {name: (one.recall, one.precision) for name, one in curves.items()}
    return _add_runs(made, lines, at, colour, "recall %{x:.1%}<br>precision %{y:.1%}")


def _add_runs(
    made: go.Figure,
    lines: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    at: Mapping[str, tuple[float, float] | None],
    colour: str,
    hover: str,
) -> go.Figure:
    for (name, (x, y)), dash in zip(lines.items(), RUN_DASHES, strict=False):
        made.add_scatter(
            x=x,
            y=y,
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
            mode="markers+text",
            text=[f"<b>{name}</b>"],
            textposition="top center" if name == "A" else "bottom center",
            textfont={"size": 15},
            cliponaxis=False,
            marker={"color": colour, "size": 11, "line": {"color": "white", "width": 1.5}},
            showlegend=False,
            hovertemplate=f"{name}, at its threshold<br>{hover}<extra></extra>",
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
