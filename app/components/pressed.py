"""What people press in the browser while they go through a list of samples: see pressed.js.

The browser numbers its presses, and sends each of them until it hears that it has been kept: none is lost, and none is
heard twice, however slow the server is. Of the places in the list that are asked for, the last one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import streamlit as st

What = Literal["mark", "label", "note", "undo", "seen", "name"]


@dataclass(frozen=True)
class Press:
    """`value`: whether it is to be marked (None: the other way round), a label ("" for none; a number is one of the
    five, counted from 0), a note, or a person's name, which is about no sample. Nothing of "undo", which is about the
    last change, and of "seen"."""

    what: What
    sample_id: str
    value: bool | int | str | None = None


@dataclass(frozen=True)
class Marking:
    """`pressed` hears every press, before the page runs again; `labels` are the names of the keys 1 to 5.

    `person`: under whose name they are kept; None until this session knows, so that the browser says whom it remembers.
    """

    pressed: Callable[[Press], None]
    labels: Sequence[str]
    person: str | None = None


@dataclass(frozen=True)
class Place:
    """Which of a list of `total` samples are here: those from `first` on. `turned` hears which place, counted from 0,
    a key has led to that is not. `name` stands for the list: another one begins with its first sample."""

    first: int
    total: int
    per_page: int
    turned: Callable[[int], None]
    id_at: Callable[[int], str]
    name: str = ""


def place_data(key: str, place: Place | None) -> dict[str, Any] | None:
    """What the browser is told of a place."""
    if place is None:
        return None
    return {
        "first": place.first,
        "total": place.total,
        "perPage": place.per_page,
        "list": place.name,
        "asked": st.session_state.get(f"_{key}_asked", 0),
        "go": st.session_state.get(f"_{key}_go"),
    }


def marking_data(key: str, marking: Marking | None) -> dict[str, Any] | None:
    """What the browser is told of marks."""
    if marking is None:
        return None
    kept = st.session_state.get(f"_{key}_kept", 0)
    return {"kept": kept, "labels": list(marking.labels), "person": marking.person}


def lead(key: str, to: int) -> None:
    """Makes the browser go to a place in the list, counted from 0, once."""
    before = st.session_state.get(f"_{key}_go") or {"n": 0}
    st.session_state[f"_{key}_go"] = {"n": before["n"] + 1, "to": to}


def hear_place(key: str, place: Place | None) -> None:
    """Hands on the place that the browser asks for, if it has not been yet."""
    asked = st.session_state[key].get("place")
    if place is None or not isinstance(asked, dict):
        return
    n, to = asked.get("n"), asked.get("to")
    if isinstance(n, int) and isinstance(to, int) and n > st.session_state.get(f"_{key}_asked", 0):
        st.session_state[f"_{key}_asked"] = n
        if 0 <= to < place.total:
            place.turned(to)


def hear_presses(key: str, marking: Marking | None, place: Place | None) -> None:
    """Hands on the presses that are new."""
    presses, kept = st.session_state[key].get("presses"), st.session_state.get(f"_{key}_kept", 0)
    if marking is None or not isinstance(presses, list):
        return
    for sent in presses:
        if not isinstance(sent, dict) or not isinstance(n := sent.get("n"), int) or n <= kept:
            continue
        press = _press(sent, place)
        if press is not None:
            marking.pressed(press)
        st.session_state[f"_{key}_kept"] = kept = n


def _press(sent: dict[str, Any], place: Place | None) -> Press | None:
    """None where it is no press, or of no sample."""
    what, value, sample_id, at = (sent.get(name) for name in ("what", "value", "id", "at"))
    if what not in get_args(What) or not isinstance(value, bool | int | str | None):
        return None
    if sample_id is None and place is not None and isinstance(at, int) and 0 <= at < place.total:
        sample_id = place.id_at(at)
    return Press(cast(What, what), str(sample_id or ""), value)
