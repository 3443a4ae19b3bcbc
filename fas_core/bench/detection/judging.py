"""Scores of many ways to judge the same images: AUC, errors at a threshold from live dev images, paired differences.

    judged = Judged([Images(...)], {Way("small_dcvae", "rec"): [scores], ...})
    judged.auc(way)                       # mean over data sets, with its interval by people
    judged.difference(way, base)          # paired: the same people in every resample

Attacks are looked at for the rates alone. A threshold is that of the live dev images, frozen: intervals are of other
people who are tested, not of other people who choose. People are resampled within their data set, with all their images
and in all seeds at once. Of an AUC it is enough to know who wins against whom: W[i, j] is how often images of attacks
by person i score above live images of person j (ties half), so that the AUC of a resample in which people occur
w times is w'Ww / (w'a)(w'l), a and l their numbers of attacks and of live images: exact, whatever the number of images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from fas_core import metrics
from fas_core.data.names import BONA_FIDE
from fas_core.metrics.resampling import strata_of
from fas_core.metrics.uncertainty import codes_of, draws, expanded, zero_error_upper_bound

Floats = NDArray[np.float64]

MAX_BPCER = 0.05
RESAMPLES = 20_000  # so many that p of a hundred comparisons can be corrected
MASKS = "any mask"  # attacks whose species is called a mask of some kind
AUC, APCER, BPCER = "auc", "apcer", "bpcer"


class Way(NamedTuple):
    """A model and a score that it is judged by."""

    model: str
    score: str

    def __str__(self) -> str:
        return f"{self.model}, {self.score}"


@dataclass(frozen=True, eq=False)
class Images:
    """n images of one data set and seed that choose a threshold (dev) or are tested."""

    data_set: str
    seed: int
    person: NDArray[np.str_]  # (n,) one name for a person in every seed of the data set
    kind: NDArray[np.str_]  # (n,) bona_fide, or the species of an attack
    is_dev: NDArray[np.bool_]  # (n,) whether it chooses; attacks never do

    @property
    def chooses(self) -> NDArray[np.bool_]:
        """(n,) live images of dev."""
        return self.is_dev & (self.kind == BONA_FIDE)

    @cached_property
    def attacks(self) -> dict[str, NDArray[np.bool_]]:
        """(n,) the attacks that are tested: "" all of them, each species, `MASKS`; none where there are none."""
        tested = ~self.is_dev & (self.kind != BONA_FIDE)
        names = [str(name) for name in np.unique(self.kind[tested])]
        groups = {"": tested} | {name: tested & (self.kind == name) for name in names}
        if masks := [name for name in names if "mask" in name.casefold()]:
            groups[MASKS] = tested & np.isin(self.kind, masks)
        return groups if names else {}


class Interval(NamedTuple):
    """A mean over data sets and seeds, and where 95 % of its resamples lie; with fewer than two people no ends."""

    value: float
    low: float | None
    high: float | None


class Difference(NamedTuple):
    """What a way has more than another, `p` of no difference, and how many people it rests on: attackers, or those with
    live images where they are fewer."""

    value: float
    low: float | None
    high: float | None
    p: float | None
    n_people: int


@dataclass(frozen=True, eq=False)
class _Counts:
    """What a way's scores of one data set and seed come to, by person."""

    threshold: float
    wins: Mapping[str, Floats]  # species, "" for all -> (p, p)
    missed: Mapping[str, Floats]  # species, "" for all -> (p,) attacks below the threshold
    rejected: Floats  # (p,) live images at or above it
    scores: Floats = field(repr=False)


@dataclass(frozen=True, eq=False)
class _People:
    """Those who are tested in a data set, over its seeds, and how often each occurs in every resample."""

    names: NDArray[np.str_]  # (p,) ascending
    weights: Floats  # (p, RESAMPLES)


def threshold(values: Floats, images: Images) -> float:
    """The lowest at which at most `MAX_BPCER` of the live dev images are called attacks."""
    live = values[images.chooses]
    return metrics.threshold_at_bpcer(metrics.score_set(live, np.zeros(live.size, np.bool_)), MAX_BPCER)


