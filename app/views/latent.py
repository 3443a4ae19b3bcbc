"""Latent space: does the code separate live from attacks? The codes in the plane, and the images behind the points."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.components import scatter as plot
from app.components.gallery import Card, Panel, gallery
from app.components.scatter import Answer, Colours, Plane, Selection
from app.parts import columns
from app.session import sidebar
from app.session.jobs import worker
from app.session.page import fragment
from app.session.readers import decided_values, pooled_score_set, score_values
from app.words import about, escaped, number
from fas_core import derive, files, metrics, scores
from fas_core.data.names import in_group_order, readable
from fas_core.errors import BadInputError
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.ranking import share_of_pairs
from fas_core.latent import mixture, projection
from fas_core.latent.projection import FittedOn, Umap
from fas_core.reports.palette import (
    BONA_FIDE_COLOUR,
    MISSED,
    NEUTRAL,
    NOT_GIVEN,
    REJECTED,
    Style,
    category_styles,
    style_of,
)
from fas_core.runs import selections
from fas_core.runs.store import Run
from fas_core.scores import gmm_nll

UNUSUAL = "gmm_nll"  # the score that asks how unlike the live training codes a code is
PER_PAGE = 24
PCA, UMAP = "PCA", "UMAP"
TRAINING, ALL = "live training images", "all images"
GROUP, SCORE, VERDICT = "group", "chosen score", "verdict"
SELECTED, LIKE_LIVE, UNLIKE_LIVE = "selected points", "attacks most like live", "live faces least like training"
TIP_COLUMNS = 4  # of the data, below a point's own numbers
CHOSEN, SHOWN = "_latent_selected", "_latent_shown"  # in the session: what is selected, and the view
VERDICTS = {
    "live accepted": Style(BONA_FIDE_COLOUR),
    "attack found": Style(NEUTRAL),
    "live rejected": Style(REJECTED),
    "attack missed": Style(MISSED),
    "no response": Style("#B4B4B4", is_hollow=True),
}

run = sidebar.chosen_run()
st.title("Latent space")
sidebar.needs_images(run, "The latent space")
subsets = sidebar.chosen_subsets(run)
score = sidebar.chosen_score(run)

# --------------------------------------------------------------------------------------------------------- the answer


@st.cache_resource(max_entries=32, show_spinner=False)
def n_training(digest: str, _run: Run) -> int:
    """Live training images."""
    rows, is_training = projection.pca_rows(_run)
    return len(rows) if is_training else 0


def unusual() -> NDArray[np.float64] | None:
    """(n,) how unlike live training codes each code is; None where that cannot be had without a long wait."""
    if UNUSUAL not in scores.offered(run):
        return None
    n, d = n_training(run.digest, run), code_size(run)
    k = gmm_nll.COMPONENTS
    if n < k or (mixture.known(run, k) is None and not mixture.is_quick(n, k, d, "diag")):
        return None
    return score_values(run, UNUSUAL)


@st.cache_resource(max_entries=8, show_spinner="Computing principal components …")
def principal_components(digest: str, on: FittedOn, _run: Run) -> projection.PrincipalComponents:
    return projection.pca_of(_run, on=on)


@st.cache_resource(max_entries=32, show_spinner=False)
def is_quick(digest: str, on: FittedOn, _run: Run) -> bool:
    return projection.is_pca_at_hand(_run, on)


@st.cache_resource(max_entries=32, show_spinner=False)
def told_apart(
    digest: str, level: str, chosen: tuple[str, ...], _run: Run
) -> tuple[dict[str, float], dict[str, int], int]:
    """AUC of `UNUSUAL` per species, attacks per species, and live samples, of some subsets at a decision level."""
    if level != FRAME:
        pooled = pooled_score_set(_run, UNUSUAL, sidebar.chosen_level(_run), chosen)
    else:
        is_here = columns.shown_rows(_run, chosen)
        named = columns.factor(_run, "pai_species")
        names = [name or "unspecified" for name in named.names]
        distinct = sorted(set(names))
        place = np.array([distinct.index(name) + 1 for name in names], np.int32)
        codes = np.where(columns.attacks(_run), place[named.codes], 0)
        values = score_values(_run, UNUSUAL)
        if is_here is not None:
            codes, values = codes[is_here], values[is_here]
        pooled = metrics.score_set_from_codes(values, codes, distinct)
    counts = {name: len(one) for name, one in pooled.attacks.items() if len(one)}
    auc = {name: metrics.roc_auc(pooled, name) for name in counts} if pooled.n_bona_fide else {}
    return auc, counts, pooled.n_bona_fide


def show_answer(distance: NDArray[np.float64] | None) -> None:
    """One sentence with numbers, and what they stand on."""
    n = n_training(run.digest, run)
    if distance is None:
        if n >= gmm_nll.COMPONENTS:
            what = f"mixture-diag-{gmm_nll.COMPONENTS}"
            missing = "How unlike live codes the attacks' codes are is not computed yet."
            worker(run, what, missing=missing, button="Compute it", key="compute_mixture")
        else:
            st.write("There are too few live training images here to say in numbers how far attacks lie from them.")
            st.caption("Which images are for training is said in the manifest: fas data subsets MANIFEST --out NEW")
        return
    auc, attacks_of, n_live = told_apart(
        run.digest, sidebar.chosen_level(run), tuple(s for s in subsets if s != "train"), run
    )
    if not auc:
        st.write("The chosen subsets hold no attacks, or no live faces outside training: nothing to separate.")
        return
    ordered = sorted(auc, key=lambda name: -auc[name])
    each = ", ".join(f"**{share_of_pairs(auc[name])}** of pairs for {escaped(readable(name))}" for name in ordered)
    counts = ", ".join(f"{attacks_of[name]:,} {escaped(readable(name))}" for name in ordered)
    st.write(
        f"Knowing only the codes of live training faces, one can tell an attack from a live face in {each}; "
        "guessing gets 50\u00a0%."
    )
    st.caption(
        f"This share of pairs is the AUC of the score {UNUSUAL} ({gmm_nll.COMPONENTS} Gaussians fitted on "
        f"{n:,} live training images, no attack seen), on attacks ({counts}) against "
        f"{n_live:,} live faces outside training. The plot shows two directions only: "
        "what overlaps in it may be apart in others."
    )


@dataclass(frozen=True)
class Choice:
    """What the controls above the plot say."""

    is_umap: bool
    pca_on: FittedOn
    umap: Umap
    x: int  # components
    y: int
    colour: str
    beside: str


def controls() -> Choice:
    """Projection and what it is fitted on, the two components, colour, and what stands beside the chart."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.segmented_control(
            "Projection",
            [PCA, UMAP],
            default=PCA,
            required=True,
            key="projection",
            bind="query-params",
            help="PCA: straight directions of largest variance; distances mean something. UMAP: keeps neighbours "
            "together; distances between islands mean nothing.",
        )
        is_umap = shown == UMAP
        pca_on, umap = fitted_on("pca_on", TRAINING) if not is_umap else "training", projection.USUAL
        if is_umap:
            umap = umap_settings(fitted_on("umap_on", ALL))
        options = [f"PC {i + 1}" for i in range(min(projection.COMPONENTS, code_size(run)))]
        x = st.selectbox("Across", options, key="pcx", bind="query-params", disabled=is_umap, width=100)
        y = st.selectbox(
            "Up", options, index=min(1, len(options) - 1), key="pcy", bind="query-params", disabled=is_umap, width=100
        )
        colour = st.selectbox(
            "Colour",
            [GROUP, VERDICT, SCORE, *columns.colour_columns(run)],
            format_func=readable,
            key="colour",
            bind="query-params",
            help="group: training, live, and attacks by species, seen or unseen. verdict: what the operating point "
            "in the sidebar makes of each image. The rest are columns of the data.",
            width=160,
        )
        beside = st.selectbox(
            "Images beside the plot",
            [SELECTED, LIKE_LIVE, UNLIKE_LIVE],
            key="beside",
            bind="query-params",
            width=230,
        )
    return Choice(is_umap, pca_on, umap, options.index(x), options.index(y), str(colour), str(beside))


