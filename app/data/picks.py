"""What the contact sheet shows: all that stayed, what left for a reason, or one bar of a histogram; it stands in the
address."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.data import known
from app.data.known import DataSet
from app.session.address import put_in_address
from fas_core.data import acceptance
from fas_core.data.acceptance import MEASURES
from fas_core.data.names import readable

KEPT = "kept"
PAGE_KEY = "sheet_page"  # and of how many pages: a control that has fewer or more of them is another one


@dataclass(frozen=True)
class Pick:
    """`words`: what is shown; `left`: the step and kind of reason; `bar`: how it is grouped, histogram and bin."""

    key: str
    words: str
    n: int
    left: tuple[int, str] | None = None
    bar: tuple[str, int, int] | None = None

    @property
    def is_left(self) -> bool:
        return self.left is not None


def kept(data: DataSet) -> Pick:
    n = len(known.contents(data))
    return Pick(KEPT, "what is here", n)


def offered(data: DataSet) -> list[Pick]:
    """All that stayed, then what left, reason by reason, in the order of the steps."""
    picks = [kept(data)]
    for place, stage in enumerate(known.way(data).stages):
        step = stage.step
        reasons = [(kind, n, "left") for kind, n in step.left.items()]
        reasons += [(kind, n, "kept in part") for kind, n in step.partly.items() if kind not in step.left]
        picks += [
            Pick(f"left~{place}~{kind}", f"{how} at {step.name}: {kind}", n, left=(place, kind))
            for kind, n, how in reasons
        ]
    return picks


def of_bar(data: DataSet, by: str, place: int, bin_: int) -> Pick:
    """The images of one bar."""
    of = known.histograms(data, by)[place]
    title = MEASURES[of.measure].partition(",")[0]
    ends = f"{of.edges[bin_]:.3g} to {of.edges[bin_ + 1]:.3g}".replace("-", "−")
    words = f"{readable(of.group)}, {title} {ends}"
    return Pick(f"bar~{by}~{place}~{bin_}", words, of.counts[bin_], bar=(by, place, bin_))


def chosen(data: DataSet) -> Pick:
    """By the address; all that stayed where it asks for what is not there."""
    asked = str(st.session_state.get("_data_pick", st.query_params.get("show", KEPT)))
    picks = {pick.key: pick for pick in offered(data)}
    pick = picks.get(asked)
    parts = asked.split("~")
    if pick is None and len(parts) == 4 and parts[0] == "bar" and parts[1] in ("subset", "species"):
        numbers = [int(text) if text.isascii() and text.isdigit() else -1 for text in parts[2:]]
        if 0 <= numbers[0] < len(known.histograms(data, parts[1])) and 0 <= numbers[1] < acceptance.BINS:
            pick = of_bar(data, parts[1], *numbers)
    pick = pick or picks[KEPT]
    put_in_address("show", "" if pick.key == KEPT else pick.key)
    return pick


def choose(key: str) -> None:
    """What the sheet shows from the next run of the page on, from its first page."""
    if st.session_state.get("_data_pick") != key:
        st.session_state["_data_pick"] = key
        for name in [name for name in st.session_state if str(name).startswith(PAGE_KEY)]:
            st.session_state[name] = 1


def rows_of(data: DataSet, pick: Pick) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The table and its rows, in an order of chance that is always the same."""
    if pick.left is not None:
        place, kind = pick.left
        table = known.left(data, place)
        rows = np.flatnonzero((table["kind"] == kind).to_numpy()) if len(table) else np.empty(0, np.int64)
    else:
        table = known.contents(data)
        rows = np.arange(len(table))
    if pick.bar is not None:
        by, at, bin_ = pick.bar
        of = known.histograms(data, by)[at]
        is_here = (acceptance.groups_by(table, by) == of.group).to_numpy()
        rows = np.flatnonzero(is_here & (of.holds(table[of.measure].to_numpy(np.float64)) == bin_))
    return table, np.random.default_rng(0).permutation(rows)
