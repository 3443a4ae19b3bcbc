"""Root mean squared error per pixel between input and reconstruction, in [0, 1] (section 3.5.2)."""

from fas_core.scores import column

NEEDS = ("pixel_l2",)
score = column("pixel_l2")