def fitted_on(key: str, usual: str) -> FittedOn:
    """Each projection has its own choice: PCA is usually fitted on live training images, UMAP on all."""
    if not n_training(run.digest, run):
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


def umap_settings(on: FittedOn) -> Umap:
    (few, many), (close, apart), (first, last) = (
        projection.NEIGHBOURS_BOUNDS,
        projection.MIN_DIST_BOUNDS,
        projection.SEED_BOUNDS,
    )
    with st.popover("UMAP settings", icon=":material/tune:"):
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


def code_size(of: Run) -> int:
    return int(of.shards[0].meta["arrays"]["latents"]["shape"][1])


# ---------------------------------------------------------------------------------------------------- places, colours


@st.cache_resource(max_entries=6, show_spinner="Placing the points …")
def pca_plane(digest: str, on: FittedOn, x: int, y: int, _run: Run) -> Plane:
    pca = principal_components(digest, on, _run)
    return plot.planes([projection.coordinates(_run, replace(pca, components=pca.components[[x, y]]))])[0]


@st.cache_resource(max_entries=4, show_spinner="Placing the points …")
def umap_plane(digest: str, how: Umap, _run: Run, _embedding: projection.Embedding) -> Plane:
    return plot.planes([_embedding.points])[0]


def projected(chosen: Choice) -> tuple[Plane, tuple[str, str], str, FittedOn | None]:
    """Every row's place, axis titles, what they were fitted on, and on which codes the PCA, None for UMAP.

    Where the projection is not there yet: PCA without UMAP, of training images without that of all.
    """
    if chosen.is_umap and (found := umap_projected(chosen.umap)) is not None:
        return *found, None
    on = chosen.pca_on
    if not is_quick(run.digest, on, run):
        missing = "The principal components of all codes are not computed yet. Here are those of the training images."
        worker(run, "pca-all", missing=missing, button="Compute them", key="compute_pca")
        on = "training"
    pca = principal_components(run.digest, on, run)
    titles = tuple(f"PC {i + 1} ({100 * pca.explained[i]:.0f} % of variance)" for i in (chosen.x, chosen.y))
    note = f"PCA fitted on the {n_training(run.digest, run):,} live training images"
    if not n_training(run.digest, run):
        note = f"PCA fitted on the {len(run):,} images (there are no training images)"
    elif on == "all":
        note = f"PCA fitted on all {len(run):,} images, attacks among them; no labels"
    return pca_plane(run.digest, on, chosen.x, chosen.y, run), (titles[0], titles[1]), note, on


