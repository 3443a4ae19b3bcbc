"""Root mean squared error per pixel about the nose, in [0, 1]: where a flat print has no relief.

As `eyes_l2`, in the rectangle about the nose's tip, which follows from the eyes where no tip is told. The thesis does
not have it.
"""

from fas_core.data.pairs import REGIONS
from fas_core.scores import EYES, of_pair

NEEDS = ("inputs", "reconstructions", EYES)
MEASURE = REGIONS
score = of_pair(REGIONS, "nose")
