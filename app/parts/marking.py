"""Marks and notes on the screen: who is marking, what is marked, and the form for a note."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.session.cache import cached
from app.words import escaped
from fas_core import files
from fas_core.errors import BadInputError
from fas_core.runs import marks
from fas_core.runs.marks import Mark
from fas_core.runs.store import Run

ALL, MINE, ANYBODY, NOTED, UNMARKED = "All", "Marked by me", "Marked by anybody", "With a note", "Without marks"
FILTERS = (ALL, MINE, ANYBODY, NOTED, UNMARKED)


@cached(entries=16)
def _current(run: Run, path: str, stamp: tuple[int, int]) -> list[Mark]:  # noqa: ARG001 - parts of the key
    """`path` and `stamp` tell apart what the file of one Run holds at several times, and in several caches."""
    return marks.current(marks.history(run))


def of_run(run: Run) -> list[Mark]:
    """Everybody's marks as they stand now. Shared between sessions: do not change the list."""
    path = marks.file_of(run)
    return _current(run, str(path), _stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_size


def person() -> str:
    """Who marks in this session, as that person says; "" without a name."""
    return str(st.session_state.get("person") or "").strip()[: marks.LONGEST_NAME]


def person_control(width: Literal["stretch"] | int = "stretch") -> None:
    st.text_input(
        "Your name",
        key="person",
        persist_state="session",
        max_chars=marks.LONGEST_NAME,
        placeholder="whose marks these are",
        width=width,
        help="Marks and notes are kept beside the Run, under this name. Nobody's are overwritten by another person's.",
    )


def marked_by(run: Run, name: str) -> set[str]:
    """Ids of the samples that somebody has marked."""
    return {mark.sample_id for mark in of_run(run) if mark.is_marked and mark.by == name}


def of_sample(run: Run, sample_id: str) -> list[Mark]:
    return [mark for mark in of_run(run) if mark.sample_id == sample_id]


def own(run: Run, sample_id: str) -> Mark | None:
    """What the person of this session has said of a sample."""
    return next((mark for mark in of_sample(run, sample_id) if mark.by == person()), None)


def keep(run: Run, sample_id: str, is_marked: bool) -> None:
    """Marks a sample or takes the mark back; the note stays. What goes wrong is said when the page is drawn again."""
    before = own(run, sample_id)
    _write(run, sample_id, is_marked, "" if before is None else before.note)


def _write(run: Run, sample_id: str, is_marked: bool, note: str) -> None:
    try:
        marks.make(run, sample_id, by=person(), is_marked=is_marked, note=note)
    except BadInputError as error:
        st.session_state["_mark_problem"] = str(error)


def show_problem() -> None:
    """The last mark that could not be kept, once."""
    problem = st.session_state.pop("_mark_problem", "")
    if problem:
        st.error(escaped(problem), icon=":material/error:")


def download(run: Run) -> None:
    """Everybody's marks of a Run as a table."""
    n = len(of_run(run))
    st.download_button(
        f"Download {n:,} {'mark' if n == 1 else 'marks and notes'} (CSV)",
        lambda: csv(run),
        file_name=f"{run.info.name}-marks.csv",
        mime="text/csv",
        on_click="ignore",
        disabled=not n,
        icon=":material/download:",
        key="marks_csv",
    )


def form(run: Run, sample_id: str, *, with_name: bool) -> None:
    """The mark and the note of one sample, and what others say of it. `with_name`: asks who marks, here and nowhere
    else on the page."""
    mine = own(run, sample_id)
    mark_key, note_key = (f"_{what}_{run.id}_{sample_id}_{person()}" for what in ("mark", "note"))
    st.session_state[mark_key] = mine is not None and mine.is_marked
    if note_key not in st.session_state:
        st.session_state[note_key] = "" if mine is None else mine.note

    def changed() -> None:
        _write(run, sample_id, bool(st.session_state[mark_key]), str(st.session_state[note_key]))

    show_problem()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.toggle("Marked", key=mark_key, on_change=changed)
        st.text_input(
            f"Note by {escaped(person())}" if person() and not with_name else "Note",
            key=note_key,
            on_change=changed,
            max_chars=marks.LONGEST_NOTE,
            placeholder="What is to be said of this image; Enter keeps it",
            help=None if with_name else "Whose note it is, is said by your name in the gallery's menu Marks.",
        )
        if with_name:
            person_control(width=240)
    for mark in of_sample(run, sample_id):
        if mark.by != person():
            st.caption(f"{escaped(said(mark))} · {escaped(mark.when[:16].replace('T', ' '))}")


def said(mark: Mark) -> str:
    """A mark in a line."""
    name = mark.by or "Somebody"
    return f"{name}: {mark.note}" if mark.note else f"marked by {name}"


def notes_by_sample(run: Run) -> dict[str, str]:
    """What all people say, in one line per sample; an own mark without a note says nothing, it has its star."""
    notes: dict[str, list[str]] = {}
    for mark in of_run(run):
        is_own = mark.by == person()
        if mark.note or not is_own:
            notes.setdefault(mark.sample_id, []).append(mark.note if is_own else said(mark))
    return {sample_id: "; ".join(lines) for sample_id, lines in notes.items()}


def fits(run: Run, ids: pd.Index, wanted: str) -> NDArray[np.bool_]:
    """(n,) which samples pass one of `FILTERS`."""
    if wanted == ALL:
        return np.ones(len(ids), np.bool_)
    current = of_run(run)
    sample_ids = {
        MINE: marked_by(run, person()),
        ANYBODY: {mark.sample_id for mark in current if mark.is_marked},
        NOTED: {mark.sample_id for mark in current if mark.note},
        UNMARKED: {mark.sample_id for mark in current},
    }[wanted]
    is_one = np.asarray(ids.isin(sample_ids), np.bool_)
    return ~is_one if wanted == UNMARKED else is_one


def csv(run: Run) -> bytes:
    """Everybody's marks with what the Run says of their samples, as a table for others."""
    return files.csv(marks.table(run, of_run(run)))
