"""Distance between the discriminator's features of image and reconstruction, RMS per feature (equation 3.7).

The norm of the equation divided by the root of the number of features; the ranking is the norm's.
"""

import numpy as np
from numpy.typing import NDArray

from fas_core.runs.store import Run
from fas_core.scores import Outputs, column

NEEDS = ("adv",)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """The root of the mean square that the model wrote, (n,)."""
    return np.sqrt(column("adv")(outputs, reference))
