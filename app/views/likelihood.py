"""Likelihood: do attacks look improbable under a mixture of Gaussians of live codes?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.charts import ridges
from app.latent.gaussians import show_components
from app.latent.mixture_sizes import Asked, all_stored, n_of, offer, show_auc_by_number, show_criteria, split, stored
from app.parts.head import head
from app.session import sidebar
from app.session.address import keep_valid
from app.session.cache import cached
from app.session.tables import show_rows
from app.words import escaped
from fas_core.data.names import ATTACK, BONA_FIDE, group_codes, groups_of, is_training, readable
from fas_core.evaluation import likelihood
from fas_core.evaluation.ranking import share_of_pairs
from fas_core.latent import Sample, fitting_sample, mixture, training_rows
from fas_core.runs.store import Run
from fas_core.scores import gmm_nll

PROBABLE, NUMBER, HOLDS = "How probable", "How many Gaussians", "Which holds whom"  # one at a time is drawn
COVARIANCE_WORDS = {"diagonal": "diag", "full": "full"}


def dimension_words(dimensions: int) -> str:
    return "all" if dimensions == mixture.RAW else f"{dimensions} PC"


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
        default=gmm_nll.COMPONENTS if gmm_nll.COMPONENTS in ks else ks[-1],
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
    return str(
        st.segmented_control(
            "Show",
            parts,
            default=PROBABLE,
            required=True,
            key="gaussians",
            bind="query-params",
            label_visibility="collapsed",
        )
    )


@cached(entries=4)
def samples_of(run: Run, subsets: tuple[str, ...]) -> pd.DataFrame:
    """What the samples of some subsets are, as categories, with their rows as the index."""
    names = ["subset", "label", "pai_species"]
    samples = run.samples(names, repeated=names)
    return samples[samples["subset"].isin(subsets)]


@cached(entries=16)
def auc_of(run: Run, k: int, covariance: str, dimensions: int, subsets: tuple[str, ...]) -> dict[str, float]:
    """`mixture.auc_per_species` of some subsets, without training, by a mixture that is stored."""
    samples = samples_of(run, subsets)
    outside = samples[~is_training(samples)]
    return mixture.auc_per_species(outside, stored(run, k, covariance, dimensions)[1].log_likelihood[outside.index])


@cached(entries=16)
def table_of(run: Run, k: int, covariance: str, dimensions: int, subsets: tuple[str, ...]) -> pd.DataFrame:
    """`mixture.per_subset` of some subsets by a mixture that is stored."""
    samples, values = samples_of(run, subsets), stored(run, k, covariance, dimensions)[1].log_likelihood
    return mixture.per_subset(samples, values[samples.index], values[training_rows(run)])


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


def answer(outside: pd.DataFrame, auc: dict[str, float], k: int) -> str:
    """One sentence with numbers."""
    if not auc:
        missing = "attacks" if (outside["label"] == BONA_FIDE).any() else "live faces outside training"
        return f"The chosen subsets hold no {missing}, so there is nothing to compare."
    attacks = outside[outside["label"] == ATTACK]
    each = ", ".join(
        f"**{share_of_pairs(auc[name])}** of pairs for {escaped(readable(name))} "
        f"(n\u00a0=\u00a0{n_of(attacks, name):,})"
        for name in sorted(auc, key=lambda name: -auc[name])
    )
    return (
        f"Under {k} Gaussian{'s' if k > 1 else ''} of live training codes, an attack is less probable than a live face "
        f"in {each}; guessing gets 50\u00a0%."
    )


def stands_on(outside: pd.DataFrame, auc: dict[str, float], asked: Asked, sample: Sample) -> str:
    """What the answer's numbers stand on; "" where there are none."""
    if not auc:
        return ""
    return (
        f"AUC against {(outside['label'] == BONA_FIDE).sum():,} live faces outside training; fitted on "
        f"{sample.words}{',' if len(sample) < sample.n else ''} alone, with {asked.words}."
    )


def show_histograms(samples: pd.DataFrame, values: NDArray[np.float64], table: pd.DataFrame, limit: float) -> None:
    codes, names = group_codes(samples)
    kinds = {str(names[code]): codes == code for code in np.flatnonzero(np.bincount(codes, minlength=len(names)))}
    is_live = (samples["label"] == BONA_FIDE) & ~is_training(samples)
    notes = {
        row.subset: f"AUC {row.auc:.2f}"
        for row in table.itertuples()
        if row.label == ATTACK and pd.notna(row.auc) and row.subset in kinds
    }
    groups = {name: values[is_of] for name, is_of in kinds.items()}
    chart = ridges.distributions_of_score(
        groups,
        x_title="log-likelihood (nats)",
        behind=values[is_live.to_numpy()],
        behind_name="live faces outside training",
        bins=70,
        notes=notes,
        limit=(limit, "← 5 % of training "),
        in_view=0.75,  # the tails of likelihoods are long, also those of live faces
    )
    height = ridges.score_height(len(groups))
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
        placeholder="–",
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
    fits = all_stored(asked, n_training)
    if asked.k not in fits:
        offer(asked, n_training, n_dimensions)
        return
    samples = samples_of(run, shown.subsets)
    outside = samples[~is_training(samples)]
    criteria = likelihood.criteria(fits, sample.rows)
    fit, likelihoods = fits[asked.k]
    values = likelihoods.log_likelihood
    auc = auc_of(run, asked.k, asked.covariance, asked.dimensions, shown.subsets)
    top.answer.write(answer(outside, auc, asked.k))
    with shows:
        part = chosen_part()
    if part == NUMBER:
        show_auc_by_number(outside, asked, fits, n_training)
        show_criteria(criteria, asked)
    elif part == HOLDS:
        show_components(run, fit, likelihoods, samples.index.to_numpy(), groups_of(samples))
    else:
        table = table_of(run, asked.k, asked.covariance, asked.dimensions, shown.subsets)
        grid = st.grid(2, min_column_width=470, gap="medium")
        with grid.cell():
            limit = float(np.quantile(values[training], mixture.LOW_SHARE))
            show_histograms(samples, values[samples.index], table, limit)
        with grid.cell():
            show_table(table)
    best = likelihood.best_words(criteria["held_out"], asked.k, split(run))
    st.caption(f"{stands_on(outside, auc, asked, sample)} {best}".strip())
    if poor := caveat(asked, len(sample), asked.dimensions or n_dimensions):
        st.caption(f":material/warning: {poor}")


if __name__ == "__main__":
    page()
