"""Anomaly scores, one module each: higher = more attack-like, one raw float64 per sample, never rescaled.

A score is a module with a docstring (its first line is what users read), `NEEDS` (the columns of a Run's samples it
reads, or "latents"), `TRAINING_IMAGES` if it is fitted (how many it needs), and `score(run, reference) -> (n,)`.
`reference` is the Run whose bona fide training images anything fitted is fitted on; usually the Run itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fas_core.errors import BadInputError
from fas_core.store import Run


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def description(name: str) -> str:
    """One line on what the score is; for a column of a score file, just that."""
    if name not in names():
        return "Column of the imported score file."
    return (_module(name).__doc__ or "").strip().splitlines()[0]


def offered(run: Run) -> list[str]:
    """Scores this Run has: the columns of its score file, or those whose needs its model's outputs meet."""
    if not run.has_images:
        return list(run.info.scores)
    has, n_training = {*run.info.scores, "latents"}, len(run.rows_of("train"))
    modules = {name: _module(name) for name in names()}
    return [
        name for name, m in modules.items() if set(m.NEEDS) <= has and n_training >= getattr(m, "TRAINING_IMAGES", 0)
    ]


def values(run: Run, name: str, reference: Run | None = None) -> NDArray[np.float64]:
    """(n,) in the Run's row order; NaN only where a score file says that the system gave no response.

    Raises BadInputError listing the choices when the Run does not have this score.
    """
    if name not in offered(run):
        raise BadInputError(f"Run {run.info.name} has no score '{name}'. Scores: {', '.join(offered(run))}.")
    if not run.has_images:
        return run.samples([name])[name].to_numpy(np.float64)
    return cast(NDArray[np.float64], _module(name).score(run, reference or run))


def column(name: str) -> Callable[[Run, Run], NDArray[np.float64]]:
    """A `score` that is a column of the Run's samples as the model wrote it."""

    def score(run: Run, reference: Run) -> NDArray[np.float64]:
        return run.samples([name])[name].to_numpy(np.float64)

    return score


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
