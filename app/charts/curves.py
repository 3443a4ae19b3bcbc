"""Arrays -> ECharts options: curves of Runs and of scores over each other. Knows no Streamlit.

Runs differ by line style and letter, as colours belong to classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from app.charts.echarts import (
    GRID_COLOUR,
    LINE_TYPES,
    QUIET,
    Option,
    invisible,
    line_type,
    loop,
    marks,
    pairs,
    percent,
    simplified,
    table,
    value_axis,
)
from fas_core.metrics import Curves, probit
from fas_core.reports.palette import NEUTRAL, Style, colour_of_run

Bands = Mapping[
    str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
]  # along, low, high: (m,) each
Places = Mapping[str, tuple[float, float] | None]  # of each Run's threshold; None where it has none

LETTER_PLACES = ("top", "bottom", "right", "left", "top", "bottom")
LETTER_WIDTH = 12  # pixels
GRID: Option = {"left": 70, "right": 20, "outerBoundsMode": "none"}
PLOT_HEIGHT = 400  # of the curves of scores with their axes, above a legend
PLANE = (1000.0, 500.0)  # pixels that a plane of curves has at most, usually
READ_AT = np.unique(np.r_[np.arange(0, 0.01, 0.001), np.linspace(0.01, 1, 100)])  # shares that the pointer stops at
DET_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
DET_POINTS = 100  # that can be read by the pointer, each a symbol


# ------------------------------------------------------------------------------------------------- what is drawn


@dataclass(frozen=True, eq=False)
class RunCurves:
    """The curves of one Run with the corners that can be seen, and what the whole ones say where the pointer stops."""

    roc: NDArray[np.float64]  # (m, 2) BPCER, 1 - APCER
    precision_recall: NDArray[np.float64]  # (m, 2) recall, precision
    det: NDArray[np.float64]  # (m, 2) probits of APCER and of BPCER
    attacks_found: NDArray[np.float64]  # at each of READ_AT: the most where BPCER is at most so much
    precision: NDArray[np.float64]  # at the highest threshold with so much recall; NaN where nothing raises an alarm
    det_read: NDArray[np.float64]  # (k, 4) places on the DET curve and, in %, their APCER and BPCER
    n_attack: int
    n_bona_fide: int


def run_curves(whole: Curves) -> RunCurves:
    # Rates fall while thresholds rise.
    rejects_fewer = len(whole.fpr) - np.searchsorted(whole.fpr[::-1], READ_AT + 1e-9, side="right")
    finds_more = len(whole.recall) - np.searchsorted(whole.recall[::-1], READ_AT - 1e-9, side="left") - 1
    x, y = probit(whole.apcer_pooled, whole.n_attack), probit(whole.bpcer, whole.n_bona_fide)
    far = np.cumsum(np.hypot(np.diff(x, prepend=x[:1]), np.diff(y, prepend=y[:1])))
    at = np.unique(np.searchsorted(far, np.linspace(0, far[-1], DET_POINTS)).clip(0, len(far) - 1))
    return RunCurves(
        roc=simplified(np.column_stack([whole.fpr, whole.tpr]), PLANE),
        precision_recall=simplified(np.column_stack([whole.recall, whole.precision]), PLANE),
        det=simplified(np.column_stack([x, y]), (PLANE[0] / (np.ptp(x) or 1.0), PLANE[1] / (np.ptp(y) or 1.0))),
        attacks_found=whole.tpr[rejects_fewer],
        precision=whole.precision[finds_more],
        det_read=np.column_stack(
            [x[at], y[at], (100 * whole.apcer_pooled[at]).round(1), (100 * whole.bpcer[at]).round(1)]
        ),
        n_attack=whole.n_attack,
        n_bona_fide=whole.n_bona_fide,
    )


# -------------------------------------------------------------------------------------------- Runs over each other


def roc_of_runs(
    curves: Mapping[str, RunCurves],
    at: Places,
    bands: Bands | None = None,
) -> Option:
    """ROC of several Runs ("A", "B", ...) for the same attacks: colours, line styles and letters differ.

    `at`: (BPCER, 1 - APCER) at each threshold. `bands`: BPCER, and the 95 % interval of 1 - APCER there.
    """
    more = [CHANCE, *_bands(bands or {}), *_shares_at_thresholds(at, _ROC)]
    return _of_shares(curves, _run_looks(list(curves)), _ROC, more, _legend_above(list(curves)))


def precision_recall_of_runs(
    curves: Mapping[str, RunCurves],
    at: Places,
    bands: Bands | None = None,
) -> Option:
    """Precision against recall of several Runs for the same attacks. `bands`: recall, and the interval of precision."""
    more = [*_bands(bands or {}), *_shares_at_thresholds(at, _PRECISION_RECALL)]
    return _of_shares(curves, _run_looks(list(curves)), _PRECISION_RECALL, more, _legend_above(list(curves)))


def det_of_runs(
    curves: Mapping[str, RunCurves],
    at: Places,
    bands: Bands | None = None,
) -> Option:
    """BPCER against APCER on probit axes; `at` (apcer, bpcer). `bands`: BPCER, and the 95 % interval of APCER there.

    Rates are clipped to half a trial, which is the edge of the plane: 0 has no place on a probit axis.
    """
    first = next(iter(curves.values()))
    n_x, n_y = first.n_attack, first.n_bona_fide
    loops = [
        loop(
            np.r_[probit(1 - high, n_x), probit(1 - low, n_x)[::-1]],
            np.r_[probit(along, n_y), probit(along, n_y)[::-1]],
            colour_of_run(name),
            1.0,
            name,
        )
        for name, (along, low, high) in (bands or {}).items()
    ]
    lines = {name: pairs(of.det) for name, of in curves.items()}
    text = "{a}<br>APCER {@[2]}\u00a0%<br>BPCER {@[3]}\u00a0%"
    readable = [invisible(name, pairs(of.det_read), text, 14) for name, of in curves.items()]
    points = {
        name: None if point is None else (float(probit([point[0]], n_x)[0]), float(probit([point[1]], n_y)[0]))
        for name, point in at.items()
    }
    hidden = {"axisLabel": {"show": False}, "axisTick": {"show": False}, "splitLine": {"show": False}}
    axes = []
    for title, n, gap in (("APCER (attacks let through)", n_x, 28), ("BPCER (live faces rejected)", n_y, 46)):
        low, high = probit([0, 1], n).tolist()
        axes.append(value_axis(title, min=low, max=high, nameGap=gap) | hidden)
    return _plane(
        axes[0],
        axes[1],
        [
            *_lines(lines, _run_looks(list(lines))),
            _det_grid(n_x, n_y),
            *loops,
            *readable,
            *_letters(points, _said(at, "APCER", "BPCER")),
        ],
        _legend_above(list(lines)),
        {"trigger": "item", "confine": True},
    ) | _det_table(curves, bands or {}, at)


def _det_table(curves: Mapping[str, RunCurves], bands: Bands, at: Places) -> Option:
    """Rates, of which the axes show the probits."""
    rows: list[list[object]] = []
    for name, of in curves.items():
        rows += [[name, "line", float(x), float(y)] for x, y in ndtr(of.det)]
    for name, (along, low, high) in bands.items():
        rows += [
            [name, "band", float(x), float(y)]
            for x, y in zip(np.r_[1 - high, 1 - low], np.r_[along, along], strict=True)
        ]
    rows += [[name, "threshold", *point] for name, point in at.items() if point is not None]
    return table(["series", "drawn as", "APCER", "BPCER"], rows)


def _det_grid(n_x: int, n_y: int) -> Option:
    """Rates that people know, as lines with their names at the axes: a value axis has none of its own there."""
    places: list[Option] = []
    for axis, n in (("xAxis", n_x), ("yAxis", n_y)):
        low, high = probit([0, 1], n)
        places += [
            {axis: float(place), "label": {"formatter": f"{100 * tick:g}\u00a0%"}}
            for tick, place in zip(DET_TICKS, probit(DET_TICKS, 10**9), strict=True)
            if low <= place <= high
        ]
    line = {"color": GRID_COLOUR, "type": "solid", "width": 1}
    return marks(places, line, {"position": "start", "distance": 6, "fontSize": 12, "color": NEUTRAL})


def _shares_at_thresholds(at: Places, of: _Shares) -> list[Option]:
    points = {name: None if point is None else (100 * point[0], 100 * point[1]) for name, point in at.items()}
    return _letters(points, _said(at, of.x, of.y))


def _said(at: Places, x: str, y: str) -> dict[str, str]:
    """What the pointer reads at each Run's threshold."""
    return {
        name: f"{name}, at its threshold<br>{x} {percent(point[0])}<br>{y} {percent(point[1])}"
        for name, point in at.items()
        if point is not None
    }


