"""Printed photographs of faces, held into the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fas_core.data.synthetic.noise import CANVAS, Array, Pose, Rng, Traits, bell, mix, soft_step
from fas_core.data.synthetic.scenes import finger

# --- prints ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sheet:
    """A print: its gray values, where there is paper (1) and is not (0), and how it is held."""

    tone: Array
    paper: Array
    face: float  # size of the printed face against a live one
    bend: float  # curvature; 0.9 is half a tube
    bend_angle: float
    lean: Array  # (2,) away from the camera, sideways and up
    glare: tuple[float, float, float]  # where (x, y) and how bright
    hands: int
    points: Array  # (k, 2) column, row of what is to be found again, on the picture that was printed


def inked(rng: Rng, picture: Array) -> tuple[Array, float]:
    """A (CANVAS, CANVAS) picture as printed, and the white of its paper: pale ink, dots, bands, streaks."""
    black, white = float(rng.uniform(0.2, 0.42)), float(rng.uniform(0.82, 0.95))
    ink = np.clip(picture, 0, 1) ** float(rng.uniform(0.6, 0.9))
    rows, columns = np.mgrid[0:CANVAS, 0:CANVAS].astype(np.float32)
    screen, strength = 4.44 / float(rng.uniform(4.2, 6.5)), float(rng.choice([0.0, 0.12, 0.3]))
    ink = ink + strength * np.sin((rows + columns) * screen) * np.sin((rows - columns) * screen) * (1 - ink)
    ink = ink + float(rng.choice([0.0, 0.035, 0.08])) * np.sin(rows * float(rng.uniform(0.15, 0.8)))
    ink = ink + float(rng.choice([0.0, 0.02])) * rng.standard_normal((CANVAS, 1), dtype=np.float32)
    return black + (white - black) * np.clip(ink, 0, 1), white


def printed(rng: Rng, picture: Array, points: Array, detail: str) -> Sheet:
    """The sheet for one print session, from a (CANVAS, CANVAS) picture of the subject and points (k, 2) in it."""
    bordered = detail in ("bordered print", "tilted print")
    tone, white = inked(rng, picture)
    margin = int(rng.uniform(14, 34)) * bordered
    tone = np.pad(tone, margin, constant_values=white)
    if bordered and rng.random() < 0.5:  # crop marks
        for at in (margin - 3, tone.shape[0] - margin + 2):
            for ends in (slice(0, margin - 6), slice(6 - margin, None)):
                tone[at : at + 2, ends] = tone[ends, at : at + 2] = 0.25
    small = bordered or detail == "torn print"
    bend = float(rng.choice([-1, 1]) * rng.uniform(0.55, 0.9)) if detail == "bent print" else float(rng.normal(0, 0.08))
    return Sheet(
        tone=np.pad(tone, 4, mode="edge"),
        paper=np.pad(paper_left(rng, tone.shape[0], detail), 4),
        face=float(rng.uniform(0.72, 0.84) if small else rng.uniform(0.98, 1.15)),
        bend=bend,
        bend_angle=float(rng.choice([0.0, 0.0, 1.57]) + rng.normal(0, 0.12)),
        lean=rng.normal(0, 0.22 if detail == "tilted print" else 0.05, 2),
        glare=(float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.7, 0.3)), float(rng.choice([0.0, 0.3, 0.8]))),
        hands=int(rng.integers(0, 3)) * (small or detail == "cut-out print"),
        points=points,
    )


def paper_left(rng: Rng, size: int, detail: str) -> Array:
    """(size, size) share of paper that cutting or tearing leaves, 0 to 1."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    if detail == "cut-out print":  # around the head, a few cuts long
        wobble = 0.012 * np.sin(9 * np.arctan2(y, x) + float(rng.uniform(0, 6)))
        return soft_step(0.01, -0.01, (np.abs(x / 0.86) ** 2.4 + np.abs(y / 1.02) ** 2.4) ** 0.42 - 1 + wobble)
    if detail == "torn print":
        tears = rng.standard_normal((4, size), dtype=np.float32)
        tears = 0.35 * ndimage.gaussian_filter1d(tears, 16.0) + 0.02 * ndimage.gaussian_filter1d(tears[::-1], 1.0)
        left, right, top, bottom = tears + rng.uniform(0.03, 0.16, (4, 1)).astype(np.float32)
        keep = (x > left[:, None] - 1) & (x < 1 - right[:, None]) & (y > top - 1) & (y < 1 - bottom)
        return ndimage.gaussian_filter(keep.astype(np.float32), 0.7)
    return np.ones((size, size), dtype=np.float32)


