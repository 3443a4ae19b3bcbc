"""Things before the eyes: paper glasses (the eyes of a print, cut out and worn) and funny glasses (eyeballs on their
lenses, as in SiW-M). All else of the face is live.

Strength is their size: at 1 from temple to temple, at 0.1 a speck on each eye.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fas_core.data.attacks.face import Face
from fas_core.data.attacks.optics import Plane, Planes, Scene, coverage, sampled
from fas_core.data.attacks.paper import halftoned


def paper_glasses(scene: Scene, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """The printed eyes of somebody else, cut out with a white margin and worn: the scene's own, mirrored and larger."""
    face = Face(scene)
    size = strength * face.eye_x
    tall, margin = rng.uniform(0.60, 0.78) * size, rng.uniform(0.08, 0.14) * size
    x, y = np.abs(face.x), face.y - face.eye_y
    lenses = _rounded(x - face.eye_x, y, rng.uniform(0.90, 0.98) * size, tall, 0.35 * size)
    bridge = _rounded(face.x, y + 0.15 * size, face.eye_x, 0.22 * size, 0.1 * size)
    arms = _rounded(x - face.eye_x - 1.1 * size, y + 0.15 * size, 0.30 * size, 0.10 * size, 0.05 * size)
    edge = np.maximum(np.maximum(lenses, bridge), arms)
    larger = rng.uniform(0.78, 0.88)
    u, v = face.on_picture(-larger * face.x, face.eye_y + larger * y)
    ink = sampled(scene.image, u, v) ** rng.uniform(0.9, 1.3)
    ink = halftoned(ink, u, v, rng, 0.4)
    ink = 1 + coverage(edge - margin) * (ink - 1)
    light = 1 + rng.uniform(-0.12, 0.12) * face.x / (2 * face.eye_x)
    sheet = (0.12 + 0.78 * ink) * light * scene.tinted(1.0, 0.985, 0.94)
    return _worn(scene, edge, sheet, rng)


def funny_eyes(scene: Scene, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """Glasses with an eyeball on each lens, in a dark frame."""
    face = Face(scene)
    size = strength * face.eye_x
    radius, frame = rng.uniform(0.72, 0.86) * size, rng.uniform(0.10, 0.16) * size
    x, y = np.abs(face.x) - face.eye_x, face.y - face.eye_y
    ball = radius - np.hypot(x, y)
    bridge = _rounded(face.x, y + 0.1 * size, face.eye_x, 0.10 * size, 0.05 * size)
    gaze_x, gaze_y = rng.uniform(-0.25, 0.25) * radius, rng.uniform(-0.2, 0.3) * radius
    # Both look to the same side: the one on the left is no mirror image of the other.
    to_pupil = np.hypot(x - np.sign(face.x) * gaze_x, y - gaze_y)
    iris, pupil = coverage(rng.uniform(0.42, 0.52) * radius - to_pupil), coverage(0.24 * radius - to_pupil)
    round_ = np.clip(1 - 0.35 * (np.hypot(x + 0.2 * radius, y + 0.3 * radius) / max(radius, 1e-6)) ** 2, 0.3, 1)
    white, blue = 0.95 * scene.tinted(1.0, 0.98, 0.95), rng.uniform(0.3, 0.5) * scene.tinted(0.5, 0.9, 1.4)
    eyeball = white * round_
    eyeball = eyeball + iris * (blue - eyeball)
    eyeball = eyeball * (1 - 0.95 * pupil)
    glint = np.hypot(x + 0.3 * radius, y + 0.35 * radius)
    eyeball = np.maximum(eyeball, coverage(0.13 * radius - glint))
    plastic = np.broadcast_to(rng.uniform(0.04, 0.12) * scene.tinted(1, 1, 1), scene.image.shape)
    drawn = plastic + coverage(ball) * (eyeball - plastic)
    return _worn(scene, np.maximum(ball + frame, bridge), drawn, rng)


def _rounded(x: Plane, y: Plane, half: float, tall: float, corner: float) -> Plane:
    """Pixels inside a box about (0, 0) of so many pixels to each side, its corners rounded; negative outside."""
    corner = min(corner, half, tall)
    a, b = np.abs(x) - (half - corner), np.abs(y) - (tall - corner)
    return corner - np.hypot(np.maximum(a, 0), np.maximum(b, 0)) - np.minimum(np.maximum(a, b), 0)


def _worn(scene: Scene, edge: Plane, cover: Planes, rng: np.random.Generator) -> NDArray[np.float32]:
    """A cover in front of the face, whose shadow falls on the skin around it."""
    reach = rng.uniform(2.5, 5.0) * min(scene.shape) / 128
    shadow = np.clip(1 + edge / reach, 0, 1)
    skin = scene.image * (1 - rng.uniform(0.25, 0.45) * shadow)
    return np.clip(skin + coverage(edge) * (cover - skin), 0, 1).astype(np.float32)
