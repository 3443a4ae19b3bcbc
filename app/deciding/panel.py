"""What the page Threshold draws while a threshold moves: scores of every subset and species, curves and intervals."""

from __future__ import annotations

import numpy as np

from app.components.threshold import FORMAT, Cell, Prepared, arrays_of, of_arrays, prepared
from app.session import apart, readers
from app.session.cache import cached
from app.session.sidebar import Shown
from fas_core import memo
from fas_core.data.names import groups_of
from fas_core.evaluation import kept
from fas_core.evaluation.presentations import Presentations
from fas_core.metrics import uncertainty
from fas_core.metrics.operating_point import BY_HAND, OperatingPoint
from fas_core.reports.palette import style_of

EXACT_TO = 200_000  # scores, of which intervals are made anew for each rule


def panel_at(shown: Shown, point: OperatingPoint) -> Prepared:
    # A threshold that is dragged stays between the neighbours: nobody waits for it.
    is_dragged = point.rule.kind == BY_HAND or len(shown.run) > EXACT_TO
    return panel_of(shown, point.reported_on, None if is_dragged else point.threshold)


@cached(entries=16, spinner="Preparing curves and intervals …")
def panel_of(shown: Shown, reported: tuple[str, ...], exact_at: float | None) -> Prepared:
    """Of a large Run it is kept, and made beside the server where it is not."""
    if len(shown.run) < kept.LARGE:
        return made(shown, reported, exact_at)
    asked = (shown, reported, exact_at)
    is_apart = apart.is_worth_it((shown.run,)) and not memo.is_kept(shown.run.cache, "threshold", _key(*asked))
    return of_arrays(apart.called(kept_arrays, asked) if is_apart else kept_arrays(*asked))


def made(shown: Shown, reported: tuple[str, ...], exact_at: float | None) -> Prepared:
    decided = readers.decided(shown.run, shown.score, shown.level)
    kind = readers.decisions(shown.run, shown.level)
    return prepared(cells(decided, shown.subsets), reported=reported, decisions=kind, exact_at=exact_at)


def kept_arrays(shown: Shown, reported: tuple[str, ...], exact_at: float | None) -> memo.Arrays:
    """`arrays_of` it."""
    asked = (shown, reported, exact_at)
    return memo.arrays(shown.run.cache, "threshold", _key(*asked), lambda: arrays_of(made(*asked)))


def _key(shown: Shown, reported: tuple[str, ...], exact_at: float | None) -> dict[str, object]:
    run, decided = shown.run, readers.decided(shown.run, shown.score, shown.level)
    asked: dict[str, object] = {"subsets": shown.subsets, "reported": reported}
    asked |= {"decisions": readers.decisions(run, shown.level), "exact_at": repr(exact_at), "panel": FORMAT}
    return kept.key(run, decided, asked)


def cells(decided: Presentations, subsets: tuple[str, ...]) -> list[Cell]:
    """The scores of every subset, bona fide ones and every species apart."""
    rows, (codes, species) = decided.rows, decided.of.kinds
    units, names = rows[[name for name in rows if name in uncertainty.UNITS]], ["", *species]
    parts = []
    for subset in subsets:
        within = np.flatnonzero(decided.within([subset]))
        for code in sorted(np.unique(codes[within]).tolist(), key=names.__getitem__):
            here = within[codes[within] == code]
            style = style_of(str(groups_of(rows.iloc[here[:1]])[0]))
            parts.append(Cell(subset, names[code], decided.values[here], units.iloc[here], style))
    return parts
