"""Long work: its progress in the sidebar, and buttons that begin it in a process of its own."""

from __future__ import annotations

import streamlit as st

from app.session import identity
from app.session.readers import cache_folder
from app.words import escaped
from fas_core import derive, progress
from fas_core.access.roles import Right
from fas_core.runs import store
from fas_core.runs.store import Run

# ------------------------------------------------------------------------------------------------------ work under way


def under_way() -> None:
    """Progress of long work in the sidebar, while there is any."""
    if identity.may(Right.NUMBERS, None) and progress.jobs(cache_folder()):
        st.divider()
        watch_jobs()


@st.fragment(run_every=1.0)
def watch_jobs() -> None:
    """Bars that follow the progress files; the whole page runs again when a Run appears or work ends."""
    current = progress.jobs(cache_folder())
    seen = (tuple(sorted(job.stage for job in current)), len(store.run_folders(cache_folder())))
    before = st.session_state.setdefault("_jobs_seen", seen)
    for job in current:
        share = min(1.0, job.done / job.total) if job.total else 0.0
        left = f", about {job.left:.0f} s left" if job.left is not None else ""
        st.progress(share, text=f"{escaped(job.label)}{left}")
    if seen != before:
        st.session_state["_jobs_seen"] = seen
        st.rerun()


def worker(run: Run, what: str, *, missing: str, button: str, key: str) -> None:
    """In place of a slow result that is not stored: why, and a button that has another process make it.

    `what`: see derive.parsed. Nothing slow happens in the page. The bars are in the sidebar.
    """
    work = derive.Work(run, derive.parsed(what))
    if work.is_under_way:
        st.info(f"{missing} It is being computed: the bar in the sidebar follows it.", icon=":material/hourglass:")
        return
    problem = f" The last attempt ended without a result: {escaped(work.last_words)}" if work.last_words else ""
    st.info(missing + problem, icon=":material/error:" if problem else ":material/hourglass_disabled:")
    if st.button(button, key=key, icon=":material/play_arrow:"):
        work.start()
        st.rerun()
