"""Arrays -> ECharts options: losses of trainings over their epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.charts.curves import LETTER_WIDTH
from app.charts.echarts import (
    GRID_COLOUR,
    LINE_TYPES,
    QUIET,
    Option,
    pairs,
)
from fas_core.reports.palette import BONA_FIDE_COLOUR, MISSED, TRAINING_COLOUR, colour_of_run

MOST_SYMBOLS = 40  # epochs; more dots than that are a thick line


# ------------------------------------------------------------------------------------------------ trainings


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


def training_curves(curves: Sequence[TrainingCurve], *, x_title: str, x_max: float) -> Option:
    """Dev as a line with a dot per epoch, training thin and gray, trainings by line style."""
    low, high, interval = _value_axis(curves)
    series: list[Option] = []
    ends: list[NDArray[np.float64]] = []
    for curve, line_type in zip(curves, LINE_TYPES, strict=False):
        drawn = curve.epochs if len(curve.epochs) else curve.steps
        end = drawn[-1] / (x_max, high - low) if len(drawn) else np.full(2, np.nan)
        # Letters of lines that end together stand side by side.
        series += _series_of(curve, line_type, high, sum(bool((np.abs(end - other) < 0.08).all()) for other in ends))
        ends.append(end)
    axis = {"type": "value", "splitLine": {"lineStyle": {"color": GRID_COLOUR}}}
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


def sweep_curves(curves: Sequence[tuple[str, NDArray[np.float64]]], *, x_max: float, y_title: str) -> Option:
    """(name, (n, 2) epochs and values) of each setting, the first one highlighted, the others gray with their place."""
    axis = {"type": "value", "splitLine": {"lineStyle": {"color": GRID_COLOUR}}}
    label = {"hideOverlap": True, "fontSize": 12}
    title = {"nameLocation": "middle", "nameTextStyle": {"fontSize": 12}}
    series = []
    for place, (name, points) in enumerate(curves, start=1):
        colour = BONA_FIDE_COLOUR if place == 1 else TRAINING_COLOUR
        series.append(
            {
                "type": "line",
                "name": name,
                "data": pairs(points),
                "symbol": "circle",
                "symbolSize": 6 if place == 1 else 4,
                "z": 3 if place == 1 else 2,
                "lineStyle": {"color": colour, "width": 2.5 if place == 1 else 1.5, "opacity": 1},
                "itemStyle": {"color": colour, "opacity": 1},
                "endLabel": {"show": True, "formatter": str(place), "fontSize": 12, "color": colour},
                "labelLayout": {"moveOverlap": "shiftY"},
            }
        )
    return {
        "animation": False,
        "grid": {"left": 64, "right": 36, "top": 16, "bottom": 42, "outerBoundsMode": "none"},
        "tooltip": {"trigger": "item", "confine": True, "valueFormatter": "%,.4g"},
        "xAxis": axis
        | {"min": 0, "max": x_max, "minInterval": 1, "axisLabel": label}
        | title
        | {"name": "epoch", "nameGap": 26},
        "yAxis": axis | {"scale": True, "axisLabel": label, "name": y_title, "nameGap": 48} | title,
        "series": series,
    }


def _series_of(curve: TrainingCurve, line_type: object, top: float, n_beside: int) -> list[Option]:
    of = f"{curve.letter}, " if curve.letter else ""
    has_dev = len(curve.epochs) > 0
    letter = {"show": bool(curve.letter), "formatter": curve.letter, "distance": 9 + LETTER_WIDTH * n_beside}
    letter |= {"fontSize": 14, "fontWeight": "bold"}
    gray = {"color": TRAINING_COLOUR}
    own = {"color": colour_of_run(curve.letter) if curve.letter else BONA_FIDE_COLOUR, "opacity": 1}
    points = {
        "type": "scatter",
        "id": f"{of}training, steps",
        "data": pairs(curve.points),
        "symbolSize": 2.5,
        "z": 1,
    } | QUIET
    training = {
        **{"type": "line", "name": f"{of}training", "data": pairs(curve.steps)},
        "showSymbol": False,
        "z": 2,
        "lineStyle": gray | {"width": 1.5, "type": line_type},
        "itemStyle": gray,
        "emphasis": {"disabled": True},
        "endLabel": letter | {"show": bool(curve.letter) and not has_dev},
    }
    dev = training | {
        "name": f"{of}dev",
        "data": pairs(curve.epochs),
        "symbol": "circle",
        "symbolSize": 4 if curve.letter else 6,
        "showSymbol": len(curve.epochs) <= MOST_SYMBOLS,
        "z": 3,
        "lineStyle": own | {"width": 2, "type": line_type},
        "itemStyle": own,
        "endLabel": letter,
    }
    kept = {
        "type": "scatter",
        "id": f"{of}kept",
        "data": pairs(curve.kept),
        "symbolSize": 12,
        "z": 4,
        "itemStyle": own | {"borderColor": "#FFFFFF", "borderWidth": 2},
        "label": {"show": not curve.letter, "formatter": "kept", "position": "top", "fontSize": 12},
    } | QUIET
    events = {
        "type": "scatter",
        "id": f"{of}events",
        "data": [[x, top] for x in curve.events],
        "symbol": "triangle",
        "symbolRotate": 180,
        "symbolSize": 9,
        "itemStyle": {"color": MISSED, "opacity": 1},
        "z": 4,
    } | QUIET
    series = [points | {"itemStyle": gray | {"opacity": 0.4}}, training, dev, kept, events]
    if has_dev and len(curve.steps):
        # The pointer rests on epochs, and tells both means there: not those of the many steps between.
        at_epochs = np.column_stack([curve.epochs[:, 0], np.interp(curve.epochs[:, 0], *curve.steps.T)])
        series[1] = training | QUIET
        series.append(training | {"data": pairs(at_epochs), "lineStyle": {"opacity": 0}})
    return series


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
