"""The trainings that have a name, one module each with its preset `EXPERIMENT`; the module's name is its name."""

from __future__ import annotations

import importlib
import pkgutil
from typing import cast

from fas_core.errors import BadInputError
from fas_core.training.experiments.base import Experiment


def names() -> list[str]:
    """All presets, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "base")


def preset(name: str) -> Experiment:
    """The experiment of that name; raises BadInputError listing the choices."""
    if name not in names():
        raise BadInputError(f"Unknown experiment '{name}'. Experiments: {', '.join(names())}.")
    return cast(Experiment, importlib.import_module(f"{__name__}.{name}").EXPERIMENT)
