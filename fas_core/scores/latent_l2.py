"""Distance between the codes of the image and of its reconstruction, RMS per latent dimension (equation 3.6).

GANomaly's own score (Akcay et al., 2018) is the mean of the same squares, rescaled to [0, 1] over the test set. The
root ranks alike and has the unit of the codes; nothing is rescaled here, or a score would depend on its neighbours.
"""

import numpy as np
from numpy.typing import NDArray

from fas_core.runs.store import Run
from fas_core.scores import Outputs, column

NEEDS = ("enc",)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """The root of the mean square that the model wrote, (n,)."""
    return np.sqrt(column("enc")(outputs, reference))
