"""Histograms of groups, one row above the other on shared bins, as ECharts options. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.charts.echarts import (
    LINE_TYPES,
    QUIET,
    Option,
    invisible,
    line_type,
    loop,
    marks,
    number,
    pairs,
    percent,
    rounded,
    table,
    value_axis,
)
from fas_core.data.names import GROUP_ORDER, in_group_order, readable
from fas_core.metrics.bins import edges as edges_between
from fas_core.reports.palette import BONA_FIDE_COLOUR, NEUTRAL, colour_of_run, style_of

Values = NDArray[np.float64]
TALLEST = 0.92  # of a row, for a bar that would leave it


@dataclass(frozen=True, eq=False)
class _Outline:
    """One histogram standing in a row."""

    whose: str  # what the pointer reads above the bar
    shares: Values  # (bins,)
    colour: str
    line_type: object
    width: float = 2
    opacity: float = 0  # of what it encloses


@dataclass(frozen=True, eq=False)
class _Row:
    label: str
    outlines: Sequence[_Outline]
    top: float  # the share that fills the row
    beyond: tuple[str, str] = ("", "")  # said at the ends
    note: str = ""  # at the right of the row


def distributions_of_runs(values: Mapping[str, Mapping[str, Values]], *, x_title: str, bins: int = 50) -> Option:
    """Letter -> group -> values: a row per group, the Runs over each other by colour and line style, A filled.

    Each Run's bars sum to 1; the outermost bins also take what lies beyond. `rows_height` is how high it wants to be.
    """
    of_a = next(iter(values.values()))
    finite = [v[np.isfinite(v)] for of_run in values.values() for v in of_run.values()]
    low, high = span([v for v in finite if v.size] or [np.array([0.0, 1.0])])
    edges = edges_between(low, high, bins)
    rows = []
    for group in in_group_order(list(of_a)):
        outlines = [
            _Outline(
                f"{letter}, {readable(group)}",
                shares_in(known, edges),
                colour_of_run(letter),
                line_type,
                opacity=0.18 if letter == "A" else 0,
            )
            for (letter, of_run), line_type in zip(values.items(), LINE_TYPES, strict=False)
            if (known := of_run[group][~np.isnan(of_run[group])]).size
        ]
        top = max((float(outline.shares.max()) for outline in outlines), default=1.0) / 0.85
        rows.append(_Row(f"{readable(group)}\nn = {len(of_a[group]):,}", outlines, top))
    return _drawn(rows, edges, x_title)


def rows_height(n: int) -> int:
    """Pixels that n groups take in `distributions_of_runs`."""
    return 90 + 52 * max(1, n)


@dataclass(frozen=True, eq=False)
class Binned:
    """Histograms of g groups on shared bins: all that `distributions_of_score` draws of the values."""

    names: Sequence[str]  # (g,), in order
    n: NDArray[np.int64]  # (g,) values
    edges: Values  # (bins + 1,)
    shares: Values  # (g, bins)
    beyond: Values  # (g, 2): the shares left and right of all bins
    behind: Values  # (bins,), or of no value (0,)

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """To be kept."""
        return vars(self) | {"names": np.array(self.names, str)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Binned:
        """What `as_arrays` gave."""
        return cls(**{**arrays, "names": arrays["names"].tolist()})


def binned(values: Mapping[str, Values], behind: Values, *, bins: int = 50, in_view: float = 1.0) -> Binned:
    """Of the groups with a value, see `distributions_of_score`."""
    known = {name: values[name][~np.isnan(values[name])] for name in in_group_order(list(values))}
    known = {name: v for name, v in known.items() if v.size}
    finite = {name: v[np.isfinite(v)] for name, v in known.items() if np.isfinite(v).any()}
    if not finite:
        nothing = np.empty(0)
        return Binned([], nothing.astype(np.int64), np.linspace(0, 1, bins + 1), nothing, nothing, nothing)
    low, high = span(list(finite.values()))
    if live := [v for name, v in finite.items() if name in GROUP_ORDER]:
        # Attacks far out must not flatten what the live faces do: beside these is room for twice their width.
        from_live, to_live = span(live)
        reach = 2 * (to_live - from_live)
        attacks = [v for name, v in finite.items() if name not in GROUP_ORDER]
        least = min([from_live, *(float(np.quantile(v, 1 - in_view)) for v in attacks)])
        most = max([to_live, *(float(np.quantile(v, in_view)) for v in attacks)])
        low, high = max(low, from_live - reach, least), min(high, to_live + reach, most)
    edges = edges_between(low, high, bins)
    behind = behind[~np.isnan(behind)]
    return Binned(
        list(known),
        np.array([len(v) for v in known.values()]),
        edges,
        np.array([shares_in(v, edges) for v in known.values()]),
        np.array([[float((v < edges[0]).mean()), float((v > edges[-1]).mean())] for v in known.values()]),
        shares_in(behind, edges) if behind.size else np.empty(0),
    )


def distributions_of_score(
    values: Mapping[str, Values],
    *,
    x_title: str,
    behind: Values,
    behind_name: str,
    bins: int = 50,
    notes: Mapping[str, str] | None = None,
    limit: tuple[float, str] | None = None,
    in_view: float = 1.0,
) -> Option:
    """A row per group of one score or likelihood; `behind` (n,) is outlined in every attack's row.

    Each group's bars sum to 1 and have the same scale. The outermost bins also take what lies beyond, which is written
    there where it is 2 % or more. `notes` stand at the right end of their groups' rows; `limit` is a dotted line with
    what it says. `in_view` is the share of each attack that the axis must reach beside the live faces, 0 to 1.
    `score_height` is how high it wants to be.
    """
    of = binned(values, behind, bins=bins, in_view=in_view)
    return distributions_drawn(of, x_title=x_title, behind_name=behind_name, notes=notes, limit=limit)


def distributions_drawn(
    of: Binned,
    *,
    x_title: str,
    behind_name: str,
    notes: Mapping[str, str] | None = None,
    limit: tuple[float, str] | None = None,
) -> Option:
    """What `distributions_of_score` draws."""
    if not of.names:
        return _drawn([], of.edges, x_title)
    reference = [of.behind] if of.behind.size else []
    # The outermost bins hold whole tails: they do not set the scale, and are cut where they would leave their row.
    top = max(float(heights[1:-1].max()) for heights in (*of.shares, *reference)) / 0.85 or 1.0
    rows = []
    for name, n, shares, (left, right) in zip(of.names, of.n.tolist(), of.shares, of.beyond.tolist(), strict=True):
        style, outlines = style_of(name), []
        if name not in GROUP_ORDER:
            outlines = [_Outline(behind_name, heights, BONA_FIDE_COLOUR, "solid", width=1.2) for heights in reference]
        kind = line_type("dash" if style.is_hollow else "solid")
        opacity = 0.13 if style.is_hollow else 0.33
        outlines.append(_Outline(f"{readable(name)} (n = {n:,})", shares, style.colour, kind, opacity=opacity))
        beyond = (
            f"← {100 * left:.0f}\u00a0% further left" if left >= 0.02 else "",
            f"{100 * right:.0f}\u00a0% further right →" if right >= 0.02 else "",
        )
        rows.append(_Row(f"{readable(name)}\nn = {n:,}", outlines, top, beyond, (notes or {}).get(name, "")))
    return _drawn(rows, of.edges, x_title, limit)


def score_height(n: int, title_lines: int = 1) -> int:
    """Pixels that n groups take in `distributions_of_score`."""
    return 58 + 16 * title_lines + 42 * max(1, n)


def span(groups_of_values: Sequence[Values]) -> tuple[float, float]:
    """From the lowest 0.5th percentile of any group to the highest 99.5th; all of groups of less than 200."""
    low = min(float(np.percentile(v, 0.5, method="lower")) for v in groups_of_values)
    return low, max(float(np.percentile(v, 99.5, method="higher")) for v in groups_of_values)


def shares_in(values: Values, edges: Values) -> Values:
    """Share of the values per bin; what lies outside counts in the outermost bins."""
    return np.histogram(values.clip(edges[0], edges[-1]), edges)[0] / len(values)


def _drawn(rows: Sequence[_Row], edges: Values, x_title: str, limit: tuple[float, str] | None = None) -> Option:
    """The first row on top."""
    middles = (edges[:-1] + edges[1:]) / 2
    x = np.repeat(edges, 2)
    series: list[Option] = []
    read: list[list[object]] = []
    labels: list[Option] = []
    beyond: list[Option] = []
    notes: list[Option] = []
    for floor, row in enumerate(reversed(rows)):
        labels.append({"yAxis": floor + 0.3, "label": {"formatter": row.label}})
        if row.note:
            notes.append({"yAxis": floor + 0.3, "label": {"formatter": row.note}})
        for at, place, text in zip((edges[0], edges[-1]), ("right", "left"), row.beyond, strict=True):
            if text:
                beyond.append({"value": [at, floor + 0.6], "label": {"formatter": text, "position": place}})
        for outline in row.outlines:
            heights = (outline.shares / row.top).clip(max=TALLEST)
            y = floor + np.r_[0, np.repeat(heights, 2), 0]
            if outline.opacity:
                area = loop(
                    np.r_[x, x[-1], x[0]], np.r_[y, floor, floor], outline.colour, 1.0, outline.whose, outline.opacity
                )
                series.append(area)
            series.append(_stairs(x, y, outline, floor))
            places = pairs(np.column_stack([middles, floor + heights]))
            read += [
                [*place, outline.whose, text] for place, text in zip(places, _said(edges, outline.shares), strict=True)
            ]
    hidden = {"axisLabel": {"show": False}, "axisTick": {"show": False}, "splitLine": {"show": False}}
    more = 15 * x_title.count("\n")
    edge: Option = {"left": 130, "right": 76 if notes else 20, "top": 28 if limit else 12, "bottom": 48 + more}
    limits: list[Option] = [] if limit is None else [_limit(*limit)]
    drawn = [
        [row.label.partition("\n")[0], outline.whose, float(low), float(high), float(share)]
        for row in rows
        for outline in row.outlines
        for low, high, share in zip(edges, edges[1:], outline.shares, strict=False)
    ]
    drawn += [] if limit is None else [[limit[1], "", limit[0], limit[0], None]]
    return table(["row", "of", "from", "to", "share"], drawn) | {
        "animation": False,
        "grid": edge | {"outerBoundsMode": "none"},
        "legend": {"show": False},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": value_axis(x_title, min=float(edges[0]), max=float(edges[-1]), nameGap=28 + more / 2)
        | {"axisLabel": {"fontSize": 12, "showMinLabel": False, "showMaxLabel": False}},  # which are no round numbers
        "yAxis": value_axis("", min=-0.05, max=max(1, len(rows))) | hidden,
        "series": [
            _labels(labels),
            *series,
            _texts(beyond),
            invisible("", read, "{@[2]}<br>{@[3]}", 8),
            *([_labels(notes, "end")] if notes else []),
            *limits,
        ],
    }


def _stairs(x: Values, y: Values, outline: _Outline, floor: int) -> Option:
    if not outline.opacity:  # an outline over empty bins would only underline the row
        is_low = y == floor
        alone = is_low & np.r_[True, is_low[:-1]] & np.r_[is_low[1:], True]
        y = np.where(alone, np.nan, y)
    # A gap is a point without a height.
    points = [[*at] if np.isfinite(at[1]) else [at[0], "-"] for at in rounded(np.column_stack([x, y])).tolist()]
    return {
        "type": "line",
        "data": points,
        "showSymbol": False,
        "lineStyle": {"color": outline.colour, "opacity": 1, "width": outline.width, "type": outline.line_type},
        "z": 2,
    } | QUIET


def _said(edges: Values, shares: Values) -> Iterable[str]:
    return (f"{number(a)} to {number(b)}: {percent(s)}" for a, b, s in zip(edges, edges[1:], shares, strict=False))


def _labels(labels: Sequence[Option], position: str = "start") -> Option:
    label = {"position": position, "distance": 8, "fontSize": 12, "color": NEUTRAL, "lineHeight": 15}
    return marks(labels, {"color": "transparent"}, label | {"align": "right" if position == "start" else "left"})


def _limit(at: float, text: str) -> Option:
    label = {"position": "end", "formatter": text, "align": "right", "fontSize": 12, "color": NEUTRAL}
    return marks([{"xAxis": at}], {"color": NEUTRAL, "width": 1.5, "type": line_type("dot")}, label)


def _texts(texts: Sequence[Option]) -> Option:
    return {"type": "scatter", "data": texts, "symbolSize": 0, "label": {"show": True, "fontSize": 12}, "z": 4} | QUIET
