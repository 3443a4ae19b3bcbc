"""Arrays -> ECharts options: Runs over each other, and trainings. Knows no Streamlit.

ECharts changes a chart in place and takes a quarter of the browser's time that Plotly takes for the same curves; it has
no functions in an option, so what the pointer reads is written into the data. Runs differ by line style and letter, as
colours belong to classes. Texts from files are drawn as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.charts import (
    BONA_FIDE_COLOUR,
    MISSED,
    NEUTRAL,
    TRAINING_COLOUR,
    in_group_order,
    shares_in,
    span,
    style_of,
    words,
)
from fas_core.metrics import Curves, probit

Option = dict[str, object]
Bands = Mapping[
    str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
]  # along, low, high: (m,) each

LINE_TYPES = ("solid", [8, 4], [2, 3], [9, 3, 2, 3], [16, 5], [16, 4, 3, 4])  # A, B, C, D, E, F
LINE_WORDS = ("solid", "dashed", "dotted", "dash-dot", "long dashes", "long dash-dot")
LETTER_PLACES = ("top", "bottom", "right", "left", "top", "bottom")
LETTER_WIDTH = 12  # pixels
MOST_SYMBOLS = 40  # epochs; more dots than that are a thick line
QUIET: Option = {"silent": True, "tooltip": {"show": False}}
PLANE = (1000.0, 500.0)  # pixels that a plane of curves has at most, usually
READ_AT = np.unique(np.r_[np.arange(0, 0.01, 0.001), np.linspace(0.01, 1, 100)])  # shares that the pointer stops at
GRID_COLOUR = "rgba(128,128,128,0.2)"
BAND_OPACITY = 0.18


def _axis(name: str, **more: object) -> Option:
    return {
        "type": "value",
        "name": name,
        "nameLocation": "middle",
        "nameTextStyle": {"fontSize": 12},
        "axisLabel": {"hideOverlap": True, "fontSize": 12},
        "splitLine": {"lineStyle": {"color": GRID_COLOUR}},
    } | more


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def _pairs(points: NDArray[np.float64]) -> list[list[float]]:
    """Finite points as JSON, with six digits: what a screen can show."""
    finite = points[np.isfinite(points).all(1)] if len(points) else points
    with np.errstate(divide="ignore"):
        digits = 5 - np.floor(np.log10(np.abs(finite))).clip(-300, 300)
    tens = 10.0 ** np.abs(digits)
    rounded = np.where(digits >= 0, np.rint(finite * tens) / tens, np.rint(finite / tens) * tens)
    return np.where(finite == 0, 0.0, rounded).tolist()


# ------------------------------------------------------------------------------------------- Runs beside each other


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
        det=simplified(np.column_stack([x, y]), (PLANE[0] / np.ptp(x), PLANE[1] / np.ptp(y))),
        attacks_found=whole.tpr[rejects_fewer],
        precision=whole.precision[finds_more],
        det_read=np.column_stack(
            [x[at], y[at], (100 * whole.apcer_pooled[at]).round(1), (100 * whole.bpcer[at]).round(1)]
        ),
        n_attack=whole.n_attack,
        n_bona_fide=whole.n_bona_fide,
    )


def simplified(points: NDArray[np.float64], scale: tuple[float, float], tolerance: float = 0.4) -> NDArray[np.float64]:
    """(n, 2) -> (m, 2): the corners of a line that is drawn with; what is not finite is left out.

    Times `scale`, it is nowhere further than `tolerance` from the line through all points (Douglas and Peucker,
    Cartographica 1973), of which those in one square of that size are taken together first.
    """
    points = points[np.isfinite(points).all(1)]
    if len(points) < 3:
        return points
    places = (points * scale).view(np.complex128)[:, 0]  # in a plane
    squares = np.rint(points * (scale[0] / tolerance, scale[1] / tolerance)).view(np.complex128)[:, 0]
    chosen = np.flatnonzero(np.r_[True, squares[1:-1] != squares[:-2], True])
    places = places[chosen]
    kept = np.array([0, len(places) - 1])
    while True:
        part = np.repeat(np.arange(len(kept) - 1), np.diff(kept))  # of the line, for every place but the last
        start, way = places[kept[:-1]], np.diff(places[kept])
        from_start = places[:-1] - start[part]
        along = (from_start * way.conj()[part]).real / np.maximum(np.abs(way) ** 2, 1e-300)[part]
        distance = np.abs(from_start - along.clip(0, 1) * way[part])
        furthest = np.maximum.reduceat(distance, kept[:-1])
        at = np.flatnonzero(distance == furthest[part])
        at = at[np.searchsorted(at, kept[:-1])]  # one of each part
        more = at[furthest > tolerance]
        if not len(more):
            return points[chosen[kept]]
        kept = np.sort(np.r_[kept, more])


def roc_of_runs(
    curves: Mapping[str, RunCurves],
    at: Mapping[str, tuple[float, float] | None],
    colour: str = NEUTRAL,
    bands: Bands | None = None,
) -> Option:
    """ROC of several Runs ("A", "B", ...) for the same attacks: one colour, line styles and letters differ.

    `at`: (BPCER, 1 - APCER) at each threshold. `bands`: BPCER, and the 95 % interval of 1 - APCER there.
    """
    lines = {name: one.roc for name, one in curves.items()}
    at_x = {name: one.attacks_found for name, one in curves.items()}
    chance = {"type": "line", "data": [[0, 0], [100, 100]], "symbol": "none", "z": 1} | QUIET
    chance |= {"lineStyle": {"color": NEUTRAL, "width": 1, "type": [1, 3]}}
    titles = ("BPCER (live faces rejected)", "1 − APCER (attacks found)")
    return _of_shares(lines, at_x, at, colour, bands or {}, titles, "BPCER", "attacks found", [chance])


def precision_recall_of_runs(
    curves: Mapping[str, RunCurves],
    at: Mapping[str, tuple[float, float] | None],
    colour: str = NEUTRAL,
    bands: Bands | None = None,
) -> Option:
    """Precision against recall of several Runs for the same attacks. `bands`: recall, and the interval of precision."""
    lines = {name: one.precision_recall for name, one in curves.items()}
    at_x = {name: one.precision for name, one in curves.items()}
    titles = ("recall (attacks found)", "precision (alarms that are attacks)")
    return _of_shares(lines, at_x, at, colour, bands or {}, titles, "recall", "precision", [])


def _of_shares(
    lines: Mapping[str, NDArray[np.float64]],
    at_x: Mapping[str, NDArray[np.float64]],
    at: Mapping[str, tuple[float, float] | None],
    colour: str,
    bands: Bands,
    titles: tuple[str, str],
    x_name: str,
    y_name: str,
    behind: Sequence[Option],
) -> Option:
    """Two shares against each other, in percent; the pointer reads `at_x`, what all Runs have at one of `READ_AT`."""
    percent = {"min": 0, "max": 100, "interval": 20}
    label = {"formatter": "{value}\u00a0%", "fontSize": 12}
    tooltip = {
        "trigger": "axis",
        "confine": True,
        "valueFormatter": f"%.1f\u00a0%% {y_name}",
        "axisPointer": {"label": {"formatter": f"{x_name} {{value}}\u00a0%", "precision": 1}},
    }
    loops = [
        _loop(np.r_[along, along[::-1]], np.r_[low, high[::-1]], colour, 100.0, name)
        for name, (along, low, high) in bands.items()
    ]
    points = {name: None if point is None else (100 * point[0], 100 * point[1]) for name, point in at.items()}
    said = {
        name: f"{name}, at its threshold<br>{x_name} {_percent(point[0])}<br>{y_name} {_percent(point[1])}"
        for name, point in at.items()
        if point is not None
    }
    drawn = [one | QUIET for one in _lines({name: _pairs(100 * line) for name, line in lines.items()}, colour)]
    # Series answer together only where they have a point at the same x.
    places = {name: _pairs(100 * np.column_stack([READ_AT, y])) for name, y in at_x.items()}
    read = [one | {"lineStyle": {"opacity": 0}, "z": 3} for one in _lines(places, colour)]
    return _plane(
        _axis(titles[0], **percent, nameGap=28) | {"axisLabel": label},
        _axis(titles[1], **percent, nameGap=46) | {"axisLabel": label},
        [*drawn, *behind, *loops, *read],
        _letters(points, said, colour),
        list(lines),
        tooltip,
    )


DET_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
DET_POINTS = 100  # that can be read by the pointer, each a symbol


def det_of_runs(
    curves: Mapping[str, RunCurves],
    at: Mapping[str, tuple[float, float] | None],
    colour: str = NEUTRAL,
    bands: Bands | None = None,
) -> Option:
    """BPCER against APCER on probit axes; `at` (apcer, bpcer). `bands`: BPCER, and the 95 % interval of APCER there.

    Rates are clipped to half a trial, which is the edge of the plane: 0 has no place on a probit axis.
    """
    one = next(iter(curves.values()))
    n_x, n_y = one.n_attack, one.n_bona_fide
    loops = [
        _loop(
            np.r_[probit(1 - high, n_x), probit(1 - low, n_x)[::-1]],
            np.r_[probit(along, n_y), probit(along, n_y)[::-1]],
            colour,
            1.0,
            name,
        )
        for name, (along, low, high) in (bands or {}).items()
    ]
    lines = {name: _pairs(of.det) for name, of in curves.items()}
    text = "{a}<br>APCER {@[2]}\u00a0%<br>BPCER {@[3]}\u00a0%"
    readable = [_invisible(name, _pairs(of.det_read), text, 14) for name, of in curves.items()]
    points = {
        name: None if point is None else (float(probit([point[0]], n_x)[0]), float(probit([point[1]], n_y)[0]))
        for name, point in at.items()
    }
    said = {
        name: f"{name}, at its threshold<br>APCER {_percent(point[0])}<br>BPCER {_percent(point[1])}"
        for name, point in at.items()
        if point is not None
    }
    hidden = {"axisLabel": {"show": False}, "axisTick": {"show": False}, "splitLine": {"show": False}}
    axes = []
    for title, n, gap in (("APCER (attacks let through)", n_x, 28), ("BPCER (live faces rejected)", n_y, 46)):
        low, high = probit([0, 1], n).tolist()
        axes.append(_axis(title, min=low, max=high, nameGap=gap) | hidden)
    return _plane(
        axes[0],
        axes[1],
        [*_lines(lines, colour), _det_grid(n_x, n_y), *loops, *readable],
        _letters(points, said, colour),
        list(lines),
        {"trigger": "item", "confine": True},
    )


def _det_grid(n_x: int, n_y: int) -> Option:
    """Rates that people know, as lines with their names at the axes: a value axis has none of its own there."""
    marks = []
    for axis, n in (("xAxis", n_x), ("yAxis", n_y)):
        low, high = probit([0, 1], n)
        marks += [
            {axis: float(place), "label": {"formatter": f"{100 * tick:g}\u00a0%"}}
            for tick, place in zip(DET_TICKS, probit(DET_TICKS, 10**9), strict=True)
            if low <= place <= high
        ]
    return {
        "type": "line",
        "data": [],
        "z": 1,
        "markLine": {
            "silent": True,
            "symbol": "none",
            "animation": False,
            "lineStyle": {"color": GRID_COLOUR, "type": "solid", "width": 1},
            "label": {"position": "start", "distance": 6, "fontSize": 12, "color": NEUTRAL},
            "data": marks,
        },
    } | QUIET


def _invisible(name: str, data: Sequence[Sequence[object]], text: str, size: int) -> Option:
    """Places x, y without a picture, and what else `text` says of each. One path, for there may be many."""
    return {
        "type": "scatter",
        "name": name,
        "data": data,
        "symbolSize": size,
        "itemStyle": {"opacity": 0},
        "emphasis": {"disabled": True},
        "tooltip": {"formatter": text},
        "large": True,
        "largeThreshold": 0,
        "z": 3,
    }


def _lines(lines: Mapping[str, list[list[float]]], colour: str) -> list[Option]:
    """One per Run; first in a chart, as the legend shows the first series of a name."""
    return [
        {
            "type": "line",
            "name": name,
            "data": data,
            "showSymbol": False,
            "lineStyle": {"color": colour, "opacity": 1, "width": 2.5, "type": line_type},
            "itemStyle": {"color": colour, "opacity": 1},
            "emphasis": {"disabled": True},
            "z": 2,
        }
        for (name, data), line_type in zip(lines.items(), LINE_TYPES, strict=False)
    ]


def _loop(x: NDArray[np.float64], y: NDArray[np.float64], colour: str, scale: float, name: str) -> Option:
    """A filled outline: an area chart whose way there and way back cancel each other below; ends where it began."""
    outline = np.column_stack([x, y])
    outline = outline[np.isfinite(outline).all(1)]
    return (
        {
            "type": "line",
            "name": name,  # the legend switches it with its line
            "data": _pairs(scale * np.concatenate([outline, outline[:1]])),
            "symbol": "none",
            "lineStyle": {"opacity": 0},
            "areaStyle": {"color": colour, "opacity": BAND_OPACITY},
            "itemStyle": {"color": colour},
            "emphasis": {"disabled": True},
            "z": 1,
        }
        | QUIET
    )


def _letters(points: Mapping[str, tuple[float, float] | None], said: Mapping[str, str], colour: str) -> list[Option]:
    """Every Run's letter where its threshold is."""
    return [
        {
            "type": "scatter",
            "name": name,
            "data": [[*point]],
            "symbolSize": 12,
            "clip": False,
            "itemStyle": {"color": colour, "opacity": 1, "borderColor": "#FFFFFF", "borderWidth": 1.5},
            "label": {"show": True, "formatter": name, "position": place, "fontSize": 15, "fontWeight": "bold"}
            | {"color": "inherit"},
            "emphasis": {"disabled": True},
            "tooltip": {"trigger": "item", "formatter": said[name]},
            "z": 4,
        }
        for (name, point), place in zip(points.items(), LETTER_PLACES, strict=False)
        if point is not None
    ]