def _bands(bands: Bands) -> list[Option]:
    return [
        loop(np.r_[along, along[::-1]], np.r_[low, high[::-1]], colour_of_run(name), 100.0, name)
        for name, (along, low, high) in bands.items()
    ]


def _letters(points: Places, said: Mapping[str, str]) -> list[Option]:
    """Every Run's letter where its threshold is, on the same side of it whatever others have none."""
    return [
        {
            "type": "scatter",
            "name": name,
            "data": [[*point]],
            "symbolSize": 12,
            "clip": False,
            "itemStyle": {"color": colour_of_run(name), "opacity": 1, "borderColor": "#FFFFFF", "borderWidth": 1.5},
            "label": {"show": True, "formatter": name, "position": place, "fontSize": 15, "fontWeight": "bold"}
            | {"color": "inherit"},
            "emphasis": {"disabled": True},
            "tooltip": {"trigger": "item", "formatter": said[name]},
            "z": 4,
        }
        for (name, point), place in zip(points.items(), LETTER_PLACES, strict=False)
        if point is not None
    ]


def _run_looks(names: Sequence[str]) -> dict[str, Look]:
    return {name: (colour_of_run(name), line_type, 2.5) for name, line_type in zip(names, LINE_TYPES, strict=False)}


# ------------------------------------------------------------------------------------------ scores over each other


