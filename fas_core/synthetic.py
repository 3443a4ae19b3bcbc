"""The demo's data set: rendered near-infrared driver faces with paper and mask attacks. Nobody's face.

A head is a grid of vertices, an egg with a nose, brow ridge, eye sockets, lips, chin, ears and hair pushed out of it.
It is turned in three dimensions, lit by an illuminator beside the camera, and drawn far to near into a dark cabin.
Attacks are made as one makes them: a print is a picture of a rendered frame on a sheet that is bent, cut and held
before the camera; a mask is another head with holes, through which the wearer's eyes look.

Head coordinates: x to the image's right, y down, z towards the camera; a head is about 1.5 wide and 2.2 high.
Gray values are linear floats, 0 black and about 1 white, until `sensor_image` makes bytes of them.
Every random number comes from (seed, subject, session, frame), so no image depends on the order of the work.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw
from scipy import ndimage

from fas_core.errors import BadInputError
from fas_core.manifest import atomic_file, write_table

Array = npt.NDArray[Any]
Traits = dict[str, float]
Rng = np.random.Generator
Pose = tuple[float, float, float]
Window = tuple[slice, slice]

SIZE = 128
DONE = ".done"  # folder with the rows of finished subjects, while the others are being rendered
CANVAS = 2 * SIZE  # drawn at twice the size, so that edges come out clean
PAD = 48  # the scene behind the head is larger than the canvas by this much on every side, to slide under it
UNIT = 69.0 * CANVAS / SIZE  # canvas pixels per unit of head coordinates
CENTRE_Y = 0.06  # the head's height, in head coordinates, on which a crop is centred
GRID = 280  # rows and columns of vertices
CAP, BEANIE = 1, 2

# What makes a subject that subject: (centre, half-width) of a uniform distribution.
TRAITS: dict[str, tuple[float, float]] = {
    "width": (0.77, 0.06), "depth": (0.92, 0.04), "jaw": (0.31, 0.14), "chin": (0.06, 0.05), "square": (2.3, 0.3),
    "skin": (0.72, 0.12), "mottle": (0.03, 0.02), "shine": (0.15, 0.08), "age": (0.45, 0.45), "long": (0.0, 0.07),
    "eye_x": (0.315, 0.03), "eye_y": (-0.05, 0.035), "eye_w": (0.15, 0.018), "eye_h": (0.078, 0.014),
    "eye_tilt": (0.05, 0.12), "socket": (1.0, 0.5), "iris": (0.36, 0.14), "bags": (0.5, 0.5), "lid_rest": (0.9, 0.12),
    "brow_y": (-0.2, 0.03), "brow_thick": (0.034, 0.016), "brow_arch": (0.045, 0.04), "brow_dark": (0.6, 0.3),
    "brow_ridge": (0.9, 0.7), "nose_w": (0.11, 0.025), "nose_len": (0.36, 0.05), "nose_high": (0.85, 0.25),
    "nose_bridge": (0.06, 0.035), "mouth_y": (0.585, 0.03), "mouth_w": (0.25, 0.045), "lip": (0.055, 0.02),
    "lip_dark": (0.76, 0.1), "cheek": (0.05, 0.04), "ear": (0.1, 0.05), "neck": (0.54, 0.07),
    "hair": (0.24, 0.17), "hair_line": (-0.66, 0.12), "hair_volume": (0.11, 0.07), "hair_peak": (0.07, 0.07),
    "parting": (0.0, 1.0), "sideburn": (0.1, 0.25), "glasses_shape": (3.5, 1.5), "hat_tone": (0.36, 0.24),
}  # fmt: skip


def soft_step(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between; falls instead of rising where low > high."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def bell(x: Array, width: float) -> Array:
    """1 at 0, falling like a Gaussian; `width` is where it reaches 1/e."""
    return np.exp(-np.square(x / width))


def mix(a: Array | float, b: Array | float, weight: Array) -> Array:
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


# --- who is there, and in which subset -------------------------------------------------------------------------------

PRINTS = ("flat print", "bent print", "bordered print", "cut-out print", "torn print", "tilted print")
MASKS = ("latex mask", "plastic mask", "latex mask", "mannequin")  # the last only where no training subject wears it
TRAIN = ("train", 34)
# role -> live sessions (subset, frames), then attacks (subset, species, sessions, frames of each)
ROLES: dict[str, tuple[list[tuple[str, int]], list[tuple[str, str, int, int]]]] = {
    "both": (
        [TRAIN, TRAIN, ("seen_paper", 13), ("seen_mask", 15)],
        [("seen_paper", "paper", 3, 4), ("seen_mask", "mask", 3, 5)],
    ),
    "paper": ([TRAIN, TRAIN, ("seen_paper", 13)], [("seen_paper", "paper", 3, 4)]),
    "mask": ([TRAIN, TRAIN, ("seen_mask", 15)], [("seen_mask", "mask", 3, 5)]),
    "live": ([("live", 17)] * 3, []),
    "unseen_paper": ([("unseen_paper", 13)] * 3, [("unseen_paper", "paper", 6, 6)]),
    "unseen_mask": ([("unseen_mask", 13)] * 3, [("unseen_mask", "mask", 5, 8)]),
}
# Dealt to the subjects in turn; the first six already fill all six subsets.
ROLE_CYCLE = (
    *("both", "live", "unseen_paper", "unseen_mask", "paper", "mask", "both", "live"),
    *("paper", "unseen_paper", "mask", "unseen_mask", "both", "live", "paper"),
)


@dataclass(frozen=True)
class Session:
    """One recording: a subject before the camera, as itself (`species` and `detail` empty) or with one attack."""

    name: str
    number: int  # part of the random key
    subset: str
    species: str
    detail: str
    frames: int


def sessions_of_subject(seed: int, subject: int, share: float) -> list[Session]:
    """All recordings of one subject; `share` scales the frames of each (never below 1)."""
    live, attacks = ROLES[ROLE_CYCLE[subject % len(ROLE_CYCLE)]]
    found = [("abcd"[i], subset, "", "", frames) for i, (subset, frames) in enumerate(live)]
    for subset, species, count, frames in attacks:
        kinds = PRINTS if species == "paper" else MASKS if subset == "unseen_mask" else MASKS[:3]
        first = int(rng_of(seed, subject, 999).integers(len(kinds)))
        for i in range(count):
            found.append((f"{species[0]}{i + 1}", subset, species, kinds[(first + i) % len(kinds)], frames))
    return [
        Session(name, number, subset, species, detail, max(1, round(frames * share)))
        for number, (name, subset, species, detail, frames) in enumerate(found)
    ]


def drawn_traits(rng: Rng) -> Traits:
    return {name: float(rng.uniform(mid - half, mid + half)) for name, (mid, half) in TRAITS.items()}


def traits_of_subject(seed: int, subject: int) -> Traits:
    """The lasting looks of a subject: the numbers of TRAITS, its hair and beard, and what it tends to wear."""
    rng = rng_of(seed, subject)
    t = drawn_traits(rng)
    woman = float(rng.random() < 0.45)
    t["beard"] = (1 - woman) * float(rng.choice([0.0, 0.35, 0.7, 1.0], p=[0.4, 0.2, 0.15, 0.25]))
    t["long_hair"] = woman * float(rng.random() < 0.7)
    t["fringe"] = float(rng.random() < 0.15 + 0.2 * woman)
    t["bald"] = (1 - woman) * float(rng.random() < 0.2)
    t["glasses_habit"] = float(rng.choice([0.0, 0.5, 1.0], p=[0.5, 0.3, 0.2]))
    t["hat_habit"] = float(rng.choice([0.0, 0.5], p=[0.6, 0.4]))
    if woman:
        t |= {"brow_thick": t["brow_thick"] * 0.65, "lip": t["lip"] * 1.25, "jaw": t["jaw"] + 0.05}
        t |= {"brow_ridge": t["brow_ridge"] * 0.4, "width": t["width"] - 0.02, "neck": t["neck"] - 0.07}
    return t


def mask_traits(rng: Rng, detail: str) -> Traits:
    """The face of a mask: drawn anew, so that it resembles nobody."""
    t = drawn_traits(rng)
    t |= {"beard": 0.0, "long_hair": 0.0, "fringe": 0.0, "bald": 1.0, "width": t["width"] + 0.04, "ear": 0.07}
    t |= {"skin": float(rng.choice([0.42, 0.6, 0.8])), "age": 0.0, "cheek": 0.09, "seam": float(rng.uniform(0.5, 0.75))}
    t |= {"hole_w": float(rng.uniform(0.13, 0.175)), "hole_h": float(rng.uniform(0.065, 0.11)), "shine": 0.35}
    if detail == "plastic mask":
        t["shine"] = 0.5
    if detail == "mannequin":
        t |= {"skin": float(rng.uniform(0.55, 0.8)), "width": 0.73, "bald": float(rng.random() < 0.6), "shine": 0.6}
        t["painted"] = float(rng.random() < 0.5)
    return t


def looks_of_session(rng: Rng, traits: Traits, worn: Traits, species: str) -> Traits:
    """What one recording keeps: light, distance, posture, mood, clothes and accessories."""
    side = rng.choice([-1.0, 1.0])
    exposure = (0.7 / worn["skin"]) ** 0.7  # the camera's automatic exposure evens faces out
    own_face = species != "mask"
    looks = {
        "light_x": rng.normal(0.0, 0.28), "light_y": rng.uniform(-0.45, 0.2), "key": exposure * rng.uniform(0.78, 1.0),
        "fill_x": side, "fill": rng.choice([0.0, rng.uniform(0.1, 0.4)]), "ambient": rng.uniform(0.08, 0.18),
        "scale": rng.uniform(0.93, 1.07), "yaw": rng.normal(0.0, 4.0), "pitch": rng.normal(0.0, 4.0),
        "tilt": rng.normal(0.0, 2.5), "sway": rng.uniform(3.0, 13.0), "pace": rng.uniform(0.15, 0.5),
        "phase": rng.uniform(0.0, 6.28), "smile": rng.choice([0.0, 0.1, 0.6]), "talk": rng.choice([0.05, 0.2, 0.5]),
        "blur": rng.uniform(0.75, 1.1), "noise": rng.uniform(0.005, 0.016), "gamma": rng.uniform(0.8, 1.0),
        "cloth": rng.uniform(0.1, 0.65), "seat": rng.uniform(0.06, 0.2),
        "glasses": own_face and rng.random() < traits["glasses_habit"],
        "hat": (own_face and rng.random() < traits["hat_habit"]) * rng.choice([CAP, BEANIE]),
        "frame_tone": rng.uniform(0.03, 0.35), "frame_width": rng.integers(2, 5),
    }  # fmt: skip
    return {name: float(value) for name, value in looks.items()}


# --- a head at rest --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """Vertices on a (GRID, GRID) grid with their surface, and where the moving parts are."""

    traits: Traits
    cover: str  # "" for skin, else the attack's detail
    x: Array
    y: Array
    z: Array
    normal: tuple[Array, Array, Array]
    albedo: Array
    gloss: Array
    cavity: Array  # factor on the light: below 1 in hollows
    jaw: Array  # share of the jaw's drop that moves each vertex
    brow: Array  # share of the brows' lift
    eyes: list[tuple[float, Window]]  # side (-1, 1) and part of the grid of each eye
    mouth: Window


def egg(traits: Traits) -> tuple[Array, Array, Array, Array]:
    """x, y, z and longitude (radians, 0 in front) of a face-shaped egg; the grid is finest along the face's middle."""
    latitude = np.radians(np.linspace(-80, 87, GRID, dtype=np.float32))[:, None]
    across = np.linspace(-1, 1, GRID, dtype=np.float32)[None, :]
    longitude = math.radians(118) * (0.62 * across + 0.38 * across**3)
    y = (1.13 + traits["long"]) * np.sin(latitude) - 0.05 + 0 * longitude
    half_width = traits["width"] * np.cos(latitude) ** 0.55 * (1 - traits["jaw"] * soft_step(0.3, 1.15, y))
    half_depth = traits["depth"] * np.cos(latitude) ** 0.4 * (1 - 0.06 * soft_step(0.3, 1.15, y))
    power = traits["square"]
    radius = np.abs(np.sin(longitude) / half_width) ** power + np.abs(np.cos(longitude) / half_depth) ** power
    radius = radius ** (-1 / power)
    return radius * np.sin(longitude), y, radius * np.cos(longitude), longitude + 0 * y