def _plane(
    x_axis: Option,
    y_axis: Option,
    series: Sequence[Option],
    points: Sequence[Option],
    names: Sequence[str],
    tooltip: Option,
) -> Option:
    return {
        "animation": False,
        "grid": {"left": 70, "right": 20, "top": 40, "bottom": 48, "outerBoundsMode": "none"},
        "legend": {"data": list(names), "left": 56, "top": 4, "itemWidth": 40, "itemStyle": {"opacity": 0}},
        "tooltip": tooltip,
        "xAxis": x_axis,
        "yAxis": y_axis,
        "series": [*series, *points],
    }


def distributions_of_runs(
    values: Mapping[str, Mapping[str, NDArray[np.float64]]], *, x_title: str, bins: int = 50
) -> Option:
    """Letter -> group -> values: a row per group, the Runs over each other by line style on shared bins, A filled.

    Each Run's bars sum to 1; the outermost bins also take what lies beyond. `rows_height` is how high it wants to be.
    """
    of_a = next(iter(values.values()))
    shown = in_group_order(list(of_a))
    finite = [v[np.isfinite(v)] for of_run in values.values() for v in of_run.values()]
    low, high = span([v for v in finite if v.size] or [np.array([0.0, 1.0])])
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    series: list[Option] = []
    read: list[list[object]] = []
    labels = []
    for row, group in enumerate(reversed(shown)):
        colour = style_of(group).colour
        labels.append({"yAxis": row + 0.3, "label": {"formatter": f"{words(group)}\nn = {len(of_a[group]):,}"}})
        shares = {
            letter: shares_in(of_run[group][~np.isnan(of_run[group])], edges)
            for letter, of_run in values.items()
            if (~np.isnan(of_run[group])).any()
        }
        top = max((float(one.max()) for one in shares.values()), default=1.0) / 0.85
        x = np.repeat(edges, 2)
        for (letter, share), line_type in zip(shares.items(), LINE_TYPES, strict=False):
            y = row + np.r_[0, np.repeat(share, 2), 0] / top
            if letter == "A":
                series.append(_loop(np.r_[x, x[-1], x[0]], np.r_[y, row, row], colour, 1.0, letter))
            stairs = _lines({letter: _pairs(np.column_stack([x, y]))}, colour)[0]
            series.append(
                stairs | QUIET | {"lineStyle": {"color": colour, "opacity": 1, "width": 2, "type": line_type}}
            )
            texts = [
                f"{_number(a)} to {_number(b)}: {_percent(s)}" for a, b, s in zip(edges, edges[1:], share, strict=False)
            ]
            whose = f"{letter}, {words(group)}"
            places = _pairs(np.column_stack([middles, row + share / top]))
            read += [[*place, whose, text] for place, text in zip(places, texts, strict=True)]
    names = {
        "type": "line",
        "data": [],
        "markLine": {
            "silent": True,
            "symbol": "none",
            "animation": False,
            "lineStyle": {"color": "transparent"},
            "label": {"position": "start", "distance": 8, "fontSize": 12, "color": NEUTRAL, "align": "right"}
            | {"lineHeight": 15},
            "data": labels,
        },
    } | QUIET
    hidden = {"axisLabel": {"show": False}, "axisTick": {"show": False}, "splitLine": {"show": False}}
    return {
        "animation": False,
        "grid": {"left": 130, "right": 20, "top": 12, "bottom": 48, "outerBoundsMode": "none"},
        "legend": {"show": False},
        "tooltip": {"trigger": "item", "confine": True},
        "xAxis": _axis(x_title, min=float(edges[0]), max=float(edges[-1]), nameGap=28)
        | {"axisLabel": {"fontSize": 12, "showMinLabel": False, "showMaxLabel": False}},  # which are no round numbers
        "yAxis": _axis("", min=-0.05, max=len(shown)) | hidden,
        "series": [names, *series, _invisible("", read, "{@[2]}<br>{@[3]}", 8)],
    }


