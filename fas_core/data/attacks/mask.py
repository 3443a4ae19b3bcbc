"""A rubber mask over the face: one albedo, the relief of a face in smooth shading, highlights, cut-out eyes and mouth
with dark rims, an edge and a seam. And half of one, over what is above or below the nose.

Strength is the opacity of a whole mask (1: rubber; less: a translucent one), and the share of the half that a half mask
covers, from the forehead or from the chin.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fas_core.data.attacks.face import Face
from fas_core.data.attacks.optics import (
    Plane,
    Planes,
    Scene,
    blend,
    clouds,
    coverage,
    photographed,
    sign,
    smoothed,
    unit_of,
)


def mask(scene: Scene, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """The face behind a rubber mask."""
    unit = unit_of(scene.shape)
    worn, edge, beside = _worn(scene, _Shape(scene, rng), rng)
    seen = blend(scene.image, beside + coverage(edge) * (worn - beside), strength)
    return photographed(seen, rng, blur=0.4 * unit * strength, noise=0.008 * strength)


def half_mask(scene: Scene, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """The upper or the lower half of the face behind rubber."""
    shape = _Shape(scene, rng)
    is_upper = rng.random() < 0.5
    worn, edge, _ = _worn(scene, shape, rng)
    nose_y = shape.face.eye_y + 0.55 * (shape.face.mouth_y - shape.face.eye_y)
    first = shape.middle_y + (-1 if is_upper else 1) * shape.half_height
    end = blend(first, nose_y, strength) + strength * rng.uniform(0.02, 0.06) * shape.face.x**2 / shape.face.unit / 20
    edge = np.minimum(edge, end - shape.face.y if is_upper else shape.face.y - end)
    unit = shape.face.unit
    worn = worn * (1 - 0.45 * np.exp(-((edge / (1.4 * unit)) ** 2)))
    beside = scene.image * (1 - 0.4 * np.clip(1 + edge / (5 * unit), 0, 1))
    return np.clip(beside + coverage(edge) * (worn - beside), 0, 1).astype(np.float32)


def _worn(scene: Scene, shape: _Shape, rng: np.random.Generator) -> tuple[Planes, Plane, Planes]:
    """A mask as it is worn (c, H, W), its edge (H, W; pixels, positive inside), and the head beside it (c, H, W)."""
    image, unit = scene.image, shape.face.unit
    worn = _latex(scene, shape, rng)
    for opening, depth in ((shape.eyes(), rng.uniform(0.45, 0.75)), (shape.mouth(rng), rng.uniform(0.10, 0.35))):
        rim = np.exp(-((opening / (1.5 * unit)) ** 2))  # the cut edge lies in its own shadow
        lip = np.exp(-(((opening + 2.8 * unit) / (1.1 * unit)) ** 2))  # and the rubber's thickness catches light
        worn = worn * (1 - 0.70 * rim) + 0.05 * lip
        worn = worn + coverage(opening) * (depth * image * (1 - 0.6 * rim) - worn)
    edge = shape.outline()
    shadow = np.clip(1 + edge / (6 * unit), 0, 1)  # on hair and neck
    beside = image * (1 - rng.uniform(0.25, 0.55) * shadow)
    worn = worn * (1 - rng.uniform(0.2, 0.5) * np.exp(-((edge / (1.4 * unit)) ** 2)))
    return worn, edge, beside


class _Shape:
    """A mask on a face: its outline, holes and relief."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self.face = face = Face(scene)
        pulled_over = rng.random() < 0.35  # covers ears and hair; otherwise tied on, a face and no more
        size = 1.22 if pulled_over else 1.0
        self.half_width = size * rng.uniform(0.33, 0.39) * face.width
        self.half_height = size * rng.uniform(0.43, 0.49) * face.height
        self.middle_y = 0.45 * (face.eye_y + face.mouth_y) - (0.04 * face.height if pulled_over else 0.0)
        self.wobble = [rng.normal(0, 0.022) for _ in range(4)]

    def eyes(self) -> Plane:
        """(H, W) pixels inside the almond-shaped eye holes, negative outside."""
        return self.face.almonds(8.0 * self.face.unit, 4.0 * self.face.unit)

    def mouth(self, rng: np.random.Generator) -> Plane:
        """(H, W) pixels inside the mouth slit, negative outside."""
        face = self.face
        half, tall = rng.uniform(9, 14) * face.unit, rng.uniform(0.8, 2.0) * face.unit
        bow = (face.x / half) ** 2
        y = face.y - face.mouth_y + rng.uniform(-1.0, 1.6) * face.unit * bow
        return np.maximum(tall * (1 - bow) - np.abs(y), -25 * face.unit)

    def outline(self) -> Plane:
        """(H, W) pixels inside the mask's edge, negative outside: an oval, cut by hand."""
        x, y = self.face.x / self.half_width, (self.face.y - self.middle_y) / self.half_height
        radius = np.hypot(x, y) + 1e-3
        cos, sin = x / radius, y / radius
        a, b, c, d = self.wobble
        return (1 + a * cos + b * sin + c * cos * sin + d * cos * cos - radius) * self.half_width

    def relief(self) -> Plane:
        """(H, W) height of a generic face in pixels: an egg with brow, nose, cheeks, lips and chin."""
        a, b, face, unit = self.half_width, self.half_height, self.face, self.face.unit
        nose_y = face.eye_y + 0.60 * (face.mouth_y - face.eye_y)
        length = nose_y - face.eye_y
        egg = 0.6 * a * np.sqrt(np.maximum(1.3 - (face.x / a) ** 2 - ((face.y - self.middle_y) / b) ** 2, 0.02))
        return (
            egg
            + face.bump(0, face.eye_y + 0.5 * length, 6.5 * unit, 0.6 * length, 5 * unit)
            + face.bump(0, nose_y, 8 * unit, 6 * unit, 5 * unit)
            + face.bump(face.eye_x, face.eye_y - 9 * unit, 13 * unit, 6 * unit, 2.5 * unit)
            - face.bump(face.eye_x, face.eye_y, 10 * unit, 7 * unit, 3 * unit)
            + face.bump(1.15 * face.eye_x, nose_y - 2 * unit, 11 * unit, 11 * unit, 3 * unit)
            + face.bump(0, face.mouth_y, 12 * unit, 6 * unit, 3 * unit)
            + face.bump(0, face.mouth_y + 15 * unit, 10 * unit, 7 * unit, 3 * unit)
        )

    def seam(self, side: int) -> Plane:
        """(H, W) in -1..1: the casting seam down one side, a ridge with its shadow."""
        bow = np.sqrt(np.clip(1 - ((self.face.y - self.middle_y) / self.half_height) ** 2, 0, 1))
        x = (self.face.x - side * 0.72 * self.half_width * bow) / self.face.unit
        return np.exp(-(x * x)) - np.exp(-((x - 1.7) ** 2))


