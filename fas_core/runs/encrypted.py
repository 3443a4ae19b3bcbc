"""Arrays of a shard at rest: `inputs.npy.aes` in place of `inputs.npy`, rows in chunks that open one by one.

A file is its chunks one after the other, each as long as its rows and 16 bytes more; how many rows a chunk has, and the
salt of its key, stand in meta.json. A chunk of images is one image, so that a page decrypts what it shows. To each
chunk belong, authenticated: the Run, subset, shard, name, shape and type of the array, how many rows a chunk has, and
which one it is. See `access.secret` for keys and nonces.

A Run whose folder has `.encrypted` is written so: every shard that comes later, too.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fas_core import documents, storage
from fas_core.access import secret
from fas_core.access.secret import NoKeyError, TamperedError
from fas_core.errors import BadInputError
from fas_core.files import atomic_file

if TYPE_CHECKING:
    import io

SUFFIX = ".aes"
MARKER = ".encrypted"  # in the folder of a Run: the id of its key
CHUNK = 16 * 1024  # bytes at least, where a row is shorter


@dataclass(frozen=True)
class EncryptedMeta:
    """The file that stands in place of an array's, as meta.json has it."""

    bytes: int
    sha256: str
    rows: int  # in a chunk; fewer in the last
    salt: str  # hexadecimal digits
    key: str  # the id of the key

    def fits(self, shape: tuple[int, ...], dtype: str) -> bool:
        """Whether it can hold an array of this shape and type."""
        if self.rows < 1 or len(self.salt) != 2 * secret.SALT or not set(self.salt) <= set("0123456789abcdef"):
            return False
        chunks = -(-shape[0] // self.rows)
        return self.bytes == math.prod(shape) * np.dtype(dtype).itemsize + chunks * secret.TAG


def require_key(run_folder: Path) -> bytes:
    """The key by which a Run is encrypted, or will be. Raises NoKeyError where it is not here, or would not stay out of
    the cache."""
    own = secret.key()
    path = secret.key_file()
    if own is None:
        raise NoKeyError(f"There is no key to encrypt with. Make one, and keep a copy: fas keys new --data ({path})")
    cache = run_folder.resolve().parents[1]
    if path is not None and path.resolve().is_relative_to(cache):
        raise NoKeyError(f"The key {path} is in the cache folder that it is to lock: move it elsewhere.")
    kept = marked(run_folder)
    if kept and (why := secret.problem(kept)):
        raise NoKeyError(f"Run {run_folder.name} is encrypted, and {why}.")
    return own


def marked(run_folder: Path) -> str:
    """The id of the key by which a Run's shards are written; "" where they are in the clear."""
    try:
        said = documents.read(run_folder / MARKER, below=run_folder.parent)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise BadInputError(f"{run_folder / MARKER} cannot be read ({error}). Bring it back as it was.") from error
    return str(said)


def mark(run_folder: Path) -> None:
    """From here on the shards of a Run are written encrypted. See `require_key` for errors."""
    own = require_key(run_folder)
    if not marked(run_folder):
        with atomic_file(run_folder / MARKER) as temporary:
            temporary.write_text(f'"{secret.key_id(own)}"\n', encoding="utf-8")
        storage.put(run_folder / MARKER)


def _place(shard: Path, name: str, shape: tuple[int, ...], dtype: str, rows: int) -> bytes:
    """What is authenticated with each chunk of an array, before its number."""
    words = (shard.parents[1].name, shard.parent.name, shard.name, name, str(shape), dtype, str(rows))
    return "\n".join(("fas-explorer array 1", *words, "")).encode()


def write(array: NDArray[Any], path: Path, shard: Path, name: str, own: bytes) -> tuple[int, str]:
    """Writes an array of a shard to `path`; returns how many rows a chunk has, and the salt."""
    array = np.ascontiguousarray(array)
    stride = array.itemsize * math.prod(array.shape[1:])
    rows = max(1, CHUNK // max(1, stride))
    salt = os.urandom(secret.SALT)
    seal, place = secret.cipher(own, salt), _place(shard, name, array.shape, str(array.dtype), rows)
    with path.open("wb") as file:
        for chunk, start in enumerate(range(0, len(array), rows)):
            content = array[start : start + rows].tobytes()
            file.write(seal.encrypt(secret.nonce(chunk), content, b"%b%d" % (place, chunk)))
    return rows, salt.hex()


class Reader:
    """The rows of an encrypted array, from its open file. Raises NoKeyError where its key is not here."""

    def __init__(
        self, file: io.FileIO, shard: Path, name: str, shape: tuple[int, ...], dtype: str, about: EncryptedMeta
    ) -> None:
        own = secret.key()
        if own is None or secret.key_id(own) != about.key:
            raise NoKeyError(f"Run {shard.parents[1].name} is encrypted, and {secret.problem(about.key)}.")
        self.cipher = secret.cipher(own, bytes.fromhex(about.salt))
        from cryptography.exceptions import InvalidTag  # without it there is no cipher

        self.failure = InvalidTag
        self.place = _place(shard, name, shape, dtype, about.rows)
        self.file, self.n, self.rows = file, shape[0], about.rows
        self.stride = np.dtype(dtype).itemsize * math.prod(shape[1:])

    def chunk(self, number: int, into: NDArray[np.uint8]) -> None:
        """Decrypts a chunk into its bytes. Raises TamperedError where it is not what was written there."""
        self.file.seek(number * (self.rows * self.stride + secret.TAG))
        content = self.file.read(into.nbytes + secret.TAG)
        try:
            self.cipher.decrypt_into(secret.nonce(number), content, b"%b%d" % (self.place, number), into.data)
        except (self.failure, ValueError):
            raise TamperedError(f"chunk {number}") from None

    def all(self, array: NDArray[Any]) -> None:
        """Fills (n, ...) with every row."""
        rows = array.reshape(-1).view(np.uint8).reshape(self.n, self.stride)
        for chunk, start in enumerate(range(0, self.n, self.rows)):
            self.chunk(chunk, rows[start : start + self.rows])

    def some(self, rows: NDArray[np.int64], items: NDArray[Any]) -> None:
        """Fills (m, ...) with m rows, in the order asked."""
        wanted = items.reshape(-1).view(np.uint8).reshape(len(rows), self.stride)
        if self.rows == 1:
            for row, item in zip(rows.tolist(), wanted, strict=True):
                self.chunk(row, item)
            return
        chunks = rows // self.rows
        for chunk in np.unique(chunks).tolist():
            start = chunk * self.rows
            whole = np.empty((min(self.rows, self.n - start), self.stride), np.uint8)
            self.chunk(chunk, whole)
            here = chunks == chunk
            wanted[here] = whole[rows[here] - start]
