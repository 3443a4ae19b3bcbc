"""The chapter's trainings and Runs: what is made of a manifest, what is left out and why, and the making itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fas_core import scores
from fas_core.data import filters
from fas_core.data.manifest import Manifest
from fas_core.data.names import ATTACK, BONA_FIDE, TRAIN, is_training
from fas_core.documents import Json, read
from fas_core.errors import BadInputError
from fas_core.files import atomic_file
from fas_core.reproduce import chapter
from fas_core.runs.store import Run
from fas_core.training.experiments.base import Experiment

if TYPE_CHECKING:
    from fas_core.training.cost import Cost

MAX_ANGLE, IQR = 10.0, 1.0  # thesis, table 3.1 and section 3.2.2


@dataclass(frozen=True, eq=False)
class Part:
    """One of the five: its trainings by seed, on what, and what is to be said of it."""

    name: str
    experiments: tuple[Experiment, ...]  # one per seed; none where it is left out
    data: Manifest
    note: str = ""  # what differs from the thesis here
    left_out: str = ""  # why


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be made. `data`: all images, which every Run is cached on."""

    data: Manifest
    scale: str
    seeds: int
    out: Path
    parts: tuple[Part, ...]

    @property
    def made_of(self) -> Json:
        """What a folder holds the chapter of: a second call goes on with the same only."""
        return {"scale": self.scale, "data_sha256": self.data.sha256}

    @property
    def of_use(self) -> list[Part]:
        return [part for part in self.parts if part.experiments]

    @property
    def left_out(self) -> dict[str, str]:
        return {part.name: part.left_out for part in self.parts if part.left_out}

    def checkpoint(self, part: Part, seed: int) -> Path:
        """Of one part's training with a seed; another file for each scale."""
        size = "" if self.scale == "full" else f"-{self.scale}"
        return self.out / "checkpoints" / f"chapter4-{part.name}-s{seed}{size}.safetensors"


def planned(data: Manifest, scale: str, seeds: int, out: Path) -> Plan:
    """What chapter 4 is on some data. Raises BadInputError for data that cannot be trained on or judged by, for another
    scale, for seeds < 1, and where the folder holds the chapter of other data or of another scale."""
    if seeds < 1:
        raise BadInputError(f"--seeds {seeds}: train each experiment once at least.")
    chapter.experiment(chapter.BASELINE, scale, 0, filtered=False)
    _require_judgeable(data)
    filtered, why = _filtered(data)
    parts = tuple(_part(name, scale, seeds, data, filtered, why) for name in chapter.EXPERIMENTS)
    plan = Plan(data, scale, seeds, out, parts)
    path = out / "made_of.json"
    if path.is_file():
        try:
            known = read(path)
        except ValueError as error:
            raise BadInputError(f"{path} is damaged ({error}). Choose another --out.") from error
        if known != plan.made_of:
            raise BadInputError(f"{out} holds chapter 4 of other data or of another scale. Choose another --out.")
    return plan


def _require_judgeable(data: Manifest) -> None:
    rows = data.rows
    if TRAIN not in set(rows["subset"]):
        raise BadInputError(f"{data.source} has no subset 'train'. Make the subsets: fas data subsets {data.source}")
    if filters.is_filtered(data):
        raise BadInputError(
            f"{data.source} is filtered already, and the baseline trains on all images. Give the manifest that it was "
            "made from: this command filters by itself."
        )
    outside = ~is_training(rows)
    if not (outside & (rows["label"] == ATTACK).to_numpy()).any():
        raise BadInputError(
            f"{data.source} has no attack outside 'train', so there is nothing to detect. Simulate some: fas data "
            f"attacks {data.source} --out attacked/, then fas data subsets attacked/manifest.csv --out M.csv"
        )
    if not (outside & (rows["label"] == BONA_FIDE).to_numpy()).any():
        raise BadInputError(
            f"{data.source} has no live face outside 'train', so nothing can be judged, and no threshold chosen. "
            f"Make subsets that keep people apart: fas data subsets {data.source}"
        )


def _filtered(data: Manifest) -> tuple[Manifest | None, str]:
    """The data with filtered training images, and what was filtered; or None, and why not."""
    try:
        outcome = filters.filtered(data, MAX_ANGLE, IQR)
    except BadInputError as error:
        return None, str(error)
    counts = [f"{n:,} by {kind.replace('_', ' ')}" for kind, n in outcome.counts.items() if n]
    n_out = f"{len(outcome.left):,} were filtered out ({', '.join(counts) or 'none'})"
    words = f"Of {outcome.train_before:,} live training images {n_out}."
    return Manifest(outcome.rows, data.source, data.notes), " ".join([words, *outcome.notes])


def _part(name: str, scale: str, seeds: int, data: Manifest, filtered: Manifest | None, words: str) -> Part:
    wants_filter = chapter.experiment(name, scale, 0, filtered=True) and name in (
        chapter.FILTERED,
        chapter.AUGMENTED,
        chapter.RESVAE,
    )
    if wants_filter and filtered is None and name == chapter.FILTERED:
        return Part(name, (), data, left_out=f"its training images cannot be filtered: {words}")
    is_filtered = bool(wants_filter and filtered is not None)
    of_seeds = tuple(chapter.experiment(name, scale, seed, filtered=is_filtered) for seed in range(seeds))
    note = words if is_filtered else ""
    if wants_filter and not is_filtered:
        note = "Trained on all images, where the thesis filters them: they cannot be filtered here."
    return Part(name, of_seeds, filtered if is_filtered and filtered is not None else data, note)


def cost(plan: Plan, *, device: str = "auto", precision: str = "auto") -> Cost:
    """What is left to be trained and cached."""
    from fas_core.training import cost as costs

    trainings = [
        (experiment, part.data, plan.checkpoint(part, seed))
        for part in plan.of_use
        for seed, experiment in enumerate(part.experiments)
    ]
    return costs.cost(trainings, cached=len(plan.data), device=device, precision=precision)


def make(
    plan: Plan, cache: Path, *, device: str = "auto", precision: str = "auto", say: Callable[[str], None]
) -> dict[str, list[Run]]:
    """Trains and caches what is missing, a seed of all experiments before the next; -> by experiment its Runs by seed.

    Every Run is of all images of the manifest, so that all are judged on the same ones.
    """
    from fas_core.inference import infer
    from fas_core.training import train

    with atomic_file(plan.out / "made_of.json") as temporary:
        temporary.write_text(json.dumps(plan.made_of))
    runs: dict[str, list[Run]] = {part.name: [] for part in plan.of_use}
    for seed in range(plan.seeds):
        for part in plan.of_use:
            out = plan.checkpoint(part, seed)
            experiment = part.experiments[seed]
            train.completed(experiment, part.data, out, cache=cache, device=device, precision=precision)
            how = "fp32" if precision == "auto" else precision  # measured, it could differ between experiments
            [run] = infer.write_runs([out], plan.data, cache, device=device, precision=how)
            runs[part.name].append(run)
            say(f"Run {run.info.name} ({run.id}): {', '.join(scores.offered(run))}")
    return runs
