"""KL divergence of the code's distribution from the prior, in nats (equation 2.25)."""

import numpy as np
from numpy.typing import NDArray

from fas_core.store import Run

NEEDS = ("kl",)


def score(run: Run, reference: Run) -> NDArray[np.float64]:
    """The term as the model computed it, (n,)."""
    return run.samples(["kl"])["kl"].to_numpy(np.float64)
