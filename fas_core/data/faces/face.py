"""A face in a picture: its box, its eyes and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Face:
    """In pixels of the upright picture, the middle of its first pixel at (0.5, 0.5)."""

    box: Floats  # (4,) left, top, width, height
    score: float  # 0 to 1; NaN where `by` gives none
    by: str  # the detector's name, or "given"
    eyes: Floats | None = None  # (2, 2) x, y of the person's right eye, then of the left one

    @property
    def side(self) -> float:
        """The box's longer side."""
        return float(max(self.box[2:]))

    @property
    def middle(self) -> Floats:
        return self.box[:2] + self.box[2:] / 2

    @cached_property
    def roll(self) -> float:
        """Radians by which the line through the eyes falls to the right; 0 where they are unknown."""
        if self.eyes is None:
            return 0.0
        dx, dy = self.eyes[1] - self.eyes[0]
        return float(np.arctan2(dy, dx))


def overlap(a: Floats, b: Floats) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    if (sides <= 0).any():
        return 0.0
    common = float(sides.prod())
    return common / float(a[2:].prod() + b[2:].prod() - common)
