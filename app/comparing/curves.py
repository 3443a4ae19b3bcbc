"""Curves of the Runs over each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts import curves as charts
from app.comparing.comparison import (
    BPCERS,
    LETTERS,
    RECALLS,
    Comparison,
    areas,
    curves,
    drawn,
    joined,
    score_sets,
    thresholds,
)
from app.words import option
from fas_core import metrics
from fas_core.data.names import readable
from fas_core.evaluation.differences import band
from fas_core.metrics import ScoreSet
from fas_core.metrics.resampling import Statistic

ALL_ATTACKS = "All attacks"
HEIGHT = 400

Marks = dict[str, tuple[float, float] | None]  # a place on the curve of each Run, by its letter


def show_curves(comparison: Comparison, b: int, *, with_intervals: bool) -> None:
    """ROC, precision and recall, and DET; bands of A and Run `b` where there are intervals."""
    both = joined(comparison)
    species, unit = [name for name, values in both.score_sets[0].attacks.items() if values.size], both.unit
    chosen = st.segmented_control(
        "Attacks in the curves",
        [ALL_ATTACKS, *species],
        default=ALL_ATTACKS,
        format_func=lambda name: option(readable(name)),
        key="attacks",
        bind="query-params",
        required=True,
        help=f"The species of the presentation attack; each is compared with all common live {unit}s.",
    )
    of = str(chosen) if chosen in species else ""
    sets = score_sets(comparison, of)
    by_letter = dict(zip(comparison.letters, curves(comparison, of), strict=True))
    roc_at, pr_at, det_at = marks_at(sets, thresholds(comparison)[0])
    of_apcer, of_precision = bands(comparison, b) if with_intervals and not of else ({}, {})
    attacks_found = {name: (x, 1 - high, 1 - low) for name, (x, low, high) in of_apcer.items()}
    auc, precision = (of_each(sets, values) for values in zip(*areas(comparison, of), strict=True))
    left, right = st.columns(2)
    with left:
        st.markdown(f"**ROC** · area under the curve: {auc}", help="1 = perfect, 0.5 = chance.")
        chart = charts.roc_of_runs(by_letter, roc_at, attacks_found)
        st.echarts_chart(chart, key="roc_runs", height=HEIGHT, alt=f"ROC of the Runs; area under the curve {auc}")
    with right:
        about = f"**Precision and recall** · average precision: {precision}"
        st.markdown(about, help="Depends on the share of attacks.")
        chart = charts.precision_recall_of_runs(by_letter, pr_at, of_precision)
        alt = f"Precision and recall of the Runs; average precision {precision}"
        st.echarts_chart(chart, key="pr_runs", height=HEIGHT, alt=alt)
    left, right = st.columns(2)
    with left:
        st.markdown("**DET** · errors of both kinds on probit axes", help="Nearer to the lower left corner is better.")
        chart = charts.det_of_runs(by_letter, det_at, attacks_found)
        st.echarts_chart(chart, key="det_runs", height=HEIGHT, alt="DET of the Runs: BPCER over APCER")
    with right:
        if of_apcer:
            shown = " and ".join(of_apcer)
            st.caption(f"Bands: 95 % of {shown}, each by itself; where they overlap the difference may still be clear.")


def marks_at(sets: Sequence[ScoreSet], at: Sequence[float]) -> tuple[Marks, Marks, Marks]:
    """Where the Runs' thresholds are on ROC, precision-recall and DET; None where they have none."""
    roc: Marks = dict.fromkeys(LETTERS[: len(sets)])
    precision_recall, det = dict(roc), dict(roc)
    for letter, of_run, threshold in zip(LETTERS, sets, at, strict=False):
        rates = metrics.rates_at(of_run, threshold)
        roc[letter] = _place(rates.bpcer, rates.recall)
        det[letter] = _place(rates.apcer_pooled, rates.bpcer)
        precision_recall[letter] = _place(rates.recall, rates.precision)
    return roc, precision_recall, det


def _place(x: float | None, y: float | None) -> tuple[float, float] | None:
    return None if x is None or y is None else (x, y)


def of_each(sets: Sequence[ScoreSet], values: Sequence[float]) -> str:
    """A 0.93, B 0.95: with a third digit where both classes have a thousand samples."""
    return ", ".join(
        f"{letter} {value:.{2 if min(of_run.n_bona_fide, of_run.n_attack) < 1000 else 3}f}"
        for letter, of_run, value in zip(LETTERS, sets, values, strict=False)
    )


def bands(comparison: Comparison, b: int) -> tuple[charts.Bands, charts.Bands]:
    """Of A and Run `b`, for all attacks: BPCER and the interval of APCER; recall and that of precision."""
    resampled = drawn(comparison)
    at_bpcer = [Statistic("apcer_at_bpcer", (x, None)) for x in BPCERS]
    at_recall = [Statistic("precision_at_recall", x) for x in RECALLS]
    of_apcer, of_precision = {}, {}
    for i in (0, b):
        low, high = band(resampled, at_bpcer, i).T
        of_apcer[LETTERS[i]] = (np.array(BPCERS), low, high)
        low, high = band(resampled, at_recall, i).T
        of_precision[LETTERS[i]] = (np.array(RECALLS), low, high)
    return of_apcer, of_precision
