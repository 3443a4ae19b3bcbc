"""What the presentations at the operating point would prove under a test plan: counts, bounds, what is missing."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.session import readers
from app.session.cache import cached, keyed
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import escaped, percent
from fas_core.deciding import certification, plans
from fas_core.deciding.certification import Sheet, rounded_up
from fas_core.deciding.plans import Plan
from fas_core.metrics.operating_point import OperatingPoint

AT_MOST, IF_INDEPENDENT = "bound", "By presentation"

keyed(Plan)


@cached(entries=16, spinner="Computing upper bounds …")
def sheet_of(shown: Shown, reported: tuple[str, ...], threshold: float, plan: Plan) -> Sheet:
    return certification.sheet(plan, readers.decided(shown.run, shown.score, shown.level), reported, threshold)


def show_certification(shown: Shown, point: OperatingPoint) -> None:
    """A plan that is chosen, and what of it these presentations would meet and prove."""
    folder = certification.plans_folder(readers.cache_folder())
    offered, problems = plans.offered(folder)
    shipped = plans.names()
    by_label = {
        plan.title if i < len(shipped) else f"{plan.title} (yours: {plan.name})": plan for i, plan in enumerate(offered)
    }
    for problem in problems:
        st.warning(escaped(problem), icon=":material/warning:")
    label = st.selectbox(
        "Test plan",
        list(by_label),
        index=shipped.index(plans.FIRST),
        key="plan",
        bind="query-params",
        width=320,
        help="Plans are data files with their source and version. Those of your own, TOML or JSON, are read from the "
        "folder plans of the cache.",
    )
    plan = by_label[str(label)]
    sheet = sheet_of(shown, point.reported_on, point.threshold, plan)
    st.write(f"**{escaped(sheet.sentence())}** {escaped(sheet.proof())}")
    bound = st.column_config.TextColumn(
        f"At most, {100 * plan.confidence:g} %",
        help="What is proved: the one-sided upper bound, by whole subjects or the nearest to them that the data "
        "name. Few subjects cannot prove a small rate.",
    )
    single = st.column_config.TextColumn(
        help="The same bound if every presentation were one of another person (Clopper-Pearson): 0 of 150 gives 2.0 %."
    )
    wrong = st.column_config.TextColumn(help="Attacks that pass, bona fide presentations that are rejected.")
    show_rows(table_of(sheet), "certification", column_config={AT_MOST: bound, "Wrong": wrong, IF_INDEPENDENT: single})
    if notes := sheet.notes():
        st.write(escaped(" ".join(notes)))
    st.caption(f"{escaped(plan.text)} Source: {escaped(plan.source)}; {escaped(plan.version)}. {escaped(plan.url)}")


def table_of(sheet: Sheet) -> pd.DataFrame:
    """A row per kind of presentations."""
    return pd.DataFrame(
        {
            "Kind": line.name,
            "Verdict": line.verdict_words or "–",
            "n (asked)": f"{line.n:,}" + ("" if line.asked is None else f" ({line.asked.presentations:,})"),
            "Wrong": "–" if line.rate is None else f"{line.errors:,}, {percent(line.rate, line.n)}",
            AT_MOST: line.proved_words,
            "Limit": "–" if line.asked is None or line.asked.limit is None else f"{100 * line.asked.limit:g} %",
            IF_INDEPENDENT: rounded_up(line.if_independent),
            "Subjects": "–" if line.n_subjects is None else f"{line.n_subjects:,}",
            "Class in the plan": "" if line.name == line.kind else line.kind,
        }
        for line in sheet.all_lines
    )
