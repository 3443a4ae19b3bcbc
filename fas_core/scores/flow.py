"""Negative log-likelihood of the code under a normalising flow of live training codes, in nats (Laparra et al., 2011).

Rotation-based iterative Gaussianisation; `latent.flow` says how it departs from the paper. Its number of layers is
chosen on live training images that are held out, a fifth of the subjects, and no attack has a part in it. With none it
is one Gaussian, and ranks as `mahalanobis`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fas_core.latent import flow, passes
from fas_core.latent.flow import Flow
from fas_core.runs.store import Run
from fas_core.scores import Outputs
from fas_core.scores._kept import OfCodes

NEEDS = ("latents",)
TRAINING_IMAGES = 8  # as `gmm_nll`; layers need more, see `flow.PER_KNOT`


@dataclass(frozen=True, eq=False)
class _Says:
    flow: Flow

    def __call__(self, z: NDArray[np.floating], start: int) -> passes.Arrays:  # noqa: ARG002 - as all of them
        return {"values": -self.flow.of_block(z)}


def _says(outputs: Outputs, reference: Run) -> passes.Says:  # noqa: ARG001 - as all of them
    return _Says(flow.of_training(reference))


OF_CODES = OfCodes("flow", flow.FORMAT, _says)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """-log p(z), (n,); the flow is fitted on bona fide images of `train` in `reference`."""
    return OF_CODES.values(outputs, reference)
