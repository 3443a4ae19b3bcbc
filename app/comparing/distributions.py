"""One loss of all Runs over each other."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.charts import ridges
from app.charts.echarts import LINE_WORDS
from app.comparing.comparison import LETTERS, Comparison, joined
from app.session.page import fragment
from app.session.readers import score_values
from fas_core import scores
from fas_core.data.names import groups_of, readable
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.verdicts import in_widths

IN_WIDTHS = "the chosen scores, in widths of live"


@fragment
def show_distributions(comparison: Comparison) -> None:
    """One loss of all Runs over each other; scores of other units in widths of their live samples."""
    loss = st.selectbox(
        "Loss",
        offered(comparison),
        format_func=readable,
        key="loss",
        bind="query-params",
        width=300,
        help=f"Widths of live: distance from the median of the live {joined(comparison).unit}s in their interquartile "
        "ranges, which brings scores of other units together.",
    )
    title = "distance from the live median, in interquartile ranges" if loss == IN_WIDTHS else readable(str(loss))
    by_run = values_by_group(comparison, str(loss))
    chart = ridges.distributions_of_runs(by_run, x_title=title)
    height = ridges.rows_height(len(by_run["A"]))
    st.echarts_chart(chart, key="distributions", height=height, alt=f"Distributions of {title} of the Runs, per group")
    lines = ", ".join(f"{letter} {words}" for letter, words in zip(by_run, LINE_WORDS, strict=False))
    st.caption(f"Line styles: {lines}; A is filled.")


def offered(comparison: Comparison) -> list[str]:
    """The chosen scores, and the losses that every Run has: those are of frames."""
    if comparison.level != FRAME or any(run.is_of_scores for run, _ in comparison.systems):
        return [IN_WIDTHS]
    of_others = [scores.offered(run) for run, _ in comparison.systems[1:]]
    common = [name for name in scores.offered(comparison.a.run) if all(name in names for names in of_others)]
    return [IN_WIDTHS, *common]


def values_by_group(comparison: Comparison, loss: str) -> dict[str, dict[str, NDArray[np.float64]]]:
    """The common samples' values of a loss, or of `IN_WIDTHS`: letter of the Run -> group -> (m,)."""
    both = joined(comparison)
    if loss == IN_WIDTHS:
        values = [in_widths(of_run, of_run[~both.is_attack]) for of_run in both.scores]
    else:
        values = [score_values(run, loss)[rows] for (run, _), rows in zip(comparison.systems, both.rows, strict=True)]
    kinds = groups_of(both.samples)
    rows_of = {str(name): np.flatnonzero(kinds == name) for name in np.unique(kinds)}
    return {
        letter: {name: of_run[rows] for name, rows in rows_of.items()}
        for letter, of_run in zip(LETTERS, values, strict=False)
    }