def roc_of_scores(
    curves: Mapping[str, RunCurves], notes: Mapping[str, str], styles: Mapping[str, Style], chosen: str
) -> Option:
    """ROC of several scores of the same samples; `notes` stand behind the names, the `chosen` one is drawn heavier.

    `scores_height` is how high it wants to be.
    """
    named = {f"{name} {notes[name]}": curve for name, curve in curves.items()}
    looks = _score_looks(curves, named, styles, chosen)
    return _of_shares(named, looks, _ROC, [CHANCE], _legend_below(list(named)))


def precision_recall_of_scores(
    curves: Mapping[str, RunCurves], notes: Mapping[str, str], styles: Mapping[str, Style], chosen: str
) -> Option:
    """Precision against recall of several scores of the same samples; dotted: the precision of guessing."""
    named = {f"{name} {notes[name]}": curve for name, curve in curves.items()}
    first = next(iter(curves.values()))
    share = first.n_attack / (first.n_attack + first.n_bona_fide)
    chance = marks([{"yAxis": 100 * share}], DOTTED, {"show": False})
    looks = _score_looks(curves, named, styles, chosen)
    return _of_shares(named, looks, _PRECISION_RECALL, [chance], _legend_below(list(named)))


def scores_height(n: int) -> int:
    """Pixels that the curves of n scores take."""
    return PLOT_HEIGHT + _room(n)


