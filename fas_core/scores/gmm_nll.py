"""Negative log-likelihood of the code under a Gaussian mixture of live training codes, in nats (section 2.5.1).

The thesis speaks of posterior ratios in 2.5.1 and of log-likelihoods in 3.7: this is the latter. Eight diagonal
components, as many as in figure 4.4; the likelihood page shows other numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fas_core.latent import mixture, passes
from fas_core.latent.mixture import Mixture
from fas_core.runs.store import Run
from fas_core.scores import Outputs
from fas_core.scores._kept import OfCodes

NEEDS = ("latents",)
COMPONENTS = TRAINING_IMAGES = 8


@dataclass(frozen=True, eq=False)
class _Says:
    mixture: Mixture

    def __call__(self, z: NDArray[np.floating], start: int) -> passes.Arrays:  # noqa: ARG002 - as all of them
        return {"values": -self.mixture.placed_block(z)["log_likelihood"]}


def _says(outputs: Outputs, reference: Run) -> passes.Says:  # noqa: ARG001 - as all of them
    return _Says(mixture.of_training(reference, COMPONENTS, "diag"))


OF_CODES = OfCodes("gmm_nll", 1, _says)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """-log p(z), (n,); the mixture is fitted on bona fide images of `train` in `reference`: see `fitting_sample`."""
    return OF_CODES.values(outputs, reference)
