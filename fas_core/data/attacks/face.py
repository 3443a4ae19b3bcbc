"""Where a face has its parts.

Where the eyes are known, all is placed and sized by them: turned by the line through them, the mouth at `MOUTH` of
their distance below it. Else the face is taken to be in the middle of the image with the proportions of a portrait, its
eyes and mouth for the darkest places where they can be.
"""

from __future__ import annotations

import math

import numpy as np

from fas_core.data.attacks.optics import Plane, Scene, centred, smoothed, unit_of

EYE_X, EYE_Y = 0.18, 0.43  # of a portrait: half the distance between the eyes by its width, and their row by its height
MOUTH = 1.05  # the mouth's row below that of the eyes, by the distance between them


class Face:
    """`x`, `y`: pixels right and down of the middle of a face that is upright in them, (H, W), (1, W) or (H, 1).

    The face is that of a portrait of `width` and `height` pixels, of which `unit` are 1/128 of the shorter side; its
    eyes are at (-eye_x, eye_y) and (eye_x, eye_y), its mouth at (0, mouth_y).
    """

    def __init__(self, scene: Scene) -> None:
        self._shape, self._middle, self._angle = scene.shape, (0.0, 0.0), 0.0
        self.x, self.y = centred(scene.shape)
        self.height, self.width = map(float, scene.shape)
        self.unit = unit_of(scene.shape)
        if scene.eyes is None:
            self.eye_x, self.eye_y, self.mouth_y = _parts_at(scene.gray)
            return
        (right_x, right_y), (left_x, left_y) = scene.eyes
        self.eye_x = max(1.0, math.hypot(left_x - right_x, left_y - right_y) / 2)
        self.width = self.height = self.eye_x / EYE_X
        self.unit = self.width / 128
        self.eye_y = (EYE_Y - 0.5) * self.height
        self.mouth_y = self.eye_y + MOUTH * 2 * self.eye_x
        self._angle = math.atan2(left_y - right_y, left_x - right_x)
        cos, sin = math.cos(self._angle), math.sin(self._angle)
        eyes_x, eyes_y = (left_x + right_x - scene.shape[1]) / 2, (left_y + right_y - scene.shape[0]) / 2
        self._middle = (eyes_x + sin * self.eye_y, eyes_y - cos * self.eye_y)
        x, y = self.x - self._middle[0], self.y - self._middle[1]
        self.x = (cos * x + sin * y).astype(np.float32)
        self.y = (cos * y - sin * x).astype(np.float32)

    def on_picture(self, x: Plane, y: Plane) -> tuple[Plane, Plane]:
        """(u, v) of places on the face: where on the picture, which spans -1 to 1, they lie."""
        cos, sin = math.cos(self._angle), math.sin(self._angle)
        height, width = self._shape
        u, v = cos * x - sin * y + self._middle[0], sin * x + cos * y + self._middle[1]
        return u * (2 / width), v * (2 / height)

    def bump(self, x: float, y: float, wide: float, tall: float, height: float = 1.0) -> Plane:
        """A Gaussian hill on either side of the middle line; the arguments are pixels."""
        across = np.exp(-(((np.abs(self.x) - x) / wide) ** 2))
        return height * np.exp(-(((self.y - y) / tall) ** 2)) * across

    def almonds(self, half: float, tall: float) -> Plane:
        """(H, W) pixels inside two almonds about the eyes, of so many pixels to each side, negative outside."""
        x = (np.abs(self.x) - self.eye_x) / half
        return 0.8 * np.maximum(tall * (1 - x * x) - np.abs(self.y - self.eye_y), -6 * tall)

    def oval(self, half_width: float, half_height: float, middle_y: float) -> Plane:
        """(H, W) pixels inside an oval, roughly, negative outside."""
        return (1 - np.hypot(self.x / half_width, (self.y - middle_y) / half_height)) * min(half_width, half_height)


def _parts_at(image: Plane) -> tuple[float, float, float]:
    """(half the distance between the eyes, their row, the mouth's row): the darkest places where they can be."""
    height, width = image.shape
    dark = smoothed(image, 9) - smoothed(image, 34)
    pair = np.minimum(dark, dark[:, ::-1])
    top, left = int(0.32 * height), int(0.24 * width)
    window = pair[top : int(0.52 * height), left : int(0.37 * width)]
    likely_row = (np.arange(top, top + window.shape[0])[:, np.newaxis] / height - EYE_Y) / 0.10
    likely_column = (np.arange(left, left + window.shape[1]) / width - (0.5 - EYE_X)) / 0.05
    window = window - 0.03 * (likely_row**2 + likely_column**2)  # hair and ears are dark, too
    row, column = np.unravel_index(int(np.argmax(window)), window.shape)
    eye_row = top + int(row)
    first = eye_row + int(0.28 * height)
    lips = dark[first : eye_row + int(0.42 * height), int(0.42 * width) : int(0.58 * width)].mean(axis=1)
    mouth_row = first + (int(np.argmax(lips)) if lips.size else 0)
    middle = (height - 1) / 2
    return (width - 1) / 2 - (left + int(column)), eye_row - middle, mouth_row - middle
