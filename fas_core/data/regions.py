"""Where the face and its parts are in the square that a model sees, and what of an image lies there.

    places = placed(rows)             from a manifest's columns, n rows, in shares of the square
    inside(places, "mouth", 128)      (n, 128, 128) which pixels are part of it

What a manifest says (`boxes.PLACES`, `POINTS`) is told in pixels of a whole upright picture. `images.load` shows a
model the centred square of that picture's shorter side, so its size has to be known: columns `width` and `height`. Of a
face that `fas data faces` has cut out, the columns `CROP` tell where the crop lies in its picture, turned or not.

With the distance of the eyes as the unit, x along the line through them and y down from its middle:

    eyes    1.8 wide, 0.6 high, about the middle between them
    nose    0.7 wide, 0.5 high, about its tip, or 0.6 below that middle where no tip is told
    mouth   1.0 wide, 0.5 high, about its middle, or 1.1 below where none is told
    face    an ellipse, 2.1 wide and 2.9 high, whose middle is 0.35 below; inscribed in the box where no eyes are told

About the proportions of adults (Farkas, Anthropometry of the Head and Face, 1994). A head that is turned aside has its
eyes nearer to each other: where there is a box, the unit is its side over `crops.LARGEST_BY_EYES` at least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from fas_core.data.boxes import BOX, EYES, in_order
from fas_core.data.faces.crops import LARGEST_BY_EYES
from fas_core.data.manifest import CUT_FROM
from fas_core.data.names import CROP, FACE_BY, POINTS
from fas_core.texts import read_numbers

Floats = NDArray[np.float64]

SIZE = ("width", "height")  # of the upright picture, in pixels
COLUMNS = (*BOX, *EYES, *POINTS, *CROP, *SIZE, CUT_FROM, FACE_BY)  # what places are read from
RECTANGLES = {"eyes": (1.8, 0.6, 0.0), "nose": (0.7, 0.5, 0.6), "mouth": (1.0, 0.5, 1.1)}  # width, height, middle's y
ELLIPSE = (2.1, 2.9, 0.35)
REGIONS = (*RECTANGLES, "face")


@dataclass(frozen=True, eq=False)
class Places:
    """Of n images, in shares of the square, x to the right and y down; NaN where it is not known."""

    eyes: Floats  # (n, 2, 2) x, y of the eye that is further left, then of the other one
    nose: Floats  # (n, 2) its tip
    mouth: Floats  # (n, 2) its middle
    box: Floats  # (n, 4) x, y of its middle, width, height
    turn: Floats  # (n,) radians by which the box is turned

    def __len__(self) -> int:
        return len(self.turn)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Places:
        return Places(self.eyes[rows], self.nose[rows], self.mouth[rows], self.box[rows], self.turn[rows])

    @property
    def has_eyes(self) -> NDArray[np.bool_]:
        """(n,)"""
        return np.asarray(np.isfinite(self.eyes).all((1, 2)), np.bool_)

    @property
    def has_face(self) -> NDArray[np.bool_]:
        """(n,) whether there are eyes or a box."""
        return np.asarray(self.has_eyes | np.isfinite(self.box).all(1), np.bool_)


def placed(rows: pd.DataFrame) -> Places:
    """Of a manifest's rows (n), by those of `COLUMNS` that it has."""
    n = len(rows)

    def numbers(names: Sequence[str]) -> Floats:
        """(n, k)"""
        columns = [read_numbers(rows[c].astype("str").fillna("")) if c in rows else np.full(n, np.nan) for c in names]
        return np.column_stack([np.asarray(column, np.float64) for column in columns])

    crop, size = numbers(CROP), numbers(SIZE)
    is_crop, is_cut = np.asarray(np.isfinite(crop).all(1), np.bool_), np.zeros(n, bool)
    for name in (CUT_FROM, FACE_BY):  # cut out of the picture that `width` and `height` may be of
        if name in rows:
            is_cut |= (rows[name].astype("str").fillna("") != "").to_numpy(bool)
    size[is_cut] = np.nan
    middle = np.where(is_crop[:, None], crop[:, :2], size / 2)
    side = np.where(is_crop, crop[:, 2], size.min(1))
    side = np.where(side > 0, side, np.nan)
    angle = np.where(is_crop, np.radians(crop[:, 3]), 0.0)
    cos, sin = np.cos(angle), np.sin(angle)

    def seen(points: Floats) -> Floats:
        """(n, 2) pixels of the picture -> shares of the square."""
        x, y = ((points - middle) / side[:, None]).T
        return np.stack([cos * x + sin * y, cos * y - sin * x], 1) + 0.5

    box, eyes = numbers(BOX), in_order(numbers(EYES))
    box[~(box[:, 2:] > 0).all(1)] = np.nan
    in_square = np.stack([seen(eyes[:, :2]), seen(eyes[:, 2:])], 1)
    in_square[~(np.linalg.norm(in_square[:, 1] - in_square[:, 0], axis=1) > 0)] = np.nan  # both at one place
    return Places(
        eyes=in_square,
        nose=seen(numbers(POINTS[:2])),
        mouth=seen(numbers(POINTS[2:])),
        box=np.hstack([seen(box[:, :2] + box[:, 2:] / 2), box[:, 2:] / side[:, None]]),
        turn=-angle,
    )


