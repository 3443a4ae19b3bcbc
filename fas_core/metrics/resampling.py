"""Error rates, AUC and EER of several models on the same resamples of whole subjects, and intervals of each.

Each draw is a vector of how often every unit occurs. Its product with the units' counts of scores per bin gives the
histograms of the resample, from which any rate or area follows without sorting again; only the bins that a statistic
looks at are computed. Where there are few units, an area follows from how often the attacks of each of them win against
the bona fide samples of each. A bin is a distinct score, so that everything is exact, up to 2 * QUANTILES of them.
Beyond, scores between two neighbours among the quantiles of both classes share a bin. Of the samples themselves that
moves an AUC by less than 1/(2 * QUANTILES), typically by 1e-6, and an EER and a BPCER at an APCER by less than
1/QUANTILES, the latter upwards only. Rates at a frozen threshold are exact.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, partial
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
    one_thread,
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
_FEW = 20_000  # samples that no second thread is worth while for
_PAIRS = 4  # of units for each attack that are compared once, and not in each resample


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
        with self._each() as each:
            return list(each(partial(_Model, self), self.scores, self.limits))

    def parts(self, share: int = 0, of: int = 1) -> Iterator[Part]:
        """Those of one share of several, numbered from 0."""
        whole = [model for model in self.models if model.is_whole]
        width = width_of(
            [counts.of_bins for model in whole for counts in (model.live, model.pooled) if counts is not None],
            max([self.n_units, *(model.n_bins for model in whole)]),
        )
        start = 0
        with self._each() as each:
            for number, weights in enumerate(draws(self.strata, self.n_units, self.resamples, self.seed, width)):
                mine = self.models if number % of == share else []
                for i, by_statistic in enumerate(each(lambda model, w=weights: model.on(w), mine)):
                    for statistic, of_draws in by_statistic.items():
                        yield Part(i, statistic, start, of_draws)
                start += weights.shape[1]

    @contextmanager
    def _each(self) -> Iterator[Callable[..., Iterable[Any]]]:
        """As `map`, for models: of many samples as many at once as there are cores."""
        if len(self.scores) == 1 or self.codes.size < _FEW:
            yield map
            return
        with one_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
            yield pool.map


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

    def __init__(self, work: Work, values: Floats, threshold: float) -> None:
        n_missing = int(np.count_nonzero(np.isnan(values)))
        order = np.argsort(values)[: values.size - n_missing]  # what is missing is at the end
        values, codes = values[order], work.codes[order].astype(np.int32)
        kinds = work.kinds[order].astype(np.min_scalar_type(len(work.names)))
        del order
        n_units, self.names = work.n_units, work.names
        self.statistics, self.wanted, self.n_bins = work.statistics, set(work.statistics), 1
        per_kind = (len(self.names) + 1, n_units)
        self.trials = sparse_counts(kinds, codes, per_kind)
        self.members = [
            self.trials.indices[i:j] for i, j in itertools.pairwise(self.trials.indptr)
        ]  # which units have each kind
        wanted = {statistic.name for statistic in self.statistics}
        self.errors: Any = None
        if wanted & NEEDS_THRESHOLD:
            wrong = (values >= threshold) == (kinds == 0)
            self.errors = sparse_counts(kinds[wrong], codes[wrong], per_kind)
        self.is_whole = self.has_precisions = False  # whether sums of all bins are computed, and precisions of them
        self.live: _Counts | None = None
        self.pooled: _Counts | None = None
        if wanted - NEEDS_THRESHOLD:
            bins = _bins(values, kinds > 0, work.quantiles)
            if wanted <= NEEDS_THRESHOLD | {"roc_auc"}:
                bins = _runs(bins, kinds > 0)
            self.n_bins = int(bins.max(initial=0)) + 1
            # Where every threshold would do it is +inf, and a bona fide score of +inf is an attack even there.
            self.beyond = self.n_bins - int((values[-1:] == np.inf).any())
            firsts = np.searchsorted(bins, np.arange(self.n_bins))[: bins.size]
            self.lowest = np.append(
                values[firsts], np.inf
            )  # score of each bin; beyond all of them nothing is an attack
            self._count(bins, kinds, codes, wanted, work)

    def _count(
        self,
        bins: NDArray[np.intp],
        kinds: NDArray[np.unsignedinteger],
        codes: NDArray[np.int32],
        wanted: set[str],
        work: Work,
    ) -> None:
        """What statistics at all thresholds need. `bins` ascend."""
        shape, attack = (self.n_bins, work.n_units), kinds > 0
        self.live = _counts(bins[~attack], codes[~attack], shape)
        self.wins: _Wins | None = None
        if "roc_auc" in wanted:
            cells = _cells(kinds[attack], codes[attack], work.n_units)
            self.wins = _Wins(bins[attack], cells, self.live.of_bins, len(self.names), work.resamples)
        self.has_precisions = bool(wanted & {"average_precision", "precision_at_recall"})
        self.is_whole = self.has_precisions or (self.wins is not None and self.wins.of_pairs is None)
        if self.has_precisions or wanted & {"eer", "apcer_at_bpcer"}:
            self.pooled = _counts(bins[attack], codes[attack], shape)
        self.by_apcer = [statistic.target for statistic in self.statistics if statistic.name in _BY_APCER]
        self.by_bpcer = sorted({statistic.target for statistic in self.statistics if statistic.name in _BY_BPCER})
        self.recalls = [statistic.target for statistic in self.statistics if statistic.name == "precision_at_recall"]
        asked = {statistic.species for statistic in self.statistics if statistic.name == "apcer_at_bpcer"}
        if self.by_apcer or "apcer_max_at_bpcer" in wanted:
            asked = set(self.names)
        by_kind = np.argsort(kinds, kind="stable")
        ends = np.searchsorted(kinds, np.arange(len(self.names) + 2), sorter=by_kind)
        members = zip(self.names, itertools.pairwise(ends[1:].tolist()), strict=True)
        self.by_species = {
            name: _counts(bins[by_kind[i:j]], codes[by_kind[i:j]], shape) for name, (i, j) in members if name in asked
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
                by_statistic |= self._of_all_thresholds(self.live, weights, trials)
        return {statistic: by_statistic[statistic] for statistic in self.statistics}

    def _rates(self, errors: Floats, trials: Floats) -> dict[Statistic, Floats]:
        bpcer, *apcer = errors / trials
        by_statistic = {Statistic("apcer", name): rates for name, rates in zip(self.names, apcer, strict=True)}
        by_statistic[Statistic("bpcer")] = bpcer
        by_statistic[Statistic("apcer_max")] = np.fmax.reduce(apcer) if apcer else np.full_like(bpcer, np.nan)
        by_statistic[Statistic("apcer_pooled")] = errors[1:].sum(0) / trials[1:].sum(0)
        return by_statistic

    def _of_all_thresholds(self, counts: "_Counts", weights: Floats, trials: Floats) -> dict[Statistic, Floats]:
        n_live, n_attack = trials[0], trials[1:].sum(0)
        live = _Sums(counts, weights, is_whole=self.is_whole)
        by_statistic = self._areas(weights, live, trials)
        at_bpcer = {
            target: _n_within([(live, 1)], n_live - np.floor(target * n_live + 1e-9) - 1) for target in self.by_bpcer
        }  # the first bin for which the share of bona fide samples in it or beyond is <= the target
        if self.pooled is not None:
            attacks = _Sums(self.pooled, weights, is_whole=self.has_precisions)
            if Statistic("eer") in self.wanted:
                by_statistic[Statistic("eer")] = _equal_error_rates(live, n_live, attacks, n_attack)
            for target, row in at_bpcer.items():
                by_statistic[Statistic("apcer_at_bpcer", (target, None))] = attacks.before(row) / n_attack
            if self.has_precisions:
                by_statistic |= self._precisions(live, n_live, attacks, n_attack)
        at_apcer = {target: np.full(n_live.size, self.beyond) for target in self.by_apcer}
        by_statistic |= self._of_each_species(weights, trials, at_bpcer, at_apcer)
        for target, row in at_apcer.items():
            bpcer = (n_live - live.before(row)) / n_live
            by_statistic[Statistic("bpcer_at_apcer", target)] = np.where(n_attack > 0, bpcer, np.nan)
            by_statistic[Statistic("threshold_at_apcer", target)] = self.lowest[row]
        for target, row in at_bpcer.items():
            by_statistic[Statistic("threshold_at_bpcer", target)] = self.lowest[row]
        return by_statistic

    def _areas(self, weights: Floats, live: "_Sums", trials: Floats) -> dict[Statistic, Floats]:
        if self.wins is None:
            return {}
        n_live, wins = trials[0], self.wins.on(weights, live)
        by_statistic = {Statistic("roc_auc"): wins.sum(0) / (trials[1:].sum(0) * n_live)}
        for name, of_species, n_of_species in zip(self.names, wins, trials[1:], strict=True):
            by_statistic[Statistic("roc_auc", name)] = of_species / (n_of_species * n_live)
        return by_statistic

    def _of_each_species(
        self,
        weights: Floats,
        trials: Floats,
        at_bpcer: Mapping[float, NDArray[np.intp]],
        at_apcer: Mapping[float, NDArray[np.intp]],
    ) -> dict[Statistic, Floats]:
        """APCERs at rows by target, and the worst of them; lowers the rows of `at_apcer` to what all species allow."""
        by_statistic: dict[Statistic, Floats] = {}
        worst = {
            target: np.full(row.size, np.nan)
            for target, row in at_bpcer.items()
            if Statistic("apcer_max_at_bpcer", target) in self.wanted
        }
        for name, counts in self.by_species.items():
            missed, n_of_species = _Sums(counts, weights), trials[1 + self.names.index(name)]
            for target, row in at_bpcer.items():
                statistic = Statistic("apcer_at_bpcer", (target, name))
                if target in worst or statistic in self.wanted:
                    by_statistic[statistic] = missed.before(row) / n_of_species
                if target in worst:
                    np.fmax(worst[target], by_statistic[statistic], out=worst[target])
            for target, row in at_apcer.items():
                first = _n_within([(missed, 1)], np.floor(target * n_of_species + 1e-9)) - 1
                np.minimum(row, first, out=row)
        return by_statistic | {Statistic("apcer_max_at_bpcer", target): of_worst for target, of_worst in worst.items()}

    def _precisions(self, live: "_Sums", n_live: Floats, attacks: "_Sums", n_attack: Floats) -> dict[Statistic, Floats]:
        """Of sums that are whole."""
        hits, alarms = n_attack - attacks.whole, n_live - live.whole  # in each bin or beyond
        precision = np.where(alarms[:1] > 0, hits / (hits + alarms), np.nan)
        in_bins = hits[:-1] - hits[1:]
        by_statistic = {
            Statistic("average_precision"): np.where(in_bins > 0, in_bins * precision[:-1], 0).sum(0) / n_attack
        }
        for recall in self.recalls:
            enough = np.ceil(recall * n_attack - 1e-9)
            row = _n_within([(attacks, 1)], n_attack - enough) - 1  # the last bin with enough in it or beyond
            by_statistic[Statistic("precision_at_recall", recall)] = _at(precision, row)
        return by_statistic


class _Counts(NamedTuple):
    """Samples of each unit in each bin, and in each block of `_BLOCK` bins, as sparse arrays."""

    of_bins: Any
    of_blocks: Any


def _counts(bins: NDArray[np.intp], codes: NDArray[np.int32], shape: tuple[int, int]) -> _Counts:
    """Of samples whose `bins` ascend, of some units."""
    of_blocks = sparse_counts(bins // _BLOCK, codes, (-(-shape[0] // _BLOCK), shape[1]))
    if bins.size >= shape[0] * shape[1]:
        return _Counts(sparse_counts(bins, codes, shape), of_blocks)
    from scipy.sparse import csr_array

    starts = np.searchsorted(bins, np.arange(shape[0] + 1))
    return _Counts(csr_array((np.ones(bins.size, np.float32), codes, starts), shape=shape), of_blocks)


def _cells(kinds: NDArray[np.unsignedinteger], codes: NDArray[np.int32], n_units: int) -> NDArray[np.intp]:
    """(n,) the number of each attack's species and unit together."""
    return (kinds.astype(np.intp) - 1) * n_units + codes


