"""Ed25519 keys: results are signed by a user's own key, and only those of trusted keys count where any are set.

    keys.signed("card", frozen.seal)                the Signature; None where there is no key
    keys.standing("card", frozen.seal, signature)   whose it is, and whether what it is of is accepted here

    ~/.config/fas/key       or FAS_KEY: the private key (PKCS #8, PEM), 0600; FAS_KEY_PASSPHRASE unlocks it
    ~/.config/fas/key.pub   beside it: a line to be handed out, fas-ed25519 <64 hexadecimal digits> NAME
    ~/.config/fas/trusted   or FAS_TRUSTED: a line of that kind per key whose signature counts

What is signed are the kind of the document, its seal, the key, its name and the time: none of them can be changed, and
no signature be moved. A document is believed by its key alone, never by the name that it claims. Where the list of
trusted keys is there and empty, nobody is trusted. `cryptography` (the extra `keys`) is loaded by who has a key to use.
"""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fas_core.errors import BadInputError
from fas_core.files import atomic_file, opened_file, write_secret
from fas_core.texts import plain

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY, PASSPHRASE, TRUSTED_KEYS = "FAS_KEY", "FAS_KEY_PASSPHRASE", "FAS_TRUSTED"  # variables of the environment
ALGORITHM = "fas-ed25519"
LONGEST_NAME = 100  # characters
MOST_BYTES = 2**20  # of a file of keys
SHOWN = 16  # digits of a key
TRUSTED, OWN, UNKNOWN, UNSIGNED, CHANGED, UNCHECKED = "trusted", "own", "unknown", "unsigned", "changed", "unchecked"
BY_WHOM = "fas keys new makes a key, fas keys trust KEY.pub trusts it"  # who has none cannot sign
_DIGITS = re.compile("[0-9a-f]{64}")
NO_LIBRARY = "Keys take the library 'cryptography': pip install 'fas-explorer[keys]'."


@dataclass(frozen=True)
class PublicKey:
    """A key to check signatures with, and whose it is, as whoever keeps it has called it."""

    key: str  # 64 hexadecimal digits
    name: str

    @property
    def id(self) -> str:
        return self.key[:SHOWN]

    @property
    def line(self) -> str:
        return f"{ALGORITHM} {self.key} {self.name}"

    @property
    def words(self) -> str:
        return f"{self.name or 'somebody without a name'} (key {self.id})"


@dataclass(frozen=True)
class Signature:
    """Over the seal of a document: by which key, called what by its owner, and when."""

    key: str  # the public one, 64 hexadecimal digits
    name: str
    when: str  # UTC, ISO 8601
    value: str  # 128 hexadecimal digits


@dataclass(frozen=True)
class Standing:
    """How a document and its signature stand."""

    kind: str  # TRUSTED, OWN, UNKNOWN, UNSIGNED, CHANGED, or UNCHECKED where the library is missing
    by: PublicKey | None  # as it is known here; of an unknown key, as it calls itself; None of what has no signature
    is_accepted: bool  # here: by a trusted key, or where nobody says which are trusted, without a broken signature

    @property
    def words(self) -> str:
        """signed by Ada (key 0123456789abcdef)"""
        if self.kind == UNKNOWN and self.by is not None:
            return f"signed by an unknown key ({self.by.id}, which calls itself {self.by.name or 'nothing'})"
        if self.is_known and self.by is not None:
            return f"signed by {self.by.words}"
        return {CHANGED: "changed after signing", UNCHECKED: "signed, which cannot be checked here"}.get(
            self.kind, UNSIGNED
        )

    @property
    def is_known(self) -> bool:
        return self.kind in (TRUSTED, OWN)

    def refusal(self, what: str, signing: str) -> str:
        """Why it is not accepted and what to do, after `what` it is; `signing`: what signs it. "" where it is."""
        if self.is_accepted:
            return ""
        if self.kind == CHANGED:
            return f"{what} was changed after it was signed. Bring it back as it was, or make it anew."
        if self.kind == UNCHECKED:
            return f"{what} is signed. {NO_LIBRARY}"
        whom = f"only what one of the keys in {trusted_file()} has signed is accepted here"
        if self.kind == OWN:
            return f"{what} is signed by your own key, but {whom}: fas keys trust {_public_file(key_file())}"
        if self.kind == UNKNOWN:
            return f"{what} is {self.words}, but {whom}. If you know whose key it is: fas keys trust FILE.pub"
        return f"{what} is unsigned, but {whom}. Whoever answers for it signs it: {signing}"


# ------------------------------------------------------------------------------------------------------------- signing


