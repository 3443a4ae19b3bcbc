"""Sweeps: trainings of one experiment that differ in some settings, as a cache folder knows them. No PyTorch.

cache/sweeps/*.json        one entry per sweep: its trainings, each with its settings, seed and checkpoint
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fas_core.documents import Json, read, read_as
from fas_core.errors import BadInputError
from fas_core.files import atomic_file
from fas_core.runs.traininglog import resume_file


@dataclass(frozen=True)
class Member:
    """One training: what of its settings the sweep varies, its seed, and where its checkpoint comes to lie."""

    settings: Json
    seed: int
    checkpoint: Path

    @property
    def is_finished(self) -> bool:
        return self.checkpoint.is_file() and not resume_file(self.checkpoint).is_file()


@dataclass(frozen=True)
class Sweep:
    """`started` in seconds since 1970; `chosen_by`: the dev term that chooses the epoch of each training."""

    id: str  # eight hexadecimal digits that stand for the folder
    experiment: str
    chosen_by: str
    members: tuple[Member, ...]  # every setting with every seed, in the order of the grid
    started: float


def entered(cache: Path, folder: Path, experiment: str, chosen_by: str, members: Sequence[Member]) -> Sweep:
    """Enters a sweep in a cache folder; one of the same folder is replaced."""
    number = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]
    placed = tuple(Member(each.settings, each.seed, each.checkpoint.resolve()) for each in members)
    sweep = Sweep(number, experiment, chosen_by, placed, time.time())
    with atomic_file(cache / "sweeps" / f"{experiment}-{number}.json") as temporary:
        temporary.write_text(json.dumps(asdict(sweep), default=str))
    return sweep


def sweeps(cache: Path) -> list[Sweep]:
    """Those of a cache folder, newest first; entries that cannot be read are left out."""
    known = []
    for path in sorted((cache / "sweeps").glob("*.json")):
        try:
            sweep = read_as(Sweep, read(path, cache), str(path))
        except (OSError, ValueError, BadInputError):
            continue  # being replaced at this moment, or not ours
        if sweep.members and all(member.checkpoint.is_absolute() for member in sweep.members):
            known.append(sweep)
    return sorted(known, key=lambda sweep: -sweep.started)
