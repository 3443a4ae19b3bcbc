"""A print of the face in front of the camera: printer's tones, halftone screen, paper white; turned, bent, lit from the
side, often with its margin and the surroundings in view. And the same with its eyes cut out and living eyes behind.

Strength scales the amplitude of the screen's dots, the loss of black and white, how far the sheet curves, is turned and
stands away from the face (so that its edges are seen), and its gloss: near 0 a perfect print, held exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fas_core.data.attacks.face import Face
from fas_core.data.attacks.optics import (
    Plane,
    Planes,
    Scene,
    blend,
    coverage,
    inset_of,
    looked_up,
    photographed,
    sampled,
    sign,
    soft_spot,
    step,
    surroundings,
    unit_of,
    viewed_from,
)

_SCREENS = (0.0, 30.0, 60.0)  # degrees between the screens of three inks


@dataclass(frozen=True, eq=False)
class Print:
    """A sheet as the camera sees it: (c, H, W), and where on it every pixel looks, each (H, W)."""

    seen: Planes
    u: Plane
    v: Plane


def paper(scene: Scene, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """A print in front of the camera."""
    unit = unit_of(scene.shape)
    return photographed(printed(scene, rng, strength).seen, rng, blur=0.45 * unit * strength, noise=0.010 * strength)


def cutout(scene: Scene, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """A print with holes for the eyes of whoever stands behind it: they lie deeper, in the sheet's shadow, not quite
    where the printed ones were; the cut edge is white. Strength scales these, and what it scales of a print."""
    unit = unit_of(scene.shape)
    sheet = printed(scene, rng, strength)
    face = Face(scene)
    holes = looked_up(_holes(face, rng), sheet.u, sheet.v)
    away_x, away_y = strength * rng.normal(0, 0.03), strength * rng.normal(0, 0.02)
    nearer = blend(1, rng.uniform(0.90, 1.12), strength)
    behind = sampled(scene.image, nearer * sheet.u + away_x, nearer * sheet.v + away_y)
    deep = blend(1, rng.uniform(0.45, 0.70), strength) * (
        1 - 0.6 * strength * np.exp(-((holes / (3.5 * face.unit)) ** 2))
    )
    rim = strength * np.exp(-(((holes + 1.1 * face.unit) / (0.9 * face.unit)) ** 2))
    white = rng.uniform(0.80, 0.95)
    seen = sheet.seen + rim * (white - sheet.seen)
    seen = seen + coverage(holes) * (deep * behind - seen)
    return photographed(seen, rng, blur=0.45 * unit * strength, noise=0.010 * strength)


def printed(scene: Scene, rng: np.random.Generator, strength: float) -> Print:
    """A print of the scene, with what is behind it where its edges are in view."""
    shape, unit = scene.shape, unit_of(scene.shape)
    u, v = viewed_from(shape, rng, turn=3.5, zoom=(0.80, 1.10), lean=0.06, strength=strength)
    v, light = _bent(u, v, rng, strength)
    ink = sampled(scene.image, u, v) ** blend(1, rng.uniform(0.85, 1.25), strength)
    # A printer's slight S: shadows and highlights run together.
    ink = ink + 0.35 * strength * (ink * ink * (3 - 2 * ink) - ink)
    ink = halftoned(ink, u, v, rng, strength)
    in_photo = coverage(inset_of(u, v, shape))
    margin = rng.uniform(0.02, 0.14)
    ink = 1 + in_photo * (ink - 1)
    black, white = strength * rng.uniform(0.10, 0.20), blend(1, rng.uniform(0.80, 0.93), strength)
    grain = 0.012 * strength * rng.standard_normal(shape, dtype=np.float32)
    stock = scene.tinted(1.0, 0.985, 0.94)
    sheet = (black + (white - black) * ink + grain) * light * blend(1, stock, strength)
    if rng.random() < 0.6:
        sheet = sheet + soft_spot(shape, rng, peak=strength * rng.uniform(0.08, 0.28))
    inset = inset_of(u / (1 + margin), v / (1 + margin), shape)
    lit_u, lit_v = u / (1 + margin) + rng.uniform(-0.08, 0.08), v / (1 + margin) + rng.uniform(-0.08, 0.08)
    shadow = np.clip(0.5 + inset_of(lit_u, lit_v, shape) / (9 * unit), 0, 1)
    behind = surroundings(shape, rng) * (1 - 0.55 * shadow)
    return Print(behind + coverage(inset) * (sheet - behind), u, v)


def _bent(u: Plane, v: Plane, rng: np.random.Generator, strength: float) -> tuple[Plane, Plane]:
    """A sheet that curves: (v displaced by the curve, the light that falls on it), each (H, W)."""
    direction = rng.normal(0, 0.35) + (math.pi / 2 if rng.random() < 0.3 else 0.0)
    along = math.cos(direction) * u + math.sin(direction) * v
    phase, bend = rng.uniform(-1.2, 1.2), strength * rng.uniform(0.03, 0.14)
    height, slope = np.cos(1.3 * along + phase), -np.sin(1.3 * along + phase)
    light = 1 + sign(rng) * 1.8 * bend * slope + strength * rng.uniform(-0.06, 0.06) * v
    if rng.random() < 0.3:  # it has been folded: two planes at slightly different angles, and a worn line
        fold = along - rng.uniform(-0.5, 0.5)
        worn = rng.uniform(0.03, 0.07) * np.tanh(40 * fold)
        light = light + strength * worn + 0.10 * strength * np.exp(-((fold / 0.012) ** 2))
    return v + 0.35 * bend * height, light


def halftoned(ink: Planes, u: Plane, v: Plane, rng: np.random.Generator, strength: float) -> Planes:
    """`ink` (c, H, W; 1 is bare paper) as dots of clustered screens, as far as the camera resolves them."""
    shape = ink.shape[1:]
    height, width = shape
    period = max(2.5, rng.uniform(2.7, 3.9) * unit_of(shape))
    base = (15, 45, 75)[rng.integers(3)] + rng.normal(0, 2)
    x, y = u * (width * math.pi / period), v * (height * math.pi / period)
    dots = np.empty_like(ink)
    for i, plane in enumerate(ink):
        angle = math.radians(base + _SCREENS[i])
        spot = np.cos(math.cos(angle) * x + math.sin(angle) * y) + np.cos(math.cos(angle) * y - math.sin(angle) * x)
        dots[i] = step(7 * (plane - 0.5 - 0.25 * spot))
    return ink + strength * rng.uniform(0.25, 0.55) * (dots - ink)


def _holes(face: Face, rng: np.random.Generator) -> Plane:
    """(H, W) pixels inside the holes, negative outside: ovals cut by hand, larger than the eyes."""
    distance = np.full(np.broadcast_shapes(face.x.shape, face.y.shape), -np.inf, np.float32)
    for side in (-1, 1):
        wide, tall = rng.uniform(9, 12) * face.unit, rng.uniform(5.5, 8) * face.unit
        x, y = (face.x - side * face.eye_x) / wide, (face.y - face.eye_y) / tall
        radius, angle = np.hypot(x, y), np.arctan2(y, x)
        rough = 1 + 0.06 * np.cos(3 * angle + rng.uniform(0, 6)) + 0.04 * np.cos(5 * angle + rng.uniform(0, 6))
        distance = np.maximum(distance, (rough - radius) * math.sqrt(wide * tall))
    return distance.astype(np.float32)
