"""What a score follows: cached answers, the warning of pages that judge by it, and the samples behind a bar."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.components.link import follow
from app.parts import columns
from app.session import identity
from app.session.address import link_params
from app.session.cache import NotComputedError, cached
from app.session.readers import score_values
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import escaped
from fas_core.access.roles import Right
from fas_core.evaluation.causes import of_run, shares, words
from fas_core.evaluation.causes.of_run import Follows, Nuisance, Sampled
from fas_core.evaluation.causes.shares import Share, Strip
from fas_core.runs import measured, selections
from fas_core.runs.store import Run

AT_ONCE = 20_000  # images of a Run that a page may wait for; more are measured by a process of its own
LISTED = 1000  # samples, where there is no gallery


@cached(entries=32)
def _is_measured(run: Run) -> bool:
    if len(run) > AT_ONCE and not measured.is_known(run):
        raise NotComputedError
    return True


def is_measured(run: Run) -> bool:
    """Whether what its images look like is known, or takes a page a few seconds at most."""
    try:
        return _is_measured(run)
    except NotComputedError:
        return False


@cached(entries=64, spinner="Looking for what the score follows …")
def follows(run: Run, score: str, side: str, subsets: tuple[str, ...], n_marks: int) -> Follows:  # noqa: ARG001 - part of the key
    """See `of_run.follows`. `n_marks`: changes with the marks, which are no part of a Run."""
    return of_run.follows(run, score, side, subsets)


@cached(entries=32)
def followed_by(run: Run, cause: str, subsets: tuple[str, ...], n_marks: int) -> dict[str, Share]:  # noqa: ARG001 - part of the key
    """See `of_run.followed_by`."""
    return of_run.followed_by(run, cause, subsets)


@cached(entries=8)
def sampled(run: Run, side: str, subsets: tuple[str, ...], n_marks: int) -> Sampled:  # noqa: ARG001 - part of the key
    """The judged samples of a side, with all that a score may follow on them."""
    rows, _ = of_run.judged_rows(run, side, subsets)
    return of_run.sampled(run, rows)


@cached(entries=64)
def strips(
    run: Run, score: str, side: str, subsets: tuple[str, ...], cause: str, n_marks: int
) -> tuple[list[Strip], int]:
    """See `shares.strips`: of the samples of `sampled`."""
    about = sampled(run, side, subsets, n_marks)
    return shares.strips(score_values(run, score)[about.rows], about.factor(cause), about.units)


@cached(entries=64)
def _nuisance(run: Run, score: str) -> Nuisance | None:
    return of_run.nuisance(run, score)


def warn(shown: Shown) -> None:
    """Says where the score mostly measures something other than attacks, and leads to the page that shows it."""
    if not is_measured(shown.run):
        return
    nuisance = _nuisance(shown.run, shown.score)
    if nuisance is None:
        return
    lead, _, rest = words.warning(nuisance, escaped).partition(": ")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="follows"):
        st.html("<style>.st-key-follows { margin-bottom: -0.5rem; }</style>")
        st.caption(f":material/warning: **{lead}**: {rest}", width="content", help=words.ON_WARNING)
        st.page_link("views/causes.py", label="Causes", query_params=link_params())


# ------------------------------------------------------------------------------------------------- samples behind a bar


def open_samples(shown: Shown, rows: NDArray[np.int64], name: str) -> None:
    """Leads to some samples: in the gallery, as a saved selection of this name, or in a list without images."""
    if shown.run.is_of_scores or not {Right.MARK, Right.PICTURES} <= identity.rights(shown.run):
        list_samples(shown, rows, name)
        return
    name = selection_name(name)
    ids = columns.ids_of(shown.run, rows)
    if name in selections.names(shown.run):
        if selections.sample_ids(shown.run, name).tolist() != ids:  # of other subsets, or of marks since then
            selections.delete(shown.run, name)
            selections.save(shown.run, name, ids)
    else:
        selections.save(shown.run, name, ids)
    follow("views/gallery.py", "Open these samples in the gallery", link_params() | {"selection": name})


def selection_name(text: str) -> str:
    """A text as `selections` takes it."""
    plain = re.sub(r"[^\w .+=-]+", " ", text).strip(" .")
    return re.sub(r" +", " ", plain)[:64].rstrip(" .") or "samples"


@st.dialog("The samples behind this bar", width="large")
def list_samples(shown: Shown, rows: NDArray[np.int64], name: str) -> None:
    values = score_values(shown.run, shown.score)[rows]
    order = np.argsort(-values, kind="stable")[:LISTED]
    table = pd.DataFrame({"sample id": columns.ids_of(shown.run, rows[order]), shown.score: values[order]})
    st.write(f"**{len(rows):,} samples**, {escaped(name)}, the highest score first.")
    show_rows(table, "chosen_by_cause")
    if len(rows) > LISTED:
        st.caption(f"The first {LISTED:,} are listed.")