def person_wins(
    attacks: Floats, live: Floats, of_attacks: NDArray[np.intp], of_live: NDArray[np.intp], p: int
) -> Floats:
    """(p, p) pairs that attacks by person i win against live images of person j, ties half."""
    wins = np.zeros((p, p))
    for j in np.unique(of_live):
        ordered = np.sort(live[of_live == j])
        below = np.searchsorted(ordered, attacks, side="left") + np.searchsorted(ordered, attacks, side="right")
        wins[:, j] = np.bincount(of_attacks, below / 2, p)
    return wins


@dataclass(frozen=True, eq=False)
class Judged:
    """Ways to judge some data sets; a way that a data set does not have is None there."""

    images: Sequence[Images]
    scores: Mapping[Way, Sequence[Floats | None]]  # (n,) of each of the images, None where there are none
    resamples: int = RESAMPLES

    def _of(self, way: Way, data_set: str | None = None) -> list[int]:
        """Which of the images a way has scores of."""
        return [
            i
            for i, images in enumerate(self.images)
            if self.scores[way][i] is not None and data_set in (None, images.data_set)
        ]

    @cached_property
    def data_sets(self) -> list[str]:
        return list(dict.fromkeys(images.data_set for images in self.images))

    @cached_property
    def species(self) -> list[str]:
        return sorted({str(kind) for images in self.images for kind in np.unique(images.kind)} - {BONA_FIDE})

    @cached_property
    def _people(self) -> dict[str, _People]:
        drawn = {}
        for number, name in enumerate(self.data_sets):
            tested = [(images, ~images.is_dev) for images in self.images if images.data_set == name]
            people = np.concatenate([images.person[rows] for images, rows in tested])
            is_attack = np.concatenate([images.kind[rows] != BONA_FIDE for images, rows in tested])
            codes, n = codes_of(people)
            strata = strata_of(is_attack, codes, n)
            weights = np.concatenate(list(draws(strata, n, self.resamples, number)), axis=1)
            drawn[name] = _People(np.unique(people), weights)
        return drawn

    def n_people(self, way: Way, data_set: str | None = None) -> int:
        """Who is tested, over all data sets that it has scores of or in one."""
        return sum(self._people[name].names.size for name in {self.images[i].data_set for i in self._of(way, data_set)})

    @cached_property
    def _counted(self) -> dict[tuple[Way, int], _Counts]:
        return {}

    def counts(self, way: Way, i: int) -> _Counts:
        """Of the images number i."""
        if (way, i) not in self._counted:
            values = self.scores[way][i]
            assert values is not None
            self._counted[way, i] = self._count(values, self.images[i])
        return self._counted[way, i]

    def _count(self, values: Floats, images: Images) -> _Counts:
        people = self._people[images.data_set].names
        at = threshold(values, images)
        code = np.searchsorted(people, images.person).clip(0, people.size - 1)
        live = ~images.is_dev & (images.kind == BONA_FIDE)
        wins, missed = {}, {}
        for name, attack in images.attacks.items():
            wins[name] = person_wins(values[attack], values[live], code[attack], code[live], people.size)
            missed[name] = np.bincount(code[attack][values[attack] < at], minlength=people.size).astype(np.float64)
        rejected = np.bincount(code[live][values[live] >= at], minlength=people.size)
        return _Counts(at, wins, missed, rejected.astype(np.float64), values)

    @cached_property
    def _totals(self) -> list[dict[str, Floats]]:
        """Per images: kind, "" for all attacks -> (p,) tested images of each person."""
        totals = []
        for images in self.images:
            people = self._people[images.data_set].names
            code = np.searchsorted(people, images.person).clip(0, people.size - 1)
            of_kind = images.attacks | {BONA_FIDE: ~images.is_dev & (images.kind == BONA_FIDE)}
            totals.append(
                {
                    kind: np.bincount(code[rows], minlength=people.size).astype(np.float64)
                    for kind, rows in of_kind.items()
                }
            )
        return totals

    def _value(self, metric: str, way: Way, i: int, species: str, weights: Floats) -> Floats:
        """(r,) of the images number i, people occurring as `weights` (p, r) say; NaN where it is undefined."""
        counts, totals = self.counts(way, i), self._totals[i]
        with np.errstate(invalid="ignore", divide="ignore"):
            if metric == BPCER:
                return counts.rejected @ weights / (totals[BONA_FIDE] @ weights)
            if metric == APCER:
                return counts.missed[species] @ weights / (totals[species] @ weights)
            pairs = (totals[species] @ weights) * (totals[BONA_FIDE] @ weights)
            return np.einsum("ir,ir->r", weights, counts.wins[species] @ weights) / pairs

    def _mean(self, metric: str, way: Way, species: str, rows: Sequence[int], *, drawn: bool) -> Floats:
        """(r,) the mean over data sets of the means over seeds: of the resamples, or (1,) of the people themselves."""
        by_set: dict[str, list[Floats]] = {}
        for i in rows:
            people = self._people[self.images[i].data_set]
            weights = people.weights if drawn else np.ones((people.names.size, 1))
            by_set.setdefault(self.images[i].data_set, []).append(self._value(metric, way, i, species, weights))
        return np.mean([np.mean(of_seeds, axis=0) for of_seeds in by_set.values()], axis=0)

    def _rows(self, metric: str, species: str, ways: Sequence[Way], data_set: str | None) -> list[int]:
        """The images that all of some ways have scores of, with attacks of the species."""
        common = set.intersection(*(set(self._of(way, data_set)) for way in ways))
        return sorted(i for i in common if metric == BPCER or species in self._totals[i])

    def _n_units(self, metric: str, species: str, rows: Sequence[int]) -> int:
        """People of the kind of image that the fewest have, over the data sets."""
        kinds = {AUC: (species, BONA_FIDE), APCER: (species,), BPCER: (BONA_FIDE,)}[metric]
        by_kind = []
        for kind in kinds:
            of_sets: dict[str, Floats] = {}
            for i in rows:
                name = self.images[i].data_set
                of_sets[name] = of_sets.get(name, np.zeros(1)) + self._totals[i][kind]
            by_kind.append(sum(int((of > 0).sum()) for of in of_sets.values()))
        return min(by_kind)

    def interval(self, metric: str, way: Way, species: str = "", data_set: str | None = None) -> Interval | None:
        """Of all attacks or a species, over all data sets or in one; None where there is nothing."""
        rows = self._rows(metric, species, [way], data_set)
        if not rows:
            return None
        value = float(self._mean(metric, way, species, rows, drawn=False)[0])
        of_resamples = self._mean(metric, way, species, rows, drawn=True)
        low, high = _ends(of_resamples, self._n_units(metric, species, rows), 0.0)
        return Interval(value, low, high)

    def difference(
        self, metric: str, way: Way, base: Way, species: str = "", data_set: str | None = None
    ) -> Difference | None:
        """`way` less `base` on the images that both have; None where there are none."""
        rows = self._rows(metric, species, [way, base], data_set)
        if not rows:
            return None
        value, of_base = (float(self._mean(metric, each, species, rows, drawn=False)[0]) for each in (way, base))
        drawn, of_base_drawn = (self._mean(metric, each, species, rows, drawn=True) for each in (way, base))
        change = drawn - of_base_drawn
        n = self._n_units(metric, species, rows)
        low, high = _ends(change, n, -1.0)
        return Difference(value - of_base, low, high, no_difference_p(change, n), n)