class _Sums:
    """How many samples of some kind r resamples have in all bins before each, and in all: (bins + 1, r) whole numbers.

    Most statistics ask for a few neighbouring bins, the same in almost all resamples: of the others only the sums of
    blocks are computed.
    """

    def __init__(self, counts: _Counts, weights: Floats, *, is_whole: bool = False) -> None:
        self.counts, self.weights, self.n_bins = counts.of_bins, weights, counts.of_bins.shape[0]
        if is_whole:
            self.at_edges = self.whole[np.minimum(np.arange(0, self.n_bins + _BLOCK, _BLOCK), self.n_bins)]
        else:
            self.at_edges = _sums_before(product(counts.of_blocks, weights))

    @cached_property
    def whole(self) -> Floats:
        return _sums_before(product(self.counts, self.weights))

    def between(self, first: int, last: int) -> tuple[int, Floats]:
        """From one edge of blocks to another, both included: the bin of the first row, and the rows."""
        start, stop = min(first * _BLOCK, self.n_bins), min(last * _BLOCK, self.n_bins)
        if "whole" in self.__dict__:
            return start, self.whole[start : stop + 1]
        return start, self.at_edges[first] + _sums_before(product(self.counts[start:stop], self.weights))

    def before(self, row: NDArray[np.intp]) -> Floats:
        """Of one row of each resample, (r,)."""
        n_blocks = len(self.at_edges) - 1
        first, last = int(row.min()) // _BLOCK, int(row.max()) // _BLOCK + 1
        start, sums = self.between(min(first, n_blocks - 1), min(last, n_blocks))
        return _at(sums, row - start)


