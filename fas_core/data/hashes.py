"""Hashes of files that are kept, so that what has not changed is not read again.

    ~/.cache/fas-explorer/hashes/<16 digits of the manifest's folder>.npy     (XDG_CACHE_HOME where it is set)

A file is taken for unchanged where all of these are as they were: its place, size, times of change to the nanosecond
(of the content, which anybody can set, and of the inode, which the system sets), inode and device. Of a file that was
changed less than two seconds before it was hashed nothing is kept, as a second change could bear the same time. A
record is 16 bytes of the SHA-256 of all that, and the SHA-256 of the content: no name of a file is in it. `drop`, and
`--rehash` of the commands, make all files be read again.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fas_core import files
from fas_core.errors import BadInputError
from fas_core.files import MISSING

LEAST = 1_000  # files: fewer are hashed in a tenth of a second, and leave no trace
SETTLED = 2.0  # seconds: how coarse times of change are, on the coarsest of file systems
_RECORD = np.dtype([("key", "<u8"), ("check", "<u8"), ("sha256", "u1", 32)])


def content_hashes(paths: Sequence[Path], folder: Path) -> Iterator[str]:
    """As `files.content_hashes`; `folder`: the manifest's, whose files' hashes are kept together."""
    if len(paths) < LEAST:
        yield from files.content_hashes(paths)
        return
    own, is_settled = _keys(paths)
    kept = _read(folder)
    at = np.searchsorted(kept["key"], own["key"]).clip(max=max(len(kept) - 1, 0))
    is_known = np.zeros(len(own), np.bool_)
    if len(kept):
        is_known = (own["check"] != 0) & (kept["key"][at] == own["key"]) & (kept["check"][at] == own["check"])
        own["sha256"][is_known] = kept["sha256"][at[is_known]]
    fresh = files.content_hashes([path for path, known in zip(paths, is_known, strict=True) if not known])
    is_kept = is_known.copy()
    digits = own["sha256"].tobytes().hex()
    for row, known in enumerate(is_known.tolist()):
        if known:
            yield digits[64 * row : 64 * (row + 1)]
            continue
        content = next(fresh)
        if content != MISSING and is_settled[row]:
            own["sha256"][row] = np.frombuffer(bytes.fromhex(content), np.uint8)
            is_kept[row] = True
        yield content
    if is_kept.sum() > is_known.sum():
        _write(folder, own[is_kept], kept)


def drop(folder: Path) -> None:
    """Nothing is kept of the files of a manifest's folder."""
    _place(folder).unlink(missing_ok=True)


def _keys(paths: Sequence[Path]) -> tuple[NDArray[np.void], NDArray[np.bool_]]:
    """(n,) records that lack their hash, zeros where a file is not there; and whether it has not changed just now."""
    own, is_settled = np.zeros(len(paths), _RECORD), np.zeros(len(paths), np.bool_)
    latest = time.time_ns() - int(SETTLED * 1e9)
    keys = np.zeros((len(paths), 2), np.uint64)
    for row, path in enumerate(paths):
        try:
            s = path.stat()
        except (OSError, ValueError):  # a NUL in a path is a ValueError
            continue
        text = f"{path.absolute()}\0{s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino} {s.st_dev}"
        keys[row] = np.frombuffer(hashlib.sha256(os.fsencode(text)).digest()[:16], "<u8")
        is_settled[row] = max(s.st_mtime_ns, s.st_ctime_ns) < latest
    own["key"], own["check"] = keys[:, 0], keys[:, 1]
    return own, is_settled


def _place(folder: Path) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "fas-explorer" / "hashes" / f"{name}.npy"


def _read(folder: Path) -> NDArray[np.void]:
    """Records by key; none where there are none, or what is there is not ours."""
    with suppress(OSError, ValueError, EOFError), _place(folder).open("rb") as file:
        kept = np.load(file, allow_pickle=False)
        if kept.dtype == _RECORD and kept.ndim == 1:
            return np.asarray(kept)
    return np.empty(0, _RECORD)


def _write(folder: Path, own: NDArray[np.void], before: NDArray[np.void]) -> None:
    """Those of now, and those of before where they are no more: of other manifests of the folder, or of no file."""
    both = np.concatenate([own, before])
    _, first = np.unique(both["key"], return_index=True)
    records = both[first] if len(first) <= 2 * len(own) else own[np.argsort(own["key"])]
    place = _place(folder)
    with suppress(OSError, BadInputError):  # a folder that cannot be written to keeps nothing
        files.make_folder(place.parent)
        with files.atomic_file(place) as temporary, temporary.open("wb") as file:
            np.save(file, records, allow_pickle=False)
