"""What an experiment is: a model, its settings and how it is trained."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from dataclasses import dataclass, field
from typing import Any

from fas_core.documents import Json
from fas_core.errors import BadInputError

SCHEDULES = ("constant", "constant_then_linear")
ALL_AUGMENTATIONS = (
    "standard_scaling",
    "random_brightness",
    "random_gaussian_noise",
    "random_contrast",
    "random_cutout",
    "random_rotation",
    "random_translation",
    "random_zoom",
    "right_left_flip",
)  # table 3.5


@dataclass(frozen=True)
class Experiment:
    """Every hyperparameter of one training; the names are those of the thesis' tables where it has them."""

    name: str
    model: str
    batches_per_epoch: int
    epochs: int
    batch_size: int
    learning_rate: float
    beta1: float
    beta2: float
    schedule: str = "constant"
    config: Json = field(default_factory=dict)  # of the model: width, latent_dim, w_rec, w_kl, ...
    filtered: bool = False
    augmentations: tuple[str, ...] = ("standard_scaling",)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise BadInputError(f"schedule '{self.schedule}': choose {' or '.join(SCHEDULES)}.")
        for name in ("batches_per_epoch", "epochs", "batch_size", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise BadInputError(f"{name} must be positive, not {getattr(self, name)}.")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise BadInputError(f"{name} must lie in [0, 1), not {getattr(self, name)}.")
        if not 0 <= self.seed < 2**31:
            raise BadInputError(f"seed must lie in 0..2147483647, not {self.seed}.")

    @property
    def steps(self) -> int:
        return self.batches_per_epoch * self.epochs

    def learning_rate_at(self, step: int) -> float:
        """Section 3.6.2: constant, or constant for the first half and then linear to (nearly) zero."""
        half = self.steps / 2
        if self.schedule == "constant" or step < half:
            return self.learning_rate
        return self.learning_rate * (self.steps - step) / (self.steps - half)

    def as_json(self) -> Json:
        """One flat document: the entry of `fas experiments --json`, and what a checkpoint keeps."""
        flat = {k: v for k, v in dataclasses.asdict(self).items() if k != "config"}
        return flat | {"augmentations": list(self.augmentations)} | self.config

    def with_settings(self, assignments: list[str]) -> Experiment:
        """A copy with `key=value` texts applied; keys are fields of the experiment or settings of its model."""
        from fas_core import models  # with PyTorch, which a list of experiments does without

        own = {f.name for f in dataclasses.fields(self)} - {"name", "model", "config"}
        changes: Json = {}
        config = dict(self.config)
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise BadInputError(f"--set {assignment}: write key=value.")
            value = parsed(text)
            if key in own:
                changes[key] = _checked(key, value, getattr(self, key))
            elif key in (of_model := models.settings(self.model)):
                config[key] = value
            else:
                near = difflib.get_close_matches(key, [*own, *of_model], 1)
                raise BadInputError(
                    f"--set {assignment}: there is no setting '{key}'.{f' Did you mean {near[0]}?' if near else ''} "
                    f"Settings of a training: {', '.join(sorted(own))}; of model {self.model}: {', '.join(of_model)}."
                )
        return dataclasses.replace(self, config=config, **changes)


def parsed(text: str) -> Any:
    """The value of a `--set key=value`: JSON, or else a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _checked(key: str, value: Any, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(value) if isinstance(value, list) else tuple(str(value).split(","))
    if isinstance(default, float) and isinstance(value, int):
        return float(value)
    if isinstance(value, type(default)) and not (isinstance(value, bool) and not isinstance(default, bool)):
        return value
    raise BadInputError(f"--set {key}={value}: expected {type(default).__name__}, as in {key}={default}.")
