"""Derived results on disk (projections, mixtures, fitted scores), keyed by content; nothing is ever pickled.

The store is diskcache in `cache/memo`, with a Disk that takes text keys and byte values only and refuses everything
else in both directions: diskcache's own, its JSONDisk included, unpickle whatever row somebody has planted.
A value is a checksum and arrays in NumPy's npz format, read with allow_pickle=False, and encrypted where there is a key
(`access.secret`): what is derived from codes tells of them. What is damaged, one entry or the
whole store, is logged and computed again; where nothing can be kept, everything is computed each time. So it is while
another process holds the store: a page waits for it two seconds, once, and then does without it for a while.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import shutil
import sqlite3
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import diskcache
import numpy as np
from diskcache.core import MODE_BINARY, MODE_PICKLE, MODE_RAW, UNKNOWN
from numpy.typing import NDArray

from fas_core import documents
from fas_core.access import secret
from fas_core.errors import BadInputError
from fas_core.files import make_folder

SIZE_LIMIT = 8 * 2**30  # bytes; diskcache would take 1 GiB. The results stored longest ago go first
WAIT = 1.0  # seconds for a store that another process holds to be opened, and as many for what is done in it
MOST_OPENED = 4  # stores that need not be opened anew
AVOIDED_FOR = 30.0  # seconds in which a store that was held so long is left alone: a page asks for many results
Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")

_FORMAT = 2  # of a value; part of its key, so that those of another format are not found
_SEAL = hashlib.sha256().digest_size  # bytes
_LOCAL, _ZIP64 = 30, 20  # bytes of what stands before a file in a zip archive, but for its name; of its sizes there
_PADDING, _ALIGNED = 0xD935, 64  # the kind of bytes that move such a file, as zipalign's; so that arrays begin at these
_MOST_HEADER = 1 << 14  # bytes of what stands before an array's numbers: names of its fields, if it has some
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_FILE = re.compile(r"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")  # as Disk.filename makes them
_log = logging.getLogger(__name__)


class PickleRefusedError(ValueError):
    """A row of the store is, or would have to be, pickled."""


class _UnusableError(Exception):
    """There is no place to keep results: the folder is read-only, full, or held by another process."""


class _DamagedError(Exception):
    """An entry, or the whole store, is not what this module wrote."""


class NoPickleDisk(diskcache.Disk):  # type: ignore[misc]  # it has no types
    """Keys are text, values are bytes; every other type, and every pickled row, is refused in both directions.

    Nor does it touch files that it has not named itself: a row can name any.
    """

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
        if mode == MODE_PICKLE:
            raise PickleRefusedError("a value in the store is pickled")
        if not (mode == MODE_RAW or (mode == MODE_BINARY and _is_own(filename))):
            raise ValueError(f"a value of mode {mode} in file {filename} is none of this store")
        if mode == MODE_RAW or read:
            return super().fetch(mode, filename, value, read)
        with (Path(self._directory) / str(filename)).open("rb", buffering=0) as file:
            # Where arrays stay, and may be written to. Zeros would be laid out while all other threads wait.
            content = np.empty(os.fstat(file.fileno()).st_size, np.uint8).data
            file.readinto(content)  # of what is shorter meanwhile the checksum tells
            return content

    def remove(self, file_path: Any) -> None:
        if _is_own(file_path):
            super().remove(file_path)


class _Entries(diskcache.Cache):  # type: ignore[misc]  # it has no types
    """A store that is given up when another process holds it for longer than `WAIT`; diskcache's own waits a minute
    for each of some twenty statements with which it is opened."""

    def __init__(self, directory: Path) -> None:
        self._asked = threading.local()
        self.begin()
        super().__init__(
            str(directory),
            timeout=WAIT,
            disk=NoPickleDisk,
            size_limit=SIZE_LIMIT,
            eviction_policy="least-recently-stored",
        )

    def begin(self) -> None:
        """From now on this thread waits for as long as `WAIT`."""
        self._asked.until = time.monotonic() + WAIT

    @property
    def _sql(self) -> Callable[..., Any]:
        execute = super()._sql

        def within_time(*statement: Any) -> Any:
            try:
                return execute(*statement)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY and time.monotonic() > self._asked.until:
                    raise diskcache.Timeout from error  # which nothing in diskcache tries again
                raise

        return within_time


_of_threads = threading.Lock()
_under_way: dict[tuple[Path, str], threading.Lock] = {}  # of this process, by store and key
_avoided_until: dict[Path, float] = {}  # of this process; monotonic time
# Stores as they were left: to open one anew takes some forty statements, a connection to it four. By its `_state`.
_opened: dict[Path, tuple[tuple[int, ...], _Entries]] = {}


def _is_own(filename: Any) -> bool:
    return isinstance(filename, str) and _FILE.fullmatch(filename) is not None


def folder(cache: Path) -> Path:
    """Where derived results are kept."""
    return cache / "memo"


@contextmanager
def _store(cache: Path) -> Iterator[diskcache.Cache]:
    """The store while the block runs; whatever goes wrong in there is an _UnusableError or a _DamagedError."""
    if time.monotonic() < _avoided_until.get(folder(cache), 0):
        raise _UnusableError("another process held it a moment ago")
    try:
        make_folder(folder(cache))
        directory = folder(cache)
        known, state = _opened.pop(directory, None), _state(directory)
        entries = _Entries(directory) if known is None or known[0] != state else known[1]
        entries.begin()
        with entries:
            yield entries
        if len(_opened) >= MOST_OPENED:
            _opened.clear()
        if left := _state(directory):
            _opened[directory] = left, entries
    except diskcache.Timeout as error:
        _avoided_until[folder(cache)] = time.monotonic() + AVOIDED_FOR
        raise _UnusableError("another process holds it") from error
    except (OSError, BadInputError) as error:
        raise _UnusableError(str(error) or type(error).__name__) from error
    except sqlite3.OperationalError as error:
        is_of_schema = error.sqlite_errorcode == sqlite3.SQLITE_ERROR  # a table or column is not there
        raise (_DamagedError if is_of_schema else _UnusableError)(str(error)) from error
    except Exception as error:  # diskcache and numpy calculate with what they read, so damage raises anything at all
        raise _DamagedError(str(error) or type(error).__name__) from error


def _state(directory: Path) -> tuple[int, ...]:
    """Of the process and of a store's file: another one after it was begun anew or changed by hand, and in a fork."""
    try:
        about = (directory / diskcache.core.DBNAME).stat()
    except OSError:
        return ()
    return os.getpid(), about.st_ino, about.st_size, about.st_mtime_ns


