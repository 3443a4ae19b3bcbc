"""Error rates, AUC and EER of several models on the same resamples of whole subjects, and intervals of each.

Each draw is a vector of how often every unit occurs. Its product with the units' counts of scores per bin gives the
histograms of the resample, from which any rate or area follows without sorting again. A bin is a distinct score, so
that everything is exact, up to 2 * QUANTILES of them. Beyond, scores between two neighbours among the quantiles of both
classes share a bin. Of the samples themselves that moves an AUC by less than 1/(2 * QUANTILES), typically by 1e-6, and
an EER and a BPCER at an APCER by less than 1/QUANTILES, the latter upwards only. Rates at a frozen threshold are exact.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fas_core.metrics.uncertainty import (
    RESAMPLES,
    UnitInterval,
    Units,
    codes_of,
    draws,
    percentiles,
    product,
    sparse_counts,
    width_of,
)

Floats = NDArray[np.float64]

NEEDS_THRESHOLD = {"bpcer", "apcer", "apcer_max", "apcer_pooled"}
_BY_APCER = {"bpcer_at_apcer", "threshold_at_apcer"}
_BY_BPCER = {"apcer_at_bpcer", "apcer_max_at_bpcer", "threshold_at_bpcer"}
_AT_A_TARGET = _BY_APCER | _BY_BPCER | {"precision_at_recall"}
QUANTILES = 4096
_BLOCK = 128  # bins that a search takes or leaves together


class Statistic(NamedTuple):
    """What is computed on each resample, by the definitions of `metrics`.

    "roc_auc" (`of` a species, or of all attacks) · "eer" (where the linearly interpolated ROC crosses, all attacks) ·
    "bpcer", "apcer" `of` a species, "apcer_max" (the worst of the species drawn), "apcer_pooled", at the model's frozen
    threshold · "bpcer_at_apcer" `of` a target: the smallest BPCER for which every species drawn has APCER <= target,
    its threshold found anew in each resample · "apcer_at_bpcer" `of` (target, species or None for all attacks together)
    and "apcer_max_at_bpcer" `of` a target (the worst of the species drawn): APCER at the lowest threshold for which
    BPCER <= target, likewise anew · "threshold_at_apcer", "threshold_at_bpcer" `of` a target: the thresholds that these
    rates are at, +inf where nothing is called an attack · "average_precision" · "precision_at_recall" `of` a recall:
    precision at the highest threshold that finds at least this share of all attacks.
    """

    name: str
    of: str | float | tuple[float, str | None] | None = None

    @property
    def species(self) -> str | None:
        """The species that it is of; None: of all attacks, or of every species."""
        of = self.of[1] if isinstance(self.of, tuple) else self.of
        return of if isinstance(of, str) else None

    @property
    def target(self) -> float:
        """The rate that it is at. Raises ValueError where it is at none."""
        target = self.of[0] if isinstance(self.of, tuple) else self.of
        if not isinstance(target, float | int):
            raise ValueError(f"'{self.name}' is at no target")
        return float(target)


class Sizes(NamedTuple):
    """Units with a score: of any sample that the statistic needs, of its scarcer class, of its scarcest kind.

    A kind is a species, or bona fide.
    """

    units: int
    of_a_class: int
    of_a_kind: int


@dataclass(frozen=True, eq=False)
class Resampled:
    """`values`: per statistic (s, resamples) for s models, NaN where a resample lacks a class that it needs.

    Column i of every statistic and model is the same resample: differences between models are paired.
    """

    values: Mapping[Statistic, Floats]
    unit: str
    sizes: Mapping[Statistic, list[Sizes]]  # of each model

    def interval(self, statistic: Statistic, model: int = 0, level: float = 0.95) -> UnitInterval | None:
        """Percentiles of one model's values; None where fewer than two units have a class that the statistic needs.

        One subject says nothing about others. Resamples in which it is undefined are passed over. Few units make a
        percentile interval too narrow: simulated, about 82 % held the true AUC with 5 subjects, 89 % with 10, 93 % with
        50. Where all resamples agree (an AUC of 1, no errors) see `UnitInterval`; it then counts the units of the class
        or species that has the fewest.
        """
        return self._between(self.values[statistic][model], [self.sizes[statistic][model]], 0.0, level)

    def difference(self, statistic: Statistic, a: int = 0, b: int = 1, level: float = 0.95) -> UnitInterval | None:
        """Of model a minus model b on the same resamples, within [-1, 1]. None as `interval` for either of them."""
        sizes = self.sizes[statistic]
        return self._between(self.values[statistic][a] - self.values[statistic][b], [sizes[a], sizes[b]], -1.0, level)

    def _between(self, of_resamples: Floats, sizes: list[Sizes], smallest: float, level: float) -> UnitInterval | None:
        defined = of_resamples[~np.isnan(of_resamples)]
        if min(size.of_a_class for size in sizes) < 2 or not defined.size:
            return None
        fewest = min(size.of_a_kind for size in sizes)
        low, high, agree = percentiles(defined[None], fewest, level, smallest)
        n_units, method = (fewest, "rule_of_three") if agree[0] else (min(size.units for size in sizes), "bootstrap")
        return UnitInterval(float(low[0]), float(high[0]), self.unit, n_units, method, defined.size)


class Part(NamedTuple):
    """Some resamples, in turn from `start` on, of one statistic of one model."""

    model: int
    statistic: Statistic
    start: int
    values: Floats


@dataclass(frozen=True, eq=False)
class Work:
    """All that `resampled` computes from, as data alone: whoever has it can compute a share of its resamples.

    Every share draws all resamples, which is cheap, and computes on every so many of them: what comes out is the same,
    to the last bit, whoever does it.
    """

    scores: Sequence[Floats]
    kinds: NDArray[np.intp]
    names: list[str]
    codes: NDArray[np.intp]
    n_units: int
    strata: Sequence[NDArray[np.intp]]
    statistics: Sequence[Statistic]
    limits: Sequence[float]
    resamples: int
    quantiles: int
    seed: int

    @cached_property
    def models(self) -> list["_Model"]:
        return [
            _Model(score, self.kinds, self.names, self.codes, self.n_units, self.statistics, limit, self.quantiles)
            for score, limit in zip(self.scores, self.limits, strict=True)
        ]

    def parts(self, share: int = 0, of: int = 1) -> Iterator[Part]:
        """Those of one share of several, numbered from 0."""
        width = width_of(
            [counts for model in self.models for counts in (model.live, model.pooled)],
            max([self.n_units, *(model.n_bins for model in self.models)]),
        )
        start = 0
        for number, weights in enumerate(draws(self.strata, self.n_units, self.resamples, self.seed, width)):
            for i, model in enumerate(self.models if number % of == share else []):
                for statistic, of_draws in model.on(weights).items():
                    yield Part(i, statistic, start, of_draws)
            start += weights.shape[1]


_BY: ContextVar[Callable[[Work], Iterable[Part]]] = ContextVar("resamples are computed by", default=Work.parts)


@contextmanager
def computed_by(parts: Callable[[Work], Iterable[Part]]) -> Iterator[None]:
    """While the block runs, all parts of every `Work` are computed by this function, and not by this thread."""
    before = _BY.set(parts)
    try:
        yield
    finally:
        _BY.reset(before)


def resampled(
    values: Sequence[ArrayLike],
    is_attack: ArrayLike,
    units: Units,
    statistics: Sequence[Statistic],
    *,
    species: ArrayLike | None = None,
    thresholds: Sequence[float] | None = None,
    resamples: int = RESAMPLES,
    quantiles: int = QUANTILES,
    seed: int = 0,
) -> Resampled:
    """`statistics` of s models on bootstrap resamples of whole units of n samples.

    `values`: s times (n,) scores of the same samples, NaN where one is missing: that one is left out. `species`: (n,)
    names, looked at for attacks only; without them all attacks are one species with the name "". `thresholds`: (s,),
    score >= threshold is an attack. `quantiles`: fewer are faster and coarser, as said above.

    A drawn unit brings all its samples, bona fide and attacks. Units are drawn with replacement among those that have
    the same classes (bona fide only, attacks only, both), as many as there are: so no resample lacks a class, and a
    unit that is the only one of its kind is in all of them. A species that few units have may be missing in a resample.
    The order of the samples has no influence. (Field, C. A. and Welsh, A. H.: Bootstrapping clustered data, J. R. Stat.
    Soc. B 69, 2007.) Raises ValueError for a statistic that does not exist, or needs thresholds that are not given, and
    where lengths differ.
    """
    attack = np.asarray(is_attack, np.bool_)
    codes, n_units = codes_of(units.groups)
    kinds, names = _kinds(attack, species)
    _check_wanted(statistics, names, thresholds, len(values))
    scores = [np.asarray(score, np.float64) for score in values]
    if {array.shape for array in (*scores, units.groups, kinds)} != {(attack.size,)}:
        raise ValueError("scores, labels and units must be one per sample")
    by_statistic = {statistic: np.full((len(scores), resamples), np.nan) for statistic in statistics}
    strata = strata_of(attack, codes, n_units)
    limits = [np.nan] * len(scores) if thresholds is None else thresholds  # NaN: no statistic asks for it
    work = Work(scores, kinds, names, codes, n_units, strata, list(statistics), limits, resamples, quantiles, seed)
    for i, statistic, start, of_draws in _BY.get()(work):
        by_statistic[statistic][i, start : start + of_draws.size] = of_draws
    sizes = {statistic: [model.sizes(statistic) for model in work.models] for statistic in statistics}
    return Resampled(by_statistic, units.name, sizes)


def strata_of(attack: NDArray[np.bool_], codes: NDArray[np.intp], n_units: int) -> list[NDArray[np.intp]]:
    """The units that are bona fide only, attacks only, and both: `draws` of them are those of `resampled`."""
    has = np.stack([np.bincount(codes[side], minlength=n_units) > 0 for side in (attack, ~attack)])
    return [np.flatnonzero(2 * has[0] + has[1] == kind) for kind in (1, 2, 3)]


def _kinds(attack: NDArray[np.bool_], species: ArrayLike | None) -> tuple[NDArray[np.intp], list[str]]:
    """(n,) 0 = bona fide, k = an attack of species names[k - 1]; the names ascend."""
    if species is None:
        return attack.astype(np.intp), [""] if attack.any() else []
    named = np.asarray(species, dtype=object)
    if named.shape != attack.shape:
        raise ValueError("species must be one per sample")
    codes, names = pd.factorize(named[attack], sort=True)
    if (codes < 0).any():
        raise ValueError("every attack needs a species, an empty name at least")
    kinds = np.zeros(attack.size, np.intp)
    kinds[attack] = 1 + codes
    return kinds, names.tolist()


def _check_wanted(
    statistics: Sequence[Statistic], names: list[str], thresholds: Sequence[float] | None, n_models: int
) -> None:
    for name, of in statistics:
        if name not in NEEDS_THRESHOLD | _AT_A_TARGET | {"roc_auc", "eer", "average_precision"}:
            raise ValueError(f"there is no statistic '{name}'")
        target, species = of if isinstance(of, tuple) else (of, of)
        of_species = name == "apcer" or (name in ("roc_auc", "apcer_at_bpcer") and species is not None)
        if of_species and species not in names:
            known = ", ".join(map(repr, names)) or "none"
            raise ValueError(f"'{name}' of species {species!r}: the attacks are of {known}")
        if name in _AT_A_TARGET and not (isinstance(target, float | int) and 0 <= target <= 1):
            raise ValueError(f"'{name}' needs a target between 0 and 1 (for example 0.05), got {of!r}")
        if name in NEEDS_THRESHOLD and (thresholds is None or len(thresholds) != n_models):
            raise ValueError(f"'{name}' needs one threshold per model")


class _Model:
    """The counts of one model's scores per unit, and what follows from them on a batch of draws."""

    def __init__(
        self,
        values: Floats,
        kinds: NDArray[np.intp],
        names: list[str],
        codes: NDArray[np.intp],
        n_units: int,
        statistics: Sequence[Statistic],
        threshold: float,
        quantiles: int,
    ) -> None:
        answered = ~np.isnan(values)
        values, kinds, codes = values[answered], kinds[answered], codes[answered]
        self.statistics, self.names, self.n_bins = statistics, names, 1
        per_kind = (len(names) + 1, n_units)
        self.trials = sparse_counts(kinds, codes, per_kind)
        self.members = [
            self.trials.indices[i:j] for i, j in itertools.pairwise(self.trials.indptr)
        ]  # which units have each kind
        wanted = {statistic.name for statistic in statistics}
        self.errors: Any = None
        if wanted & NEEDS_THRESHOLD:
            wrong = (values >= threshold) == (kinds == 0)
            self.errors = sparse_counts(kinds[wrong], codes[wrong], per_kind)
        self.live: Any = None
        self.pooled: Any = None
        if wanted - NEEDS_THRESHOLD:
            bins = _bins(values, kinds > 0, quantiles)
            if wanted <= NEEDS_THRESHOLD | {"roc_auc"}:
                bins = _runs(bins, kinds > 0)
            self.n_bins = int(bins.max(initial=0)) + 1
            # Where every threshold would do it is +inf, and a bona fide score of +inf is an attack even there.
            self.beyond = self.n_bins - int((values == np.inf).any())
            self.lowest = np.full(self.n_bins + 1, np.inf)  # score of each bin; beyond all of them nothing is an attack
            np.minimum.at(self.lowest, bins, values)
            shape = (self.n_bins, n_units)
            self.live = sparse_counts(bins[kinds == 0], codes[kinds == 0], shape)
            self.targets = [statistic.target for statistic in statistics if statistic.name in _BY_APCER]
            self.of_all = {statistic for statistic in statistics if _is_of_all_attacks(statistic)}
            self.needs_missed = bool(wanted & (_AT_A_TARGET | {"average_precision"}))
            self.pooled = sparse_counts(bins[kinds > 0], codes[kinds > 0], shape) if self.of_all else None
            of_every_species = self.targets or "apcer_max_at_bpcer" in wanted
            asked = set(names) if of_every_species else {statistic.species for statistic in statistics}
            self.by_species = {
                name: _counts_by_bin(bins[kinds == k], codes[kinds == k], n_units)
                for k, name in enumerate(names, start=1)
                if name in asked
            }

    def sizes(self, statistic: Statistic) -> Sizes:
        """How many units the statistic rests on."""
        name = statistic.name
        bona_fide, *attacks = self.members
        if (species := statistic.species) is not None:
            attacks = [attacks[self.names.index(species)]]
        classes = [[bona_fide], attacks]
        if name in NEEDS_THRESHOLD:
            classes = [[bona_fide]] if name == "bpcer" else [attacks]
        kinds = [members for of_class in classes for members in of_class]
        return Sizes(
            units=np.unique(np.concatenate(kinds)).size if kinds else 0,
            of_a_class=min(np.unique(np.concatenate(of_class)).size if of_class else 0 for of_class in classes),
            of_a_kind=min((members.size for members in kinds if members.size), default=0),
        )

    def on(self, weights: Floats) -> dict[Statistic, Floats]:
        """(n_units, r): how often each unit is drawn -> (r,) of each statistic."""
        trials = self.trials @ weights  # per kind
        with np.errstate(invalid="ignore", divide="ignore"):  # 0 of 0 samples is NaN: undefined
            by_statistic = {} if self.errors is None else self._rates(self.errors @ weights, trials)
            if self.live is not None:
                by_statistic |= self._of_all_thresholds(weights, trials)
        return {statistic: by_statistic[statistic] for statistic in self.statistics}

    def _rates(self, errors: Floats, trials: Floats) -> dict[Statistic, Floats]:
        bpcer, *apcer = errors / trials
        by_statistic = {Statistic("apcer", name): rates for name, rates in zip(self.names, apcer, strict=True)}
        by_statistic[Statistic("bpcer")] = bpcer
        by_statistic[Statistic("apcer_max")] = np.fmax.reduce(apcer) if apcer else np.full_like(bpcer, np.nan)
        by_statistic[Statistic("apcer_pooled")] = errors[1:].sum(0) / trials[1:].sum(0)
        return by_statistic

    def _of_all_thresholds(self, weights: Floats, trials: Floats) -> dict[Statistic, Floats]:
        by_statistic = {}
        n_live, n_attack = trials[0], trials[1:].sum(0)
        live = product(self.live, weights)
        below = _sums_before(live)
        at_bpcer = self._rows_at_bpcer(below, n_live)
        if self.pooled is not None:
            attacks = product(self.pooled, weights)
            by_statistic[Statistic("roc_auc")] = _wins(attacks, live, below) / (n_attack * n_live)
            if Statistic("eer") in self.of_all:
                by_statistic[Statistic("eer")] = _equal_error_rates(live, below, n_live, attacks, n_attack)
            if self.needs_missed:
                missed = _sums_before(attacks)
                for target, row in at_bpcer.items():
                    by_statistic[Statistic("apcer_at_bpcer", (target, None))] = _at(missed, row) / n_attack
                by_statistic |= self._precisions(n_attack - missed, n_live - below, attacks, n_attack)
        lowest = {target: np.full(n_live.size, self.beyond) for target in self.targets}
        for name, (bins, counts) in self.by_species.items():
            attacks, n_of_species = product(counts, weights), trials[1 + self.names.index(name)]
            by_statistic[Statistic("roc_auc", name)] = _wins(attacks, live[bins], below[bins]) / (n_of_species * n_live)
            if self.needs_missed:
                missed = _sums_before(attacks)
                for target, row in at_bpcer.items():
                    of_species = _at(missed, np.searchsorted(bins, row)) / n_of_species
                    by_statistic[Statistic("apcer_at_bpcer", (target, name))] = of_species
                for target, row in lowest.items():
                    first = (missed[1:] <= np.floor(target * n_of_species + 1e-9)).sum(0)
                    np.minimum(row, np.append(bins, self.beyond)[first], out=row)
        for target, row in lowest.items():
            bpcer = (n_live - _at(below, row)) / n_live
            by_statistic[Statistic("bpcer_at_apcer", target)] = np.where(n_attack > 0, bpcer, np.nan)
            by_statistic[Statistic("threshold_at_apcer", target)] = self.lowest[row]
        for target, row in at_bpcer.items():
            by_statistic[Statistic("threshold_at_bpcer", target)] = self.lowest[row]
            of_each = [by_statistic[Statistic("apcer_at_bpcer", (target, name))] for name in self.by_species]
            worst = np.fmax.reduce(of_each) if of_each else np.full(n_live.size, np.nan)
            by_statistic[Statistic("apcer_max_at_bpcer", target)] = worst
        return by_statistic

    def _rows_at_bpcer(self, below: Floats, n_live: Floats) -> dict[float, NDArray[np.intp]]:
        """Target -> (r,) the first bin for which the share of bona fide samples in it or beyond is <= the target."""
        wanted = [statistic for statistic in self.statistics if statistic.name in _BY_BPCER]
        targets = sorted({statistic.target for statistic in wanted})
        if not targets:
            return {}
        allowed = np.floor(np.multiply.outer(targets, n_live) + 1e-9)
        return dict(zip(targets, _first_at_least(below, n_live - allowed), strict=True))

    def _precisions(
        self, found_at: Floats, alarms_at: Floats, attacks: Floats, n_attack: Floats
    ) -> dict[Statistic, Floats]:
        """`found_at`, `alarms_at`: (bins + 1, r) attacks, and bona fide samples, in each bin or beyond."""
        recalls = [statistic.target for statistic in self.of_all if statistic.name == "precision_at_recall"]
        if not (recalls or Statistic("average_precision") in self.of_all):
            return {}
        precision = np.where(alarms_at[:1] > 0, found_at / (found_at + alarms_at), np.nan)
        shares = np.where(attacks > 0, attacks * precision[:-1], 0).sum(0) / n_attack
        by_statistic = {Statistic("average_precision"): shares}
        if recalls:
            # The last bin that still has enough attacks in it or beyond, found from the other end.
            enough = np.ceil(np.multiply.outer(recalls, n_attack) - 1e-9)
            row = len(found_at) - 1 - _first_at_least(found_at[::-1], enough)
            for recall, of_recall in zip(recalls, row, strict=True):
                by_statistic[Statistic("precision_at_recall", recall)] = _at(precision, of_recall)
        return by_statistic


