"""One minus the structural similarity of image and reconstruction: 0 = the same, at most 2 (Wang et al., 2004).

The column `ssim` holds the similarity itself, which is 1 for equal images; here it is turned round, so that higher is
more attack-like as in every score. Section 5.3 of the thesis names it as nearer to what people see than pixel errors.
"""

import numpy as np
from numpy.typing import NDArray

from fas_core.runs.store import Run
from fas_core.scores import Outputs, column

NEEDS = ("ssim",)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """1 - SSIM, (n,)."""
    return 1 - column("ssim")(outputs, reference)