class _Wins:
    """Pairs of an attack and a bona fide sample that the attack wins, ties half, of each species.

    Twice a win is a whole number: sums are exact in whatever order. So with few units every pair of them is compared
    once, `of_pairs`, and each resample weighs these; with many the bins of each resample are.
    """

    def __init__(
        self, bins: NDArray[np.intp], cells: NDArray[np.intp], live: Any, n_species: int, resamples: int
    ) -> None:
        """Of attacks with their bins and cells (`_cells`), and the bona fide samples in each bin and unit."""
        from scipy.sparse import csr_array

        n_bins, n_units = live.shape
        has_cell = np.bincount(cells, minlength=n_species * n_units) > 0
        present = np.flatnonzero(has_cell)
        self.units = present % n_units
        self.ends = np.searchsorted(present, n_units * np.arange(n_species + 1))
        rows = (np.cumsum(has_cell) - 1)[cells]
        self.attacks = csr_array((np.ones(rows.size, np.float32), (rows, bins)), shape=(present.size, n_bins))
        self.of_pairs: Floats | None = None
        if n_units <= resamples and present.size * n_units <= _PAIRS * rows.size:
            in_bins = live.toarray()
            twice = np.cumsum(in_bins, axis=0, dtype=np.float64)
            twice *= 2
            twice -= in_bins
            self.of_pairs = product(self.attacks, twice)
            del self.attacks

    def on(self, weights: Floats, live: _Sums) -> Floats:
        """(species, r)"""
        if self.of_pairs is not None:
            twice = self.of_pairs @ weights
        else:
            twice = product(self.attacks, live.whole[:-1] + live.whole[1:])
        twice *= weights[self.units]
        sums = [twice[i:j].sum(0) for i, j in itertools.pairwise(self.ends)]
        return np.array(sums).reshape(len(sums), weights.shape[1]) / 2


