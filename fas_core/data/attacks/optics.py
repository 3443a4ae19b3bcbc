"""What simulated attacks are made of: the scene that is attacked, flat things as a camera sees them, light, a sensor.

Pictures are (c, H, W) of floats in [0, 1], gray (c = 1) or red, green, blue (c = 3); what is the same in all channels
is (H, W). Lengths are pixels of an image that is 128 on its shorter side, and grow with the image (`unit_of`).

Whatever a strength scales goes from what changes nothing (strength 0) to what was drawn (strength 1): `blend`. The
draws themselves are the same at every strength.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Plane = NDArray[np.floating[Any]]
"""(H, W)"""
Planes = NDArray[np.floating[Any]]
"""(c, H, W)"""
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

Value = TypeVar("Value", float, NDArray[np.floating[Any]])


@dataclass(frozen=True, eq=False)
class Scene:
    """What is attacked: a live image, and its eyes, (2, 2) pixels x, y from its top left corner, if they are known."""

    image: Planes
    eyes: NDArray[np.float64] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)"""
        return self.image.shape[1], self.image.shape[2]

    @property
    def is_coloured(self) -> bool:
        return len(self.image) == 3

    @cached_property
    def gray(self) -> Plane:
        return np.tensordot(_LUMA, self.image, 1) if self.is_coloured else self.image[0]

    def tinted(self, red: float, green: float, blue: float) -> Planes:
        """(c, 1, 1) a colour's factors; 1 in gray."""
        return np.array([red, green, blue] if self.is_coloured else [1.0], np.float32)[:, np.newaxis, np.newaxis]


def blend(nothing: Value | float, drawn: Value, strength: float) -> Value:
    """`drawn` at strength 1, to the last bit, and `nothing`, what changes nothing, at 0."""
    mixed: Value = (1 - strength) * nothing + strength * drawn
    return mixed


def unit_of(shape: tuple[int, ...]) -> float:
    """Pixels of this image per pixel of one that is 128 on its shorter side."""
    return min(shape) / 128


def centred(shape: tuple[int, ...]) -> tuple[Plane, Plane]:
    """(x, y): pixels from the centre, as a row (1, W) and a column (H, 1)."""
    height, width = shape
    x = np.arange(width, dtype=np.float32)[np.newaxis] - (width - 1) / 2
    y = np.arange(height, dtype=np.float32)[:, np.newaxis] - (height - 1) / 2
    return x, y


def viewed_from(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    turn: float,
    zoom: tuple[float, float],
    lean: float,
    strength: float = 1.0,
) -> tuple[Plane, Plane]:
    """(u, v), each (H, W): where on a flat picture every camera pixel looks; the picture spans -1 to 1.

    turn: standard deviation of the rotation in degrees; zoom: its range, below 1 the edges come into view;
    lean: largest relative change of scale from the centre to an edge (perspective). `strength` scales all of them:
    near 0 the picture is held where the face was, edge to edge.
    """
    height, width = shape
    x, y = centred(shape)
    angle = math.radians(rng.normal(0, strength * turn))
    scale = blend(1, rng.uniform(*zoom), strength)
    lean *= strength
    lean_x, lean_y = rng.uniform(-lean, lean), rng.uniform(-lean, lean)
    shift_x, shift_y = rng.normal(0, strength * 0.035), rng.normal(0, strength * 0.035)
    depth = scale * (1 + lean_x * x * (2 / width) + lean_y * y * (2 / height))
    u = (math.cos(angle) * x - math.sin(angle) * y) * (2 / width) / depth + shift_x
    v = (math.sin(angle) * x + math.cos(angle) * y) * (2 / height) / depth + shift_y
    return u, v


def sampled(image: Planes, u: Plane, v: Plane) -> Planes:
    """`image` at picture coordinates (u, v), its outermost pixels continued outwards."""
    return np.clip(np.stack([looked_up(plane, u, v) for plane in image]), 0, 1)


def looked_up(plane: Plane, u: Plane, v: Plane) -> Plane:
    """The same of one plane of any range."""
    height, width = plane.shape
    rows, columns = (v + 1) * (height / 2) - 0.5, (u + 1) * (width / 2) - 0.5
    seen: Plane = ndimage.map_coordinates(plane, [rows, columns], order=1, mode="nearest", output=np.float32)
    return seen


def inset_of(u: Plane, v: Plane, shape: tuple[int, ...], corner: float = 0.0) -> Plane:
    """(H, W) distance in pixels from the picture's edge, positive inside; corners rounded by `corner` pixels."""
    height, width = shape
    x = np.abs(u) * (width / 2) - (width / 2 - corner)
    y = np.abs(v) * (height / 2) - (height / 2 - corner)
    if not corner:
        return -np.maximum(x, y)
    return corner - np.hypot(np.maximum(x, 0), np.maximum(y, 0)) - np.minimum(np.maximum(x, y), 0)


def coverage(inset: Plane) -> Plane:
    """Share of each pixel that lies inside an edge at distance `inset` (pixels, positive inside)."""
    return np.clip(inset + 0.5, 0, 1)


def clouds(shape: tuple[int, ...], rng: np.random.Generator, cells: int) -> Plane:
    """(H, W) smooth noise of standard deviation about 1, with `cells` bumps along each side."""
    coarse = Image.fromarray(rng.standard_normal((cells + 1, cells + 1), dtype=np.float32))
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def smoothed(plane: Plane, cells: int) -> Plane:
    """`plane` (H, W) with only what `cells` samples along the shorter side can hold."""
    height, width = plane.shape
    scale = cells / min(plane.shape)
    coarse = Image.fromarray(plane).resize(
        (max(2, round(scale * width)), max(2, round(scale * height))), Image.Resampling.HAMMING
    )
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def surroundings(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """(H, W) what is in view around the attack: a wall or a desk, out of focus."""
    return np.clip(rng.uniform(0.12, 0.65) + 0.10 * clouds(shape, rng, 2) + 0.03 * clouds(shape, rng, 7), 0, 1)


def soft_spot(shape: tuple[int, ...], rng: np.random.Generator, peak: float) -> Plane:
    """(H, W) light of a lamp on a half-glossy surface: an oblique soft ellipse, at most `peak`."""
    x, y = centred(shape)
    size = min(shape)
    x = x - rng.uniform(-0.45, 0.45) * shape[1]
    y = y - rng.uniform(-0.45, 0.30) * shape[0]
    angle = rng.uniform(0, math.pi)
    along = math.cos(angle) * x + math.sin(angle) * y
    across = math.cos(angle) * y - math.sin(angle) * x
    long, short = rng.uniform(0.20, 0.45) * size, rng.uniform(0.06, 0.16) * size
    return peak * np.exp(-((along / long) ** 2) - (across / short) ** 2)


def photographed(scene: Planes, rng: np.random.Generator, blur: float, noise: float) -> NDArray[np.float32]:
    """`scene` (c, H, W) through a lens and on a sensor: (c, H, W) float32 in [0, 1]. Blur in pixels."""
    seen: NDArray[np.float32] = ndimage.gaussian_filter(scene, (0, blur, blur), truncate=3, output=np.float32)
    seen += np.float32(noise) * rng.standard_normal(scene.shape, dtype=np.float32)
    return np.clip(seen, 0, 1)


def step(x: Plane) -> Plane:
    """0 far below 0, 1 far above, smooth between."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def sign(rng: np.random.Generator) -> int:
    """1 or -1, either with probability 1/2."""
    return 1 if rng.random() < 0.5 else -1
