"""What a mixture of Gaussians says of samples, and how many Gaussians live faces need: criteria over their number, and
what they say in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo, metrics
from fas_core.data.names import ATTACK, is_training
from fas_core.evaluation import kept
from fas_core.latent import fitting_sample, mixture
from fas_core.latent.mixture import Likelihoods, Mixture, Split
from fas_core.runs.store import Run
from fas_core.scores import gmm_nll

CRITERIA = ["bic", "aic", "held_out"]
_FORMAT = 1
HELD_OUT_STEPS = 10  # how much worse than the best a mixture may be and still be drawn in scale, see `held_out_floor`


@dataclass(frozen=True, eq=False)
class Improbability:
    """How improbable the codes of some samples are."""

    table: pd.DataFrame  # `mixture.per_subset`
    auc: Mapping[str, float]  # `mixture.auc_per_species`, without training
    n_attack: Mapping[str, int]  # of each of these species
    n_live: int  # outside training
    limit: float  # left of which is `mixture.LOW_SHARE` of the training images


def improbability(
    samples: pd.DataFrame, log_likelihood: NDArray[np.float64], training: NDArray[np.float64]
) -> Improbability:
    """Of samples (n) with the columns subset, label and pai_species, by the log-likelihood (n,) of each in nats.

    `training`: those of the live training codes.
    """
    is_outside = ~is_training(samples)
    outside = samples[is_outside]
    auc = mixture.auc_per_species(outside, log_likelihood[is_outside])
    attacks = outside[outside["label"] == ATTACK]
    return Improbability(
        mixture.per_subset(samples, log_likelihood, training),
        auc,
        {name: n_of(attacks, name) for name in auc},
        len(outside) - len(attacks),
        float(np.quantile(training, mixture.LOW_SHARE)),
    )


def n_of(attacks: pd.DataFrame, species: str) -> int:
    """How many attacks are of a species; those without a name are unspecified."""
    is_named = attacks["pai_species"] == species
    is_of_it = is_named | (attacks["pai_species"] == "") if species == metrics.UNSPECIFIED else is_named
    return int(is_of_it.sum())


def criteria(fits: Mapping[int, tuple[Mixture, Likelihoods]], training: NDArray[np.int64]) -> pd.DataFrame:
    """BIC, AIC and held-out log-likelihood (nats per image, NaN where undefined) by number of components.

    Of those that the training rows (n,) suffice for.
    """
    rows = {}
    for k, (fit, likelihoods) in fits.items():
        d = fit.means.shape[1]
        if mixture.is_estimable(len(training), k, d, "diag" if fit.covariances.ndim == 2 else "full"):
            values = likelihoods.log_likelihood[training]
            rows[k] = {"bic": fit.bic(values), "aic": fit.aic(values), "held_out": float(likelihoods.held_out)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=CRITERIA).astype(float)


def stored_criteria(run: Run, ks: Sequence[int], covariance: str, dimensions: int) -> pd.DataFrame:
    """`criteria` of a Run's mixtures that are stored, of k Gaussians each; of a large Run kept beside it."""

    def computed(k: int) -> pd.DataFrame:
        fit = mixture.known(run, k, covariance, dimensions)
        likelihoods = mixture.known_likelihoods(run, k, covariance, dimensions)
        known = {} if fit is None or likelihoods is None else {k: (fit, likelihoods)}
        return criteria(known, fitting_sample(run).rows)

    def of(k: int) -> pd.DataFrame:
        if len(run) < kept.LARGE:
            return computed(k)
        asked = mixture.about(run, k, covariance, dimensions) | {"format": _FORMAT}
        numbers = memo.arrays(run.cache, "criteria", asked, lambda: {"criteria": computed(k).to_numpy()})["criteria"]
        return pd.DataFrame(numbers, index=[k] * len(numbers), columns=CRITERIA)

    return pd.concat(map(of, ks))


def held_out_floor(held_out: pd.Series) -> float:
    """Where the axis of held-out likelihoods ends: far below lies what says no more than that it is far below."""
    gained = float(held_out.max() - held_out.iloc[0])  # over a single Gaussian
    return float(held_out.max()) - HELD_OUT_STEPS * max(gained, 1.0)


def nats(value: float) -> str:
    """A log-likelihood with one decimal and a true minus sign."""
    return f"{value:,.1f}".replace("-", "−")


def best_words(held_out: pd.Series, k: int, split: Split) -> str:
    """Which number of Gaussians the held-out images speak for, beside the k chosen, and why that is the number where
    it is the usual one; "" where it cannot be said.

    `held_out`: the column of `criteria`.
    """
    known = held_out.dropna()
    if len(known) < 2:
        return ""
    best = int(known.idxmax())
    whom = f"{split.n_held:,} training {split.unit if split.n_held > 1 else split.unit[:-1]} left out of the fit"
    value = f"{nats(known[best])}\u00a0nats per image of {whom}"
    if best == k:
        return f"This number is the best by held-out likelihood: {value}."
    why = f"{k} Gaussians are the thesis' number (figure 4.4), chosen before any result, and the score gmm_nll's. "
    than = f", {nats(known[k])} with {k}" if k in known else ""
    if k != gmm_nll.COMPONENTS:
        why = ""
    return f"{why}Best by held-out likelihood: **{best} Gaussian{'s' if best > 1 else ''}** ({value}{than})."
