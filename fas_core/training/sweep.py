"""One experiment trained with every combination of some settings, each with every seed, on live images alone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fas_core import models
from fas_core.data.manifest import Manifest
from fas_core.data.names import ALL, BONA_FIDE, TRAIN
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.runs import sweeps
from fas_core.runs.sweeps import Member, Sweep
from fas_core.training import train as training
from fas_core.training.experiments.base import Experiment

# What would change the images that the rank is measured on, or has an option of its own.
_SAME_FOR_ALL = {
    "seed": "--seeds N trains every setting with the seeds 0 to N - 1",
    "image_size": "errors of pixels of another size do not compare",
    "image_channels": "errors of gray and of colour do not compare",
}


@dataclass(frozen=True)
class Planned:
    """The trainings of a sweep, in the order of its grid."""

    folder: Path
    name: str  # of the experiment
    experiments: tuple[Experiment, ...]
    members: tuple[Member, ...]
    chosen_by: str  # the dev term that chooses the epoch of each


def grid(assignments: Sequence[str]) -> list[dict[str, str]]:
    """["w_kl=0.1,1", "latent_dim=32,64"] -> four dicts of key and text, the last setting running fastest.

    A setting of one value is the same for all.
    Raises BadInputError for what is no key=value,value, for a key or value that is there twice.
    """
    values: dict[str, list[str]] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        listed = _listed(text)
        if not equals or not key or not all(listed):
            raise BadInputError(f"--set {assignment}: write key=value,value, as in w_kl=0.1,1,4.")
        if key in values:
            raise BadInputError(f"--set {key} is there twice. Write its values once, separated by commas.")
        if len(set(listed)) < len(listed):
            raise BadInputError(f"--set {assignment}: a value is there twice.")
        if key in _SAME_FOR_ALL and (len(listed) > 1 or key == "seed"):
            raise BadInputError(f"--set {assignment}: a sweep does not vary {key}; {_SAME_FOR_ALL[key]}.")
        values[key] = listed
    if not values:
        raise BadInputError("There is nothing to vary. Give values: --set w_kl=0.1,1,4; may be repeated.")
    return [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]


def _listed(text: str) -> list[str]:
    """Values between commas; those of JSON, as [1, 2], are not cut."""
    try:
        return [json.dumps(value) if not isinstance(value, str) else value for value in json.loads(f"[{text}]")]
    except ValueError:
        return [part.strip() for part in text.split(",")]


def planned(experiment: Experiment, assignments: Sequence[str], seeds: int, folder: Path) -> Planned:
    """Every training of the grid. Raises BadInputError as `grid`, for settings that there are not, and seeds < 1."""
    if seeds < 1:
        raise BadInputError(f"--seeds {seeds}: train each setting once at least.")
    all_experiments, members = [], []
    places = grid(assignments)
    differing = [key for key in places[0] if len({chosen[key] for chosen in places}) > 1] or list(places[0])
    for place, chosen in enumerate(places, start=1):
        varied = experiment.with_settings([f"{key}={text}" for key, text in chosen.items()])
        with torch.device("meta"):  # looked at, not allocated
            model = models.trainable(varied.model, varied.config)
        settings: Json = {key: varied.as_json().get(key) for key in differing}
        for seed in range(seeds):
            all_experiments.append(varied.with_settings([f"seed={seed}"]))
            checkpoint = folder / f"{experiment.name}-{place:03d}-s{seed}.safetensors"
            members.append(Member(settings, seed, checkpoint))
    return Planned(folder, experiment.name, tuple(all_experiments), tuple(members), model.chosen_by)


def live_alone(data: Manifest) -> Manifest:
    """The live training images, and nothing else: what a sweep trains on, hashes and ranks by.

    Raises BadInputError where there are none, or too few to keep some of them out of training.
    """
    is_live = data.rows["label"] == BONA_FIDE
    subset = TRAIN if TRAIN in set(data.rows["subset"]) else ALL
    rows = data.rows[is_live & (data.rows["subset"] == subset)].reset_index(drop=True)
    if rows.empty:
        raise BadInputError(
            f"{data.source} has no live image in subset 'train'. Make the subsets: fas data subsets {data.source}"
        )
    alone = Manifest(rows, data.source, data.notes)
    if not len(training.train_dev_split(alone, 0).dev):
        raise BadInputError(
            f"{data.source}: {len(rows)} live training images leave none to rank settings by; ten are needed at least."
        )
    return alone


def run(plan: Planned, live: Manifest, cache: Path, *, device: str = "auto", precision: str = "auto") -> Sweep:
    """Trains what is not trained yet, going on where a kill left it. `live`: of `live_alone`."""
    sweep = sweeps.entered(cache, plan.folder, plan.name, plan.chosen_by, plan.members)
    for experiment, member in zip(plan.experiments, plan.members, strict=True):
        training.completed(experiment, live, member.checkpoint, cache=cache, device=device, precision=precision)
    return sweep
