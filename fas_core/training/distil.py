"""A small student of a large model: it learns on live images to say what its teacher says of them.

Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015): a trained model's own outputs are the
targets of a smaller one. Here they are the code and the reconstruction (`Autoencoder.distances`); the images
themselves are no targets, and temperature is 1. The student is of the teacher's class, with a code as long, at fewer
channels: scores and codes of both mean the same. Seeing nothing but live images, it is held to nothing on attacks:
compare them.

Bergmann et al., "Uninformed students" (2020), take how far students are from the teacher as the score, so that both
are needed where faces are judged. Here the teacher stays at home.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from fas_core import models
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.models.base import Autoencoder, OptimizerSettings, Outputs, Step, parameter_count
from fas_core.models.onnx_model import SUFFIX
from fas_core.training import checkpoint
from fas_core.training.experiments.base import Experiment
from fas_core.training.experiments.small_dcvae import EXPERIMENT as SMALL
from fas_core.training.known import Known

NARROWER = 2  # a student has that part of its teacher's channels, where nobody says how many


@dataclass(frozen=True, eq=False)
class Teacher:
    """A checkpoint that another one learns from; its model is on the CPU in eval mode."""

    path: Path
    model: Autoencoder
    header: Json
    known: Known | None  # the images that its training has used
    sha256: str

    @property
    def name(self) -> str:
        """Of its model."""
        return str(self.header["model"])

    @property
    def learned(self) -> list[NDArray[np.uint8]]:
        """Contents of the images that it has learned, for `Known.of`: through it, its student has."""
        return [] if self.known is None else [self.known.learned]

    @property
    def dev(self) -> list[NDArray[np.uint8]]:
        """Of those that chose its epoch."""
        return [] if self.known is None else [self.known.dev]

    @property
    def told(self) -> Json:
        """What the student's checkpoint says of it, and what makes its training another one."""
        about = {
            "checkpoint": self.path.name,
            "sha256": self.sha256,
            "model": self.name,
            "config": vars(self.model.config) | {},
            "parameters": parameter_count(self.model),
        }
        return {"teacher": about}

    def give(self, model: Autoencoder) -> Autoencoder:
        """The model as one that learns from it."""
        return Student(model, self)


def teacher(path: Path) -> Teacher:
    """Of a checkpoint's file. Raises BadInputError where a model of it does not say what a student would learn."""
    if path.suffix == SUFFIX:
        raise BadInputError(
            f"{path} is an ONNX file, which does not say how a student of it is built. Give the checkpoint that it was "
            "exported from (.safetensors)."
        )
    model, header = checkpoint.loaded(path)
    if not isinstance(model, Autoencoder):
        what = "says not how it is trained" if model.decodes else "has no decoder"
        raise BadInputError(
            f"{path}: model {header['model']} {what}, so no student can learn from it. A teacher's class derives from "
            "fas_core.models.base.Autoencoder."
        )
    if model.features_of:
        raise BadInputError(
            f"{path}: a {header['model']} looks with a trained {model.features_of}, which its student would have to "
            "keep. Take another teacher."
        )
    if model.conditions is not None:
        raise BadInputError(
            f"{path}: a {header['model']} is told {', '.join(model.conditions.columns)} of each image, students are "
            "told nothing. Take another teacher."
        )
    return Teacher(path, model, header, checkpoint.known_of(path), checkpoint.sha256(path))


def experiment(of: Teacher, width: float | None = None, settings: Sequence[str] = ()) -> Experiment:
    """How a student is trained: as `small_dcvae`, of the teacher's settings at fewer channels, and `settings` of `fas
    train`.

    The seed is the teacher's, so that of the same data the same images stay dev. `width` None: half of the
    teacher's. Raises BadInputError where a setting is none of the model's, or makes a student of other images or with
    a code of another length.
    """
    config = vars(of.model.config) | {}
    if width is not None or isinstance(config.get("width"), float):
        if "width" not in config:
            raise BadInputError(f"Model {of.name} has no setting 'width'. Say how its student is smaller with --set.")
        config["width"] = config["width"] / NARROWER if width is None else width
    trained_with = of.header.get("experiment")
    seed = trained_with.get("seed") if isinstance(trained_with, dict) else None
    name = f"student_of_{of.path.stem}"
    base = replace(SMALL, name=name, model=of.name, config=config, seed=seed if isinstance(seed, int) else SMALL.seed)
    chosen = base.with_settings([*settings])
    with torch.device("meta"):  # looked at, not allocated
        student = models.trainable(chosen.model, chosen.config)
    if student.input != of.model.input:
        raise BadInputError(
            f"{of.path.name} is given images of {of.model.input.words}, and its student would be given "
            f"{student.input.words}. Leave that setting out."
        )
    lengths = (of.model.config, student.config)
    own, wanted = (getattr(each, "latent_dim", None) for each in lengths)
    if own != wanted:
        raise BadInputError(
            f"The code of {of.path.name} has {own} numbers, and its student's would have {wanted}. Leave out --set "
            "latent_dim: the student learns the code number by number."
        )
    return chosen


class Student(Autoencoder):
    """A model while it learns from a teacher: what is kept of it are its own weights, as of any other training."""

    chosen_by = "distance"

    def __init__(self, own: Autoencoder, of: Teacher) -> None:
        super().__init__(own.config)
        self.own = own
        self._teachers = (of.model,)  # in a tuple: none of its weights are this one's
        self.memory_format = own.memory_format  # type: ignore[misc]
        self.initialisation = own.initialisation  # type: ignore[misc]
        given = own.eval().input  # a batch of one is none to learn statistics from
        with torch.no_grad():
            probe = torch.zeros(1, given.channels, given.size, given.size)
            self.loss_names = (*own.loss_names, *self._distances(probe))  # type: ignore[misc]

    def encode(self, x: Tensor) -> Tensor:
        return self.own.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.own.decode(z)

    def forward(self, x: Tensor) -> Outputs:
        out: Outputs = self.own(x)
        return replace(out, losses={**out.losses, **self._distances(x)})

    def _distances(self, x: Tensor) -> dict[str, Tensor]:
        """Those of its model, and their sum."""
        terms = self.own.distances(x, self._teachers[0].to(x.device))
        return terms | {"distance": torch.stack([*terms.values()]).sum(0)}

    def optimizers(self, settings: OptimizerSettings) -> list[Optimizer]:
        return [settings.adam(self.own)]

    def training_step(self, x: Tensor, optimizers: Sequence[Optimizer], step: Step) -> dict[str, Tensor]:
        terms = {name: term.mean() for name, term in self._distances(x).items()}
        step.update(optimizers[0], terms["distance"])
        return {name: term.detach() for name, term in terms.items()}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Of its own model, under the names that it has there."""
        return self.own.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        return self.own.load_state_dict(state_dict, strict, assign)
