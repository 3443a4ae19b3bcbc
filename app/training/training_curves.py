"""The losses of trainings over each other: a panel per term, over epochs, steps or images seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.charts.trainings import TrainingCurve, training_curves
from app.words import escaped
from fas_core.evaluation.trainings import LEARNING_RATE, RESET, resets, words_of
from fas_core.runs import traininglog
from fas_core.runs.traininglog import Training

MOST_POINTS = 600  # single steps drawn per curve
EPOCHS, STEPS, IMAGES = "Epochs", "Steps", "Images seen"


def show_curves(chosen: dict[str, Training], letters: dict[str, str], logs: dict[str, pd.DataFrame], unit: str) -> None:
    x_title = {EPOCHS: "epoch", STEPS: "step", IMAGES: "images seen"}[unit]
    x_max = max(training.steps * per_step(training, unit) for training in chosen.values())
    parts = {label: parts_of(training, logs[label]) for label, training in chosen.items()}
    grid = st.grid(3, min_column_width=220, gap="small")
    for term, words in panels(chosen, logs):
        title, measure, explanation = words
        curves = [
            curve_of(training, letters[label], parts[label], term, unit)
            for label, training in chosen.items()
            if term in logs[label] and words_of(term, training) == words
        ]
        with grid.cell(), st.container(gap=None):
            st.markdown(f"**{escaped(title)}**{f', {measure}' if measure else ''}", help=explanation or None)
            st.echarts_chart(
                training_curves(curves, x_title=x_title, x_max=x_max),
                key=f"curve_{term}_{title}",
                height=230,
                alt=f"{title} over {unit.lower()}",
            )
    st.caption(
        "Blue: dev images; large dot: the epoch that was kept. Gray: training images.", help=about_curves(chosen, logs)
    )


def about_curves(chosen: dict[str, Training], logs: dict[str, pd.DataFrame]) -> str:
    windows = sorted({window_of(training) for training in chosen.values()})
    over = f"{windows[0]:,}" if len(windows) == 1 else f"{windows[0]:,} to {windows[-1]:,}"
    words = "Blue: dev images, after every epoch; large dot: the epoch that was kept. "
    words += f"Gray: training images, running mean over {over} steps"
    if len(chosen) == 1:
        [training] = chosen.values()
        stride = stride_of(training)
        words += f"; faint points: {'single steps' if stride == 1 else f'one step in {stride:,}'}"
    words += ". What the first half epoch does beyond the scale is cut off."
    if any(resets(log) for log in logs.values()):
        words += " Red triangles: the discriminator was re-initialised."
    return words


def per_step(training: Training, unit: str) -> float:
    """What one step is worth on the x axis."""
    if unit == EPOCHS:
        return 1 / training.steps_per_epoch
    return batch_size(training) if unit == IMAGES else 1


def batch_size(training: Training) -> int:
    given = training.experiment.get("batch_size")
    return given if isinstance(given, int) and given > 0 else 0


def window_of(training: Training) -> int:
    """Steps of the running mean: a quarter of an epoch, and never too few to see through the noise of a long one."""
    return max(1, training.steps_per_epoch // 4, training.steps // 200)


@dataclass(frozen=True)
class Parts:
    """A log by kind of row, split once for all panels."""

    train: pd.DataFrame
    dev: pd.DataFrame
    kept: NDArray[np.bool_]  # of the dev rows


def parts_of(training: Training, log: pd.DataFrame) -> Parts:
    is_dev = (log["split"] == "dev").to_numpy()
    dev = log[is_dev]
    kept = dev["epoch"] == traininglog.kept_epoch(dev, training.chosen_by)
    return Parts(log[~is_dev], dev, kept.to_numpy(bool))


def curve_of(training: Training, letter: str, parts: Parts, term: str, unit: str) -> TrainingCurve:
    each = per_step(training, unit)

    def points(rows: pd.DataFrame) -> NDArray[np.float64]:
        return np.column_stack([(rows["step"].to_numpy(float) + 1) * each, rows[term].to_numpy(float)])

    train, dev = points(parts.train), points(parts.dev)
    nothing = np.empty((0, 2))
    has_dev, is_exact = bool(np.isfinite(dev[:, 1]).any()), term == LEARNING_RATE  # nothing to smooth
    mean = train if is_exact else np.column_stack([train[:, 0], traininglog.smoothed(train[:, 1], window_of(training))])
    # Strides follow from the planned steps, not from those done: what is drawn stays where it is while more comes.
    stride = stride_of(training)
    events = train[(parts.train[RESET] == 1).to_numpy(), 0] if term == "disc" and RESET in parts.train else np.empty(0)
    return TrainingCurve(
        letter=letter,
        epochs=dev if has_dev else nothing,
        kept=dev[parts.kept] if has_dev else nothing,
        steps=mean[:: max(1, stride // 2)],
        points=nothing if is_exact or letter else train[::stride],
        settled_from=0.0 if is_exact else training.steps_per_epoch * each / 2,
        events=events.tolist(),
    )


def stride_of(training: Training) -> int:
    """One of how many single steps is drawn."""
    return max(1, -(-training.steps // MOST_POINTS))


def panels(chosen: dict[str, Training], logs: dict[str, pd.DataFrame]) -> list[tuple[str, tuple[str, str, str]]]:
    """(term, its words) of every term that has values, once for each meaning: what chooses the checkpoint first, the
    learning rate last."""
    of_all = []
    for label, training in chosen.items():
        log = logs[label]
        terms = [name for name in log.columns[len(traininglog.COLUMNS) :] if name != RESET and log[name].notna().any()]
        terms.sort(key=lambda term, by=training.chosen_by: term != by)  # type: ignore[misc]
        of_all += [(term, words_of(term, training)) for term in (*terms, LEARNING_RATE)]
    unique = dict.fromkeys(of_all)
    return sorted(unique, key=lambda panel: panel[0] == LEARNING_RATE)
