"""Hashes of files that are kept, so that what has not changed is not read again.

    ~/.cache/fas-explorer/hashes/<16 digits of the manifest's folder>.npy     (XDG_CACHE_HOME where it is set)

A file is taken for unchanged where all of these are as they were: its place in the manifest's folder, size, times of
change to the nanosecond (of the content, which anybody can set, and of the inode, which the system sets), inode and
device. Of a file that was changed less than two seconds before it was hashed nothing is kept, as a second change could
bear the same time. A record is 64 bits of the place and 64 of the rest, the SHA-256 of the content, and by which rules
the file was found to be sound, if it was: no name of a file is in it. `drop`, and `--rehash` of the commands, make all
files be read again.

Names of one file (hard links), and of one place in a pack, are read once. Of what lies in object storage it is size,
time of change and ETag that have to be as they were.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import files, storage
from fas_core.data import processes, states, twins, unchanged
from fas_core.data.unchanged import STEP
from fas_core.errors import BadInputError
from fas_core.files import MISSING

LEAST = 1_000  # files: fewer are hashed in a tenth of a second, and leave no trace
SETTLED = 2.0  # seconds: how coarse times of change are, on the coarsest of file systems
BATCH = 256  # files of one task of a thread
_RECORD = np.dtype([("key", "<u8"), ("check", "<u8"), ("sound", "<u8"), ("sha256", "u1", 32)])


class Seen(NamedTuple):
    """What reading a file has come to."""

    sha256: bytes  # none where it cannot be read
    problem: str = ""  # what is wrong with it, by whoever has looked


class Paths(Sequence[str]):
    """Of some rows, made as they are asked for: those of millions would take more room than the table."""

    def __init__(self, names: pd.Series, folder: Path, rows: NDArray[np.intp]) -> None:
        self.names, self.folder, self.rows = names, folder, rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> list[str]: ...

    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [files.joined(self.folder, name) for name in self.names.iloc[self.rows[at]]]
        return files.joined(self.folder, self.names.iloc[self.rows[at]])


Look = Callable[[Sequence[str]], Iterator[tuple[int, Seen]]]  # at files: the position of each, and what it came to


@dataclass(frozen=True)
class Contents:
    """Of the n files that rows name: what is in them, and what is wrong with them."""

    sha256: NDArray[np.uint8]  # (n, 32), zeros where it is missing
    is_missing: NDArray[np.bool_]  # (n,) that cannot be read, or is no regular file
    problems: dict[int, str]  # of rows, counted from 0, in their order
    n_files: int  # that are there: several rows may name one, or one place in a pack

    def digits(self) -> Iterator[str]:
        """64 hexadecimal digits of each, or `MISSING`."""
        for digits, is_missing in self._parts():
            for row, missing in enumerate(is_missing.tolist()):
                yield MISSING if missing else digits[64 * row : 64 * (row + 1)]

    def add_to(self, digest: hashlib._Hash) -> None:
        """Adds all `digits`."""
        for digits, is_missing in self._parts():
            begin = 0
            for row in np.flatnonzero(is_missing).tolist():
                digest.update((digits[begin : 64 * row] + MISSING).encode())
                begin = 64 * (row + 1)
            digest.update(digits[begin:].encode())

    def _parts(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        for start in range(0, len(self.sha256), STEP):
            yield self.sha256[start : start + STEP].tobytes().hex(), self.is_missing[start : start + STEP]


def contents(names: pd.Series, folder: Path, look: Look | None = None, rules: str = "") -> Contents:
    """Of the files that rows name, relative to the manifest's folder; with it their hashes are kept.

    `look`: reads those that are not known to be unchanged; it may find problems, by `rules`, which name what it looks
    for: what was found sound by the same rules is not looked at again. Without it they are hashed.
    """
    look, sound, is_kept_at_all = look or _hashed, _mark(rules), len(names) >= LEAST
    settled = time.time_ns() - int(SETTLED * 1e9)
    whole_key = unchanged.key_of(names, folder) if is_kept_at_all else ""
    whole = unchanged.kept(whole_key, names, folder) if whole_key else None
    if whole is not None and (not rules or whole.sound == sound):
        return Contents(whole.sha256, np.zeros(len(names), np.bool_), {}, whole.n_files)
    folders = unchanged.Folders.of(names, folder) if whole_key else None
    own, state = _looked_up(names, folder)
    is_settled = (state[:, _LINKS] > 0) & (state[:, 1:3].max(1, initial=0) < settled)
    kept = _read(folder) if is_kept_at_all else np.empty(0, _RECORD)
    is_known = _filled(own, kept) if len(kept) else np.zeros(len(own), np.bool_)
    is_done = is_known & (own["sound"] == sound) if rules else is_known
    unread, same_as = _once(np.flatnonzero(~is_done), state)
    is_missing, is_read = np.zeros((2, len(own)), np.bool_)
    problems: dict[int, str] = {}
    again = np.flatnonzero(~is_done)
    try:
        for position, seen in look(Paths(names, folder, unread)):
            row = unread[position]
            is_read[row], is_missing[row] = True, not seen.sha256
            own["sha256"][row] = np.frombuffer(seen.sha256 or bytes(32), np.uint8)
            if seen.problem:
                problems[int(row)] = seen.problem
    finally:  # what was read before somebody stopped it is kept, too
        own["sha256"][again], is_missing[again] = own["sha256"][same_as], is_missing[same_as]
        is_read[again] = is_read[same_as]
        if problems:
            problems = {r: problems[f] for r, f in zip(again.tolist(), same_as.tolist(), strict=True) if f in problems}
        if rules:
            own["sound"][again] = sound
            own["sound"][list(problems)] = 0
        is_kept = is_done | (is_read & is_settled & ~is_missing & (own["check"] != 0))
        if is_kept_at_all and (is_kept & ~is_done).any():
            _write(folder, own, is_kept, kept)
    is_told = own["check"] != 0
    n_files = len(np.unique(own["check"][is_told])) + int((~is_told & ~is_missing).sum())
    if folders is not None and is_kept.all() and not problems:
        different, _ = _once(np.arange(len(own)), state)
        marks = np.unique(own["sound"])
        whole = unchanged.Whole(own["sha256"], int(marks[0]) if len(marks) == 1 else 0, n_files)
        unchanged.keep(whole_key, whole, names, folder, folders, different, state[different], settled)
    return Contents(own["sha256"], is_missing, problems, n_files)


def drop(folder: Path) -> None:
    """Nothing is kept of the files of a manifest's folder, nor what any manifest was read as."""
    _place(folder).unlink(missing_ok=True)
    twins.drop()


