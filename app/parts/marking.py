"""Marks, labels and notes on the screen: who marks, what keys do, what is said of a sample, who agrees with whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.components.pressed import Marking, Press
from app.session import identity, readers
from app.session.cache import cached
from app.session.identity import person
from app.words import escaped
from fas_core import files
from fas_core.access.roles import Right
from fas_core.errors import BadInputError
from fas_core.runs import marks
from fas_core.runs.marks import Agreement, Mark
from fas_core.runs.store import Run

ALL, MINE, ANYBODY, NOTED, UNMARKED = "All", "Marked by me", "Marked by anybody", "With a note", "Without marks"
NOT_SEEN, LABELLED = "Not looked at by me", "Labelled "
FILTERS = (ALL, MINE, ANYBODY, NOTED, UNMARKED, NOT_SEEN)
MOST_UNDONE = 1000

# ---------------------------------------------------------------------------------------------------- what is kept


@cached(entries=16)
def _latest(run: Run, path: str, stamp: tuple[int, int]) -> list[Mark]:  # noqa: ARG001 - parts of the key
    """`path` and `stamp` tell apart what the file of one Run holds at several times, and in several caches."""
    return marks.latest(marks.history(run))


@cached(entries=16)
def _agreements(run: Run, path: str, stamp: tuple[int, int]) -> list[Agreement]:  # noqa: ARG001 - parts of the key
    return marks.agreements(run, marks.history(run))


def _looked_at(run: Run) -> list[Mark]:
    """Everybody's latest of every sample, where somebody has only looked too."""
    path = marks.file_of(run)
    return _latest(run, str(path), _stamp(path))


def of_run(run: Run) -> list[Mark]:
    """Everybody's marks as they stand now."""
    return [mark for mark in _looked_at(run) if mark.says_something]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_size


def known_person() -> str | None:
    """Who marks in this session. On a laptop None until it has heard of a name, from its field or from the browser,
    which remembers the last one."""
    return person() if identity.knows_person() else None


def by_keys(run: Run, pressed: Callable[[Press], None]) -> Marking | None:
    """What keys do on the samples of a Run; nothing for who may not mark them."""
    if not identity.may(Right.MARK, run):
        return None
    return Marking(pressed, marks.labels(run.cache), known_person())


def _name_person(name: str) -> None:
    """Only a laptop asks for names: those of others are their logins'."""
    if identity.is_laptop():
        st.session_state["_person"] = name


def own(run: Run) -> dict[str, Mark]:
    """What the person of this session has said of each sample that he or she has looked at, by its id."""
    name = person()
    return {mark.sample_id: mark for mark in _looked_at(run) if mark.by == name}


def of_sample(run: Run, sample_id: str) -> list[Mark]:
    return [mark for mark in of_run(run) if mark.sample_id == sample_id]


def notes_by_sample(run: Run, *, is_blind: bool = False) -> dict[str, str]:
    """What all people say, in one line per sample; an own mark or label says nothing here, the card shows it.

    `is_blind`: without what others say who have labelled a sample that the person of this session has not.
    """
    notes: dict[str, list[str]] = {}
    labelled = {sample_id for sample_id, mark in own(run).items() if mark.own_label}
    for mark in of_run(run):
        is_own = mark.by == person()
        if is_blind and mark.own_label and not is_own and mark.sample_id not in labelled:
            continue
        if mark.note or not is_own:
            notes.setdefault(mark.sample_id, []).append(mark.note if is_own else said(mark))
    return {sample_id: "; ".join(lines) for sample_id, lines in notes.items()}


def said(mark: Mark) -> str:
    """A mark in a line."""
    name = mark.by or "Somebody"
    words = ", ".join(filter(None, (mark.own_label, mark.note)))
    return f"{name}: {words}" if words else f"marked by {name}"


# ------------------------------------------------------------------------------------------------- what is pressed


def hear(run: Run, press: Press) -> str | None:
    """Keeps what a press says of a sample; what goes wrong is said when the page is drawn again.

    The sample whose last change has been undone, where that was asked for.
    """
    if press.what == "name":
        _name_person(str(press.value or ""))
        return None
    if press.what == "undo":
        return _undo(run)
    if press.sample_id not in readers.ids(run):
        return None
    known = own(run).get(press.sample_id)
    if press.what == "seen":
        if known is None:
            _write(run, _nothing(press.sample_id))
        return None
    before = known or _nothing(press.sample_id)
    if _write(run, changed(before, press, marks.labels(run.cache))):
        undone = st.session_state.get("_marks_before", [])
        st.session_state["_marks_before"] = [*undone, (run.id, before)][-MOST_UNDONE:]
    return None


def changed(before: Mark, press: Press, labels: tuple[str, ...]) -> Mark:
    """What is said of a sample after a press, if `before` was said till then."""
    value = press.value
    if press.what == "mark":
        return replace(before, is_marked=not before.is_marked if value is None else value is True)
    if press.what == "note":
        return replace(before, note=str(value or ""))
    name = labels[value] if isinstance(value, int) and 0 <= value < len(labels) else value
    return replace(before, own_label=str(name) if name in labels else "")


