"""What people did, in a log that only grows and that nobody can change unseen.

    FOLDER/audit-000001.jsonl     an entry a line: {"n": 17, "when": ..., "kind": "faces", "who": ..., "about": {...},
                                  "before": SHA-256 of the line before this one, as it stands in the file}
    FOLDER/audit-000002.jsonl     goes on where the one before has reached its size; its first line holds that's last
    FOLDER/last.json              how many entries there were, and the SHA-256 of the latest one

A changed, missing or inserted line breaks the chain, and so do lines and files that were taken off the end, unless
last.json was changed with them: whoever may write here can make all of it anew, and is told by the latest SHA-256 where
somebody has noted it elsewhere (`fas audit --verify` prints it). A line is written whole, and the disk has it before
what it tells of happens. What a killed writer left of one stays where it is: the next entry, of the kind "torn", says
so and goes on with the chain. Several processes write in turn. No pixel, file or token is ever in it: what an entry is
about are names, numbers and sample ids.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from fas_core import documents
from fas_core.errors import BadInputError
from fas_core.files import cannot_write, end_of, make_folder, make_private

Kind = Literal[
    "login", "logout", "refused", "faces", "export", "upload", "decision", "deletion", "marks", "settings", "torn"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
FIRST = "0" * 64  # before the first line
NAMES = 100  # in one entry; more are several entries
LONGEST_TEXT = 500  # characters
_FILE = re.compile(r"audit-(\d{6})\.jsonl")
_LONGEST_LINE = 2**20  # bytes; what is longer was not written here

Value = str | int | float | bool | Sequence[str] | None


@dataclass(frozen=True)
class Entry:
    """One line."""

    n: int  # counted from 1
    when: str  # UTC, ISO 8601
    kind: str  # one of `KINDS`
    who: str  # the signature of a login; "" of nobody who has logged in
    about: Mapping[str, object]
    before: str

    @property
    def words(self) -> str:
        """What it is about, in a line."""
        said = {name: ", ".join(map(str, v)) if isinstance(v, tuple | list) else v for name, v in self.about.items()}
        return "; ".join(f"{name} {value}" for name, value in said.items() if value not in ("", None))


@dataclass(frozen=True)
class Verified:
    """What going through all lines has shown."""

    n: int  # entries that are here, whatever number the last of them has
    sha256: str  # of the last line
    problems: tuple[str, ...]  # the chain is whole where there are none
    notes: tuple[str, ...] = ()  # what is as it may be after a kill


@dataclass(frozen=True)
class Settings:
    """The table `[audit]`."""

    folder: str = ""  # "": `default_folder`
    megabytes: int = 16  # of a file, before the next one begins

    @staticmethod
    def of(table: Mapping[str, object], where: str) -> Settings:
        """Raises BadInputError, beginning with `where`, for what is no such table."""
        said = documents.read_as(Settings, dict(table), where)
        if not 1 <= said.megabytes <= 1024:
            raise BadInputError(f"{where}: 'megabytes' should be 1 to 1,024, and is {said.megabytes}.")
        return said

    @property
    def log(self) -> Log:
        return Log(Path(self.folder).expanduser() if self.folder else default_folder(), self.megabytes * 2**20)


def default_folder() -> Path:
    """In the folder that the system has for what a person's programs keep."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local" / "state") / "fas-explorer" / "audit"


