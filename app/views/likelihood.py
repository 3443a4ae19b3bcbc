"""Likelihood: do attacks look improbable under a mixture of Gaussians of live codes?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import charts, state
from fas_core.analysis import mixture, training_rows
from fas_core.manifest import ATTACK, BONA_FIDE
from fas_core.scores import gmm_nll
from fas_core.store import Run

COVARIANCE_WORDS = {"diagonal": "diag", "full": "full"}


class NotFittedError(Exception):
    """Raised so that the absence of a mixture is not cached."""


run = state.chosen_run()
st.title("Likelihood")
state.needs_images(run, "The likelihood of latent codes")
subsets = state.chosen_subsets(run)


@st.cache_resource(max_entries=32, show_spinner=False)
def _stored(digest: str, k: int, covariance: str, _run: Run) -> NDArray[np.float64]:
    found = mixture.known(_run, k, covariance)
    if found is None:
        raise NotFittedError
    values = found.log_likelihood(_run.latents())
    values.setflags(write=False)
    return values


def log_likelihood(k: int, covariance: str) -> NDArray[np.float64] | None:
    """(n,) log p of every code under the stored mixture; None while it is not fitted. Never fits."""
    try:
        return _stored(run.digest, k, covariance, run)
    except NotFittedError:
        return None


def controls(n_training: int) -> tuple[int, str]:
    """Number of components, as far as there are training images, and the covariances' form."""
    ks = [k for k in mixture.COMPONENTS if k <= n_training]
    with st.container(horizontal=True, vertical_alignment="bottom"):
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
            help="Diagonal: each Gaussian stretches along the code's own axes. Full: in any direction, with many more "
            "numbers to estimate.",
        )
    return int(k), COVARIANCE_WORDS[str(words)]


def warn_if_poor(n: int, d: int, k: int, covariance: str) -> None:
    """Says when there are too few training images for what is to be estimated."""
    if not mixture.is_estimable(n, k, d, covariance):
        st.warning(
            f"{n:,} training images are {n / k:.0f} per Gaussian, but a full covariance of {d} dimensions needs more "
            f"than {d}: such a covariance is not estimated but made up by a small constant, and likelihoods far from "
            "training mean little. Choose fewer Gaussians, or diagonal covariances.",
            icon=":material/warning:",
        )
    elif (p := mixture.n_parameters(k, d, covariance)) > n:
        st.caption(
            f":material/info: This mixture estimates {p:,} numbers from {n:,} training images, fewer images than "
            "numbers: it fits training closely and says less about new faces."
        )


def fitted_or_offered(n: int, d: int, k: int, covariance: str) -> NDArray[np.float64] | None:
    """Log-likelihoods; fits first where that takes seconds, and offers a worker process where it takes longer."""
    values = log_likelihood(k, covariance)
    if values is None and mixture.is_quick(n, k, d, covariance):
        with st.spinner(f"Fitting {k} Gaussians to {n:,} codes; this takes a few seconds …"):
            mixture.of_training(run, k, covariance)
        values = log_likelihood(k, covariance)
    if values is None:
        state.worker(
            run,
            f"mixture-{covariance}-{k}",
            missing=f"This mixture is not fitted yet: {k} Gaussians on {n:,} codes of {d} dimensions take a while.",
            button="Fit it",
            key="fit_mixture",
        )
    return values


def show_answer(outside: pd.DataFrame, auc: dict[str, float], k: int, n_training: int, words: str) -> None:
    """One sentence with numbers, and what they stand on."""
    n_live = int((outside["label"] == BONA_FIDE).sum())
    if not auc:
        missing = "attacks" if n_live else "live faces outside training"
        st.write(f"The chosen subsets hold no {missing}, so there is nothing to compare.")
        return
    attacks = outside[outside["label"] == ATTACK]
    each = ", ".join(
        f"**{charts.pairs(auc[name])}** of pairs for {state.escaped(charts.words(name))} "
        f"(n\u00a0=\u00a0{n_of(attacks, name):,})"
        for name in sorted(auc, key=lambda name: -auc[name])
    )
    st.write(
        f"Under {k} Gaussian{'s' if k > 1 else ''} of live training codes, an attack is less probable than a live face "
        f"in {each}; guessing gets 50\u00a0%."
    )
    st.caption(
        f"This share of pairs is the AUC, against {n_live:,} live faces outside training. The Gaussians are fitted on "
        f"the {n_training:,} live training images alone, with {words} covariances."
    )


def n_of(attacks: pd.DataFrame, species: str) -> int:
    return int((attacks["pai_species"].replace("", "unspecified") == species).sum())