def relief(traits: Traits, x: Array, y: Array) -> Array:
    """How far the features stand out of the egg, towards the camera."""
    t = traits
    eye_x, eye_y, tip, mouth = t["eye_x"], t["eye_y"], t["nose_len"] - 0.07, t["mouth_y"]
    bumps = [  # x (mirrored unless 0), y, width, height, how far out
        (eye_x, eye_y + 0.01, 0.18, 0.12, -0.085 * t["socket"]), (eye_x, eye_y + 0.005, 0.1, 0.07, 0.055),
        (eye_x * 0.85, t["brow_y"] + 0.01, 0.2, 0.06, 0.04 * t["brow_ridge"]), (0.43, 0.15, 0.18, 0.16, t["cheek"]),
        (0.38, 0.5, 0.14, 0.2, -0.03 * t["age"]), (0.95 * t["nose_w"], tip + 0.02, 0.05, 0.055, 0.075),
        (0, mouth - 0.02, 0.27, 0.2, 0.05), (0, mouth - 0.04, 0.15, 0.032, 0.035),
        (0, mouth - 0.12, 0.02, 0.05, -0.015), (0, mouth + 0.055, 0.13, 0.035, 0.04),
        (0, mouth + 0.15, 0.16, 0.05, -0.035), (0, 0.9, 0.16, 0.1, t["chin"]), (0.25, -0.45, 0.25, 0.2, 0.02),
    ]  # fmt: skip
    out = np.zeros_like(x)
    for bx, by, wide, high, amount in bumps:
        out += amount * (bell(x - bx, wide) + bell(x + bx, wide) if bx else bell(x, wide)) * bell(y - by, high)
    heights = np.array([0.0, t["nose_bridge"], 0.12, 0.21, 0.2, 0.1, 0.0]) * t["nose_high"]
    steps = [t["brow_y"] - 0.08, eye_y - 0.01, (eye_y + tip) / 2, tip - 0.03, tip + 0.02, tip + 0.07, tip + 0.13]
    ridge = ndimage.gaussian_filter1d(np.interp(y[:, 0], steps, heights), 2.5).astype(np.float32)
    width = np.interp(y[:, 0], [eye_y, tip], [0.065, t["nose_w"]]).astype(np.float32)
    return out + ridge[:, None] * np.exp(-(np.abs(x / width[:, None]) ** 2.1))


