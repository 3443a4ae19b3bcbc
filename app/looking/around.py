"""Some codes of a Run in the plane, for one image to lie among: enough to see where it does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.parts import columns
from app.session import readers
from app.session.cache import cached
from fas_core import memo
from fas_core.evaluation import kept
from fas_core.latent import projection
from fas_core.runs.store import Run

MOST, SEED = 5_000, 0  # codes that are drawn
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Around:
    """Some of the n codes of some subsets: where they lie in the first two principal components, (m, 2), and their
    groups, (m,)."""

    xy: NDArray[np.float32]
    groups: NDArray[np.str_]
    n: int


@cached(entries=16, spinner="Computing principal components …")
def of_subsets(run: Run, subsets: tuple[str, ...]) -> Around:
    """Of a large Run kept beside it."""
    pca = readers.principal_components(run)

    def computed() -> memo.Arrays:
        is_shown, subset = columns.shown_rows(run, subsets), columns.factor(run, "subset")
        here = np.arange(len(run)) if is_shown is None else np.flatnonzero(is_shown)
        by_name = np.argsort(np.argsort(subset.names))[subset.codes[here]]
        drawn = here[projection.sampled_rows(by_name, MOST, SEED)]
        codes, names = columns.kinds_of(run)
        return {
            "xy": projection.first_plane(run, pca)[drawn],
            "groups": np.array(names, str)[codes[drawn]],
            "n": np.array(len(here)),
        }

    content = hashlib.sha256(pca.mean.tobytes() + pca.components[:2].tobytes()).hexdigest()
    about = {"components": content, "subsets": list(subsets), "most": MOST, "seed": SEED, "format": _FORMAT}
    is_large = len(run) >= kept.LARGE
    known = memo.arrays(run.cache, "around", {"run": run.shards_digest} | about, computed) if is_large else computed()
    return Around(known["xy"], known["groups"], int(known["n"]))
