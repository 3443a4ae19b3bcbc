"""What speaks against a data set: leaks between subsets, copies of pictures, what is missing; and what is in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app.components import gallery as component
from app.components.gallery import Card
from app.data import known
from app.data.known import DataSet
from app.data.sheet import Picture, drawn
from app.session import identity
from app.session.cache import cached
from app.session.tables import show_rows
from app.words import escaped, number
from fas_core.access.roles import Right
from fas_core.data import dedupe, thumbnails
from fas_core.data.acceptance import Verdict
from fas_core.data.names import in_protocol_order, readable
from fas_core.runs import duplicates
from fas_core.runs.duplicates import NearDuplicates

AT_ONCE, MOST = 1_000, 20_000  # images that are read and compared while the page opens; when somebody asks
SHOWN_PAIRS = 12


@cached(entries=4, spinner="Reading and comparing every image …")
def near(data: DataSet) -> NearDuplicates | None:
    """What is nearly the same among the images of a manifest; those that cannot be read, as videos, are like nothing.

    None where none can be read.
    """
    rows = known.contents(data)
    small, is_readable = dedupe.thumbnails_of([data.path.parent / path for path in rows["path"]])
    if not is_readable.any():
        return None
    samples = pd.DataFrame({name: rows[name].astype("str") for name in ("subset", "label", "subject_id")})
    samples = samples[is_readable].reset_index(drop=True)
    subsets = in_protocol_order(samples["subset"].unique())
    return duplicates.among(small[is_readable], samples, subsets, thumbnails.UNIT)


def is_asked(data: DataSet) -> bool:
    """Whether the images are compared: a few at once, others when somebody of this session asks."""
    return len(known.contents(data)) <= AT_ONCE or bool(st.session_state.get("_data_compared") == data.digest)


def compared(data: DataSet) -> NearDuplicates | None:
    return near(data) if is_asked(data) else None


def show_verdict(judged: Verdict) -> None:
    """The reasons, the gravest first."""
    for line in judged.against:
        st.markdown(f":material/block: {escaped(line)}")
    for line in judged.cautions:
        st.markdown(f":material/info: {escaped(line)}")


def show_leaks(data: DataSet) -> None:
    st.header("Is anybody on both sides?")
    leaks = known.leaks(data)
    if not leaks:
        st.write(
            "No person and no recording is both where models learn or thresholds are chosen, and where they are judged."
        )
        return
    table = pd.DataFrame(
        [[leak.what, leak.a, leak.b, len(leak.names), ", ".join(leak.names[:12])] for leak in leaks],
        columns=["What", "In", "And in", "How many", "Which (the first 12)"],
    )
    show_rows(table, "leaks")


def show_duplicates(data: DataSet) -> None:
    st.header("Is anything there twice?")
    n = len(known.contents(data))
    if n > MOST:
        st.write(f"{n:,} images are too many to compare here: fas data dedupe M.csv --out M2.csv does.")
        return
    if not is_asked(data):
        st.write(f"Comparing {n:,} images with each other reads all of them once.")
        st.button(
            "Compare them",
            icon=":material/compare_arrows:",
            on_click=lambda: st.session_state.update(_data_compared=data.digest),
        )
        return
    of = near(data)
    if of is None:
        st.write(
            "None of its rows is an image that can be read. Videos are compared by their frames: fas data frames M.csv "
            "--out DIR"
        )
        return
    st.write(escaped(of.answer))
    if of.limit.n_live:
        st.caption(
            f"Near: nearer than {of.limit.words}, {number(of.limit.distance)} by root mean square of pixels in 0–1."
        )
    if len(of.pairs) and identity.may(Right.PICTURES, None):
        _show_pairs(data, of)


def _show_pairs(data: DataSet, of: NearDuplicates) -> None:
    rows = known.contents(data)
    if len(rows) != len(of.samples):
        st.caption("Some images cannot be read, so that pairs are not shown: fas data check M.csv says which.")
        return
    pairs = of.pairs.head(SHOWN_PAIRS)
    a, b = pairs["a"].to_numpy(np.int64), pairs["b"].to_numpy(np.int64)
    subset, ids = rows["subset"].astype("str").to_numpy(), rows["sample_id"].to_numpy()
    cards = [
        Card(f"{ids[i]} {ids[j]}", [f"and {readable(subset[j])}", str(ids[i]), str(ids[j])], readable(str(subset[i])))
        for i, j in zip(a.tolist(), b.tolist(), strict=True)
    ]
    panels = []
    for name, which in (("first", a), ("second", b)):
        files = tuple(Picture(str(data.path.parent / path)) for path in rows["path"].iloc[which])
        panels.append(component.picture(name, drawn(data, files)[0]))
    component.gallery(cards, panels, key="data_pairs", size=96)


def show_counts(data: DataSet) -> None:
    st.header("What is in it?")
    show_rows(known.counts(data).rename(columns=lambda c: readable(str(c)).capitalize()), "subsets")
