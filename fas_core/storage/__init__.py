"""Folders in object storage, by fsspec: `s3://bucket/prefix` in place of a cache folder, a manifest or an image's path.

Each stands as a path of this machine, its twin, wherever paths are handed on:

    ~/.cache/fas-explorer/remote/s3/<bucket>/<prefix>      (XDG_CACHE_HOME where it is set)

A file that is there is read there: documents that `mirror` has brought, and what is kept beside Runs, which stays on
this machine. Every other one is read from the bucket when it is opened (`files.opened_file`): whole, or, where its name
is of its content (`content_name`), by ranges. Blocks of these stay on disk with a checksum, `ranges.KEPT` bytes at
most; those that were not read for longest go first.

What is put is complete or absent: files first, under names of their content, and then the one document without which
there is nothing, only where there is none (If-None-Match). Of two writers one's document is first, and names its own
files; what the other one has put is no part of anything. A client that does not answer is tried again several times.

Credentials, region and endpoint are the client's business: its environment (AWS_ACCESS_KEY_ID, AWS_PROFILE,
AWS_ENDPOINT_URL, ...) or ~/.aws. A URL that holds any is refused, and not shown.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from fas_core.files import atomic_file
from fas_core.storage import ranges
from fas_core.storage.client import AT_ONCE as AT_ONCE
from fas_core.storage.client import SCHEME, talking_to
from fas_core.storage.client import StorageError as StorageError
from fas_core.storage.client import is_elsewhere as is_elsewhere
from fas_core.storage.client import is_remote as is_remote
from fas_core.storage.client import key_of as key_of
from fas_core.storage.client import place as place
from fas_core.storage.client import shown as shown
from fas_core.storage.client import url_of as url_of
from fas_core.storage.client import with_urls as with_urls

PIECE = 8 * 2**20  # bytes of a file that is read to its end
_OF_CONTENT = re.compile(r"[0-9a-f]{32}-(\d+)-.+")
_MIRRORED = ".mirrored.json"
_log = logging.getLogger(__name__)


def content_name(file: str, size: int, sha256: str) -> str:
    """What a file of these bytes is called in storage: no other content has the name."""
    return f"{sha256[:32]}-{size}-{file}"


def opened(path: Path) -> io.BufferedReader:
    """The object that a twin stands for, open for reading. Raises FileNotFoundError, and StorageError."""
    if named := _OF_CONTENT.fullmatch(path.name):
        return io.BufferedReader(ranges.Ranges(path, int(named[1])))
    with talking_to(path) as client:
        content = client.cat_file(key_of(path))
    return io.BufferedReader(io.BytesIO(content))  # raw enough: it reads and seeks


def is_there(path: Path) -> bool:
    """Whether there is a file: here, or an object that a twin stands for."""
    if path.is_file() or not is_remote(path):
        return path.is_file()
    try:
        with talking_to(path) as client:
            client.info(key_of(path))
    except FileNotFoundError:
        return False
    return True


def listed(keys: Collection[str]) -> dict[str, tuple[int, int, str]]:
    """Size, time of change in nanoseconds and ETag of objects, by key; nothing of what is not there.

    Their folders are listed, which is a request per thousand objects. Raises StorageError.
    """

    def of_folder(folder: str) -> list[Mapping[str, Any]]:
        with suppress(FileNotFoundError), talking_to(place(f"{SCHEME}://{folder}")) as client:
            return list(client.ls(folder, detail=True))
        return []

    with ThreadPoolExecutor(AT_ONCE) as pool:
        there = {
            str(about["name"]): about
            for of in pool.map(of_folder, {key.rpartition("/")[0] for key in keys})
            for about in of
        }
    return {
        key: (int(about["size"]), int(about["LastModified"].timestamp() * 1e9), str(about["ETag"]))
        for key in keys
        if (about := there.get(key)) is not None and about["type"] == "file"
    }


def size_and_sha256(path: Path) -> tuple[int, str]:
    """Of an object, read in storage to its end, whatever is kept of it here."""
    digest, size = hashlib.sha256(), 0
    with talking_to(path) as client:
        end = int(client.info(key_of(path))["size"])
        while size < end:
            piece = client.cat_file(key_of(path), start=size, end=min(size + PIECE, end))
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


# ----------------------------------------------------------------------------------------------------------- putting


def put_folder(folder: Path, target: Path, names: Mapping[str, str], marker: str) -> bool:
    """Puts files of a folder under a twin, `names`: what each is called there, and then its `marker`, without which all
    of it is absent. False where somebody else's marker was there before: then theirs stands."""
    with talking_to(target) as client:
        for file, name in names.items():
            client.put_file(str(folder / file), f"{key_of(target)}/{name}")
    return put_new(target / marker, (folder / marker).read_bytes())