@dataclass(frozen=True)
class Log:
    """A folder of entries; nothing is there before the first one."""

    folder: Path
    largest: int = 16 * 2**20  # bytes of a file

    def add(self, kind: Kind, who: str, about: Mapping[str, Value]) -> Entry:
        """Adds an entry and returns when the disk has it.

        Raises BadInputError where it cannot be written: what cannot be told of is not to happen.
        """
        make_folder(self.folder)
        try:
            with end_of(self.folder / "lock", self.folder):
                last = _Last.of(self)
                if last.torn:
                    last = self._append(last, "torn", "", {"bytes": len(last.torn)})[1]
                return self._append(last, kind, who, about)[0]
        except OSError as error:
            raise BadInputError(f"The audit log: {cannot_write(self.folder, error)}") from error

    def add_samples(self, kind: Kind, who: str, about: Mapping[str, Value], samples: Sequence[str]) -> None:
        """As `add`, about some samples by their ids, `NAMES` of them an entry. Nothing where there are none."""
        for first in range(0, len(samples), NAMES):
            self.add(kind, who, {**about, "samples": samples[first : first + NAMES]})

    def _append(self, last: _Last, kind: Kind, who: str, about: Mapping[str, Value]) -> tuple[Entry, _Last]:
        if kind not in KINDS:
            raise ValueError(f"no kind of entry: {kind}")
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        told = {name: _bounded(value) for name, value in about.items()}
        entry = Entry(last.n + 1, when, kind, who[:LONGEST_TEXT], told, last.sha256)
        line = json.dumps(asdict(entry), separators=(",", ":")).encode()
        number = last.number + 1 if last.number and last.size > self.largest else max(1, last.number)
        path = self._path(number)
        is_new = not path.exists()
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if is_new:
                make_private(path)
            size = os.fstat(handle).st_size
            starts = b"" if size == 0 or os.pread(handle, 1, size - 1) == b"\n" else b"\n"
            data = starts + line + b"\n"
            size += len(data)
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        after = _Last(number, size, entry.n, hashlib.sha256(line).hexdigest())
        after.keep(self)
        return entry, after

    def _path(self, number: int) -> Path:
        return self.folder / f"audit-{number:06d}.jsonl"

    @property
    def files(self) -> list[Path]:
        """In the order in which they were written."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _FILE.fullmatch(path.name))

    def entries(self) -> Iterator[Entry]:
        """Every entry, oldest first; lines that are none are left out. See `verified`."""
        for _, line in self._lines():
            entry = _entry(line)
            if entry is not None:
                yield entry

    def _lines(self) -> Iterator[tuple[str, bytes]]:
        """Where a line stands, for people, and the line."""
        for path in self.files:
            with path.open("rb") as file:
                number = 0
                while line := file.readline(_LONGEST_LINE):
                    number += 1
                    yield f"{path.name}, line {number}", line

    def verified(self) -> Verified:
        """Goes through every line: whether each holds the SHA-256 of the one before."""
        numbers = [int(path.stem.rpartition("-")[2]) for path in self.files]
        problems = [f"{self._path(number).name} is not here" for number in _gaps(numbers)]
        notes, n, sha256, torn, known = [], 0, FIRST, "", _noted(self.folder)
        is_known, count = known is None or known[0] == 0, 0
        for where, line in self._lines():
            entry = _entry(line)
            if torn and (entry is None or entry.kind != "torn"):
                problems.append(f"{torn} is no entry")
            elif torn:
                notes.append(f"{torn} was cut off when its writer was killed, as the entry after it says")
            torn = where if entry is None else ""
            if entry is not None:
                if entry.before != sha256:
                    problems.append(f"{where} does not hold the SHA-256 of the line before it")
                elif entry.n != n + 1:
                    problems.append(f"{where} is number {entry.n:,}, after number {n:,}")
                n, count = entry.n, count + 1
            sha256 = hashlib.sha256(line.rstrip(b"\n")).hexdigest()
            is_known = is_known or (n, sha256) == known
        if torn:
            notes.append(f"{torn} is cut off: its writer was killed. The next entry will say so")
        if known is not None and not is_known:
            problems.append(f"the last entries are not here: there were {known[0]:,}, the last with SHA-256 {known[1]}")
        if known is None and n:
            problems.append("last.json, which says how many entries there were, is missing or damaged")
        return Verified(count, sha256, tuple(problems), tuple(notes))


def _gaps(numbers: Sequence[int]) -> list[int]:
    return [number for number in range(1, max(numbers, default=0)) if number not in numbers]


def _bounded(value: Value) -> Value:
    """Short, and nothing that bytes of a file could be in."""
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("no bytes in the audit log")
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, Sequence):
        return [str(each)[:LONGEST_TEXT] for each in value[:NAMES]]
    return value


def _entry(line: bytes) -> Entry | None:
    """None of what is no entry, or no whole one."""
    if not line.endswith(b"\n") and not line.endswith(b"}"):
        return None
    try:
        return documents.read_as(Entry, documents.parsed(line), "an entry")
    except (ValueError, BadInputError):
        return None


def _noted(folder: Path) -> tuple[int, str] | None:
    """What last.json says; None where it says nothing."""
    try:
        content = documents.read_as(dict[str, object], documents.read(folder / "last.json", folder), "last.json")
    except (OSError, ValueError, BadInputError):
        return None
    n, sha256 = content.get("n"), content.get("sha256")
    return (n, sha256) if isinstance(n, int) and isinstance(sha256, str) else None


@dataclass(frozen=True)
class _Last:
    """Where the log ends."""

    number: int  # of the file; 0: there is none yet
    size: int  # bytes of it
    n: int
    sha256: str
    torn: bytes = b""  # what a killed writer has left behind the last whole line

    @staticmethod
    def of(log: Log) -> _Last:
        """Where a log ends, so that the next entry follows."""
        n, known_sha256 = _noted(log.folder) or (0, FIRST)
        if not log.files:
            return _Last(0, 0, n, known_sha256)  # of a log whose files were taken away, the chain goes on and tells
        path = log.files[-1]
        lines = _last_lines(path)
        number, size = int(path.stem.rpartition("-")[2]), path.stat().st_size
        if not lines:
            return _Last(number, size, n, known_sha256)
        # last.json may be of the entry before: the number is that of the last whole line.
        before = _last_lines(log.files[-2]) if len(log.files) > 1 else []
        whole = [entry for entry in map(_entry, [*before, *lines]) if entry is not None]
        if whole and n > whole[-1].n:  # lines were taken off: the chain goes on from those, and tells
            return _Last(number, size, n, known_sha256)
        is_torn = _entry(lines[-1]) is None and not lines[-1].endswith(b"\n")
        sha256 = hashlib.sha256(lines[-1].rstrip(b"\n")).hexdigest()
        return _Last(number, size, whole[-1].n if whole else n, sha256, lines[-1] if is_torn else b"")

    def keep(self, log: Log) -> None:
        """In its place at once: a kill leaves this one or that of before."""
        temporary = log.folder / ".last.tmp"
        temporary.write_text(json.dumps({"n": self.n, "sha256": self.sha256}), encoding="utf-8")
        make_private(temporary)
        temporary.replace(log.folder / "last.json")


def _last_lines(path: Path) -> list[bytes]:
    """The last lines of a file, each with its end where it has one."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2 * _LONGEST_LINE))
        return file.read().splitlines(keepends=True)[-3:]
