"""What a threshold costs in money, where sessions are many and attacks are few.

    expected cost per month = sessions (sum_k share_k APCER_k loss + (1 - sum_k share_k) BPCER rejection)

(ISO/IEC 30107-3 rates, weighted as in Bayes risk; k are the attack species.) The shares of attacks among real sessions
are guesses, often by orders of magnitude, so each has a range and the cost has one too. Whether a threshold is cheaper
than another is asked of resamples of whole subjects, with shares drawn over their ranges: `resampled_rates`, `paired`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fas_core.errors import BadInputError
from fas_core.metrics import ScoreSet, UndefinedMetricError
from fas_core.metrics.limits import Trials
from fas_core.metrics.resampling import Statistic, resampled
from fas_core.metrics.scoreset import Floats
from fas_core.metrics.uncertainty import RESAMPLES

FLAT = 0.05  # costs this much above the lowest one count as equal to it: no share is known that well


class Share(NamedTuple):
    """Of all sessions, those that are attacks of one species: the likely share, and the least and most it may be."""

    likely: float
    low: float
    high: float

    @classmethod
    def between(cls, low: float, high: float) -> Share:
        """With the likely share in the middle of the range, by orders of magnitude where it does not begin at 0."""
        return cls(_between(low, high, 0.5), low, high)

    def drawn(self, u: Floats) -> Floats:
        """Shares (r,) of numbers (r,) from 0 to 1: below the likely share as often as above it, evenly on each side."""
        below = _between(self.low, self.likely, 2 * u)
        above = _between(self.likely, self.high, 2 * u - 1)
        return np.where(u < 0.5, below, above)


def _between(low: float, high: float, u: Any) -> Any:
    """From `low` at u = 0 to `high` at 1, evenly by orders of magnitude; from 0 evenly by amount."""
    return low * (high / low) ** u if low > 0 else high * u


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
    """`sessions` a month; an accepted attack loses `per_attack`, a rejected bona fide session costs `per_rejection`.

    `currency`: a code or a symbol. `examples`: names of figures that nobody has set. Costs of before there were any of
    both have None.
    """

    sessions: float
    shares: Mapping[str, Share]
    per_attack: float
    per_rejection: float
    currency: str | None = None
    examples: tuple[str, ...] | None = None

    def as_json(self) -> dict[str, object]:
        """The document, in which a share is an object, and what is None is left out."""
        document = asdict(self) | {"shares": {name: share._asdict() for name, share in self.shares.items()}}
        return {name: value for name, value in document.items() if value is not None}

    def money(self, amount: float) -> str:
        """12,300 EUR"""
        return f"{amount_text(amount)}{f' {self.currency}' if self.currency else ''}"

    @property
    def in_words(self) -> str:
        """The figures in a sentence without its full stop."""
        each = ", ".join(
            f"{name} {100 * share.likely:.3g} % ({100 * share.low:.3g}–{100 * share.high:.3g})"
            for name, share in self.shares.items()
        )
        return (
            f"{self.sessions:,.0f} sessions a month, {self.money(self.per_attack)} per accepted attack, "
            f"{self.money(self.per_rejection)} per rejected bona fide session; of all sessions {each or 'no'} attacks"
        )

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
        if self.currency is not None and not _is_currency(self.currency):
            raise BadInputError(f"a currency is a code of three letters or a symbol (EUR, €), got '{self.currency}'")
        if (together := sum(share.high for share in self.shares.values())) > 1:
            raise BadInputError(
                f"the shares of all attacks together reach {together:g}, which is more than all sessions"
            )


def amount_text(amount: float) -> str:
    """12,300 or 1.25: cents only where they matter."""
    return f"{amount:,.{0 if abs(amount) >= 10 or amount == round(amount) else 2}f}"


def _is_currency(text: str) -> bool:
    """Up to three letters or signs of currencies."""
    return 0 < len(text) <= 3 and all(char.isalpha() or unicodedata.category(char) == "Sc" for char in text)


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


# ------------------------------------------------------------------------------------------- how sure is one cheaper?


@dataclass(frozen=True, eq=False)
class ResampledRates:
    """Error rates at t thresholds on the same r resamples of whole units."""

    bpcer: Floats  # (t, r)
    apcer: Mapping[str, Floats]  # by species, (t, r); NaN where a resample has no attack of it
    unit: str
    n_units: int


def resampled_rates(
    trials: Trials, thresholds: Sequence[float], species: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> ResampledRates | None:
    """None where bona fide samples, or attacks of one of the species, are of fewer than two units: that tells nothing.

    Raises ValueError for a species without an attack.
    """
    names = np.array(["", *trials.names], dtype=object)[trials.kinds]
    bpcer, of_species = Statistic("bpcer"), {name: Statistic("apcer", name) for name in species}
    drawn = resampled(
        [trials.scores] * len(thresholds),
        trials.kinds > 0,
        trials.units,
        [bpcer, *of_species.values()],
        species=names,
        thresholds=thresholds,
        resamples=resamples,
        seed=seed,
    )
    if min(sizes[0].of_a_class for sizes in drawn.sizes.values()) < 2:
        return None
    apcer = {name: drawn.values[statistic] for name, statistic in of_species.items()}
    n_units = len(np.unique(np.asarray(trials.units.groups)[~np.isnan(trials.scores)]))
    return ResampledRates(drawn.values[bpcer], apcer, drawn.unit, n_units)


@dataclass(frozen=True)
class Paired:
    """Costs at two thresholds on the same resamples of units and the same shares."""

    ranges: tuple[tuple[float, float], tuple[float, float]]  # 95 % of the costs at each
    cheaper: float  # in which share of the resamples the second is cheaper; equal ones count half
    n: int  # resamples
    unit: str
    n_units: int


def paired(rates: ResampledRates, costs: Costs, *, seed: int = 0) -> Paired:
    """The first two thresholds, with shares drawn over their ranges, each by itself: see `Share.drawn`.

    Resamples that lack a species with a share are passed over. Every such species must be among those of `rates`.
    """
    rng = np.random.default_rng(seed)
    losses, attacks = np.zeros_like(rates.bpcer), np.zeros(rates.bpcer.shape[1])
    for name, share in costs.shares.items():
        of_sessions = share.drawn(rng.random(attacks.size))
        if share.high:
            losses = losses + of_sessions * rates.apcer[name]
            attacks = attacks + of_sessions
    each = costs.sessions * (costs.per_attack * losses + costs.per_rejection * (1 - attacks) * rates.bpcer)
    first, second = each[:, ~np.isnan(each).any(0)][:2]
    low, high = np.percentile([first, second], [2.5, 97.5], axis=1)
    cheaper = (second < first).mean() + (second == first).mean() / 2
    ranges = ((float(low[0]), float(high[0])), (float(low[1]), float(high[1])))
    return Paired(ranges, float(cheaper), first.size, rates.unit, rates.n_units)
