"""Mean rank of pixel_l2, ssim, gmm_nll and knn among live images of dev, in 0..1: four scores fixed beforehand.

Two say how well the image is painted again, pixel by pixel and in its structure, and two how usual its code is, by a
model of all live codes and by the nearest of them. They were chosen by that, before any result, and no attack has a
part in it: each becomes its rank among the bona fide images on which thresholds are chosen (dev, else live) and which
the model did not learn from (`metrics.ranks`), so that scores of any unit count alike. `fas scores fuse` does the same
of scores that one names, of several Runs. On the calibrating images themselves ranks are spread evenly by
construction, and training images rank low: rates are to be judged on others.
"""

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from fas_core import memo
from fas_core.latent import calibrating_rows
from fas_core.metrics.ranks import LEAST, ranks_among
from fas_core.runs.store import Run
from fas_core.scores import Outputs, _kept, gmm_nll, knn, pixel_l2, ssim

PARTS = (pixel_l2, ssim, gmm_nll, knn)
NEEDS = ("latents", "pixel_l2", "ssim")
TRAINING_IMAGES = max(gmm_nll.TRAINING_IMAGES, knn.TRAINING_IMAGES)
_FORMAT = 1

_answers: WeakKeyDictionary[Run, str] = WeakKeyDictionary()  # which scores a Run has is asked all the time


def lacks(run: Run) -> str:
    """What it lacks for its ranks, in words after its name; "" where nothing."""
    if run not in _answers:
        few = len(calibrating_rows(run)) < LEAST
        _answers[run] = f"has fewer than {LEAST} live images of subset dev or live to rank among" if few else ""
    return _answers[run]


def kept_as(run: Run) -> dict[str, object]:
    """What a Run's own values are kept by."""
    return _kept.about("mean_rank", _FORMAT, run, run)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """(n,) in 0..1; NaN where one of its parts is."""

    def calibrating() -> memo.Arrays:
        rows = calibrating_rows(reference)
        parts = np.stack([part.score(reference, reference)[rows] for part in PARTS])
        return {"values": parts[:, np.isfinite(parts).all(axis=0)]}

    def computed() -> NDArray[np.float64]:
        about = {"run": reference.shards_digest, "parts": [part.__name__ for part in PARTS], "format": _FORMAT}
        among = memo.arrays(reference.cache, "mean rank", about, calibrating)["values"]
        of_parts = [part.score(outputs, reference) for part in PARTS]
        ranks = [ranks_among(*part) for part in zip(of_parts, among, strict=True)]
        return np.asarray(np.mean(ranks, axis=0, dtype=np.float64))

    return _kept.values("mean_rank", _FORMAT, outputs, reference, computed)
