"""Simulated presentation attacks on real live images, so that a data set without attacks can be explored.

Each species is a small model of how its attack reaches a camera, not a filter:

- ``paper``: a print (printer's tones, halftone screen, paper white) held in front of the camera: turned, bent, lit from
  the side, often with its margin and the surroundings in view.
- ``replay``: a compressed video on a screen: raised black, pixel lattice and the moiré it makes with the camera's own
  pixels, rolling bands, reflections, often the bezel.
- ``mask``: a rubber mask over the face: one albedo, the relief of a face in smooth shading, highlights, cut-out eyes
  and mouth with dark rims, an edge and a seam.

They are stand-ins: good for trying out tools, no evidence of how a detector does on real attacks. All functions take
one image (H, W) of floats in [0, 1], a face roughly centred, and a generator that alone decides what comes out. Lengths
are pixels of an image that is 128 on its shorter side, and grow with the image (`_unit`).
"""

import hashlib
import io
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fas_core.data.images import UnreadableImageError, load, pixels
from fas_core.data.manifest import Manifest, relocated, write
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.files import atomic_file
from fas_core.progress import task

_log = logging.getLogger(__name__)

LIVE_ONLY_SHARE = 0.2  # of the subjects: they get no attacks

Plane = NDArray[np.floating[Any]]
"""(H, W)"""
Species = Callable[[Plane, np.random.Generator], NDArray[np.float32]]


