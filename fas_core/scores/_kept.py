"""Scores that take seconds for a large Run: computed once, then read from the memo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fas_core import memo
from fas_core.latent import passes, sample_key
from fas_core.runs.store import Run

if TYPE_CHECKING:
    from fas_core.scores import Outputs


def values(
    name: str,
    version: int,
    outputs: Outputs,
    reference: Run,
    compute: Callable[[], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """(n,) what `compute` gives, or has given where the outputs are a Run's. `version`: of how it is computed."""
    if not isinstance(outputs, Run):
        return compute()
    asked = about(name, version, outputs, reference)
    return memo.arrays(reference.cache, "score", asked, lambda: {"values": compute()})["values"]


def about(name: str, version: int, outputs: Run, reference: Run) -> dict[str, object]:
    """What the `values` of a Run are kept by: it stands for them."""
    return {"score": name, "version": version, "run": outputs.shards_digest, "reference": reference.shards_digest}


@dataclass(frozen=True)
class OfCodes:
    """A score of codes: its name, the version of how it is computed, and `says(outputs, reference)`, which fits it on a
    sample of the live training codes of a Run and gives what then says of codes their "values" (m,)."""

    name: str
    version: int
    says: Callable[[Outputs, Run], passes.Says]

    def values(self, outputs: Outputs, reference: Run) -> NDArray[np.float64]:
        """(n,); kept where the outputs are a Run's."""

        def compute() -> passes.Arrays:
            return passes.said(outputs.codes, [self.says(outputs, reference)])[0]

        if not isinstance(outputs, Run):
            return compute()["values"]
        return memo.arrays(reference.cache, "score", self.about(outputs, reference), compute)["values"]

    def is_kept(self, run: Run) -> bool:
        """Whether a Run's own values need not be computed."""
        return memo.is_kept(run.cache, "score", self.about(run, run))

    def keep(self, run: Run, said: dict[str, NDArray[Any]]) -> None:
        """Stores a Run's own values that were computed elsewhere."""
        memo.arrays(run.cache, "score", self.about(run, run), lambda: said)

    def about(self, outputs: Run, reference: Run) -> dict[str, object]:
        """What the values of a Run are kept by: it stands for them."""
        return about(self.name, self.version, outputs, reference) | sample_key(reference)
