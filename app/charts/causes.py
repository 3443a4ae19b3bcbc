"""What a score follows, as ECharts options: shares of its variance in bars, and its values strip by strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.charts.echarts import QUIET, Option, line_type, marks, table, value_axis
from fas_core.reports.palette import NEUTRAL, Style, lighter

Ends = tuple[float, float]

ALONE, BEYOND = "alone", "beyond the others"
LONGEST = 24  # letters of a label: more are cut, and the pointer reads all of them
FULL, LIGHT = 0.35, 0.7  # how much lighter than their intervals the two bars are
_LETTER = 6.7  # pixels of one, on average
_HIDDEN: Option = {"axisLabel": {"show": False}, "axisTick": {"show": False}, "axisLine": {"show": False}}
_CHOSEN: Option = {"selectedMode": "single", "select": {"itemStyle": {"borderColor": NEUTRAL, "borderWidth": 1}}}


@dataclass(frozen=True)
class Bar:
    """A share of 0 to 1, its interval where there is one, and what the pointer reads."""

    share: float
    ends: Ends | None
    text: str


@dataclass(frozen=True)
class Row:
    """A cause: what it explains alone, and beyond the others where there are any."""

    name: str
    alone: Bar
    beyond: Bar | None
    is_whose: bool  # whose samples they are: neutral


@dataclass(frozen=True)
class Strip:
    """The scores of the samples with one value: five of their quantiles, the median's interval, and what is said."""

    name: str
    quantiles: Sequence[float]  # 5, 25, 50, 75 and 95 %
    ends: Ends | None
    note: str  # below the name
    text: str


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def cause_bars(rows: Sequence[Row], style: Style, chosen: str) -> Option:
    """Two bars a cause, full and light, the first cause on top; the name of the `chosen` one is heavy.

    A selected bar has the index of its cause. `bars_height` is how high it wants to be.
    """
    labels: list[Option] = [
        {
            "yAxis": 3 * place,
            "label": {"formatter": shortened(row.name), "fontWeight": "bold" if row.name == chosen else "normal"},
        }
        for place, row in enumerate(rows)
    ]
    full = [_item(row.alone, 3 * place, lighter(_colour(row, style), FULL)) for place, row in enumerate(rows)]
    light = [
        _item(row.beyond or Bar(0, None, ""), 3 * place + 1, lighter(_colour(row, style), LIGHT))
        for place, row in enumerate(rows)
    ]
    whiskers = [
        _segment([max(0.0, 100 * end) for end in bar.ends], 3 * place + below, _colour(row, style), 2)
        for place, row in enumerate(rows)
        for below, bar in enumerate((row.alone, row.beyond))
        if bar is not None and bar.ends is not None
    ]
    return (
        _frame(
            3 * len(rows) - 1,
            [row.name for row in rows],
            value_axis("share of the variance, in %", min=0, max=100, nameGap=26),
            [
                {"type": "bar", "name": ALONE, "data": full, "itemStyle": {"color": lighter(style.colour, FULL)}}
                | _BAR,
                {"type": "bar", "name": BEYOND, "data": light, "itemStyle": {"color": lighter(style.colour, LIGHT)}}
                | _BAR,
                *whiskers,
                _names(labels),
            ],
            top=28,
        )
        | _bars_table(rows)
        | {"legend": {"data": [ALONE, BEYOND], "left": 0, "top": 0, "itemWidth": 14, "textStyle": {"fontSize": 12}}}
    )


def _bars_table(rows: Sequence[Row]) -> Option:
    bars = [(name, row, bar) for row in rows for name, bar in ((ALONE, row.alone), (BEYOND, row.beyond)) if bar]
    return table(
        ["series", "cause", "share of the variance", "low95", "high95"],
        ([name, row.name, bar.share, *(bar.ends or (None, None))] for name, row, bar in bars),
    )


def bars_height(n: int) -> int:
    """Pixels that n causes take."""
    return 74 + 33 * max(1, n)


_BAR: Option = {
    "barWidth": "86%",
    "barGap": "-100%",
    "cursor": "pointer",
    "emphasis": {"disabled": True},
    "tooltip": {"formatter": "{@[2]}"},
} | _CHOSEN


