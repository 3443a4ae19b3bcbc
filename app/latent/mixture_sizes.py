"""Mixtures of every number of Gaussians: those that are stored, and which number live faces need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.charts import categories
from app.session import readers
from app.session.cache import cached
from app.session.jobs import worker
from app.words import escaped
from fas_core import derive
from fas_core.data.names import ATTACK, readable
from fas_core.evaluation import likelihood
from fas_core.latent import fitting_sample, mixture
from fas_core.latent.mixture import Likelihoods, Mixture
from fas_core.runs.store import Run


@dataclass(frozen=True)
class Asked:
    """Which mixture is asked for."""

    run: Run
    k: int
    covariance: str
    dimensions: int  # of the code; or RAW, all of them

    @property
    def words(self) -> str:
        words = f"{'full' if self.covariance == 'full' else 'diagonal'} covariances"
        if not self.dimensions:
            return words
        held = 100 * readers.principal_components(self.run, self.dimensions).explained.sum()
        return (
            f"{words}, in {self.dimensions} principal components, which hold {held:.0f}\u00a0% of the codes' variance"
        )


@cached(entries=64)
def stored(run: Run, k: int, covariance: str, dimensions: int) -> tuple[Mixture, Likelihoods]:
    """Of those that are stored."""
    fit = mixture.of_training(run, k, covariance, dimensions)
    likelihoods = mixture.likelihoods(run, k, covariance, dimensions)
    likelihoods.log_likelihood.setflags(write=False)
    return fit, likelihoods


def all_stored(asked: Asked, n_training: int) -> list[int]:
    """The numbers of components of the mixtures like the one asked for that are stored, with what they say of every
    image, which is not read."""
    of = asked.covariance, asked.dimensions
    return [
        k
        for k in mixture.components_of(n_training)
        if mixture.is_known(asked.run, k, *of) and mixture.are_known(asked.run, k, *of)
    ]


@cached(entries=64)
def criteria(run: Run, ks: tuple[int, ...], covariance: str, dimensions: int) -> pd.DataFrame:
    return likelihood.stored_criteria(run, ks, covariance, dimensions)


@cached(entries=32)
def split(run: Run) -> mixture.Split:
    return mixture.split(run)


def offer(asked: Asked, n_training: int, n_dimensions: int) -> None:
    """In place of a mixture that is not stored: a worker process that fits all numbers of Gaussians."""
    whole = f"codes of {n_dimensions} dimensions"
    of = f"{asked.dimensions} principal components" if asked.dimensions else whole
    mixtures = derive.Mixtures(asked.covariance, asked.dimensions)
    takes = derive.wait_words(mixtures.seconds(asked.run))
    worker(
        asked.run,
        str(mixtures),
        missing=f"This mixture is not fitted yet: Gaussians on {of} of {n_training:,} images take {takes}.",
        button="Fit all numbers of Gaussians",
        key="fit_mixture",
    )


def show_criteria(criteria: pd.DataFrame, asked: Asked) -> None:
    """How many Gaussians the training images speak for, by three criteria."""
    st.markdown("**How many Gaussians do live faces need?**")
    if len(criteria) < 2:
        st.write("Fewer than two of these mixtures are fitted, or can be from so few training images.")
        return
    parts = split(asked.run)
    held_out = criteria["held_out"].dropna()
    bic, aic = int(criteria["bic"].idxmin()), int(criteria["aic"].idxmin())
    says = f"BIC is lowest at **{bic}**, AIC at **{aic}**"
    says += f"; held-out images are most probable under **{int(held_out.idxmax())}**." if len(held_out) else "."
    st.write(says)
    panels: list[tuple[str, str, int, float | None]] = [
        ("bic", "BIC (lower is better)", bic, None),
        ("aic", "AIC (lower is better)", aic, None),
    ]
    if len(held_out):
        lowest = likelihood.held_out_floor(held_out)
        panels.append(("held_out", "held-out log-lik. (nats)", int(held_out.idxmax()), lowest))
    grid = st.grid(3, min_column_width=280, gap="medium")
    for name, title, best, floor in panels:
        with grid.cell():
            values = criteria[name].dropna().to_dict()
            chart = categories.criterion(values, asked.k, best, y_title=title, floor=floor)
            alt = f"{title.split(' (')[0]} over the number of Gaussians"
            st.echarts_chart(chart, key=name, height=categories.CRITERION_HEIGHT, alt=alt)
    n_held = len(parts.held_out)
    unit = parts.unit if parts.n_held > 1 else parts.unit[:-1]
    whole = f" ({parts.n_held:,} whole {unit})" if parts.unit == "subjects" else ""
    more = (
        f"BIC and AIC are of the fit to {fitting_sample(asked.run).words}, and count images of one person as "
        f"independent. Held out: {n_held:,} of them{whole}, judged by a fit to the other {len(parts.fitted):,}, in "
        "nats per image, higher is better; a triangle lies below the axis."
    )
    if len(criteria) < len(mixture.COMPONENTS):
        more += " Not shown: numbers that are not fitted yet, or that need more training images."
    st.caption("Large dot: chosen above; ring: the best.", help=more)


def show_auc_by_number(outside: pd.DataFrame, asked: Asked, ks: Sequence[int], n_training: int) -> None:
    """AUC over the mixtures that are stored, of k Gaussians each."""
    st.markdown("**Does the number of Gaussians matter?**")
    auc = {}
    for k in ks:
        _, likelihoods = stored(asked.run, k, asked.covariance, asked.dimensions)
        if per_species := mixture.auc_per_species(outside, likelihoods.log_likelihood[outside.index]):
            auc[k] = per_species
    if len(auc) < 2:
        st.write(
            f"Fewer than two mixtures with {asked.words} are fitted."
            if len(outside["label"].unique()) == 2
            else "The chosen subsets hold one class only outside training."
        )
        return
    attacks = outside[outside["label"] == ATTACK]
    names = sorted({name for per_species in auc.values() for name in per_species})
    ranges = []
    for name in names:
        of_name = [per_species[name] for per_species in auc.values()]
        ranges.append(f"**{min(of_name):.2f}** and **{max(of_name):.2f}** for {escaped(readable(name))}")
    st.write(
        f"From {min(auc)} to {max(auc)} Gaussians ({asked.words}), the AUC is between {', between '.join(ranges)}."
    )
    chart = categories.auc_over_components(auc, asked.k, {name: likelihood.n_of(attacks, name) for name in names})
    alt = "AUC per attack species over the number of Gaussians"
    st.echarts_chart(chart, key="auc_over_k", height=categories.LINES_HEIGHT, alt=alt)
    missing = [str(k) for k in mixture.components_of(n_training) if k not in auc]
    gaps = f" Not fitted yet: {', '.join(missing)}." if missing else ""
    st.caption(f"Large dots: the number chosen above.{gaps}")
