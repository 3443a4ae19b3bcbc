"""The models, one module each: `<name>.Model` is an `Autoencoder`, `<name>.Config` its frozen dataclass."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from types import ModuleType
from typing import cast

from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.models.base import Autoencoder

NO_MODELS = ("base", "draws", "losses")  # what models are made of


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in NO_MODELS)


def _module(name: str) -> ModuleType:
    if name not in names():
        raise BadInputError(f"Unknown model '{name}'. Models: {', '.join(names())}.")
    return importlib.import_module(f"{__name__}.{name}")


def settings(name: str) -> list[str]:
    """The names of what `built` can be told about a model, in order."""
    return sorted(field.name for field in dataclasses.fields(_module(name).Config))


def built(name: str, config: Json) -> Autoencoder:
    """A freshly initialised model; raises BadInputError for a setting it does not have or cannot take."""
    module = _module(name)
    known = settings(name)
    unknown = sorted(set(config) - set(known))
    if unknown:
        raise BadInputError(f"Model {name} has no setting '{unknown[0]}'. Settings: {', '.join(known)}.")
    for field in dataclasses.fields(module.Config):
        value = config.get(field.name, field.default)
        wanted = (int, float) if isinstance(field.default, float) else type(field.default)
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise BadInputError(f"Model {name}: {field.name}={value!r}: expected {type(field.default).__name__}.")
    try:
        return cast(Autoencoder, module.Model(module.Config(**config)))
    except (ValueError, TypeError) as error:
        raise BadInputError(f"Model {name}: {error}") from error
