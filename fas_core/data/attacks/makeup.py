"""Paint on the living face, to look like somebody else (impersonation) or like nobody (obfuscation).

Strength is the opacity of the paint, at 1 that of theatre make-up. Skin's own relief and the eyes stay as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fas_core.data.attacks.face import Face
from fas_core.data.attacks.optics import Plane, Planes, Scene, blend, clouds, coverage, sign, smoothed, step


def impersonation(scene: Scene, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """Foundation, contours that give the face other proportions, shadowed and lined eyes, new brows, a new mouth."""
    face, image = Face(scene), scene.image
    unit, skin = face.unit, _skin(face)
    even: Planes = np.stack([smoothed(plane, 22) for plane in image])
    painted: Planes = image + 0.75 * skin * (even - image)
    painted = painted + rng.uniform(0.06, 0.14) * skin * (1 - painted)
    nose_y = face.eye_y + 0.62 * (face.mouth_y - face.eye_y)
    hollow = face.bump(1.5 * face.eye_x, nose_y + 8 * unit, 9 * unit, 12 * unit, rng.uniform(0.30, 0.45))
    temple = face.bump(2.0 * face.eye_x, face.eye_y - 14 * unit, 10 * unit, 16 * unit, 0.4)
    flank = face.bump(rng.uniform(5, 8) * unit, nose_y - 8 * unit, 3 * unit, 15 * unit, rng.uniform(0.35, 0.55))
    painted = painted * (1 - np.clip(hollow + temple + flank, 0, 0.8) * skin)
    ridge = face.bump(0, nose_y - 9 * unit, 2.2 * unit, 16 * unit, 0.42)
    cheek = face.bump(1.3 * face.eye_x, face.eye_y + 13 * unit, 9 * unit, 5 * unit, 0.4)
    painted = painted + np.clip(ridge + cheek, 0, 0.7) * skin * (0.97 - painted)
    lid = face.bump(face.eye_x, face.eye_y - 4 * unit, 11 * unit, 5.5 * unit, 0.7)
    almonds = face.almonds(9.5 * unit, 4.2 * unit)
    painted = _over(painted, lid * skin, rng.uniform(0.15, 0.3) * scene.tinted(1.1, 0.8, 1.1))
    line = np.exp(-((almonds / (1.5 * unit)) ** 2))
    painted = _over(painted, 0.95 * line, 0.03 * scene.tinted(1, 1, 1))
    painted = _over(painted, 0.9 * _brows(face, rng), 0.08 * scene.tinted(1.2, 0.9, 0.7))
    painted = _over(painted, 0.9 * coverage(_lips(face, rng)), rng.uniform(0.2, 0.32) * scene.tinted(1.9, 0.55, 0.6))
    return _seen(image, painted, strength)


def obfuscation(scene: Scene, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """Face paint: a pale or dark ground with brush strokes, sockets, a mouth from ear to ear, a stripe."""
    face, image = Face(scene), scene.image
    unit, skin = face.unit, _skin(face)
    is_pale = rng.random() < 0.7
    ground = (rng.uniform(0.82, 0.93) if is_pale else rng.uniform(0.15, 0.28)) * scene.tinted(1.0, 1.0, 0.97)
    dark = 0.05 * scene.tinted(1, 1, 1) if is_pale else 0.9 * scene.tinted(1, 1, 1)
    mark = rng.uniform(0.2, 0.3) * scene.tinted(2.6, 0.4, 0.4) if is_pale else 0.85 * scene.tinted(1.0, 0.9, 0.3)
    own = smoothed(scene.gray, 16)
    relief = 0.35 * (own - own.mean())  # a face is still a face under paint
    strokes = 0.035 * clouds(scene.shape, rng, 14) + 0.02 * clouds(scene.shape, rng, 40)
    painted = _over(image, 0.92 * skin, np.clip(ground + relief + strokes, 0, 1))
    x, y = (np.abs(face.x) - face.eye_x) / (12 * unit), (face.y - face.eye_y) / (rng.uniform(13, 20) * unit)
    socket = step((1 - np.abs(x) ** 1.5 - np.abs(y)) * 10)
    eyes = coverage(face.almonds(7.5 * unit, 3.2 * unit))
    painted = _over(painted, 0.92 * socket * (1 - eyes), dark)
    half, bow = rng.uniform(24, 32) * unit, rng.uniform(7, 13) * unit
    along = np.clip(face.x / half, -1, 1) ** 2
    grin = (rng.uniform(4, 6.5) * unit) * (1 - 0.7 * along) - np.abs(face.y - face.mouth_y + bow * along)
    grin = np.minimum(grin, half - np.abs(face.x))
    painted = _over(painted, 0.92 * coverage(grin), mark)
    stripe = face.x - sign(rng) * rng.uniform(0.7, 1.1) * face.eye_x + rng.uniform(-0.3, 0.3) * face.y
    painted = _over(painted, 0.85 * skin * coverage(rng.uniform(2.5, 4.5) * unit - np.abs(stripe)), mark)
    nose_y = face.eye_y + 0.60 * (face.mouth_y - face.eye_y)
    tip = 6 * unit - np.hypot(face.x, face.y - nose_y)
    painted = _over(painted, 0.9 * coverage(tip), dark)
    return _seen(image, painted, strength)


def _over(painted: Planes, opacity: Plane, tone: Planes) -> Planes:
    return painted + opacity * (tone - painted)


def _seen(image: Planes, painted: Planes, strength: float) -> NDArray[np.float32]:
    return np.clip(blend(image, painted, strength), 0, 1).astype(np.float32)


def _skin(face: Face) -> Plane:
    """(H, W) share of each pixel that paint may cover: the face, fading towards hair and neck, but not the eyes."""
    middle = 0.5 * (face.eye_y + face.mouth_y)
    oval = step(face.oval(0.36 * face.width, 0.47 * face.height, middle) / (2.5 * face.unit))
    return oval * (1 - coverage(face.almonds(7.5 * face.unit, 3.2 * face.unit)))


def _brows(face: Face, rng: np.random.Generator) -> Plane:
    """(H, W) opacity of drawn brows: an arch over each eye, thinner outwards."""
    unit = face.unit
    x = (np.abs(face.x) - face.eye_x) / (13 * unit)
    arch = face.eye_y - (rng.uniform(11, 14) - rng.uniform(2, 4) * x - rng.uniform(3, 6) * (x - 0.3) ** 2) * unit
    thick = rng.uniform(1.8, 2.8) * unit * (1 - 0.35 * x)
    return coverage(np.minimum(thick - np.abs(face.y - arch), (1 - np.abs(x)) * 13 * unit))


def _lips(face: Face, rng: np.random.Generator) -> Plane:
    """(H, W) pixels inside a drawn mouth, negative outside: two bows and a full lower lip."""
    unit = face.unit
    half, upper, lower = rng.uniform(11, 15) * unit, rng.uniform(3, 4.5) * unit, rng.uniform(4, 6) * unit
    x = np.clip(face.x / half, -1, 1)
    dip = 1 - 0.35 * np.exp(-((face.x / (2.2 * unit)) ** 2))
    y = face.y - face.mouth_y
    edge = np.where(y < 0, upper * dip * (1 - x * x), lower * np.sqrt(1 - x * x)) - np.abs(y)
    return np.minimum(edge, half - np.abs(face.x))