def _colour(row: Row, style: Style) -> str:
    return NEUTRAL if row.is_whose else style.colour


def _item(bar: Bar, place: int, colour: str) -> Option:
    return {"value": [max(0.0, 100 * bar.share), place, bar.text], "itemStyle": {"color": colour}}


def value_strips(strips: Sequence[Strip], style: Style, *, x_title: str, threshold: float | None) -> Option:
    """A box a value, the first on top: 5 to 95 % of the scores, their middle half, the median with its interval.

    A selected box has the index of its strip. `strips_height` is how high it wants to be.
    """
    labels: list[Option] = [
        {"yAxis": place, "label": {"formatter": f"{shortened(strip.name)}\n{{note|{strip.note}}}"}}
        for place, strip in enumerate(strips)
    ]
    boxes = [{"value": [*strip.quantiles, strip.text]} for strip in strips]
    medians = [
        _segment(strip.ends, place, style.colour, 5) for place, strip in enumerate(strips) if strip.ends is not None
    ]
    lines: list[Option] = []
    if threshold is not None:
        label = {"position": "start", "formatter": "threshold", "fontSize": 12, "color": NEUTRAL}
        lines = [marks([{"xAxis": threshold}], {"color": NEUTRAL, "width": 2, "type": "solid"}, label)]
    values = [value for strip in strips for value in strip.quantiles]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if threshold is not None and low - (high - low) <= threshold <= high + (high - low):
        low, high = min(low, threshold), max(high, threshold)
    margin = 0.04 * (high - low) or 0.5
    return _frame(
        len(strips),
        [name for strip in strips for name in (strip.name, strip.note)],
        value_axis(x_title, min=low - margin, max=high + margin, nameGap=26)
        | {"axisLabel": {"fontSize": 12, "showMinLabel": False, "showMaxLabel": False}},  # which are no round numbers
        [
            {
                "type": "boxplot",
                "data": boxes,
                "boxWidth": [8, 16],
                "cursor": "pointer",
                "itemStyle": {"color": lighter(style.colour, 0.7), "borderColor": style.colour, "borderWidth": 1.2},
                "emphasis": {"disabled": True},
                "tooltip": {"formatter": "{@[6]}"},
            }
            | _CHOSEN,
            *medians,
            _names(labels),
            *lines,
        ],
        top=22,
    ) | table(
        ["value", "5 %", "25 %", "median", "75 %", "95 %", "median low95", "median high95", "threshold"],
        ([strip.name, *strip.quantiles, *(strip.ends or (None, None)), threshold] for strip in strips),
    )


def strips_height(n: int) -> int:
    """Pixels that n strips take."""
    return 68 + 34 * max(1, n)


def _frame(n: int, texts: Sequence[str], x_axis: Option, series: Sequence[Option], top: int) -> Option:
    """n rows from the top, with room for texts at their left."""
    longest = max((len(shortened(text)) for text in texts), default=0)
    return {
        "animation": False,
        "legend": {"show": False},
        "grid": {"left": 16 + _LETTER * longest, "right": 22, "top": top, "bottom": 42, "outerBoundsMode": "none"},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": x_axis,
        "yAxis": {"type": "category", "data": [str(place) for place in range(max(1, n))], "inverse": True} | _HIDDEN,
        "series": list(series),
    }


def _names(labels: Sequence[Option]) -> Option:
    note = {"fontSize": 11, "color": NEUTRAL, "align": "right"}
    label = {"position": "start", "distance": 8, "fontSize": 12.5, "color": NEUTRAL, "align": "right", "lineHeight": 15}
    return marks(labels, {"color": "transparent"}, label | {"rich": {"note": note}})


def _segment(ends: Sequence[float], place: int, colour: str, width: float) -> Option:
    return {
        "type": "line",
        "data": [[end, place] for end in ends],
        "symbol": "none",
        "lineStyle": {"color": colour, "width": width, "type": line_type("solid"), "opacity": 1},
        "z": 4,
    } | QUIET