def _nothing(sample_id: str) -> Mark:
    return Mark(sample_id, person(), is_marked=False, note="", when="")


def _undo(run: Run) -> str | None:
    before = st.session_state.get("_marks_before", [])
    if not before or before[-1][0] != run.id:
        return None
    st.session_state["_marks_before"] = before[:-1]
    mark: Mark = before[-1][1]
    _write(run, mark)
    return mark.sample_id


def _write(run: Run, mark: Mark) -> bool:
    try:
        identity.require(Right.MARK, run)
        by = mark.by if identity.is_laptop() else person()  # at one screen anybody may undo what was done on it
        marks.make(run, mark.sample_id, by=by, is_marked=mark.is_marked, note=mark.note, own_label=mark.own_label)
    except BadInputError as error:
        st.session_state["_mark_problem"] = str(error)
        return False
    return True


# -------------------------------------------------------------------------------------------------------- controls


def menu(run: Run) -> None:
    """Who marks, what the labels are called, how far people agree, and everybody's marks as a file."""
    person_control()
    if identity.may(Right.MARK, None):
        _label_names(run)
    show_problem()
    path = marks.file_of(run)
    for agreement in _agreements(run, str(path), _stamp(path)):
        st.caption(escaped(agreement.words))
    download(run)


def _label_names(run: Run) -> None:
    key = "_label_names"
    st.session_state[key] = ", ".join(marks.labels(run.cache))
    st.text_input(
        "Labels of the keys 1 to 5",
        key=key,
        on_change=_name_labels,
        args=(run, key),
        help="Five names with commas between them, for all Runs. What has been labelled keeps its name of then.",
    )


def person_control(width: Literal["stretch"] | int = "stretch") -> None:
    if not identity.is_laptop():
        st.caption(f"Marks and notes are kept under the name of your login: **{escaped(person())}**.")
        return
    if "_person" in st.session_state:
        st.session_state["person"] = person()  # which may have been given by keys
    st.text_input(
        "Your name",
        key="person",
        on_change=lambda: _name_person(str(st.session_state["person"] or "")),
        persist_state="session",
        max_chars=marks.LONGEST_NAME,
        placeholder="whose marks these are",
        width=width,
        help="Marks and notes are kept beside the Run, under this name. Nobody's are overwritten by another person's. "
        "This browser remembers it.",
    )


def _name_labels(run: Run, key: str) -> None:
    names = [name.strip() for name in str(st.session_state[key]).split(",")]
    try:
        identity.require(Right.MARK, None)
        if len(names) > len(marks.LABELS):
            raise BadInputError(f"There are five labels, and {len(names)} names: take some out.")
        marks.name_labels(run.cache, [*names, *[""] * (len(marks.LABELS) - len(names))])
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
        identity.exported(lambda: csv(run), "marks", run),
        file_name=f"{run.info.name}-marks.csv",
        mime="text/csv",
        on_click="ignore",
        disabled=not n,
        icon=":material/download:",
        key="marks_csv",
    )


def show_others(run: Run, sample_id: str) -> None:
    """What other people say of a sample."""
    show_problem()
    hidden = are_labels_hidden(run, sample_id)
    for mark in of_sample(run, sample_id):
        if mark.by == person():
            continue
        if mark.own_label and hidden:
            st.caption(
                f"{escaped(mark.by or 'Somebody')} has labelled this image: shown once you have labelled it too."
            )
        else:
            st.caption(f"{escaped(said(mark))} · {escaped(mark.when[:16].replace('T', ' '))}")


def are_labels_hidden(run: Run, sample_id: str) -> bool:
    """Whether the person of this session has not labelled a sample: what others have would not be judged alone."""
    mark = own(run).get(sample_id)
    return mark is None or not mark.own_label


# --------------------------------------------------------------------------------------------------------- filters


def filters(run: Run) -> list[str]:
    """What samples can be filtered by: `FILTERS`, and every label that somebody has given."""
    given = {mark.own_label for mark in of_run(run) if mark.own_label}
    return [*FILTERS, *(f"{LABELLED}{name}" for name in sorted(given))]


def fits(run: Run, ids: pd.Index, wanted: str) -> NDArray[np.bool_]:
    """(n,) which samples pass one of `filters`."""
    if wanted == ALL:
        return np.ones(len(ids), np.bool_)
    current = of_run(run)
    if wanted in (UNMARKED, NOT_SEEN):
        known = own(run).keys() if wanted == NOT_SEEN else {mark.sample_id for mark in current}
        return ~np.asarray(ids.isin(list(known)), np.bool_)
    if wanted == MINE:
        fitting = [mark for mark in current if mark.is_marked and mark.by == person()]
    elif wanted == ANYBODY:
        fitting = [mark for mark in current if mark.is_marked]
    elif wanted == NOTED:
        fitting = [mark for mark in current if mark.note]
    else:
        fitting = [mark for mark in current if mark.own_label == wanted.removeprefix(LABELLED)]
    return np.asarray(ids.isin([mark.sample_id for mark in fitting]), np.bool_)


def csv(run: Run) -> bytes:
    """Everybody's marks with what the Run says of their samples, as a table for others."""
    return files.csv(marks.table(run, of_run(run)))
