"""Marks and notes that people give samples: beside a Run, never inside it, and never overwritten.

Each change is one line of JSON at the end of `marks/RUN.jsonl` in the cache folder. Nobody rewrites what others wrote,
so that several people (tabs, processes) at once lose nothing; of one person and sample the latest line counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fas_core.errors import BadInputError
from fas_core.files import end_of
from fas_core.runs.store import Run

LONGEST_NOTE, LONGEST_NAME = 2000, 100  # characters


@dataclass(frozen=True)
class Mark:
    """What one person says of one sample; neither marked nor noted where that person has taken it back."""

    sample_id: str
    by: str  # "" where the person gave no name
    is_marked: bool
    note: str
    when: str  # UTC, ISO 8601


COLUMNS = ("sample_id", "by", "is_marked", "note", "when")


def file_of(run: Run) -> Path:
    """Where the marks of a Run are, whether there are any or not."""
    return run.cache / "marks" / f"{run.id}.jsonl"


def make(run: Run, sample_id: str, *, by: str, is_marked: bool, note: str = "") -> Mark:
    """Keeps a mark and returns it when the disk has it. Raises BadInputError where it cannot be written."""
    mark = Mark(
        sample_id,
        by.strip()[:LONGEST_NAME],
        is_marked,
        note.strip()[:LONGEST_NOTE],
        datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
    path = file_of(run)
    try:
        with end_of(path) as end:
            end.write_line(json.dumps(asdict(mark)))
    except OSError as error:
        raise BadInputError(
            f"The mark cannot be kept in {path}: {error.strerror or error}. Make room or the file writable, "
            "then mark the sample again."
        ) from error
    return mark


def history(run: Run) -> list[Mark]:
    """Every change of every person in the order they were made. Lines that are no mark are left out."""
    try:
        lines = file_of(run).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInputError(f"{file_of(run)} cannot be read: {error.strerror or error}.") from error
    return [mark for mark in map(_mark, lines) if mark is not None]


def _mark(line: bytes) -> Mark | None:
    try:
        content: Any = json.loads(line)
        mark = Mark(**content)
    except (ValueError, TypeError):
        return None
    texts = (mark.sample_id, mark.by, mark.note, mark.when)
    return mark if isinstance(mark.is_marked, bool) and all(isinstance(text, str) for text in texts) else None


def current(changes: Iterable[Mark]) -> list[Mark]:
    """The latest of each person and sample, oldest first, without those that have been taken back."""
    latest: dict[tuple[str, str], Mark] = {}
    for mark in changes:
        latest.pop((mark.by, mark.sample_id), None)
        latest[mark.by, mark.sample_id] = mark
    return [mark for mark in latest.values() if mark.is_marked or mark.note]


def table(run: Run, marks: Iterable[Mark]) -> pd.DataFrame:
    """Marks with what the Run says of their samples, for export: `COLUMNS`, then subset, label, pai_species.

    A mark whose sample the Run does not hold (any more) keeps its row, with nothing behind it.
    """
    rows = pd.DataFrame([asdict(mark) for mark in marks], columns=list(COLUMNS))
    about = run.samples(["sample_id", "subset", "label", "pai_species"]).drop_duplicates("sample_id")
    about = about.assign(sample_id=about["sample_id"].astype("str"))
    return rows.astype({"sample_id": "str"}).merge(about, on="sample_id", how="left")
