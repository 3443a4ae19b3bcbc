"""Samples and subjects of a Run by a part of their names, from every page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.components.find import MATCHES, find
from app.parts import filters, sample
from app.session import readers
from app.session.address import link_params
from app.session.cache import cached
from app.session.page import fragment
from app.session.readers import score_values
from app.words import escaped, number
from fas_core.data.names import readable
from fas_core.runs.store import Run

MOST_SUBJECTS, MOST_SAMPLES = 4, 6  # listed
LONGEST = 26  # letters of a name that the sidebar has room for; ids differ at their ends

STYLES = f"""<style>
.st-key-{MATCHES} [data-testid=stElementContainer] {{ min-height: 1.75rem; }}
.st-key-{MATCHES} :is(a, button) {{ min-height: 1.75rem; padding: 0 0.5rem; margin: 0; color: inherit; }}
</style>"""


@dataclass(frozen=True, eq=False)
class Matches:
    """What fits a text: the first of each kind, and how many there are."""

    subjects: pd.Series  # name -> number of samples
    n_subjects: int
    rows: NDArray[np.intp]
    n_rows: int

    @property
    def words(self) -> str:
        kinds = ((self.n_subjects, "subject"), (self.n_rows, "sample"))
        return " and ".join(f"{n:,} {kind}{'' if n == 1 else 's'}" for n, kind in kinds if n)


@cached(entries=16)
def subjects(run: Run) -> pd.Series:
    """Subject -> number of samples, by name; empty where the data name none."""
    of_samples = readers.samples(run, ("subject_id",))
    if "subject_id" not in of_samples:
        return pd.Series([], pd.Index([], dtype="str"), dtype=np.int64)
    counts = of_samples["subject_id"].astype("str").value_counts().sort_index()
    return counts[counts.index != ""]


def matches(run: Run, typed: str) -> Matches:
    """Subjects and samples whose names contain a text, in upper or lower case; those that begin with it come first."""
    known = subjects(run)
    of_subjects = known.iloc[sample.matching(known.index, typed)]
    rows = sample.matching(readers.ids(run), typed)
    return Matches(
        of_subjects.iloc[_beginning_first(of_subjects.index, typed)[:MOST_SUBJECTS]],
        len(of_subjects),
        rows[_beginning_first(readers.ids(run)[rows], typed)[:MOST_SAMPLES]],
        len(rows),
    )


def _beginning_first(names: pd.Index, typed: str) -> NDArray[np.intp]:
    return np.argsort(~names.str.lower().str.startswith(typed.lower()), kind="stable")


def shortened(name: str) -> str:
    return name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"


@fragment
def search(run: Run, score: str | None, current: str) -> None:
    """The field, and below it what fits, each a link. A fragment: typing runs nothing but this again.

    `score`: what stands beside samples without images, which no page can show. `current`: the page's path.
    """
    typed = find(key="search")
    if not typed:
        return
    st.html(STYLES)
    fitting = matches(run, typed)
    with st.container(key=MATCHES, gap=None):
        if not fitting.words:
            st.caption(f"No sample or subject has {escaped(typed)} in its name.")
        for name, n in fitting.subjects.items():
            _show_subject(run, str(name), int(n), current)
        for row in fitting.rows.tolist():
            _show_sample(run, row, score, current)
        if fitting.n_subjects > len(fitting.subjects) or fitting.n_rows > len(fitting.rows):
            st.caption(f"{fitting.words} fit; type more of the name.")


def _show_subject(run: Run, name: str, n: int, current: str) -> None:
    words = f"{escaped(shortened(name))} · {n:,} sample{'' if n == 1 else 's'}"
    if run.is_of_scores:
        st.caption(f"Subject {words}")
        return
    address, state = filters.only(run, "subject_id", name)
    _way(Way("gallery", words, "person", address, state | {"page": 1}), current)


def _show_sample(run: Run, row: int, score: str | None, current: str) -> None:
    sample_id = str(readers.ids(run)[row])
    words = escaped(shortened(sample_id))
    if not run.is_of_scores:
        _way(Way("image", words, "image", {"image": [sample_id]}, {"image": sample_id}), current)
        return
    value = "" if score is None else f" · {escaped(score)} {number(score_values(run, score)[row])}"
    st.caption(f"{words} · {escaped(readable(readers.groups(run)[row]))}{value}")


@dataclass(frozen=True)
class Way:
    """To a page, which is asked for something by its address, or by the session where it is the current one."""

    page: str  # its path
    words: str
    icon: str
    address: Mapping[str, list[str]]
    state: Mapping[str, object]


def _way(way: Way, current: str) -> None:
    icon = f":material/{way.icon}:"
    if way.page != current:
        st.page_link(f"views/{way.page}.py", label=way.words, icon=icon, query_params=link_params() | dict(way.address))
    elif st.button(
        way.words,
        icon=icon,
        type="tertiary",
        key=f"match_{way.words}",
        on_click=lambda: st.session_state.update(way.state),
    ):
        st.rerun()  # the page too, not this fragment alone
