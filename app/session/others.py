"""Runs beside the one of the sidebar: chosen on a page, kept in the address, told apart by what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.session.address import put_in_address
from app.session.readers import called, label_meant, labels_meant
from app.session.saved import shown_beside
from app.words import escaped
from fas_core.runs.store import Run


def others_control(
    title: str, key: str, by_label: Mapping[str, Run], *, most: int, gone: str, width: int, help_text: str | None
) -> list[str]:
    """Labels of the chosen Runs, the first one where none was chosen. `gone`: ends what is said of those not there;
    `help_text`: None where the page says what they are, and the title is read to those alone who do not see it.

    Not bound: what people read changes with the other Runs that are there, the address does not.
    """
    _choose_from_address(key, list(by_label), most)
    if missing := st.session_state.get(f"_{key}_gone"):
        several = [text for text in missing if len(labels_meant(text)) > 1]
        why = f"Several Runs are called {escaped(several[0])}: choose one." if several else ""
        none = f"There is no Run {escaped(', '.join(missing))} {gone}"
        st.warning(why or none, icon=":material/link_off:")
    labels = st.multiselect(
        title,
        list(by_label),
        format_func=called().__getitem__,
        max_selections=most,
        key=key,
        on_change=lambda: st.session_state.pop(f"_{key}_gone", None),
        width=width,
        help=help_text,
        label_visibility="collapsed" if help_text is None else "visible",
    )
    st.session_state[f"_{key}_in_address"] = labels
    put_in_address(key, labels)
    shown_beside(labels)
    return labels


def _choose_from_address(key: str, labels: Sequence[str], most: int) -> None:
    """Chooses the Runs of a link that was followed, and notes which are gone; the nearest one where none is chosen."""
    asked = st.query_params.get_all(key)
    if asked and asked != st.session_state.get(f"_{key}_in_address"):
        st.session_state[key] = [label_meant(text) for text in asked[:most]]
    if key not in st.session_state:
        st.session_state[key] = list(labels[:1])
    before = st.session_state[key]
    if missing := sorted({*before} - {*called()}):
        st.session_state[f"_{key}_gone"] = missing
    st.session_state[key] = [label for label in before if label in labels] or (list(labels[:1]) if before else [])