def signed(what: str, seal: str) -> Signature | None:
    """The user's signature over the seal of a document of kind `what`; None where the user has no key.

    Raises BadInputError where the key cannot be used.
    """
    private = _private_key()
    if private is None:
        return None
    public = private.public_key().public_bytes_raw().hex()
    own = own_key()
    name = own.name if own is not None and own.key == public else _login()
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return Signature(public, name, when, private.sign(_message(what, seal, public, name, when)).hex())


def signature(what: str, seal: str) -> Signature:
    """As `signed`; raises BadInputError where the user has no key."""
    by_own = signed(what, seal)
    if by_own is None:
        raise BadInputError("There is no key to sign with. Make one: fas keys new")
    return by_own


class Signed(Protocol):
    """A document that may be signed."""

    @property
    def seal(self) -> str: ...
    @property
    def signature(self) -> Signature | None: ...
    @property
    def standing(self) -> Standing: ...


def signed_anew(what: str, seal: str, before: Signed) -> Signature | None:
    """The signature of a document that its keeper had to change: what it was signed by while the seal is the same; the
    user's, where it was that of a known key; else, and where the user has no key, None."""
    if seal == before.seal:
        return before.signature
    return signed(what, seal) if before.standing.is_known else None


def standing(what: str, seal: str, by: Signature | None) -> Standing:
    """How a document of kind `what` stands with its signature; its seal was just computed from all that it says.

    Raises BadInputError where the list of trusted keys cannot be read.
    """
    among = trusted()
    if by is None:
        return Standing(UNSIGNED, None, among is None)
    claimed = PublicKey(by.key, _name(by.name))
    fits = _fits(what, seal, by)
    if fits is None:
        return Standing(UNCHECKED, claimed, among is None)
    if not fits:
        return Standing(CHANGED, claimed, False)
    for known in among or ():
        if known.key == by.key:
            return Standing(TRUSTED, known, True)
    own = own_key()
    if own is not None and own.key == by.key:
        return Standing(OWN, own, among is None)
    return Standing(UNKNOWN, claimed, among is None)


def _fits(what: str, seal: str, by: Signature) -> bool | None:
    """None where nothing can be checked without the library."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None
    message = _message(what, seal, by.key, by.name, by.when)
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(by.key))
        public.verify(bytes.fromhex(by.value), message)
    except (InvalidSignature, ValueError):  # not of this, or no key and no signature at all
        return False
    return True


def _message(what: str, seal: str, key: str, name: str, when: str) -> bytes:
    return b"fas-explorer signature 1\n" + json.dumps([what, seal, key, name, when]).encode()


# --------------------------------------------------------------------------------------------------------- the own key


def folder() -> Path:
    """Where the user's settings are."""
    if named := os.environ.get("XDG_CONFIG_HOME"):
        return Path(named) / "fas"
    try:
        return Path.home() / ".config" / "fas"
    except RuntimeError:  # a user without a home, as in some containers
        return Path("/nonexistent/fas")


def key_file() -> Path:
    """The private key that signs here: of FAS_KEY, else of the settings' folder; it may be missing."""
    return Path(os.environ.get(KEY) or folder() / "key")


def _public_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")


def own_key() -> PublicKey | None:
    """The public half of the user's key, from the file beside it; None where there is none."""
    path = _public_file(key_file())
    try:
        return next(iter(_read(path)), None)
    except (FileNotFoundError, NotADirectoryError):
        return None


def new(name: str = "", path: Path | None = None) -> PublicKey:
    """Makes a key, locked by FAS_KEY_PASSPHRASE where that is set. Raises BadInputError where there is one already."""
    try:
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise BadInputError(NO_LIBRARY) from None
    path = path or key_file()
    private = Ed25519PrivateKey.generate()
    secret = os.environ.get(PASSPHRASE, "").encode()
    lock = form.BestAvailableEncryption(secret) if secret else form.NoEncryption()
    content = private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, lock)
    public = PublicKey(private.public_key().public_bytes_raw().hex(), _name(name) or _login())
    write_secret(content, path, "Choose another file: fas keys new --out FILE")
    with atomic_file(_public_file(path)) as temporary:
        temporary.write_text(f"{public.line}\n", encoding="utf-8")
    return public


