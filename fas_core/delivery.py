"""How an attack reached the system: presented to the camera, or injected behind it. The two are never pooled.

The column `delivery` of a manifest or score file says it, once, where the file is read: an injection attack's species
becomes "injection: <species>", and from then on its name tells. Rates of presentations leave such species out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DELIVERY = "delivery"  # the column
PRESENTATION, INJECTION = "presentation", "injection"
_PREFIX = f"{INJECTION}: "


def is_injected(species: str) -> bool:
    """Whether attacks of this species are injected."""
    return species.casefold().startswith(_PREFIX)


def are_injected(species: pd.Series) -> NDArray[np.bool_]:
    """(n,) the same of each row; one without a species is not."""
    codes, names = pd.factorize(species)
    return np.array([*(is_injected(str(name)) for name in names), False], np.bool_)[codes]


def named_by_delivery(species: pd.Series, delivery: pd.Series) -> pd.Series:
    """(n,) species of attacks, those that are injected as "injection: <species>", or unspecified where it is empty.

    `delivery`: (n,) texts without a `delivery_problem`. What is named so already stays.
    """
    is_new = (delivery.str.casefold() == INJECTION) & ~are_injected(species)
    return species.where(~is_new, _PREFIX + species.where(species != "", "unspecified"))


def delivery_problem(delivery: str, *, is_attack: bool) -> str | None:
    """Why a row of this kind cannot have been delivered so; None where it can."""
    kind = delivery.casefold()
    if kind not in ("", PRESENTATION, INJECTION):
        return f"delivery '{delivery}' is not understood: write {PRESENTATION} or {INJECTION}"
    if kind == INJECTION and not is_attack:
        return f"a bona fide sample with delivery '{delivery}': only attacks are injected; leave it empty"
    return None
