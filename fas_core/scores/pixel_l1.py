"""Mean absolute error per pixel between input and reconstruction, in [0, 1] (the norm of equation 3.5).

A few large errors, such as a highlight or an edge, weigh less here than in `pixel_l2`.
"""

from fas_core.scores import column

NEEDS = ("pixel_l1",)
score = column("pixel_l1")
