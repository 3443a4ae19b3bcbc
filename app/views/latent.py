"""Latent space: does the code separate live from attacks? The codes in the plane, and the images behind the points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from app import charts, state
from app.components.gallery import Card, Panel, gallery
from fas_core import metrics, scores
from fas_core.analysis import mixture, projection, training_rows
from fas_core.manifest import ATTACK
from fas_core.scores import gmm_nll
from fas_core.store import Run

UNUSUAL = "gmm_nll"  # the score that asks how unlike the live training codes a code is
MOST_POINTS = 30_000  # drawn and selectable without delay in a browser; beyond it a stratified sample
MOST_IMAGES = 24
SEED = 0
PCA, UMAP = "PCA", "UMAP"
GROUP, SCORE = "group", "chosen score"
SELECTED, LIKE_LIVE, UNLIKE_LIVE = "selected points", "attacks most like live", "live faces least like training"
NOT_COLOURS = ("path", "sample_id", "video_id")

run = state.chosen_run()
st.title("Latent space")
state.needs_images(run, "The latent space")
subsets = state.chosen_subsets(run)
score = state.chosen_score(run)


@st.cache_resource(max_entries=8, show_spinner="Computing principal components …")
def principal_components(digest: str, _run: Run) -> tuple[projection.PrincipalComponents, NDArray[np.float32]]:
    """The components, and every code of the Run in them: (n, 10)."""
    pca = projection.pca_of(_run)
    return pca, projection.coordinates(_run, pca)


@st.cache_resource(max_entries=64, show_spinner=False)
def column(digest: str, name: str, _run: Run) -> NDArray[np.generic]:
    """One column of the samples: numbers as float64 with NaN, everything else as text with ""."""
    values = state.samples(_run, (name,))[name]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.to_numpy(np.float64)
    return values.astype("str").fillna("").to_numpy(str)


@st.cache_resource(max_entries=8, show_spinner=False)
def colour_columns(digest: str, _run: Run) -> list[str]:
    """Columns that tell samples apart without naming each one."""
    names = [name for name in _run.column_names() if name not in NOT_COLOURS]
    return [name for name in names if len(set(column(digest, name, _run))) > 1]


def unusual() -> NDArray[np.float64] | None:
    """(n,) how unlike live training codes each code is; None where that cannot be had without a long wait."""
    if UNUSUAL not in scores.offered(run):
        return None
    n, d = len(training_rows(run)), len(principal_components(run.digest, run)[0].mean)
    k = gmm_nll.COMPONENTS
    if n < k or (mixture.known(run, k) is None and not mixture.is_quick(n, k, d, "diag")):
        return None
    return state.score_values(run, UNUSUAL)


def show_answer(distance: NDArray[np.float64] | None) -> None:
    """One sentence with numbers, and what they stand on."""
    if distance is None:
        if "train" in run.subsets and len(training_rows(run)) >= gmm_nll.COMPONENTS:
            what = f"mixture-diag-{gmm_nll.COMPONENTS}"
            missing = "How unlike live codes the attacks' codes are is not computed yet."
            state.worker(run, what, missing=missing, button="Compute it", key="compute_mixture")
        else:
            st.write("There are too few live training images here to say in numbers how far attacks lie from them.")
        return
    pooled = state.pooled_score_set(run, UNUSUAL, [s for s in subsets if s != "train"])
    if not (pooled.n_bona_fide and pooled.n_attack):
        st.write("The chosen subsets hold no attacks, or no live faces outside training: nothing to separate.")
        return
    auc = {name: metrics.roc_auc(pooled, name) for name, one in pooled.attacks.items() if len(one)}
    ordered = sorted(auc, key=lambda name: -auc[name])
    each = ", ".join(
        f"**{charts.pairs(auc[name])}** of pairs for {state.escaped(charts.words(name))}" for name in ordered
    )
    counts = ", ".join(f"{len(pooled.attacks[name]):,} {state.escaped(charts.words(name))}" for name in ordered)
    st.write(
        f"Knowing only the codes of live training faces, one can tell an attack from a live face in {each}; "
        "guessing gets 50\u00a0%."
    )
    st.caption(
        f"This share of pairs is the AUC of the score {UNUSUAL} ({gmm_nll.COMPONENTS} Gaussians fitted on "
        f"{len(training_rows(run)):,} live training images, no attack seen), on attacks ({counts}) against "
        f"{pooled.n_bona_fide:,} live faces outside training. The plot shows two directions only: "
        "what overlaps in it may be apart in others."
    )


def controls(explained: NDArray[np.float64]) -> tuple[str, int, int, str, str]:
    """Projection, the two components, colour, and what stands beside the chart."""
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
        options = [f"PC {i + 1}" for i in range(len(explained))]
        is_umap = shown == UMAP
        x = st.selectbox("Across", options, key="pcx", bind="query-params", disabled=is_umap, width=100)
        y = st.selectbox(
            "Up", options, index=min(1, len(options) - 1), key="pcy", bind="query-params", disabled=is_umap, width=100
        )
        colour = st.selectbox(
            "Colour",
            [GROUP, SCORE, *colour_columns(run.digest, run)],
            format_func=charts.words,
            key="colour",
            bind="query-params",
            help="group: training, live, and attacks by species, seen or unseen. The rest are columns of the data.",
            width=190,
        )
        beside = st.selectbox(
            "Images beside the plot",
            [SELECTED, LIKE_LIVE, UNLIKE_LIVE],
            key="beside",
            bind="query-params",
            width=260,
        )
    return str(shown), options.index(x), options.index(y), str(colour), str(beside)


def rows_of_subsets() -> NDArray[np.int64]:
    return np.flatnonzero(state.samples(run, ("subset",))["subset"].isin(subsets))


def drawn_rows(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows thinned where a browser could not hold them; the page says so."""
    subset = state.samples(run, ("subset",))["subset"].to_numpy(str)
    return rows[projection.sampled_rows(subset[rows], MOST_POINTS, SEED)]


