"""How far attacks lie from live faces in the codes of each checkpoint: what moved, in words and over epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.charts import categories
from app.latent.steps import Common
from app.parts import columns
from app.session.cache import cached, keyed
from app.words import escaped
from fas_core.data.names import readable
from fas_core.latent import frames

Distances = Mapping[str, float | None]  # of each species from live faces, in live spreads; None: cannot be said


@keyed
@dataclass(frozen=True, eq=False)
class Compared:
    """Positions among the common samples of those that sentences are about, in some subsets."""

    both: Common
    subsets: tuple[str, ...]
    live: NDArray[np.int64]  # outside training; training ones for want of others
    is_training: bool
    attacks: dict[str, NDArray[np.int64]]  # by species

    @property
    def digest(self) -> str:
        return repr((self.both.digest, self.subsets))


def compared(both: Common, subsets: tuple[str, ...]) -> Compared:
    points = both.points(subsets)
    is_attack, is_shown = points.of_each(columns.attacks(points.run)), points.is_shown
    live, attack = ~is_attack & ~both.is_training, is_attack
    if is_shown is not None:
        live, attack = live & is_shown, attack & is_shown
    is_training = int(live.sum()) < 2
    species = columns.factor(points.run, "pai_species")
    codes = points.of_each(species.codes)
    attacks = {
        name or "unspecified": of_species
        for i, name in enumerate(species.names)
        if len(of_species := np.flatnonzero(attack & (codes == i)))
    }
    return Compared(both, subsets, np.flatnonzero(both.is_training if is_training else live), is_training, attacks)


@cached(entries=48, spinner="Measuring distances …")
def _distances_in(of: Compared, i: int) -> Distances:
    """In the codes of the i-th checkpoint."""
    rows, run = of.both.rows[i], of.both.steps.each[i].run
    attacks = {name: np.sort(rows[here]) for name, here in of.attacks.items()}
    return frames.live_spreads(run.latent_blocks, np.sort(rows[of.live]), attacks)


def distances(of: Compared) -> list[Distances]:
    """In the codes of every checkpoint; none where there are no attacks or too few live faces."""
    if not of.attacks or len(of.live) < 2:
        return []
    return [_distances_in(of, i) for i in range(len(of.both.steps.each))]


def answer(of: Compared, how_far: list[Distances]) -> str:
    """What moved from the first to the last epoch, or from A to each other Run."""
    if not how_far:
        return "The chosen subsets hold no attacks, or no live faces, that these Runs share: nothing moves apart."
    steps = of.both.steps
    later = (len(steps.each) - 1,) if steps.are_epochs else range(1, len(steps.each))
    return "\n\n".join(moved(steps.each[0].name, steps.each[i].name, how_far[0], how_far[i]) for i in later)


def show_counted(of: Compared, how_far: list[Distances]) -> None:
    """What the answer's numbers are counted in."""
    if not how_far:
        return
    counts = ", ".join(f"{len(points):,} {escaped(readable(name))}" for name, points in of.attacks.items())
    whom = "live training images" if of.is_training else "live faces outside training"
    st.caption(
        f"In live spreads, between the mean code of a species ({counts}) and that of {len(of.live):,} {whom}.",
        help="Live spreads are standard deviations of those live codes along the line through both means. All "
        "dimensions of each checkpoint's own codes count; no projection and no alignment is in these numbers.",
    )


def moved(first: str, last: str, before: Distances, after: Distances) -> str:
    """One sentence, the species that moved most first."""
    change = {name: (b, a) for name in before if (b := before[name]) is not None and (a := after.get(name)) is not None}
    parts = []
    for name in sorted(change, key=lambda name: -abs(change[name][1] - change[name][0])):
        b, a = change[name]
        a, b = round(a, 1), round(b, 1)  # so that the sentence's numbers agree with each other
        by, way = f"{abs(a - b):.1f}", "away from" if a > b else "towards"
        what = f"**{by} live spreads {way}** live faces" if by != "0.0" else "**hardly at all**"
        parts.append(f"{escaped(readable(name))} attacks moved {what} ({b:.1f} → {a:.1f})")
    if not parts:
        return f"From {first} to {last} nothing can be said: live codes do not vary."
    return f"From {first} to {last}, {'; '.join(parts)}."


def show_distances(of: Compared, how_far: list[Distances], current: int) -> None:
    """How far each species lies from live faces after every epoch."""
    if not how_far:
        return
    epochs = [step.short for step in of.both.steps.each]
    counts = {name: len(points) for name, points in of.attacks.items()}
    lines = {
        name: {epoch: value for epoch, far in zip(epochs, how_far, strict=True) if (value := far[name]) is not None}
        for name in counts
    }
    chart = categories.distances_by_epoch(lines, epochs, epochs[current], counts)
    st.markdown("**Distance from live faces, epoch by epoch**")
    alt = "Distance of each attack species from live faces over epochs"
    st.echarts_chart(chart, key="frames_distances", height=categories.LINES_HEIGHT, alt=alt)