def show_histograms(samples: pd.DataFrame, values: NDArray[np.float64], table: pd.DataFrame, limit: float) -> None:
    kinds = charts.groups(samples)
    is_live = (samples["label"] == BONA_FIDE) & (samples["subset"] != "train")
    notes = {
        row.subset: f"AUC {row.auc:.2f}"
        for row in table.itertuples()
        if row.label == ATTACK and pd.notna(row.auc) and row.subset in kinds
    }
    st.subheader("How probable is each group?")
    made = charts.ridges(
        {name: values[kinds == name] for name in set(kinds)},
        x_title="log-likelihood (nats)",
        behind=values[is_live.to_numpy()],
        behind_name="live faces outside training",
        notes=notes,
        limit=limit,
        limit_text="← 5 % of training ",
    )
    st.plotly_chart(made, key="likelihoods", alt="Histograms of log-likelihood, one row per group")
    st.caption(
        "Further left is less probable. Thin blue outline in the attacks' rows: live faces outside training, for "
        "comparison. AUC: against the live faces of the same subset. The bars at both ends also count what lies beyond."
    )


def show_table(table: pd.DataFrame) -> None:
    st.subheader("In numbers")
    shown = pd.DataFrame(
        {
            "Subset": table["subset"].map(charts.words),
            "What": np.where(table["label"] == BONA_FIDE, "bona fide", table["pai_species"].replace("", "attack")),
            "n": table["n"],
            "Mean": table["mean"],
            "Median": table["median"],
            "Below 5 %": 100 * table["below"],
            "AUC": table["auc"],
        }
    )
    number, rate = st.column_config.NumberColumn, "%.1f %%" if table["n"].max() >= 1000 else "%.0f %%"
    st.dataframe(
        shown,
        hide_index=True,
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


def show_numbers_of_components(outside: pd.DataFrame, chosen: int, covariance: str, words: str) -> None:
    """AUC over the mixtures that are stored; nothing is fitted for it."""
    st.subheader("Does the number of Gaussians matter?")
    auc = {}
    for k in mixture.COMPONENTS:
        values = log_likelihood(k, covariance)
        if values is not None and (found := mixture.auc_per_species(outside, values[outside.index])):
            auc[k] = found
    if len(auc) < 2:
        st.write(
            f"Fewer than two mixtures with {words} covariances are fitted. Choose another number above to fit it."
            if len(outside["label"].unique()) == 2
            else "The chosen subsets hold one class only outside training."
        )
        return
    attacks = outside[outside["label"] == ATTACK]
    names = sorted({name for per_species in auc.values() for name in per_species})
    ranges = []
    for name in names:
        of_name = [per_species[name] for per_species in auc.values()]
        ranges.append(f"**{min(of_name):.2f}** and **{max(of_name):.2f}** for {state.escaped(charts.words(name))}")
    st.write(f"From {min(auc)} to {max(auc)} Gaussians ({words}), the AUC is between {', between '.join(ranges)}.")
    made = charts.auc_over_components(auc, chosen, {name: n_of(attacks, name) for name in names})
    st.plotly_chart(made, key="auc_over_k", alt="AUC per attack species over the number of Gaussians")
    missing = [str(k) for k in mixture.COMPONENTS if k not in auc]
    gaps = f" Not fitted yet: {', '.join(missing)}; choose one above to fit it." if missing else ""
    st.caption(f"Large dots: the number chosen above.{gaps}")


n_training, n_dimensions = len(training_rows(run)), run.latents().shape[1]
place = st.container()
k, covariance = controls(n_training)
warn_if_poor(n_training, n_dimensions, k, covariance)
words = next(word for word, value in COVARIANCE_WORDS.items() if value == covariance)
values = fitted_or_offered(n_training, n_dimensions, k, covariance)
samples = state.samples(run, ("subset", "label", "pai_species"))
samples = samples[samples["subset"].isin(subsets)]
outside = samples[samples["subset"] != "train"]
if values is not None:
    training = values[training_rows(run)]
    with place:
        show_answer(outside, mixture.auc_per_species(outside, values[outside.index]), k, n_training, words)
    table = mixture.per_subset(samples, values[samples.index], training)
    show_histograms(samples, values[samples.index], table, float(np.quantile(training, mixture.LOW_SHARE)))
grid = st.grid(2, min_column_width=470, gap="medium")
if values is not None:
    with grid.cell():
        show_table(table)
with grid.cell():
    show_numbers_of_components(outside, k, covariance, words)
