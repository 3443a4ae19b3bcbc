"""Progress of long work: a bar on a terminal, plain lines elsewhere, and a small file that the app shows.

Everything goes to standard error, so that standard output stays free for results.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Task as RichTask
from rich.text import Text

from fas_core import documents
from fas_core.errors import BadInputError
from fas_core.files import atomic_file

PLAIN_EVERY = 5.0  # seconds between plain lines
LONGEST_FILE = 2**16  # bytes of the app's file
FILE_EVERY = 0.5  # seconds between updates of the app's file
LEAST_SECONDS, LEAST_SHARE, ENOUGH_SECONDS = 2.0, 0.02, 30.0  # before which what starts slowly tells no time left


@dataclass(frozen=True)
class Job:
    """What the app shows of work under way: `left` in seconds, None before it can be told."""

    label: str
    done: int
    total: int
    left: float | None
    updated: float
    stage: str = ""


def _is_telling(done: int, total: float, seconds: float) -> bool:
    """Whether `done` steps in so many seconds say how long the others take: two seconds, and 2 % or half a minute."""
    return done > 0 and seconds >= LEAST_SECONDS and (done >= LEAST_SHARE * total or seconds >= ENOUGH_SECONDS)


class _Left(TimeRemainingColumn):
    def render(self, task: RichTask) -> Text:
        is_telling = _is_telling(int(task.completed), task.total or 0, task.elapsed or 0)
        return super().render(task) if is_telling else Text("-:--:--", style="progress.remaining")


class _Rate(TextColumn):
    def render(self, task: RichTask) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="dim")


class Task:
    """Handed to the work inside `task(...)`: call `advance` or `update` as it goes."""

    def __init__(self, label: str, total: int, job_file: Path | None, stage: str) -> None:
        self.label, self.total, self.stage = label, total, stage
        self.done = self._from = 0
        self._started = self._moved = time.monotonic()
        self._job_file = job_file
        self._last_file = self._last_line = 0.0
        self._bar: tuple[Progress, int] | None = None

    def advance(self, by: int = 1) -> None:
        """By so many more units."""
        self.update(self.done + by)

    def call(self, label: str) -> None:
        """What is done from now on, shown at once."""
        self.label, self._last_line = label, 0.0
        if self._bar is not None:
            self._bar[0].update(self._bar[1], description=label)  # type: ignore[arg-type]
        self.update(self.done)

    def begin_at(self, done: int) -> None:
        """Work that goes on where it was: what is done already says nothing about the rate."""
        self._from = done
        self.update(done)

    def update(self, done: int, total: int | None = None) -> None:
        """`done` steps of `total` are done; the bar, the line and the app's file follow at their own pace."""
        now = time.monotonic()
        self._moved = self._moved if done == self.done else now
        self.done = done
        self.total = self.total if total is None else total
        if self._bar is not None:
            self._bar[0].update(self._bar[1], completed=done, total=self.total)  # type: ignore[arg-type]
        elif now - self._last_line >= PLAIN_EVERY or done >= self.total > 0:
            self._last_line = now
            left = self.seconds_left()
            print(
                f"{self.label}: {done}/{self.total}" + (f", {left:.0f} s left" if left else ""),
                file=sys.stderr,
                flush=True,
            )
        if self._job_file is not None and now - self._last_file >= FILE_EVERY:
            self._last_file = now
            self._write()

    def seconds_left(self) -> float | None:
        """At the rate until the last step; None before that says anything, or once that time is over without another
        step."""
        elapsed, waited = self._moved - self._started, time.monotonic() - self._moved
        since = self.done - self._from
        if not _is_telling(since, self.total - self._from, elapsed):
            return None
        left = elapsed * (self.total - self.done) / since - waited
        return left if left >= 0 else None

    def _write(self) -> None:
        assert self._job_file is not None
        job = Job(self.label, self.done, self.total, self.seconds_left(), time.time(), self.stage)
        with atomic_file(self._job_file) as temporary:
            temporary.write_text(json.dumps(asdict(job)))


@contextmanager
def task(label: str, total: int, *, job_file: Path | None = None, stage: str = "") -> Iterator[Task]:
    """Shows progress of `total` steps while the block runs. `job_file`: where the app looks; removed at the end."""
    current = Task(label, total, job_file, stage)
    if job_file is not None:
        current._write()
    try:
        if sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(""),
                TimeElapsedColumn(),
                TextColumn("left"),
                _Left(),
            )
            with Progress(*columns, console=Console(stderr=True)) as bar:
                current._bar = (bar, bar.add_task(label, total=total))
                yield current
        else:
            yield current
    finally:
        if job_file is not None:
            job_file.unlink(missing_ok=True)


def jobs_folder(cache: Path) -> Path:
    """Where running jobs tell how far they are."""
    return cache / "jobs"


def jobs(cache: Path, *, younger_than: float = 120.0) -> list[Job]:
    """Work under way in a cache, as its progress files tell; those of work that died are left out by their age."""
    under_way = []
    for path in sorted(jobs_folder(cache).glob("*.json")):
        try:
            job = documents.read_as(Job, documents.read(path, cache, largest=LONGEST_FILE), str(path))
        except (OSError, ValueError, BadInputError):
            continue  # being replaced at this moment, or not ours
        if abs(time.time() - job.updated) < younger_than and job.done >= 0 and job.total >= 0:
            under_way.append(job)
    return under_way
