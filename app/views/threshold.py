"""Threshold: which threshold to use, what it costs live users, and which attacks it lets through."""

from functools import partial

import pandas as pd
import streamlit as st

from app.components.link import follow
from app.components.threshold import PLANES, Heard, Limit, threshold_panel
from app.deciding.behind import open_samples
from app.deciding.certification import show_certification
from app.deciding.costs import show_costs
from app.deciding.freezing import card_form, cautions
from app.deciding.over_time import show_over_time
from app.deciding.panel import panel_at
from app.deciding.strengths import show_strengths
from app.deciding.stress import show_stress
from app.deciding.transfer import show_transfer
from app.parts import causes
from app.parts.head import head
from app.session import identity, operating, sidebar
from app.session.address import link_params, put_in_address
from app.session.cache import cached
from app.session.readers import pooled_score_set, score_values
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import about, escaped
from fas_core.access.roles import Right
from fas_core.evaluation import breakdown, presentations
from fas_core.evaluation.strengths import has_strengths
from fas_core.evaluation.words import rate_text
from fas_core.metrics.operating_point import OperatingPoint
from fas_core.runs.health import SIMULATED, SUBJECT_OVERLAP

DEFAULT_PREVALENCE = 0.01  # one attack among a hundred presentations

# --------------------------------------------------------------------------------------------------------- the panel


def prevalence() -> float:
    """The share of attacks for which precision is stated; it stands in the address."""
    if "prevalence" not in st.session_state:
        try:
            asked = float(st.query_params.get("prevalence", DEFAULT_PREVALENCE))
        except ValueError:
            asked = DEFAULT_PREVALENCE
        st.session_state["prevalence"] = asked if 0 < asked < 1 else DEFAULT_PREVALENCE
    share = float(st.session_state["prevalence"])
    put_in_address("prevalence", "" if share == DEFAULT_PREVALENCE else repr(share))
    return share


def set_prevalence(share: float) -> None:
    if 0 < share < 1:
        st.session_state["prevalence"] = share


def plane() -> str:
    """ROC, precision and recall or DET, whichever is drawn; it stands in the address."""
    asked = str(st.session_state.get("plane", st.query_params.get("plane", PLANES[0])))
    chosen = asked if asked in PLANES else PLANES[0]
    put_in_address("plane", "" if chosen == PLANES[0] else chosen)
    return chosen


def remember(key: str, value: object) -> None:
    st.session_state[key] = value


def limit() -> Limit | None:
    asked = operating.limit()
    return None if asked is None else Limit(asked.kind, asked.value, asked.species, asked.at_95)


def show_panel(shown: Shown, point: OperatingPoint) -> None:
    with st.empty():  # a place of its own for the note that this takes time
        panel = panel_at(shown, point)
    threshold_panel(
        panel,
        score=shown.score,
        threshold=point.threshold,
        limits=operating.score_range(shown.run, shown.score, shown.level),
        roles={name: operating.role_of(name, point) for name in shown.subsets},
        prevalence=prevalence(),
        limit=limit(),
        pinned=operating.pinned(shown.run),
        plane=plane(),
        heard=Heard(
            threshold=partial(operating.set_by_hand, shown.score),
            prevalence=set_prevalence,
            pinned=operating.pin,
            plane=partial(remember, "plane"),
            freeze=partial(remember, "_freeze") if identity.may(Right.DECIDE, shown.run) else None,
            open=partial(remember, "_open"),
        ),
        key="threshold_panel",
    )
    counted = st.session_state.pop("_open", None)
    if counted is not None:
        open_samples(shown, point, counted)
    elif st.session_state.pop("_freeze", None) is not None:
        freeze(shown, point)


@st.dialog("Freeze this threshold")
def freeze(shown: Shown, point: OperatingPoint) -> None:
    if card_form(shown, point, key="freeze"):
        follow("views/cards.py", "See it among the operating points", link_params())


