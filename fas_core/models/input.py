"""What a model is given: how large, gray or in colour, and how its pixels are scaled. Knows no PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fas_core.documents import Json

STANDARD, UNIT, SIGNED = "standard", "unit", "signed"
SIZES = (16, 1024)  # pixels: the smallest and the largest side
GRAY, COLOUR = 1, 3

Affine = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Input:
    """Square images (n, channels, size, size) float32: gray with one channel, red, green and blue with three.

    `scaling`, of pixels in [0, 1]: "standard", each channel of each image to mean 0.5 and deviation 0.25, clipped to
    [0, 1]; "unit", as they are; "signed", to [-1, 1]; or (mean, std), a number per channel that is subtracted and one
    that is divided by. Raises ValueError for anything else.
    """

    size: int = 128
    channels: int = GRAY
    scaling: str | Affine = STANDARD

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or not SIZES[0] <= self.size <= SIZES[1]:
            raise ValueError(f"input size {self.size!r} must be a whole number of {SIZES[0]} to {SIZES[1]} pixels")
        if self.channels not in (GRAY, COLOUR):
            raise ValueError(f"input channels {self.channels!r} must be 1 (gray) or 3 (red, green, blue)")
        if self.scaling not in (STANDARD, UNIT, SIGNED):
            object.__setattr__(self, "scaling", _affine(self.scaling, self.channels))

    @property
    def affine(self) -> Affine:
        """Mean and std per channel: what pixels, in [0, 1] and standard scaled if that is asked for, less mean over std
        are what the model sees."""
        if isinstance(self.scaling, str):
            mean, std = (0.5, 0.5) if self.scaling == SIGNED else (0.0, 1.0)
            return (mean,) * self.channels, (std,) * self.channels
        return self.scaling

    @property
    def words(self) -> str:
        """96 x 96, colour, signed."""
        scaling = self.scaling if isinstance(self.scaling, str) else "mean and std"
        return f"{self.size} x {self.size}, {'gray' if self.channels == GRAY else 'colour'}, {scaling}"

    def as_json(self) -> Json:
        """What `of` reads."""
        scaling = self.scaling if isinstance(self.scaling, str) else [list(part) for part in self.scaling]
        return {"size": self.size, "channels": self.channels, "scaling": scaling}

    @classmethod
    def of(cls, content: Json) -> Input:
        """Of `as_json`. Raises ValueError for anything else."""
        try:
            return cls(content["size"], content["channels"], content["scaling"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{content!r} says no size, channels and scaling of an input") from error


def _affine(scaling: object, channels: int) -> Affine:
    """(mean, std) with a number per channel each. Raises ValueError."""
    problem = (
        f"input scaling {scaling!r} must be '{STANDARD}', '{UNIT}', '{SIGNED}', or (mean, std) with {channels} "
        f"number{'s' if channels > 1 else ''} each"
    )
    try:
        mean, std = (tuple(float(number) for number in part) for part in scaling)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise ValueError(problem) from error
    numbers = (*mean, *std)
    if len(mean) != channels or len(std) != channels or not all(map(math.isfinite, numbers)) or min(std) <= 0:
        raise ValueError(f"{problem}, std above 0")
    return mean, std
