"""Scores that take seconds for a large Run: computed once, then read from the memo."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fas_core import memo
from fas_core.runs.store import Run

if TYPE_CHECKING:
    from fas_core.scores import Outputs


def values(
    name: str, version: int, outputs: Outputs, reference: Run, compute: Callable[[], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(n,) what `compute` gives, or has given where the outputs are a Run's. `version`: of how it is computed."""
    if not isinstance(outputs, Run):
        return compute()
    about = {"score": name, "version": version, "run": outputs.shards_digest, "reference": reference.shards_digest}
    return memo.arrays(reference.cache, "score", about, lambda: {"values": compute()})["values"]
