"""Types and measures of the rendered faces, soft steps and smooth noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[Any]
Traits = dict[str, float]
Rng = np.random.Generator
Pose = tuple[float, float, float]
Window = tuple[slice, slice]

SIZE = 128
CANVAS = 2 * SIZE  # drawn at twice the size, so that edges come out clean
PAD = 48  # the scene behind the head is larger than the canvas by this much on every side, to slide under it
UNIT = 69.0 * CANVAS / SIZE  # canvas pixels per unit of head coordinates
CENTRE_Y = 0.06  # the head's height, in head coordinates, on which a crop is centred
GRID = 280  # rows and columns of vertices


def soft_step(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between; falls instead of rising where low > high."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def bell(x: Array, width: float) -> Array:
    """1 at 0, falling like a Gaussian; `width` is where it reaches 1/e."""
    return np.exp(-np.square(x / width))


def mix(a: Array | float, b: Array | float, weight: Array) -> Array:
    """`a` where the weight is 0, `b` where it is 1, in proportion between; shapes are broadcast."""
    return a + (b - a) * weight


def rng_of(seed: int, *key: int) -> Rng:
    """An independent generator for every (seed, key)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def smooth_noise(rng: Rng, shape: tuple[int, ...], down: float, right: float | None = None) -> Array:
    """(rows, columns) noise of mean 0 and standard deviation 1, blurred by `down` x `right` pixels."""
    sigmas = (down, down if right is None else right)
    steps = [max(1, int(sigma / 2)) for sigma in sigmas]  # a coarse noise is enough where it is blurred wide
    coarse = rng.standard_normal([-(-n // step) + 1 for n, step in zip(shape, steps, strict=True)], dtype=np.float32)
    coarse = ndimage.gaussian_filter(coarse, [s / step for s, step in zip(sigmas, steps, strict=True)], truncate=3.0)
    noise = ndimage.zoom(coarse, steps, order=1, grid_mode=True, mode="nearest") if max(steps) > 1 else coarse
    noise = noise[: shape[0], : shape[1]]
    return noise / noise.std()
