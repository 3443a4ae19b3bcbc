"""The list of samples that somebody came from: where a sample stands in it, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.parts import columns
from app.session.sidebar import Shown
from fas_core.runs.store import Run


@dataclass(frozen=True, eq=False)
class Trail:
    """Rows of a Run in an order; `words` say what they are ("rejected live")."""

    digest: str  # of the Run
    rows: NDArray[np.intp]
    words: str
    is_gallery: bool = True  # whether the gallery shows it

    def position(self, row: int) -> int:
        """Where a row stands, counted from 0; -1 where it is not there."""
        return int(next(iter(np.flatnonzero(self.rows == row)), -1))


def keep(run: Run, rows: NDArray[np.intp], words: str) -> None:
    """The list that this session has seen last."""
    st.session_state["_trail"] = Trail(run.digest, rows, words)


def of(shown: Shown, row: int) -> Trail:
    """The list seen last, if the row is of it; else the images of the chosen subsets in the data's order, or all."""
    kept = st.session_state.get("_trail")
    if isinstance(kept, Trail) and kept.digest == shown.run.digest and kept.position(row) >= 0:
        return kept
    of_subsets = columns.shown_rows(shown.run, shown.subsets)
    rows = np.arange(len(shown.run)) if of_subsets is None or not of_subsets[row] else np.flatnonzero(of_subsets)
    return Trail(shown.run.digest, rows, "images of the Run", is_gallery=False)
