"""Bytes kept from who has the disk but not the key: AES-256-GCM, in chunks that are read one by one.

    FAS_DATA_KEY        64 hexadecimal digits, or a file that holds them; else ~/.config/fas/data-key, 0600

Each file has a key of its own, HMAC-SHA-256 of the key and of 16 random bytes (HKDF's expansion of a key that is random
already), so that the number of a chunk is its nonce: no nonce is used twice with one key, whatever is written where.
What is authenticated beside the bytes says where they belong: a chunk of another place, file or Run does not open. The
key is never written beside what it opens, and nothing opens without it: keep a copy.
"""

from __future__ import annotations

import hmac
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from fas_core.access.keys import NO_LIBRARY, folder
from fas_core.errors import BadInputError
from fas_core.files import opened_file, write_secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

DATA_KEY = "FAS_DATA_KEY"  # variable of the environment
SALT, TAG = 16, 16  # bytes of each file, and of each chunk
_DIGITS = re.compile("[0-9a-fA-F]{64}")
_MAGIC = b"FASENC1\n"  # of what is sealed as a whole


class NoKeyError(BadInputError):
    """What is encrypted cannot be opened here: its key is missing, or another one is there."""


class TamperedError(ValueError):
    """Bytes are not what was sealed, or not where they were."""


def key_file() -> Path | None:
    """The file of the key; None where the environment holds the key itself."""
    said = os.environ.get(DATA_KEY, "")
    return None if _DIGITS.fullmatch(said) else Path(said) if said else folder() / "data-key"


def key() -> bytes | None:
    """The key, 32 bytes; None where there is none. Raises BadInputError where it cannot be used."""
    path = key_file()
    if path is None:
        return bytes.fromhex(os.environ[DATA_KEY])
    try:
        return _of_file(path)
    except (FileNotFoundError, NotADirectoryError):
        if os.environ.get(DATA_KEY):
            raise NoKeyError(f"{DATA_KEY} names {path}, which is not there. Bring the key back.") from None
        return None


@lru_cache(maxsize=16)
def _of_file(path: Path) -> bytes:
    """Read once a process: pages ask for it with every image."""
    try:
        with opened_file(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(200).decode(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise NoKeyError(f"The key {path} cannot be read: {error.strerror or error}.") from error
    if mode & 0o077:
        raise NoKeyError(f"Others may read the key {path}, so it hides nothing: chmod 600 {path}")
    if not _DIGITS.fullmatch(text):
        raise NoKeyError(f"{path} is no key: 64 hexadecimal digits. Make one: fas keys new --data")
    return bytes.fromhex(text)


def new(path: Path | None = None) -> Path:
    """Makes a key in a file, for its owner alone. Raises BadInputError where there is one already."""
    path = path or key_file()
    if path is None:
        raise BadInputError(f"{DATA_KEY} holds a key already. Name a file: --out FILE")
    content = f"{os.urandom(32).hex()}\n".encode()
    write_secret(content, path, "What it has encrypted needs it; another: --out FILE")
    return path


@lru_cache(maxsize=16)
def key_id(of: bytes) -> str:
    """16 hexadecimal digits that tell keys apart and nothing about them."""
    return hmac.digest(of, b"fas-explorer key id 1\x01", "sha256")[:8].hex()


def problem(wanted: str) -> str:
    """Why what the key with an id has encrypted cannot be opened here, in words; "" where it can."""
    try:
        own = key()
    except NoKeyError as error:
        return str(error).removesuffix(".")
    where = key_file() or DATA_KEY
    if own is None:
        return f"its key ({wanted}) is not here: put it into {where}, or name its file in {DATA_KEY}"
    if key_id(own) != wanted:
        return f"{where} is another key ({key_id(own)}) than its own ({wanted}): name the file of that in {DATA_KEY}"
    return "" if _has_library() else f"{NO_LIBRARY[0].lower()}{NO_LIBRARY[1:-1]}"


@lru_cache(maxsize=1)
def _has_library() -> bool:
    try:
        import cryptography  # noqa: F401 - whether it is there
    except ImportError:
        return False
    return True


@lru_cache(maxsize=1024)
def cipher(of: bytes, salt: bytes) -> AESGCM:
    """That of one file, by the key and the file's salt. Raises BadInputError without the library."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise NoKeyError(NO_LIBRARY) from None
    return AESGCM(hmac.digest(of, b"fas-explorer file key 1" + salt + b"\x01", "sha256"))


def nonce(chunk: int) -> bytes:
    """The 12 bytes of a chunk's number, as AES-GCM wants them: no two of a file are alike."""
    return chunk.to_bytes(12, "big")


def sealed(content: bytes, where: str) -> bytes:
    """Bytes that open at the place `where` alone; as they are where there is no key."""
    own = key()
    if own is None:
        return content
    salt = os.urandom(SALT)
    return _MAGIC + salt + cipher(own, salt).encrypt(nonce(0), content, where.encode())


def opened(content: bytes | memoryview, where: str) -> bytes | memoryview:
    """What `sealed` was given. Raises NoKeyError without its key, and TamperedError for what is not as it was."""
    if content[: len(_MAGIC)] != _MAGIC:
        return content
    own = key()
    if own is None:
        raise NoKeyError(f"It is encrypted, and its key is not here: name its file in {DATA_KEY}.")
    from cryptography.exceptions import InvalidTag

    salt, rest = content[len(_MAGIC) :][:SALT], content[len(_MAGIC) + SALT :]
    try:
        return cipher(own, salt).decrypt(nonce(0), rest, where.encode())
    except (InvalidTag, ValueError):
        raise TamperedError("it was changed, moved, or encrypted with another key") from None
