"""How the trainings of the Runs went."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app.charts.trainings import TrainingCurve, training_curves
from app.comparing.comparison import Comparison
from app.session.readers import cache_folder
from app.words import number
from fas_core.runs import traininglog


def show_trainings(comparison: Comparison) -> None:
    """The dev loss by epoch of every Run whose training is known, each against its own lowest one."""
    dev_curves = traininglog.dev_curves(cache_folder(), [run.info.checkpoint for run, _ in comparison.systems])
    curves, words, without = [], [], []
    for letter, curve in zip(comparison.letters, dev_curves, strict=True):
        if curve is None:
            without.append(letter)
            continue
        epochs, loss = curve.epochs.T
        points, nothing = np.column_stack([epochs, traininglog.between_first_and_best(loss)]), np.empty((0, 2))
        curves.append(TrainingCurve(letter, points, points[[curve.at]], nothing, nothing))
        words.append(
            f"{letter}: {number(loss[0])} after epoch {epochs[0]:.0f}, "
            f"{number(loss[curve.at])} after epoch {epochs[curve.at]:.0f}"
        )
    if not curves:
        st.info("None of these trainings has left a log.", icon=":material/info:")
        return
    x_max = max(float(curve.epochs[:, 0].max()) for curve in curves)
    st.echarts_chart(
        training_curves(curves, x_title="epoch", x_max=x_max),
        key="trainings_of_runs",
        height=260,
        alt="Dev loss of each training over epochs, from 1 at its first epoch to 0 at its lowest",
    )
    st.caption(
        "Dev loss, as 1 after the first epoch and 0 where it is lowest: units differ between models. Large dots are "
        f"the epochs that the Runs are from. {'; '.join(words)}. "
        + (f"No log is left of {' and '.join(without)}. " if without else "")
        + "The page Training shows every term."
    )
