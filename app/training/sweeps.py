"""Sweeps: which setting of an experiment reconstructs live dev images best, and how each got there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.charts.trainings import sweep_curves
from app.session.address import keep_valid
from app.session.cache import cached, keyed
from app.session.readers import cache_folder
from app.session.tables import show_rows
from app.words import escaped
from fas_core.evaluation import sweeps as told
from fas_core.evaluation.sweeps import Setting
from fas_core.runs import sweeps
from fas_core.runs.sweeps import Sweep
from fas_core.runs.traininglog import Training

MOST_CURVES = 12  # settings drawn: the first ones


@keyed
@dataclass(frozen=True)
class Logged:
    """A sweep with what its trainings have logged so far."""

    sweep: Sweep
    stamps: tuple[tuple[int, int], ...]

    @property
    def digest(self) -> str:
        states = tuple(member.is_finished for member in self.sweep.members)
        return repr((self.sweep.id, self.sweep.started, self.stamps, states))


@cached(entries=4)
def ranked(of: Logged) -> list[Setting]:
    """Shared between sessions: do not change it."""
    return told.ranked(of.sweep)


def show_sweeps(everything: Sequence[Training]) -> None:
    """The newest sweep of the cache folder, or the one that is chosen; nothing where there is none."""
    known = {f"{sweep.experiment} ({sweep.id[:6]})": sweep for sweep in sweeps.sweeps(cache_folder())}
    if not known:
        return
    st.header("Which settings reconstruct live faces best?")
    label = next(iter(known))
    if len(known) > 1:
        keep_valid("sweep", list(known), label)
        label = st.selectbox("Sweep", list(known), key="sweep", bind="query-params", format_func=escaped)
    sweep = known[label]
    stamp_of = {training.checkpoint: training.stamp for training in everything}
    stamps = tuple(stamp_of.get(member.checkpoint, (0, 0)) for member in sweep.members)
    show(sweep, ranked(Logged(sweep, stamps)))


def show(sweep: Sweep, settings: Sequence[Setting]) -> None:
    """The answer, the curves of the first settings, and all of them as a table."""
    st.write(escaped(told.answer(settings)))
    drawn = [(f"{place} · {each.words}", each.curve) for place, each in enumerate(settings, start=1)]
    drawn = [(name, points) for name, points in drawn[:MOST_CURVES] if len(points)]
    left, right = st.columns([3, 2])
    with left:
        if drawn:
            last = max(float(points[-1, 0]) for _, points in drawn)
            st.echarts_chart(
                sweep_curves(drawn, x_max=last, y_title="error per pixel, live dev"),
                key="sweep_curves",
                height=280,
                alt="Error of reconstructed pixels of live dev images over epochs, a line per setting",
            )
        more = f" The first {MOST_CURVES} of {len(settings)} are drawn." if len(settings) > MOST_CURVES else ""
        st.caption(f"Blue: the first; numbers are places. Means over seeds.{more}", help=told.LIMITS)
    with right:
        show_table(sweep, settings)


def show_table(sweep: Sweep, settings: Sequence[Setting]) -> None:
    rows = [
        {
            "Place": place if each.is_finished else None,
            "Dev error": each.error,
            "Setting": each.words,
            "± seeds": each.deviation,
            "SSIM": each.ssim,
            "Seeds": f"{len(each.errors)} of {len(each.members)}",
        }
        for place, each in enumerate(settings, start=1)
    ]
    show_rows(
        pd.DataFrame(rows),
        "sweep",
        key=f"sweep_table_{sweep.id}",
        column_config={
            "Dev error": st.column_config.NumberColumn(format="%.4f", help=told.LIMITS),
            "± seeds": st.column_config.NumberColumn(format="%.4f", help="Standard deviation of single trainings."),
            "SSIM": st.column_config.NumberColumn(format="%.3f", help="Structural similarity, of the same images."),
        },
    )