def print_image(sheet: Sheet, wall: Array, looks: Traits, rng: Rng, pose: Pose) -> tuple[Array, Array]:
    """(CANVAS, CANVAS) gray: the sheet held before the camera, lit, perhaps with fingers on its edge.

    And (k, 2) where the `points` of its picture are in it; NaN where they are out of view.
    """
    axis = (np.arange(CANVAS, dtype=np.float32) - CANVAS / 2) / (CANVAS / 2)
    x, y = axis[None, :] + float(rng.normal(0, 0.02)), axis[:, None] + float(rng.normal(0, 0.02))
    cos, sin = math.cos(math.radians(pose[2])), math.sin(math.radians(pose[2]))
    x, y = cos * x + sin * y, cos * y - sin * x
    lean_x, lean_y = (float(sheet.lean[i]) + 0.5 * math.sin(math.radians(pose[i])) for i in (0, 1))
    away = (1 + lean_x * x + lean_y * y) * sheet.face  # perspective: what leans away is smaller
    x, y = x / (away * math.cos(lean_x)), y / (away * math.cos(lean_y))
    cos, sin = math.cos(sheet.bend_angle), math.sin(sheet.bend_angle)
    across, along = cos * x + sin * y, cos * y - sin * x  # the sheet is a tube with its axis along `along`
    sine = np.clip(across * sheet.bend, -0.98, 0.98)
    facing = np.sqrt(1 - sine * sine)
    flat = np.arcsin(sine) / sheet.bend
    along = along * (1 + 0.12 * (1 - facing) / max(abs(sheet.bend), 0.2))
    middle = (sheet.tone.shape[0] - 1) / 2
    where = np.stack([sin * flat + cos * along, cos * flat - sin * along]) * (CANVAS / 2) + middle
    tone = ndimage.map_coordinates(sheet.tone, where, order=1, mode="nearest")
    paper = ndimage.map_coordinates(sheet.paper, where, order=1) * (np.abs(sine) < 0.97)
    falloff = 1.05 - 0.22 * np.square(axis[None, :] - 0.5 * looks["light_x"]) - 0.18 * np.square(axis[:, None])
    light = looks["key"] * facing * (1 - 0.25 * looks["light_x"] * sine) * falloff
    spread = 0.22 if abs(sheet.bend) > 0.3 else 0.4
    glare = sheet.glare[2] * bell(across - sheet.glare[0], spread) * bell(along - sheet.glare[1], 0.55)
    image = mix(wall, tone * light + 0.6 * glare, paper)
    for side in (-1.0, 1.0)[: sheet.hands]:
        edge = CANVAS / 2 + side * sheet.face * 0.9 * middle * (0.9 if sheet.face > 0.9 else 1.0)
        tip = np.array([edge - side * 12, CANVAS * (0.6 + 0.12 * side) + 12 * looks["light_x"]])
        image = finger(image, tip, tip + np.array([side * 90, 45.0]), 15.0, 0.75, nail=True)
    on_sheet = sheet.points + (sheet.tone.shape[0] - CANVAS) / 2 - 0.5  # pixels count from their middles
    return image, np.array([_seen_at(where, point) for point in on_sheet])


def _seen_at(where: Array, point: Array) -> Array:
    """(2,) column, row of the canvas that look at a point (column, row) of the sheet; NaN where none does."""
    distance = np.hypot(where[0] - point[1], where[1] - point[0])
    row, column = np.unravel_index(int(distance.argmin()), distance.shape)
    return np.array([column, row]) + 0.5 if distance[row, column] < 2 else np.full(2, np.nan)
