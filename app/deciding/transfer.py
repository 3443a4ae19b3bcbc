"""Whether a threshold that was chosen in one place holds in another."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.session import operating
from app.session.readers import pooled_score_set
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import escaped
from fas_core.data.names import outside_training, readable
from fas_core.metrics import transfer
from fas_core.metrics.operating_point import BY_HAND, OperatingPoint
from fas_core.metrics.transfer import Transfer


def transfers(shown: Shown, point: OperatingPoint) -> list[Transfer]:
    """Of every subset but training."""
    sets = {
        name: pooled_score_set(shown.run, shown.score, shown.level, [name]) for name in outside_training(shown.subsets)
    }
    costs = operating.costs_of(shown.run, point.rule)
    return transfer.transfers(point.rule, point.threshold, sets, costs)


def transfer_table(rows: list[Transfer], chosen_on: tuple[str, ...]) -> pd.DataFrame:
    """Rates in percent, None where they are not defined."""

    def percent(rate: float | None) -> float | None:
        return None if rate is None else 100 * rate

    return pd.DataFrame(
        [
            {
                "Subset": readable(row.subset) + (" (chosen here)" if row.subset in chosen_on else ""),
                "BPCER": percent(row.at.bpcer),
                "its own": percent(row.own.bpcer),
                "Worst APCER": percent(row.at.apcer_max),
                "its own ": percent(row.own.apcer_max),
                "Own threshold": row.own_threshold,
            }
            for row in rows
        ]
    )


def transfer_words(rows: list[Transfer], point: OperatingPoint, own_rule: str) -> str:
    """Where the threshold carries over worst, in a sentence; "" where nothing can be compared."""
    rate = transfer.rate_of(point.rule)
    worst = transfer.most_moved(rows, rate, point.chosen_on)
    if worst is None:
        return ""
    name = "BPCER" if rate == "bpcer" else "Worst APCER"
    return (
        f"The threshold moves {name} most in **{escaped(readable(worst.subset))}**: "
        f"{100 * getattr(worst.at, rate):.1f} % at this threshold, {100 * getattr(worst.own, rate):.1f} % where "
        f"{own_rule} is applied to that subset itself."
    )


def show_transfer(shown: Shown, point: OperatingPoint) -> None:
    """Whether a threshold that was chosen in one place holds in another."""
    rule = "the equal error rate" if point.rule.kind == BY_HAND else escaped(point.rule.words)
    rows = transfers(shown, point)
    if words := transfer_words(rows, point, rule):
        st.write(words)
    rate = st.column_config.NumberColumn(format="%.1f %%")
    show_rows(
        transfer_table(rows, point.chosen_on),
        "transfer",
        column_config=dict.fromkeys(("BPCER", "its own", "Worst APCER", "its own "), rate)
        | {"Own threshold": st.column_config.NumberColumn(format="%.17g")},
    )
    st.caption(
        f"“Its own”: {rule} applied to the subset itself, which is optimistic there: nobody can choose a threshold on "
        "the faces it will meet. The difference is what the choice elsewhere costs."
    )
