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

from fas_core import memo
from fas_core.latent import mixture, neighbours, training_rows
from fas_core.runs.store import Run
from fas_core.scores import Outputs

NEEDS = ("latents",)
TRAINING_IMAGES = 8  # as `gmm_nll`
K = 5
LIMIT, SEED = 10_000, 0  # training images that are compared with, and which
_FORMAT = 1


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """Mean distance from the nearest bona fide images of `train` in `reference`, (n,)."""
    if not isinstance(outputs, Run):
        return _values(outputs.latents(), None, reference)
    about = {"run": outputs.shards_digest, "among": reference.shards_digest, "format": _FORMAT}
    return memo.arrays(reference.cache, "knn", about, lambda: {"values": _of_run(outputs, reference)})["values"]


def _of_run(run: Run, reference: Run) -> NDArray[np.float64]:
    ids = reference.sample_ids.take(compared_with(reference)).to_pandas()
    return _values(run.latents(), pd.Index(ids).get_indexer(run.sample_ids.to_pandas()), reference)


def _values(codes: NDArray[np.floating], own: NDArray[np.int64] | None, reference: Run) -> NDArray[np.float64]:
    among = mixture.codes(reference, compared_with(reference))
    return neighbours.distances(among, codes, K, own).mean(axis=1)


def compared_with(reference: Run) -> NDArray[np.int64]:
    """Rows of the training images that are compared with, ascending."""
    rows = training_rows(reference)
    if len(rows) <= LIMIT:
        return rows
    return np.sort(np.random.default_rng(SEED).choice(rows, LIMIT, replace=False))
