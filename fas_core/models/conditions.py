"""What a model is told of an image beside its pixels: columns of a manifest as numbers. Knows no PyTorch.

A column of words is a number per word, 1 where it is that word; a column of numbers is its value, standardised and held
within four deviations. Behind each stands one more that is 1 where nothing is known: where a row says nothing, or a
word that no live training image has. So nothing is ever guessed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.texts import plain_column

GROUPS = {"pose": ("pose_x", "pose_y", "pose_z")}  # names of several columns
MOST_WORDS = 20  # different values: with more, a column of words names things, and one of numbers measures
FARTHEST = 4.0  # deviations


@dataclass(frozen=True, eq=False)
class Told:
    """n rows: (n, k) numbers, and by column how many rows say nothing, and how many something that is not known."""

    numbers: NDArray[np.float32]
    silent: dict[str, int]
    strange: dict[str, int]


@dataclass(frozen=True, eq=False)
class Conditions:
    """`encoding`, by column: {"words": [...]} or {"mean": ..., "std": ...}. Raises ValueError for anything else."""

    encoding: Json

    def __post_init__(self) -> None:
        for name, code in self.encoding.items():
            words = isinstance(code, dict) and code.keys() == {"words"} and isinstance(code["words"], list)
            numbers = isinstance(code, dict) and code.keys() == {"mean", "std"} and code["std"] > 0
            if not (words or numbers):
                raise ValueError(f"conditions: {name} is {code!r}; expected words, or mean and std")

    @property
    def columns(self) -> list[str]:
        """In the order of the numbers."""
        return sorted(self.encoding)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(k,) to which of `columns` each number belongs."""
        return np.repeat(np.arange(len(self.columns)), [self._width(name) for name in self.columns])

    @property
    def nothing(self) -> NDArray[np.float32]:
        """(k,) what is told where nothing is known."""
        last = np.append(self.places[1:] != self.places[:-1], True) if len(self.places) else np.empty(0, np.bool_)
        return last.astype(np.float32)

    def told(self, rows: pd.DataFrame) -> Told:
        """Of rows of a manifest. Raises BadInputError where it lacks a column."""
        parts, silent, strange = [np.empty((len(rows), 0), np.float32)], {}, {}
        for name in self.columns:
            values = _column(rows, name)
            code, unknown = self.encoding[name], np.zeros((len(rows), 1), np.float32)
            if "words" in code:
                numbers = (values.to_numpy(object)[:, None] == np.array(code["words"], object)).astype(np.float32)
                is_known = numbers.any(1)
            else:
                value = (_numbers(values) - code["mean"]) / code["std"]
                is_known = np.isfinite(value)
                numbers = np.where(is_known, value, 0).clip(-FARTHEST, FARTHEST).astype(np.float32)[:, None]
            unknown[~is_known] = 1
            parts += [numbers, unknown]
            is_silent = (values == "").to_numpy()
            silent[name], strange[name] = int(is_silent.sum()), int((~is_known & ~is_silent).sum())
        return Told(np.concatenate(parts, 1), silent, strange)

    def _width(self, name: str) -> int:
        code = self.encoding[name]
        return len(code["words"]) + 1 if "words" in code else 2


def fitted(rows: pd.DataFrame, names: Sequence[str]) -> Json:
    """The `encoding` of some columns (or GROUPS) by the rows that are learned.

    Raises BadInputError where a column is not there, says the same of all, or names things.
    """
    encoding: Json = {}
    for name in [column for group in names for column in GROUPS.get(group, (group,))]:
        values = _column(rows, name)
        said = values[values != ""]
        words, numbers = sorted(set(said)), _numbers(said)
        if len(words) < 2:
            what = f"'{words[0]}' of all" if words else "nothing"
            raise BadInputError(f"--condition {name}: the training images say {what}, which tells none from another.")
        if np.isfinite(numbers).all() and len(words) > MOST_WORDS:
            encoding[name] = {"mean": float(numbers.mean()), "std": float(numbers.std())}
        elif len(words) > MOST_WORDS:
            raise BadInputError(
                f"--condition {name}: the training images have {len(words)} different words there, more than "
                f"{MOST_WORDS}: it names things, and says nothing of an image."
            )
        else:
            encoding[name] = {"words": words}
    return dict(sorted(encoding.items()))


def in_words(told: Told) -> str:
    """glasses: 12 of 300 images say nothing, 5 a word that no training image has; "" where all are known."""
    parts = []
    for name, silent in told.silent.items():
        counts = [f"{silent} of {len(told.numbers)} images say nothing"] if silent else []
        counts += [f"{told.strange[name]} what no training image says"] if told.strange[name] else []
        if counts:
            parts.append(f"{name}: {', '.join(counts)}")
    return "; ".join(parts)


def _column(rows: pd.DataFrame, name: str) -> pd.Series:
    """Texts, "" where nothing is said."""
    if name not in rows:
        raise BadInputError(
            f"The manifest has no column '{name}', which the model is told of every image. Add it, empty where it is "
            "not known."
        )
    return plain_column(rows[name])


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    """NaN where a text is no number."""
    return pd.to_numeric(values, errors="coerce").replace([math.inf, -math.inf], math.nan).to_numpy(np.float64)
