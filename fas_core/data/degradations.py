"""What goes wrong between a face and a model, in steps with physical units: compression, optics, sensor, light.

    degraded(image, BY_NAME["jpeg"], 30, rng_of(0, "jpeg", "a/b.png"))

Each is a function of one image (c, H, W) in [0, 1], an amount and a generator, and ends in 8 bits, as a file would.
Lengths are pixels of the square that a model is given, whatever size the file has: a blur of 2 px is one after the
picture was scaled. What is random is drawn from the seed, the kind and the image alone, and is the same at every step:
noise grows without changing its pattern, a cover grows around one place. They are synthetic: no camera was there.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fas_core.data.images import pictures, pixels
from fas_core.errors import BadInputError

VERSION = 1  # raise it whenever what a step does to an image changes
GRAY = 0.5  # of what covers a face

Pixels = NDArray[np.float32]
"""(c, H, W) in [0, 1]"""


@dataclass(frozen=True)
class Kind:
    """A degradation in steps."""

    name: str
    title: str  # with its unit, as an axis has it
    arms: tuple[tuple[float, ...], ...]  # amounts from mild to harsh; two rows where it can go wrong both ways
    text: Callable[[float], str]  # an amount as a tick
    from_here: Callable[[float], str]  # "JPEG quality 30 and below": this amount, and all that is harsher
    applied: Callable[[Pixels, float, np.random.Generator], Pixels]

    def steps(self, side: int) -> tuple[float, ...]:
        """All amounts that change an image of so many pixels a side, in the order of an axis."""
        back, forth = self.arms if len(self.arms) == 2 else ((), self.arms[0])
        return tuple(amount for amount in (*back[::-1], *forth) if self.name != RESOLUTION or amount < side)

    def arm_of(self, amount: float) -> tuple[float, ...]:
        """The amounts that go wrong the same way, from mild to harsh. Raises StopIteration for none of its amounts."""
        return next(arm for arm in self.arms if amount in arm)


def degraded(image: Pixels, kind: Kind, amount: float, rng: np.random.Generator) -> Pixels:
    """(c, H, W) in [0, 1] -> the same shape in [0, 1], in steps of 1/255."""
    return pixels(kind.applied(np.asarray(image, np.float32), amount, rng)).astype(np.float32) / np.float32(255)


def rng_of(seed: int, kind: str, sample: str) -> np.random.Generator:
    """The generator of an image, whatever else is computed with it."""
    digest = hashlib.sha256(f"{seed}\n{kind}\n{sample}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def jpeg(image: Pixels, quality: float, _: object = None) -> Pixels:
    """Coded at a quality of libjpeg (95 good, 10 bad) and decoded; colour is halved in size, as it usually is."""
    buffer = io.BytesIO()
    Image.fromarray(pictures(pixels(image)[None])[0]).save(buffer, "JPEG", quality=int(quality))
    with Image.open(buffer, formats=["JPEG"]) as coded:
        decoded = np.asarray(coded, np.float32) / np.float32(255)
    return decoded[None] if decoded.ndim == 2 else np.moveaxis(decoded, -1, 0)


def blur(image: Pixels, sd: float, _: np.random.Generator) -> Pixels:
    """A Gaussian of a standard deviation in pixels; the border is continued."""
    blurred: Pixels = ndimage.gaussian_filter(image, (0, sd, sd), mode="nearest")
    return blurred


def noise(image: Pixels, sd: float, rng: np.random.Generator) -> Pixels:
    """Independent Gaussian noise of a standard deviation in gray levels of 255."""
    return image + np.float32(sd / 255) * rng.standard_normal(image.shape, dtype=np.float32)


def brightness(image: Pixels, stops: float, _: np.random.Generator) -> Pixels:
    """So many times 2 as much light (sRGB decoded and coded again); what is too bright is cut off at white."""
    linear = np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)
    light = np.clip(linear * 2.0**stops, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def resolution(image: Pixels, side: float, _: np.random.Generator) -> Pixels:
    """Scaled down to so many pixels a side (Lanczos) and up again (bicubic)."""
    there, back = (int(side), int(side)), (image.shape[2], image.shape[1])
    return np.stack(
        [
            np.asarray(
                Image.fromarray(plane).resize(there, Image.Resampling.LANCZOS).resize(back, Image.Resampling.BICUBIC)
            )
            for plane in image
        ]
    )


def occlusion(image: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """A gray square over a share of the picture, wholly inside, at a place of the image's own."""
    height, width = image.shape[1:]
    side = min(round(math.sqrt(share * height * width)), height, width)
    down, right = rng.random(2)
    top, left = math.floor(down * (height - side + 1)), math.floor(right * (width - side + 1))
    covered = image.copy()
    covered[:, top : top + side, left : left + side] = GRAY
    return covered


def _stops(amount: float) -> str:
    return f"{abs(amount):g} stop{'' if abs(amount) == 1 else 's'}"


def _brighter(amount: float) -> str:
    return f"{_stops(amount)} {'brighter' if amount > 0 else 'darker'} and more"


RESOLUTION = "resolution"
KINDS = (
    Kind(
        "jpeg",
        "JPEG quality",
        ((95, 80, 60, 40, 30, 20, 10),),
        lambda q: f"{q:g}",
        lambda q: f"JPEG quality {q:g} and below",
        jpeg,
    ),
    Kind(
        "blur",
        "Blur, sd in pixels",
        ((0.5, 1, 1.5, 2, 3, 4),),
        lambda sd: f"{sd:g}",
        lambda sd: f"blur of {sd:g} px and more",
        blur,
    ),
    Kind(
        "noise",
        "Noise, sd in gray levels of 255",
        ((2, 5, 10, 15, 20, 30),),
        lambda sd: f"{sd:g}",
        lambda sd: f"noise of {sd:g} gray levels and more",
        noise,
    ),
    Kind(
        "brightness",
        "Light, in stops",
        ((-0.5, -1, -2, -3), (0.5, 1, 1.5, 2)),
        lambda stops: f"{stops:+g}".replace("-", "−"),
        _brighter,
        brightness,
    ),
    Kind(
        RESOLUTION,
        "Resolution, pixels a side",
        ((96, 64, 48, 32, 24, 16),),
        lambda side: f"{side:g}",
        lambda side: f"{side:g} pixels a side and fewer",
        resolution,
    ),
    Kind(
        "occlusion",
        "Covered share, in %",
        ((0.05, 0.1, 0.2, 0.3, 0.4, 0.5),),
        lambda share: f"{100 * share:g}",
        lambda share: f"{100 * share:g} % covered and more",
        occlusion,
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def kinds(names: Sequence[str] | None = None) -> list[Kind]:
    """Those of some names, all where nothing is said. Raises BadInputError for an unknown name, and for no name."""
    if names is None:
        return list(KINDS)
    if not names:
        raise BadInputError(f"No kind of stress is named. Kinds: {', '.join(BY_NAME)}.")
    if unknown := [name for name in names if name not in BY_NAME]:
        raise BadInputError(f"There is no kind of stress '{unknown[0]}'. Kinds: {', '.join(BY_NAME)}.")
    return [kind for kind in KINDS if kind.name in names]
