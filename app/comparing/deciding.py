"""The form in which somebody approves or refuses Run B, and what was decided about it before."""

from __future__ import annotations

import streamlit as st

from app.comparing.answer import details
from app.comparing.comparison import LETTERS, Comparison, flips, joined, matching, sheet, worse
from app.parts.decided import history
from app.session.page import fragment
from app.session.readers import cache_folder
from app.words import escaped
from fas_core.deciding import decisions
from fas_core.deciding.decisions import Evidence, JudgedRun
from fas_core.errors import BadInputError
from fas_core.evaluation.regressions import headline

DECIDING_PART = "Approve or refuse"


@fragment
def show_deciding(comparison: Comparison, b: int, *, with_intervals: bool) -> None:
    """Asks for a verdict on Run `b` against A, with a name and a reason; what the page says is kept with it."""
    system, letter = comparison.systems[b], LETTERS[b]
    evidence = evidence_of(comparison, b, with_intervals=with_intervals)
    with st.form("deciding", border=False):
        names = [escaped(of.run.info.name) for of in (system, comparison.a)]
        st.markdown(f"**Approve or refuse {letter}, {names[0]}**, against A, {names[1]}")
        left, right = st.columns([1, 2])
        verdict = left.segmented_control("Verdict", decisions.VERDICTS, format_func=str.capitalize, key="verdict")
        by = left.text_input("Decided by", max_chars=decisions.LONGEST_NAME, placeholder="your name", key="decided_by")
        reason = right.text_area("Reason", max_chars=decisions.LONGEST_TEXT, height=68, key="decided_reason")
        conditions = right.text_area("Conditions, one a line", height=68, key="decided_conditions")
        is_sent = st.form_submit_button(
            "Keep this decision",
            icon=":material/gavel:",
            type="primary",
            disabled=joined(comparison).has_both_classes and not with_intervals,  # they are on their way
        )
        st.caption(f"Kept with it: {escaped(' '.join(evidence.numbers))}")
        if said := evidence.worse_words():
            st.caption(f"And what got worse: {escaped(said)}.")
        for caution in evidence.cautions:
            st.caption(f"**{escaped(caution.message)}**")
    if is_sent:
        keep(comparison, b, evidence, str(verdict or ""), by, reason, conditions.splitlines())
    history(system.run)


def keep(
    comparison: Comparison, b: int, evidence: Evidence, verdict: str, by: str, reason: str, conditions: list[str]
) -> None:
    """Keeps the decision, or says why not."""
    turned = flips(comparison, b)
    at_a, at_b = (None, None) if turned is None else (turned.threshold_a, turned.threshold_b)
    judged, in_use = JudgedRun.of(comparison.systems[b], at_b), JudgedRun.of(comparison.a, at_a)
    try:
        if not verdict:
            raise BadInputError("Choose a verdict: approved or refused.")
        draft = decisions.draft(judged, in_use, evidence, verdict=verdict, by=by, reason=reason, conditions=conditions)
        sealed = decisions.keep(draft, cache_folder())
    except BadInputError as error:
        st.error(escaped(str(error)), icon=":material/gavel:")
        return
    st.success(f"Kept: {escaped(sealed.in_words)}", icon=":material/gavel:")


def evidence_of(comparison: Comparison, b: int, *, with_intervals: bool) -> Evidence:
    """What the page says about Run `b`, in plain text."""
    regressions = worse(comparison, b, with_intervals=with_intervals)
    lead = [] if regressions is None else ["".join(headline(regressions, LETTERS[b]))]
    names = [f"{of.run.info.name} by {of.score}" for of in (comparison.a, comparison.systems[b])]
    return Evidence(
        level=comparison.level,
        rule=comparison.rule,
        chosen_on=matching(comparison).chosen_on,
        judged_on=comparison.subsets,
        numbers=(
            f"A is {names[0]}, {LETTERS[b]} is {names[1]}.",
            *lead,
            *details(comparison, b, with_intervals=with_intervals),
        ),
        cautions=decisions.named_cautions(sheet(comparison).cautions, [comparison.a.run, comparison.systems[b].run]),
        worse=decisions.worsened(regressions),
    )
