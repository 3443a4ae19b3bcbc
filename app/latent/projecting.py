"""How the codes of a Run are laid into the plane: what is asked for, what there is, and what the axes are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.components import scatter as plot
from app.components.scatter import Plane
from app.session.address import switch
from app.session.cache import NotComputedError, cached
from app.session.jobs import worker
from app.session.page import fragment
from app.session.tables import show_rows
from fas_core import derive
from fas_core.latent import projection
from fas_core.latent.projection import FittedOn, Umap
from fas_core.runs.store import Run

PCA, UMAP = "PCA", "UMAP"
TRAINING, ALL = "live training images", "all images"
MOST_LOADINGS = 10


@dataclass(frozen=True)
class Choice:
    """The projection that is asked for."""

    is_umap: bool
    pca_on: FittedOn
    umap: Umap
    x: int  # components
    y: int


@dataclass(frozen=True, eq=False)
class Projected:
    """Every row's place in the plane, and what that is."""

    where: Plane
    titles: tuple[str, str]  # of the axes
    note: str  # what was fitted on which codes
    pca_on: FittedOn | None  # on which codes the PCA; None: it is a UMAP, whose axes have no unit


@cached(entries=32)
def n_training(run: Run) -> int:
    """Live training images that projections are fitted on: 0 where there is only one."""
    rows, is_training = projection.pca_rows(run)
    return len(rows) if is_training else 0


# ---------------------------------------------------------------------------------------------------------- controls


def projection_controls(run: Run) -> Choice:
    """Projection; what it is fitted on and the two components, one click away."""
    is_umap = switch("Projection", [PCA, UMAP], "projection") == UMAP
    pca_on: FittedOn = "training"
    umap = projection.USUAL
    with st.popover(
        "Axes",
        icon=":material/tune:",
        help="PCA: straight directions of largest variance; distances mean something. UMAP: keeps neighbours "
        "together; distances between islands mean nothing.",
    ):
        if is_umap:
            umap = _umap_settings(_fitted_on(run, "umap_on", ALL))
        else:
            pca_on = _fitted_on(run, "pca_on", TRAINING)
        x, y = component_controls(min(projection.COMPONENTS, run.latent_dim), disabled=is_umap)
    return Choice(is_umap, pca_on, umap, x, y)


def component_controls(n: int, *, disabled: bool) -> tuple[int, int]:
    """Which of n principal components lie across and up."""
    options = [f"PC {i + 1}" for i in range(n)]
    for key in ("pcx", "pcy"):
        if st.session_state.get(key, options[0]) not in options:
            del st.session_state[key]
    x = st.selectbox("Across", options, key="pcx", bind="query-params", disabled=disabled, width=100)
    y = st.selectbox("Up", options, index=min(1, n - 1), key="pcy", bind="query-params", disabled=disabled, width=100)
    return options.index(x), options.index(y)


def _fitted_on(run: Run, key: str, usual: str) -> FittedOn:
    """Each projection has its own choice: PCA is usually fitted on live training images, UMAP on all."""
    if not n_training(run):
        return "all"
    options = [TRAINING, ALL]
    chosen = st.selectbox(
        "Fitted on",
        options,
        index=options.index(usual),
        key=key,
        bind="query-params",
        width=180,
        help="Live training images: attacks have no part in where the axes, or the islands, lie. All images: what "
        "differs most among all of them; labels are never used.",
    )
    return "all" if chosen == ALL else "training"


def _umap_settings(on: FittedOn) -> Umap:
    (few, many), (close, apart), (first, last) = (
        projection.NEIGHBOURS_BOUNDS,
        projection.MIN_DIST_BOUNDS,
        projection.SEED_BOUNDS,
    )
    neighbours = st.number_input(
        "Neighbours",
        few,
        many,
        projection.NEIGHBOURS,
        key="neighbours",
        bind="query-params",
        help="How many nearest codes each code is to lie among. Few show detail, many the whole.",
    )
    min_dist = st.number_input(
        "Least distance",
        close,
        apart,
        projection.MIN_DIST,
        0.05,
        "%.2f",
        key="min_dist",
        bind="query-params",
        help="How close points may lie to each other (min_dist). Small numbers make dense islands.",
    )
    seed = st.number_input(
        "Seed",
        first,
        last,
        0,
        key="seed",
        bind="query-params",
        help="Another seed is another layout of the same codes. What is in one of them only is chance.",
    )
    st.caption("Each combination is computed once, in the background, and kept.")
    return Umap(int(neighbours), round(float(min_dist), 2), int(seed), on)


