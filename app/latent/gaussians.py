"""Which Gaussian of a mixture holds which group, the images of one, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.charts import mixtures
from app.components.gallery import Card, gallery
from app.session import faces, readers
from app.words import escaped
from fas_core.data.names import GROUP_ORDER, TRAIN, in_group_order, readable
from fas_core.evaluation.likelihood import nats
from fas_core.latent import projection
from fas_core.latent.mixture import Likelihoods, Mixture
from fas_core.reports.palette import style_of
from fas_core.runs.store import Run

MOST_POINTS = 6_000  # behind the ellipses
MOST_IMAGES = 24
ALL_GROUPS = "all groups"
MAP = "component_map"  # key of the chart


def choose_clicked(shares: Mapping[str, NDArray[np.float64]]) -> None:
    """A new click on the map chooses its Gaussian and its group; an old one does not undo what was chosen since."""
    event = st.session_state.get(MAP) or {}
    clicked = mixtures.selected_cell(event.get("selection", {}).get("selected", []), shares)
    if clicked == st.session_state.get("_component_clicked"):
        return
    st.session_state["_component_clicked"] = clicked
    if clicked is not None:
        st.session_state["gaussian"] = clicked[0] + 1
        st.session_state["gaussian_group"] = clicked[1]


def show_components(
    run: Run, fit: Mixture, likelihoods: Likelihoods, rows: NDArray[np.int64], kinds: NDArray[np.str_]
) -> None:
    """Which Gaussian holds which group, the images of one, and where the Gaussians lie."""
    k = len(fit.weights)
    names = in_group_order(list(set(kinds)))
    counts = {name: int((kinds == name).sum()) for name in names}
    component = likelihoods.component[rows]
    shares = {name: np.bincount(component[kinds == name], minlength=k) / counts[name] for name in names}
    choose_clicked(shares)
    if st.session_state.get("gaussian", 1) > k:
        st.session_state["gaussian"] = 1
    if st.session_state.get("gaussian_group") not in (None, ALL_GROUPS, *names):
        st.session_state["gaussian_group"] = ALL_GROUPS
    st.markdown(f"**Which Gaussian holds which group?** {component_words(shares)}")
    grid = st.grid(2, min_column_width=470, gap="medium")
    left, right = grid.cell(), grid.cell()
    with right:
        chosen = show_images_of(run, fit, likelihoods, rows, kinds, names)
    with left:
        st.echarts_chart(
            mixtures.component_map(shares, counts, chosen),
            key=MAP,
            height=mixtures.map_height(len(names)),
            on_select="rerun",
            alt="Heat map: share of each group that each Gaussian is most responsible for",
        )
        st.caption(
            "Click a cell, or choose beside it, to see its images.",
            help="Each image counts for the Gaussian most responsible for it (the largest posterior). The frame and "
            "the heavy ellipse below are the chosen Gaussian.",
        )
    show_ellipses(run, fit, rows, kinds, chosen)


def component_words(shares: dict[str, NDArray[np.float64]]) -> str:
    """What the map says, in a sentence per kind of group."""
    if TRAIN not in shares:
        return "The training images are not among the chosen subsets."
    used = {name: int((share > 0).sum()) for name, share in shares.items()}
    top = {name: int(share.argmax()) for name, share in shares.items()}
    attacks = [name for name in shares if name not in GROUP_ORDER]
    each = ", ".join(
        f"**{100 * shares[name][top[name]]:.0f}\u00a0%** of {escaped(readable(name))} in Gaussian "
        f"{top[name] + 1} (which holds {100 * shares[TRAIN][top[name]]:.0f}\u00a0% of training)"
        for name in attacks
    )
    return f"Training is spread over {used[TRAIN]} Gaussian{'s' if used[TRAIN] > 1 else ''}" + (
        f"; the fullest for attacks: {each}." if each else "."
    )


def show_images_of(
    run: Run, fit: Mixture, likelihoods: Likelihoods, rows: NDArray[np.int64], kinds: NDArray[np.str_], names: list[str]
) -> int:
    """The most probable images of a Gaussian and a group, both chosen here; returns the index of the Gaussian."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(
            "Gaussian",
            list(range(1, len(fit.weights) + 1)),
            key="gaussian",
            bind="query-params",
            width=120,
        )
        group = st.selectbox(
            "Group",
            [ALL_GROUPS, *names],
            format_func=readable,
            key="gaussian_group",
            bind="query-params",
            width=220,
        )
    chosen = int(number) - 1
    is_inside = (likelihoods.component[rows] == chosen) & ((group == ALL_GROUPS) | (kinds == group))
    inside, of_kind = rows[is_inside], kinds[is_inside]
    if not len(inside):
        st.info("No image of this group lies in this Gaussian.", icon=":material/filter_alt_off:")
        return chosen
    order = np.argsort(-likelihoods.log_likelihood[inside], kind="stable")[:MOST_IMAGES]
    first = f"the {len(order)} most probable first" if len(order) < len(inside) else "the most probable first"
    weight = f"weight {100 * fit.weights[chosen]:.1f}\u00a0%"
    st.markdown(f"**{len(inside):,}** image{'s' if len(inside) > 1 else ''} in Gaussian {number} ({weight}), {first}:")
    shown, ids = inside[order], readers.samples(run, ("sample_id",))["sample_id"].to_numpy(str)
    cards = []
    for row, kind in zip(shown, of_kind[order], strict=True):
        style = style_of(kind)
        lines = [
            ids[row],
            f"{nats(likelihoods.log_likelihood[row])} nats · {100 * likelihoods.responsibility[row]:.0f} % responsible",
        ]
        cards.append(Card(ids[row], lines, readable(kind), style.colour, style.is_hollow))
    if faces.kinds(run):
        with st.container(height=420, border=False):
            gallery(cards, faces.pictures(run, shown), key="component_images", size=96)
    return chosen


def show_ellipses(run: Run, fit: Mixture, rows: NDArray[np.int64], kinds: NDArray[np.str_], chosen: int) -> None:
    pca = readers.principal_components(run)
    if len(pca.components) < 2:
        return
    st.markdown("**Where do the Gaussians lie?**")
    drawn = projection.sampled_rows(kinds, MOST_POINTS, 0)
    xy = np.concatenate([pca.applied(block)[:, :2] for block in run.latent_blocks(rows[drawn])])
    if fit.means.shape[1] == pca.components.shape[1]:
        means, covariances = fit.ellipses(pca.components[:2], pca.mean)
    else:  # in principal components already
        means, covariances = fit.ellipses(np.eye(2, fit.means.shape[1]), np.zeros(fit.means.shape[1]))
    points = {name: xy[kinds[drawn] == name] for name in set(kinds[drawn])}
    titles = [f"PC {i + 1} ({100 * pca.explained[i]:.0f} % of variance)" for i in (0, 1)]
    chart = mixtures.ellipses(points, means, covariances, chosen, titles=titles)
    st.plotly_chart(chart, key="ellipses", alt="Ellipses of the Gaussians over the first two principal components")
    thinned = f" {len(drawn):,} of {len(rows):,} images are drawn." if len(drawn) < len(rows) else ""
    st.caption(
        "They overlap here more than in all dimensions.",
        help=f"Each ellipse holds {100 * mixtures.INSIDE:.0f} % of what its Gaussian expects, seen in the first two "
        f"principal components of live training codes.{thinned}",
    )