def _is_of_all_attacks(statistic: Statistic) -> bool:
    """Whether it looks at all attacks together at every threshold."""
    pooled = ("eer", "average_precision", "precision_at_recall")
    of_none = statistic.name in ("roc_auc", "apcer_at_bpcer") and statistic.species is None
    return of_none or statistic.name in pooled


def _first_at_least(ascending: Floats, wanted: Floats) -> NDArray[np.intp]:
    """Columns (rows, r) that ascend, and m values wanted of each, (m, r) -> (m, r) the first row that reaches them."""
    rows = np.empty(wanted.shape, np.intp)
    if wanted.size:
        for column, of_draw in enumerate(np.ascontiguousarray(ascending.T)):
            rows[:, column] = np.searchsorted(of_draw, wanted[:, column])
    return rows


def _at(values: Floats, row: NDArray[np.intp]) -> Floats:
    """Values (rows, r) of one row per column, (r,)."""
    return values[row, np.arange(row.size)]


def _counts_by_bin(bins: NDArray[np.intp], codes: NDArray[np.intp], n_units: int) -> tuple[NDArray[np.intp], Any]:
    """The bins that occur, (rows,), at least one, and how many samples of each unit are in each: (rows, units)."""
    present, rows = np.unique(bins, return_inverse=True) if bins.size else (np.zeros(1, np.intp), bins)
    return present, sparse_counts(rows, codes, (present.size, n_units))


