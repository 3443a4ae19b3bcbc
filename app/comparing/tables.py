"""Every metric, and every group, in a table."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.comparing.answer import details
from app.comparing.comparison import LETTERS, SUBSET, Comparison, group_rates, groupings, sheet
from app.session.page import fragment
from app.session.tables import show_rows
from app.words import escaped
from fas_core.data.names import readable
from fas_core.reports.tables import EACH_ALONE, groups_table, metrics_table


def _show(table: pd.DataFrame, name: str, most: int, columns: dict[Any, Any]) -> None:
    """As high as its rows, `most` pixels at most."""
    height = min(most, 38 + 35 * len(table))
    show_rows(table, name, height=height, column_config=columns)


def show_metrics(comparison: Comparison, b: int, *, with_intervals: bool) -> None:
    """Every metric of every Run, and the difference of Run `b`."""
    letter = LETTERS[b]
    st.write(" ".join(escaped(said) for said in details(comparison, b, with_intervals=with_intervals)))
    table = metrics_table(sheet(comparison), b, with_intervals=with_intervals)
    value = st.column_config.NumberColumn(format="%.3f")
    _show(
        table,
        "every_metric",
        600,
        {
            "Metric": st.column_config.TextColumn(width=290),
            **dict.fromkeys(comparison.letters, value),
            f"{letter} − A": st.column_config.NumberColumn(
                format="%+.3f", help="AUC and average precision: above 0 is better. Error rates: below 0 is better."
            ),
            "95 %": st.column_config.TextColumn(
                width=130, help="Interval of the difference, paired on the same resamples."
            ),
            "p": st.column_config.TextColumn(help="Of no difference."),
        },
    )
    st.caption(EACH_ALONE)


@fragment
def show_groups(comparison: Comparison, b: int, *, with_intervals: bool) -> None:
    """Rates of wrong verdicts per subset, or per group of any column, of A and Run `b`."""
    letter, of_all = LETTERS[b], sheet(comparison)
    offered = list(dict.fromkeys([SUBSET, *groupings(comparison)]))
    column = str(
        st.selectbox(
            "Groups by",
            offered,
            index=offered.index(of_all.groups_by(b)),
            format_func=readable,
            key="groups_by",
            bind="query-params",
            width=240,
        )
    )
    rates = group_rates(comparison, b, column, with_intervals=with_intervals)
    unit = of_all.joined.unit
    wrong = f"Share of wrong verdicts at the threshold: APCER for an attack species, BPCER for bona fide {unit}s."
    share = st.column_config.NumberColumn(format="%.1f %%", help=wrong)  # one rule, whatever the groups' sizes
    area = st.column_config.NumberColumn(
        format="%.2f", help=f"Chance that an attack of this species scores above a bona fide {unit} of the same rows."
    )
    table = groups_table(rates, column, letter, has_units=not of_all.joined.units[1])
    _show(
        table,
        "groups",
        460,
        {
            "n": st.column_config.NumberColumn(format="localized", help=f"{unit.capitalize()}s in this row."),
            "Wrong in A": share,
            f"Wrong in {letter}": share,
            f"{letter} − A": st.column_config.NumberColumn(
                format="%+.1f", help=f"Percentage points. Below 0: {letter} makes fewer mistakes."
            ),
            "95 %": st.column_config.TextColumn(width=110, help="Percentage points, by whole units."),
            "Fixed": st.column_config.NumberColumn(help=f"Wrong in A, right in {letter}."),
            "Broken": st.column_config.NumberColumn(help=f"Right in A, wrong in {letter}."),
            "McNemar p": st.column_config.TextColumn(
                help=f"Of equally many fixed and broken verdicts, if {unit}s were independent."
            ),
            "AUC A": area,
            f"AUC {letter}": area,
        },
    )
