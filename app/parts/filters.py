"""Which samples of a Run are shown. Each filter draws its control and gives a mask, (n,), over the Run's rows:

    fits = is_shown & by_class(kinds, offered, on_change=to_first_page)

or, those that are rarely in use, the `Active` ones: `chips` show them, and each is dropped with a click. A page that
shows some of the rows only, as where samples of two Runs are joined, takes the masks at these rows. `on_change` is
called when somebody changes the control: it turns to the first page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.parts import causes, marking
from app.session import readers
from app.session.cache import cached
from app.words import escaped
from fas_core.data.measures import MEASURES
from fas_core.data.names import Named, in_group_order, readable
from fas_core.files import shortened
from fas_core.runs import measured, selections
from fas_core.runs.store import Run

Mask = NDArray[np.bool_]
Heard = Callable[[], None]

ALL = "All"
FEW_VALUES = 12  # of a number: chosen one by one; more are chosen as a range
MANY_VALUES = 1000  # of a text: found by a part of it, instead of in a list
LONGEST_CHIP = 48  # characters


@dataclass(frozen=True, eq=False)
class Active:
    """A filter that leaves something out: what it says, (n,) which rows pass, and how it is dropped."""

    words: str
    fits: Mask
    drop: Callable[[], None]


def setting(key: str, value: object) -> Callable[[], None]:
    """Sets what a control has chosen, before it is drawn again."""

    def drop() -> None:
        st.session_state[key] = value

    return drop


def chips(active: Sequence[Active], among: Mask, *, on_change: Heard) -> None:
    """The filters that leave something out, with the number of rows `among` (n,) that pass each. A click drops one."""
    if not active:
        return

    def dropped(filters: Sequence[Active]) -> None:
        for each in filters:
            each.drop()
        on_change()

    with st.container(horizontal=True, gap="small", key="chips"):
        for i, each in enumerate(active):
            n = int((each.fits & among).sum())
            words = f"{escaped(shortened(each.words, LONGEST_CHIP))} · {n:,}"
            st.button(
                words,
                key=f"chip_{i}",
                icon=":material/close:",
                icon_position="right",
                on_click=dropped,
                args=([each],),
                help=f"Show again what this leaves out: {escaped(each.words)}",
            )
        if len(active) > 1:
            st.button("Clear all", key="chips_clear", type="tertiary", on_click=dropped, args=(active,))


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
    kinds: NDArray[np.str_] | Named,
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
    if not wanted:
        return np.ones(len(kinds), np.bool_)
    return kinds.are(*wanted) if isinstance(kinds, Named) else np.isin(kinds, wanted)


def by_id(ids: pd.Index, *, on_change: Heard) -> list[Active]:
    """The samples whose ids contain what is typed, in upper or lower case."""
    part = st.text_input(
        "Find", key="find", bind="query-params", placeholder="Part of a sample id", on_change=on_change, width=150
    )
    if not part:
        return []
    fits = np.asarray(ids.str.contains(part, case=False, regex=False), np.bool_)
    return [Active(f"id contains {part}", fits, setting("find", ""))]


def by_selection(run: Run, *, on_change: Heard) -> list[Active]:
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
        return []
    fits = np.asarray(readers.ids(run).isin(selections.sample_ids(run, str(name))), np.bool_)
    return [Active(f"selection {name}", fits, setting("selection", ALL))]


def by_marks(run: Run, *, on_change: Heard) -> list[Active]:
    """Samples that are marked, labelled or noted, or not, by whom."""
    offered = marking.filters(run)
    if st.session_state.get("marks", marking.ALL) not in offered:
        st.session_state["marks"] = marking.ALL
    wanted = str(st.selectbox("Show", offered, key="marks", bind="query-params", on_change=on_change))
    if wanted == marking.ALL:
        return []
    return [Active(wanted, marking.fits(run, readers.ids(run), wanted), setting("marks", marking.ALL))]


# ------------------------------------------------------------------------------------------------- near the threshold


def by_nearness(distances: NDArray[np.float64], among: Mask, *, disabled: bool, on_change: Heard) -> list[Active]:
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
    if disabled or share == 100:
        return []
    return [Active(f"nearest {share} %", nearest(distances, among, share / 100), setting("near", 100))]


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
    """One column of the samples: numbers as float64 with NaN, everything else as text with ""; or how images look."""
    if name in MEASURES and name not in run.column_names():
        return measured.of_run(run)[name]
    values = readers.samples(run, (name,))[name]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.to_numpy(np.float64)
    return values.astype("str").fillna("").to_numpy(str)


def columns_of(run: Run) -> list[str]:
    """What samples can be filtered, ordered and grouped by: columns of the data, and how images look where it is known
    or soon computed."""
    columns = [name for name in run.column_names() if name not in ("sample_id", "path")]
    looks = MEASURES if run.has("inputs") and causes.is_measured(run) else ()
    return [*columns, *(name for name in looks if name not in columns)]


def by_columns(run: Run, *, on_change: Heard) -> list[Active]:
    """Any columns of the data, each with a choice of its own."""
    offered = columns_of(run)
    st.session_state["where"] = [name for name in st.session_state.get("where", []) if name in offered]
    chosen = st.multiselect(
        "Columns of the data",
        offered,
        key="where",
        bind="query-params",
        format_func=readable,
        on_change=on_change,
        placeholder="Subject, session, any other",
    )
    return [active for name in chosen for active in _by_column(run, name, on_change)]


def only(run: Run, name: str, value: str) -> tuple[dict[str, list[str]], dict[str, object]]:
    """What asks `by_columns` for one value of a column of texts: in the address of another page, and in the session."""
    if len(np.unique(column(run, name))) > MANY_VALUES:
        key, asked = f"where_{name}_part", cast(object, value)
    else:
        key, asked = f"where_{name}", [value]
    return {"where": [readable(name)], key: [value]}, {"where": [name], key: asked}


def _without(name: str) -> Callable[[], None]:
    """Drops the choice for a column."""

    def drop() -> None:
        st.session_state["where"] = [other for other in st.session_state["where"] if other != name]

    return drop


def _by_column(run: Run, name: str, on_change: Heard) -> list[Active]:
    """The choice for one column: a range of numbers, some of a few values, a part of a text."""
    values = column(run, name)
    title, key = escaped(readable(name)), f"where_{name}"
    is_number = np.issubdtype(values.dtype, np.floating)
    distinct = np.unique(values[~np.isnan(values)] if is_number else values)
    if is_number and len(distinct) > FEW_VALUES:
        return _in_range(values, float(distinct[0]), float(distinct[-1]), name, on_change)
    if len(distinct) > MANY_VALUES:
        part = st.text_input(title, key=f"{key}_part", bind="query-params", on_change=on_change)
        fits = pd.Series(values).str.contains(part, case=False, regex=False).to_numpy(np.bool_)
        return [Active(f"{readable(name)} contains {part}", fits, _without(name))] if part else []
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
    if not wanted:
        return []
    words = ", ".join(readable(value) or "(empty)" for value in wanted)
    return [Active(f"{readable(name)}: {words}", np.isin(names, wanted), _without(name))]


def _in_range(values: NDArray[np.float64], low: float, high: float, name: str, on_change: Heard) -> list[Active]:
    title, key = escaped(readable(name)), f"where_{name}"
    if key in st.session_state:  # of another Run, perhaps
        kept = st.session_state[key]
        st.session_state[key] = (min(max(kept[0], low), high), max(min(kept[1], high), low))
    first, last = st.slider(
        title, low, high, (low, high), (high - low) / 200, "%.4g", key, bind="query-params", on_change=on_change
    )
    if (first, last) == (low, high):  # which leaves out nothing, not even what has no number
        return []
    words = f"{readable(name)} {first:.4g} to {last:.4g}"
    return [Active(words, (values >= first) & (values <= last), _without(name))]
