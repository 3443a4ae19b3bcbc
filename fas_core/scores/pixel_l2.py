"""Root mean squared error per pixel between input and reconstruction, in [0, 1] (section 3.5.2)."""

import numpy as np
from numpy.typing import NDArray

from fas_core.store import Run

NEEDS = ("pixel_l2",)


def score(run: Run, reference: Run) -> NDArray[np.float64]:
    """The term as the model computed it, (n,)."""
    return run.samples(["pixel_l2"])["pixel_l2"].to_numpy(np.float64)
