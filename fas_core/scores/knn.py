"""Mean distance of the code from its five nearest live training codes, in units of the codes (Bergman et al., 2020).

Deep nearest neighbours for anomaly detection; nothing is assumed of how live codes are spread. Distances are Euclidean
and codes are as the model gives them, as where neighbours are shown: scaled to one spread, dimensions that the model
does not use would count as much as those it does. An image of training is not its own neighbour: it is told by its
`sample_id`, in other Runs too; of an uploaded image nobody knows that it is one, so that its score is too low. Other
images of the same person remain, so that scores of training images are lower than those of people whom nobody trained
on. Of more than 10,000 training images a sample is taken, always the same one.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.latent import mixture, passes, sampled_training_rows
from fas_core.latent.neighbours import Among
from fas_core.runs.store import Run
from fas_core.scores import Outputs
from fas_core.scores._kept import OfCodes

NEEDS = ("latents",)
TRAINING_IMAGES = 8  # as `gmm_nll`
K = 5
LIMIT = 10_000  # training images that are compared with
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class _Says:
    among: Among
    own: NDArray[np.int32] | None  # (n,) which of those that are compared with each image is; -1: none

    def __call__(self, z: NDArray[np.floating], start: int) -> passes.Arrays:
        own = None if self.own is None else self.own[start : start + len(z)].astype(np.int64)
        return {"values": self.among.distances(z, K, own).mean(axis=1)}


def _says(outputs: Outputs, reference: Run) -> passes.Says:
    rows, own = sampled_training_rows(reference, LIMIT), None
    if isinstance(outputs, Run):
        ids = pd.Index(reference.samples_of(rows, ["sample_id"])["sample_id"])
        parts = (shard.table("samples", ["sample_id"]).to_pandas()["sample_id"] for shard in outputs.shards)
        own = np.concatenate([ids.get_indexer(part).astype(np.int32) for part in parts])
    return _Says(Among(mixture.codes(reference, rows)), own)


OF_CODES = OfCodes("knn", _FORMAT, _says)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """Mean distance from the nearest bona fide images of `train` in `reference`, (n,)."""
    return OF_CODES.values(outputs, reference)