def rows_height(n: int) -> int:
    """Pixels that n groups take in `distributions_of_runs`."""
    return 90 + 52 * max(1, n)


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


def _series_of(curve: TrainingCurve, line_type: object, top: float, n_beside: int) -> list[Option]:
    of = f"{curve.letter}, " if curve.letter else ""
    has_dev = len(curve.epochs) > 0
    letter = {"show": bool(curve.letter), "formatter": curve.letter, "distance": 6 + LETTER_WIDTH * n_beside}
    letter |= {"fontSize": 14, "fontWeight": "bold"}
    gray, blue = {"color": TRAINING_COLOUR}, {"color": BONA_FIDE_COLOUR, "opacity": 1}
    points = {"type": "scatter", "data": _pairs(curve.points), "symbolSize": 2.5, "z": 1} | QUIET
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
    } | QUIET
    events = {
        "type": "scatter",
        "data": [[x, top] for x in curve.events],
        "symbol": "triangle",
        "symbolRotate": 180,
        "symbolSize": 9,
        "itemStyle": {"color": MISSED, "opacity": 1},
        "z": 4,
    } | QUIET
    made = [points | {"itemStyle": gray | {"opacity": 0.4}}, training, dev, kept, events]
    if has_dev and len(curve.steps):
        # The pointer rests on epochs, and tells both means there: not those of the many steps between.
        at_epochs = np.column_stack([curve.epochs[:, 0], np.interp(curve.epochs[:, 0], *curve.steps.T)])
        made[1] = training | QUIET
        made.append(training | {"data": _pairs(at_epochs), "lineStyle": {"opacity": 0}})
    return made


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
