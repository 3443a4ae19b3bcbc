"""From which strength on simulated attacks are found: APCER against the strength, a line per species."""

from __future__ import annotations

from collections import Counter

import numpy as np
import streamlit as st

from app.charts import plots
from app.charts.plots import ErrorLine
from app.session import operating, readers
from app.session.cache import cached
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import escaped
from fas_core.data.names import readable
from fas_core.errors import BadInputError
from fas_core.evaluation.strengths import Curve, Strengths, by_strength
from fas_core.evaluation.words import rate_text
from fas_core.metrics.cost import Costs
from fas_core.metrics.operating_point import OperatingPoint, Rule
from fas_core.reports.palette import DASHES, styles_of


@cached(entries=16, spinner="Counting by strength …")
def _told(
    shown: Shown, rule: Rule, chosen_on: tuple[str, ...], reported_on: tuple[str, ...], costs: Costs | None
) -> Strengths:
    values = readers.score_values(shown.run, shown.score)
    return by_strength(shown.run, values, rule, chosen_on, reported_on, shown.level, costs=costs)


def show_strengths(shown: Shown, point: OperatingPoint) -> None:
    """At the sidebar's threshold."""
    try:
        costs = operating.costs_of(shown.run, point.rule)
        told = _told(shown, point.rule, point.chosen_on, point.reported_on, costs)
    except BadInputError as error:
        st.info(escaped(str(error)), icon=":material/science:")
        return
    st.write(told.sentence(escaped, lambda text: f"**{text}**"))
    st.plotly_chart(
        plots.errors_over_time(
            lines_of(told),
            [f"{strength:g}" for strength in told.strengths],
            x_title="strength of the attack",
        ),
        key="strengths",
        alt=told.sentence(),
    )
    show_rows(told.table(), "strengths")
    st.caption(f"{escaped(told.caveat)} Bands: these intervals.")


def lines_of(told: Strengths) -> list[ErrorLine]:
    """In the colours that species have elsewhere; those that share one by their dashes."""
    styles = styles_of([curve.species for curve in told.curves])
    lines, n_of = [], Counter[str]()
    for curve in told.curves:
        colour = styles[curve.species].colour
        lines.append(line_of(curve, told.strengths, colour, list(DASHES)[n_of[colour] % len(DASHES)]))
        n_of[colour] += 1
    return lines


def line_of(curve: Curve, strengths: list[float], colour: str, dash: str) -> ErrorLine:
    """The APCER of a species at each of some strengths, NaN where it has no such attack."""
    name = readable(curve.species)
    points = {point.strength: point for point in curve.points}
    at = [points.get(strength) for strength in strengths]
    intervals = [None if point is None else point.interval for point in at]
    return ErrorLine(
        name,
        colour,
        dash,
        np.array([np.nan if point is None or point.apcer is None else point.apcer for point in at]),
        np.array([np.nan if interval is None else interval.low for interval in intervals]),
        np.array([np.nan if interval is None else interval.high for interval in intervals]),
        [
            "" if point is None else f"{name}: APCER {rate_text(point.apcer, point.interval)}, n = {point.n:,}"
            for point in at
        ],
    )