# ------------------------------------------------------------------------------------------------------------ places


def projected(run: Run, asked: Choice) -> Projected:
    """What is asked for; where that is not there yet, said with the way to get it, PCA instead of UMAP, and the PCA of
    training images instead of that of all."""
    umap = _umap_projected(run, asked.umap) if asked.is_umap else None
    return umap or _pca_projected(run, asked)


def _pca_projected(run: Run, asked: Choice) -> Projected:
    on = asked.pca_on
    if not _is_quick(run, on):
        missing = "The principal components of all codes are not computed yet. Here are those of the training images."
        worker(run, "pca-all", missing=missing, button="Compute them", key="compute_pca")
        on = "training"
    explained = _principal_components(run, on).explained
    x, y = (f"PC {i + 1} ({100 * explained[i]:.0f} % of variance)" for i in (asked.x, asked.y))
    return Projected(_pca_plane(run, on, asked.x, asked.y), (x, y), projection.pca_words(run, on), on)


def _umap_projected(run: Run, how: Umap) -> Projected | None:
    n_fit = n_training(run) if how.on == "training" else len(run)
    if n_fit <= how.neighbours:
        whom = "live training images" if how.on == "training" else "images"
        st.info(
            f"UMAP needs more than {how.neighbours} {whom}, as many as it has neighbours; here is the PCA instead.",
            icon=":material/info:",
        )
        return None
    try:
        where, n = _umap_plane(run, how)
    except NotComputedError:
        which = "for this Run" if how == projection.USUAL else "with these settings"
        missing = f"UMAP is not computed yet {which}; it takes about a minute. Here is the PCA until then."
        worker(run, str(derive.UmapOf(how)), missing=missing, button="Compute UMAP", key="compute_umap")
        return None
    return Projected(
        where, ("UMAP 1 (no unit)", "UMAP 2 (no unit)"), umap_note(how, n, n_fit, len(run), run.latent_dim), None
    )


def umap_note(how: Umap, n: int, n_fit: int, n_all: int, d: int) -> str:
    """What a UMAP was fitted on, as `projection.umap_words`, and how."""
    note = projection.umap_words(how, n, n_fit, n_all, d)
    if (how.neighbours, how.min_dist) != (projection.NEIGHBOURS, projection.MIN_DIST):
        note += f"; {how.neighbours} neighbours, least distance {how.min_dist:g}"
    return f"{note}; no labels; seed {how.seed}"


@cached(entries=32)
def _is_quick(run: Run, on: FittedOn) -> bool:
    return projection.is_pca_at_hand(run, on)


@cached(entries=8, spinner="Computing principal components …")
def _principal_components(run: Run, on: FittedOn) -> projection.PrincipalComponents:
    return projection.pca_of(run, on=on)


@cached(entries=6, spinner="Placing the points …")
def _pca_plane(run: Run, on: FittedOn, x: int, y: int) -> Plane:
    pca = _principal_components(run, on)
    return plot.planes([projection.coordinates(run, replace(pca, components=pca.components[[x, y]]))])[0]


@cached(entries=4, spinner="Placing the points …")
def _umap_plane(run: Run, how: Umap) -> tuple[Plane, int]:
    """With the number of codes that the layout was fitted on. Raises NotComputedError while nobody has made it."""
    embedding = projection.known_umap(run, how)
    if embedding is None:
        raise NotComputedError
    return plot.planes([embedding.points])[0], len(embedding.fitted)


# ---------------------------------------------------------------------------------------------------------- loadings


@fragment
def show_loadings(run: Run, x: int, y: int, on: FittedOn) -> None:
    """The dimensions of the codes that the two shown components weigh most, once somebody asks."""
    label = "Loadings: what the two components are made of"
    box = st.expander(label, key="loadings", on_change="rerun", bind="query-params")
    if not box.open:
        return  # a table's code alone is a megabyte that the plot would wait for
    components = _principal_components(run, on).components
    table: dict[str, NDArray[Any]] = {}
    for i in dict.fromkeys((x, y)):
        top = np.argsort(-np.abs(components[i]), kind="stable")[:MOST_LOADINGS]
        table |= {f"PC {i + 1}: dimension": top + 1, f"PC {i + 1}: loading": components[i][top].round(3)}
    d = components.shape[1]
    with box:
        show_rows(pd.DataFrame(table), "components")
        st.caption(
            f"The largest entries of the components' unit vectors. Of {d:,} dimensions that weigh the same, each would "
            f"have ±{d**-0.5:.2f}."
        )
