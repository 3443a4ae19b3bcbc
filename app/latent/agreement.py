"""Whether checkpoints in one frame agree by more than their images do: what alignment leaves, said truthfully."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.latent.steps import Common, Frame, own_places
from app.parts import columns
from app.session.cache import cached
from fas_core.latent import alignment, frames
from fas_core.latent.alignment import ATTACKS, OTHER_LIVE, TRAINING_LIVE, Left
from fas_core.metrics.uncertainty import UNITS, unit_of

AT_MOST = 2_000  # samples of each group that it is measured on, evenly spread over all


def agreement_words(frame: Frame) -> str:
    """A sentence for each checkpoint beside A; of epochs, for the one that is furthest from A's. "" in A's own PCA."""
    if frame.name == frames.ONE:
        return ""
    steps = frame.both.steps
    others = [i for i in range(len(steps.each)) if i != steps.at]
    if steps.are_epochs:
        others = [max(others, key=lambda i: abs(i - steps.at))]
    left = left_over(frame)
    names = [steps.each[i].name if len(steps.each) > 2 else "" for i in others]
    return " ".join(alignment.agreement_words(left[i], name) for i, name in zip(others, names, strict=True))


def measured(frame: Frame) -> tuple[NDArray[np.int64], dict[str, NDArray[np.bool_]]]:
    """Positions (m,) among the common samples, ascending, and the groups (m,) that each is of."""
    both = frame.both
    points = both.points(frame.subsets)
    is_attack = points.of_each(columns.attacks(points.run))
    is_shown = np.ones(len(both), np.bool_) if points.is_shown is None else points.is_shown
    groups = {
        TRAINING_LIVE: both.is_training,
        OTHER_LIVE: is_shown & ~is_attack & ~both.is_training,
        ATTACKS: is_shown & is_attack,
    }
    spread = [_spread(np.flatnonzero(is_here)) for is_here in groups.values()]
    positions = np.unique(np.concatenate(spread))
    return positions, {name: is_here[positions] for name, is_here in groups.items()}


def _spread(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(positions) <= AT_MOST:
        return positions
    return positions[np.linspace(0, len(positions) - 1, AT_MOST).astype(int)]


@cached(entries=16, spinner="Comparing places with pixels …")
def left_over(frame: Frame) -> list[dict[str, Left]]:
    """Of each step, {} for A itself. Raises BadInputError where alignment has too few shared samples."""
    both, steps = frame.both, frame.both.steps
    positions, groups = measured(frame)
    rows = [of_step[positions] for of_step in both.rows]
    own = [own_places(frame.name, step.run, steps.a.run) for step in steps.each]
    k = frames.n_aligned([places.shape[1] for places in own], both.n_training)
    onto = own[steps.at][rows[steps.at]][:, :k]
    pixels = _pixels(both, frame.subsets, k)
    subjects = unit_of(_people(both, rows[steps.at])).groups
    return [
        {}
        if i == steps.at
        else alignment.left_over(
            {"codes": own[i][rows[i]][:, :k], "pixels": pixels}, onto, frame.axes, groups, subjects
        )
        for i in range(len(steps.each))
    ]


@cached(entries=8)
def _pixels(both: Common, subsets: tuple[str, ...], k: int) -> NDArray[np.float32]:
    frame = Frame(both, frames.OWN, 0, 1, subsets)
    positions, groups = measured(frame)
    return alignment.pixel_places_of(both.steps.a.run, both.rows[both.steps.at][positions], groups[TRAINING_LIVE], k)


def _people(both: Common, rows: NDArray[np.int64]) -> pd.DataFrame:
    """What says whose the samples are."""
    run = both.steps.a.run
    named = [name for name in UNITS if name in run.column_names()]
    return run.samples_of(rows, named) if named else pd.DataFrame(index=range(len(rows)))
