"""Whose numbers a page shows, in the names and captions of what is saved of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from app.components.saving import saving
from fas_core.evaluation.presentations import FRAME

_BESIDE = "_runs_beside"  # in the session: labels of the Runs that a page shows beside the sidebar's
PLAIN = r"[^\w.+-]+"  # all else, in names of files, is a hyphen
MOST_NAMED = 3  # subsets, in the name of a file


def none_beside() -> None:
    """Before a page: it shows one Run until it says otherwise."""
    st.session_state[_BESIDE] = []


def shown_beside(labels: Sequence[str]) -> None:
    """What a page says of the Runs that it shows beside the sidebar's."""
    st.session_state[_BESIDE] = list(labels)


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
    return f"{'+'.join(label.replace(' (', '-').removesuffix(')') for label in runs)}-{chosen}"


def stem_here() -> str:
    """`stem` of what the page shows."""
    return stem(_runs(), *_subsets())


def file_name(what: str, ending: str) -> str:
    """Of a table or chart of the page, in letters that every system allows."""
    return f"{re.sub(PLAIN, '-', f'{what}-{stem_here()}')}.{ending}"


def menus() -> None:
    """Puts a menu on every chart of the page and a button on every table, once they stand there."""
    if "run" not in st.session_state:
        return
    score, level = st.session_state.get("score"), st.session_state.get("level", FRAME)
    facts = [", ".join(_runs()), ", ".join(_subsets()[0])]
    facts += [f"score {score}"] if score else []
    facts += [] if level == FRAME else [f"by {level}"]
    saving(name=stem_here(), source=" · ".join(facts))
