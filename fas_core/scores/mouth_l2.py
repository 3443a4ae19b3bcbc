"""Root mean squared error per pixel about the mouth, in [0, 1]: where masks are cut and faces move.

As `eyes_l2`, in the rectangle about the mouth's middle, which follows from the eyes where it is not told. The thesis
does not have it.
"""

from fas_core.data.pairs import REGIONS
from fas_core.scores import EYES, of_pair

NEEDS = ("inputs", "reconstructions", EYES)
MEASURE = REGIONS
score = of_pair(REGIONS, "mouth")
