"""How unlike live images an image's high frequencies are, in standard deviations: moiré, halftone, blur.

What is judged is the image alone, not what the model makes of it. Four numbers of its spectrum, those of
`data.pairs.of_spectrum`, say how much power lies at middle and at high frequencies, which a print's blur lowers and
dots, screens and sharpening raise (Li et al., SPIE 2004), and how far peaks stand out of their background, as those of
moiré (Garcia and de Queiroz, TIFS 2015; Patel et al., ICB 2015) and of halftone screens (Ulichney, Digital Halftoning,
1987) do. The score is their Mahalanobis distance from those of the live training images, either way, under a covariance
shrunk as in `mahalanobis`: attacks have no part in it, and what the camera or a codec does to all live images does not
count.

Of pictures as they are kept, scaled and rounded to 1/255: what scaling has taken away at the model's size is not seen.
The thesis does not have it.
"""

import numpy as np
from numpy.typing import NDArray

from fas_core import memo
from fas_core.data.pairs import MEASURES, SPECTRUM
from fas_core.latent import training_rows
from fas_core.runs.store import Run
from fas_core.scores import Outputs

NEEDS = ("inputs",)
MEASURE = SPECTRUM
TRAINING_IMAGES = 8  # two for each number
LEAST_SPREAD = 1e-6  # standard deviation, so that images that are all alike have one
_FORMAT = 1


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """(n,); mean, spread and correlations are those of the bona fide images of `train` in `reference`."""
    about = {"run": reference.shards_digest, "of": MEASURES[SPECTRUM].format, "format": _FORMAT}
    fit = memo.arrays(reference.cache, "frequency", about, lambda: _fitted(reference))
    z = (_numbers(outputs) - fit["mean"]) / fit["spread"]
    return np.sqrt(np.einsum("ni,ij,nj->n", z, np.linalg.inv(fit["correlation"]), z))


def _numbers(outputs: Outputs) -> NDArray[np.float64]:
    """(n, 4)"""
    return np.column_stack([*outputs.pairs(SPECTRUM).values()])


def _fitted(reference: Run) -> dict[str, NDArray[np.float64]]:
    """Mean (4,) and standard deviation (4,), and the covariance (4, 4) of what is standardised by them."""
    from sklearn.covariance import LedoitWolf

    x = _numbers(reference)[training_rows(reference)]
    if np.isnan(x).any():  # images too small to have frequencies
        return {"mean": np.full(x.shape[1], np.nan), "spread": np.ones(x.shape[1]), "correlation": np.eye(x.shape[1])}
    mean, spread = x.mean(0), np.maximum(x.std(0), LEAST_SPREAD)
    model = LedoitWolf(store_precision=False, assume_centered=True).fit((x - mean) / spread)
    return {"mean": mean, "spread": spread, "correlation": model.covariance_ + LEAST_SPREAD * np.eye(x.shape[1])}
