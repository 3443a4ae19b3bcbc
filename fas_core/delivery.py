"""How an attack reached the system: presented to the camera, or injected behind it. The two are never pooled.

The column `delivery` of a manifest or score file says it, once, where the file is read: an injection attack's species
becomes "injection: <species>", and from then on its name tells. Rates of presentations leave such species out. A
species that is called so already ("Injection:mask", "injection") is one of them without the column, too.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.texts import of_each, one_spelling

DELIVERY = "delivery"  # the column
PRESENTATION, INJECTION = "presentation", "injection"
_PREFIX = f"{INJECTION}: "
_NAMED_SO = re.compile(rf"{INJECTION}\s*(?::\s*(?P<species>.*))?", re.IGNORECASE | re.DOTALL)


def is_injected(species: str) -> bool:
    """Whether attacks of this species are injected."""
    return species.casefold().startswith(_PREFIX)


def are_injected(species: pd.Series) -> NDArray[np.bool_]:
    """(n,) the same of each row; one without a species is not."""
    codes, names = pd.factorize(species)
    return np.array([*(is_injected(str(name)) for name in names), False], np.bool_)[codes]


def spelled(species: str) -> str:
    """A species' name; "injection: ..." in one spelling: `INJECTION:mask`, `injection`."""
    matched = _NAMED_SO.fullmatch(species)
    return f"{_PREFIX}{matched['species'] or 'unspecified'}" if matched else species


def one_spelling_of_species(species: pd.Series) -> tuple[pd.Series, list[str]]:
    """`texts.one_spelling` of species, whatever delivered them: Mask, mask and injection:MASK are of one name."""
    species = of_each(species, spelled)
    are_new = pd.Series(are_injected(species), species.index)
    bare, notes = one_spelling(species.where(~are_new, species.str.slice(len(_PREFIX))))
    return bare.where(~are_new, _PREFIX + bare), notes


def named_by_delivery(species: pd.Series, delivery: pd.Series) -> pd.Series:
    """(n,) species of attacks, those that are injected as "injection: <species>", or unspecified where it is empty.

    `delivery`: (n,) texts without a `delivery_problem`. What is named so already stays.
    """
    is_new = (delivery.str.casefold() == INJECTION) & ~are_injected(species)
    return species.where(~is_new, _PREFIX + species.where(species != "", "unspecified"))


def delivery_problem(delivery: str, species: str, *, is_attack: bool) -> str | None:
    """Why a row of this kind and species cannot have been delivered so; None where it can."""
    kind = delivery.casefold()
    if kind not in ("", PRESENTATION, INJECTION):
        return f"delivery '{delivery}' is not understood: write {PRESENTATION} or {INJECTION}"
    if kind == INJECTION and not is_attack:
        return f"a bona fide sample with delivery '{delivery}': only attacks are injected; leave it empty"
    if kind == PRESENTATION and is_attack and is_injected(species):
        return f"pai_species '{species}' with delivery '{delivery}': write {INJECTION}, or the species alone"
    return None
