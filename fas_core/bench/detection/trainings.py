"""What is trained: the thesis' three models, and every further preset for two cores; each with one line on why."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from fas_core.bench.detection.sets import Faces
from fas_core.errors import BadInputError
from fas_core.files import make_folder
from fas_core.runs import traininglog
from fas_core.runs.store import Run
from fas_core.training import experiments
from fas_core.training.experiments.base import Experiment

THESIS = {"small_dcvae": "rec", "small_resvae": "rec", "small_ganomaly": "pixel_l2"}
"""The models of the thesis at the width for two cores, and the score that it judges each by (section 3.5.2)."""

CONDITIONS = ("glasses", "pose")
"""What a conditional model is told, where its training images say it: what the thesis holds losses against."""

SECONDS_PER_IMAGE = 0.01  # of a training step at the width for two cores, on two that do nothing else


@dataclass(frozen=True)
class Scale:
    """How long trainings are, and how many faces are rendered."""

    steps: int | None  # None: as many as the preset has
    epochs: int
    people: int
    share: float  # of the frames of the demo's recordings

    def shortened(self, preset: Experiment) -> Experiment:
        """A preset of as many steps and epochs as this scale has; itself at full length."""
        if self.steps is None:
            return preset
        return replace(preset, batches_per_epoch=self.steps // self.epochs, epochs=self.epochs)


SCALES = {
    "tiny": Scale(steps=4, epochs=2, people=12, share=0.1),
    "small": Scale(steps=320, epochs=4, people=40, share=0.4),
    "full": Scale(steps=None, epochs=0, people=40, share=1.0),
}


@dataclass(frozen=True)
class Training:
    """A model to be trained, as `experiment` says but for its seed."""

    name: str
    experiment: Experiment
    why: str
    looks_with: Training | None = None  # whose features are in its loss

    @property
    def is_thesis(self) -> bool:
        return self.name in THESIS


def listed(scale: str) -> list[Training]:
    """The thesis' first, then every other preset for two cores (`small_...`) by name.

    Raises BadInputError for a scale that there is not.
    """
    if scale not in SCALES:
        raise BadInputError(f"There is no scale '{scale}'. Scales: {', '.join(SCALES)}.")
    others = [name for name in experiments.names() if name.startswith("small_") and name not in THESIS]
    return [_training(name, scale) for name in (*THESIS, *others)]


def _training(name: str, scale: str) -> Training:
    from fas_core import models

    experiment = SCALES[scale].shortened(experiments.preset(name))
    why = (import_module(f"{experiments.__name__}.{name}").__doc__ or "").strip().splitlines()[0]
    wanted = getattr(models.kind(experiment.model).made_by, "features_of", "")
    return Training(name, experiment, why, _training(f"small_{wanted}", scale) if wanted else None)


def checkpoint(training: Training, faces: Faces) -> Path:
    """Where its weights lie: another file for other settings, images or people, so that none is taken for what it is
    not."""
    settings = json.dumps(training.experiment.as_json(), sort_keys=True)
    who = faces.learned.rows[["sample_id", "subject_id", "session_id"]].to_csv(index=False, lineterminator="\n")
    features = checkpoint(training.looks_with, faces).parent.name if training.looks_with else ""
    told = f"{_told(training, faces)}" if _is_told(training) else ""
    digest = hashlib.sha256(f"{settings}{faces.seed}{who}{features}{told}".encode() + faces.learned.contents.tobytes())
    return faces.root / "checkpoints" / digest.hexdigest()[:8] / f"{training.name}.safetensors"


def _is_told(training: Training) -> bool:
    from fas_core import models

    return "conditions" in models.settings(training.experiment.model)


def _told(training: Training, faces: Faces) -> list[str]:
    """Those of `CONDITIONS` that tell some of the images that are learned from others; of a model that is told any."""
    from fas_core.models import conditions

    told = []
    for name in CONDITIONS if _is_told(training) else ():
        with suppress(BadInputError):  # no such column, or one that says the same of all
            conditions.fitted(faces.learned.rows, [name])
            told.append(name)
    return told


def is_done(training: Training, faces: Faces) -> bool:
    """Whether a training has ended: nothing is left to resume."""
    out = checkpoint(training, faces)
    return out.is_file() and not traininglog.resume_file(out).is_file()


def seconds(training: Training) -> float:
    """About what it takes on two cores that do nothing else."""
    return SECONDS_PER_IMAGE * training.experiment.steps * training.experiment.batch_size


def run(training: Training, faces: Faces) -> Run:
    """Its Run on all the images of the data set; trains and caches what is not there yet, going on where it was."""
    from fas_core.inference import infer

    out = trained(training, faces)
    keeps_features = infer.loaded(out).model.has_features
    cache = faces.root / "cache"
    return infer.write_runs([out], faces.judged, cache, precision="fp32", keeps_features=keeps_features)[0]


def trained(training: Training, faces: Faces) -> Path:
    """Its checkpoint, trained where it is not there yet."""
    from fas_core.training import train

    out = checkpoint(training, faces)
    if not is_done(training, faces):
        make_folder(out.parent)
        goes_on = traininglog.resume_file(out).is_file()
        if out.is_file() and not goes_on:
            out.unlink()
        experiment = replace(training.experiment, seed=faces.seed)
        features = trained(training.looks_with, faces) if training.looks_with else None
        told = _told(training, faces)
        train.train(experiment, faces.learned, out, resume=goes_on, features=features, condition=told)
    return out