def coloured(points: charts.Points, colour: str, kinds: NDArray[np.str_]) -> go.Figure:
    """The scatter by group, category or number."""
    rows = points.rows
    if colour == GROUP:
        return charts.scatter_by_category(
            points, kinds, {k: charts.style_of(k) for k in charts.in_group_order(list(set(kinds)))}
        )
    values = state.score_values(run, score) if colour == SCORE else column(run.digest, colour, run)
    if np.issubdtype(values.dtype, np.floating):
        is_attack = state.samples(run, ("label",))["label"].to_numpy()[rows] == ATTACK
        title = charts.plot_words(score if colour == SCORE else colour)
        return charts.scatter_by_number(points, values[rows].astype(np.float64), is_attack, title=title)
    styles = charts.category_styles(values.astype(str))
    return charts.scatter_by_category(points, charts.as_categories(values[rows].astype(str), styles), styles)


def hover_texts(rows: NDArray[np.int64], kinds: NDArray[np.str_]) -> NDArray[np.str_]:
    ids = state.samples(run, ("sample_id",))["sample_id"].to_numpy(str)[rows]
    named = {kind: charts.plot_words(kind) for kind in set(kinds)}
    return np.array([f"{charts.plot_text(i)}<br>{named[k]}" for i, k in zip(ids, kinds, strict=True)])


