"""Arrays -> ECharts options over categories: lines of species, criteria of mixtures, and rows of AUCs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.charts.echarts import QUIET, Option, line_type, marks, table, value_axis
from fas_core.data.names import readable
from fas_core.reports.palette import NEUTRAL, TEXT_COLOUR, Style, style_of

LINES_HEIGHT, CRITERION_HEIGHT = 330, 240  # pixels that these charts want
_LETTER = 7  # pixels of one, on average


def _category_axis(name: str, categories: Sequence[str]) -> Option:
    axis = {"type": "category", "data": list(categories), "name": name, "nameLocation": "middle", "nameGap": 28}
    return axis | {"nameTextStyle": {"fontSize": 12}, "axisLabel": {"hideOverlap": True, "fontSize": 12}}


# ------------------------------------------------------------------------------------------------- lines of species


def auc_over_components(auc: Mapping[int, Mapping[str, float]], chosen: int, n: Mapping[str, int]) -> Option:
    """AUC per species (n images) over numbers of components, a line per species; `chosen` is marked."""
    ks = sorted(auc)
    names = sorted({name for of_species in auc.values() for name in of_species})
    lines = {name: {str(k): auc[k][name] for k in ks if name in auc[k]} for name in names}
    chance = {"yAxis": 0.5, "label": {"formatter": "chance"}}
    label = {"position": "insideStartBottom", "fontSize": 12, "color": NEUTRAL}
    option = _lines(
        [str(k) for k in ks], lines, str(chosen), n, x_title="number of Gaussians", said="{x} Gaussians: AUC {y:.2f}"
    )
    return option | {
        "yAxis": value_axis("AUC", min=0, max=1, nameGap=38),
        "series": [*option["series"], marks([chance], {"color": NEUTRAL, "width": 1, "type": line_type("dot")}, label)],  # type: ignore[misc]
    }


def distances_by_epoch(
    distances: Mapping[str, Mapping[str, float]], epochs: Sequence[str], chosen: str, n: Mapping[str, int]
) -> Option:
    """How far each species (n images) lies from live faces after each epoch that is kept; `chosen` is marked."""
    option = _lines(epochs, distances, chosen, n, x_title="epoch", said="epoch {x}: {y:.1f} live spreads")
    return option | {"yAxis": value_axis("distance, in live spreads", min=0, nameGap=38)}


def _lines(
    x: Sequence[str],
    lines: Mapping[str, Mapping[str, float]],
    chosen: str,
    n: Mapping[str, int],
    *,
    x_title: str,
    said: str,
) -> Option:
    """Lines of species over categories, each named at its end, with large dots where x is `chosen`."""
    series: list[Option] = []
    for name, line in lines.items():
        colour = style_of(name).colour
        points = [
            {"value": [at, line[at], said.format(x=at, y=line[at])], "symbolSize": 13 if at == chosen else 7}
            for at in x
            if at in line
        ]
        series.append(
            {
                "type": "line",
                "name": readable(name),
                "data": points,
                "symbol": "circle",
                "showSymbol": True,
                "showAllSymbol": True,
                "lineStyle": {"color": colour, "width": 2, "opacity": 1},
                "itemStyle": {"color": colour, "opacity": 1},
                "endLabel": {"show": True, "formatter": "{a}", "fontSize": 13, "color": "inherit", "distance": 10},
                "labelLayout": {"moveOverlap": "shiftY"},
                "emphasis": {"disabled": True},
                "tooltip": {"formatter": f"{{a}} (n = {n[name]:,})<br>{{@[2]}}"},
            }
        )
    longest = max((len(readable(name)) for name in lines), default=0)
    return {
        "animation": False,
        "grid": {"left": 58, "right": 24 + _LETTER * longest, "top": 16, "bottom": 48, "outerBoundsMode": "none"},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": _category_axis(x_title, x),
        "series": series,
    }


def along_path(
    places: Sequence[str], values: Sequence[float], *, title: str, levels: Mapping[str, float], is_ordered: bool
) -> Option:
    """A number of each code of a path, and named levels that it is read against; unconnected where it has no order."""
    line = {
        "type": "line",
        "data": [[place, value] for place, value in zip(places, values, strict=True)],
        "symbol": "circle",
        "symbolSize": 8,
        "showAllSymbol": True,
        "lineStyle": {"color": TEXT_COLOUR, "width": 2, "opacity": 1 if is_ordered else 0},
        "itemStyle": {"color": NEUTRAL, "opacity": 1},
        "emphasis": {"disabled": True},
    }
    label = {"position": "end", "fontSize": 12, "color": NEUTRAL}
    drawn = [{"yAxis": value, "label": {"formatter": name}} for name, value in levels.items()]
    within = [*values, *levels.values()]
    room = 0.08 * (max(within) - min(within)) or 1.0
    return {
        "animation": False,
        "grid": {
            "left": 66,
            "right": 12 + _LETTER * max(map(len, levels), default=0),
            "top": 16,
            "bottom": 48,
            "outerBoundsMode": "none",
        },
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": _category_axis("", places),
        "yAxis": value_axis(title, min=min(within) - room, max=max(within) + room, nameGap=48)
        | {"axisLabel": {"fontSize": 12, "hideOverlap": True, "showMinLabel": False, "showMaxLabel": False}},
        "series": [line, marks(drawn, {"color": NEUTRAL, "width": 1, "type": line_type("dot")}, label)],
    }


# ------------------------------------------------------------------------------------------------ criteria of mixtures


def criterion(
    values: Mapping[int, float], chosen: int, best: int, *, y_title: str, floor: float | None = None
) -> Option:
    """A number per number of Gaussians; `chosen` is the large dot, `best` has a ring. What lies below `floor` is drawn
    as a triangle at the lower edge."""
    ks = sorted(values)
    y = np.array([values[k] for k in ks])
    low = float(y.min()) if floor is None else max(float(y.min()), floor)
    margin = 0.12 * (float(y.max()) - low) or 1.0
    points = []
    for k, value in zip(ks, y.tolist(), strict=True):
        is_below = value < low
        said = f"{k} Gaussian{'s' if k > 1 else ''}<br>{y_title} {value:,.1f}".replace("-", "−")
        point = {
            "value": [str(k), low - margin / 2 if is_below else value, said],
            "symbolSize": 15 if k == chosen else 8,
        }
        points.append(point | ({"symbol": "triangle", "symbolRotate": 180} if is_below else {}))
    line = {
        "type": "line",
        "data": points,
        "symbol": "circle",
        "showAllSymbol": True,
        "lineStyle": {"color": TEXT_COLOUR, "width": 2, "opacity": 1},
        "itemStyle": {"color": NEUTRAL, "opacity": 1},
        "emphasis": {"disabled": True},
        "tooltip": {"formatter": "{@[2]}"},
    }
    ring = {
        "type": "scatter",
        "data": [[str(best), values[best]]],
        "symbolSize": 21,
        "itemStyle": {"color": "transparent", "borderColor": NEUTRAL, "borderWidth": 2, "opacity": 1},
    } | QUIET
    bounds = {"min": low - margin, "max": float(y.max()) + margin}
    label = {"fontSize": 12, "hideOverlap": True, "showMinLabel": False, "showMaxLabel": False}  # no round numbers
    return {
        "animation": False,
        "grid": {"left": 84, "right": 12, "top": 12, "bottom": 48, "outerBoundsMode": "none"},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": _category_axis("number of Gaussians", [str(k) for k in ks]),
        "yAxis": value_axis(y_title, **bounds, nameGap=64, splitNumber=4) | {"axisLabel": label},
        "series": [line, ring],
    } | table(["number of Gaussians", y_title, "chosen", "best"], ([k, values[k], k == chosen, k == best] for k in ks))


# -------------------------------------------------------------------------------------------------------- rows of AUCs


@dataclass(frozen=True)
class AucRow:
    """One row of `auc_rows`: an AUC with its interval, another one beside it, and what the pointer reads."""

    name: str
    style: Style
    auc: float
    ends: tuple[float, float] | None
    beside: float | None
    note: str


def auc_rows(groups: Mapping[str, Sequence[AucRow]], *, x_title: str, auc_name: str, beside_name: str = "") -> Option:
    """Rows of dots with intervals under the headings of their groups, all on one axis with chance at 0.5.

    A group named "" has no heading. Without a name of what stands beside the dots there is no legend.

    `auc_rows_height` is how high it wants to be.
    """
    lines: list[tuple[str, AucRow | None]] = []
    for heading, rows in groups.items():
        lines += [(heading, None)] if heading else []
        lines += [(readable(row.name), row) for row in rows]
    shown = [(-y, row) for y, (_, row) in enumerate(lines) if row is not None]
    lowest = min([0.45, *(v for _, row in shown for v in (row.auc, row.beside, *(row.ends or ())) if v is not None)])
    left = float(np.floor(20 * (lowest - 0.01)) / 20)
    labels: list[Option] = [
        {"yAxis": -y, "label": {"formatter": text, "fontWeight": "bold" if row is None else "normal"}}
        for y, (text, row) in enumerate(lines)
    ]
    label = {"position": "start", "distance": 8, "fontSize": 12, "color": NEUTRAL}
    chance: list[Option] = [{"xAxis": 0.5, "label": {"formatter": "chance"}}]
    dotted = {"color": NEUTRAL, "width": 1, "type": line_type("dot")}
    hidden = {"axisLabel": {"show": False}, "axisTick": {"show": False}, "axisLine": {"show": False}}
    return {
        "animation": False,
        "legend": {
            "show": bool(beside_name),
            "data": [auc_name, beside_name],
            "left": 0,
            "top": 0,
            "itemWidth": 14,
            "textStyle": {"fontSize": 12},
        },
        "grid": {
            "left": 16 + _LETTER * max(len(text) for text, _ in lines),
            "right": 20,
            "top": 52 if beside_name else 20,
            "bottom": 44,
            "outerBoundsMode": "none",
        },
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": value_axis(x_title, min=left, max=1.0, nameGap=26, axisLine={"onZero": False}),
        "yAxis": value_axis("", min=0.4 - len(lines), max=0.6) | hidden | {"splitLine": {"show": False}},
        "series": [
            _dots(auc_name, [(y, row, row.auc) for y, row in shown], "circle"),
            _dots(beside_name, [(y, row, row.beside) for y, row in shown if row.beside is not None], "diamond"),
            *(_interval(y, row) for y, row in shown if row.ends is not None),
            marks(labels, {"color": "transparent"}, label),
            marks(chance, dotted, {"position": "end", "fontSize": 12, "color": NEUTRAL}),
        ],
    } | _auc_table(groups, auc_name, beside_name)


def _auc_table(groups: Mapping[str, Sequence[AucRow]], auc_name: str, beside_name: str) -> Option:
    drawn = [
        [series, heading, row.name, value, *ends]
        for heading, rows in groups.items()
        for row in rows
        for series, value, ends in (
            (auc_name, row.auc, row.ends or (None, None)),
            (beside_name, row.beside, (None, None)),
        )
        if value is not None
    ]
    return table(["series", "heading", "row", "AUC", "low95", "high95"], drawn)


def auc_rows_height(groups: Mapping[str, Sequence[AucRow]]) -> int:
    """Pixels that the rows and their headings take."""
    return 110 + 26 * sum(1 + len(rows) for rows in groups.values())


def _dots(name: str, places: Sequence[tuple[int, AucRow, float]], symbol: str) -> Option:
    """A dot per row; diamonds are neutral and hollow, circles of the row's colour, filled where it was seen."""
    legend = "transparent" if symbol == "diamond" else NEUTRAL
    data = []
    for y, row, value in places:
        colour = row.style.colour if symbol == "circle" else NEUTRAL
        fill = "transparent" if symbol == "diamond" or row.style.is_hollow else colour
        style = {"color": fill, "borderColor": colour, "borderWidth": 2 if symbol == "diamond" else 3, "opacity": 1}
        data.append({"value": [value, y, row.note, f"{value:.2f}"], "itemStyle": style})
    return {
        "type": "scatter",
        "name": name,
        "data": data,
        "symbol": symbol,
        "symbolSize": 12,
        "clip": False,
        "itemStyle": {"color": legend, "borderColor": NEUTRAL, "borderWidth": 2},
        "emphasis": {"disabled": True},
        "tooltip": {"formatter": "{a} {@[3]}<br>{@[2]}"},
        "z": 4,
    }


def _interval(y: int, row: AucRow) -> Option:
    style = {"color": row.style.colour, "width": 3, "type": line_type(row.style.dash), "opacity": 1}
    return {
        "type": "line",
        "data": [[end, y] for end in row.ends or ()],
        "symbol": "none",
        "lineStyle": style,
        "z": 3,
    } | QUIET
