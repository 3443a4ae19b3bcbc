"""The cards of the gallery: what is written around the images of samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from app.components import gallery as component
from app.looking import order
from app.looking.judged import Judged
from app.looking.order import Order
from app.parts import filters, marking, standing
from app.session.readers import score_values
from app.words import number
from fas_core import scores
from fas_core.data.names import readable
from fas_core.reports.palette import style_of


@dataclass(frozen=True)
class Choice:
    """What the controls say, the filters apart."""

    order: Order
    more_scores: list[str]
    per_page: int
    display: component.Display
    layout: component.Layout


def cards_of(
    images: Judged, rows: NDArray[np.intp], choice: Choice, headings: list[str] | None = None
) -> list[component.Card]:
    run, chosen = images.run, choice.order
    is_disagreement = chosen.kind == order.DISAGREEMENT
    by = [chosen.by] if scores.has(run, chosen.by) else []
    first = [*by, chosen.against] if is_disagreement else []
    names = list(dict.fromkeys([*first, images.shown.score, *by, *choice.more_scores]))
    mine, notes = marking.own(run), marking.notes_by_sample(run, is_blind=choice.layout != "sheet")
    column = None if by else filters.column(run, chosen.by)
    of_scores = list(zip(*(standing.score_lines(run, name, rows) for name in names), strict=True))
    briefly = list(zip(*(map(number, score_values(run, name)[rows].tolist()) for name in names), strict=True))
    cards = []
    for i, (row, heading) in enumerate(zip(rows.tolist(), headings or [""] * len(rows), strict=True)):
        style = style_of(images.kinds[row])
        sample_id = images.ids[row]
        lines, brief = [*of_scores[i], sample_id], list(briefly[i])
        if column is not None:
            value = column[row] if column.dtype.kind == "U" else f"{column[row]:g}"
            lines.insert(0, f"{readable(chosen.by)} {value}")
            brief.insert(0, str(value))
        if is_disagreement:
            places = (f"{100 * order.ranks(run, name)[row]:.0f} %" for name in names[:2])
            lines.insert(0, f"rank among all images {' and '.join(places)}")
        said = mine.get(sample_id)
        cards.append(
            component.Card(
                sample_id=sample_id,
                lines=lines,
                brief=" · ".join(brief),
                group=readable(images.kinds[row]),
                colour=style.colour,
                is_hollow=style.is_hollow,
                verdict=cast(component.Verdict, str(images.verdicts[row])),
                is_marked=said is not None and said.is_marked,
                own_label="" if said is None else said.own_label,
                own_note="" if said is None else said.note,
                note=notes.get(sample_id, ""),
                heading=heading,
            )
        )
    return cards
