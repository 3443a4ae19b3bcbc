"""What some trainings will take before they begin: steps, images, time by the pace of this machine, disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fas_core.data.manifest import Manifest
from fas_core.documents import Json
from fas_core.runs.traininglog import resume_file
from fas_core.training import train as training
from fas_core.training.experiments.base import Experiment

BYTES = 4  # of a parameter; a resume file holds it with two moments of Adam, as long as its training goes
FORWARD = 1 / 3  # of a training step: what its way forwards takes


@dataclass(frozen=True)
class Cost:
    """Of what is still to be trained, and cached.

    `disk`: bytes that stay.
    """

    trainings: int
    done: int  # trainings that have ended already
    steps: int
    images: int
    seconds: float
    disk: int
    passing: int  # bytes of the largest resume file, which goes when its training ends

    def as_json(self) -> Json:
        return asdict(self)


def cost(
    trainings: Sequence[tuple[Experiment, Manifest, Path]],
    *,
    cached: int = 0,
    device: str = "auto",
    precision: str = "auto",
) -> Cost:
    """Of experiments with their data and checkpoints; those that have ended cost nothing.

    `cached`: images of the Run that is made of each checkpoint.

    The pace is measured once for every model, config, batch size and augmentations. Raises BadInputError as `train`.
    """
    paces: dict[str, training.Pace] = {}
    steps = images = disk = passing = done = 0
    seconds = 0.0
    for experiment, data, out in trainings:
        if out.is_file() and not resume_file(out).is_file():
            done += 1
            continue
        alike = repr((experiment.model, experiment.config, experiment.batch_size, experiment.augmentations))
        if alike not in paces:
            paces[alike] = training.pace(experiment, data, device=device, precision=precision)
        steps += experiment.steps
        images += experiment.steps * experiment.batch_size
        per_step = paces[alike].seconds_per_step
        seconds += experiment.steps * per_step + cached * FORWARD * per_step / experiment.batch_size
        disk += BYTES * paces[alike].parameters + cached * _bytes_of_image(experiment)
        passing = max(passing, 3 * BYTES * paces[alike].parameters)
    return Cost(len(trainings) - done, done, steps, images, seconds, disk, passing)


def _bytes_of_image(experiment: Experiment) -> int:
    """In a Run: original and reconstruction, code, and a row of its table."""
    size, channels = (
        int(experiment.config.get(name, usual)) for name, usual in (("image_size", 128), ("image_channels", 1))
    )
    return 2 * size**2 * channels + BYTES * int(experiment.config.get("latent_dim", 512)) + 100
