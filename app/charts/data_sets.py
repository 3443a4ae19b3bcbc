"""What a data set is made of, as ECharts options: what left at each step, and how its faces are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.charts.echarts import QUIET, Option, table
from fas_core.data.acceptance import Histogram
from fas_core.reports.palette import BONA_FIDE_COLOUR, NEUTRAL, REJECTED, lighter

ROW, HEADING, CELL = 22, 26, 62  # pixels: of a row of the funnel, of the names of the measures, of a histogram
LONGEST = 26  # letters of a label
NAMES = 18.0  # per cent of the width that groups' names take
_LETTER, _NOTE = 6.6, 5.9  # pixels of one, on average, in names and in numbers
_HIT: Option = {  # a bar from end to end that cannot be seen, so that what is thin can be clicked
    "type": "bar",
    "barGap": "-100%",
    "itemStyle": {"color": "transparent"},
    "emphasis": {"itemStyle": {"color": "rgba(128,128,128,0.12)"}},
    "selectedMode": "single",
    "select": {"itemStyle": {"color": "rgba(128,128,128,0.16)", "borderColor": NEUTRAL, "borderWidth": 1}},
    "cursor": "pointer",
    "z": 3,
}


@dataclass(frozen=True)
class FunnelRow:
    """`share`, of 0 to 1, of what came into a step; `note` stands behind the bar, `text` is what the pointer reads."""

    name: str
    share: float
    note: str
    text: str
    is_step: bool = False  # what went on; else what left


def funnel(rows: Sequence[FunnelRow]) -> Option:
    """A bar a row, the first on top; a selected bar has the index of its row. `funnel_height` is what it wants."""
    names = [shortened(row.name) for row in rows]
    heavy = {"fontWeight": "bold"}
    return {
        "animation": False,
        "grid": {
            "left": 14 + _LETTER * max(map(len, names), default=0),
            "right": 14 + _NOTE * max((len(row.note) for row in rows), default=0),
            "top": 4,
            "bottom": 4,
            "outerBoundsMode": "none",
        },
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": {"type": "value", "min": 0, "max": 1, "show": False},
        "yAxis": {
            "type": "category",
            "inverse": True,
            "data": [
                {"value": name, "textStyle": heavy if row.is_step else {}}
                for name, row in zip(names, rows, strict=True)
            ],
            "axisTick": {"show": False},
            "axisLine": {"show": False},
            "axisLabel": {"fontSize": 12.5, "color": NEUTRAL, "interval": 0},
        },
        "series": [
            {
                "type": "bar",
                "barWidth": "62%",
                "data": [
                    {"value": row.share, "itemStyle": {"color": BONA_FIDE_COLOUR if row.is_step else REJECTED}}
                    for row in rows
                ],
                "z": 2,
            }
            | QUIET,
            _HIT
            | {
                "barWidth": "96%",
                "data": [
                    {"value": [1, place, row.text], "label": {"formatter": row.note}} for place, row in enumerate(rows)
                ],
                "label": {"show": True, "position": "right", "fontSize": 12.5, "color": NEUTRAL},
                "tooltip": {"formatter": "{@[2]}"},
            },
        ],
    } | table(["row", "share", "count"], ([row.name, row.share, row.note] for row in rows))


def funnel_height(n: int) -> int:
    """Pixels that n rows take."""
    return 10 + ROW * max(1, n)


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def measured(
    histograms: Sequence[Histogram], groups: Sequence[str], colours: Sequence[str], titles: Sequence[str]
) -> Option:
    """A histogram per group (row) and measure (column), as shares of the group; one scale a column.

    `histograms`: row by row. A selected bar belongs to series 2 * place + 1. `measured_height` is what it wants.
    """
    columns = len(titles)
    shares = [[count / max(1, sum(of.counts)) for count in of.counts] for of in histograms]
    tops = [max(max(shares[place]) for place in range(at, len(shares), columns)) or 1.0 for at in range(columns)]
    grids, x_axes, y_axes, series = [], [], [], []
    for place, (of, heights) in enumerate(zip(histograms, shares, strict=True)):
        row, at = divmod(place, columns)
        is_last = row == len(groups) - 1
        grids.append(_grid(row, at, columns))
        x_axes.append(_bins_axis(place, of, is_last=is_last))
        y_axes.append({"type": "value", "gridIndex": place, "min": 0, "max": tops[at], "show": False})
        colour = colours[row]
        where = {"xAxisIndex": place, "yAxisIndex": place}
        said = [_bin_text(of, k, titles[at]) for k in range(len(of.counts))]
        series += [
            {"type": "bar", "barCategoryGap": "0%", "barWidth": "92%", "data": heights, "z": 2}
            | {"itemStyle": {"color": lighter(colour, 0.25)}}
            | where
            | QUIET,
            _HIT
            | {"data": [[k, tops[at] if of.counts[k] else 0, text] for k, text in enumerate(said)], "barWidth": "100%"}
            | {"tooltip": {"formatter": "{@[2]}"}, "name": f"{of.group}, {titles[at]}"}
            | where,
        ]
    return {
        "animation": False,
        "tooltip": {"trigger": "item", "confine": True},
        "grid": grids,
        "xAxis": x_axes,
        "yAxis": y_axes,
        "title": [*_column_titles(titles), *_row_titles(groups)],
        "series": series,
    } | table(
        ["group", "measure", "from", "to", "images"],
        (
            [of.group, of.measure, of.edges[k], of.edges[k + 1], count]
            for of in histograms
            for k, count in enumerate(of.counts)
        ),
    )


def measured_height(n_groups: int) -> int:
    """Pixels that so many groups take."""
    return HEADING + CELL * max(1, n_groups) + 24


def _place(at: int, columns: int) -> tuple[str, str]:
    """Left and right edge of a column; the names of the groups stand before the first one."""
    width = (100 - NAMES) / columns
    return f"{NAMES + at * width:.2f}%", f"{100 - NAMES - (at + 1) * width + 1.2:.2f}%"


def _grid(row: int, at: int, columns: int) -> Option:
    begin, end = _place(at, columns)
    return {
        "left": begin,
        "right": end,
        "top": HEADING + CELL * row + 6,
        "height": CELL - 10,
        "outerBoundsMode": "none",
    }


def _bins_axis(place: int, of: Histogram, *, is_last: bool) -> Option:
    middles = [_short((a + b) / 2) for a, b in zip(of.edges, of.edges[1:], strict=False)]
    middles = [text if at in (2, len(middles) - 3) else "" for at, text in enumerate(middles)]  # room for two
    label = {"show": is_last, "interval": 0, "fontSize": 11, "color": NEUTRAL}
    line = {"lineStyle": {"color": "rgba(128,128,128,0.5)"}}
    axis = {"type": "category", "gridIndex": place, "data": middles, "axisTick": {"show": False}}
    return axis | {"axisLabel": label, "axisLine": line}


def _short(value: float) -> str:
    return (f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}").replace("-", "−")


def _bin_text(of: Histogram, k: int, title: str) -> str:
    ends = f"{of.edges[k]:.3g} to {of.edges[k + 1]:.3g}".replace("-", "−")
    total = sum(of.counts)
    share = f" ({100 * of.counts[k] / total:.0f} %)" if total else ""
    return f"{of.group}, {title}<br>{ends}: {of.counts[k]:,} of {total:,}{share}"


def _column_titles(titles: Sequence[str]) -> list[Option]:
    style = {"fontSize": 12, "fontWeight": "normal", "color": NEUTRAL}
    return [
        {"text": title, "left": _place(at, len(titles))[0], "top": 6, "padding": 0, "textStyle": style}
        for at, title in enumerate(titles)
    ]


def _row_titles(groups: Sequence[str]) -> list[Option]:
    style = {"fontSize": 12.5, "fontWeight": "normal", "color": NEUTRAL}
    return [
        {
            "text": shortened(name),
            "left": 0,
            "top": HEADING + CELL * row + CELL // 2 - 10,
            "padding": 0,
            "textStyle": style,
        }
        for row, name in enumerate(groups)
    ]