def _ends(of_resamples: Floats, n_units: int, smallest: float) -> tuple[float | None, float | None]:
    """Percentiles of resamples of n units, read further out where these are few (`uncertainty.expanded`); where all
    resamples agree what n units without an error still allow."""
    values = of_resamples[~np.isnan(of_resamples)]
    if n_units < 2 or not values.size:
        return None, None
    at = expanded(0.975, n_units)
    low, high = np.quantile(values, [1 - at, at])
    if low == high:
        unseen = zero_error_upper_bound(n_units, 0.95)
        low, high = low - unseen * (low - smallest), high + unseen * (1 - high)
    return float(low), float(high)


def no_difference_p(change: Floats, n_units: int) -> float | None:
    """Two-sided p by how many resamples lie on the other side of 0, or on it; None with fewer than two units.

    Widened as the intervals are, so that p < 0.05 where 0 is outside of one, and at least what n equal tosses of a
    coin can say: 2^(1 - n).
    """
    change = change[~np.isnan(change)]
    if n_units < 2 or not change.size:
        return None
    fewest = min(int((change <= 0).sum()), int((change >= 0).sum()))
    plain = min(1.0, 2 * (fewest + 1) / (change.size + 1))
    wide = 2 * float(stdtr(n_units - 1, ndtri(plain / 2) * np.sqrt((n_units - 1) / n_units))) if plain < 1 else 1.0
    return min(1.0, max(wide, 2.0 ** (1 - n_units)))