def _private_key() -> Ed25519PrivateKey | None:
    """The user's; None where there is none. Raises BadInputError where it cannot be used."""
    path = key_file()
    try:
        with opened_file(path) as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            content = file.read(MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        if os.environ.get(KEY):
            raise BadInputError(f"{KEY} names {path}, which is not there. Make it: fas keys new --out {path}") from None
        return None
    except OSError as error:
        raise BadInputError(f"The key {path} cannot be read: {error.strerror or error}.") from error
    if mode & 0o077:
        raise BadInputError(f"Others may read the key {path}, so it proves nothing: chmod 600 {path}")
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise BadInputError(f"{path} is a key. {NO_LIBRARY}") from None
    is_locked = b"ENCRYPTED" in content
    secret = os.environ.get(PASSPHRASE, "").encode() or None
    if is_locked and secret is None:
        raise BadInputError(f"The key {path} is locked: put its passphrase into {PASSPHRASE}.")
    try:
        private = load_pem_private_key(content, secret if is_locked else None)
    except (ValueError, TypeError) as error:
        reason = f"{PASSPHRASE} does not unlock it" if is_locked else "it is no key in PEM"
        raise BadInputError(f"The key {path} cannot be used: {reason}.") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise BadInputError(f"The key {path} is of another kind than Ed25519. Make one: fas keys new --out FILE")
    return private


# -------------------------------------------------------------------------------------------------------- trusted keys


def trusted_file() -> Path:
    """The public keys that are trusted here: of FAS_TRUSTED_KEYS, else of the settings' folder; it may be missing."""
    return Path(os.environ.get(TRUSTED_KEYS) or folder() / "trusted")


def trusted() -> tuple[PublicKey, ...] | None:
    """Those whose signatures count; None where nothing says which: then all documents do that are whole.

    Raises BadInputError where the list is named and not there, or cannot be relied on.
    """
    path = trusted_file()
    try:
        return tuple(_read(path, for_trust=True))
    except (FileNotFoundError, NotADirectoryError):
        if os.environ.get(TRUSTED_KEYS):
            raise BadInputError(
                f"{TRUSTED_KEYS} names {path}, which is not there, so nothing is accepted. Put a key into it: fas keys "
                "trust FILE.pub"
            ) from None
        return None


def trust(file: Path) -> list[PublicKey]:
    """Adds the keys of a file to those that are trusted, and returns them. Raises BadInputError where it has none."""
    try:
        added = _read(file)
    except OSError as error:
        raise BadInputError(f"{file}: {error.strerror or error}. Give the file of a public key, KEY.pub.") from error
    if not added:
        raise BadInputError(f"{file} has no key. A line of one: {ALGORITHM} <64 hexadecimal digits> NAME")
    before = () if not trusted_file().exists() else trusted() or ()
    _keep({key.key: key for key in (*before, *added)}.values())
    return added


def untrust(reference: str) -> PublicKey:
    """Takes a key, by its name or how it begins, from those that are trusted, and returns it.

    Raises BadInputError where there is none such, or several.
    """
    before = trusted() or ()
    fitting = [key for key in before if key.name == reference] or [
        key for key in before if reference and key.key.startswith(reference)
    ]
    if len(fitting) != 1:
        what = "means several trusted keys" if fitting else "is no trusted key"
        listed = ", ".join(key.words for key in fitting or before) or "none"
        raise BadInputError(f"'{reference}' {what} of {trusted_file()}. Keys: {listed}.")
    _keep(key for key in before if key != fitting[0])
    return fitting[0]


def _keep(keys: Iterable[PublicKey]) -> None:
    with atomic_file(trusted_file()) as temporary:
        temporary.write_text("".join(f"{key.line}\n" for key in keys), encoding="utf-8")


def _read(path: Path, *, for_trust: bool = False) -> list[PublicKey]:
    """The keys of a file, a line each; empty lines and those with # are none.

    `for_trust`: refuses a file that anybody may write. Raises OSError where there is no file, else BadInputError.
    """
    try:
        with opened_file(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if for_trust and mode & 0o002:
        raise BadInputError(f"Anybody may write {path}, so it says nothing about trust: chmod o-w {path}")
    if len(content) > MOST_BYTES:
        raise BadInputError(f"{path} is longer than {MOST_BYTES:,} bytes: no list of keys.")
    keys = []
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(maxsplit=2)
        if len(parts) < 2 or parts[0] != ALGORITHM or not _DIGITS.fullmatch(parts[1]):
            raise BadInputError(
                f"{path}, line {number} is no public key. A line of one: {ALGORITHM} <64 hexadecimal digits> NAME"
            )
        keys.append(PublicKey(parts[1], _name(parts[2] if len(parts) > 2 else "")))
    return keys


def _name(text: str) -> str:
    """In one line, without what is not seen, and not too long."""
    return plain("".join(char for char in " ".join(text.split()) if char.isprintable()))[:LONGEST_NAME]


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):  # a user id without a name, as in some containers
        return ""
