"""How far two people agree about the same samples, beyond what they would by chance: Cohen's kappa.

Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960), 37-46; its
standard error is that of Fleiss, Cohen and Everitt, "Large sample standard errors of kappa and weighted kappa",
Psychological Bulletin 72 (1969), 323-327, equation 13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from fas_core.metrics.uncertainty import Units, clopper_pearson, codes_of


@dataclass(frozen=True)
class Kappa:
    """`value` is 1 where two people always agree, 0 where they do as often as by chance.

    It and what follows from it are None where both say the same of every sample, so that chance alone agrees always.
    """

    n: int  # samples
    observed: float  # share of them that both say the same of
    by_chance: float  # what that share would be if what one says told nothing of what the other says
    value: float | None
    standard_error: float | None
    low: float | None  # of the 95 % interval
    high: float | None
    unit: str  # what is taken for independent: "subject", ..., "sample"
    n_units: int


def cohen_kappa(a: ArrayLike, b: ArrayLike, units: Units | None = None, *, level: float = 0.95) -> Kappa:
    """Of what two people say, (n,) and (n,), of the same n samples in any categories.

    Samples of one unit hang together, and their parts of the error are added before they are squared; with every sample
    a unit of its own (the default) that is equation 13. Two departures keep the interval honest where there is little
    to go by: Student's t with one degree less than units in place of the normal distribution, and it is never narrower
    than the Clopper-Pearson interval of the observed agreement at this chance agreement, so that ten samples without a
    disagreement do not prove that there will be none.
    Raises ValueError where there is no sample, or a and b differ in length.
    """
    first, second = np.asarray(a), np.asarray(b)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(
            f"kappa needs two lists of the same length, one entry per sample; got {first.shape} and {second.shape}"
        )
    n = len(first)
    groups = np.arange(n) if units is None else units.groups
    codes, n_units = codes_of(np.asarray(groups))
    of_a, of_b, shares = _shares(first, second)
    agree = of_a == of_b
    observed, by_chance = float(agree.mean()), float((shares[0] * shares[1]).sum())
    about = (n, observed, by_chance)
    name = "sample" if units is None else units.name
    if by_chance == 1:
        return Kappa(*about, None, None, None, None, name, n_units)
    value = (observed - by_chance) / (1 - by_chance)
    # What each sample adds to the difference between kappa here and kappa of all there are.
    of_chance = shares[1][of_a] + shares[0][of_b] - 2 * by_chance
    parts = (agree - observed) / (1 - by_chance) - (1 - observed) * of_chance / (1 - by_chance) ** 2
    error = math.sqrt(float((np.bincount(codes, parts, n_units) ** 2).sum())) / n
    margin = error * float(stdtrit(n_units - 1, (1 + level) / 2)) if n_units > 1 else math.inf
    independent = clopper_pearson(int(agree.sum()), n, level)
    low, high = ((share - by_chance) / (1 - by_chance) for share in independent)
    return Kappa(
        *about, value, error, max(-1.0, min(low, value - margin)), min(1.0, max(high, value + margin)), name, n_units
    )


def _shares(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Both as numbers of categories, (n,) and (n,); how often each of the two uses each category, (2, categories)."""
    _, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
    of_a, of_b = codes[: len(a)], codes[len(a) :]
    n_categories = int(codes.max()) + 1
    shares = np.stack([np.bincount(of, minlength=n_categories) / len(a) for of in (of_a, of_b)])
    return of_a, of_b, shares
