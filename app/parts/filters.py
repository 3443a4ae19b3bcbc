"""Which samples of a Run are shown. Each filter draws its control and gives a mask, (n,), over the Run's rows:

    fits = is_shown & by_class(kinds, offered, on_change=to_first_page) & by_selection(run, on_change=to_first_page)

A page that shows some of the rows only, as where samples of two Runs are joined, takes the masks at these rows.
`on_change` is called when somebody changes the control: it turns to the first page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.parts import marking
from app.session import readers
from app.session.cache import cached
from app.words import escaped
from fas_core.data.names import in_group_order, readable
from fas_core.runs import selections
from fas_core.runs.store import Run

Mask = NDArray[np.bool_]
Heard = Callable[[], None]

ALL = "All"
FEW_VALUES = 12  # of a number: chosen one by one; more are chosen as a range
MANY_VALUES = 1000  # of a text: found by a part of it, instead of in a list


def by_verdict(
    masks: Mapping[str, Mask],
    *,
    default: str = ALL,
    label: str = "Verdict",
    words: Callable[[str], str] = str,
    key: str = "verdict",
    disabled: bool = False,
    help: str,
    on_change: Heard,
) -> Mask:
    """One of some masks by name; `words` is what is said for a name."""
    chosen = st.segmented_control(
        label,
        list(masks),
        default=default,
        format_func=words,
        key=key,
        bind="query-params",
        required=True,
        disabled=disabled,
        on_change=on_change,
        help=help,
        label_visibility="collapsed",
    )
    return masks[str(chosen)]


def by_class(
    kinds: NDArray[np.str_],
    offered: Iterable[str],
    *,
    key: str = "classes",
    help: str | None = None,
    on_change: Heard,
) -> Mask:
    """`kinds`: (n,) the group of every row; of these some are offered. None chosen are all."""
    wanted = st.multiselect(
        "Classes",
        in_group_order(sorted(set(offered))),
        format_func=readable,
        key=key,
        bind="query-params",
        placeholder="All classes",
        on_change=on_change,
        width=190,
        help=help,
        label_visibility="collapsed",
    )
    return np.isin(kinds, wanted) if wanted else np.ones(len(kinds), np.bool_)


def by_id(ids: pd.Index, *, on_change: Heard) -> Mask:
    """The samples whose ids contain what is typed, in upper or lower case."""
    part = st.text_input(
        "Find", key="find", bind="query-params", placeholder="Part of a sample id", on_change=on_change, width=150
    )
    return (
        np.asarray(ids.str.contains(part, case=False, regex=False), np.bool_) if part else np.ones(len(ids), np.bool_)
    )


def by_selection(run: Run, *, on_change: Heard) -> Mask:
    """The samples of a saved selection."""
    names = selections.names(run)
    if st.session_state.get("selection", ALL) not in names:
        st.session_state["selection"] = ALL
    name = st.selectbox(
        "Saved selection",
        [ALL, *names],
        key="selection",
        bind="query-params",
        on_change=on_change,
        disabled=not names,
        help="Selections are saved on the page Latent space.",
    )
    if name == ALL:
        return np.ones(len(run), np.bool_)
    return np.asarray(readers.ids(run).isin(selections.sample_ids(run, str(name))), np.bool_)


def by_marks(run: Run, *, on_change: Heard) -> Mask:
    """Samples that are marked or not, by whom."""
    wanted = st.selectbox("Show", marking.FILTERS, key="marks", bind="query-params", on_change=on_change)
    return marking.fits(run, readers.ids(run), str(wanted))


# ------------------------------------------------------------------------------------------------- near the threshold


def by_nearness(distances: NDArray[np.float64], among: Mask, *, disabled: bool, on_change: Heard) -> Mask:
    """The share of the rows `among` (n,) that lies nearest the threshold. `distances`: (n,) of scores from it."""
    share = st.slider(
        "Only the images nearest the threshold, in %",
        1,
        100,
        100,
        key="near",
        bind="query-params",
        disabled=disabled,
        on_change=on_change,
        help="Of the chosen subsets, by the distance of their scores from the threshold, on both sides of it.",
    )
    return np.ones(len(distances), np.bool_) if disabled or share == 100 else nearest(distances, among, share / 100)


def nearest(distances: NDArray[np.float64], among: Mask, share: float) -> Mask:
    """(n,) the `share` (0..1) of the rows `among` with the least distances; rounded up, the first of equal ones, NaN
    last."""
    rows = np.flatnonzero(among)
    kept = rows[np.argsort(distances[rows], kind="stable")][: math.ceil(share * len(rows))]
    mask = np.zeros(len(distances), np.bool_)
    mask[kept] = True
    return mask


# ---------------------------------------------------------------------------------------------- columns of the data


@cached(entries=64)
def column(run: Run, name: str) -> NDArray[Any]:
    """One column of the samples: numbers as float64 with NaN, everything else as text with ""."""
    values = readers.samples(run, (name,))[name]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.to_numpy(np.float64)
    return values.astype("str").fillna("").to_numpy(str)


def by_columns(run: Run, *, on_change: Heard) -> Mask:
    """Any columns of the data, each with a choice of its own."""
    fits = np.ones(len(run), np.bool_)
    columns = [name for name in run.column_names() if name not in ("sample_id", "path")]
    st.session_state["where"] = [name for name in st.session_state.get("where", []) if name in columns]
    chosen = st.multiselect(
        "Columns of the data",
        columns,
        key="where",
        bind="query-params",
        format_func=readable,
        on_change=on_change,
        placeholder="Subject, session, any other",
    )
    for name in chosen:
        fits &= _by_column(run, name, on_change)
    return fits


def only(run: Run, name: str, value: str) -> tuple[dict[str, list[str]], dict[str, object]]:
    """What asks `by_columns` for one value of a column of texts: in the address of another page, and in the session."""
    if len(np.unique(column(run, name))) > MANY_VALUES:
        key, asked = f"where_{name}_part", cast(object, value)
    else:
        key, asked = f"where_{name}", [value]
    return {"where": [readable(name)], key: [value]}, {"where": [name], key: asked}


def _by_column(run: Run, name: str, on_change: Heard) -> Mask:
    """The choice for one column: a range of numbers, some of a few values, a part of a text."""
    values = column(run, name)
    title, key = escaped(readable(name)), f"where_{name}"
    is_number = np.issubdtype(values.dtype, np.floating)
    distinct = np.unique(values[~np.isnan(values)] if is_number else values)
    if is_number and len(distinct) > FEW_VALUES:
        return _in_range(values, float(distinct[0]), float(distinct[-1]), title, key, on_change)
    if len(distinct) > MANY_VALUES:
        part = st.text_input(title, key=f"{key}_part", bind="query-params", on_change=on_change)
        return pd.Series(values).str.contains(part, case=False, regex=False).to_numpy(np.bool_)
    names = np.array([f"{value:g}" for value in values]) if is_number else values
    options = [f"{value:g}" for value in distinct] if is_number else [str(value) for value in distinct]
    st.session_state[key] = [value for value in st.session_state.get(key, []) if value in options]
    wanted = st.multiselect(
        title,
        options,
        key=key,
        bind="query-params",
        format_func=lambda value: value or "(empty)",
        placeholder="All",
        on_change=on_change,
    )
    return np.isin(names, wanted) if wanted else np.ones(len(values), np.bool_)


def _in_range(values: NDArray[np.float64], low: float, high: float, title: str, key: str, on_change: Heard) -> Mask:
    if key in st.session_state:  # of another Run, perhaps
        kept = st.session_state[key]
        st.session_state[key] = (min(max(kept[0], low), high), max(min(kept[1], high), low))
    first, last = st.slider(
        title, low, high, (low, high), (high - low) / 200, "%.4g", key, bind="query-params", on_change=on_change
    )
    # The whole range leaves out nothing, not even what has no number.
    return (values >= first) & (values <= last) if (first, last) != (low, high) else np.ones(len(values), np.bool_)
