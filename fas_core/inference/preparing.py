"""Pixels in [0, 1] -> what a model is given of them, and what a Run keeps of them to be looked at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fas_core.data import images
from fas_core.errors import BadInputError
from fas_core.models.input import COLOUR, GRAY, STANDARD, Input
from fas_core.runs.store import RunInfo


def rules(given: Input) -> str:
    """How files become what a model is given, by name. It is hashed into run ids."""
    if (given.channels, given.scaling) == (GRAY, STANDARD):
        return images.PREPROCESSING
    mean, std = (", ".join(map(str, part)) for part in given.affine)
    scaling = images.STANDARD_SCALING if given.scaling == STANDARD else f"less {mean}, over {std}"
    return f"{images.LOADING[given.channels]}; {scaling}"


def input_of(info: RunInfo) -> Input:
    """What the model of a Run is given; one that does not say it is of a model of this package.

    Raises BadInputError where no checkpoint says it: of arrays or scores that were imported.
    """
    if info.input:
        return Input.of(info.input)
    config = info.checkpoint_header.get("config")
    if not isinstance(config, Mapping) or "image_size" not in config:
        raise BadInputError(
            f"Run {info.name} was made by no checkpoint of this package, so there is no model to ask. Choose a Run of "
            "one: fas cache CHECKPOINT --data M.csv"
        )
    return Input(int(config["image_size"]))


def prepared(raw: NDArray[np.float32], given: Input) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Images (n, c, H, W) in [0, 1] -> the same as the model is given them, and as pictures that show what it sees."""
    seen = images.standard_scaled(raw) if given.scaling == STANDARD else raw
    mean, std = (np.array(part, np.float32).reshape(-1, 1, 1) for part in given.affine)
    is_affine = given.scaling != STANDARD and (mean.any() or (std != 1).any())
    return (seen - mean) / std if is_affine else seen, images.pictures(images.pixels(seen))


def shape_of_pictures(given: Input) -> tuple[int, ...]:
    """Of one: (H, W), or (H, W, 3)."""
    return (given.size, given.size, *([COLOUR] if given.channels == COLOUR else []))
