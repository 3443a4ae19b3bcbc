"""Features of a trained model in the loss of another one: `fas train small_perceptual --features m.safetensors`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fas_core import models
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.models.base import Autoencoder, Model
from fas_core.training import checkpoint
from fas_core.training.experiments.base import Experiment
from fas_core.training.known import Known


@dataclass(frozen=True, eq=False)
class Features:
    """A trained model, and what must be known of it."""

    path: Path
    model: Model
    sha256: str
    known: Known | None

    @property
    def learned(self) -> list[NDArray[np.uint8]]:
        """Contents of the images that it has learned, for `Known.of`: whoever looks with it has learned them too."""
        return [] if self.known is None else [self.known.learned]

    @property
    def dev(self) -> list[NDArray[np.uint8]]:
        """Those that chose its epoch say nothing of what it sees."""
        return []

    @property
    def told(self) -> Json:
        """What makes a training with it another one."""
        return {"features_sha256": self.sha256}

    def give(self, model: Autoencoder) -> Autoencoder:
        """The model that looks with them. Raises BadInputError where it cannot take them."""
        try:
            model.take_features(self.model)
            return model
        except BadInputError as error:
            raise BadInputError(f"--features {self.path}: {error}.") from error


def read(experiment: Experiment, path: Path | None) -> tuple[Experiment, Features | None]:
    """The experiment as it is with these features, and these. Raises BadInputError where it needs them and has none, or
    has none of the model that it needs, or needs none."""
    made_by = models.kind(experiment.model).made_by
    wanted = getattr(made_by, "features_of", "")
    if path is None and not wanted:
        return experiment, None
    if not wanted:
        raise BadInputError(f"--features {path}: model {experiment.model} looks with no other model's. Leave it out.")
    if path is None:
        raise BadInputError(
            f"{experiment.name} compares images by what a trained {wanted} sees of them: train one on the same data "
            f"(fas train small_{wanted}), and name it: --features CHECKPOINT"
        )
    if path.is_file() and path.suffix != ".safetensors":
        raise BadInputError(
            f"--features {path}: it is no checkpoint (.safetensors); expected that of a trained {wanted}, which "
            f"fas train small_{wanted} writes."
        )
    model, header = checkpoint.loaded(path)
    if header["model"] != wanted:
        raise BadInputError(f"--features {path}: it is a {header['model']}; expected a trained {wanted}.")
    config = {**experiment.config, "features_width": model.config.width}
    known = checkpoint.known_of(path)
    return replace(experiment, config=config), Features(path, model, checkpoint.sha256(path), known)