def selected_rows(event: object, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row numbers that the chart handed back, by each point's own id: positions are counted per colour."""
    points = event.get("selection", {}).get("points", []) if isinstance(event, Mapping) else []
    found = [number for point in points if isinstance(number := point.get("customdata"), int)]
    return np.intersect1d(np.array(found, np.int64), drawn)


def extremes(beside: str, drawn: NDArray[np.int64], distance: NDArray[np.float64] | None) -> NDArray[np.int64]:
    """Rows among the drawn ones: the attacks closest to live training codes, or the live faces furthest from them."""
    if distance is None:
        return drawn[:0]
    samples = state.samples(run, ("label", "subset"))
    is_attack = samples["label"].to_numpy()[drawn] == ATTACK
    if beside == UNLIKE_LIVE:
        rows = drawn[~is_attack & (samples["subset"].to_numpy()[drawn] != "train")]
        return rows[np.argsort(-distance[rows], kind="stable")][:MOST_IMAGES]
    rows = drawn[is_attack]
    return rows[np.argsort(distance[rows], kind="stable")][:MOST_IMAGES]


def counted(kinds: NDArray[np.str_]) -> str:
    """ "30 seen paper, 12 live" """
    names, counts = np.unique(kinds, return_counts=True)
    count_of = dict(zip(map(str, names), counts, strict=True))
    return ", ".join(f"{count_of[name]:,} {charts.words(name)}" for name in charts.in_group_order(list(count_of)))


def ids_as_csv(rows: NDArray[np.int64], distance: NDArray[np.float64] | None) -> bytes:
    """Ids of a selection with what is known of each."""
    table = state.samples(run, ("sample_id", "subset", "label", "pai_species")).iloc[rows]
    table = table.assign(**{score: state.score_values(run, score)[rows]})
    if distance is not None:
        table = table.assign(**{UNUSUAL: distance[rows]})
    return table.to_csv(index=False, lineterminator="\n").encode()


def show_images(rows: NDArray[np.int64], kinds: NDArray[np.str_], distance: NDArray[np.float64] | None) -> None:
    """Original and reconstruction of the first rows."""
    shown, kinds = rows[:MOST_IMAGES], kinds[:MOST_IMAGES]
    ids = state.samples(run, ("sample_id",))["sample_id"].to_numpy(str)[shown]
    cards = []
    for i, (sample_id, kind) in enumerate(zip(ids, kinds, strict=True)):
        style = charts.style_of(kind)
        lines = (
            [sample_id] if distance is None else [sample_id, f"{UNUSUAL} {distance[shown[i]]:.1f}".replace("-", "−")]
        )
        cards.append(Card(sample_id, lines, charts.words(kind), style.colour, style.is_hollow))
    panels = [
        Panel("original", run.images("inputs", shown)),
        Panel("reconstruction", run.images("reconstructions", shown)),
    ]
    gallery(cards, panels, key="latent_images", size=96)


def show_beside(
    beside: str,
    event: object,
    drawn: NDArray[np.int64],
    all_kinds: NDArray[np.str_],
    distance: NDArray[np.float64] | None,
) -> None:
    """The images of the selection; until there is one, or on demand, the most telling ones."""
    selected = selected_rows(event, drawn)
    with st.container(height=84, border=False):
        if beside == SELECTED and len(selected):
            rows = selected
            more = f" The first {MOST_IMAGES} are shown." if len(selected) > MOST_IMAGES else ""
            st.markdown(f"**{len(selected):,} selected:** {state.escaped(counted(all_kinds[selected]))}.{more}")
        else:
            rows = extremes(beside, drawn, distance)
            what = UNLIKE_LIVE if beside == UNLIKE_LIVE else LIKE_LIVE
            hint = "Draw around points to see their images. Until then: " if beside == SELECTED else ""
            found = f"the **{len(rows)} {what}** by {UNUSUAL}." if len(rows) else "nothing to show."
            st.markdown(hint + (found if hint else found[0].upper() + found[1:]))
    with st.container(height=520, border=False):
        if len(rows):
            show_images(rows, all_kinds[rows], distance)
    st.download_button(
        f"Download the {len(rows):,} ids (CSV)",
        lambda: ids_as_csv(rows, distance),
        file_name=f"{run.info.name}-ids.csv",
        mime="text/csv",
        on_click="ignore",
        disabled=not len(rows),
        icon=":material/download:",
        key="latent_ids",
    )


def projected(shown: str, x: int, y: int) -> tuple[NDArray[np.float32], tuple[str, str], str]:
    """Coordinates (n, 2) of every row, axis titles, and what they were fitted on. PCA where UMAP is missing."""
    if shown == UMAP:
        if len(run) <= projection.NEIGHBOURS:
            st.info(
                f"UMAP needs more than {projection.NEIGHBOURS} images; here is the PCA instead.", icon=":material/info:"
            )
        elif (embedding := projection.known_umap(run, SEED)) is not None:
            n, what = len(embedding.fitted), f"no labels; seed {SEED}"
            note = f"UMAP fitted on all {n:,} images; {what}"
            if n < len(run):
                note = f"UMAP fitted on {n:,} of {len(run):,} images,\nthe others placed between their nearest; {what}"
            return embedding.points, ("UMAP 1 (no unit)", "UMAP 2 (no unit)"), note
        else:
            missing = "UMAP is not computed yet for this Run; it takes about a minute. Here is the PCA until then."
            state.worker(run, "umap", missing=missing, button="Compute UMAP", key="compute_umap")
    pca, coordinates = principal_components(run.digest, run)
    fitted_on, is_training = projection.pca_rows(run)
    titles = tuple(f"PC {i + 1} ({100 * pca.explained[i]:.0f} % of variance)" for i in (x, y))
    whom = "live training images" if is_training else "images (there are no training images)"
    note = f"PCA fitted on the {len(fitted_on):,} {whom}"
    return coordinates[:, [x, y]], (titles[0], titles[1]), note


distance = unusual()
show_answer(distance)
pca, _ = principal_components(run.digest, run)
shown, x, y, colour, beside = controls(pca.explained)
coordinates, titles, note = projected(shown, x, y)
chosen = rows_of_subsets()
drawn = drawn_rows(chosen)
kinds = charts.groups(state.samples(run, ("subset", "label", "pai_species")))
made = coloured(charts.Points(coordinates[drawn], drawn, hover_texts(drawn, kinds[drawn])), colour, kinds[drawn])
made.update_xaxes(title=titles[0]).update_yaxes(title=titles[1])
made.add_annotation(
    x=0,
    y=1,
    xref="paper",
    yref="paper",
    xanchor="left",
    yanchor="bottom",
    text=note.replace("\n", "<br>"),
    showarrow=False,
    align="left",
    font={"size": 12},  # two lines below the chart's toolbar
)
in_words = f"Scatter plot of {len(drawn):,} latent codes, coloured by {charts.words(colour)}. {' '.join(note.split())}."
grid = st.grid(2, min_column_width=470, gap="medium")
with grid.cell():
    event = st.plotly_chart(
        made,
        key="latent_scatter",
        on_select="rerun",
        selection_mode=("lasso", "box", "points"),
        config={"displayModeBar": True, "modeBarButtonsToRemove": ["autoScale2d", "toImage", "zoomIn2d", "zoomOut2d"]},
        alt=in_words,
    )
    thinned = f"{len(drawn):,} of {len(chosen):,} images are drawn, the same share of every subset. "
    st.caption(
        (thinned if len(drawn) < len(chosen) else "")
        + "Lasso and box are in the chart's toolbar; with its hand tool, a click chooses one point. A double click "
        "clears the selection."
    )
with grid.cell():
    show_beside(beside, event, drawn, kinds, distance)
