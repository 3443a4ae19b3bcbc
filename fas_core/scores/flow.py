"""Negative log-likelihood of the code under a normalising flow of live training codes, in nats (Laparra et al., 2011).

Rotation-based iterative Gaussianisation; `latent.flow` says how it departs from the paper. Its number of layers is
chosen on live training images that are held out, a fifth of the subjects, and no attack has a part in it. With none it
is one Gaussian, and ranks as `mahalanobis`.
"""

import numpy as np
from numpy.typing import NDArray

from fas_core.latent import flow
from fas_core.runs.store import Run
from fas_core.scores import Outputs, _kept

NEEDS = ("latents",)
TRAINING_IMAGES = 8  # as `gmm_nll`; layers need more, see `flow.PER_KNOT`


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """-log p(z), (n,); the flow is fitted on the bona fide images of `train` in `reference`."""

    def computed() -> NDArray[np.float64]:
        return -flow.of_training(reference).log_likelihood(outputs.latents())

    return _kept.values("flow", flow.FORMAT, outputs, reference, computed)