def put_new(path: Path, content: bytes) -> bool:
    """Puts a small object where there is none; False, and nothing is changed, where there is."""
    try:
        with talking_to(path) as client:
            client.pipe_file(key_of(path), content, mode="create")
    except FileExistsError:
        return False
    return True


def put(path: Path) -> None:
    """Puts a small file that was written into a twin where it belongs; nothing of any other file."""
    if is_remote(path):
        content = path.read_bytes()
        with talking_to(path) as client:
            client.pipe_file(key_of(path), content)


def remove(folder: Path, marker: str) -> None:
    """Removes all that is under a twin in storage, the marker first: from then on it is absent."""
    with talking_to(folder) as client:
        keys = client.find(key_of(folder))
        first = f"{key_of(folder)}/{marker}"
        if first in keys:
            client.rm_file(first)
        if rest := [key for key in keys if key != first]:
            client.rm(rest)
    ranges.drop()


# --------------------------------------------------------------------------------------------------------- mirroring

_seen: dict[Path, float] = {}  # of this process: when the storage of a twin was looked at; monotonic time


def mirror(folder: Path, markers: Collection[str], others: Collection[str] = (), within: float = 0) -> None:
    """Brings documents of these names, at any depth under a twin, as they are in storage; nothing of any other folder.

    Where a marker has gone there, its folder goes here. `within`: seconds in which a folder is not looked at again; of
    those looks but the first may fail, which leaves what is here. Raises StorageError.
    """
    if not is_remote(folder) or time.monotonic() < _seen.get(folder, -within) + within:
        return
    try:
        _mirror(folder, markers, others)
    except StorageError as error:
        if not within or folder not in _seen:
            raise
        _log.warning("%s", error)
    _seen[folder] = time.monotonic()


def _mirror(folder: Path, markers: Collection[str], others: Collection[str]) -> None:
    prefix = f"{key_of(folder)}/"
    with talking_to(folder) as client:
        listed = client.find(prefix, detail=True)
    there: dict[str, str] = {}
    when: dict[str, float] = {}
    for key, about in listed.items():
        relative = key.removeprefix(prefix)
        if Path(relative).name in {*markers, *others} and ".." not in Path(relative).parts:
            there[relative] = str(about["ETag"])
            when[relative] = about["LastModified"].timestamp()
    known = _mirrored(folder)
    for relative in known.keys() - there.keys():
        path = folder / relative
        shutil.rmtree(path.parent, ignore_errors=True) if path.name in markers else path.unlink(missing_ok=True)
    fresh = [name for name, tag in there.items() if known.get(name) != tag or not (folder / name).is_file()]

    def fetch(relative: str) -> None:
        with suppress(FileNotFoundError):  # it has just gone
            with talking_to(folder / relative) as client:
                content = client.cat_file(prefix + relative)
            with atomic_file(folder / relative) as temporary:
                temporary.write_bytes(content)
                os.utime(temporary, (when[relative], when[relative]))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(fetch, fresh))
    if known != there:
        with atomic_file(folder / _MIRRORED) as temporary:
            temporary.write_text(json.dumps(there), encoding="utf-8")


def _mirrored(folder: Path) -> dict[str, str]:
    """ETags of the documents that were brought, by their place."""
    with suppress(OSError, ValueError):
        content = json.loads((folder / _MIRRORED).read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return {str(name): str(tag) for name, tag in content.items()}
    return {}
