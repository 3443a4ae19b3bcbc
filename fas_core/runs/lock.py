"""Who writes a Run: one process at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from fas_core.errors import BadInputError
from fas_core.files import make_folder, make_private
from fas_core.runs.store import delete, read_json

LOCK = ".lock"


@contextmanager
def claimed(folders: Sequence[Path]) -> Iterator[None]:
    """Holds the folders of some Runs for writing while the block runs; what killed writers left in them is removed.

    Raises BadInputError naming the Run and its writer when another process, or another claim of this one, holds it.
    The lock is the kernel's (flock): it ends with the process that took it and those forked from it, however they end.
    It holds between the processes of one machine, and on NFSv4 between machines.
    """
    with ExitStack() as held:
        for folder in sorted(set(folders)):  # in one order, so that of two processes one gets all it asks for
            held.enter_context(_claim(folder))
        yield


@contextmanager
def _claim(folder: Path) -> Iterator[None]:
    handle = _locked(folder)
    try:
        _delete_remains(folder)
        yield
    finally:
        with suppress(OSError):
            _delete_remains(folder)  # of writers on other machines that were killed under this claim
        with suppress(OSError):
            if _is_lock_of(folder, handle):
                (folder / LOCK).unlink()
            folder.rmdir()  # which succeeds only where nothing was written
        os.close(handle)


def _delete_remains(folder: Path) -> None:
    for remains in (*folder.glob("*/.shard-*"), *folder.glob(".run.json.*"), *folder.glob(".joined*")):
        delete(remains)


def _locked(folder: Path) -> int:
    """The open lock file of a Run's folder (made if need be), locked; see `claimed` for errors."""
    import fcntl  # POSIX has it; Runs can be read without

    while True:
        make_folder(folder)
        try:
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            continue  # its last writer has just removed the empty folder
        with suppress(OSError):  # it is another's, or gone again
            make_private(folder / LOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            writer = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            raise BadInputError(
                f"{_name_of(folder)} is being written by {writer}. Wait until it is done (the app shows how far it "
                "is), then run the command again: what is complete is kept."
            ) from error
        except OSError as error:
            os.close(handle)
            raise BadInputError(
                f"{folder} cannot be locked ({error.strerror}), so two processes could write it. "
                "Choose a cache folder on another file system."
            ) from error
        if _is_lock_of(folder, handle):
            with suppress(OSError):  # a full disk: who holds it is for messages only
                os.truncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            return handle
        os.close(handle)  # its holder removed the file as we opened it


def _is_lock_of(folder: Path, handle: int) -> bool:
    """Whether the folder's lock file is the one that is open; its last holder may have removed or renamed it."""
    try:
        return os.path.samestat((folder / LOCK).stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _name_of(folder: Path) -> str:
    try:
        return f"Run {read_json(folder / 'run.json', folder.parent)['name']} ({folder.name})"
    except (BadInputError, KeyError):
        return f"Run {folder.name}"
