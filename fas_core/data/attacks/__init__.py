"""Simulated presentation attacks on real live images, so that a data set without attacks can be explored.

Each species is a small model of how its attack reaches a camera, not a filter: ONE FILE PER INSTRUMENT says of what it
is made and what its strength scales. They are stand-ins: good for trying out tools and for asking from which strength
on something is seen, no evidence of how a detector does on real attacks (`simulation` says so wherever rates are).

A strength is above 0 and at most 1, where nobody would take the attack for a live face; towards 0 it comes to look like
the live image. A generator alone decides what else comes out, and draws the same at every strength.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fas_core.data.attacks.covers import funny_eyes, paper_glasses
from fas_core.data.attacks.makeup import impersonation, obfuscation
from fas_core.data.attacks.mask import half_mask, mask
from fas_core.data.attacks.optics import Scene
from fas_core.data.attacks.paper import cutout, paper
from fas_core.data.attacks.replay import replay
from fas_core.errors import BadInputError

Species = Callable[[Scene, np.random.Generator, float], NDArray[np.float32]]
SPECIES: dict[str, Species] = {
    "paper": paper,
    "replay": replay,
    "mask": mask,
    "cutout": cutout,
    "half_mask": half_mask,
    "paper_glasses": paper_glasses,
    "funny_eyes": funny_eyes,
    "impersonation": impersonation,
    "obfuscation": obfuscation,
}
BY_FACE = frozenset(SPECIES) - {"paper", "replay"}  # placed and sized by the eyes


def simulated(
    image: NDArray[np.floating[Any]],
    species: str,
    rng: np.random.Generator,
    strength: float = 1.0,
    eyes: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """`image` (H, W) or (H, W, 3) in [0, 1] as an attack of `species` would show it: float32 in [0, 1], same shape.

    `eyes`: (2, 2) pixels x, y from the top left corner, the one further left first; None: see `face`. Raises
    BadInputError for a species that is not known, and for what is no strength.
    """
    require_species(species)
    require_strength(strength)
    x = np.asarray(image, dtype=np.float32)
    scene = Scene(x[np.newaxis] if x.ndim == 2 else np.ascontiguousarray(np.moveaxis(x, -1, 0)), eyes)
    attack = SPECIES[species](scene, rng, strength)
    return attack[0] if x.ndim == 2 else np.ascontiguousarray(np.moveaxis(attack, 0, -1))


def require_species(name: str) -> None:
    """Raises BadInputError for a species that is not known."""
    if name not in SPECIES:
        raise BadInputError(f"no simulated attack species {name!r}; there are {', '.join(SPECIES)}")


def require_strength(strength: float) -> None:
    """Raises BadInputError for what no strength can be."""
    if not 0 < strength <= 1:
        raise BadInputError(f"no strength of an attack: {strength:g}. It is above 0 and at most 1.")
