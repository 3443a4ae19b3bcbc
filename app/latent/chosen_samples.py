"""Samples chosen by their ids: typed, drawn at random, taken from a selection, or by the page itself."""

from __future__ import annotations

import random

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.parts import sample
from app.session import readers
from app.session.cache import cached
from app.session.sidebar import Shown
from fas_core.evaluation import paths
from fas_core.evaluation.paths import LETTERS
from fas_core.runs import selections
from fas_core.runs.store import Run

KEYS = ("sample", "sample_2", "sample_3", "sample_4")


@cached(entries=16)
def live_rows(run: Run, subsets: tuple[str, ...]) -> NDArray[np.int64]:
    """See `paths.live_rows`."""
    return paths.live_rows(readers.samples(run, ("subset", "label")), subsets)


@cached(entries=16)
def _first_choice(run: Run, score: str, subsets: tuple[str, ...]) -> list[int]:
    samples = readers.samples(run, ("subset", "label", "pai_species"))
    return paths.first_choice(samples, readers.score_values(run, score), subsets)


def chosen_rows(shown: Shown, count: int) -> list[int]:
    """The samples that are asked for by id, or by a part of one. The page ends with a hint where one is not there."""
    run = shown.run
    ids, begin = readers.ids(run), _first_choice(run, shown.score, shown.subsets)
    rows = []
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for key, letter, start in zip(KEYS[:count], LETTERS, begin, strict=False):
            asked = st.text_input(
                "Sample" if count == 1 else f"Sample {letter}",
                key=key,
                bind="query-params",
                placeholder=str(ids[start]),
                width=190,
                help="A sample id, or a part of one. Empty: the page chooses one.",
            ).strip()
            matching = sample.matching(ids, asked)
            if asked and not len(matching):
                sample.say_missing(asked)
                st.stop()
            if asked and str(ids[matching[0]]) != asked:
                sample.say_another(asked, len(matching))
            rows.append(int(matching[0]) if asked else start)
        st.button("Random live", icon=":material/casino:", on_click=_fill_at_random, args=(shown, count))
        if names := selections.names(run):
            with st.popover("From a selection", icon=":material/bookmark:"):
                name = str(st.selectbox("Selection", names, key="traversal_selection"))
                st.button(
                    f"Take {'the next' if count == 1 else f'the next {count}'}",
                    on_click=_fill_from_selection,
                    args=(run, name, count),
                )
    return rows


def _fill(run: Run, rows: list[int]) -> None:
    for key, row in zip(KEYS, rows, strict=False):
        st.session_state[key] = str(readers.ids(run)[row])


def _fill_at_random(shown: Shown, count: int) -> None:
    rows = live_rows(shown.run, shown.subsets).tolist()
    _fill(shown.run, random.sample(rows, min(count, len(rows))))


def _fill_from_selection(run: Run, name: str, count: int) -> None:
    """The first samples of a selection, or those after the one that is shown first."""
    rows = [int(row) for row in readers.ids(run).get_indexer(selections.sample_ids(run, name)) if row >= 0]
    first = str(st.session_state.get(KEYS[0], ""))
    at = next((i + count for i, row in enumerate(rows) if readers.ids(run)[row] == first), 0)
    _fill(run, [rows[(at + i) % len(rows)] for i in range(count)] if rows else [])
