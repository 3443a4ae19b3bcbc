"""The first screen of a decision: a forest plot of what matters, and beside it what got worse, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.comparing.comparison import LETTERS, Comparison, groupings, joined, sheet, worse
from app.comparing.scatter import points_of
from app.components.drawing import drawing
from app.components.scatter import selection_of
from app.session.tables import show_rows
from app.words import escaped
from fas_core.evaluation.regressions import Cell, Regressions, members_of
from fas_core.reports.forest import Forest
from fas_core.reports.tables import forest_rows, worse_table

ROWS = (3, 5)  # of the tables of live faces and of attacks, that are seen at once beside the plot
SAMPLES_PART = "Which samples change?"


def show_decision(comparison: Comparison, b: int, feared: Sequence[str], *, with_intervals: bool) -> None:
    """Beside each other where the window is wide. `feared`: species that stand first."""
    left, right = st.columns([1, 1.35], gap="small")
    got_worse = worse(comparison, b, with_intervals=with_intervals)
    with left:
        if rows := forest_rows(sheet(comparison), with_intervals=with_intervals, feared=feared):
            plot = Forest(rows)
            drawing(plot, f"Forest plot: {plot.words}", key="forest")
        if with_intervals and (said := sheet(comparison).limits_words):
            st.caption(escaped(said))
        if got_worse is not None:
            also = [got_worse.better_words(), sheet(comparison).area_words(b)]
            st.caption(escaped(" ".join(filter(None, also))))
    with right:
        if got_worse is None:
            st.caption("What got worse is told at thresholds that can be matched: choose another limit in the sidebar.")
        else:
            show_worse(comparison, b, got_worse, feared)


def show_worse(comparison: Comparison, b: int, got_worse: Regressions, feared: Sequence[str]) -> None:
    """Live faces, then attacks, each by size. A row chosen opens its samples in the part below."""
    st.markdown(
        f"**What got worse** · {got_worse.clear_words}",
        help="Every species, subset and group of the data's columns in which the other Run makes more mistakes. p is "
        f"by swapping the Runs' verdicts within whole units. {got_worse.correction_words}",
    )
    named = (("Live faces rejected", "worse_live"), ("Attacks missed", "worse_attacks"))
    for (name, key), cells, most in zip(named, got_worse.listed(feared), ROWS, strict=True):
        if cells:
            _show_cells(comparison, b, cells, name, key, got_worse.unit, most)
    lead = (
        f"A row chosen lists its {joined(comparison).unit}s below."
        if any(got_worse.listed())
        else got_worse.sentence(LETTERS[b])
    )
    said = [lead, got_worse.counts_words, got_worse.of_one_words()]
    st.caption(escaped(" ".join(filter(None, said))))


def _show_cells(
    comparison: Comparison, b: int, cells: Sequence[Cell], name: str, key: str, unit: str, most: int
) -> None:
    """`name`: of the first column; `most`: rows that are seen at once."""
    letter = LETTERS[b]
    show_rows(
        worse_table(cells, letter, unit).rename(columns={"Group": name}),
        key,
        height=38 + 35 * min(most, len(cells)),
        key=key,
        on_select=partial(open_samples, comparison, cells, key),
        selection_mode="single-row",
        column_config={
            name: st.column_config.TextColumn(width=262),
            "n": st.column_config.NumberColumn(format="localized", width=46),
            f"A → {letter}": st.column_config.TextColumn(
                width=86, help="Share of wrong verdicts in A and in the other."
            ),
            "95 %": st.column_config.TextColumn(width=82, help="Of their difference in points, by whole units."),
            "Sure?": st.column_config.TextColumn(
                width=64,
                help="Yes: beyond chance after correction. Unsure: beyond chance by itself, not among so many. "
                "Too few: not judged.",
            ),
            f"{unit.capitalize()}s": st.column_config.TextColumn(
                width=100, help="A group of which one holds most samples says little of others."
            ),
            "p": st.column_config.TextColumn(width=60, help="After correction."),
        },
    )


def open_samples(comparison: Comparison, cells: Sequence[Cell], key: str) -> None:
    """Selects what the row chosen is made of, in the part that lists samples by what happened to them."""
    chosen = st.session_state[key]["selection"]["rows"]
    if not chosen:
        return
    rows: NDArray[np.int64] = members_of(joined(comparison), groupings(comparison), cells[chosen[0]])
    points = points_of(comparison)
    points.keep(selection_of(rows, len(points), points.name))
    st.session_state["part"] = SAMPLES_PART
