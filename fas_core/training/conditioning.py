"""What a conditional model is told of the images of its training: `fas train small_cvae --condition glasses,pose`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import models
from fas_core.errors import BadInputError
from fas_core.models import conditions
from fas_core.models.conditions import Conditions
from fas_core.training.experiments.base import Experiment

if TYPE_CHECKING:
    from fas_core.training.train import Split

_log = logging.getLogger(__name__)

TURNING = ("right_left_flip", "random_rotation")  # augmentations after which a head's pose is another one


@dataclass(frozen=True, eq=False)
class ToldImages:
    """(n, k) of the images that are learned, and of those that choose the checkpoint."""

    learned: NDArray[np.float32]
    dev: NDArray[np.float32]


def fitted(
    experiment: Experiment, rows: pd.DataFrame, split: Split, names: Sequence[str]
) -> tuple[Experiment, ToldImages | None]:
    """The experiment with the encoding of some columns by the images that are learned, and what it says of these.

    `rows`: of the manifest. Raises BadInputError where the experiment's model has no conditions and some are named, or
    has and none are, where an augmentation would make one wrong, and as `conditions.fitted`.
    """
    takes = "conditions" in models.settings(experiment.model)
    if not names and not takes:
        return experiment, None
    if not takes:
        raise BadInputError(f"--condition: model {experiment.model} is told nothing but images. Train a small_cvae.")
    if not names:
        raise BadInputError(
            f"{experiment.name} is told columns of the manifest. Name them: --condition glasses,pose (columns here: "
            f"{', '.join(map(str, rows.columns))})"
        )
    by_id = rows.set_index("sample_id")
    learned, dev = (by_id.loc[part["sample_id"]] for part in (split.learned, split.dev))
    encoding = Conditions(conditions.fitted(learned, names))
    turned = sorted(set(TURNING) & set(experiment.augmentations))
    if turned and set(encoding.columns) & set(conditions.GROUPS["pose"]):
        raise BadInputError(f"{turned[0]} changes a head's pose, which the model would be told wrongly. Leave out one.")
    told, of_dev = encoding.told(learned), encoding.told(dev)
    if words := conditions.in_words(told):
        _log.warning("Of the training images: %s. That is not known to the model, and not guessed.", words)
    config = {**experiment.config, "conditions": encoding.encoding}
    return replace(experiment, config=config), ToldImages(told.numbers, of_dev.numbers)
