"""What can be computed from the codes of a Run: projections to the plane, mixtures and their likelihoods."""

import numpy as np
from numpy.typing import NDArray

from fas_core.data.names import BONA_FIDE, is_training
from fas_core.errors import BadInputError
from fas_core.runs.store import Run


def training_rows(run: Run) -> NDArray[np.int64]:
    """Rows of the bona fide images of subset `train`: what every fit is fitted on. Raises BadInputError if none."""
    samples = run.samples(["subset", "label"])
    rows = np.flatnonzero(is_training(samples) & (samples["label"] == BONA_FIDE))
    if not len(rows):
        raise BadInputError(
            f"Run {run.info.name} has no training images, so nothing can be fitted on them. "
            "Cache the subset train too: fas cache CHECKPOINT --data MANIFEST"
        )
    return rows
