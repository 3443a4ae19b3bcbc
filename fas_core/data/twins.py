"""Manifests as they were read: a twin of each long one in Arrow's format, which is mapped into memory, not read again.

    ~/.cache/fas-explorer/hashes/tables/<32 digits>.arrow     (XDG_CACHE_HOME where it is set)

The digits are of the bytes of the manifest's file and of the rules by which it is read (`rules`): of a manifest that
was changed there is no twin. Only what is without problems has one. Beside them lie texts: what scans came to
(`folders`), and hashes of data by those of their files; and the hashes of all files of a manifest (`unchanged`). All of
it tells what manifests tell: it is for its owner alone, `drop` removes it, and what was used longest ago goes as soon
as it takes more than `KEPT`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fas_core import files
from fas_core.errors import BadInputError

LEAST = 2**20  # bytes of a manifest that is worth it
KEPT = 2 * 2**30  # bytes of all twins
_NOTES = b"notes"
_NUMBERS = ("float64", "int64", "bool")


def home() -> Path:
    """The folder in which what is known of data sets is kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "fas-explorer" / "hashes"


@lru_cache(maxsize=1)
def rules() -> bytes:
    """Of the code that reads tables, manifests and folders, and of what it reads them with."""
    digest = hashlib.sha256(f"1 {pd.__version__} {pa.__version__}".encode())
    here = Path(__file__).parent
    for module in (*sorted(here.rglob("*.py")), *sorted(here.parent.glob("*.py"))):
        digest.update(module.read_bytes())
    return digest.digest()


def key_of(content: bytes, kind: str) -> str:
    """Of the bytes of a manifest's file and its ending; "" of one that is not worth a twin."""
    if len(content) < LEAST:
        return ""
    return hashlib.sha256(rules() + kind.encode() + b"\0" + hashlib.sha256(content).digest()).hexdigest()[:32]


def table(key: str) -> tuple[pd.DataFrame, list[str]] | None:
    """Rows and notes of a manifest that was read; None where there is no twin."""
    if not key:
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        with pa.memory_map(str(_place(key))) as source:
            stored = pa.ipc.open_file(source).read_all()
        notes = json.loads(stored.schema.metadata[_NOTES])
        columns = {
            name: pd.array(column, dtype="str") if pa.types.is_large_string(column.type) else column.to_numpy()
            for name, column in zip(stored.column_names, stored.columns, strict=True)
        }
        os.utime(_place(key))
        return pd.DataFrame(columns), [str(note) for note in notes]
    return None


def keep(key: str, rows: pd.DataFrame, notes: list[str]) -> None:
    """Keeps what a manifest was read as; nothing where it has columns of another kind, or cannot be written."""
    columns = {}
    for name in rows:
        if isinstance(rows[name].dtype, pd.StringDtype):
            columns[name] = pa.chunked_array([pa.array(rows[name], pa.large_string())])
        elif str(rows[name].dtype) in _NUMBERS:
            columns[name] = pa.chunked_array([pa.array(rows[name].to_numpy(), from_pandas=False)])
    if not key or len(columns) < rows.shape[1]:
        return
    stored = pa.table(columns).replace_schema_metadata({_NOTES: json.dumps(notes).encode()})
    with suppress(OSError, BadInputError):
        files.make_folder(_place(key).parent)
        with files.atomic_file(_place(key)) as temporary, pa.ipc.new_file(str(temporary), stored.schema) as file:
            file.write_table(stored)
        _make_room()


def key_of_text(key: str, *of: bytes) -> str:
    """Of what is made of a manifest and of some arrays."""
    digest = hashlib.sha256(key.encode())
    for array in of:
        digest.update(array)
    return digest.hexdigest()[:32]


def text(key: str) -> str | None:
    """A text that was kept; None where there is none."""
    if not key:
        return None
    with suppress(OSError, ValueError):
        kept = _place(key, "txt").read_text(encoding="utf-8")
        os.utime(_place(key, "txt"))
        return kept
    return None


def keep_text(key: str, text: str) -> None:
    """Keeps a text; nothing where it cannot be written, or without a key."""
    if not key:
        return
    with suppress(OSError, BadInputError):
        files.make_folder(_place(key).parent)
        with files.atomic_file(_place(key, "txt")) as temporary:
            temporary.write_text(text, encoding="utf-8")
        _make_room()


def opened(key: str) -> BinaryIO:
    """Arrays that were kept, one after another. Raises OSError where there are none."""
    file = _place(key, "npy").open("rb")
    os.utime(file.fileno())
    return file


def keep_arrays(key: str, arrays: Iterable[NDArray[Any]]) -> None:
    """Keeps arrays; nothing where they cannot be written."""
    with suppress(OSError, BadInputError):
        files.make_folder(_place(key).parent)
        with files.atomic_file(_place(key, "npy")) as temporary, temporary.open("wb") as file:
            for array in arrays:
                np.save(file, array, allow_pickle=False)
        _make_room()


def drop() -> None:
    """Nothing is kept here."""
    for place in (home() / "tables").glob("*"):
        place.unlink(missing_ok=True)


def _make_room() -> None:
    room = KEPT
    known = [(place.stat(), place) for place in (home() / "tables").glob("*")]
    for about, place in sorted(known, key=lambda each: -each[0].st_mtime):
        room -= about.st_size
        if room < 0:
            place.unlink(missing_ok=True)


def _place(key: str, kind: str = "arrow") -> Path:
    return home() / "tables" / f"{key}.{kind}"
