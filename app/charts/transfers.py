"""What models make of data sets, as an ECharts option: a heat table with a row per model and a column per data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.charts.echarts import Option, table
from fas_core.reports.palette import NEUTRAL, contrast, mixed

LONGEST = 22  # letters of a label
CELL, TOP, SCALE = 62, 30, 44  # pixels: of a row, of the names of data sets, of the scale below
LINE = 17  # of an interval's
NAMES = 172  # of the models' names
FRAME = "#8C8C8C"  # of cells of data that the model learned; seen on both grounds and beside most of the scale
# Of errors, as everywhere in the app: inferno, from little (dark) to much (bright).
COLOURS = ("#1B0C41", "#4A0C6B", "#781C6D", "#A52C60", "#CF4446", "#ED6925", "#FB9B06", "#F7D13D", "#FCFFA4")


@dataclass(frozen=True)
class Heat:
    """A cell: `error`, 0 to 1, is its colour (None: not defined); `lines` stand in it."""

    row: int
    column: int
    error: float | None
    lines: Sequence[str]
    text: str  # that the pointer reads
    is_learned: bool
    saved: Sequence[object]  # its row of the saved table


def heat_table(
    models: Sequence[str],
    notes: Sequence[str],
    data_sets: Sequence[str],
    cells: Sequence[Heat],
    ends: tuple[str, str],
    heads: Sequence[str],
) -> Option:
    """`notes`: below the name of each model; `ends`: what no error and the largest are called; `heads`: of the saved
    table. A selected cell has the index of its place in `cells`. `heat_height` is what it wants.
    """
    names = [f"{shortened(name)}\n{shortened(note)}" for name, note in zip(models, notes, strict=True)]
    axis: Option = {"type": "category", "axisLine": {"show": False}, "axisTick": {"show": False}}
    return {
        "animation": False,
        "tooltip": {"trigger": "item", "confine": True},
        "grid": {"left": NAMES, "right": 8, "top": TOP, "bottom": SCALE, "outerBoundsMode": "none"},
        "xAxis": axis
        | {"data": [shortened(name) for name in data_sets], "position": "top"}
        | {
            "axisLabel": {
                "fontSize": 13,
                "fontWeight": "bold",
                "interval": 0,
                "hideOverlap": False,
            }
        },
        "yAxis": axis
        | {"data": names, "inverse": True}
        | {"axisLabel": {"interval": 0, "align": "left", "margin": NAMES - 4, "fontSize": 13, "lineHeight": LINE}},
        "visualMap": {
            "type": "continuous",
            "dimension": 2,
            "min": 0,
            "max": 1,
            "inRange": {"color": list(COLOURS)},
            "text": [ends[1], ends[0]],
            "textStyle": {"fontSize": 12},
            "orient": "horizontal",
            "left": NAMES,
            "bottom": 4,
            "itemWidth": 12,
            "itemHeight": 160,
            "calculable": False,
            "hoverLink": False,
            "seriesIndex": 0,
        },
        "series": [
            {
                "type": "heatmap",
                "data": [_item(cell) for cell in cells],
                "tooltip": {"formatter": "{@[3]}"},
                "cursor": "pointer",
                "selectedMode": "single",
                "select": {"itemStyle": {"borderColor": NEUTRAL, "borderWidth": 4}},
                "emphasis": {"itemStyle": {"borderColor": NEUTRAL, "borderWidth": 4}},
            }
        ],
    } | table(heads, (cell.saved for cell in cells))


def heat_height(n_models: int, *, with_intervals: bool) -> int:
    """Pixels that so many models take."""
    return TOP + SCALE + (CELL + LINE * with_intervals) * max(1, n_models)


def _item(cell: Heat) -> Option:
    ground = NEUTRAL if cell.error is None else _colour(cell.error)
    ink = max(("#FFFFFF", "#000000"), key=lambda colour: contrast(colour, ground))
    first, *rest = cell.lines
    return {
        "value": [cell.column, cell.row, -1 if cell.error is None else cell.error, cell.text],
        "itemStyle": ({"borderColor": FRAME, "borderWidth": 5} if cell.is_learned else {})
        | ({"color": NEUTRAL} if cell.error is None else {}),
        "label": {
            "show": True,
            "color": ink,
            "formatter": "\n".join([f"{{value|{first}}}", *rest]),
            "lineHeight": LINE,
            "fontSize": 12,
            "rich": {"value": {"fontSize": 16, "fontWeight": "bold", "color": ink, "lineHeight": 22}},
        },
    }


def _colour(error: float) -> str:
    """The scale's at an error of 0 to 1."""
    at = min(max(error, 0.0), 1.0) * (len(COLOURS) - 1)
    below = min(int(at), len(COLOURS) - 2)
    return mixed(COLOURS[below], COLOURS[below + 1], at - below)


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
