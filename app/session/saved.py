"""Whose numbers a page shows, in the names and captions of what is saved of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from app.components.saving import saving
from fas_core.evaluation.presentations import FRAME

_PAGE = "_page_saved"  # in the session: the current page, as its address has it
_BESIDE = "_runs_beside"  # labels of the Runs that it shows beside the sidebar's
_INSTEAD = "_shown_instead"  # names of what it shows in the place of Runs
PLAIN = r"[^\w.+]+"  # all else, in names of files, is a hyphen
MOST_NAMED = 3  # subsets, in the name of a file


def begin(page: str) -> None:
    """Before a page: it shows one Run until it says otherwise."""
    st.session_state.update({_PAGE: page or "overview", _BESIDE: [], _INSTEAD: []})


def shown_beside(labels: Sequence[str]) -> None:
    """What a page says of the Runs that it shows beside the sidebar's."""
    st.session_state[_BESIDE] = list(labels)


def shown_instead(names: Sequence[str]) -> None:
    """What a page says that shows no Run, but trainings: subsets and scores are nothing to them."""
    st.session_state[_INSTEAD] = list(names)


def _runs() -> list[str]:
    """Labels of all Runs of the page, the sidebar's first."""
    first = str(st.session_state.get("run", ""))
    return [first, *(label for label in st.session_state.get(_BESIDE, []) if label != first)]


def _subsets() -> tuple[list[str], list[str]]:
    """Those that are chosen in the sidebar, in order, and all."""
    known = list(st.session_state.get("_default_subsets", []))
    wanted = st.session_state.get("subsets", known)
    return [name for name in known if name in wanted], known


def stem(runs: Sequence[str], subsets: Sequence[str], known: Sequence[str]) -> str:
    """The end of a file's name: labels of Runs, and the chosen `subsets` of all those there are."""
    if list(subsets) == list(known):
        chosen = "all-subsets"
    else:
        chosen = "+".join(subsets) if len(subsets) <= MOST_NAMED else f"{len(subsets)}-subsets"
    return f"{_plain(runs)}-{chosen}"


def _plain(labels: Sequence[str]) -> str:
    return "+".join(label.replace(" (", "-").removesuffix(")") for label in labels)


def stem_here() -> str:
    """`stem` of what the page shows."""
    if names := st.session_state.get(_INSTEAD):
        return _plain(names)
    return stem(_runs(), *_subsets())


def file_name(what: str, ending: str) -> str:
    """Of a table or chart of the page, in letters that every system allows."""
    page = st.session_state.get(_PAGE, "page")
    return f"{re.sub(PLAIN, '-', f'{page}-{what}-{stem_here()}')}.{ending}"


def menus(key: str = "page") -> None:
    """Puts a menu on every chart of the page and a button on every table, once they stand there.

    Again, under another key, in a fragment that itself chooses what is shown.
    """
    if "run" not in st.session_state and not st.session_state.get(_INSTEAD):
        return  # no Run yet
    score, level = st.session_state.get("score"), st.session_state.get("level", FRAME)
    facts = [", ".join(_runs()), ", ".join(_subsets()[0])]
    facts += [f"score {score}"] if score else []
    facts += [] if level == FRAME else [f"by {level}"]
    instead = st.session_state.get(_INSTEAD)
    saving(name=stem_here(), source=", ".join(instead) if instead else " · ".join(facts), key=key)
