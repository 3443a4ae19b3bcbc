"""The address: what stands in it, and what of it is still possible."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st


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
