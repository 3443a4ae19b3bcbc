"""A compressed video on a screen: raised black, pixel lattice and the moiré it makes with the camera's own pixels,
rolling bands, reflections, often the bezel.

Strength scales the amplitude of lattice, moiré and bands, the coding, the loss of black, reflections, and how far the
screen is turned and away (so that its bezel is seen): near 0 a perfect screen, held exactly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fas_core.data.attacks.optics import (
    Plane,
    Planes,
    Scene,
    blend,
    coverage,
    inset_of,
    photographed,
    sampled,
    sign,
    soft_spot,
    step,
    surroundings,
    unit_of,
    viewed_from,
)
from fas_core.data.degradations import jpeg

_SUBPIXEL = 2 * math.pi / 3  # red, green and blue of a screen's pixel lie a third of it apart


def replay(scene: Scene, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """The image played on a screen in front of the camera."""
    shape, unit = scene.shape, unit_of(scene.shape)
    u, v = viewed_from(shape, rng, turn=3.0, zoom=(0.84, 1.14), lean=0.05, strength=strength)
    video = jpeg(scene.image, quality=round(blend(96, float(rng.integers(25, 60)), strength)))
    shown = sampled(blend(scene.image, video, strength), u, v) ** blend(1, rng.uniform(0.75, 1.15), strength)
    spread = 0.5 * unit * strength
    shown = ndimage.gaussian_filter(shown, (0, spread, spread))
    shown *= 1 + strength * rng.uniform(0.15, 0.35) * (shown - 0.5)  # the display's own contrast
    black, peak = strength * rng.uniform(0.07, 0.16), blend(1, rng.uniform(0.85, 1.02), strength)
    bluish = blend(1, scene.tinted(0.93, 0.99, 1.06), strength)
    lattice = _lattice(u, v, rng, strength, len(scene.image))
    screen = (black + (peak - black) * shown) * bluish * lattice * _bands(shape, rng, strength)
    inset = inset_of(u, v, shape, corner=strength * rng.uniform(2, 9) * unit)
    bezel = rng.uniform(0.02, 0.07) + 0.10 * np.exp(-((inset + 1.5 * unit) ** 2) / (0.8 * unit) ** 2)
    device = bezel + coverage(inset) * (screen - bezel)
    device = device + strength * _reflection(u, v, rng)
    width = rng.uniform(6, 13) * unit
    behind = surroundings(shape, rng)
    seen = behind + coverage(inset + width) * (device - behind)
    return photographed(seen, rng, blur=0.3 * unit * strength, noise=0.008 * strength)


def _lattice(u: Plane, v: Plane, rng: np.random.Generator, strength: float, channels: int) -> Planes:
    """(c, H, W) factor near 1: the screen's pixel lattice as the camera's pixels sample it.

    The moiré is not drawn. One lattice has nearly the camera's own pitch, and sampling it once per camera pixel leaves
    the difference of the two, which perspective and rotation curve; the other is coarse enough to be seen itself. In
    colour the three lattices lie beside each other, and the moiré has their colours.
    """
    height, width = u.shape
    x, y = u * (width * math.pi), v * (height * math.pi)
    near = 1 + sign(rng) * rng.uniform(0.015, 0.09)
    phase, tall = rng.uniform(0, 6), near + rng.normal(0, 0.02)
    beside = [_SUBPIXEL * (i - channels // 2) for i in range(channels)]
    moire = np.stack([np.cos(near * x + phase + of_channel) + 0.5 * np.cos(tall * y) for of_channel in beside])
    pitch = max(2.3, rng.uniform(2.3, 3.2) * unit_of(u.shape))
    grid = np.cos(x / pitch) + 0.6 * np.cos(y / pitch)
    return 1 + strength * rng.uniform(0.03, 0.08) * moire + strength * rng.uniform(0.03, 0.08) * grid


def _bands(shape: tuple[int, ...], rng: np.random.Generator, strength: float) -> Plane:
    """(H, 1) factor near 1: the screen's refresh, caught row by row by the camera's shutter."""
    rows = np.linspace(0, 1, shape[0], dtype=np.float32)[:, np.newaxis]
    wave = np.cos(2 * math.pi * (rng.uniform(0.7, 3.0) * rows + rng.random()))
    return 1 + strength * rng.uniform(0.02, 0.07) * np.tanh(2.5 * wave)


def _reflection(u: Plane, v: Plane, rng: np.random.Generator) -> Plane:
    """(H, W) light that the glass mirrors: a veil, and often a window or a lamp."""
    veil = rng.uniform(0.0, 0.06) * (1 + rng.uniform(-1, 1) * u + rng.uniform(-1, 1) * v)
    light = np.clip(veil, 0, None)
    kind = rng.random()
    if kind < 0.45:  # a window: a slanted pane with a bar
        x = u - rng.uniform(-0.8, 0.8) + rng.uniform(-0.5, 0.5) * v
        y = v - rng.uniform(-0.9, 0.5)
        wide, tall = rng.uniform(0.15, 0.35), rng.uniform(0.3, 0.6)
        pane = step((wide - np.abs(x)) * 25) * step((tall - np.abs(y)) * 25)
        bar = step((0.02 - np.abs(x)) * 60)
        light = light + rng.uniform(0.07, 0.22) * pane * (1 - 0.8 * bar)
    elif kind < 0.75:
        light = light + soft_spot(u.shape, rng, peak=rng.uniform(0.12, 0.40))
    return light
