"""Score against score: the common samples in a plane, in which some can be selected."""

from __future__ import annotations

import hashlib
import math
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.comparing.comparison import LETTERS, Comparison, joined, thresholds
from app.components import scatter as plot
from app.components.scatter import Answer, Colours, Plane, Selection
from app.session.cache import cached
from app.session.page import fragment
from app.words import number
from fas_core.data.names import groups_of, in_group_order, readable
from fas_core.reports.palette import style_of

SELECTED, SHOWN, PAGE = "_compare_selected", "_compare_shown", "compare_page"  # in the session: rows, view, page below


@cached(entries=16)
def planes(comparison: Comparison, b: int) -> tuple[Plane, Colours]:
    """Score of Run `b` against that of A, coloured by class."""
    both = joined(comparison)
    names, codes = np.unique(groups_of(both.samples), return_inverse=True)
    styles = {name: style_of(name) for name in in_group_order(names.tolist())[: plot.MOST_CATEGORIES]}
    where = plot.filled_plane(np.column_stack([both.scores[0], both.scores[b]]), lines(comparison, b))
    return where, plot.by_category(codes, names.tolist(), styles, None)


def lines(comparison: Comparison, b: int) -> tuple[float, float]:
    """The thresholds of A and of Run `b`; NaN where there are none."""
    at, _ = thresholds(comparison)
    return (at[0], at[b]) if at else (math.nan, math.nan)


def rows_name(comparison: Comparison) -> str:
    """Stands for the samples compared: what is selected in others is not selected here. Another rule changes none."""
    return hashlib.sha256(comparison.samples_digest.encode()).hexdigest()


def to_first_page() -> None:
    """Of the samples listed below the scatter."""
    st.session_state[PAGE] = 1


def keep(selection: Selection) -> None:
    st.session_state[SELECTED] = selection
    to_first_page()


def selected(comparison: Comparison) -> Selection | None:
    kept = st.session_state.get(SELECTED)
    return kept if isinstance(kept, Selection) and kept.run == rows_name(comparison) else None


def show_scatter(comparison: Comparison, b: int) -> NDArray[np.int64]:
    """Score against score; the rows that are selected in it, none where nothing is."""
    n, chosen = len(joined(comparison)), selected(comparison)
    where, colours = planes(comparison, b)
    view, off = plot.shown_before(SHOWN)
    of_a, of_b = f"A: {comparison.a.score}", f"{LETTERS[b]}: {comparison.systems[b].score}"
    plot.scatter(
        where,
        colours,
        chosen,
        run=rows_name(comparison),
        colour="class",
        titles=(of_a, of_b),
        note="",
        words=f"{n:,} samples by two scores, {of_b} and {of_a}.",
        has_units=True,
        view=view,
        off=off,
        marked=None,
        on_selected=keep,
        key="compare_scatter",
        lines=lines(comparison, b),
    )
    plot.carried_selection(chosen)
    rows = chosen.rows(n) if chosen else np.empty(0, np.int64)
    st.caption(
        "Lines are the thresholds: right of and above them is called an attack. "
        + (
            f"{len(rows):,} selected, listed below; links leave this out."
            if len(rows)
            else "Draw around points to list them below; scores far out lie on the edge."
        )
    )
    return rows


def told_of(comparison: Comparison, b: int, rows: NDArray[np.int64]) -> list[Answer]:
    """The image of some rows, if A has images, and both scores."""
    both, run = joined(comparison), comparison.a.run
    samples = both.samples.iloc[rows]
    images = run.images("inputs", both.rows[0][rows]) if run.has_images else np.empty((len(rows), 0, 0), np.uint8)
    return [
        Answer(
            [str(sample_id), readable(kind), *(f"{LETTERS[i]} {number(both.scores[i][row])}" for i in (0, b))], image
        )
        for sample_id, kind, row, image in zip(samples["sample_id"], groups_of(samples), rows, images, strict=True)
    ]


@fragment
def hovering(comparison: Comparison, b: int) -> None:
    """Answers what the browser asks while the pointer is on a point."""
    plot.hover(
        partial(told_of, comparison, b),
        run=rows_name(comparison),
        n=len(joined(comparison)),
        on_shown=partial(plot.keep_shown, SHOWN),
        key="compare_hover",
    )
