"""Root mean squared error per pixel within the face alone, in [0, 1]: no hair, background or margin of a print.

`pixel_l2` within the ellipse of `data.regions`, by the eyes or, where only a box is known, inscribed in that; between
image and reconstruction as they are kept, rounded to 1/255. NaN where no face is known. The thesis does not have it.
"""

from fas_core.data.pairs import REGIONS
from fas_core.scores import FACE, of_pair

NEEDS = ("inputs", "reconstructions", FACE)
MEASURE = REGIONS
score = of_pair(REGIONS, "face")
