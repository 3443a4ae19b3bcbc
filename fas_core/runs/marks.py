"""Marks, labels and notes that people give samples: beside a Run, never inside it, and never overwritten.

Each change is one line of JSON at the end of `marks/RUN.jsonl` in the cache folder. Nobody rewrites what others wrote,
so that several people (tabs, processes) at once lose nothing; of one person and sample the latest line counts. Lines
that say nothing are of samples that somebody has looked at, or has taken a mark back from: what two people agree about
is known from them. The names of labels, `marks/labels.json`, are those of all Runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pandas as pd

from fas_core import documents
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, end_of, opened_file
from fas_core.metrics.agreement import Kappa, cohen_kappa
from fas_core.metrics.uncertainty import UNITS, unit_of
from fas_core.runs.store import Run, require_held

LONGEST_NOTE, LONGEST_NAME, LONGEST_LABEL = 2000, 100, 40  # characters
LABELS = ("1", "2", "3", "4", "5")  # what the five labels are called until somebody names them
MARKS, OWN_LABELS = "marks", "labels"  # what people agree about


@dataclass(frozen=True)
class Mark:
    """What one person says of one sample; it says nothing where that person has looked, or has taken it back."""

    sample_id: str
    by: str  # "" where the person gave no name
    is_marked: bool
    note: str
    when: str  # UTC, ISO 8601
    own_label: str = ""  # the name of a label of people's own, as it was when it was given

    @property
    def says_something(self) -> bool:
        return self.is_marked or bool(self.note or self.own_label)


COLUMNS = ("sample_id", "by", "is_marked", "note", "when", "own_label")


def file_of(run: Run) -> Path:
    """Where the marks of a Run are, whether there are any or not."""
    return run.cache / "marks" / f"{run.id}.jsonl"


def make(run: Run, sample_id: str, *, by: str, is_marked: bool, note: str = "", own_label: str = "") -> Mark:
    """Keeps a mark and returns it when the disk has it.

    Raises BadInputError where it cannot be written, and where the Run does not hold the sample (any more).
    """
    mark = Mark(
        sample_id,
        by.strip()[:LONGEST_NAME],
        is_marked,
        note.strip()[:LONGEST_NOTE],
        datetime.now(UTC).isoformat(timespec="milliseconds"),
        own_label.strip()[:LONGEST_LABEL],
    )
    path = file_of(run)
    try:
        with end_of(path, run.cache) as end:
            require_held(run, [sample_id])  # with the file held: who forgets comes here after the shards
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
        with opened_file(file_of(run), run.cache) as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInputError(f"{file_of(run)} cannot be read: {error.strerror or error}.") from error
    return [mark for mark in map(_mark, lines) if mark is not None]


def _mark(line: bytes) -> Mark | None:
    try:
        return documents.read_as(Mark, documents.parsed(line), "a mark")
    except (ValueError, BadInputError):
        return None


def latest(changes: Iterable[Mark]) -> list[Mark]:
    """The latest of each person and sample, oldest first, those that say nothing too."""
    by_sample: dict[tuple[str, str], Mark] = {}
    for mark in changes:
        by_sample.pop((mark.by, mark.sample_id), None)
        by_sample[mark.by, mark.sample_id] = mark
    return list(by_sample.values())


def current(changes: Iterable[Mark]) -> list[Mark]:
    """The latest of each person and sample, oldest first, without those that say nothing."""
    return [mark for mark in latest(changes) if mark.says_something]


def table(run: Run, marks: Iterable[Mark]) -> pd.DataFrame:
    """Marks with what the Run says of their samples, for export: `COLUMNS`, then subset, label, pai_species.

    A mark whose sample the Run does not hold (any more) keeps its row, with nothing behind it.
    """
    rows = pd.DataFrame([asdict(mark) for mark in marks], columns=list(COLUMNS))
    about = run.samples(["sample_id", "subset", "label", "pai_species"]).drop_duplicates("sample_id")
    about = about.assign(sample_id=about["sample_id"].astype("str"))
    return rows.astype({"sample_id": "str"}).merge(about, on="sample_id", how="left")


# ------------------------------------------------------------------------------------------------- labels of one's own


def labels(cache: Path) -> tuple[str, ...]:
    """The names of the five labels of a cache folder, for all its Runs: `LABELS` until they are named."""
    try:
        content = documents.read(cache / "marks" / "labels.json", cache)
        names = documents.read_as(tuple[str, ...], content, "labels")
    except (OSError, ValueError, BadInputError):
        return LABELS
    if len(names) != len(LABELS):
        return LABELS
    return tuple(name or key for name, key in zip(names, LABELS, strict=True))


def name_labels(cache: Path, names: Iterable[str]) -> None:
    """Names the five labels; "" leaves the number. What has been given keeps its name of then.

    Raises BadInputError for two of one name, and where the names cannot be written.
    """
    wanted = [name.strip()[:LONGEST_LABEL] or key for name, key in zip(names, LABELS, strict=True)]
    if twice := {name for name in wanted if wanted.count(name) > 1}:
        raise BadInputError(f"Two labels would be called '{min(twice)}': give each a name of its own.")
    path = cache / "marks" / "labels.json"
    try:
        with atomic_file(path, cache) as temporary:
            temporary.write_text(json.dumps(wanted), encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"The names cannot be kept in {path}: {error.strerror or error}.") from error


# --------------------------------------------------------------------------------------------------------- agreement


@dataclass(frozen=True)
class Agreement:
    """How far two people agree: about marks, of the samples that both have looked at; about labels, of those that both
    have labelled. Who has gone on from an image in a review, or has given it a mark, label or note, has looked at it.
    """

    people: tuple[str, str]
    about: str  # `MARKS`, or `OWN_LABELS`
    kappa: Kappa

    @property
    def words(self) -> str:
        """In a sentence."""
        kappa, (a, b) = self.kappa, (name or "somebody without a name" for name in self.people)
        compared = "both have labelled" if self.about == OWN_LABELS else "both have looked at"
        samples = "sample" if kappa.n == 1 else "samples"
        same = f"{kappa.observed:.0%} of the {kappa.n:,} {samples} that {compared}".replace("%", " %")
        said = f"{a} and {b} say the same ({self.about}) of {same}"
        if kappa.value is None:
            return f"{said}; kappa is not defined, since neither tells any of them from the others."
        by = f", by {kappa.n_units:,} {kappa.unit}s" if kappa.unit != "sample" else ""
        return f"{said}; Cohen's kappa {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f}{by})."


def agreements(run: Run, changes: Iterable[Mark]) -> list[Agreement]:
    """Of every two people who both have marked, about marks; of every two who have labelled a sample, about labels.

    Intervals are by subject where the samples name it. Samples that the Run does not hold do not count.
    """
    looked_at: dict[str, dict[str, Mark]] = {}
    for mark in latest(changes):
        looked_at.setdefault(mark.by, {})[mark.sample_id] = mark
    if len(looked_at) < 2:
        return []
    samples = run.samples(list(UNITS))
    samples = samples.assign(sample_id=samples["sample_id"].astype("str")).drop_duplicates("sample_id")
    held = set(samples["sample_id"])
    # An unmarked image that somebody has looked at is an answer, if that person marks at all; a missing label is none.
    marked = {name: {i: mark.is_marked for i, mark in of.items()} for name, of in looked_at.items()}
    marked = {name: of for name, of in marked.items() if any(is_marked and i in held for i, is_marked in of.items())}
    labelled = {name: {i: m.own_label for i, m in of.items() if m.own_label} for name, of in looked_at.items()}
    compared = []
    for a, b in combinations(sorted(looked_at), 2):
        for about, answers in ((MARKS, marked), (OWN_LABELS, labelled)):
            of_a, of_b = answers.get(a, {}), answers.get(b, {})
            rows = samples[samples["sample_id"].isin(of_a.keys() & of_b.keys())]
            if not rows.empty:
                said_by_a, said_by_b = ([of[i] for i in rows["sample_id"]] for of in (of_a, of_b))
                compared.append(Agreement((a, b), about, cohen_kappa(said_by_a, said_by_b, unit_of(rows))))
    return compared
