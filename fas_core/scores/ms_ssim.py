"""One minus the multi-scale structural similarity of image and reconstruction, 0 to 1 (Wang et al., 2003).

Likeness of contrast and structure from fine to coarse, so that neither an edge that moved by a pixel nor a face of
another shape passes. The five scales of the paper need 176 pixels; here it is as many as a window of 11 pixels fits in,
their weights divided by their sum: four at 128 pixels, three at 64, two at 32 (`data.pairs.of_scales`). Of pictures as
they are kept, rounded to 1/255. The thesis does not have it.
"""

import numpy as np
from numpy.typing import NDArray

from fas_core.data.pairs import MS_SSIM
from fas_core.runs.store import Run
from fas_core.scores import Outputs, of_pair

NEEDS = ("inputs", "reconstructions")
MEASURE = MS_SSIM


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """1 - MS-SSIM, (n,)."""
    return 1 - of_pair(MS_SSIM, MS_SSIM)(outputs, reference)