def _at(values: Floats, row: NDArray[np.intp]) -> Floats:
    """Values (rows, r) of one row per column, (r,)."""
    return values[row, np.arange(row.size)]


def _bins(values: Floats, attack: NDArray[np.bool_], quantiles: int) -> NDArray[np.intp]:
    """(n,) of values that ascend. A quantile has a bin of its own: heavy ties share theirs with no other score."""
    ranks = np.cumsum(values[1:] != values[:-1]) if values.size else np.empty(0, np.intp)
    ranks = np.concatenate([[0], ranks])[: values.size]
    n_distinct = int(ranks[-1]) + 1 if ranks.size else 0
    if n_distinct <= 2 * quantiles:
        return ranks
    starts = np.zeros(n_distinct + 1, np.bool_)  # a bin starts at each quantile, and right after it
    for of_class in (ranks[attack], ranks[~attack]):
        if of_class.size:
            at = of_class[np.linspace(0, of_class.size - 1, quantiles + 1).astype(np.int64)]
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


def _equal_error_rates(live: _Sums, n_live: Floats, attacks: _Sums, n_attack: Floats) -> Floats:
    """(r,) as `metrics.equal_error_rate`, in units of 1/(n_live n_attack): integers, so that ties are exact.

    At the threshold that is the lower edge of a bin BPCER < APCER iff more than n_live n_attack of the mixture, in
    which both classes weigh the same, is below. So the crossing is in the bin in which the mixture passes that.
    """
    pairs = n_live * n_attack
    row = _n_within([(live, n_attack), (attacks, n_live)], pairs) - 1
    at = np.minimum(row, live.n_bins - 1)  # beyond the last only where a class is missing: NaN below
    live_below, attacks_below = live.before(at), attacks.before(at)
    bpcer_0, apcer_0 = pairs - live_below * n_attack, attacks_below * n_live
    bpcer_1 = bpcer_0 - (live.before(at + 1) - live_below) * n_attack
    apcer_1 = apcer_0 + (attacks.before(at + 1) - attacks_below) * n_live
    step = (bpcer_0 - apcer_0) / (bpcer_0 - apcer_0 + apcer_1 - bpcer_1)
    return (bpcer_0 + step * (bpcer_1 - bpcer_0)) / pairs


def _n_within(parts: Sequence[tuple[_Sums, Floats | float]], allowed: Floats) -> NDArray[np.intp]:
    """(r,) how many rows of some sums, weighted and added, are at most `allowed`: the first one beyond, as they ascend.

    Whole blocks of bins are passed over first.
    """
    edges = sum((sums.at_edges * weight for sums, weight in parts), np.zeros(allowed.size))
    beyond = (edges <= allowed).sum(0)
    first, last = max(int(beyond.min()) - 1, 0), min(int(beyond.max()), len(edges) - 1)
    rows = np.zeros(allowed.size)
    for sums, weight in parts:
        start, inside = sums.between(first, last)
        rows = rows + inside * weight
    return start + (rows <= allowed).sum(0)