def key_of(kind: str, parameters: Mapping[str, Any]) -> str:
    """Text that stands for a kind of result and everything it depends on."""
    text = json.dumps([_FORMAT, parameters], sort_keys=True)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()}"


def found(cache: Path, kind: str, parameters: Mapping[str, Any]) -> Arrays | None:
    """The stored arrays, or None when there are none (or what is there is damaged, which is logged)."""
    return found_of_each(cache, kind, [parameters])[0]


def found_of_each(cache: Path, kind: str, parameters: Sequence[Mapping[str, Any]]) -> list[Arrays | None]:
    """As `found`, of each of several parameters; the store is opened once."""
    known: list[Arrays | None] = [None] * len(parameters)
    if not folder(cache).is_dir():
        return known
    try:
        with _store(cache) as entries:
            for place, key in enumerate(key_of(kind, asked) for asked in parameters):
                content = entries.get(key)
                known[place] = None if content is None else _unsealed(key, content)
    except _DamagedError as error:
        _log.warning("%s in %s is damaged (%s) and will be computed again", kind, folder(cache), error)
    except _UnusableError as error:
        _log.warning("derived results cannot be read from %s (%s)", folder(cache), error)
    return known


def is_kept(cache: Path, kind: str, *parameters: Mapping[str, Any]) -> bool:
    """Whether there is a result of this kind and these parameters, of each of several; none is read."""
    if not folder(cache).is_dir():
        return False
    try:
        with _store(cache) as entries:
            return all(key_of(kind, asked) in entries for asked in parameters)
    except (_DamagedError, _UnusableError):
        return False


def arrays(cache: Path, kind: str, parameters: Mapping[str, Any], compute: Callable[[], Mapping[str, Any]]) -> Arrays:
    """The stored arrays of this kind and these parameters, computed and stored first if need be.

    Of threads that find nothing at the same time one computes, and the others wait for it. Of processes all do, and the
    last one's result stays.
    """
    known = found(cache, kind, parameters)
    if known is not None:
        return known
    key = key_of(kind, parameters)
    with _alone(folder(cache), key) as has_waited:
        if has_waited and (known := found(cache, kind, parameters)) is not None:
            return known
        computed = {name: np.asarray(value) for name, value in compute().items()}
        try:
            _keep(cache, key, _sealed(key, computed))
        except (_UnusableError, _DamagedError, BadInputError) as error:  # the last: the key that is named is not there
            _log.warning("derived results cannot be kept in %s (%s)", folder(cache), error)
    return computed