def umap_projected(how: Umap) -> tuple[Plane, tuple[str, str], str] | None:
    """As `projected`; None, said on the page with the way to get it, while there is no such UMAP."""
    n_fit = n_training(run.digest, run) if how.on == "training" else len(run)
    if n_fit <= how.neighbours:
        whom = "live training images" if how.on == "training" else "images"
        st.info(
            f"UMAP needs more than {how.neighbours} {whom}, as many as it has neighbours; here is the PCA instead.",
            icon=":material/info:",
        )
        return None
    embedding = projection.known_umap(run, how)
    if embedding is None:
        what = derive.umap_work(run, how).what
        which = "for this Run" if how == projection.USUAL else "with these settings"
        missing = f"UMAP is not computed yet {which}; it takes about a minute. Here is the PCA until then."
        worker(run, what, missing=missing, button="Compute UMAP", key="compute_umap")
        return None
    n = len(embedding.fitted)
    whom = "live training images" if how.on == "training" else "images"
    note = f"UMAP fitted on all {n:,} {whom}" if n == n_fit else f"UMAP fitted on {n:,} of {n_fit:,} {whom}"
    if n < len(run):
        note += ", the others placed between their nearest"
    if (how.neighbours, how.min_dist) != (projection.NEIGHBOURS, projection.MIN_DIST):
        note += f"; {how.neighbours} neighbours, least distance {how.min_dist:g}"
    note += f"; no labels; seed {how.seed}"
    return umap_plane(run.digest, how, run, embedding), ("UMAP 1 (no unit)", "UMAP 2 (no unit)"), note


