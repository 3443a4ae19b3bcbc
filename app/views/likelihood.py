"""Likelihood: do attacks look improbable under a mixture of Gaussians of live codes?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import ridges
from app.latent.gaussians import show_components
from app.latent.improbable import Told, samples_of, told
from app.latent.mixture_sizes import (
    Asked,
    all_stored,
    criteria,
    offer,
    show_auc_by_number,
    show_criteria,
    split,
    stored,
)
from app.parts.head import head
from app.session import sidebar
from app.session.address import keep_valid, switch
from app.session.tables import show_rows
from app.words import escaped
from fas_core.data.names import ATTACK, BONA_FIDE, groups_of, is_training, readable
from fas_core.evaluation import likelihood
from fas_core.evaluation.likelihood import Improbability
from fas_core.evaluation.ranking import share_of_pairs
from fas_core.latent import Sample, fitting_sample, mixture, training_rows
from fas_core.runs.store import Run
from fas_core.scores import gmm_nll

PROBABLE, NUMBER, HOLDS = "How probable", "How many Gaussians", "Which holds whom"  # one at a time is drawn
COVARIANCE_WORDS = {"diagonal": "diag", "full": "full"}


def dimension_words(dimensions: int) -> str:
    return "all" if dimensions == mixture.RAW else f"{dimensions} PC"


def first_of(ks: list[int]) -> int:
    """The number that the page begins with, of those there can be."""
    return gmm_nll.COMPONENTS if gmm_nll.COMPONENTS in ks else ks[-1]


def controls(run: Run, n_training: int, n_dimensions: int) -> Asked:
    """Number of components, as far as there are training images, the covariances' form, and dimensions."""
    ks = mixture.components_of(n_training)
    if not ks:
        st.error(
            f"A mixture needs at least 2 training images; Run {escaped(run.info.name)} has {n_training}.",
            icon=":material/error:",
        )
        st.stop()
    k = st.segmented_control(
        "Number of Gaussians",
        ks,
        default=first_of(ks),
        required=True,
        key="k",
        bind="query-params",
        help="As many as the thesis tries; no more than there are live training images.",
    )
    words = st.segmented_control(
        "Covariances",
        list(COVARIANCE_WORDS),
        default="diagonal",
        required=True,
        key="covariance",
        bind="query-params",
        help="Diagonal: each Gaussian stretches along the axes of the code. Full: in any direction, with many more "
        "numbers to estimate.",
    )
    dimensions = st.segmented_control(
        "Dimensions",
        mixture.dimensions_of(n_dimensions, n_training),
        default=mixture.RAW,
        format_func=dimension_words,
        required=True,
        key="dimensions",
        bind="query-params",
        help="All dimensions of the code, or its first principal components among live training images.",
    )
    return Asked(run, int(k), COVARIANCE_WORDS[str(words)], int(dimensions))


def chosen_part() -> str:
    """Which part of the page is drawn."""
    parts = (PROBABLE, NUMBER, HOLDS)
    keep_valid("gaussians", parts, PROBABLE)
    return switch("Show", parts, "gaussians")


def caveat(asked: Asked, n: int, d: int) -> str:
    """Says when there are too few training images for what is to be estimated; "" where there are enough."""
    k, covariance = asked.k, asked.covariance
    p = mixture.n_parameters(k, d, covariance)
    if not mixture.is_estimable(n, k, d, covariance):
        return (
            f"{n:,} training images are {n / k:.0f} per Gaussian, but a full covariance of {d} dimensions needs more "
            f"than {d}: such a covariance is not estimated but made up by a small constant, and likelihoods far from "
            "training mean little. Choose fewer Gaussians, fewer dimensions, or diagonal covariances."
        )
    if p > n:
        return (
            f"This mixture estimates {p:,} numbers from {n:,} training images, fewer images than numbers: it fits "
            "training closely and says less about new faces."
        )
    return ""


def answer(of: Improbability, k: int) -> str:
    """One sentence with numbers."""
    if not of.auc:
        missing = "attacks" if of.n_live else "live faces outside training"
        return f"The chosen subsets hold no {missing}, so there is nothing to compare."
    each = ", ".join(
        f"**{share_of_pairs(of.auc[name])}** of pairs for {escaped(readable(name))} "
        f"(n\u00a0=\u00a0{of.n_attack[name]:,})"
        for name in sorted(of.auc, key=lambda name: -of.auc[name])
    )
    return (
        f"Under {k} Gaussian{'s' if k > 1 else ''} of live training codes, an attack is less probable than a live face "
        f"in {each}; guessing gets 50\u00a0%."
    )


