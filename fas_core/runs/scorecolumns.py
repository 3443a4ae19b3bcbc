"""Columns of numbers that are scores because somebody says which class their higher values speak for.

Declared columns are kept as they were written; `scores.values` turns those round whose higher values are bona fide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.data.manifest import COLUMNS
from fas_core.data.names import ATTACK, BONA_FIDE, TRAINING_USE
from fas_core.errors import BadInputError
from fas_core.texts import plain_column, read_numbers

CLASSES = (ATTACK, BONA_FIDE)
SCORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
RESERVED = ("is_constant", "reason", TRAINING_USE, "split")  # columns that every Run may have
_EMPTY = ("", "nan", "na", "n/a", "none", "null")


@dataclass(frozen=True)
class Columns:
    """Numbers per sample of a table, NaN where a cell is empty, and the names of columns that are no numbers."""

    numbers: pd.DataFrame
    others: tuple[str, ...]


def directions(texts: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Column -> the class of its higher values, of `attack`, `bona_fide`, `NAME=attack`, `NAME=bona_fide` texts.

    A text without a name is about all columns; the last one about a column counts.
    """
    class_of: dict[str, str] = {}
    for text in texts:
        name, _, kind = text.rpartition("=")
        if kind not in CLASSES or (name and name not in names):
            of = f"or NAME={BONA_FIDE} for one of {', '.join(names)}" if names else "and there is no column of numbers"
            raise BadInputError(f"--higher-is {text}: write {BONA_FIDE} or {ATTACK}, {of}.")
        class_of |= dict.fromkeys([name] if name else names, kind)
    return class_of


def columns_of(path: Path, table: pd.DataFrame) -> Columns:
    """Every column of a table that is none of a manifest's. Raises BadInputError where one holds no number at all."""
    read, others = {}, []
    for name in table.columns:
        if name in COLUMNS or name in RESERVED:
            continue
        values = None if str(name).startswith("Unnamed: ") else numbers(table[name])  # row numbers without a heading
        if values is None:
            others.append(str(name))
        elif values.isna().all():
            raise BadInputError(f"{path}: column '{name}' has no number in any of its {len(values):,} rows.")
        else:
            read[str(name)] = values
    return Columns(pd.DataFrame(read, index=table.index), tuple(others))


def numbers(values: pd.Series) -> pd.Series | None:
    """(n,) float64 with NaN where a cell is empty; None where one is no number."""
    if pd.api.types.is_bool_dtype(values):
        return None
    if pd.api.types.is_numeric_dtype(values):
        return values.astype("float64")
    texts = plain_column(values)
    is_empty = texts.str.lower().isin(_EMPTY)
    read = read_numbers(texts.mask(is_empty, ""))
    is_unread = read.isna() & ~is_empty
    is_too_large = np.isinf(read) & ~texts.str.lower().str.contains("inf")
    return None if is_unread.any() or is_too_large.any() else read


def require_names(names: Sequence[str], where: str, taken: Mapping[str, str]) -> None:
    """Raises BadInputError for a name that no score can have. `taken`: name -> what has it already."""
    for name in names:
        if not SCORE_NAME.fullmatch(name):
            raise BadInputError(
                f"{where}: '{name}' cannot name a score (letters, digits, _ - . only, at most 64). Name it otherwise."
            )
        if name in taken or name in COLUMNS or name in RESERVED:
            what = taken.get(name, "a column of every manifest")
            raise BadInputError(f"{where}: '{name}' is {what} already. Name the column otherwise.")
