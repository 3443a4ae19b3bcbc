"""The first screen of a decision: a forest plot of what matters, and beside it what got worse, the worst first."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.comparing.comparison import LETTERS, Comparison, groupings, joined, sheet, worse
from app.comparing.scatter import points_of
from app.components.drawing import drawing
from app.components.scatter import selection_of
from app.words import escaped
from fas_core.evaluation.regressions import Cell, Regressions, members_of
from fas_core.reports.forest import forest
from fas_core.reports.tables import forest_rows, worse_table

HEIGHT = 282  # of the table, beside the plot
SAMPLES_PART = "Which samples change?"


def show_decision(comparison: Comparison, b: int, *, with_intervals: bool) -> None:
    """Beside each other where the window is wide."""
    left, right = st.columns([1, 1.12], gap="medium")
    got_worse = worse(comparison, b, with_intervals=with_intervals)
    with left:
        if rows := forest_rows(sheet(comparison), with_intervals=with_intervals):
            drawing(forest(rows), key="forest")
        if with_intervals and (said := sheet(comparison).limits_words):
            st.caption(escaped(said))
    with right:
        if got_worse is None:
            st.caption("What got worse is told at thresholds that can be matched: choose another limit in the sidebar.")
        else:
            show_worse(comparison, b, got_worse)


def show_worse(comparison: Comparison, b: int, got_worse: Regressions) -> None:
    """A row chosen in the table opens its samples in the part below."""
    cells, letter = list(got_worse.listed), LETTERS[b]
    n_clear = len(got_worse.clear)
    st.markdown(
        f"**What got worse** · {n_clear} of {got_worse.n_compared:,} compared, beyond chance",
        help="Every species, subset and group of the data's columns in which the other Run makes more mistakes. p is "
        f"by swapping the Runs' verdicts within whole units. {got_worse.correction_words}",
    )
    if not cells:
        st.caption("No species, subset or group got worse.")
        return
    st.dataframe(
        worse_table(cells, letter),
        hide_index=True,
        height=HEIGHT,
        key="worse",
        on_select=lambda: open_samples(comparison, cells),
        selection_mode="single-row",
        column_config={
            "Wrong more often": st.column_config.TextColumn(width=176),
            "n": st.column_config.NumberColumn(format="localized", width=42),
            f"A → {letter}": st.column_config.TextColumn(
                width=74, help="Share of wrong verdicts in A and in the other."
            ),
            "Points, 95 %": st.column_config.TextColumn(width=106, help="Their difference, by whole units."),
            "Sure? p": st.column_config.TextColumn(
                width=104,
                help="Beyond chance or not, and p after correction. Unsure: beyond chance by itself, not among so "
                "many. Too few: not judged.",
            ),
        },
    )
    n_more = len(got_worse.too_few) - sum(cell.difference > 0 for cell in got_worse.too_few)
    more = f" {n_more} more groups have too few samples to judge." if n_more else ""
    st.caption(f"A row chosen lists its samples below.{more}")


def open_samples(comparison: Comparison, cells: list[Cell]) -> None:
    """Selects what the row chosen is made of, in the part that lists samples by what happened to them."""
    chosen = st.session_state["worse"]["selection"]["rows"]
    if not chosen:
        return
    rows: NDArray[np.int64] = members_of(joined(comparison), groupings(comparison), cells[chosen[0]])
    points = points_of(comparison)
    points.keep(selection_of(rows, len(points), points.name))
    st.session_state["part"] = SAMPLES_PART