def _latex(scene: Scene, shape: _Shape, rng: np.random.Generator) -> Planes:
    """(c, H, W) the mask's surface: one albedo, a generic relief under one lamp, the wearer's own shape beneath."""
    # Folds and dents are in the relief.
    relief = shape.relief() + rng.uniform(0.15, 0.5) * shape.face.unit * clouds(scene.shape, rng, 11)
    dy, dx = np.gradient(relief)
    upright = 1 / np.sqrt(1 + dx * dx + dy * dy)
    lamp_x, lamp_y = rng.uniform(-0.55, 0.55), rng.uniform(-0.7, -0.1)
    facing = np.maximum((1 - lamp_x * dx - lamp_y * dy) * upright, 0) / math.hypot(1, lamp_x, lamp_y)
    # Half-way between lamp and camera; rubber spreads a highlight more widely than skin's thin film of sweat.
    glancing = (2 - lamp_x * dx - lamp_y * dy) * upright / math.hypot(2, lamp_x, lamp_y)
    shine = rng.uniform(0.10, 0.26) * np.exp(-rng.uniform(12, 34) * (1 - glancing))
    own = smoothed(scene.gray, 20)
    own = own - own.mean()
    mottle = 0.012 * clouds(scene.shape, rng, 26)
    skin = rng.uniform(0.42, 0.62) * (0.45 + 0.60 * facing) + rng.uniform(0.35, 0.60) * own + mottle
    rubber = scene.tinted(1.15, 0.97, 0.82)
    return np.clip(skin * rubber + shine + 0.04 * shape.seam(sign(rng)), 0, 1)
