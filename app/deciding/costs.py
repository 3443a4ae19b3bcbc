"""What thresholds cost a month, and how sure one is cheaper than another."""

from __future__ import annotations

import streamlit as st

from app.charts import plots
from app.session import operating, readers
from app.session.cache import cached
from app.session.readers import pooled_score_set
from app.session.sidebar import Shown
from app.words import escaped
from fas_core import metrics
from fas_core.deciding import pricing
from fas_core.errors import BadInputError
from fas_core.metrics import cost
from fas_core.metrics.cost import ResampledRates
from fas_core.metrics.operating_point import COST, OperatingPoint


@cached(entries=16, spinner="Resampling …")
def rates_at(
    shown: Shown, reported: tuple[str, ...], thresholds: tuple[float, ...], species: tuple[str, ...]
) -> ResampledRates | None:
    """On resamples of whole subjects; None where there are too few."""
    trials = readers.decided(shown.run, shown.score, shown.level).trials(reported)
    return cost.resampled_rates(trials, thresholds, species)


def show_costs(shown: Shown, point: OperatingPoint) -> None:
    """On the reported samples."""
    if point.rule.kind == COST:
        st.caption("The costs stand in the sidebar, where the rule is.")
    else:
        operating.cost_inputs(shown.run)
    reported = pooled_score_set(shown.run, shown.score, shown.level, point.reported_on)
    try:
        costs = operating.costs(shown.run)
        priced = pricing.priced(reported, costs, point.threshold)
    except (metrics.UndefinedMetricError, BadInputError) as error:
        st.info(escaped(str(error)), icon=":material/payments:")
        return
    species = tuple(name for name, share in costs.shares.items() if share.high)
    rates = rates_at(shown, point.reported_on, (point.threshold, priced.best), species)
    paired = None if rates is None else cost.paired(rates, costs)
    lead, *rest = pricing.sentences(priced, paired)
    whose = "With example figures: " if costs.examples else ""
    st.write(f"{whose}**{escaped(lead)}** {escaped(' '.join(rest))}")
    st.plotly_chart(
        plots.cost_curve(
            priced.curve,
            point.threshold,
            x_title=shown.score,
            x_range=operating.score_range(shown.run, shown.score, shown.level),
            currency=costs.currency or "",
        ),
        key="costs",
        alt="Expected cost a month against the threshold",
    )
    how = "" if paired is None else "In brackets: 95 % of resamples, with shares drawn over their ranges. "
    st.caption(
        f"On the reported samples, on which the lowest cost was looked for too: that flatters it. {how}The band: all "
        "shares of attacks at their least or at their largest. Grey: where the likely cost is flat."
    )