def simulated(image: Plane, species: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """`image` (H, W) in [0, 1] as an attack of `species` would show it: (H, W) float32 in [0, 1]."""
    return _known(species)(np.asarray(image, dtype=np.float32), rng)


def _known(species: str) -> Species:
    if species not in SPECIES:
        raise BadInputError(f"no simulated attack species {species!r}; there are {', '.join(SPECIES)}")
    return SPECIES[species]


def paper(image: Plane, rng: np.random.Generator) -> NDArray[np.float32]:
    """A print of `image` (H, W) in front of the camera."""
    shape, unit = image.shape, _unit(image.shape)
    u, v = _viewed_from(shape, rng, turn=3.5, zoom=(0.80, 1.10), lean=0.06)
    v, light = _bent(u, v, rng)
    ink = _sampled(image, u, v) ** rng.uniform(0.85, 1.25)
    ink = ink + 0.35 * (ink * ink * (3 - 2 * ink) - ink)  # a printer's slight S: shadows and highlights run together
    ink = _halftoned(ink, u, v, rng)
    in_photo = _coverage(_inset(u, v, shape))
    margin = rng.uniform(0.02, 0.14)
    ink = 1 + in_photo * (ink - 1)
    black, white = rng.uniform(0.10, 0.20), rng.uniform(0.80, 0.93)
    grain = 0.012 * rng.standard_normal(shape, dtype=np.float32)
    sheet = (black + (white - black) * ink + grain) * light
    if rng.random() < 0.6:
        sheet = sheet + _soft_spot(shape, rng, strength=rng.uniform(0.08, 0.28))
    inset = _inset(u / (1 + margin), v / (1 + margin), shape)
    lit_u, lit_v = u / (1 + margin) + rng.uniform(-0.08, 0.08), v / (1 + margin) + rng.uniform(-0.08, 0.08)
    shadow = np.clip(0.5 + _inset(lit_u, lit_v, shape) / (9 * unit), 0, 1)
    behind = _surroundings(shape, rng) * (1 - 0.55 * shadow)
    seen = behind + _coverage(inset) * (sheet - behind)
    return _photographed(seen, rng, blur=0.45 * unit, noise=0.010)


def replay(image: Plane, rng: np.random.Generator) -> NDArray[np.float32]:
    """`image` (H, W) played on a screen in front of the camera."""
    shape, unit = image.shape, _unit(image.shape)
    u, v = _viewed_from(shape, rng, turn=3.0, zoom=(0.84, 1.14), lean=0.05)
    video = _compressed(image, quality=int(rng.integers(25, 60)))
    shown = _sampled(video, u, v) ** rng.uniform(0.75, 1.15)
    shown = ndimage.gaussian_filter(shown, 0.5 * unit)
    shown *= 1 + rng.uniform(0.15, 0.35) * (shown - 0.5)  # the display's own contrast
    black, peak = rng.uniform(0.07, 0.16), rng.uniform(0.85, 1.02)
    screen = (black + (peak - black) * shown) * _lattice(u, v, rng) * _bands(shape, rng)
    inset = _inset(u, v, shape, corner=rng.uniform(2, 9) * unit)
    bezel = rng.uniform(0.02, 0.07) + 0.10 * np.exp(-((inset + 1.5 * unit) ** 2) / (0.8 * unit) ** 2)
    device = bezel + _coverage(inset) * (screen - bezel)
    device = device + _reflection(u, v, rng)
    width = rng.uniform(6, 13) * unit
    behind = _surroundings(shape, rng)
    seen = behind + _coverage(inset + width) * (device - behind)
    return _photographed(seen, rng, blur=0.3 * unit, noise=0.008)


def mask(image: Plane, rng: np.random.Generator) -> NDArray[np.float32]:
    """The face in `image` (H, W) behind a rubber mask."""
    unit = _unit(image.shape)
    face = _Face(image, rng)
    worn = _latex(image, face, rng)
    for opening, depth in ((face.eyes(), rng.uniform(0.45, 0.75)), (face.mouth(rng), rng.uniform(0.10, 0.35))):
        rim = np.exp(-((opening / (1.5 * unit)) ** 2))  # the cut edge lies in its own shadow
        lip = np.exp(-(((opening + 2.8 * unit) / (1.1 * unit)) ** 2))  # and the rubber's thickness catches light
        worn = worn * (1 - 0.70 * rim) + 0.05 * lip
        worn = worn + _coverage(opening) * (depth * image * (1 - 0.6 * rim) - worn)
    edge = face.outline()
    shadow = np.clip(1 + edge / (6 * unit), 0, 1)  # on hair and neck
    beside = image * (1 - rng.uniform(0.25, 0.55) * shadow)
    worn = worn * (1 - rng.uniform(0.2, 0.5) * np.exp(-((edge / (1.4 * unit)) ** 2)))
    seen = beside + _coverage(edge) * (worn - beside)
    return _photographed(seen, rng, blur=0.4 * unit, noise=0.008)


SPECIES: dict[str, Species] = {"paper": paper, "replay": replay, "mask": mask}


# --- how a flat thing is seen -------------------------------------------------------------------------------------


def _unit(shape: tuple[int, ...]) -> float:
    """Pixels of this image per pixel of one that is 128 on its shorter side."""
    return min(shape) / 128


def _centred(shape: tuple[int, ...]) -> tuple[Plane, Plane]:
    """(x, y): pixels from the centre, as a row (1, W) and a column (H, 1)."""
    height, width = shape
    x = np.arange(width, dtype=np.float32)[np.newaxis] - (width - 1) / 2
    y = np.arange(height, dtype=np.float32)[:, np.newaxis] - (height - 1) / 2
    return x, y


def _viewed_from(
    shape: tuple[int, ...], rng: np.random.Generator, turn: float, zoom: tuple[float, float], lean: float
) -> tuple[Plane, Plane]:
    """(u, v), each (H, W): where on a flat picture every camera pixel looks; the picture spans -1 to 1.

    turn: standard deviation of the rotation in degrees; zoom: its range, below 1 the edges come into view;
    lean: largest relative change of scale from the centre to an edge (perspective).
    """
    height, width = shape
    x, y = _centred(shape)
    angle = math.radians(rng.normal(0, turn))
    scale = rng.uniform(*zoom)
    lean_x, lean_y = rng.uniform(-lean, lean), rng.uniform(-lean, lean)
    shift_x, shift_y = rng.normal(0, 0.035), rng.normal(0, 0.035)
    depth = scale * (1 + lean_x * x * (2 / width) + lean_y * y * (2 / height))
    u = (math.cos(angle) * x - math.sin(angle) * y) * (2 / width) / depth + shift_x
    v = (math.sin(angle) * x + math.cos(angle) * y) * (2 / height) / depth + shift_y
    return u, v


def _sampled(image: Plane, u: Plane, v: Plane) -> Plane:
    """`image` at picture coordinates (u, v), its outermost pixels continued outwards."""
    height, width = image.shape
    rows, columns = (v + 1) * (height / 2) - 0.5, (u + 1) * (width / 2) - 0.5
    seen: Plane = ndimage.map_coordinates(image, [rows, columns], order=1, mode="nearest", output=np.float32)
    return np.clip(seen, 0, 1)


def _inset(u: Plane, v: Plane, shape: tuple[int, ...], corner: float = 0.0) -> Plane:
    """(H, W) distance in pixels from the picture's edge, positive inside; corners rounded by `corner` pixels."""
    height, width = shape
    x = np.abs(u) * (width / 2) - (width / 2 - corner)
    y = np.abs(v) * (height / 2) - (height / 2 - corner)
    if not corner:
        return -np.maximum(x, y)
    return corner - np.hypot(np.maximum(x, 0), np.maximum(y, 0)) - np.minimum(np.maximum(x, y), 0)


def _coverage(inset: Plane) -> Plane:
    """Share of each pixel that lies inside an edge at distance `inset` (pixels, positive inside)."""
    return np.clip(inset + 0.5, 0, 1)


def _clouds(shape: tuple[int, ...], rng: np.random.Generator, cells: int) -> Plane:
    """(H, W) smooth noise of standard deviation about 1, with `cells` bumps along each side."""
    coarse = Image.fromarray(rng.standard_normal((cells + 1, cells + 1), dtype=np.float32))
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def _smoothed(image: Plane, cells: int) -> Plane:
    """`image` (H, W) with only what `cells` samples along the shorter side can hold."""
    height, width = image.shape
    scale = cells / min(image.shape)
    coarse = Image.fromarray(image).resize(
        (max(2, round(scale * width)), max(2, round(scale * height))), Image.Resampling.HAMMING
    )
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def _surroundings(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """(H, W) what is in view around the attack: a wall or a desk, out of focus."""
    return np.clip(rng.uniform(0.12, 0.65) + 0.10 * _clouds(shape, rng, 2) + 0.03 * _clouds(shape, rng, 7), 0, 1)


def _soft_spot(shape: tuple[int, ...], rng: np.random.Generator, strength: float) -> Plane:
    """(H, W) light of a lamp on a half-glossy surface: an oblique soft ellipse, at most `strength`."""
    x, y = _centred(shape)
    size = min(shape)
    x = x - rng.uniform(-0.45, 0.45) * shape[1]
    y = y - rng.uniform(-0.45, 0.30) * shape[0]
    angle = rng.uniform(0, math.pi)
    along = math.cos(angle) * x + math.sin(angle) * y
    across = math.cos(angle) * y - math.sin(angle) * x
    long, short = rng.uniform(0.20, 0.45) * size, rng.uniform(0.06, 0.16) * size
    return strength * np.exp(-((along / long) ** 2) - (across / short) ** 2)


def _photographed(scene: Plane, rng: np.random.Generator, blur: float, noise: float) -> NDArray[np.float32]:
    """`scene` (H, W) through a lens and on a sensor: (H, W) float32 in [0, 1]. Blur in pixels."""
    seen: NDArray[np.float32] = ndimage.gaussian_filter(scene, blur, truncate=3, output=np.float32)
    seen += np.float32(noise) * rng.standard_normal(scene.shape, dtype=np.float32)
    return np.clip(seen, 0, 1)


# --- paper --------------------------------------------------------------------------------------------------------


def _bent(u: Plane, v: Plane, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """A sheet that curves: (v displaced by the curve, the light that falls on it), each (H, W)."""
    direction = rng.normal(0, 0.35) + (math.pi / 2 if rng.random() < 0.3 else 0.0)
    along = math.cos(direction) * u + math.sin(direction) * v
    phase, bend = rng.uniform(-1.2, 1.2), rng.uniform(0.03, 0.14)
    height, slope = np.cos(1.3 * along + phase), -np.sin(1.3 * along + phase)
    light = 1 + _sign(rng) * 1.8 * bend * slope + rng.uniform(-0.06, 0.06) * v
    if rng.random() < 0.3:  # it has been folded: two planes at slightly different angles, and a worn line
        fold = along - rng.uniform(-0.5, 0.5)
        light = light + rng.uniform(0.03, 0.07) * np.tanh(40 * fold) + 0.10 * np.exp(-((fold / 0.012) ** 2))
    return v + 0.35 * bend * height, light


def _halftoned(ink: Plane, u: Plane, v: Plane, rng: np.random.Generator) -> Plane:
    """`ink` (H, W; 1 is bare paper) as dots of a clustered screen, as far as the camera resolves them."""
    height, width = ink.shape
    period = max(2.5, rng.uniform(2.7, 3.9) * _unit(ink.shape))
    angle = math.radians((15, 45, 75)[rng.integers(3)] + rng.normal(0, 2))
    x, y = u * (width * math.pi / period), v * (height * math.pi / period)
    spot = np.cos(math.cos(angle) * x + math.sin(angle) * y) + np.cos(math.cos(angle) * y - math.sin(angle) * x)
    dots = _step(7 * (ink - 0.5 - 0.25 * spot))
    return ink + rng.uniform(0.25, 0.55) * (dots - ink)


# --- replay -------------------------------------------------------------------------------------------------------


def _compressed(image: Plane, quality: int) -> Plane:
    """`image` after lossy coding, as video on a phone is."""
    buffer = io.BytesIO()
    Image.fromarray(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer, formats=["JPEG"]) as coded:
        return np.asarray(coded, dtype=np.float32) / 255


def _lattice(u: Plane, v: Plane, rng: np.random.Generator) -> Plane:
    """(H, W) factor near 1: the screen's pixel lattice as the camera's pixels sample it.

    The moiré is not drawn. One lattice has nearly the camera's own pitch, and sampling it once per camera pixel leaves
    the difference of the two, which perspective and rotation curve; the other is coarse enough to be seen itself.
    """
    height, width = u.shape
    x, y = u * (width * math.pi), v * (height * math.pi)
    near = 1 + _sign(rng) * rng.uniform(0.015, 0.09)
    moire = np.cos(near * x + rng.uniform(0, 6)) + 0.5 * np.cos((near + rng.normal(0, 0.02)) * y)
    pitch = max(2.3, rng.uniform(2.3, 3.2) * _unit(u.shape))
    grid = np.cos(x / pitch) + 0.6 * np.cos(y / pitch)
    return 1 + rng.uniform(0.03, 0.08) * moire + rng.uniform(0.03, 0.08) * grid


def _bands(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """(H, 1) factor near 1: the screen's refresh, caught row by row by the camera's shutter."""
    rows = np.linspace(0, 1, shape[0], dtype=np.float32)[:, np.newaxis]
    wave = np.cos(2 * math.pi * (rng.uniform(0.7, 3.0) * rows + rng.random()))
    return 1 + rng.uniform(0.02, 0.07) * np.tanh(2.5 * wave)


def _reflection(u: Plane, v: Plane, rng: np.random.Generator) -> Plane:
    """(H, W) light that the glass mirrors: a veil, and often a window or a lamp."""
    veil = rng.uniform(0.0, 0.06) * (1 + rng.uniform(-1, 1) * u + rng.uniform(-1, 1) * v)
    light = np.clip(veil, 0, None)
    kind = rng.random()
    if kind < 0.45:  # a window: a slanted pane with a bar
        x = u - rng.uniform(-0.8, 0.8) + rng.uniform(-0.5, 0.5) * v
        y = v - rng.uniform(-0.9, 0.5)
        wide, tall = rng.uniform(0.15, 0.35), rng.uniform(0.3, 0.6)
        pane = _step((wide - np.abs(x)) * 25) * _step((tall - np.abs(y)) * 25)
        bar = _step((0.02 - np.abs(x)) * 60)
        light = light + rng.uniform(0.07, 0.22) * pane * (1 - 0.8 * bar)
    elif kind < 0.75:
        light = light + _soft_spot(u.shape, rng, strength=rng.uniform(0.12, 0.40))
    return light


def _step(x: Plane) -> Plane:
    """0 far below 0, 1 far above, smooth between."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


# --- mask ---------------------------------------------------------------------------------------------------------


class _Face:
    """Where a roughly centred face has its parts: pixels from the image's centre, and distances to their edges."""

    def __init__(self, image: Plane, rng: np.random.Generator) -> None:
        height, width = image.shape
        self.unit = _unit(image.shape)
        self.x, self.y = _centred(image.shape)
        self.eye_x, self.eye_y, self.mouth_y = self._parts_at(image)
        pulled_over = rng.random() < 0.35  # covers ears and hair; otherwise tied on, a face and no more
        size = 1.22 if pulled_over else 1.0
        self.half_width = size * rng.uniform(0.33, 0.39) * width
        self.half_height = size * rng.uniform(0.43, 0.49) * height
        self.middle_y = 0.45 * (self.eye_y + self.mouth_y) - (0.04 * height if pulled_over else 0.0)
        self.wobble = [rng.normal(0, 0.022) for _ in range(4)]

    def _parts_at(self, image: Plane) -> tuple[float, float, float]:
        """(half the distance between the eyes, their row, the mouth's row): the darkest places where they can be."""
        height, width = image.shape
        dark = _smoothed(image, 9) - _smoothed(image, 34)
        pair = np.minimum(dark, dark[:, ::-1])
        top, left = int(0.32 * height), int(0.24 * width)
        window = pair[top : int(0.52 * height), left : int(0.37 * width)]
        likely_row = (np.arange(top, top + window.shape[0])[:, np.newaxis] / height - 0.43) / 0.10
        likely_column = (np.arange(left, left + window.shape[1]) / width - 0.32) / 0.05
        window = window - 0.03 * (likely_row**2 + likely_column**2)  # hair and ears are dark, too
        row, column = np.unravel_index(int(np.argmax(window)), window.shape)
        eye_row = top + int(row)
        first = eye_row + int(0.28 * height)
        lips = dark[first : eye_row + int(0.42 * height), int(0.42 * width) : int(0.58 * width)].mean(axis=1)
        mouth_row = first + (int(np.argmax(lips)) if lips.size else 0)
        middle = (height - 1) / 2
        return (width - 1) / 2 - (left + int(column)), eye_row - middle, mouth_row - middle

    def eyes(self) -> Plane:
        """(H, W) pixels inside the almond-shaped eye holes, negative outside."""
        half, tall = 8.0 * self.unit, 4.0 * self.unit
        x = (np.abs(self.x) - self.eye_x) / half
        return 0.8 * np.maximum(tall * (1 - x * x) - np.abs(self.y - self.eye_y), -6 * tall)

    def mouth(self, rng: np.random.Generator) -> Plane:
        """(H, W) pixels inside the mouth slit, negative outside."""
        half, tall = rng.uniform(9, 14) * self.unit, rng.uniform(0.8, 2.0) * self.unit
        bow = (self.x / half) ** 2
        y = self.y - self.mouth_y + rng.uniform(-1.0, 1.6) * self.unit * bow
        return np.maximum(tall * (1 - bow) - np.abs(y), -25 * self.unit)

    def outline(self) -> Plane:
        """(H, W) pixels inside the mask's edge, negative outside: an oval, cut by hand."""
        x, y = self.x / self.half_width, (self.y - self.middle_y) / self.half_height
        radius = np.hypot(x, y) + 1e-3
        cos, sin = x / radius, y / radius
        a, b, c, d = self.wobble
        return (1 + a * cos + b * sin + c * cos * sin + d * cos * cos - radius) * self.half_width

    def relief(self) -> Plane:
        """(H, W) height of a generic face in pixels: an egg with brow, nose, cheeks, lips and chin."""
        a, b, unit = self.half_width, self.half_height, self.unit

        def bump(x: float, y: float, wide: float, tall: float, height: float) -> Plane:
            """A Gaussian hill on either side of the middle line; the arguments are pixels."""
            across = np.exp(-(((np.abs(self.x) - x) / wide) ** 2))
            return height * np.exp(-(((self.y - y) / tall) ** 2)) * across

        nose_y = self.eye_y + 0.60 * (self.mouth_y - self.eye_y)
        length = nose_y - self.eye_y
        egg = 0.6 * a * np.sqrt(np.maximum(1.3 - (self.x / a) ** 2 - ((self.y - self.middle_y) / b) ** 2, 0.02))
        return (
            egg
            + bump(0, self.eye_y + 0.5 * length, 6.5 * unit, 0.6 * length, 5 * unit)
            + bump(0, nose_y, 8 * unit, 6 * unit, 5 * unit)
            + bump(self.eye_x, self.eye_y - 9 * unit, 13 * unit, 6 * unit, 2.5 * unit)
            - bump(self.eye_x, self.eye_y, 10 * unit, 7 * unit, 3 * unit)
            + bump(1.15 * self.eye_x, nose_y - 2 * unit, 11 * unit, 11 * unit, 3 * unit)
            + bump(0, self.mouth_y, 12 * unit, 6 * unit, 3 * unit)
            + bump(0, self.mouth_y + 15 * unit, 10 * unit, 7 * unit, 3 * unit)
        )

    def seam(self, side: int) -> Plane:
        """(H, W) in -1..1: the casting seam down one side, a ridge with its shadow."""
        bow = np.sqrt(np.clip(1 - ((self.y - self.middle_y) / self.half_height) ** 2, 0, 1))
        x = (self.x - side * 0.72 * self.half_width * bow) / self.unit
        return np.exp(-(x * x)) - np.exp(-((x - 1.7) ** 2))


def _latex(image: Plane, face: _Face, rng: np.random.Generator) -> Plane:
    """(H, W) the mask's surface: one albedo, a generic relief under one lamp, and the wearer's own shape beneath."""
    relief = face.relief() + rng.uniform(0.15, 0.5) * face.unit * _clouds(image.shape, rng, 11)  # folds and dents
    dy, dx = np.gradient(relief)
    upright = 1 / np.sqrt(1 + dx * dx + dy * dy)
    lamp_x, lamp_y = rng.uniform(-0.55, 0.55), rng.uniform(-0.7, -0.1)
    facing = np.maximum((1 - lamp_x * dx - lamp_y * dy) * upright, 0) / math.hypot(1, lamp_x, lamp_y)
    # Half-way between lamp and camera; rubber spreads a highlight more widely than skin's thin film of sweat.
    glancing = (2 - lamp_x * dx - lamp_y * dy) * upright / math.hypot(2, lamp_x, lamp_y)
    shine = rng.uniform(0.10, 0.26) * np.exp(-rng.uniform(12, 34) * (1 - glancing))
    own = _smoothed(image, 20)
    own = own - own.mean()
    mottle = 0.012 * _clouds(image.shape, rng, 26)
    skin = rng.uniform(0.42, 0.62) * (0.45 + 0.60 * facing) + rng.uniform(0.35, 0.60) * own + mottle
    return np.clip(skin + shine + 0.04 * face.seam(_sign(rng)), 0, 1)


def write_attacked_data_set(source: Manifest, out: Path, species: Sequence[str], seed: int = 0) -> Path:
    """Writes simulated attacks on the bona fide images of `source` and a manifest of both; returns the manifest's path.

    A fifth of the subjects stay without attacks, because the protocol's subset `live` consists of such subjects. Of
    every other subject, a random half of the images is attacked with each species. An attack belongs to the subject it
    shows, has a session of its own, and says which image it was made from (column `attack_source`).
    Raises BadInputError for an unknown species, or when no bona fide image can be read.
    """
    for name in species:
        _known(name)
    live = source.rows[source.rows["label"] == BONA_FIDE]
    if live.empty or not species:
        what = "no bona fide image to attack" if species else "no species was named"
        raise BadInputError(f"{source.source}: {what}.")
    target = out / "manifest.csv"
    if target.resolve() == source.source.resolve():
        raise BadInputError(f"{target} is the manifest that is read. Choose another --out folder.")
    rng = np.random.default_rng([seed, 0])
    subjects = sorted(set(live["subject_id"]) - {""})
    unattacked = sorted(set(subjects) - set(source.rows.loc[source.rows["label"] == ATTACK, "subject_id"]))
    spared = set(rng.permutation(unattacked)[: round(LIVE_ONLY_SHARE * len(subjects))])
    chosen = [
        (number, kind)
        for _, group in live[~live["subject_id"].isin(spared)].groupby("subject_id")
        for kind in sorted(species)
        for number in sorted(rng.permutation(group.index)[: -(-len(group) // 2)])
    ]
    rows = []
    with task("Simulating attacks", len(chosen)) as shown:
        for number, kind in chosen:
            rows += _write_attack(source, int(number), kind, out, seed)
            shown.advance()
    if len(rows) < len(chosen):
        _log.warning("%d attacks were left out: their live images could not be read", len(chosen) - len(rows))
    if not rows:
        raise BadInputError(
            f"{source.source}: none of the images to attack could be read, e.g. {live['path'].iloc[0]}."
        )
    both = pd.concat([relocated(source, target), pd.DataFrame(rows)], ignore_index=True)
    texts = [name for name in both.columns if not pd.api.types.is_numeric_dtype(both[name])]
    both[texts] = both[texts].fillna("")
    return write(both, target)


def _write_attack(source: Manifest, number: int, kind: str, out: Path, seed: int) -> list[dict[str, Any]]:
    """The manifest row of one attack after writing its image; none when the live image cannot be read.

    What the manifest says of the live image (pose, glasses, ...) is true of the picture of it.
    """
    row = source.rows.loc[number]
    try:
        image = load(source.root / row["path"])[0]
    except UnreadableImageError:
        return []
    # Keyed by the sample, so that an attack does not depend on which others are made.
    key = int.from_bytes(hashlib.sha256(f"{seed}/{kind}/{row['sample_id']}".encode()).digest()[:8], "big")
    name = f"{number:06d}_{hashlib.sha256(row['sample_id'].encode()).hexdigest()[:8]}.png"
    path = out / "images" / kind / name
    with atomic_file(path) as temporary:
        Image.fromarray(pixels(simulated(image, kind, np.random.default_rng(key)))).save(temporary, format="PNG")
    return [
        dict(row)
        | {
            "path": f"images/{kind}/{name}",
            "sample_id": f"{kind}/{row['sample_id']}",
            "label": ATTACK,
            "pai_species": kind,
            "subject_id": row["subject_id"],
            "session_id": f"{row['subject_id']}/simulated {kind}" if row["subject_id"] else "",
            "subset": "",
            "attack_source": row["sample_id"],
        }
    ]
