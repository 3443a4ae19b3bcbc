"""What was measured before: a file of JSON lines that only grows, one measurement of one machine a line.

    {"date": "2026-11-30T11:54:10+00:00", "version": "0.9.0", "machine": "...", "name": "metrics", "data": "",
     "figures": {"curves": 0.31, ...}}

Seconds of two machines cannot be compared: the last measurement is that of the same name, machine and data. A line is
written whole; what a killed writer left of one is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from fas_core import documents
from fas_core.bench import Measured
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import cannot_write, end_of, opened_file
from fas_core.reports.provenance import version

WORSE = 1.25  # times the last one: less is the machine's mood
_BEGINS = '{"date": '  # every line


@dataclass(frozen=True)
class Entry:
    """One line."""

    date: str  # UTC, ISO 8601
    version: str  # "" of a checkout that is not installed
    machine: str
    name: str
    figures: Mapping[str, float]
    data: str = ""  # the manifest on whose pictures it was measured

    @property
    def words(self) -> str:
        """When, and of which version."""
        return " ".join(filter(None, [self.date[:16].replace("T", " "), self.version]))


def read(path: Path) -> list[Entry]:
    """In order; none where there is no such file. Raises BadInputError where it is something else."""
    try:
        with opened_file(path) as file:
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror or error}.") from error
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            content = documents.parsed(line)
        except ValueError:
            if line.startswith(_BEGINS) or _BEGINS.startswith(line):
                continue  # half a line of a writer that was killed, or an empty one
            content = None
        if not isinstance(content, dict):
            raise BadInputError(f"{path}, line {number} is no measurement of fas bench. Name another --history.")
        entries.append(documents.read_as(Entry, content, f"{path}, line {number}"))
    return entries


def require_writable(path: Path) -> None:
    """Raises BadInputError where nothing can be added: better before half an hour of measuring than after."""
    try:
        with end_of(path):
            pass
    except OSError as error:
        raise BadInputError(cannot_write(path, error)) from error


def add(path: Path, measured: Measured, data: Path | None = None) -> None:
    """Adds a line and returns when the disk has it; several writers take turns. Raises BadInputError."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    own = version("fas-explorer").rpartition(" ")[2]
    entry = Entry(now, own, measured.machine, measured.name, measured.figures, str(data or ""))
    try:
        with end_of(path) as end:
            end.write_line(json.dumps(asdict(entry)))
    except OSError as error:
        raise BadInputError(cannot_write(path, error)) from error


@dataclass(frozen=True)
class Compared:
    """A measurement beside the last one of its kind."""

    measured: Measured
    last: Entry | None

    @staticmethod
    def of(measured: Measured, entries: Iterable[Entry], data: Path | None = None) -> Compared:
        """`entries`: in order; those of other machines, other data and other names do not count."""
        wanted = (measured.name, measured.machine, str(data or ""))
        alike = [entry for entry in entries if (entry.name, entry.machine, entry.data) == wanted]
        return Compared(measured, alike[-1] if alike else None)

    @property
    def ratios(self) -> dict[str, float]:
        """Now over then, of the figures that both have; of those above zero, as others have no ratio."""
        last = self.last.figures if self.last else {}
        return {
            name: value / last[name]
            for name, value in self.measured.figures.items()
            if value > 0 and last.get(name, 0) > 0
        }

    @property
    def worse(self) -> list[str]:
        """Figures that are `WORSE` than the last time in the direction that their targets tell."""
        return [
            name
            for name, ratio in self.ratios.items()
            if (target := self.measured.targets.get(name))
            and (ratio if target.bound == "at_most" else 1 / ratio) > WORSE
        ]

    def as_json(self) -> Json:
        """The measurement's, with `last` (null at the first time) and `ratios`."""
        return self.measured.as_json() | {"last": asdict(self.last) if self.last else None, "ratios": self.ratios}