def seen(pictures: NDArray[np.uint8]) -> Places:
    """Where a detector sees the face in squares (n, H, W) or (n, H, W, 3); NaN where it sees none, or several."""
    from fas_core.data.faces import cutting, pose  # with networks

    rows = []
    for picture in map(Image.fromarray, pictures):
        try:
            face, _ = cutting.chosen(picture)
        except cutting.NoFace:
            rows.append(np.full(len(BOX + EYES + POINTS), np.nan))
            continue
        points = cutting.points_of(picture, face)
        eyes = face.eyes if face.eyes is not None or points is None else pose.eyes_of(points)
        nose_and_mouth = np.full((2, 2), np.nan) if points is None else pose.nose_and_mouth(points)
        rows.append(np.hstack([face.box, np.full(4, np.nan) if eyes is None else eyes.ravel(), nose_and_mouth.ravel()]))
    table = pd.DataFrame(np.reshape(rows, (len(rows), -1)) if rows else None, columns=[*BOX, *EYES, *POINTS])
    return placed(table.assign(width=pictures.shape[2], height=pictures.shape[1]))


def inside(places: Places, region: str, size: int) -> NDArray[np.bool_]:
    """(n, size, size) whether the middle of each pixel is part of one of `REGIONS`; of none where that is unknown."""
    across = places.eyes[:, 1] - places.eyes[:, 0]
    unit = np.linalg.norm(across, axis=1)
    has_eyes: NDArray[np.bool_] = places.has_eyes
    along = across / unit[:, None]  # the unit vector from eye to eye
    unit = np.fmax(unit, places.box[:, 2:].max(1) / LARGEST_BY_EYES)
    down = np.stack([-along[:, 1], along[:, 0]], 1)
    between = places.eyes.mean(1)
    if region in RECTANGLES:
        width, height, drop = RECTANGLES[region]
        told = {"nose": places.nose, "mouth": places.mouth}.get(region, np.full_like(between, np.nan))
        middle = np.where(np.isnan(told), between + drop * unit[:, None] * down, told)
        half_width, half_height = width / 2 * unit, height / 2 * unit
    else:
        width, height, drop = ELLIPSE
        middle = np.where(has_eyes[:, None], between + drop * unit[:, None] * down, places.box[:, :2])
        half_width = np.where(has_eyes, width / 2 * unit, places.box[:, 2] / 2)
        half_height = np.where(has_eyes, height / 2 * unit, places.box[:, 3] / 2)
        along = np.where(has_eyes[:, None], along, np.stack([np.cos(places.turn), np.sin(places.turn)], 1))
    axis = (np.arange(size) + 0.5) / size
    x = axis[None, None, :] - middle[:, 0, None, None]
    y = axis[None, :, None] - middle[:, 1, None, None]
    cos, sin = along[:, 0, None, None], along[:, 1, None, None]
    u = (cos * x + sin * y) / half_width[:, None, None]
    v = (cos * y - sin * x) / half_height[:, None, None]
    return (np.maximum(np.abs(u), np.abs(v)) if region in RECTANGLES else np.hypot(u, v)) <= 1  # no for NaN
