"""Negative evidence lower bound: weighted reconstruction loss plus KL divergence, in nats (equation 3.1)."""

import numpy as np
from numpy.typing import NDArray

from fas_core.store import Run

NEEDS = ("elbo",)


def score(run: Run, reference: Run) -> NDArray[np.float64]:
    """The term as the model computed it, (n,)."""
    return run.samples(["elbo"])["elbo"].to_numpy(np.float64)