@st.cache_resource(max_entries=12, show_spinner="Colouring the points …")
def colours_by(digest: str, colour: str, by: object, chosen: tuple[str, ...], _run: Run, _where: Plane) -> Colours:
    """`by`: what else the colours depend on: the score, the threshold and the level of decisions, the places."""
    is_shown = columns.shown_rows(_run, chosen)
    if _where.is_placed is not None:
        is_shown = _where.is_placed if is_shown is None else _where.is_placed & is_shown
    if colour == GROUP:
        codes, names = columns.kinds_of(_run)
        ordered = in_group_order(names)
        styles = {name: style_of(name) for name in ordered[: plot.MOST_CATEGORIES]}
        return plot.by_category(codes, names, styles, is_shown)
    if colour == VERDICT:
        return plot.by_category(verdict_codes(), list(VERDICTS), VERDICTS, is_shown)
    if colour == SCORE or columns.is_number(run, colour):
        numbers = score_values(_run, score) if colour == SCORE else columns.numbers_of(run, colour)
        title = readable(score if colour == SCORE else colour)
        return plot.by_number(numbers, title=title, words=number, is_shown=is_shown)
    one = columns.factor(_run, colour)
    counts = np.bincount(one.codes, minlength=len(one.names)).tolist()
    styles = category_styles(dict(zip(one.names, counts, strict=True)))
    return plot.by_category(one.codes, [name or NOT_GIVEN for name in one.names], styles, is_shown)


def verdict_codes() -> NDArray[np.uint8]:
    """(n,) positions in `VERDICTS`, at the operating point and the decision level of the sidebar."""
    assert point is not None
    is_attack, values = columns.attacks(run), decided_values(run, score, sidebar.chosen_level(run))
    answered = ~np.isnan(values)
    called = metrics.is_attack(np.where(answered, values, -np.inf), point.threshold)
    codes = np.where(is_attack, np.where(called, 1, 3), np.where(called, 2, 0))
    return np.where(answered, codes, 4).astype(np.uint8)


# ------------------------------------------------------------------------------------------------- what is selected


def selected() -> Selection | None:
    kept = st.session_state.get(CHOSEN)
    return kept if isinstance(kept, Selection) and kept.run == run.digest else None


def selected_rows() -> NDArray[np.int64]:
    """Of the chosen subsets, ascending."""
    return rows_of(selected(), columns.shown_rows(run, tuple(subsets)))