def _room(n: int) -> int:
    return 22 * -(-n // 2)  # two names a row where the chart is narrow


def _score_looks(
    names: Mapping[str, object], named: Mapping[str, object], styles: Mapping[str, Style], chosen: str
) -> dict[str, Look]:
    return {
        said: (styles[name].colour, line_type(styles[name].dash), 4 if name == chosen else 2)
        for name, said in zip(names, named, strict=True)
    }


# ------------------------------------------------------------------------------------------------------- of both


Look = tuple[str, object, float]  # of a line: colour, type, width


@dataclass(frozen=True)
class _Shares:
    """Two shares against each other: titles of the axes, names where the pointer reads them, and where they stand."""

    x_title: str
    y_title: str
    x: str
    y: str
    line: str  # field of RunCurves: the corners
    read: str  # field of RunCurves: y at each of READ_AT


_ROC = _Shares(
    "BPCER (live faces rejected)", "1 − APCER (attacks found)", "BPCER", "attacks found", "roc", "attacks_found"
)
_PRECISION_RECALL = _Shares(
    "recall (attacks found)",
    "precision (alarms that are attacks)",
    "recall",
    "precision",
    "precision_recall",
    "precision",
)
DOTTED: Option = {"color": NEUTRAL, "width": 1, "type": line_type("dot")}
CHANCE: Option = {
    "type": "line",
    "data": [[0, 0], [100, 100]],
    "symbol": "none",
    "z": 1,
    "lineStyle": DOTTED,
} | QUIET


def _of_shares(
    curves: Mapping[str, RunCurves],
    looks: Mapping[str, Look],
    of: _Shares,
    more: Sequence[Option],
    legend: Option,
) -> Option:
    """Lines in percent, each with what the pointer reads: what all of them have at one of `READ_AT`."""
    names = sorted(curves, key=lambda name: looks[name][2])  # heavy ones over others
    lines = {name: pairs(100 * getattr(curves[name], of.line)) for name in names}
    bounds = {"min": 0, "max": 100, "interval": 20}
    label = {"formatter": "{value}\u00a0%", "fontSize": 12}
    tooltip = {
        "trigger": "axis",
        "confine": True,
        "order": "valueDesc" if len(lines) > len(LINE_TYPES) else "seriesAsc",
        "valueFormatter": f"%.1f\u00a0%% {of.y}",
        "axisPointer": {"label": {"formatter": f"{of.x} {{value}}\u00a0%", "precision": 1}},
    }
    drawn = [series | QUIET for series in _lines(lines, looks)]
    # Series answer together only where they have a point at the same x.
    places = {name: pairs(100 * np.column_stack([READ_AT, getattr(curves[name], of.read)])) for name in names}
    read = [series | {"lineStyle": {"opacity": 0}, "z": 3} for series in _lines(places, looks)]
    return _plane(
        value_axis(of.x_title, **bounds, nameGap=28) | {"axisLabel": label},
        value_axis(of.y_title, **bounds, nameGap=46) | {"axisLabel": label},
        [*drawn, *read, *more],
        legend,
        tooltip,
    )


def _lines(lines: Mapping[str, list[list[float]]], looks: Mapping[str, Look]) -> list[Option]:
    """First in a chart, as the legend shows the first series of a name."""
    series: list[Option] = []
    for name, data in lines.items():
        colour, dash, width = looks[name]
        series.append(
            {
                "type": "line",
                "name": name,
                "data": data,
                "showSymbol": False,
                "lineStyle": {"color": colour, "opacity": 1, "width": width, "type": dash},
                "itemStyle": {"color": colour, "opacity": 1},
                "emphasis": {"disabled": True},
                "z": 2,
            }
        )
    return series


def _legend_above(names: Sequence[str]) -> Option:
    """A legend of one row, and where it leaves the plot."""
    legend = {"data": list(names), "left": 56, "top": 4, "itemWidth": 40, "itemStyle": {"opacity": 0}}
    return {"legend": legend, "grid": GRID | {"top": 40, "bottom": 48}}


def _legend_below(names: Sequence[str]) -> Option:
    """The same with as many rows as it needs: the plot keeps its height."""
    legend = {"data": list(names), "left": 40, "right": 8, "top": PLOT_HEIGHT, "itemWidth": 40, "itemGap": 8}
    legend |= {"itemStyle": {"opacity": 0}, "textStyle": {"fontSize": 12}}
    return {"legend": legend, "grid": GRID | {"top": 12, "height": PLOT_HEIGHT - 68}}


def _plane(x_axis: Option, y_axis: Option, series: Sequence[Option], legend: Option, tooltip: Option) -> Option:
    """`legend`: as `_legend_above` and `_legend_below` make it."""
    axes = {"xAxis": x_axis, "yAxis": y_axis}
    return legend | axes | {"animation": False, "tooltip": tooltip, "series": list(series)}
