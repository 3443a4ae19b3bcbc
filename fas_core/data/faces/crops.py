"""A face cut out of its picture, and what it looks like in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from fas_core.data import images, measures
from fas_core.data.faces.face import Face, Floats

LARGEST = 256  # pixels, of a crop's side: larger faces are made smaller, small ones stay as they are
SIDE_BY_EYES, DROP_BY_EYES = 2.36, 0.56  # of the distance between the eyes: a box's side, and its middle below them
LARGEST_BY_EYES = 2.7  # the same of any face that is not turned aside, at most (99 % of 647 photographs)
TURNED = 15.0  # degrees of yaw from which the eyes' distance is no measure of the face's size
MEASURED_AT = 128  # pixels, of the crop in which sharpness is measured


@dataclass(frozen=True)
class Square:
    """Where a crop lies in its picture: its middle and side in pixels, and how far it is turned, in radians."""

    middle: Floats  # (2,)
    side: float
    angle: float = 0.0

    @property
    def axes(self) -> Floats:
        """(2, 2) columns: its unit vectors to the right and down, in the picture."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])

    def outside(self, width: int, height: int) -> float:
        """Share of it that lies beyond a picture's edges."""
        steps = (np.arange(32) + 0.5) / 32 - 0.5
        x, y = np.meshgrid(steps, steps)
        places = self.axes @ (self.side * np.stack([x.ravel(), y.ravel()])) + self.middle[:, None]
        inside = (places >= 0) & (places < np.array([[width], [height]]))
        return float(1 - inside.all(0).mean())


def square(face: Face, margin: float) -> Square:
    """The square around a face with `margin` of its side added on each side."""
    return Square(face.middle, face.side * (1 + 2 * margin))


def aligned(face: Face, margin: float, yaw: float) -> Square:
    """The same by the eyes of a face: turned so that they are level, placed so that they come to the same two points of
    every crop.

    A head that is turned by `yaw` degrees (NaN: unknown) has its eyes nearer to each other: how far apart they would be
    otherwise is the scale, so that it does not come out larger; its eyes do not come to those points.
    """
    assert face.eyes is not None
    down = np.array([-np.sin(face.roll), np.cos(face.roll)])
    distance = float(np.linalg.norm(face.eyes[1] - face.eyes[0]))
    if abs(yaw) > TURNED:
        distance /= max(0.5, float(np.cos(np.radians(yaw))))
    if not abs(yaw) <= TURNED:
        distance = max(distance, face.side / LARGEST_BY_EYES)
    return Square(
        face.eyes.mean(0) + DROP_BY_EYES * distance * down, SIDE_BY_EYES * distance * (1 + 2 * margin), face.roll
    )


def room(face: Face, width: int, height: int) -> float:
    """The margin at which the square around a face would reach the nearest edge of its picture."""
    x, y = face.middle
    return float(min(x, y, width - x, height - y) / face.side - 0.5)


def box_by_eyes(eyes: Floats) -> Floats:
    """(4,) the box that BlazeFace gives a face with eyes at (2, 2), so that either is a face of the same size."""
    side = SIDE_BY_EYES * float(np.linalg.norm(eyes[1] - eyes[0]))
    dx, dy = eyes[1] - eyes[0]
    middle = eyes.mean(0) + DROP_BY_EYES * np.array([-dy, dx])
    return np.array([*(middle - side / 2), side, side])


def cut(picture: Image.Image, where: Square) -> Image.Image:
    """The crop, of the picture's mode; beyond the edges its outermost pixels go on, as black would be a cue."""
    if where.angle == 0:
        return _resized(picture, where, max(1, min(LARGEST, round(where.side))))
    # Made smaller while it is level, with all that its corners need, and then turned: turning alone would alias.
    size = max(1, min(LARGEST, round(where.side)))
    level = int(np.ceil(size * 1.5))
    around = _resized(picture, Square(where.middle, where.side * level / size), level)
    shift = np.full(2, level / 2) - where.axes @ np.full(2, size / 2)
    (a, b), (c, d) = where.axes
    data = (a, b, shift[0], c, d, shift[1])
    return around.transform((size, size), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC)


def _resized(picture: Image.Image, where: Square, size: int) -> Image.Image:
    left, top = where.middle - where.side / 2
    right, bottom = left + where.side, top + where.side
    width, height = picture.size
    if left < 0 or top < 0 or right > width or bottom > height:
        first = np.floor([left, top]).astype(int)
        last = np.ceil([right, bottom]).astype(int)
        columns = np.clip(np.arange(first[0], last[0]), 0, width - 1)
        rows = np.clip(np.arange(first[1], last[1]), 0, height - 1)
        picture = Image.fromarray(np.asarray(picture)[rows[:, None], columns])
        left, right, top, bottom = left - first[0], right - first[0], top - first[1], bottom - first[1]
    return picture.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, right, bottom))


def looks(crop: Image.Image, margin: float) -> tuple[float, float]:
    """(sharpness, exposure) of the face within a crop: as `measures.SHARPNESS` of its gray at 128 pixels; mean gray."""
    gray = crop if crop.mode == "F" else crop.convert("L")
    inset = crop.width * margin / (1 + 2 * margin)
    box = (inset, inset, crop.width - inset, crop.height - inset)
    face = gray.resize((MEASURED_AT, MEASURED_AT), Image.Resampling.LANCZOS, box=box)
    values = images.pixels(np.asarray(face)) if crop.mode == "F" else np.asarray(face)
    measured = measures.of_pixels(values[None])
    return float(measured[measures.SHARPNESS][0]), float(measured[measures.BRIGHTNESS][0])
