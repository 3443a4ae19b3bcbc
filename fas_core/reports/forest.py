"""A forest plot as SVG text: of several metrics the values of Runs, and the difference of each to A.

It takes the colour of the text around it, so that it reads on light and dark alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from markupsafe import Markup, escape

from fas_core.data.names import BONA_FIDE, readable
from fas_core.evaluation.differences import ROC_AUC, Difference
from fas_core.evaluation.regressions import Cell, Regressions
from fas_core.evaluation.words import interval_text, signed
from fas_core.metrics.resampling import Statistic
from fas_core.reports.palette import NEUTRAL, colour_of_run

_LABEL, _VALUE, _PLANE, _WORDS = 104, 52, 150, 164  # widths in pixels, from left to right; of labels and words at least
_LETTER, _HEAVY = 7.3, 8.2  # at most of a letter, and of a heavy one, on average in the widest of usual fonts
_MARK = 20  # of a letter before a value
_ROW, _ARM, _TOP, _BOTTOM = 31, 19, 30, 40
_CUT = 3
_EDGE = 8  # at both sides where it stands alone
_TICKS = (1, 2, 4, 6, 10, 20, 30, 40, 60, 80, 100)


@dataclass(frozen=True)
class Row:
    """One metric. `worse`, `low`, `high`: how much worse the other Run is, in points, on one axis for all metrics."""

    label: str
    a: str
    b: str
    worse: float
    low: float | None
    high: float | None
    words: str  # the difference with its interval
    is_clear: bool


def rows_of(
    worse: Regressions | None,
    of_each: Mapping[Statistic, Difference],
    *,
    with_species: bool = False,
    feared: Sequence[str] = (),
) -> list[Row]:
    """Live faces rejected, every species missed, and the AUC; `with_species`: the AUC of each species too.

    `feared`: the species that stand first.
    """
    overall = () if worse is None else worse.overall
    by_fear = sorted(overall, key=lambda cell: cell.kind != BONA_FIDE and cell.kind not in feared)
    rows = [_row_of(cell) for cell in by_fear]
    areas = [statistic for statistic in of_each if statistic.name == "roc_auc"] if with_species else [ROC_AUC]
    of_areas = (_area_row(area, of_each[area]) for area in areas if area in of_each)
    is_judged = worse is None or worse.n_compared > 0
    return rows + [replace(row, is_clear=row.is_clear and is_judged) for row in of_areas if row is not None]


def _row_of(cell: Cell) -> Row:
    digits = 0 if cell.n < 1000 else 1
    low, high = cell.points
    interval = interval_text(low, high, digits)
    return Row(
        label="live rejected" if cell.kind == BONA_FIDE else f"{readable(cell.kind)} missed",
        a=f"{100 * cell.a:.{digits}f} %",
        b=f"{100 * cell.b:.{digits}f} %",
        worse=100 * cell.difference,
        low=low,
        high=high,
        words=signed(100 * cell.difference, digits) + (f" [{interval}]" if interval else ""),
        is_clear=cell.is_clear,
    )


def _area_row(statistic: Statistic, area: Difference) -> Row | None:
    """An area that shrinks is drawn as what gets worse."""
    if area.a is None or area.b is None or area.difference is None:
        return None
    interval = interval_text(area.low, area.high, 3)
    return Row(
        label=f"AUC {readable(statistic.species)}" if statistic.species else "AUC",
        a=f"{area.a:.3f}",
        b=f"{area.b:.3f}",
        worse=-100 * area.difference,
        low=None if area.high is None else -100 * area.high,
        high=None if area.low is None else -100 * area.low,
        words=signed(area.difference, 3) + (f" [{interval}]" if interval else ""),
        is_clear=area.p is not None and area.p < 0.05,
    )


@dataclass(frozen=True)
class Forest:
    """Rows of each other Run, by its letter, against A: a figure's `Drawn`."""

    rows: Mapping[str, Sequence[Row]]

    def drawn(self) -> Markup:
        return forest(self.rows, is_alone=True)

    def data(self) -> pd.DataFrame:
        """A row per metric and Run; differences in points, above 0 where it is worse than A."""
        drawn = [
            (row.label, letter, row.a, row.b, row.worse, row.low, row.high, row.is_clear)
            for letter, rows in self.rows.items()
            for row in rows
        ]
        heads = ["metric", "run", "A", "of run", "worse by, in points", "low95", "high95", "beyond chance"]
        return pd.DataFrame(drawn, columns=heads)

    @property
    def words(self) -> str:
        return _in_words(_by_label(self.rows))


