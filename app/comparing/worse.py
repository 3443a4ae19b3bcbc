"""The first screen of a decision: a forest plot of what matters, and beside it what got worse, the worst first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.comparing.comparison import LETTERS, Comparison, differences, groupings, joined, targets, worse
from app.comparing.scatter import points_of
from app.comparing.tables import p_number
from app.components.drawing import drawing
from app.components.scatter import selection_of
from app.words import escaped
from fas_core.data.names import BONA_FIDE, readable
from fas_core.evaluation.regressions import Cell, Regressions, members_of
from fas_core.evaluation.words import interval_text, signed
from fas_core.metrics.limits import short_words
from fas_core.reports.forest import Row, forest, rows_of

HEIGHT = 282  # of the table, beside the plot
SAMPLES_PART = "Which samples change?"


def show_decision(comparison: Comparison, b: int, *, with_intervals: bool) -> None:
    """Beside each other where the window is wide."""
    left, right = st.columns([1, 1.12], gap="medium")
    got_worse = worse(comparison, b, with_intervals=with_intervals)
    with left:
        if rows := forest_rows(comparison, b, with_intervals=with_intervals):
            drawing(forest(rows, f"A{LETTERS[b]}"), key="forest")
        if with_intervals and (held := targets(comparison)):
            by_run = "; ".join(
                f"{letter} {short_words(target)}" for letter, target in zip(comparison.letters, held, strict=True)
            )
            where = ", ".join(map(readable, comparison.subsets))
            st.caption(f"The limit {escaped(comparison.rule.words)} on {escaped(where)}: {escaped(by_run)}.")
    with right:
        if got_worse is None:
            st.caption("What got worse is told at thresholds that can be matched: choose another limit in the sidebar.")
        else:
            show_worse(comparison, b, got_worse)


def forest_rows(comparison: Comparison, b: int, *, with_intervals: bool) -> list[Row]:
    """Of A and Run `b`."""
    return rows_of(
        worse(comparison, b, with_intervals=with_intervals), differences(comparison, b, with_intervals=with_intervals)
    )


def show_worse(comparison: Comparison, b: int, got_worse: Regressions) -> None:
    """A row chosen in the table opens its samples in the part below."""
    cells, letter = [*got_worse.rows, *(cell for cell in got_worse.too_few if cell.difference > 0)], LETTERS[b]
    n_clear = len(got_worse.clear)
    st.markdown(
        f"**What got worse** · {n_clear} of {got_worse.n_compared:,} compared, beyond chance",
        help="Every species, subset and group of the data's columns in which the other Run makes more mistakes. p is "
        "by swapping the Runs' verdicts within whole units, corrected by Holm's method for all that are compared.",
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
            "n": st.column_config.NumberColumn(format="localized", width=44),
            f"A → {letter}": st.column_config.TextColumn(
                width=76, help="Share of wrong verdicts in A and in the other."
            ),
            "Points, 95 %": st.column_config.TextColumn(width=112, help="Their difference, by whole units."),
            "p": st.column_config.TextColumn(width=58, help="Corrected. Too few: not judged."),
        },
    )
    n_more = len(got_worse.too_few) - sum(cell.difference > 0 for cell in got_worse.too_few)
    more = f" {n_more} more groups have too few samples to judge." if n_more else ""
    st.caption(f"A row chosen lists its samples below.{more}")


def worse_table(cells: list[Cell], letter: str) -> pd.DataFrame:
    """Groups that are too small to judge have no p."""
    return pd.DataFrame(
        {
            "Wrong more often": [_whose(cell) for cell in cells],
            "n": [cell.n for cell in cells],
            f"A → {letter}": [f"{100 * cell.a:.0f} → {100 * cell.b:.0f} %" for cell in cells],
            "Points, 95 %": [_interval(cell) for cell in cells],
            "p": ["too few" if cell.p is None else p_number(cell.p) for cell in cells],
        }
    )


def _whose(cell: Cell) -> str:
    kind = "live" if cell.kind == BONA_FIDE else readable(cell.kind)
    if not cell.column:
        return f"{kind}, all"
    return f"{kind} · {readable(cell.column)}: {readable(cell.group)}"


def _interval(cell: Cell) -> str:
    interval = interval_text(*cell.points, digits=0)
    return signed(100 * cell.difference, 0) + (f" ({interval})" if interval else "")


def open_samples(comparison: Comparison, cells: list[Cell]) -> None:
    """Selects what the row chosen is made of, in the part that lists samples by what happened to them."""
    chosen = st.session_state["worse"]["selection"]["rows"]
    if not chosen:
        return
    rows: NDArray[np.int64] = members_of(joined(comparison), groupings(comparison), cells[chosen[0]])
    points = points_of(comparison)
    points.keep(selection_of(rows, len(points), points.name))
    st.session_state["part"] = SAMPLES_PART
