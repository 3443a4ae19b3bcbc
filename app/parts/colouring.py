"""The colours of points: by group, by verdict, by a number or by a category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.components import scatter as plot
from app.components.scatter import Colours, Plane
from app.parts import columns
from app.parts.selection import Points
from app.session.cache import cached, keyed
from app.session.readers import decided_values, score_values
from app.words import number
from fas_core import metrics
from fas_core.data.names import in_group_order, readable
from fas_core.reports.palette import (
    BONA_FIDE_COLOUR,
    MISSED,
    NEUTRAL,
    NOT_GIVEN,
    REJECTED,
    Style,
    category_styles,
    styles_of,
)

GROUP, SCORE, VERDICT = "group", "chosen score", "verdict"
VERDICTS = {
    "live accepted": Style(BONA_FIDE_COLOUR),
    "attack found": Style(NEUTRAL, shape="triangle-up"),
    "live rejected": Style(REJECTED, shape="square"),
    "attack missed": Style(MISSED, shape="x"),
    "no response": Style("#B4B4B4", is_hollow=True),
}


@dataclass(frozen=True)
class Judged:
    """By what samples are judged: a score and, for verdicts, the level and the threshold of decisions."""

    score: str
    level: str = ""
    threshold: float = np.nan


@keyed
@dataclass(frozen=True, eq=False)
class Colouring:
    """What colours depend on."""

    points: Points
    by: str  # GROUP, SCORE, VERDICT, or a column of the Run
    judged: Judged | None = None  # for SCORE and VERDICT
    where: Plane | None = None  # points without a place in it are not drawn

    @property
    def digest(self) -> str:
        places = "" if self.where is None or self.where.is_placed is None else self.where.name
        return repr((self.points.digest, self.by, self.judged, places))


@cached(entries=24, spinner="Colouring the points …")
def coloured(how: Colouring) -> Colours:
    """The colour of every point; those of other subsets and without a place are hidden."""
    points, is_shown = how.points, how.points.is_shown
    if how.where is not None and how.where.is_placed is not None:
        is_shown = how.where.is_placed if is_shown is None else how.where.is_placed & is_shown
    if how.by == GROUP:
        codes, names = points.groups
        styles = styles_of(in_group_order(names)[: plot.MOST_CATEGORIES])
        return plot.by_category(codes, names, styles, is_shown)
    if how.by == VERDICT:
        assert how.judged is not None
        values = decided_values(points.run, how.judged.score, how.judged.level)
        codes = verdict_codes(columns.attacks(points.run), values, how.judged.threshold)
        return plot.by_category(points.of_each(codes), list(VERDICTS), VERDICTS, is_shown)
    if how.by == SCORE:
        assert how.judged is not None
        return _by_number(points, score_values(points.run, how.judged.score), how.judged.score, is_shown)
    if columns.is_number(points.run, how.by):
        return _by_number(points, columns.numbers_of(points.run, how.by), how.by, is_shown)
    column = columns.factor(points.run, how.by)
    codes = points.of_each(column.codes)
    counts = np.bincount(codes, minlength=len(column.names)).tolist()
    styles = category_styles(dict(zip(column.names, counts, strict=True)))
    return plot.by_category(codes, [name or NOT_GIVEN for name in column.names], styles, is_shown)


def _by_number(points: Points, numbers: NDArray[np.float64], name: str, is_shown: NDArray[np.bool_] | None) -> Colours:
    return plot.by_number(points.of_each(numbers), title=readable(name), words=number, is_shown=is_shown)


def verdict_codes(is_attack: NDArray[np.bool_], values: NDArray[np.float64], threshold: float) -> NDArray[np.uint8]:
    """(n,) positions in `VERDICTS`; a NaN among the values is no response."""
    answered = ~np.isnan(values)
    called = metrics.is_attack(np.where(answered, values, -np.inf), threshold)
    codes = np.where(is_attack, np.where(called, 1, 3), np.where(called, 2, 0))
    return np.where(answered, codes, 4).astype(np.uint8)
