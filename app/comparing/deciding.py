"""The form in which somebody approves or refuses Run B, and what was decided about it before."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.comparing.answer import details
from app.comparing.comparison import LETTERS, Comparison, flips, joined, matching, sheet, worse
from app.parts.decided import history
from app.session import identity
from app.session.page import fragment
from app.session.readers import cache_folder
from app.words import escaped
from fas_core.access.roles import Right
from fas_core.deciding import decisions
from fas_core.deciding.decisions import Evidence, JudgedRun
from fas_core.errors import BadInputError

DECIDING_PART = "Approve or refuse"


FIELDS = {"verdict": None, "decided_reason": "", "decided_conditions": "", "decided_although": False}
SAID = "_decided"  # what became of the last press


@fragment
def show_deciding(comparison: Comparison, b: int, *, with_intervals: bool) -> None:
    """Asks for a verdict on Run `b` against A, with a name and a reason; what the page says is kept with it."""
    system, letter = comparison.systems[b], LETTERS[b]
    if not identity.may(Right.DECIDE, system.run):
        history(system.run)
        return
    evidence = evidence_of(comparison, b, with_intervals=with_intervals)
    with st.form("deciding", border=False):
        names = [escaped(of.run.info.name) for of in (system, comparison.a)]
        st.markdown(f"**Approve or refuse {letter}, {names[0]}**, against A, {names[1]}")
        left, right = st.columns([1, 2])
        left.segmented_control("Verdict", decisions.VERDICTS, format_func=str.capitalize, key="verdict")
        with left:
            identity.signed("Decided by", key="decided_by", most=decisions.LONGEST_NAME)
        right.text_area("Reason", max_chars=decisions.LONGEST_TEXT, height=68, key="decided_reason")
        right.text_area("Conditions, one a line", height=68, key="decided_conditions")
        if evidence.missed:
            st.checkbox("Approve it although its limit is missed", key="decided_although")
            st.caption(f"**The limit is missed {escaped(evidence.missed)}.**")
        st.form_submit_button(
            "Keep this decision",
            icon=":material/gavel:",
            type="primary",
            disabled=joined(comparison).has_both_classes and not with_intervals,  # they are on their way
            on_click=partial(keep, comparison, b, evidence),
        )
        st.caption(f"Kept with it: {escaped(' '.join(evidence.numbers))}")
        if said := evidence.worse_words():
            st.caption(f"And what got worse: {escaped(said)}.")
        for caution in evidence.cautions:
            st.caption(f"**{escaped(caution.message)}**")
    said, is_kept = st.session_state.pop(SAID, ("", False))
    if said:
        (st.success if is_kept else st.error)(escaped(said), icon=":material/gavel:")
    history(system.run)


def keep(comparison: Comparison, b: int, evidence: Evidence) -> None:
    """Keeps what the form says and empties it, but for the name; or says why not. A second press does nothing."""
    chosen = {key: st.session_state.get(key) or empty for key, empty in FIELDS.items()}
    if chosen == FIELDS:
        return
    turned = flips(comparison, b)
    at_a, at_b = (None, None) if turned is None else (turned.threshold_a, turned.threshold_b)
    judged, in_use = JudgedRun.of(comparison.systems[b], at_b), JudgedRun.of(comparison.a, at_a)
    verdict, although_missed = chosen["verdict"], bool(chosen["decided_although"])
    about = comparison.systems[b].run
    try:
        identity.require(Right.DECIDE, about)
        if not verdict:
            raise BadInputError("Choose a verdict: approved or refused.")
        if verdict == decisions.APPROVED and evidence.missed and not although_missed:
            raise BadInputError(f"The limit is missed {evidence.missed}. Refuse the Run, or tick that it is so.")
        draft = decisions.draft(
            judged,
            in_use,
            evidence,
            verdict=str(verdict),
            by=identity.signed_by(str(st.session_state.get("decided_by") or "")),
            reason=str(chosen["decided_reason"]),
            conditions=str(chosen["decided_conditions"]).splitlines(),
            although_missed=although_missed,
        )
        identity.tell("decision", {"run": about.id, "verdict": str(verdict), "why": str(chosen["decided_reason"])})
        sealed = decisions.keep(draft, cache_folder())
    except BadInputError as error:
        st.session_state[SAID] = (str(error), False)
        return
    st.session_state[SAID] = (f"Kept: {sealed.in_words}", True)
    for key, empty in FIELDS.items():
        if key in st.session_state:
            st.session_state[key] = empty


def evidence_of(comparison: Comparison, b: int, *, with_intervals: bool) -> Evidence:
    """What the page says about Run `b`, in plain text."""
    regressions = worse(comparison, b, with_intervals=with_intervals)
    of_all = sheet(comparison)
    lead = [] if regressions is None else ["".join(of_all.headline(b, with_intervals=with_intervals))]
    names = [f"{of.run.info.name} by {of.score}" for of in (comparison.a, comparison.systems[b])]
    return Evidence(
        level=comparison.level,
        rule=comparison.rule,
        chosen_on=matching(comparison).chosen_on,
        judged_on=comparison.subsets,
        numbers=(
            f"A is {names[0]}, {LETTERS[b]} is {names[1]}.",
            *lead,
            *filter(None, [of_all.limits_words]),
            *details(comparison, b, with_intervals=with_intervals),
        ),
        cautions=decisions.named_cautions(of_all.cautions, [comparison.a.run, comparison.systems[b].run]),
        worse=decisions.worsened(regressions),
        missed=decisions.missed(of_all.matching, of_all.targets, b, comparison.subsets),
    )
