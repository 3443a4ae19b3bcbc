"""What a threshold costs in money, where sessions are many and attacks are few.

    expected cost per month = sessions (sum_k share_k APCER_k loss + (1 - sum_k share_k) BPCER rejection)

(ISO/IEC 30107-3 rates, weighted as in Bayes risk; k are the attack species.) The shares of attacks among real sessions
are guesses, often by orders of magnitude, so each has a range and the cost has one too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fas_core.errors import BadInputError
from fas_core.metrics import ScoreSet, UndefinedMetricError
from fas_core.metrics.scoreset import Floats

FLAT = 0.05  # costs this much above the lowest one count as equal to it: no share is known that well


class Share(NamedTuple):
    """Of all sessions, those that are attacks of one species: the likely share, and the least and most it may be."""

    likely: float
    low: float
    high: float


def shares(texts: Sequence[str]) -> dict[str, Share]:
    """Species -> share, of `SPECIES=SHARE` and `SPECIES=SHARE:LOW-HIGH` texts; the last one of a species counts.

    Raises BadInputError for a text of another form; whether shares are possible is for `Costs` to say.
    """
    of_species = {}
    for text in texts:
        species, _, numbers = text.partition("=")
        likely, _, ends = numbers.partition(":")
        low, _, high = (ends or f"{likely}-{likely}").rpartition("-")
        try:
            of_species[species] = Share(float(likely), float(low), float(high))
        except ValueError as error:
            raise BadInputError(
                f"--attack-share {text}: write for example mask=0.001 or mask=0.001:0.0002-0.005"
            ) from error
    return of_species


@dataclass(frozen=True)
class Costs:
    """`sessions` a month; an accepted attack loses `per_attack`, a rejected bona fide session costs `per_rejection`."""

    sessions: float
    shares: Mapping[str, Share]
    per_attack: float
    per_rejection: float

    def as_json(self) -> dict[str, object]:
        """The document, in which a share is an object."""
        return asdict(self) | {"shares": {name: share._asdict() for name, share in self.shares.items()}}

    def __post_init__(self) -> None:
        for name, value in (
            ("sessions a month", self.sessions),
            ("the loss per accepted attack", self.per_attack),
            ("the cost per rejected bona fide", self.per_rejection),
        ):
            if not (math.isfinite(value) and value >= 0):
                raise BadInputError(f"{name} must be 0 or more, got {value}")
        for species, share in self.shares.items():
            if not 0 <= share.low <= share.likely <= share.high <= 1:
                raise BadInputError(
                    f"the share of {species} attacks must lie between 0 and 1 (0.001 for 0.1 % of all sessions), its "
                    f"range around it; got {share.likely} in {share.low} to {share.high}"
                )
        if (together := sum(share.high for share in self.shares.values())) > 1:
            raise BadInputError(
                f"the shares of all attacks together reach {together:g}, which is more than all sessions"
            )


@dataclass(frozen=True, eq=False)
class CostCurve:
    """Expected costs a month at ascending thresholds (m,): at the likely shares, and from what to what they may lie."""

    thresholds: Floats
    likely: Floats
    low: Floats
    high: Floats

    @property
    def best(self) -> int:
        """Position of the lowest likely cost; among equal ones the lowest, most secure threshold."""
        return int(self.likely.argmin())

    @property
    def flat(self) -> tuple[float, float]:
        """The thresholds around the best one whose likely cost is at most `FLAT` above its."""
        near = self.likely <= self.likely[self.best] * (1 + FLAT)
        below, above = near[: self.best][::-1], near[self.best :]
        first = self.best - int(below.argmin() if not below.all() else below.size)
        last = self.best + int(above.argmin() if not above.all() else above.size) - 1
        return float(self.thresholds[first]), float(self.thresholds[last])


def expected(scores: ScoreSet, costs: Costs, thresholds: NDArray[np.float64]) -> CostCurve:
    """Costs at ascending thresholds. Raises UndefinedMetricError without scores of bona fide or a priced species.

    A species that has no share costs nothing; a share of a species that was not tested cannot be priced.
    """
    untested = [
        name for name, share in costs.shares.items() if share.high and not scores.attacks.get(name, ()).__len__()
    ]
    if untested or not scores.n_bona_fide:
        missing = f"no {untested[0]} attack" if untested else "no bona fide sample"
        raise UndefinedMetricError(f"the expected cost is undefined: {missing} with a score")
    bpcer = 1 - np.searchsorted(scores.bona_fide, thresholds, side="left") / scores.n_bona_fide
    rejected = costs.per_rejection * bpcer
    likely, low, high = (costs.sessions * rejected for _ in range(3))
    for name, share in costs.shares.items():
        if not share.high:
            continue
        attacks = scores.attacks[name]
        # What one more share of this species adds: its losses, less the bona fide sessions that it replaces.
        each = costs.sessions * (
            costs.per_attack * np.searchsorted(attacks, thresholds, side="left") / attacks.size - rejected
        )
        likely = likely + share.likely * each
        low = low + np.minimum(share.low * each, share.high * each)
        high = high + np.maximum(share.low * each, share.high * each)
    return CostCurve(thresholds, likely, low, high)


def curve(scores: ScoreSet, costs: Costs) -> CostCurve:
    """`expected` at every threshold that decides differently: each distinct finite score, and above the highest."""
    distinct = np.unique(np.concatenate([scores.bona_fide, scores.pooled]))
    distinct = distinct[np.isfinite(distinct)]
    if not distinct.size:
        raise UndefinedMetricError("the expected cost is undefined: no finite score")
    return expected(scores, costs, np.append(distinct, math.nextafter(distinct[-1], math.inf)))