def forest(rows_by_letter: Mapping[str, Sequence[Row]], *, is_alone: bool = False) -> Markup:
    """`rows_by_letter`: of each other Run, against A, the same metrics. As wide as its place; said in words too.

    `is_alone`: of its own size, and in letters and colours of its own.
    """
    of_metrics = _by_label(rows_by_letter)
    letters = list(rows_by_letter)
    several = len(letters) > 1
    heights = [max(_ROW, _ARM * len(arms) + 8) for arms in of_metrics.values()]
    every = [row for rows in rows_by_letter.values() for row in rows]
    reach = _reach(every)
    names = max(_LABEL, round(_LETTER * max((len(row.label) for row in every), default=0)))
    words = max(_WORDS, round(_HEAVY * max((len(row.words) for row in every), default=0)) + 8)
    left, bottom = names + 2 * _VALUE + 14 + _MARK * several, _TOP + sum(heights)
    width, height = left + _PLANE + words, bottom + _BOTTOM

    def x(points: float) -> float:
        return left + _PLANE * (0.5 + 0.5 * max(-1.0, min(1.0, points / reach)))

    drawn = _axis(letters, x, reach, bottom, left, width)
    top = float(_TOP)
    for row_height, (name, arms) in zip(heights, of_metrics.items(), strict=True):
        first = top + (row_height - _ARM * (len(arms) - 1)) / 2
        drawn.append(
            f"<text x='0' y='{first + 4:.1f}'>{escape(name)}</text>"
            f"<text x='{names + 0.9 * _VALUE:.0f}' y='{first + 4:.1f}' text-anchor='end'>"
            f"{escape(next(iter(arms.values())).a)}</text>"
        )
        drawn += [
            _arm(row, letter if several else "", first + _ARM * i, x, reach, colour_of_run(letter), left, width)
            for i, (letter, row) in enumerate(arms.items())
        ]
        top += row_height
    look = f"viewBox='0 0 {width} {height}' width='100%' style='max-width:{1.3 * width:.0f}px;display:block'"
    if is_alone:
        look = (
            f"viewBox='-{_EDGE} 0 {width + 2 * _EDGE} {height}' width='{width + 2 * _EDGE}' height='{height}' "
            "font-family='system-ui, sans-serif' color='#1a1a1a'"
        )
    return Markup(
        f"<svg {look} role='img' aria-label='{escape(_in_words(of_metrics))}' font-size='13' fill='currentColor'>"
        f"{''.join(drawn)}</svg>"
    )


def _by_label(rows_by_letter: Mapping[str, Sequence[Row]]) -> dict[str, dict[str, Row]]:
    """Metric -> letter -> row."""
    of_metrics: dict[str, dict[str, Row]] = {}
    for letter, rows in rows_by_letter.items():
        for row in rows:
            of_metrics.setdefault(row.label, {})[letter] = row
    return of_metrics


def _in_words(of_metrics: Mapping[str, Mapping[str, Row]]) -> str:
    """live rejected: A 9 %, C 41 %, +32 [+22 to +43]; ..."""
    said = []
    for name, arms in of_metrics.items():
        each = ", ".join(f"{letter} {row.b}, {row.words}" for letter, row in arms.items())
        said.append(f"{name}: A {next(iter(arms.values())).a}, {each}")
    return "; ".join(said)


