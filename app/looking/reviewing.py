"""One sample of a list under review: the way to the next one, and what people say of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.components.gallery import Card
from app.components.pressed import Place, Press
from app.components.reviewer import reviewer
from app.looking import trail
from app.parts import columns, marking
from app.session import readers
from app.session.sidebar import Shown
from fas_core.runs.store import Run


def position(run: Run, rows: NDArray[np.intp], sample_id: str) -> int:
    """Where a sample stands among rows of a Run, counted from 0; -1 where it is not there."""
    return int(next(iter(np.flatnonzero(readers.ids(run)[rows] == sample_id)), -1))


def _id(run: Run, rows: NDArray[np.intp], at: int) -> str:
    """Of the sample there; of one shard, not of millions of samples."""
    return columns.ids_of(run, rows[[at]])[0]


def follow(shown: Shown, row: int, *, key: str) -> None:
    """A page about one sample goes on through the list that somebody came from; `key` holds the id of its sample."""
    list_of = trail.of(shown, row)

    def go_to(to: int) -> None:
        st.session_state[key] = _id(shown.run, list_of.rows, to)

    review(shown.run, list_of.rows, list_of.position(row), list_of.words, key=f"{key}_review", go_to=go_to)


def review(run: Run, rows: NDArray[np.intp], at: int, words: str, *, key: str, go_to: Callable[[int], None]) -> None:
    """The sample at a place in a list, `rows`, which `words` say what they are; `go_to` hears which place is next."""
    sample_id = _id(run, rows, at)
    said = marking.own(run).get(sample_id)

    def pressed(press: Press) -> None:
        undone = marking.hear(run, press)
        to = -1 if undone is None else position(run, rows, undone)
        if to >= 0:
            go_to(to)

    card = Card(
        sample_id,
        is_marked=said is not None and said.is_marked,
        own_label="" if said is None else said.own_label,
        own_note="" if said is None else said.note,
    )
    place = Place(at, len(rows), 1, go_to, partial(_id, run, rows))
    reviewer(card, words, key=key, place=place, marking=marking.by_keys(run, pressed))
    marking.show_others(run, sample_id)
