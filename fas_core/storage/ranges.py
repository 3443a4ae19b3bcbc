"""Objects whose content never changes, read by ranges; blocks of them that stay on disk."""

from __future__ import annotations

import errno
import io
import os
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import diskcache

from fas_core.errors import BadInputError
from fas_core.files import make_folder
from fas_core.memo import NoPickleDisk
from fas_core.storage.client import home, key_of, talking_to, url_of

BLOCK = 256 * 1024  # bytes that are read at least
LONG = 16 * BLOCK  # a read of more is of whoever goes through everything, and stays nowhere
KEPT = 4 * 2**30  # bytes of blocks on disk


class Ranges(io.RawIOBase):
    """An object of known size whose content never changes, read by ranges in whole blocks."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__()
        self.path, self.size, self.at = path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence]
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Fills all of a buffer, but at the end."""
        target = memoryview(buffer).cast("B")
        end = min(self.at + len(target), self.size)
        if end <= self.at:
            return 0
        numbers = range(self.at // BLOCK, (end - 1) // BLOCK + 1)
        blocks = self._blocks(numbers)
        filled = 0
        for number in numbers:
            start = max(self.at - number * BLOCK, 0)
            part = memoryview(blocks[number])[start : end - number * BLOCK]
            target[filled : filled + len(part)] = part
            filled += len(part)
        self.at = end
        return filled

    def _blocks(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """By number; those that are not kept here are asked for together where they lie together."""
        stays = len(numbers) * BLOCK <= LONG
        blocks = {n: block for n in numbers if (block := _kept_block(self.path, n))} if stays else {}
        missing = [n for n in numbers if n not in blocks]
        for _, run in groupby(enumerate(missing), lambda pair: pair[1] - pair[0]):
            together = [n for _, n in run]
            start, end = together[0] * BLOCK, min((together[-1] + 1) * BLOCK, self.size)
            with talking_to(self.path) as client:
                content = client.cat_file(key_of(self.path), start=start, end=end)
            if len(content) != end - start:
                raise OSError(errno.EIO, "Is shorter than its name says", url_of(self.path))
            for n in together:
                blocks[n] = content[n * BLOCK - start : (n + 1) * BLOCK - start]
                if stays:
                    _keep_block(self.path, n, blocks[n])
        return blocks


@lru_cache(maxsize=1)
def _blocks_here(folder: Path, process: int) -> diskcache.Cache:  # noqa: ARG001 - a connection does not survive a fork
    make_folder(folder)
    return diskcache.Cache(
        str(folder), disk=NoPickleDisk, size_limit=KEPT, eviction_policy="least-recently-used", timeout=2
    )


_NOT_KEPT = (OSError, BadInputError, ValueError, sqlite3.Error, diskcache.Timeout)  # then it is read where it lies


def _kept_block(path: Path, number: int) -> bytes | None:
    with suppress(*_NOT_KEPT):
        value = _blocks_here(home() / "blocks", os.getpid()).get(f"{key_of(path)} {number}")
        if value is not None and zlib.crc32(value[4:]).to_bytes(4) == value[:4]:
            return bytes(value[4:])
    return None


def _keep_block(path: Path, number: int, block: bytes) -> None:
    with suppress(*_NOT_KEPT):
        value = zlib.crc32(block).to_bytes(4) + block
        _blocks_here(home() / "blocks", os.getpid()).set(f"{key_of(path)} {number}", value)


def drop() -> None:
    """Nothing of any object stays here: which one a block is of, its key alone says."""
    with suppress(*_NOT_KEPT):
        _blocks_here(home() / "blocks", os.getpid()).clear()
