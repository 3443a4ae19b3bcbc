"""The state of many files at once: a call of the system for each, by a process per core where they are many.

Threads would wait for each other, as half of such a call is the interpreter's. A process is this file run by itself,
which imports next to nothing and so begins in a hundredth of a second.
"""

import os
import struct
import subprocess
import sys
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from stat import S_ISLNK
from threading import Lock

FIELDS = ("size", "changed", "inode_changed", "inode", "device", "links")
FEW = 20_000  # files for which no process is begun
MOST = 2**63 - 1  # of a number here
_NOTHING = (0,) * len(FIELDS)
_BYTES, _LENGTH = 8 * len(FIELDS), struct.Struct("<q")


def states(names: bytes, folder: bytes) -> bytes:
    """(n, 6) int64, `FIELDS` of files named one after another, each ended by a NUL; zeros where there is none.

    Times are in nanoseconds. Names are relative to a folder. Links are followed, and have a single name each: what else
    leads to their file may change without its folder.
    """
    told = array("q")
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # there is no such folder, or it may be passed through but not read
        for name in names.split(b"\0")[:-1]:
            told.extend(state(os.path.join(folder, name)))  # noqa: PTH118
        return told.tobytes()
    try:
        for name in names.split(b"\0")[:-1]:
            told.extend(state(name, at))
    finally:
        os.close(at)
    return told.tobytes()


def state(path: bytes | str, at: int | None = None) -> tuple[int, ...]:
    """Of one file; `at`: an open folder that the path is relative to."""
    try:
        s = os.lstat(path, dir_fd=at)
        if is_link := S_ISLNK(s.st_mode):
            s = os.stat(path, dir_fd=at)
    except (OSError, ValueError):  # a NUL in a path is a ValueError
        return _NOTHING
    n_names = 1 if is_link or s.st_nlink < 1 else s.st_nlink
    return (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino & MOST, s.st_dev & MOST, n_names)


def each(parts: Iterator[bytes], folder: bytes, processes: int) -> Iterator[bytes]:
    """`states` of each part, in their order; by so many processes, 0: by this one."""
    if not processes:
        yield from (states(names, folder) for names in parts)
        return
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(processes))
        others = [stack.enter_context(_Process(folder)) for _ in range(processes)]
        waiting = []
        for number, names in enumerate(parts):
            waiting.append(threads.submit(others[number % processes].states, names))
            if len(waiting) == 2 * processes:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


class _Process:
    """Another one that answers `states`, as long as the block runs; where it cannot, or is no more, this one does."""

    def __init__(self, folder: bytes) -> None:
        self.folder, self.lock = folder, Lock()

    def __enter__(self) -> "_Process":
        command = [sys.executable, "-I", "-S", __file__, os.fsdecode(self.folder)]
        try:
            self.process: subprocess.Popen[bytes] | None = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        except OSError:
            self.process = None
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def states(self, names: bytes) -> bytes:
        expected = _BYTES * names.count(b"\0")
        told = self._answered(names, expected)
        return told if len(told) == expected else states(names, self.folder)

    def _answered(self, names: bytes, expected: int) -> bytes:
        if self.process is None or self.process.stdin is None or self.process.stdout is None:
            return b""
        with self.lock, suppress(OSError, ValueError):
            self.process.stdin.write(_LENGTH.pack(len(names)) + names)
            self.process.stdin.flush()
            return self.process.stdout.read(expected)
        return b""


def _answer(folder: bytes) -> None:
    """What a process does until nobody asks any more."""
    while len(length := sys.stdin.buffer.read(_LENGTH.size)) == _LENGTH.size:
        sys.stdout.buffer.write(states(sys.stdin.buffer.read(*_LENGTH.unpack(length)), folder))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _answer(os.fsencode(sys.argv[1]))
