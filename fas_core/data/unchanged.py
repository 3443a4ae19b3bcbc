"""What all files of a manifest hold, kept as long as nothing has changed: neither a file nor a folder that names it.

Names that come, go or are changed change their folder. So as long as the folders are as they were, names of one file
(hard links) still are, and one of them says whether the file is. Links (symbolic ones) are followed each for itself, as
they may lead elsewhere. That nothing but the contents, of 32 bytes a row, is read makes it quick: `hashes` keeps what
lasts when some of the files have changed. It lies beside the `twins`; no name of a file is in it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fas_core.data import processes, states, twins

STEP = 65_536  # rows whose names, or states, are objects of Python at a time


@dataclass(frozen=True)
class Whole:
    """All files of a manifest, each of which is there."""

    sha256: NDArray[np.uint8]  # (n, 32)
    sound: int  # mark of the rules by which all were found sound, 0: nobody has looked
    n_files: int


def key_of(names: pd.Series, folder: Path) -> str:
    """Of the names of files, one after another, relative to a folder; "" where one is no valid text."""
    digest = hashlib.sha256(twins.rules() + os.fsencode(folder.absolute()) + b"\0")
    try:
        for text in _texts(names):
            _, bounds, data = text.buffers()
            ends = np.frombuffer(bounds, np.int64, len(text) + 1, 8 * text.offset)
            digest.update(np.diff(ends).tobytes())
            digest.update(memoryview(data or b"")[ends[0] : ends[-1]])
    except ValueError:
        return ""
    return digest.hexdigest()[:32]


def kept(key: str, names: pd.Series, folder: Path) -> Whole | None:
    """What was kept of them; None where that is nothing, or any file or folder is not as it was."""
    with suppress(OSError, ValueError, EOFError, IndexError), twins.opened(key) as file:
        digest, numbers, folders, rows, sha256 = (np.load(file, allow_pickle=False) for _ in range(5))
        sound, n_files = numbers.tolist()
        if sha256.shape == (len(names), 32) and digest.tobytes() == told(folder, *_watched(names, folders, rows))[0]:
            return Whole(sha256, int(sound), int(n_files))
    return None


@dataclass(frozen=True)
class Folders:
    """Those that files are named in, as they are before the files are looked at."""

    rows: NDArray[np.int32]  # the first in each
    states: bytes

    @staticmethod
    def of(names: pd.Series, folder: Path) -> Folders:
        rows = _first_in_folders(names)
        return Folders(rows, b"".join(_states(folder, *_watched(names, rows, rows[:0]))))


def keep(
    key: str,
    whole: Whole,
    names: pd.Series,
    folder: Path,
    folders: Folders,
    rows: NDArray[np.intp],
    state: NDArray[np.int64],
    before: int,
) -> None:
    """Keeps it, where files and folders are all there, were changed before a time, and not since they were looked at.

    `rows`: those of different files, all links among them; `state`: of these, from before they were read.
    """
    digest, latest = told(folder, *_watched(names, folders.rows, rows))
    if latest < before and digest == hashlib.sha256(folders.states + state.tobytes()).digest():
        numbers = np.array([whole.sound, whole.n_files], np.uint64)
        arrays = (np.frombuffer(digest, np.uint8), numbers, folders.rows, rows.astype(np.int32), whole.sha256)
        twins.keep_arrays(key, arrays)


def told(folder: Path, names: Iterable[str], n: int) -> tuple[bytes, int]:
    """SHA-256 of the states of n files and folders, and the latest time at which one was changed: never, where one is
    not there."""
    digest, latest = hashlib.sha256(), 0
    for part in _states(folder, names, n):
        digest.update(part)
        state = np.frombuffer(part, np.int64).reshape(-1, len(states.FIELDS))
        latest = max(latest, int(state[:, 1:3].max(initial=0)) if state[:, -1].all() else states.MOST)
    return digest.digest(), latest


def _states(folder: Path, names: Iterable[str], n: int) -> Iterator[bytes]:
    left = iter(names)
    parts = (os.fsencode("\0".join([*part, ""])) for part in iter(lambda: [*islice(left, STEP)], []))
    yield from states.each(parts, os.fsencode(folder), processes.cores() if n >= states.FEW else 0)


def _watched(names: pd.Series, folders: NDArray[np.int32], rows: NDArray[np.integer]) -> tuple[Iterator[str], int]:
    """Names of the folders of some rows, then those of the files of others; and how many they are."""
    above = (name.rpartition("/")[0] or ("/" if name.startswith("/") else ".") for name in names.iloc[folders])
    parts = (names.iloc[rows[start : start + STEP]].tolist() for start in range(0, len(rows), STEP))
    return chain(above, chain.from_iterable(parts)), len(folders) + len(rows)


def _first_in_folders(names: pd.Series) -> NDArray[np.int32]:
    """The first row of each folder that files are named in."""
    seen: dict[str, int] = {}
    start = 0
    for text in _texts(names):
        above = pc.replace_substring_regex(text, "[^/]*$", "").dictionary_encode()
        _, first = np.unique(above.indices.to_numpy(), return_index=True)
        for name, row in zip(above.dictionary.to_pylist(), first.tolist(), strict=True):
            seen.setdefault(name, start + row)
        start += len(text)
    return np.array([*seen.values()], np.int32)


def _texts(names: pd.Series) -> Iterator[pa.LargeStringArray]:
    for start in range(0, len(names), STEP):
        whole = pa.array(names.iloc[start : start + STEP], pa.large_string())
        yield from whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
