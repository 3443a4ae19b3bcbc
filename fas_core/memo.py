"""Derived results on disk (projections, mixtures, score columns), keyed by content; nothing is ever pickled.

The store is diskcache with a Disk that takes text keys and byte values only, and refuses to read a pickled row even
when somebody has planted one. Values are arrays in NumPy's npz format, read with allow_pickle=False.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diskcache
import numpy as np
from diskcache.core import MODE_BINARY, MODE_PICKLE, MODE_RAW, UNKNOWN
from numpy.typing import NDArray

from fas_core.errors import BadInputError
from fas_core.manifest import make_folder

SIZE_LIMIT = 8 * 2**30  # bytes; the least recently stored results go first
Arrays = dict[str, NDArray[Any]]

_log = logging.getLogger(__name__)


class PickleRefusedError(ValueError):
    """A row of the store is, or would have to be, pickled."""


class _NoStoreError(Exception):
    """There is no place to keep results: a read-only or damaged folder. Everything is computed, nothing is kept."""


class NoPickleDisk(diskcache.Disk):
    """Keys are text, values are bytes; every other type, and every pickled row, is refused in both directions."""

    def put(self, key: Any) -> tuple[Any, bool]:
        if not isinstance(key, str):
            raise PickleRefusedError(f"keys are text, not {type(key).__name__}")
        return super().put(key)

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            raise PickleRefusedError("a key in the store is pickled")
        return super().get(key, raw)

    def store(self, value: Any, read: bool, key: Any = UNKNOWN) -> Any:
        if not isinstance(value, bytes) or read:
            raise PickleRefusedError(f"values are bytes, not {type(value).__name__}")
        return super().store(value, read, key=key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode == MODE_PICKLE or mode not in (MODE_RAW, MODE_BINARY):
            raise PickleRefusedError("a value in the store is pickled")
        return super().fetch(mode, filename, value, read)


def folder(cache: Path) -> Path:
    return cache / "memo"


def _store(cache: Path) -> diskcache.Cache:
    make_folder(folder(cache))
    try:
        return diskcache.Cache(
            str(folder(cache)), disk=NoPickleDisk, size_limit=SIZE_LIMIT, eviction_policy="least-recently-stored"
        )
    except (OSError, sqlite3.Error, diskcache.Timeout) as error:
        raise _NoStoreError(f"{folder(cache)}: {error}") from error


def key_of(kind: str, parameters: Mapping[str, Any]) -> str:
    """Text that stands for a kind of result and everything it depends on."""
    text = json.dumps(parameters, sort_keys=True)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()}"


def found(cache: Path, kind: str, parameters: Mapping[str, Any]) -> Arrays | None:
    """The stored arrays, or None when there are none (or what is there is damaged, which is logged)."""
    if not folder(cache).is_dir():
        return None
    try:
        with _store(cache) as entries:
            content = entries.get(key_of(kind, parameters))
            return None if content is None else _arrays(content)
    except (PickleRefusedError, ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        _log.warning("%s in %s is damaged (%s) and will be computed again", kind, folder(cache), error)
    except (_NoStoreError, sqlite3.Error) as error:
        _log.warning("derived results cannot be read from %s (%s)", folder(cache), error)
    return None


def arrays(cache: Path, kind: str, parameters: Mapping[str, Any], compute: Callable[[], Mapping[str, Any]]) -> Arrays:
    """The stored arrays of this kind and these parameters, computed and stored first if need be."""
    known = found(cache, kind, parameters)
    if known is not None:
        return known
    made = {name: np.asarray(value) for name, value in compute().items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **made)
    try:
        with _store(cache) as entries:
            entries.set(key_of(kind, parameters), buffer.getvalue())
    except (_NoStoreError, BadInputError, sqlite3.Error, OSError) as error:
        _log.warning("derived results cannot be kept in %s (%s)", folder(cache), error)
    return made


def _arrays(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def usage(cache: Path) -> tuple[int, int]:
    """(bytes used, limit in bytes)."""
    if not folder(cache).is_dir():
        return 0, SIZE_LIMIT
    try:
        with _store(cache) as entries:
            return int(entries.volume()), SIZE_LIMIT
    except (_NoStoreError, sqlite3.Error):
        return 0, SIZE_LIMIT