def _axis(
    letters: Sequence[str], x: Callable[[float], float], reach: float, bottom: float, left: int, width: int
) -> list[str]:
    """Heads of the columns, and the plane that differences are drawn on, from `left`. `letters`: of the other Runs."""
    several = len(letters) > 1
    which = "each" if several else letters[0]
    of_a = left - 14 - _MARK * several - 1.1 * _VALUE
    drawn = [
        f"<text x='{of_a + _VALUE * i:.0f}' y='{_TOP - 14}' text-anchor='end' font-weight='bold' "
        f"fill='{colour_of_run(letter)}'>{letter}</text>"
        for i, letter in enumerate(["A"] if several else ["A", *letters])
    ]
    drawn.append(f"<text x='{width - 4}' y='{_TOP - 14}' text-anchor='end'>{which} − A, 95 %</text>")
    for points in (-reach, -reach / 2, 0, reach / 2, reach):
        look = f"stroke='{NEUTRAL}' stroke-width='2'" if not points else "stroke='currentColor' stroke-opacity='.15'"
        text = f"{points:+g}".replace("-", "−") if points else "0"
        drawn.append(
            f"<path d='M{x(points):.1f} {_TOP - 4}V{bottom}' {look}/>"
            f"<text x='{x(points):.1f}' y='{bottom + 14}' text-anchor='middle' fill-opacity='.75'>{text}</text>"
        )
    better, worse = ("← better", "worse →") if several else (f"← {which} better", f"{which} worse →")
    drawn.append(
        f"<text x='{left}' y='{bottom + 31}' fill-opacity='.75'>{better}</text>"
        f"<text x='{left + _PLANE}' y='{bottom + 31}' text-anchor='end' fill-opacity='.75'>{worse}"
        f"</text><text x='{width - 4}' y='{bottom + 14}' text-anchor='end' fill-opacity='.75'>in points</text>"
    )
    return drawn


def _arm(
    row: Row, letter: str, y: float, x: Callable[[float], float], reach: float, colour: str, left: int, width: int
) -> str:
    """One Run against A. `letter`: before its value, "" where it stands above all of them. Arrows: cut."""
    weight = " font-weight='bold'" if row.is_clear else ""
    of = f"<tspan fill='{colour}' font-weight='bold'>{letter}</tspan> " if letter else ""
    texts = [
        f"<text x='{left - 14 - 0.1 * _VALUE:.0f}' y='{y + 4:.1f}' text-anchor='end'>{of}{escape(row.b)}</text>",
        f"<text x='{width - 4}' y='{y + 4:.1f}' text-anchor='end'{weight}>{escape(row.words)}</text>",
    ]
    line = ""
    if row.low is not None and row.high is not None:
        line = f"<path d='M{x(row.low):.1f} {y:.1f}H{x(row.high):.1f}' stroke='{colour}' stroke-width='2.5'/>"
        for end, inwards in ((row.low, 6), (row.high, -6)):
            if abs(end) > reach:  # it goes on beyond the plane
                tip = x(end)
                line += (
                    f"<path d='M{tip + inwards:.1f} {y - 5:.1f}L{tip:.1f} {y:.1f}L{tip + inwards:.1f} {y + 5:.1f}' "
                    f"fill='none' stroke='{colour}' stroke-width='2'/>"
                )
    look = f"fill='{colour}'" if row.is_clear else f"fill='none' stroke='{colour}' stroke-width='2'"
    return "".join(texts) + line + f"<circle cx='{x(row.worse):.1f}' cy='{y:.1f}' r='5' {look}/>"


def _reach(rows: Sequence[Row]) -> float:
    """A round number of points that no difference goes beyond, nor an interval unless it is `_CUT` times the usual.

    One of a few people would else draw all the others within their dots.
    """
    ends = [
        max(abs(end) for end in (row.worse, row.low, row.high) if end is not None and math.isfinite(end))
        for row in rows
        if math.isfinite(row.worse)
    ]
    if not ends:
        return float(_TICKS[0])
    usual = [end for end in ends if end <= _CUT * sorted(ends)[len(ends) // 2]]
    most = max([*usual, *(abs(row.worse) for row in rows if math.isfinite(row.worse))])
    return next((float(tick) for tick in _TICKS if tick >= most), 100.0)