def _bins(values: Floats, attack: NDArray[np.bool_], quantiles: int) -> NDArray[np.intp]:
    """(n,) ascending with the score. A quantile has a bin of its own: heavy ties share theirs with no other score."""
    distinct, ranks = np.unique(values, return_inverse=True)
    if distinct.size <= 2 * quantiles:
        return ranks
    starts = np.zeros(distinct.size + 1, np.bool_)  # a bin starts at each quantile, and right after it
    for of_class in (ranks[attack], ranks[~attack]):
        if of_class.size:
            at = np.sort(of_class)[np.linspace(0, of_class.size - 1, quantiles + 1).astype(np.int64)]
            starts[at] = starts[at + 1] = True
    return (np.cumsum(starts) - 1)[ranks]


def _runs(bins: NDArray[np.intp], attack: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Bins (n,) with neighbours that hold one class only, the same one, as one bin: to an AUC they are."""
    n_bins = int(bins.max(initial=-1)) + 1
    held = 2 * (np.bincount(bins[attack], minlength=n_bins) > 0) + (np.bincount(bins[~attack], minlength=n_bins) > 0)
    starts = (held[1:] == 3) | (held[1:] != held[:-1])
    return np.concatenate([[0], np.cumsum(starts)])[bins]


def _sums_before(counts: Floats) -> Floats:
    """Counts (bins, r) -> (bins + 1, r) those in all bins before each, and in all."""
    sums = np.zeros((len(counts) + 1, counts.shape[1]))
    np.cumsum(counts, axis=0, out=sums[1:])
    return sums


def _wins(attacks: Floats, live: Floats, below: Floats) -> Floats:
    """Attacks, and bona fide samples in each bin and below, of the same bins -> (r,) pairs the attack wins, ties half.

    Sums of integers and halves: exact in whatever order.
    """
    wins: Floats = np.einsum("br,br->r", attacks, below[: len(attacks)]) + np.einsum("br,br->r", attacks, live) / 2
    return wins


def _equal_error_rates(live: Floats, below: Floats, n_live: Floats, attacks: Floats, n_attack: Floats) -> Floats:
    """(r,) as `metrics.equal_error_rate`, in units of 1/(n_live n_attack): integers, so that ties are exact.

    At the threshold that is the lower edge of a bin BPCER < APCER iff more than n_live n_attack of the mixture, in
    which both classes weigh the same, is below. So the crossing is in the bin in which the mixture passes that.
    """
    pairs = n_live * n_attack
    row, mixture = _first_beyond([(live, n_attack), (attacks, n_live)], pairs)
    at = np.minimum(row, live.shape[0] - 1)  # beyond the last only where a class is missing: NaN below
    live_below, live_in, attacks_in = (_at(part, at) for part in (below, live, attacks))
    bpcer_0, apcer_0 = pairs - live_below * n_attack, mixture - live_below * n_attack
    bpcer_1, apcer_1 = bpcer_0 - live_in * n_attack, apcer_0 + attacks_in * n_live
    step = (bpcer_0 - apcer_0) / (bpcer_0 - apcer_0 + apcer_1 - bpcer_1)
    return (bpcer_0 + step * (bpcer_1 - bpcer_0)) / pairs


def _first_beyond(counts: Sequence[tuple[Floats, Floats]], allowed: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Counts (bins, r) with weights (r,) -> (r,) the first bin at which their weighted sum passes `allowed`, and the
    sum before it.

    The number of bins, and no sum worth the name, where that never happens. Whole blocks of bins are passed over first.
    """
    n_bins, r = counts[0][0].shape
    edges = np.arange(0, n_bins, _BLOCK)
    of_blocks = sum((np.add.reduceat(part, edges, axis=0) * weight for part, weight in counts), np.zeros(r))
    blocks = np.cumsum(of_blocks, axis=0)
    block = (blocks <= allowed).sum(0)
    before_block = _at(np.concatenate([np.zeros((1, r)), blocks]), block)
    within = np.arange(min(_BLOCK, n_bins))[:, None]
    inside = np.minimum(block * _BLOCK + within, n_bins - 1)  # beyond the end nothing is asked
    of_bins = sum((np.take_along_axis(part, inside, 0) * weight for part, weight in counts), np.zeros(r))
    sums = np.cumsum(np.concatenate([before_block[None], of_bins]), axis=0)
    steps = (sums[1:] <= allowed).sum(0)
    row = np.where(block == len(blocks), n_bins, block * _BLOCK + steps)
    return row, _at(sums, steps)
