"""Root mean squared error per pixel about the eyes, in [0, 1]: where holes of masks and cut prints show.

`pixel_l2` within the rectangle of `data.regions`, between image and reconstruction as they are kept, rounded to 1/255:
no background and no hair has a part in it. Where the eyes are comes from the manifest, for a new image from a detector.
NaN where they are not known. The thesis does not have it.
"""

from fas_core.data.pairs import REGIONS
from fas_core.scores import EYES, of_pair

NEEDS = ("inputs", "reconstructions", EYES)
MEASURE = REGIONS
score = of_pair(REGIONS, "eyes")
