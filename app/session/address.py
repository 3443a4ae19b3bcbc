"""The address: what stands in it, and what of it is still possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

T = TypeVar("T")


def put_in_address(name: str, value: str | list[str]) -> None:
    """Sets a parameter that no control is bound to; none where the value is "" or empty.

    Only where it is another one: each setting sends the whole address as the server knew it when this run of the page
    began, and takes from the browser's what has been chosen since.
    """
    values = [value] if isinstance(value, str) else value
    values = [text for text in values if text]
    st.session_state["_unbound"] = sorted({*st.session_state.get("_unbound", []), name})
    if st.query_params.get_all(name) == values:
        return
    if values:
        st.query_params[name] = values
    else:
        del st.query_params[name]


def switch(
    label: str,
    options: Sequence[T],
    key: str,
    *,
    default: T | None = None,
    words: Callable[[T], str] = str,
    help: str | None = None,
    place: DeltaGenerator | None = None,
) -> T:
    """One of a few options, always one of them, by a control that says its label to readers of the screen alone and
    keeps to the address. `default`: the first. `words`: what an option is called. `place`: here."""
    usual = options[0] if default is None else default
    chosen = (st if place is None else place).segmented_control(
        label,
        list(options),
        default=usual,
        format_func=words,
        key=key,
        bind="query-params",
        required=True,
        help=help,
        label_visibility="collapsed",
    )
    return usual if chosen is None else chosen


def keep_valid(key: str, options: Sequence[object], default: object) -> None:
    """Forgets a choice that another Run has left behind and this one does not offer.

    Several choices are a list, and so is their default. Who has kept to the default goes on keeping to it when it
    changes, as it does while a Run grows subset by subset.
    """
    before = st.session_state.get(f"_default_{key}")
    st.session_state[f"_default_{key}"] = default
    if key not in st.session_state:
        return
    value = st.session_state[key]
    if value == before and value != default:
        st.session_state[key] = value = default
    if not isinstance(value, list):
        if value not in options:
            st.session_state[key] = default
    elif not all(v in options for v in value):
        st.session_state[key] = [v for v in value if v in options] or default


def link_params() -> dict[str, list[str]]:
    """Query parameters that keep the shared choices on the way to another page: those that no control is bound to. The
    browser keeps those of controls that the other page has too."""
    return {
        name: st.query_params.get_all(name) for name in st.session_state.get("_unbound", []) if name in st.query_params
    }