def normals(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """Unit normals (three arrays) of a grid of vertices, outwards."""
    down = [np.gradient(v, axis=0) for v in (x, y, z)]
    right = [np.gradient(v, axis=1) for v in (x, y, z)]
    nx = right[1] * down[2] - right[2] * down[1]
    ny = right[2] * down[0] - right[0] * down[2]
    nz = right[0] * down[1] - right[1] * down[0]
    length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    return nx / length, ny / length, nz / length


def window_around(x: Array, y: Array, z: Array, at: tuple[float, float], reach: tuple[float, float]) -> Window:
    """The part of the grid within `reach` of a point on the front of the face."""
    inside = (np.abs(x - at[0]) < reach[0]) & (np.abs(y - at[1]) < reach[1]) & (z > 0)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def hair_cover(rng: Rng, traits: Traits, x: Array, y: Array, longitude: Array) -> Array:
    """Share of hair on each vertex, 0 to 1: above a hairline with receding corners or a fringe, and beside the face."""
    strands = smooth_noise(rng, x.shape, 7.0, 1.5)
    ax = np.abs(x + 0.06 * traits["parting"])
    corners = traits["hair_peak"] * (1 - traits["fringe"]) * bell(ax - 0.38, 0.17)
    line = traits["hair_line"] + (0.008 + 0.014 * traits["fringe"]) * strands + 3.5 * np.maximum(ax - 0.56, 0) - corners
    line = line + traits["fringe"] * (0.18 + 0.1 * traits["parting"] * x)
    if traits["bald"]:
        return np.zeros_like(x)
    side = np.abs(longitude) + 0.012 * strands
    beside = soft_step(1.02, 1.3, side) * soft_step(traits["sideburn"] + 0.08, traits["sideburn"] - 0.08, y)
    if traits["long_hair"]:
        beside = soft_step(0.94, 1.24, side)
    return np.maximum(soft_step(0.04, -0.08, y - line), beside)


def beard_cover(rng: Rng, traits: Traits, x: Array, y: Array, longitude: Array) -> Array:
    """Share of beard on each vertex: jaw, chin and upper lip, not the lips."""
    if not traits["beard"]:
        return np.zeros_like(x)
    ax = np.abs(x)
    cheek_line = 0.3 + 0.28 * bell(ax - 0.3, 0.2) + 0.03 * smooth_noise(rng, x.shape, 3.0)
    jaw = soft_step(-0.06, 0.08, y - cheek_line) * soft_step(0.13, 0.2, ax) * soft_step(1.35, 1.05, np.abs(longitude))
    chin = soft_step(-0.04, 0.04, y - traits["mouth_y"] - 0.13) * soft_step(0.32, 0.18, ax)
    moustache = bell(y - (traits["nose_len"] + 0.1) - 0.4 * x * x, 0.05) * soft_step(0.36, 0.22, ax)
    lips = bell(x, 0.25) * bell(y - traits["mouth_y"], 0.085)
    return np.maximum(np.maximum(jaw, chin), moustache) * (1 - 0.9 * lips)


def brow_cover(rng: Rng, traits: Traits, x: Array, y: Array) -> Array:
    """Share of brow hair on each vertex."""
    along = (np.abs(x) - traits["eye_x"]) / 0.19
    middle = traits["brow_y"] - traits["brow_arch"] * (0.7 - (along - 0.2) ** 2) + 0.025 * along
    thick = traits["brow_thick"] * (0.9 - 0.3 * np.clip(along, -1, 1.2))
    ends = soft_step(-1.08, -0.8, along) * soft_step(1.2, 0.8, along)
    hairs = 0.9 + 0.15 * smooth_noise(rng, x.shape, 2.0, 0.8)
    return np.clip(np.exp(-(np.square((y - middle) / thick) ** 1.5)) * ends * hairs, 0, 1) * traits["brow_dark"]


def skin_albedo(rng: Rng, traits: Traits, x: Array, y: Array) -> Array:
    """Reflectance of bare skin in the near infrared: bright and even, with a few lines and moles."""
    t, ax = traits, np.abs(x)
    skin = t["skin"] * (1 + t["mottle"] * (smooth_noise(rng, x.shape, 9.0) + 0.3 * smooth_noise(rng, x.shape, 1.5)))
    fold = bell(ax - (0.15 + 0.55 * (y - 0.3)), 0.024) * soft_step(0.27, 0.34, y) * soft_step(0.66, 0.5, y)
    bag = bell(y - (t["eye_y"] + 0.12 - 0.9 * (ax - t["eye_x"]) ** 2), 0.022) * bell(ax - t["eye_x"], 0.13)
    lines = sum(bell(y - level + 0.1 * x * x, 0.011) for level in (-0.36, -0.43, -0.5)) * bell(x, 0.35)
    crows = bell(ax - t["eye_x"] - 0.24, 0.05) * np.square(np.sin(35 * (y - t["eye_y"]))) * bell(y - t["eye_y"], 0.08)
    skin = skin * (1 - t["age"] * (0.26 * fold + 0.13 * lines + 0.12 * crows) - 0.16 * t["bags"] * bag)
    for _ in range(int(rng.integers(0, 4))):
        skin = skin * (1 - 0.5 * bell(np.hypot(x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.85)), 0.016))
    nostril = bell(ax - 0.55 * t["nose_w"], 0.03) * bell(y - t["nose_len"] - 0.005, 0.016)
    wing = bell(np.hypot(ax - 0.9 * t["nose_w"], 1.1 * (y - t["nose_len"] + 0.05)) - 0.062, 0.012)
    return skin * (1 - 0.75 * nostril) * (1 - 0.22 * wing * soft_step(0.9, 1.3, ax / t["nose_w"]))


