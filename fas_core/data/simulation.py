"""Which attacks are simulated: said by the data itself, and known here alone.

`fas data attacks` writes the columns below; they travel with a manifest into Runs, and with a Run's samples into score
files. What an error rate of such attacks says is said in one sentence wherever it stands: `caveat`, which
`runs.health` passes on to whatever shows rates.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SIMULATED = "simulated"  # "yes" of an attack that was computed from a live image
STRENGTH = "attack_strength"  # above 0, at most 1: how much of it shows
SOURCE = "attack_source"  # sample_id of the live image
COLUMNS = (SIMULATED, STRENGTH, SOURCE)
YES = "yes"
NO_EVIDENCE = "no evidence about real attacks"


def are_simulated(samples: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) whether each sample is a simulated attack. Of data from before the column, the source tells it."""
    told = np.zeros(len(samples), np.bool_)
    if SIMULATED in samples:
        told |= (samples[SIMULATED].astype("str").str.strip().str.casefold() == YES).to_numpy(bool)
    if SOURCE in samples:
        told |= (samples[SOURCE].astype("str").fillna("").str.strip() != "").to_numpy(bool)
    return told


def simulated_species(samples: pd.DataFrame) -> list[str]:
    """Species of which any attack is simulated, by name. Needs the column pai_species."""
    return sorted(set(samples.loc[are_simulated(samples), "pai_species"].astype("str")) - {""})


def caveat(species: Iterable[str]) -> str:
    """What is to be said beside rates of these simulated species; "" of none."""
    names = ", ".join(name.replace("_", " ") for name in species)
    return f"Attacks of {names} are simulated: {NO_EVIDENCE}." if names else ""