@contextmanager
def _alone(directory: Path, key: str) -> Iterator[bool]:
    """No other thread of this process is in the block for this store and key; whether one was until now."""
    with _of_threads:
        lock = _under_way.setdefault((directory, key), threading.Lock())
    has_waited = not lock.acquire(blocking=False) and lock.acquire()
    try:
        yield has_waited
    finally:
        lock.release()
        with _of_threads:
            _under_way.pop((directory, key), None)  # who waits has it; who comes finds what is stored


def document(cache: Path, kind: str, parameters: Mapping[str, Any], of: type[T], compute: Callable[[], T]) -> T:
    """As `arrays`, a value that JSON can say and `documents.read_as` reads as `of`, to the last digit."""

    def text() -> Arrays:
        content = json.dumps(
            compute(), default=lambda x: x.item() if isinstance(x, np.generic) else vars(x), ensure_ascii=False
        )
        return {"json": np.frombuffer(content.encode(), np.uint8)}

    content = arrays(cache, kind, parameters, text)["json"].tobytes()
    return documents.read_as(of, json.loads(content), kind)


def _keep(cache: Path, key: str, value: bytes) -> None:
    try:
        with _store(cache) as entries:
            entries.set(key, value)
    except _DamagedError as error:
        _log.warning("the derived results in %s are damaged (%s) and begun anew", folder(cache), error)
        _remove(cache)
        with _store(cache) as entries:
            entries.set(key, value)


def remove(cache: Path) -> None:
    """Deletes all derived results of a cache folder, with what is left of stores that were damaged. They are computed
    again when they are needed. Of a single Run they cannot be told: an entry's key is a hash, and a database keeps the
    bytes of rows that were deleted."""
    _remove(cache)
    for remains in cache.glob("memo.damaged-*"):
        shutil.rmtree(remains, ignore_errors=True)


def _remove(cache: Path) -> None:
    """Deletes the store, out of the way first: another process may begin a new one at any moment."""
    aside = folder(cache).with_name(f"memo.damaged-{os.getpid()}")
    try:
        folder(cache).rename(aside)
    except OSError as error:  # another process was faster, or nothing may be changed here; the next attempt tells
        _log.debug("%s cannot be moved (%s)", folder(cache), error)
    shutil.rmtree(aside, ignore_errors=True)


def _seal(key: str, archive: bytes | memoryview) -> bytes:
    """Checksum of an entry and of its place: neither a changed byte nor an exchanged row goes unnoticed."""
    seal = hashlib.sha256(key.encode() + b"\n")
    seal.update(archive)
    return seal.digest()


def _sealed(key: str, values: Arrays) -> bytes:
    archive = secret.sealed(_archive(values), key)
    return _seal(key, archive) + archive


def _unsealed(key: str, content: bytes | memoryview) -> Arrays:
    archive = memoryview(content)[_SEAL:]
    if content[:_SEAL] != _seal(key, archive):
        raise ValueError("its checksum does not match")
    return _arrays(secret.opened(archive, key))


def _archive(values: Arrays) -> bytes:
    """In NumPy's npz format, with every array where it can be used as it lies."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in values.items():
            about = zipfile.ZipInfo(f"{name}.npy")
            padding = -(buffer.tell() + _LOCAL + len(about.filename.encode()) + _ZIP64 + 4) % _ALIGNED
            about.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
            with archive.open(about, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return buffer.getvalue()


def _arrays(archive: bytes | memoryview) -> Arrays:
    """Of NumPy's npz format, as they lie in the archive where it may be written to and they are aligned, else copied.

    Its own checksums, of each array, are not compared: that of the whole was.
    """
    arrays, at, memory = {}, 0, memoryview(archive)
    while bytes(memory[at : at + 4]) == b"PK\3\4":  # a file; behind them is the directory
        n_name, n_extra = struct.unpack_from("<HH", memory, at + _LOCAL - 4)
        name = bytes(memory[at + _LOCAL :][:n_name]).decode().removesuffix(".npy")
        at += _LOCAL + n_name + n_extra
        header = io.BytesIO(memory[at : at + _MOST_HEADER])
        shape, is_fortran, dtype = _HEADERS[np.lib.format.read_magic(header)](header)
        if dtype.hasobject:
            raise PickleRefusedError(f"array {name} in the store is pickled")
        at += header.tell()
        array: NDArray[Any] = np.ndarray(shape, dtype, memory, at, order="F" if is_fortran else "C")
        at += array.nbytes
        arrays[name] = array if array.flags.aligned and array.flags.writeable else array.copy()
    return arrays


def usage(cache: Path) -> tuple[int, int]:
    """(bytes used, limit in bytes)."""
    if not folder(cache).is_dir():
        return 0, SIZE_LIMIT
    try:
        with _store(cache) as entries:
            return int(entries.volume()), SIZE_LIMIT
    except (_UnusableError, _DamagedError):
        return 0, SIZE_LIMIT
