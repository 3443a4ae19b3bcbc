"""One sample of a Run: found by its id, and what the data say about it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.session.readers import metadata
from app.session.tables import show_rows
from app.words import escaped
from fas_core.runs.store import Run


def matching(ids: pd.Index, asked: str) -> NDArray[np.intp]:
    """Rows, ascending, of the sample with the id asked for, or else of all whose ids contain it in upper or lower case.

    None where nothing is asked for.
    """
    if not asked:
        return np.empty(0, np.intp)
    exact = np.flatnonzero(ids == asked)
    return exact if len(exact) else np.flatnonzero(ids.str.contains(asked, case=False, regex=False))


def say_missing(asked: str) -> None:
    """That no sample has what is asked for in its id."""
    st.info(
        f"No sample of this Run has {escaped(asked)} in its id. It may be one of another Run, or have been removed "
        "since (`fas forget`).",
        icon=":material/search_off:",
    )


def say_another(asked: str, n: int) -> None:
    """That the sample shown is not the one asked for, but the first of the `n` whose ids contain that."""
    which = "the only one whose id contains" if n == 1 else f"the first of {n:,} whose ids contain"
    st.caption(f"No sample of this Run is called {escaped(asked)}; this is {which} it.")


def show_metadata(run: Run, row: int) -> None:
    """What the manifest says about a sample, as a table as long as it is."""
    show_rows(metadata(run, row), "metadata", height="content")