def mask_albedo(rng: Rng, cover: str, traits: Traits, x: Array, y: Array) -> Array:
    """Reflectance of latex or plastic: uniform but for seams and a slit of a mouth; painted lips on a mannequin."""
    t, ax = traits, np.abs(x)
    tone = t["skin"] * (1 + 0.015 * smooth_noise(rng, x.shape, 14.0))
    slit = bell(y - t["mouth_y"] - 0.1 * x * x, 0.018) * soft_step(t["mouth_w"], t["mouth_w"] - 0.05, ax)
    if cover == "mannequin":
        lips = bell(y - t["mouth_y"], 0.05) * soft_step(t["mouth_w"], 0.1, ax)
        return tone * (1 - 0.25 * lips - 0.25 * slit) * (1 - 0.3 * t["painted"] * brow_cover(rng, t, x, y))
    nostril = bell(ax - 0.058, 0.022) * bell(y - t["nose_len"], 0.013)
    seam = bell(ax - t["seam"] + 0.12 * np.abs(y), 0.012)
    return tone * (1 - 0.85 * slit) * (1 - 0.7 * nostril) * (1 - 0.22 * seam)


def mask_relief(rng: Rng, cover: str, traits: Traits, x: Array, y: Array, z: Array) -> Array:
    """A mask's depth: details melt away, latex sags, and the eye holes are cut in."""
    if cover == "mannequin":
        return ndimage.gaussian_filter(z, 1.5)
    z = ndimage.gaussian_filter(z, 4.0)
    if cover == "latex mask":
        z = z + 0.006 * smooth_noise(rng, x.shape, 7.0, 11.0)
    hole = np.hypot((np.abs(x) - traits["eye_x"]) / traits["hole_w"], (y - traits["eye_y"]) / traits["hole_h"])
    return z - 0.13 * soft_step(1.15, 0.85, hole)


def hat_albedo(rng: Rng, traits: Traits, hat: int, x: Array, y: Array, longitude: Array) -> Array:
    """Reflectance of a cap's panels or a knitted beanie."""
    seams = -0.5 * bell(np.sin(longitude * 2.5), 0.03) - 0.3 * bell(y + 0.52, 0.015)
    knit = 0.16 * np.sin(longitude * 60) + 0.2 * soft_step(-0.66, -0.68, y)
    pattern = knit if hat == BEANIE else seams
    return traits["hat_tone"] * (1 + pattern + 0.05 * smooth_noise(rng, x.shape, 1.0))


def head_at_rest(rng: Rng, traits: Traits, hat: int = 0, cover: str = "") -> Head:
    """A subject's head, bare (0) or in a hat, or the head of a mask or mannequin (`cover`)."""
    x, y, z, longitude = egg(traits)
    z = z + relief(traits, x, y) * soft_step(-0.1, 0.5, np.cos(longitude))
    if cover:
        z = mask_relief(rng, cover, traits, x, y, z)
    ear = bell(np.abs(longitude) - 1.62, 0.15) * np.sqrt(np.clip(1 - np.square((y - 0.06) / 0.28), 0, 1))
    hair = hair_cover(rng, traits, x, y, longitude)
    hair, ear = (hair, 0 * ear) if traits["long_hair"] else (hair * (1 - soft_step(0.2, 0.5, ear)), ear)
    beard = beard_cover(rng, traits, x, y, longitude)
    under_hat = min(hat, 1) * soft_step(0.025, -0.025, y + 0.5 - 0.1 * np.square(x))
    # What covers the skin shows before it rises, or its edge would be a bright step of skin.
    volume = traits["hair_volume"] * (1 + 0.12 * smooth_noise(rng, x.shape, 9.0, 5.0)) * hair
    grow = 1 + np.maximum(volume * (1 - under_hat), (0.07 + 0.03 * hat) * under_hat) + 0.015 * beard * traits["beard"]
    x, z = x * grow + np.sign(x) * traits["ear"] * ear, z * grow
    y = y - 0.8 * (grow - 1) * soft_step(0.0, -1.0, y)

    albedo = mask_albedo(rng, cover, traits, x, y) if cover else skin_albedo(rng, traits, x, y)
    albedo = albedo * (1 - 0.45 * ear * bell(np.abs(longitude) - 1.55, 0.08) * bell(y - 0.04, 0.14))
    if not cover:
        albedo = mix(albedo, 0.8 * traits["hair"], brow_cover(rng, traits, x, y))
    stubble = (traits["hair"] + 0.08) * (1 + 0.25 * smooth_noise(rng, x.shape, 1.8, 0.8))
    albedo = mix(albedo, stubble, beard * (0.25 + 0.6 * traits["beard"]))
    strands = smooth_noise(rng, x.shape, 16.0, 1.4) + smooth_noise(rng, x.shape, 16.0, 4.0)
    albedo = mix(albedo, traits["hair"] * (1 + 0.15 * strands), soft_step(0.0, 0.35, hair))
    albedo = albedo * (1 - 0.35 * min(hat, 1) * bell(y + 0.44, 0.09))  # the hat's shadow
    albedo = mix(albedo, hat_albedo(rng, traits, hat, x, y, longitude), under_hat)
    eye, mouth = (traits["eye_x"], traits["eye_y"]), traits["mouth_y"]
    return Head(
        traits, cover, x, y, z, normals(x, y, ndimage.gaussian_filter(z, 0.8)), albedo,
        gloss=traits["shine"] * (1 - np.maximum(hair * 0.7, under_hat)) * (1 - 0.8 * beard),
        cavity=np.clip(1 + 3.2 * (z - ndimage.gaussian_filter(z, 7.0, truncate=2.5)), 0.55, 1.12),
        jaw=soft_step(mouth - 0.14, mouth + 0.32, y) * soft_step(1.5, 0.6, np.abs(longitude)),
        brow=bell(y - traits["brow_y"], 0.13) * bell(np.abs(x) - eye[0], 0.25),
        eyes=[(side, window_around(x, y, z, (side * eye[0], eye[1]), (0.26, 0.17))) for side in (-1.0, 1.0)],
        mouth=window_around(x, y, z, (0.0, mouth), (0.42, 0.26)),
    )  # fmt: skip


# --- a face in motion ------------------------------------------------------------------------------------------------