def sha256_of(path: str) -> bytes:
    """Of all bytes of a file; none where it cannot be read, or is no regular file. Raises StorageError."""
    try:
        return bytes.fromhex(files.file_sha256(Path(path)))
    except BadInputError:  # object storage does not answer: that says nothing about the file
        raise
    except (OSError, ValueError):  # a NUL in a path is a ValueError
        return b""


def _hashed(paths: Sequence[str]) -> Iterator[tuple[int, Seen]]:
    def batch(start: int) -> list[Seen]:
        return [Seen(sha256_of(path)) for path in paths[start : start + BATCH]]

    starts = range(0, len(paths), BATCH)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start, seen in zip(starts, pool.map(batch, starts), strict=True):
            yield from enumerate(seen, start)


def _looked_up(names: pd.Series, folder: Path) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """(n,) records that lack their hash, zeros where a file is not there; (n, 6) `states.FIELDS`."""
    own, state = np.zeros(len(names), _RECORD), np.zeros((len(names), len(states.FIELDS)), np.int64)
    others: dict[int, str] = {}  # rows whose names are no files'

    def parts() -> Iterator[bytes]:
        for start in range(0, len(names), STEP):
            part = names.iloc[start : start + STEP].to_numpy(object)
            with suppress(ValueError):  # a name that is no valid text: nothing is kept of it
                own["key"][start : start + STEP] = pd.util.hash_array(part, categorize=False)
            text = "\0".join([*part, ""])
            if text.count("\0") > len(part) or _IN_PACK in text:
                others.update({start + at: name for at, name in enumerate(part) if "\0" in name or _IN_PACK in name})
                text = "\0".join(["" if start + at in others else name for at, name in enumerate(part)] + [""])
            yield os.fsencode(text)

    n_processes = processes.cores() if len(names) >= states.FEW else 0
    at = 0
    for told in states.each(parts(), os.fsencode(folder), n_processes):
        of_part = np.frombuffer(told, np.int64).reshape(-1, len(states.FIELDS))
        state[at : at + len(of_part)] = of_part
        at += len(of_part)
    packs: dict[str, _State | None] = {}  # of which none is looked up twice in a moment
    for row, name in others.items():
        state[row] = _state(files.joined(folder, name), packs)
    if len(names) >= LEAST and (storage.is_remote(folder) or names.str.contains(_URL, regex=False).any()):
        _add_stored(state, names, folder)
    is_there = state[:, _LINKS] > 0
    check = np.zeros(len(names), np.uint64)
    for column in range(_LINKS):
        check = pd.util.hash_array(check ^ state[:, column].view(np.uint64))
    own["check"] = np.where(is_there & (own["key"] != 0), check | np.uint64(1), 0)
    return own, state


