"""What can be computed from the codes of a Run: projections to the plane, mixtures and their likelihoods."""

import numpy as np
from numpy.typing import NDArray

from fas_core.data.names import BONA_FIDE, LEARNED, TRAINING_USE, is_training
from fas_core.errors import BadInputError
from fas_core.runs.store import Run


def training_rows(run: Run) -> NDArray[np.int64]:
    """Rows of the bona fide images that the model learned from: what every fit is fitted on.

    Those whose content its checkpoint knows, whatever the manifest calls them; where the checkpoint does not say what
    it learned from, the bona fide images of subset `train`. Raises BadInputError if there are none.
    """
    if TRAINING_USE in run.column_names():
        samples = run.samples([TRAINING_USE, "label"])
        is_learned = (samples[TRAINING_USE] == LEARNED).to_numpy(bool)
    else:
        samples = run.samples(["subset", "label"])
        is_learned = is_training(samples)
    rows = np.flatnonzero(is_learned & (samples["label"] == BONA_FIDE))
    if not len(rows):
        raise BadInputError(
            f"Run {run.info.name} has no training images, so nothing can be fitted on them. "
            "Cache the data that the model learned from too: fas cache CHECKPOINT --data MANIFEST"
        )
    return rows