def paint_eye(albedo: Array, head: Head, side: float, window: Window, mood: Traits, looks: Traits) -> None:
    """One eye into `albedo`: lids, sclera, iris, dark pupil, lashes and the illuminator's glint."""
    t = head.traits
    gaze_x, gaze_y = (0.0, 0.0) if head.cover == "mannequin" else (mood["gaze_x"], mood["gaze_y"])
    dx = side * head.x[window] - t["eye_x"]  # outwards, in both eyes
    dy = head.y[window] - t["eye_y"] + t["eye_tilt"] * dx
    along = dx / t["eye_w"]
    arch = np.clip(1 - along * along, 0, 1)
    upper = -t["eye_h"] * (1.55 * mood["lids"] - 0.55) * arch**0.65
    lower = 0.5 * t["eye_h"] * arch**0.8
    patch = albedo[window]
    if head.cover and head.cover != "mannequin":  # the wearer's lids, in the shade of the hole
        hole = np.hypot(dx / t["hole_w"], dy / t["hole_h"])
        patch = mix(mix(patch, 0.3, soft_step(1.1, 0.9, hole)), 0.1, bell(hole - 1.0, 0.13))
    from_iris = np.hypot(dx - side * gaze_x, dy - gaze_y + 0.01)
    ball = 0.64 * (1 - 0.3 * along * along) - 0.25 * bell(dy - upper, 0.025)
    ball = mix(ball, t["iris"] * (1 - 0.45 * bell(from_iris - 0.068, 0.014)), soft_step(0.078, 0.066, from_iris))
    ball = mix(ball, 0.03, soft_step(0.04, 0.03, from_iris))
    if head.cover != "mannequin":
        glint = np.hypot(dx - side * (0.55 * gaze_x + 0.02 * looks["light_x"] + 0.008), dy - 0.5 * gaze_y + 0.028)
        ball = mix(ball, 2.2, soft_step(0.017, 0.008, glint))
    shown = soft_step(-0.006, 0.006, dy - upper) * soft_step(0.006, -0.006, dy - lower) * (np.abs(along) < 1)
    near = np.abs(along) < 1.06
    lashes = bell(dy - upper + 0.004, 0.013) * near * (0.5 + 0.25 * np.clip(along, -1, 1))
    crease = bell(dy - upper + 0.055 - 0.02 * along, 0.012) * soft_step(1.2, 0.7, np.abs(along))
    patch = patch * (1 - 0.28 * crease) * (1 - 0.25 * bell(dy - lower, 0.008) * near)
    albedo[window] = mix(patch, ball, shown) * (1 - lashes)


def paint_mouth(albedo: Array, head: Head, mood: Traits) -> None:
    """Lips, the line between them, and the dark (with teeth, when smiling) of an open mouth."""
    t = head.traits
    x, y = head.x[head.mouth], head.y[head.mouth]
    along = x / (t["mouth_w"] * (1 + 0.22 * mood["smile"] - 0.12 * mood["open"]))
    arch = np.clip(1 - along * along, 0, 1)
    dy = y - t["mouth_y"] + 0.06 * mood["smile"] * along * along - 0.008 * bell(along, 0.25)
    gap = 0.075 * mood["open"] * arch**0.6
    upper = -gap - t["lip"] * 0.9 * arch**0.7 * (1 - 0.3 * bell(along, 0.16))
    lower = gap + t["lip"] * 1.1 * arch**0.6
    lips = soft_step(-0.008, 0.008, dy - upper) * soft_step(0.008, -0.008, dy - lower) * (arch > 0)
    inside = soft_step(-0.006, 0.006, dy + gap) * soft_step(0.006, -0.006, dy - gap) * (gap > 0.004)
    teeth = soft_step(0.0, 0.01, gap - 0.02) * soft_step(0.045, 0.03, dy + gap) * soft_step(0.75, 0.4, np.abs(along))
    corner = bell(np.abs(along) - 1.0, 0.1) * bell(dy, 0.025)
    seam = bell(dy, 0.012) * (np.abs(along) < 1.02) * (1 - inside)
    patch = albedo[head.mouth] * (1 - (1 - t["lip_dark"]) * lips) * (1 - 0.5 * seam) * (1 - 0.3 * corner)
    tongue = 0.16 * soft_step(0.0, 0.05, dy) * bell(along, 0.6)
    albedo[head.mouth] = mix(patch, 0.09 + tongue + (0.25 + 0.35 * mood["smile"]) * teeth, inside)


