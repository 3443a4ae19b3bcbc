"""How soon there can be a decision: errors of what is decided on the frames that a video has by then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts import plots
from app.charts.plots import ErrorLine
from app.session import operating, readers
from app.session.cache import cached
from app.session.sidebar import Shown
from app.words import escaped
from fas_core.errors import BadInputError
from fas_core.evaluation import over_time, presentations
from fas_core.evaluation.levels import FRAME
from fas_core.evaluation.over_time import OverTime
from fas_core.evaluation.presentations import Grouping
from fas_core.evaluation.words import rate_text
from fas_core.metrics.cost import Costs
from fas_core.metrics.operating_point import OperatingPoint, Rule
from fas_core.metrics.uncertainty import RateInterval
from fas_core.reports.palette import BONA_FIDE_COLOUR, NEUTRAL
from fas_core.runs.store import Run


@cached(entries=8)
def in_order(run: Run, level: str) -> Grouping:
    """What decisions are made on at a level, with the order of the frames."""
    return presentations.grouping(run, level, in_order=True)


@cached(entries=16, spinner="Deciding sooner and later …")
def _told(
    shown: Shown, rule: Rule, chosen_on: tuple[str, ...], reported_on: tuple[str, ...], costs: Costs | None
) -> OverTime:
    values = readers.score_values(shown.run, shown.score)
    frames = in_order(shown.run, shown.level)
    return over_time.over_time(frames, values, rule, chosen_on, reported_on, costs=costs)


def show_over_time(shown: Shown, point: OperatingPoint) -> None:
    """At thresholds by the sidebar's rule, chosen anew for each time."""
    if shown.level == FRAME:
        st.info(
            "Every image is a decision by itself. Where videos are named, choose in the sidebar how their frames "
            "decide together, such as **video mean**.",
            icon=":material/timer:",
        )
        return
    try:
        costs = operating.costs_of(shown.run, point.rule)
        told = _told(shown, point.rule, point.chosen_on, point.reported_on, costs)
    except BadInputError as error:
        st.info(escaped(str(error)), icon=":material/timer:")
        return
    st.write(f"{told.answer(lambda text: f'**{text}**')} {told.sentence(escaped, lambda text: f'**{text}**')}")
    st.plotly_chart(
        plots.errors_over_time(lines_of(told), [at.place for at in told.times], x_title="decided after"),
        key="over_time",
        alt=told.sentence(),
    )
    st.caption(f"{escaped(told.caveat)} Bands: 95 % intervals.")


def lines_of(told: OverTime) -> list[ErrorLine]:
    """BPCER, the APCER of the worst species and that of all attacks, in the colours that they have elsewhere."""
    threshold = [f"threshold {at.threshold:.4g}; {at.n_ended:,} of {told.n:,} have ended" for at in told.times]

    def line(
        name: str,
        look: tuple[str, str],
        rates: Sequence[float | None],
        intervals: Sequence[RateInterval | None],
        of: Sequence[str],
    ) -> ErrorLine:
        return ErrorLine(
            name,
            *look,
            np.array([np.nan if rate is None else rate for rate in rates]),
            np.array([np.nan if interval is None else interval.low for interval in intervals]),
            np.array([np.nan if interval is None else interval.high for interval in intervals]),
            [
                f"{name}{what} {rate_text(rate, interval)}; {at}"
                for what, rate, interval, at in zip(of, rates, intervals, threshold, strict=True)
            ],
        )

    times = told.times
    none = [""] * len(times)
    worst = [f", {at.apcer_worst}," if at.apcer_worst else "" for at in times]
    return [
        line(
            "BPCER",
            (BONA_FIDE_COLOUR, "solid"),
            [at.bpcer for at in times],
            [at.bpcer_interval for at in times],
            none,
        ),
        line(
            "APCER of the worst species",
            (NEUTRAL, "solid"),
            [at.apcer_max for at in times],
            [at.apcer_worst_interval for at in times],
            worst,
        ),
        line(
            "APCER of all attacks",
            (NEUTRAL, "dot"),
            [at.apcer_pooled for at in times],
            [None for _ in times],
            none,
        ),
    ]
