"""Negative log-likelihood of the code under a Gaussian mixture of live training codes, in nats (section 2.5.1).

The thesis speaks of posterior ratios in 2.5.1 and of log-likelihoods in 3.7: this is the latter. Eight diagonal
components, as many as in figure 4.4; the likelihood page shows other numbers.
"""

import numpy as np
from numpy.typing import NDArray

from fas_core.latent import mixture
from fas_core.runs.store import Run
from fas_core.scores import Outputs

NEEDS = ("latents",)
COMPONENTS = TRAINING_IMAGES = 8


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """-log p(z), (n,); the mixture is fitted on the bona fide images of `train` in `reference`."""
    fitted = mixture.of_training(reference, COMPONENTS, "diag")
    return -fitted.log_likelihood(outputs.latents())