@dataclass(frozen=True)
class View:
    """Where a head point lands on the canvas: rotation, scale, then the shift that keeps the crop on the face."""

    turn: Array  # (3, 3)
    scale: float
    shift: tuple[float, float]

    def __call__(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Canvas column, canvas row, and depth towards the camera, which is about a metre away."""
        r = self.turn
        depth = r[2, 0] * x + r[2, 1] * y + r[2, 2] * z
        zoom = self.scale * 6.5 / (7.3 - depth)
        column = zoom * (r[0, 0] * x + r[0, 1] * y + r[0, 2] * z) + self.shift[0]
        return column, zoom * (r[1, 0] * x + r[1, 1] * y + r[1, 2] * z) + self.shift[1], depth

    def points(self, xyz: Array) -> list[tuple[float, float]]:
        """(n, 3) head points as (column, row) pairs, for drawing."""
        column, row, _ = self(*np.asarray(xyz, dtype=np.float32).T)
        return list(zip(column.tolist(), row.tolist(), strict=True))


def view_of(pose: Pose, scale: float, jitter: Array) -> View:
    """Turned sideways by pose_x, up by pose_y, tilted by pose_z degrees (positive: right, up, clockwise)."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(a), math.sin(a)) for a in map(math.radians, pose))
    turn = np.array([[cx, 0, sx], [0, 1, 0], [-sx, 0, cx]])
    nod = np.array([[1, 0, 0], [0, cy, -sy], [0, sy, cy]])
    tilt = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    still = View((tilt @ nod @ turn).astype(np.float32), UNIT * scale, (0.0, 0.0))
    [(column, row)] = still.points(np.array([[0.0, CENTRE_Y, 0.6]]))
    return View(still.turn, still.scale, (CANVAS / 2 - column + float(jitter[0]), CANVAS / 2 - row + float(jitter[1])))


def lit(head: Head, view: View, looks: Traits, albedo: Array) -> Array:
    """(GRID, GRID) brightness of each vertex: softened Lambert, hollows, and a sheen."""
    nx, ny, nz = head.normal

    def facing(x: float, y: float, z: float) -> Array:
        """Cosine between each normal and a direction of the camera's frame."""
        light = view.turn.T @ (np.array([x, y, z], dtype=np.float32) / np.float32(math.hypot(x, y, z)))
        return light[0] * nx + light[1] * ny + light[2] * nz

    key = facing(looks["light_x"], looks["light_y"], 1.0)
    light = looks["ambient"] + looks["key"] * np.maximum(0.86 * key + 0.14, 0)
    if looks["fill"]:
        light += looks["fill"] * np.maximum(0.7 * facing(looks["fill_x"], -0.2, 0.25) + 0.3, 0)
    light *= head.cavity * (0.86 + 0.2 * head.z)  # the illuminator is near, so the nose gets more than the ears
    sheen = np.maximum(facing(0.5 * looks["light_x"], 0.5 * looks["light_y"], 1.0), 0)
    for _ in range(6 if head.cover in ("mannequin", "plastic mask") else 4):
        sheen = sheen * sheen
    return albedo * light + head.gloss * sheen


def drawn(view: View, head: Head, y: Array, value: Array, behind: Array) -> Array:
    """(CANVAS, CANVAS): the lit vertices over the scene, far ones first, each on 2 x 2 pixels so that no gaps open."""
    column, row, depth = view(head.x, y, head.z)
    towards = view.turn[2, 0] * head.normal[0] + view.turn[2, 1] * head.normal[1] + view.turn[2, 2] * head.normal[2]
    shown = (towards > -0.4) & (column >= 0) & (column < CANVAS - 1) & (row >= 0) & (row < CANVAS - 1)
    ids = np.flatnonzero(shown)
    ids = ids[np.argsort((depth.ravel()[ids] * 8000).astype(np.int16), kind="stable")]
    pixel = row.ravel()[ids].astype(np.int32) * CANVAS + column.ravel()[ids].astype(np.int32)
    targets = (pixel[:, None] + np.array([CANVAS + 1, CANVAS, 1, 0], dtype=np.int32)).ravel()
    canvas = behind.ravel().copy()
    canvas[targets] = np.repeat(value.ravel()[ids], 4)
    return canvas.reshape(CANVAS, CANVAS)


# --- what is around the head -----------------------------------------------------------------------------------------


def scene_grid(scale: float) -> tuple[Array, Array]:
    """Head coordinates (x, y) of the padded canvas' pixels, for a head that looks straight ahead."""
    axis = (np.arange(-PAD, CANVAS + PAD, dtype=np.float32) - CANVAS / 2) / (UNIT * scale)
    return axis[None, :] + 0 * axis[:, None], axis[:, None] + CENTRE_Y + 0 * axis[None, :]


def box(x: Array, y: Array, wide: float, high: float, power: float = 4.0) -> Array:
    """1 inside a rounded box about 0, 0 outside."""
    return soft_step(1.05, 0.98, (np.abs(x / wide) ** power + np.abs(y / high) ** power) ** (1 / power))


def out_of_focus(tone: Array) -> Array:
    """A background worked out on every fourth pixel, blurred, at full size."""
    return ndimage.zoom(ndimage.gaussian_filter(tone, 0.8), 4, order=1, grid_mode=True, mode="nearest")


def cabin(rng: Rng, looks: Traits, x: Array, y: Array) -> Array:
    """A car at night: headrest, seat, a window with its pillar; out of focus."""
    x, y = x[::4, ::4], y[::4, ::4]
    slant = looks["fill_x"] * x + float(rng.uniform(-0.1, 0.3)) * y
    glow = float(rng.uniform(0.04, 0.35)) * (0.7 + 0.3 * smooth_noise(rng, x.shape, 6.0))
    window = np.maximum(glow, 0) * soft_step(0.55, 0.62, slant) * soft_step(0.55, 0.45, y)
    pillar = soft_step(0.05, 0.04, np.abs(slant - float(rng.uniform(0.85, 1.15))))
    seat_x = x - float(rng.normal(0.0, 0.15))
    tone = 0.03 + window * (1 - 0.9 * pillar)
    tone = mix(tone, looks["seat"] * (1.1 - 0.3 * y), box(seat_x, y + 0.35, 0.95, 0.62))
    return out_of_focus(mix(tone, looks["seat"] * 0.8, box(seat_x, y - 1.6, 1.5, 1.0)))


def office(rng: Rng, x: Array, y: Array) -> Array:
    """A light wall with the edge of a door, a shelf or a notice board; out of focus."""
    x, y = x[::4, ::4], y[::4, ::4]
    tilt = rng.uniform(-0.12, 0.12, 2).astype(np.float32)
    tone = float(rng.uniform(0.55, 0.85)) * (1 + tilt[0] * x + tilt[1] * y)
    for _ in range(int(rng.integers(1, 4))):
        at_x, at_y, wide, high = (float(v) for v in rng.uniform([-1.2, -1, 0.1, 0.2], [1.2, 1, 0.6, 1.2]))
        tone = mix(tone, tone * float(rng.uniform(0.45, 1.15)), box(x - at_x, y - at_y, wide, high, 12.0))
    return out_of_focus(tone)


def scene(rng: Rng, head: Head, looks: Traits) -> Array:
    """(CANVAS + 2 PAD) squared: cabin, shoulders, neck and long hair, in front of which the head is drawn."""
    t = head.traits
    x, y = scene_grid(looks["scale"])
    tone, ax = cabin(rng, looks, x, y), np.abs(x)
    if t["long_hair"]:
        outline = t["width"] + t["hair_volume"] + 0.06 + 0.05 * np.sin(2.2 * y + looks["phase"])
        strands = 1 + 0.2 * smooth_noise(rng, x.shape, 20.0, 2.0)
        tone = mix(tone, t["hair"] * 0.75 * strands, soft_step(0.04, -0.04, ax - outline) * soft_step(-0.6, -0.4, y))
    half_neck = t["neck"] + 0.35 * np.maximum(y - 1.0, 0)
    neck = t["skin"] * looks["key"] * (1 - 0.75 * np.square(x / half_neck)) * (0.3 + 0.6 * soft_step(0.8, 1.3, y))
    throat = soft_step(-0.02, 0.03, half_neck - ax) * soft_step(0.3, 0.4, y)
    if head.cover == "mannequin":
        return mix(tone, neck, throat)
    cloth = looks["cloth"] * (0.85 + 0.1 * smooth_noise(rng, x.shape, 8.0))
    tone = mix(tone, cloth, soft_step(-0.02, 0.02, y - 1.05 - 0.28 * np.maximum(ax - 0.4, 0)))
    return mix(tone, neck, throat * soft_step(0.02, -0.02, y - 1.22 + 0.6 * x * x))


def cap_brim(image: Array, view: View, looks: Traits, traits: Traits) -> Array:
    """A cap's brim, a curved sheet over the forehead."""
    angle = np.linspace(-1.15, 1.15, 24)
    near = np.stack([0.78 * np.sin(angle), -0.52 - 0.02 * np.cos(angle), 0.86 * np.cos(angle)], axis=1)
    far_y = -0.56 + 0.045 * (1 - np.cos(2 * angle))
    far = np.stack([0.74 * np.sin(angle), far_y, 0.5 + 0.85 * np.cos(angle)], axis=1)
    cover = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(cover).polygon(view.points(np.concatenate([near, far[::-1]])), fill=255)
    weight = ndimage.gaussian_filter(np.asarray(cover, dtype=np.float32) / 255, 1.0)
    shade = np.linspace(1.1, 0.6, CANVAS, dtype=np.float32)[:, None]
    return mix(image, traits["hat_tone"] * shade * looks["key"], weight)


def spectacles(image: Array, view: View, looks: Traits, traits: Traits, glare: float) -> Array:
    """Glasses: two rims, a bridge, temples, slightly dim lenses and the illuminator's reflections on them."""
    eye_y, width = traits["eye_y"], int(looks["frame_width"])
    pen, lens, shine = (Image.new("L", (CANVAS, CANVAS)) for _ in range(3))
    angle = np.linspace(0, 2 * np.pi, 40)
    ring_x, ring_y = (np.sign(v) * np.abs(v) ** (2 / traits["glasses_shape"]) for v in (np.cos(angle), np.sin(angle)))
    bridge = np.array([[-0.11, eye_y - 0.02, 1.0], [0.0, eye_y - 0.05, 1.03], [0.11, eye_y - 0.02, 1.0]])
    ImageDraw.Draw(pen).line(view.points(bridge), fill=255, width=width)
    for side in (-1.0, 1.0):
        x = side * traits["eye_x"] * 1.03 + 0.215 * ring_x
        rim = view.points(np.stack([x, eye_y + 0.035 + 0.15 * ring_y, 1.0 - 0.28 * x * x], axis=1))
        temple = np.array([[side * 0.54, eye_y - 0.03, 0.9], [side * (traits["width"] + 0.01), eye_y - 0.03, 0.1]])
        ImageDraw.Draw(pen).line(rim, fill=255, width=width)
        if side * view.turn[0, 2] < 0.1:  # the far temple hides behind the face
            ImageDraw.Draw(pen).line(view.points(temple), fill=255, width=width)
        ImageDraw.Draw(lens).polygon(rim, fill=255)
        column, row = np.mean(rim, axis=0)
        column, row = column + 9 * looks["light_x"] - 60 * view.turn[2, 0], row + 6 - 36 * view.turn[2, 1]
        size = 2.5 + 6 * glare
        ImageDraw.Draw(shine).ellipse((column - size, row - 0.7 * size, column + size, row + 0.7 * size), fill=255)
    pens, lenses, shines = (
        ndimage.gaussian_filter(np.asarray(v, np.float32) / 255, 0.8, truncate=2.0) for v in (pen, lens, shine)
    )
    image = mix(image * (1 - 0.1 * lenses) + 0.02 * lenses, 1.15, shines * lenses * (0.5 + 0.5 * glare))
    return mix(image, looks["frame_tone"], pens)


def finger(image: Array, tip: Array, root: Array, radius: float, tone: float, nail: bool = False) -> Array:
    """A finger from tip to root (column, row), tapering towards the tip, round and lit from the front."""
    low = np.clip(np.minimum(tip, root) - radius - 2, 0, CANVAS).astype(int)
    high = np.clip(np.maximum(tip, root) + radius + 3, 0, CANVAS).astype(int)
    if (high <= low).any():
        return image
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    dx, dy = float(root[0] - tip[0]), float(root[1] - tip[1])
    length = math.hypot(dx, dy)
    x, y = columns - float(tip[0]), rows - float(tip[1])
    along = np.clip((x * dx + y * dy) / length**2, 0, 1)
    distance = np.hypot(x - along * dx, y - along * dy) / (radius * (0.8 + 0.2 * soft_step(0.0, 0.5, along)))
    bulge = np.sqrt(np.clip(1 - distance * distance, 0, 1))
    value = tone * (0.4 + 0.6 * bulge) * (1 - 0.06 * bell(along * length - 2.8 * radius, 0.4 * radius))
    if nail:
        value = value * (1 + 0.15 * soft_step(0.62, 0.5, np.hypot(x, y) / radius))
    out = image.copy()
    part = out[low[1] : high[1], low[0] : high[0]]
    part *= 1 - 0.35 * soft_step(1.35, 1.0, distance)  # the shadow it throws beside itself
    part[...] = mix(part, value, soft_step(1.0, 0.88, distance))
    return out


def hand_on_face(image: Array, rng: Rng, tone: float) -> Array:
    """A hand that supports the chin, rubs an eye or scratches a cheek."""
    side = float(rng.choice([-1.0, 1.0]))
    centre = np.array([CANVAS / 2 + side * rng.uniform(15, 70), rng.uniform(0.42, 0.75) * CANVAS])
    lean = float(rng.uniform(-0.1, 0.7)) * side
    out, across = np.array([math.sin(lean), math.cos(lean)]), side * np.array([math.cos(lean), -math.sin(lean)])
    radius, spread = float(rng.uniform(11.5, 13.5)), float(rng.uniform(1.6, 2.3))
    palm = centre + out * 105
    image = finger(image, palm + out * 8, palm + out * 160, 3.2 * radius, tone * 0.95)
    image = finger(image, centre + out * 62 - across * 58, palm + out * 45 - across * 22, radius * 1.15, tone)
    for i, short in enumerate((20, 4, 0, 14)):
        tip = centre - across * (1.5 - i) * spread * radius + out * short
        root = palm - across * (1.5 - i) * 1.5 * radius + out * 30
        image = finger(image, tip, root, radius * (0.88 if i == 3 else 1), tone)
    return image


# --- frames ----------------------------------------------------------------------------------------------------------


def pose_of_frame(rng: Rng, looks: Traits, frame: int) -> Pose:
    """(pose_x, pose_y, pose_z) in degrees: a slow sway about the session's posture, now and then a glance aside."""
    beat, sway = looks["phase"] + looks["pace"] * frame, looks["sway"]
    glance = rng.choice([0.0, rng.normal(0, 20.0)], p=[0.88, 0.12])
    yaw = looks["yaw"] + sway * math.sin(beat) + glance + rng.normal(0, 1.5)
    pitch = looks["pitch"] + 0.4 * sway * math.sin(0.7 * beat + 1.0) + rng.normal(0, 1.5)
    tilt = looks["tilt"] + 0.3 * sway * math.sin(0.5 * beat + 2.0) + rng.normal(0, 1.0)
    return float(np.clip(yaw, -38, 38)), float(np.clip(pitch, -18, 18)), float(np.clip(tilt, -14, 14))


def mood_of_frame(rng: Rng, traits: Traits, looks: Traits) -> Traits:
    """Mouth, smile, brows, lids and gaze of one frame."""
    blinks, talks = rng.random() < 0.06, rng.random() < looks["talk"]
    return {
        "open": float(rng.beta(1, 2)) * talks,
        "smile": float(np.clip(looks["smile"] + rng.normal(0, 0.12), 0, 1)),
        "lift": float(rng.normal(0.0, 0.025)),
        "lids": 0.1 if blinks else float(np.clip(traits["lid_rest"] + rng.normal(0, 0.07), 0.6, 1.1)),
        "gaze_x": float(rng.normal(0, 0.025)),
        "gaze_y": float(rng.normal(0.0, 0.009)),
    }


def face_image(head: Head, behind: Array, looks: Traits, pose: Pose, mood: Traits, rng: Rng) -> Array:
    """(CANVAS, CANVAS) gray: the head in a pose and mood before its scene, with its hat and glasses."""
    albedo = head.albedo.copy()
    for side, window in head.eyes:
        if head.cover != "mannequin" or head.traits["painted"]:
            paint_eye(albedo, head, side, window, mood, looks)
    y = head.y
    if not head.cover:
        paint_mouth(albedo, head, mood)
        y = y + 0.13 * mood["open"] * head.jaw - mood["lift"] * head.brow
    view = view_of(pose, looks["scale"] * float(rng.normal(1.0, 0.01)), rng.normal(0, 2.5, 2))
    [pivot] = view.points(np.array([[0.0, CENTRE_Y, -0.1]]))  # neck and seat stay behind when the face turns
    left, top = (int(np.clip(PAD + CANVAS / 2 - at, 0, 2 * PAD)) for at in pivot)
    image = drawn(view, head, y, lit(head, view, looks, albedo), behind[top : top + CANVAS, left : left + CANVAS])
    if looks["hat"] == CAP:
        image = cap_brim(image, view, looks, head.traits)
    if looks["glasses"]:
        image = spectacles(image, view, looks, head.traits, float(rng.beta(1, 3)))
    return image


def sensor_image(image: Array, rng: Rng, looks: Traits) -> npt.NDArray[np.uint8]:
    """(SIZE, SIZE) bytes: the lens' blur, the sensor's noise, its curve."""
    image = ndimage.gaussian_filter(image, looks["blur"] * 1.2, truncate=3.0)
    small = np.maximum(image.reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3)), 0) ** looks["gamma"]
    small = small + looks["noise"] * (0.5 + np.sqrt(small)) * rng.standard_normal((SIZE, SIZE), dtype=np.float32)
    small = np.where(small > 0.75, 0.75 + 0.25 * np.tanh((small - 0.75) / 0.25), small)  # highlights roll off
    return np.clip(np.rint(small * 255), 0, 255).astype(np.uint8)


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