_LINKS, _URL = states.FIELDS.index("links"), "s3:/"


def _add_stored(state: NDArray[np.int64], names: pd.Series, folder: Path) -> None:
    """Fills in what is not here but in object storage: by its ETag, in place of what tells a file from another."""
    rows = np.flatnonzero(state[:, _LINKS] == 0)
    keys = [storage.key_of(Path(files.joined(folder, names.iloc[row]))) for row in rows]
    there = storage.listed({key for key in keys if key})
    for row, key in zip(rows, keys, strict=True):
        if key in there:
            size, changed, tag = there[key]
            state[row] = (size, changed, changed, _mark(tag) & states.MOST, 0, 1)


_State = tuple[int, ...]


def _state(path: str, packs: dict[str, _State | None]) -> _State:
    """Of the place in a pack that a path is, as if it had several names; zeros where there is none, or of a path with a
    NUL. Raises BadInputError for a pack in object storage."""
    if (span := files.span_in_pack(path)) is not None:
        place = str(span[0])
        if place not in packs:
            if storage.is_remote(span[0]):
                raise BadInputError(
                    f"{storage.shown(span[0])} is a pack, and packs are read from disks alone, not from object "
                    "storage. Name the images' own files there, or bring the packs and their manifest to a disk."
                )
            packs[place] = states.state(place) if span[0].is_file() else None
        if (state := packs[place]) is not None:
            return hash((state[0], *span[1:])), *state[1:-1], 2
    return states.state(path)


_IN_PACK = f"{files.PACK}/"


def _filled(own: NDArray[np.void], kept: NDArray[np.void]) -> NDArray[np.bool_]:
    """Writes into the records what is kept of them; (n,) whether it is."""
    keys, order = own["key"].copy(), np.argsort(own["key"])
    at = np.empty(len(own), np.intp)  # looked for in their order: memory is gone through once
    at[order] = np.searchsorted(kept["key"].copy(), keys[order]).clip(max=len(kept) - 1)
    is_known = (own["check"] != 0) & (kept["key"][at] == own["key"]) & (kept["check"][at] == own["check"])
    for name in ("sound", "sha256"):
        own[name][is_known] = kept[name][at[is_known]]
    return np.asarray(is_known)


def _once(rows: NDArray[np.intp], state: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows to read, and for each of `rows` which of those stands for it: names of one file have one."""
    has_names = state[rows, _LINKS] > 1
    linked = rows[has_names]
    if not len(linked):
        return rows, rows
    order = np.lexsort([state[linked, field] for field in range(_LINKS)])
    is_first = np.append(True, np.zeros(len(linked) - 1, np.bool_))
    for field in range(_LINKS):
        is_first[1:] |= np.diff(state[linked[order], field]) != 0
    same_as = rows.copy()
    of_linked = np.empty(len(linked), np.intp)
    of_linked[order] = linked[order[is_first]][np.cumsum(is_first) - 1]
    same_as[has_names] = of_linked
    return np.unique(same_as), same_as


def _mark(rules: str) -> int:
    return int.from_bytes(hashlib.sha256(rules.encode()).digest()[:8], "little") if rules else 0


def _place(folder: Path) -> Path:
    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    return twins.home() / f"{name}.npy"


def _read(folder: Path) -> NDArray[np.void]:
    """Records by key; none where there are none, or what is there is not ours."""
    with suppress(OSError, ValueError, EOFError), _place(folder).open("rb") as file:
        kept = np.load(file, allow_pickle=False)
        if kept.dtype == _RECORD and kept.ndim == 1:
            return np.asarray(kept)
    return np.empty(0, _RECORD)


def _write(folder: Path, own: NDArray[np.void], is_kept: NDArray[np.bool_], before: NDArray[np.void]) -> None:
    """Those of now, and those of before where they are no more: of other manifests of the folder, or of no file."""
    rows = np.flatnonzero(is_kept)
    keys = np.concatenate([own["key"][rows], before["key"]])
    keys, first = np.unique(keys, return_index=True)
    if len(first) > 2 * len(rows):
        first = first[first < len(rows)]
    place = _place(folder)
    with suppress(OSError, BadInputError):  # a folder that cannot be written to keeps nothing
        files.make_folder(place.parent)
        with files.atomic_file(place) as temporary, temporary.open("wb") as file:
            header = np.lib.format.header_data_from_array_1_0(before) | {"shape": first.shape}
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(first), STEP):
                part = first[start : start + STEP]
                is_own, records = part < len(rows), np.empty(len(part), _RECORD)
                records[is_own] = own[rows[part[is_own]]]
                records[~is_own] = before[part[~is_own] - len(rows)]
                file.write(records.tobytes())
