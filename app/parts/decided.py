"""What was decided about Runs: the latest of each in a line, and what it took the place of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.session import identity
from app.session.readers import cache_folder, runs
from app.words import escaped
from fas_core.access.roles import Right
from fas_core.deciding import decisions
from fas_core.deciding.decisions import APPROVED, Kept
from fas_core.runs.store import Run

MOST_LINES = 6  # of the latest decisions
MOST_WORSE = 2  # groups that got worse, of each
ICONS = {APPROVED: ":material/check_circle:", decisions.REFUSED: ":material/block:"}


def line(entry: Kept, known: Mapping[str, Run]) -> str:
    """A decision in Markdown, and what has become of its Runs."""
    decision = entry.decision
    changed = decision.about.state(known.get(decision.about.run))
    worse = decision.evidence.worse_words(MOST_WORSE)
    worse = f" Got worse: {escaped(worse)}." if worse else ""
    before = f" *{escaped(entry.before_words)}*" if entry.before_words else ""
    state = before if entry.is_latest else " *Superseded.*"
    state += f" **{changed[0].upper()}{changed[1:]}.**" if changed else ""
    return f"{ICONS[decision.verdict]} **{escaped(decision.about.name)}**: {escaped(decision.said)}{worse}{state}"


def listed(entries: Sequence[Kept]) -> None:
    """The latest about each Run, a line each; more of them, and earlier ones, behind a click."""
    known = {run.id: run for run in runs()[0]}
    latest = [entry for entry in entries if entry.is_latest]
    rest = [*latest[MOST_LINES:], *(entry for entry in entries if not entry.is_latest)]
    st.markdown("  \n".join(line(entry, known) for entry in latest[:MOST_LINES]))
    if rest:
        with st.expander("1 more decision" if len(rest) == 1 else f"{len(rest):,} more decisions"):
            st.markdown("  \n".join(line(entry, known) for entry in rest))


def history(run: Run) -> None:
    """All decisions about a Run; nothing where there are none."""
    if entries := [entry for entry in decisions.kept(cache_folder())[0] if entry.decision.about.run == run.id]:
        listed([entry for entry in entries if _may_be_known(entry)])


def _may_be_known(entry: Kept) -> bool:
    """Whether who is at the page may know of all Runs that a decision names."""
    named = (entry.decision.about, entry.decision.against)
    return all(judged is None or identity.knows(judged.run, judged.name) for judged in named)


def show_decided() -> None:
    """The latest decision about every Run, and files that are none."""
    kept, problems = decisions.kept(cache_folder())
    entries = [entry for entry in kept if _may_be_known(entry)]
    problems = problems if identity.may(Right.NUMBERS, None) else []
    if not entries and not problems:
        return
    st.header("What was decided?")
    for problem in problems:
        st.warning(escaped(problem), icon=":material/warning:")
    if entries:
        listed(entries)