def printed(rng: Rng, picture: Array, detail: str) -> Sheet:
    """The sheet for one print session, from a (CANVAS, CANVAS) picture of the subject."""
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


def print_image(sheet: Sheet, wall: Array, looks: Traits, rng: Rng, pose: Pose) -> Array:
    """(CANVAS, CANVAS) gray: the sheet held before the camera, lit, perhaps with fingers on its edge."""
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
    return image


# --- the data set ----------------------------------------------------------------------------------------------------

Frame = tuple[npt.NDArray[np.uint8], dict[str, object]]


@lru_cache(maxsize=3)
def own_head(seed: int, subject: int, hat: int) -> Head:
    """A subject's head; its moles and hairs are the same in every session."""
    return head_at_rest(rng_of(seed, subject, 998), traits_of_subject(seed, subject), hat)


def session_images(seed: int, subject: int, traits: Traits, session: Session) -> Iterator[Frame]:
    """Each frame of a session: (SIZE, SIZE) bytes, with the manifest's pose and free columns."""
    rng = rng_of(seed, subject, session.number)
    mask = session.species == "mask"
    worn = mask_traits(rng, session.detail) if mask else traits
    looks = looks_of_session(rng, traits, worn, session.species)
    head = head_at_rest(rng, worn, cover=session.detail) if mask else own_head(seed, subject, int(looks["hat"]))
    behind = scene(rng, head, looks)
    if session.species == "paper":
        still = looks | {"fill": 0.0, "light_x": 0.0, "key": 0.95 * (0.7 / worn["skin"]) ** 0.7}
        mood = mood_of_frame(rng, traits, still) | {"lids": 0.95}
        picture = face_image(head, behind, still, (float(rng.normal(0, 5)), float(rng.normal(0, 3)), 0.0), mood, rng)
        sheet = printed(rng, picture, session.detail)
        x, y = (v[PAD:-PAD, PAD:-PAD] for v in scene_grid(looks["scale"]))
        wall = office(rng, x, y) if rng.random() < 0.6 else cabin(rng, looks, x, y)
    for frame in range(session.frames):
        rng = rng_of(seed, subject, session.number, frame)
        pose = pose_of_frame(rng, looks, frame)
        hand = not session.species and rng.random() < 0.05
        if session.species == "paper":
            image = print_image(sheet, wall, looks, rng, pose)
        else:
            image = face_image(head, behind, looks, pose, mood_of_frame(rng, traits, looks), rng)
        if hand:
            image = hand_on_face(image, rng, 1.15 * traits["skin"] * looks["key"])
        facts = {"glasses": looks["glasses"], "hat": looks["hat"], "beard": worn["beard"] > 0.5, "hand": hand}
        columns: dict[str, object] = {f"pose_{axis}": round(angle, 2) for axis, angle in zip("xyz", pose, strict=True)}
        yield sensor_image(image, rng, looks), columns | {name: "yes" if fact else "no" for name, fact in facts.items()}