def rows_of(selection: Selection | None, is_shown: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    rows = selection.rows(len(run)) if selection else np.empty(0, np.int64)
    return rows if is_shown is None else rows[is_shown[rows]]


def keep(selection: Selection) -> None:
    """What the browser has just selected; it is no longer the saved selection that was open."""
    st.session_state[CHOSEN] = selection
    st.session_state["selection"] = None
    st.session_state["_latent_opened"] = None
    st.session_state["latent_page"] = 1


def open_saved(name: str | None) -> None:
    """Selects what was saved under a name, once: what is selected afterwards stays."""
    if name is None or st.session_state.get("_latent_opened") == (run.id, name):
        return
    wanted = set(selections.sample_ids(run, name))
    found = [
        shard.start + np.flatnonzero(shard.table("samples", ["sample_id"]).column(0).to_pandas().isin(wanted))
        for shard in run.shards
    ]
    st.session_state[CHOSEN] = plot.selection_of(np.concatenate(found), len(run), run.digest)
    st.session_state["_latent_opened"] = (run.id, name)
    st.session_state["latent_page"] = 1


def save_selection() -> None:
    name = str(st.session_state.get("latent_name", "")).strip()
    try:
        selections.saved(run, name, columns.ids_of(run, selected_rows()))
    except BadInputError as error:
        st.session_state["_latent_problem"] = str(error)
        return
    st.session_state["selection"] = name
    st.session_state["_latent_opened"] = (run.id, name)
    st.session_state["latent_name"] = ""


def delete_selection(name: str) -> None:
    """What is selected stays selected."""
    selections.delete(run, name)
    st.session_state["selection"] = None
    st.session_state["_latent_opened"] = None


def extremes(beside: str, distance: NDArray[np.float64] | None) -> NDArray[np.int64]:
    """Rows of the chosen subsets: the attacks closest to live training codes, or the live faces furthest from them."""
    if distance is None:
        return np.empty(0, np.int64)
    is_shown, is_attack = columns.shown_rows(run, tuple(subsets)), columns.attacks(run)
    fits = is_attack if is_shown is None else is_attack & is_shown
    if beside == UNLIKE_LIVE:
        subset = columns.factor(run, "subset")
        fits = ~is_attack & np.array([name != "train" for name in subset.names])[subset.codes]
        fits = fits if is_shown is None else fits & is_shown
    rows = np.flatnonzero(fits)
    far = distance[rows] if beside != UNLIKE_LIVE else -distance[rows]
    if len(rows) > PER_PAGE:  # of millions, only the first ones are put in order
        near = np.sort(np.argpartition(far, PER_PAGE)[:PER_PAGE])
        rows, far = rows[near], far[near]
    return rows[np.argsort(far, kind="stable")]


def counted(rows: NDArray[np.int64]) -> str:
    """ "30 seen paper, 12 live" """
    codes, names = columns.kinds_of(run)
    count_of = {
        name: n for name, n in zip(names, np.bincount(codes[rows], minlength=len(names)).tolist(), strict=True) if n
    }
    return ", ".join(f"{count_of[name]:,} {readable(name)}" for name in in_group_order(list(count_of)))


def exported(rows: NDArray[np.int64], distance: NDArray[np.float64] | None) -> pd.DataFrame:
    """Ids of a selection with what is known of each."""
    names = [name for name in ("sample_id", "subset", "label", "pai_species") if name in run.column_names()]
    ascending, back = np.unique(rows, return_inverse=True)
    table = columns.table_of(run, ascending, names)
    table[score] = columns.scores_of(run, score, ascending)
    table = table.iloc[back].reset_index(drop=True)
    if distance is not None:
        table[UNUSUAL] = distance[rows]
    return table


def as_parquet(table: pd.DataFrame) -> bytes:
    made = io.BytesIO()
    table.to_parquet(made, index=False)
    return made.getvalue()


def show_images(rows: NDArray[np.int64], distance: NDArray[np.float64] | None) -> int | None:
    """Original and reconstruction of some rows; the row of a card at the moment it is chosen."""
    ids = columns.ids_of(run, rows)
    codes, names = columns.kinds_of(run)
    cards = []
    for row, sample_id in zip(rows, ids, strict=True):
        kind = names[codes[row]]
        style = style_of(kind)
        far = [] if distance is None else [f"{UNUSUAL} {distance[row]:.1f}".replace("-", "−")]
        cards.append(Card(sample_id, [sample_id, *far], readable(kind), style.colour, style.is_hollow))
    panels = [
        Panel("original", run.images("inputs", rows)),
        Panel("reconstruction", run.images("reconstructions", rows)),
    ]
    chosen = gallery(cards, panels, key="latent_images", size=96)
    return int(rows[ids.index(chosen)]) if chosen is not None else None


def show_beside(beside: str, distance: NDArray[np.float64] | None) -> int | None:
    """The images of the selection; until there is one, or on demand, the most telling ones. Row of a chosen card."""
    saved_selections(len(selected_rows()) > 0)
    rows = selected_rows()
    is_selection = beside == SELECTED and len(rows) > 0
    with st.container(height=84, border=False):
        if is_selection:
            st.markdown(f"**{len(rows):,} selected:** {escaped(counted(rows))}.")
        else:
            n_selected, rows = len(rows), extremes(beside, distance)
            what = UNLIKE_LIVE if beside == UNLIKE_LIVE else LIKE_LIVE
            hint = "Draw around points to see their images. Until then: " if beside == SELECTED else ""
            found = f"the **{len(rows)} {what}** by {UNUSUAL}." if len(rows) else "nothing to show."
            kept = f" {n_selected:,} points stay selected." if n_selected else ""
            st.markdown((hint + found if hint else found[0].upper() + found[1:]) + kept)
    with st.container(height=520, border=False):
        page = 1
        n_pages = -(-len(rows) // PER_PAGE)
        place = st.container()
        if n_pages > 1:
            page = st.pagination(n_pages, key="latent_page")
        with place:
            marked = show_images(rows[(page - 1) * PER_PAGE : page * PER_PAGE], distance) if len(rows) else None
    if is_selection:  # of millions the session keeps the bits that it has anyway
        again = partial(rows_of, selected(), columns.shown_rows(run, tuple(subsets)))
    else:
        again = partial(np.copy, rows)
    downloads(len(rows), again, distance)
    return marked


def saved_selections(is_selected: bool) -> None:
    """Opening, naming and deleting; before anything that shows what is selected."""
    names = selections.names(run)
    if st.session_state.get("selection") not in names:
        st.session_state["selection"] = None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        opened = st.selectbox(
            "Saved selections",
            names,
            index=None,
            key="selection",
            bind="query-params",
            placeholder="Open one" if names else "None yet",
            disabled=not names,
            width=220,
        )
        with st.popover(
            "Save", icon=":material/bookmark_add:", disabled=not is_selected, help="Keep what is selected."
        ):
            st.text_input("Name", key="latent_name", placeholder="odd masks", max_chars=64)
            st.button("Save the selection", on_click=save_selection, type="primary", key="latent_save")
        st.button(
            "Delete",
            on_click=delete_selection,
            args=(opened,),
            icon=":material/delete:",
            disabled=opened is None,
            key="latent_delete",
            help="Forgets the saved selection that is open; its points stay selected.",
        )
    problem = st.session_state.pop("_latent_problem", None)
    if problem is not None:
        st.error(escaped(problem), icon=":material/error:")
    open_saved(opened)


def downloads(n: int, rows: Callable[[], NDArray[np.int64]], distance: NDArray[np.float64] | None) -> None:
    with st.container(horizontal=True):
        for kind, made, mime in (
            ("CSV", files.csv, "text/csv"),
            ("Parquet", as_parquet, "application/vnd.apache.parquet"),
        ):
            st.download_button(
                f"Download the {n:,} ids ({kind})",
                _download(made, rows, distance),
                file_name=f"{run.info.name}-ids.{kind.lower()}",
                mime=mime,
                on_click="ignore",
                disabled=not n,
                icon=":material/download:",
                key=f"latent_ids_{kind.lower()}",
            )


def _download(
    made: Callable[[pd.DataFrame], bytes],
    rows: Callable[[], NDArray[np.int64]],
    distance: NDArray[np.float64] | None,
) -> Callable[[], bytes]:
    return lambda: made(exported(rows(), distance))


# --------------------------------------------------------------------------------------------------------- the page


@st.cache_resource(max_entries=8, show_spinner=False)
def tip_columns(digest: str, _run: Run) -> list[str]:
    """What the data say of a sample beside its group and scores."""
    left_out = {"path", "is_constant", "subset", "label", "pai_species", *_run.info.scores, *scores.names()}
    return [name for name in _run.column_names() if name not in left_out]


def told_of(rows: NDArray[np.int64]) -> list[Answer]:
    """Images of some rows and what is known of them."""
    codes, names = columns.kinds_of(run)
    shown = tip_columns(run.digest, run)
    is_own = colour in (GROUP, VERDICT, SCORE)
    table = columns.table_of(run, rows, shown if is_own or colour in shown else [*shown, colour])
    values = columns.scores_of(run, score, rows)
    made = []
    for row, value, record, image in zip(
        rows, values, table.to_dict("records"), run.images("inputs", rows), strict=True
    ):
        lines = [str(record.pop("sample_id")), readable(names[codes[row]]), f"{score} {number(value)}"]
        known = {name: value for name, value in record.items() if not (pd.isna(value) or value == "")}
        told = {name: f"{v:.6g}" if isinstance(v, float) else str(v) for name, v in known.items()}
        first = sorted(told, key=lambda name: name != colour)[:TIP_COLUMNS]  # the column that colours before others
        made.append(Answer([*lines, *(f"{readable(name)}: {told[name]}" for name in first)], image))
    return made


@fragment
def explorer() -> None:
    """The plot and what is selected in it: a selection runs nothing but this again."""
    grid = st.grid(2, min_column_width=470, gap="medium")
    left, right = grid.cell(), grid.cell()
    with right:
        marked = show_beside(beside, distance)
    with left:
        view, off = plot.shown_before(SHOWN)
        plot.scatter(
            where,
            colours,
            selected(),
            run=run.digest,
            colour=colour,
            titles=titles,
            note=note,
            words=f"{n_drawn:,} latent codes, coloured by {readable(colour)}. {note}.",
            has_units=pca_on is not None,
            view=view,
            off=off,
            marked=marked,
            on_selected=keep,
            key="latent_scatter",
        )
        plot.carried_selection(selected())
        st.caption(
            "Drag draws a lasso, a click selects one point, Shift adds, Escape clears; the wheel zooms. Where points "
            "overlap, the colour is their mean, and fuller the more there are."
        )


MOST_LOADINGS = 10


@fragment
def show_loadings(x: int, y: int, on: FittedOn) -> None:
    """The dimensions of the codes that the two shown components weigh most, once somebody asks."""
    label = "Loadings: what the two components are made of"
    box = st.expander(label, key="loadings", on_change="rerun", bind="query-params")
    if not box.open:
        return  # a table's code alone is a megabyte that the plot would wait for
    components = principal_components(run.digest, on, run).components
    table: dict[str, NDArray[Any]] = {}
    for i in dict.fromkeys((x, y)):
        top = np.argsort(-np.abs(components[i]), kind="stable")[:MOST_LOADINGS]
        table |= {f"PC {i + 1}: dimension": top + 1, f"PC {i + 1}: loading": components[i][top].round(3)}
    d = components.shape[1]
    with box:
        st.dataframe(pd.DataFrame(table), hide_index=True)
        st.caption(
            f"The largest entries of the components' unit vectors. Of {d:,} dimensions that weigh the same, each would "
            f"have ±{d**-0.5:.2f}."
        )


@fragment
def hovering() -> None:
    plot.hover(told_of, run=run.digest, n=len(run), on_shown=partial(plot.keep_shown, SHOWN), key="latent_hover")


distance = unusual()
show_answer(distance)
chosen = controls()
colour, beside = chosen.colour, chosen.beside
where, titles, note, pca_on = projected(chosen)
point = None
if colour == VERDICT:
    point, problem = sidebar.operating_point(run, score, sidebar.chosen_level(run), subsets)
    st.caption(problem if point is None else about(point))
    colour = colour if point is not None else GROUP
depends_on = {SCORE: score, VERDICT: (score, sidebar.chosen_level(run), point)}.get(colour)
colours = colours_by(
    run.digest, colour, (depends_on, where.is_placed is None or where.name), tuple(subsets), run, where
)
n_drawn = int((colours.codes != plot.HIDDEN).sum())
plot.carried(where, colours)
explorer()
if pca_on is not None:
    show_loadings(chosen.x, chosen.y, pca_on)
hovering()
