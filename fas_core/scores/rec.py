"""Reconstruction loss: binary cross-entropy summed over the pixels, in nats (equations 3.2 and 3.3)."""

import numpy as np
from numpy.typing import NDArray

from fas_core.store import Run

NEEDS = ("rec",)


def score(run: Run, reference: Run) -> NDArray[np.float64]:
    """The term as the model computed it, (n,)."""
    return run.samples(["rec"])["rec"].to_numpy(np.float64)