def render_subject(root: Path, seed: int, share: float, subject: int) -> list[dict[str, object]]:
    """Writes all images of one subject; returns its rows of the manifest.

    The rows are also kept in a file, written last, so that a subject that is done is not rendered again after an
    interruption.
    """
    traits, name = traits_of_subject(seed, subject), f"s{subject + 1:02d}"
    folder, done = Path("images") / name, root / DONE / f"{name}.json"
    identity = {"seed": seed, "share": share}
    if done.is_file() and (kept := json.loads(done.read_text()))["identity"] == identity:
        return list(kept["rows"])
    rows: list[dict[str, object]] = []
    for session in sessions_of_subject(seed, subject, share):
        session_id = f"{name}_{session.name}"
        for frame, (pixels, columns) in enumerate(session_images(seed, subject, traits, session)):
            sample_id = f"{session_id}_f{frame:03d}"
            path = folder / f"{sample_id}.png"
            with atomic_file(root / path) as temporary:
                Image.fromarray(pixels).save(temporary, format="PNG", compress_level=1)
            about = {"path": path.as_posix(), "sample_id": sample_id}
            about |= {"label": "attack" if session.species else "bona_fide", "pai_species": session.species}
            about |= {"subject_id": name, "session_id": session_id, "subset": session.subset}
            about |= {"video_id": f"{session_id}_v1"}
            rows.append({**about, "frame": frame, **columns, "attack_detail": session.detail})
    with atomic_file(done) as temporary:
        temporary.write_text(json.dumps({"identity": identity, "rows": rows}))
    return rows


def render_data_set(
    root: Path,
    seed: int = 0,
    *,
    subjects: int = 30,
    processes: int | None = None,
    share: float = 1.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Renders the demo's data set under `root` and returns the path of its manifest.csv, which is written last.

    Images are 128 x 128 gray PNGs, about 2,600 of them. `share` scales the frames of every session: 0.1 makes a small
    set of the same design. The same seed gives the same bytes, whatever the number of `processes` (default: one per
    core). `on_progress(done, total)` counts subjects. Interrupted and called again, it goes on with the next subject.
    """
    if subjects < 6:
        raise BadInputError(f"{subjects} subjects cannot fill the six subsets without sharing; ask for at least 6.")
    work = partial(render_subject, root, seed, share)
    rows: dict[int, list[dict[str, object]]] = {}

    def keep(subject: int, result: list[dict[str, object]]) -> None:
        rows[subject] = result
        if on_progress is not None:
            on_progress(len(rows), subjects)

    processes = processes or os.cpu_count() or 1
    if processes == 1:
        for subject in range(subjects):
            keep(subject, work(subject))
    else:
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            pending = {pool.submit(work, subject): subject for subject in range(subjects)}
            for future in as_completed(pending):
                keep(pending[future], future.result())
    manifest = root / "manifest.csv"
    write_table(pd.DataFrame([row for subject in range(subjects) for row in rows[subject]]), manifest)
    shutil.rmtree(root / DONE)
    return manifest