# ------------------------------------------------------------------------------------------ for whom does it fail?


@cached(entries=16, spinner="Breaking down …")
def of_groups(shown: Shown, reported: tuple[str, ...], threshold: float, column: str) -> breakdown.Breakdown:
    values = score_values(shown.run, shown.score)
    decided = presentations.presentations(shown.run, values, shown.level, columns=[column])
    chosen = decided.within(reported)
    return breakdown.by_column(decided.rows[chosen], decided.values[chosen], threshold, column)


def show_groups(shown: Shown, point: OperatingPoint) -> None:
    """The same threshold for groups of people or circumstances."""
    offered = breakdown.columns_for(shown.run)
    if not offered:
        st.info(
            "The data hold no column with groups (device, lighting, sex, ...). Further columns of a manifest or score "
            "file are offered here.",
            icon=":material/group:",
        )
        return
    column = st.selectbox("Break down by", offered, key="by", bind="query-params", width=260)
    by_group = of_groups(shown, point.reported_on, point.threshold, str(column))
    species = sorted({name for group in by_group.groups for name in group.apcer})
    st.write(escaped(by_group.sentence()))
    rows = []
    for group in by_group.groups:
        row: dict[str, object] = {
            escaped(by_group.column): group.name,
            "Bona fide": group.n_bona_fide,
            "Attacks": group.n_attack,
            "No response": sum(group.n_non_response.values()),
            "BPCER": said(group.bpcer),
        }
        rows.append(row | {f"APCER {name}": said(group.apcer.get(name)) for name in species})
    show_rows(pd.DataFrame(rows), "groups")
    unit = "sample" if by_group.unit == "sample" else f"whole {by_group.unit}"
    st.caption(
        f"In brackets: 95 % intervals by {unit}. * too few to judge: {by_group.too_small}. Every group is judged at "
        "the same threshold."
    )


def said(rate: breakdown.Rate | None) -> str:
    if rate is None:
        return "–"
    return rate_text(rate.value, rate.interval) + (" *" if rate.is_small else "")


# -------------------------------------------------------------------------------------------------------------- page


def show_more(shown: Shown, point: OperatingPoint) -> None:
    """What follows from the threshold: in tabs, of which only the open one is computed."""
    parts = {
        "Does it carry over?": show_transfer,
        "What does it cost?": show_costs,
        "For whom does it fail?": show_groups,
        "How soon?": show_over_time,
        "What breaks it?": show_stress,
        "What would it prove?": show_certification,
    }
    if has_strengths(shown.run):
        parts["From which strength?"] = show_strengths
    for tab, show in zip(st.tabs(list(parts), key="more", bind="query-params"), parts.values(), strict=True):
        if tab.open:
            with tab:
                show(shown, point)


def threshold() -> None:
    shown = sidebar.shown()
    place = head("Threshold")
    point, problem = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
    if point is None:
        st.warning(f"{problem} Below, a threshold by hand: move it.", icon=":material/rule:")
        point = operating.by_hand(shown.run, shown.score, shown.level, shown.subsets)
    reported = pooled_score_set(shown.run, shown.score, shown.level, point.reported_on)
    if not reported.n_bona_fide + reported.n_attack:
        st.info("The chosen subsets have no scores.", icon=":material/info:")
        return
    said = about(point)
    for caution in cautions(shown.run, point.rule, point.chosen_on, point.reported_on):
        if caution.kind in ("training_overlap", "injections"):
            st.warning(escaped(caution.message), icon=":material/warning:")
        elif caution.kind in (SUBJECT_OVERLAP, "no_subjects"):
            said += f" :orange[:material/warning: {escaped(caution.message)}]"
        elif caution.kind == SIMULATED:
            said += f" :orange[:material/science: {escaped(caution.message)}]"
    causes.warn(shown)
    place.answer.caption(said)
    show_panel(shown, point)
    show_more(shown, point)


if __name__ == "__main__":
    threshold()
