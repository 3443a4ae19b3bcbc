"""Score against score: the common samples in a plane, in which some can be selected."""

from __future__ import annotations

import hashlib
import math
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.comparing.comparison import LETTERS, Comparison, flips, joined
from app.components import scatter as plot
from app.components.scatter import Answer, Colours, Plane
from app.parts import columns
from app.parts.colouring import GROUP, Colouring, coloured
from app.parts.selection import Points
from app.session import faces
from app.session.cache import cached
from app.session.page import fragment
from app.words import number
from fas_core.data.names import readable


def points_of(comparison: Comparison) -> Points:
    """The samples compared, as A knows them. Another rule changes none, nor which of them are selected."""
    name = hashlib.sha256(comparison.samples_digest.encode()).hexdigest()
    return Points("compare", name, comparison.a.run, joined(comparison).rows[0], comparison.subsets)


@cached(entries=16)
def plane(comparison: Comparison, b: int) -> Plane:
    """Score of Run `b` against that of A."""
    scores = joined(comparison).scores
    return plot.filled_plane(np.column_stack([scores[0], scores[b]]), lines(comparison, b))


def colours(comparison: Comparison, b: int) -> Colours:
    """Of the points, by class."""
    return coloured(Colouring(points_of(comparison), GROUP, where=plane(comparison, b)))


def lines(comparison: Comparison, b: int) -> tuple[float, float]:
    """The thresholds of A and of Run `b`; NaN where there are none."""
    at = flips(comparison, b)
    return (math.nan, math.nan) if at is None else (at.threshold_a, at.threshold_b)


def show_scatter(comparison: Comparison, b: int) -> NDArray[np.int64]:
    """Score against score; the rows that are selected in it, none where nothing is."""
    points = points_of(comparison)
    view, off = points.view()
    of_a, of_b = f"A: {comparison.a.score}", f"{LETTERS[b]}: {comparison.systems[b].score}"
    plot.scatter(
        plane(comparison, b),
        colours(comparison, b),
        points.selected,
        run=points.name,
        colour="class",
        titles=(of_a, of_b),
        note="",
        words=f"{len(points):,} {joined(comparison).unit}s by two scores, {of_b} and {of_a}.",
        has_units=True,
        view=view,
        off=off,
        marked=None,
        on_selected=points.keep,
        key="compare_scatter",
        lines=lines(comparison, b),
        has_images="inputs" in faces.kinds(comparison.a.run),
    )
    plot.carried_selection(points.selected)
    rows = points.within(points.selected)
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
    both, run, (codes, names) = joined(comparison), comparison.a.run, points_of(comparison).groups
    images = columns.images_of(run, both.rows[0][rows])
    return [
        Answer(
            [str(sample_id), readable(names[code]), *(f"{LETTERS[i]} {number(both.scores[i][row])}" for i in (0, b))],
            image,
        )
        for sample_id, code, row, image in zip(
            both.samples["sample_id"].iloc[rows], codes[rows], rows, images, strict=True
        )
    ]


@fragment
def hovering(comparison: Comparison, b: int) -> None:
    """Answers what the browser asks while the pointer is on a point."""
    points_of(comparison).hover(partial(told_of, comparison, b))