def stands_on(of: Improbability, asked: Asked, sample: Sample) -> str:
    """What the answer's numbers stand on; "" where there are none."""
    if not of.auc:
        return ""
    return (
        f"AUC against {of.n_live:,} live faces outside training; fitted on "
        f"{sample.words}{',' if len(sample) < sample.n else ''} alone, with {asked.words}."
    )


def show_histograms(of: Told) -> None:
    notes = {
        row.subset: f"AUC {row.auc:.2f}"
        for row in of.numbers.table.itertuples()
        if row.label == ATTACK and pd.notna(row.auc) and row.subset in of.histograms.names
    }
    chart = ridges.distributions_drawn(
        of.histograms,
        x_title="log-likelihood (nats)",
        behind_name="live faces outside training",
        notes=notes,
        limit=(of.numbers.limit, "← 5 % of training "),
    )
    height = ridges.score_height(len(of.histograms.names))
    st.echarts_chart(chart, key="likelihoods", height=height, alt="Histograms of log-likelihood, one row per group")
    st.caption(
        "Further left is less probable.",
        help="Thin blue outline in the attacks' rows: live faces outside training, for comparison. AUC: against the "
        "live faces of the same subset. The bars at both ends also count what lies beyond.",
    )


def show_table(table: pd.DataFrame) -> None:
    st.markdown("**In numbers**")
    shown = pd.DataFrame(
        {
            "Subset": table["subset"].map(readable),
            "What": np.where(table["label"] == BONA_FIDE, "bona fide", table["pai_species"].replace("", "attack")),
            "n": table["n"],
            "Mean": table["mean"],
            "Median": table["median"],
            "Below 5 %": 100 * table["below"],
            "AUC": table["auc"],
        }
    )
    number, rate = st.column_config.NumberColumn, "%.1f %%" if table["n"].max() >= 1000 else "%.0f %%"
    show_rows(
        shown,
        "likelihoods",
        column_config={
            "Mean": number(format="%.1f", help="Mean log-likelihood, in nats."),
            "Median": number(format="%.1f", help="Median log-likelihood, in nats: a few outliers do not move it."),
            "Below 5 %": number(
                format=rate, help="Share left of the dotted line: less probable than 95 % of the live training images."
            ),
            "AUC": number(
                format="%.2f",
                help="Chance that a random attack is less probable than a random live face of the same subset.",
            ),
        },
    )


def page() -> None:
    shown = sidebar.shown()
    top = head("Likelihood")
    sidebar.needs(shown.run, "The likelihood of latent codes", "latents")
    run = shown.run
    training, sample = training_rows(run), fitting_sample(run)
    n_training, n_dimensions = len(training), run.latent_dim
    with top.controls:
        shows = st.container(width="content")
        with st.popover("Gaussians", help="How many, of which form, in which dimensions."):
            asked = controls(run, n_training, n_dimensions)
    ks = all_stored(asked, n_training)
    if asked.k not in ks:
        offer(asked, n_training, n_dimensions)
        return
    of = told(run, asked.k, asked.covariance, asked.dimensions, shown.subsets)
    by_number = criteria(run, tuple(ks), asked.covariance, asked.dimensions)
    top.answer.write(answer(of.numbers, asked.k))
    with shows:
        part = chosen_part()
    if part == NUMBER:
        samples = samples_of(run, shown.subsets)
        show_auc_by_number(samples[~is_training(samples)], asked, ks, n_training)
        show_criteria(by_number, asked)
    elif part == HOLDS:
        samples = samples_of(run, shown.subsets)
        fit, likelihoods = stored(run, asked.k, asked.covariance, asked.dimensions)
        show_components(run, fit, likelihoods, samples.index.to_numpy(), groups_of(samples))
    else:
        grid = st.grid(2, min_column_width=470, gap="medium")
        with grid.cell():
            show_histograms(of)
        with grid.cell():
            show_table(of.numbers.table)
    best = likelihood.best_words(by_number["held_out"], asked.k, split(run))
    st.caption(f"{stands_on(of.numbers, asked, sample)} {best}".strip())
    if poor := caveat(asked, len(sample), asked.dimensions or n_dimensions):
        st.caption(f":material/warning: {poor}")


if __name__ == "__main__":
    page()
