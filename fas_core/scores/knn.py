"""Mean distance of the code from its five nearest live training codes, in units of the codes (Bergman et al., 2020).

Deep nearest neighbours for anomaly detection; nothing is assumed of how live codes are spread. Distances are Euclidean
and codes are as the model gives them, as where neighbours are shown: scaled to one spread, dimensions that the model
does not use would count as much as those it does. An image of training is not its own neighbour: it is told by its
`sample_id`, in other Runs too; of an uploaded image nobody knows that it is one, so that its score is too low. Other
images of the same person remain, so that scores of training images are lower than those of people whom nobody trained
on. Of more than 10,000 training images a sample is taken, always the same one.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.latent import mixture, neighbours, sampled_training_rows
from fas_core.runs.store import Run
from fas_core.scores import Outputs, _kept

NEEDS = ("latents",)
TRAINING_IMAGES = 8  # as `gmm_nll`
K = 5
LIMIT = 10_000  # training images that are compared with
_FORMAT = 1


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """Mean distance from the nearest bona fide images of `train` in `reference`, (n,)."""

    def computed() -> NDArray[np.float64]:
        rows, own = sampled_training_rows(reference, LIMIT), None
        if isinstance(outputs, Run):
            ids = reference.sample_ids.take(rows).to_pandas()
            own = pd.Index(ids).get_indexer(outputs.sample_ids.to_pandas())
        return neighbours.distances(mixture.codes(reference, rows), outputs.latents(), K, own).mean(axis=1)

    return _kept.values("knn", _FORMAT, outputs, reference, computed)
