"""What a mixture says of some subsets: how improbable their codes are, in numbers and histograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.charts import ridges
from app.latent.mixture_sizes import stored
from app.session.cache import cached
from fas_core import memo
from fas_core.data.names import BONA_FIDE, group_codes, is_training
from fas_core.evaluation import kept, likelihood
from fas_core.evaluation.likelihood import Improbability
from fas_core.latent import mixture, training_rows
from fas_core.runs.store import Run

_TEXTS = ["subset", "label", "pai_species"]  # columns of the table
_NUMBERS = ["n", "mean", "median", "below", "auc"]
_FORMAT = 1


@cached(entries=4)
def samples_of(run: Run, subsets: tuple[str, ...]) -> pd.DataFrame:
    """What the samples of some subsets are, as categories, with their rows as the index."""
    names = ["subset", "label", "pai_species"]
    samples = run.samples(names, repeated=names)
    return samples[samples["subset"].isin(subsets)]


@dataclass(frozen=True, eq=False)
class Told:
    """What a mixture says of some subsets: all that the page opens with."""

    numbers: Improbability
    histograms: ridges.Binned


@cached(entries=16)
def told(run: Run, k: int, covariance: str, dimensions: int, subsets: tuple[str, ...]) -> Told:
    """By a mixture that is stored; of a large Run kept beside it."""

    def computed() -> dict[str, object]:
        samples, values = samples_of(run, subsets), stored(run, k, covariance, dimensions)[1].log_likelihood
        says = likelihood.improbability(samples, values[samples.index], values[training_rows(run)])
        texts = says.table[_TEXTS].astype(str)
        of_groups = vars(_histograms(samples, values[samples.index]))
        return {
            **{name: texts[name].to_numpy(str) for name in _TEXTS},
            "numbers": says.table.drop(columns=_TEXTS).to_numpy(np.float64),
            "species": np.array(list(says.auc), str),
            "auc": np.array(list(says.auc.values()), np.float64),
            "counts": np.array([says.n_live, *says.n_attack.values()], np.int64),
            "limit": np.float64(says.limit),
            **{f"binned_{name}": np.array(part, str) if name == "names" else part for name, part in of_groups.items()},
        }

    asked = {"mixture": mixture.about(run, k, covariance, dimensions), "subsets": list(subsets), "format": _FORMAT}
    is_large = len(run) >= kept.LARGE
    known = memo.arrays(run.cache, "likelihood page", asked, computed) if is_large else computed()
    arrays = {name: np.asarray(array) for name, array in known.items()}
    species, numbers = arrays["species"].tolist(), arrays["numbers"]
    parts = {name.removeprefix("binned_"): arrays[name] for name in arrays if name.startswith("binned_")}
    table = pd.DataFrame({name: arrays[name] for name in _TEXTS} | dict(zip(_NUMBERS, numbers.T, strict=True)))
    says = Improbability(
        table.astype({"n": np.int64}),
        dict(zip(species, arrays["auc"].tolist(), strict=True)),
        dict(zip(species, arrays["counts"][1:].tolist(), strict=True)),
        int(arrays["counts"][0]),
        float(arrays["limit"]),
    )
    return Told(says, ridges.Binned(**parts | {"names": parts["names"].tolist()}))


def _histograms(samples: pd.DataFrame, values: NDArray[np.float64]) -> ridges.Binned:
    """Of the groups of some samples, by the log-likelihood of each."""
    codes, names = group_codes(samples)
    kinds = {str(names[code]): codes == code for code in np.flatnonzero(np.bincount(codes, minlength=len(names)))}
    is_live = (samples["label"] == BONA_FIDE) & ~is_training(samples)
    groups = {name: values[is_of] for name, is_of in kinds.items()}
    # The tails of likelihoods are long, also those of live faces.
    return ridges.binned(groups, values[is_live.to_numpy()], bins=70, in_view=0.75)
