"""Runs on the samples they share: which sample of one is which of another `pairing` and `matched` alone decide."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from string import ascii_uppercase as LETTERS
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data import modalities
from fas_core.data.names import ATTACK, BONA_FIDE, is_training
from fas_core.delivery import are_injected
from fas_core.errors import BadInputError
from fas_core.evaluation.levels import FRAME, ORDER, Frames, Level
from fas_core.evaluation.levels import level as rule_of
from fas_core.evaluation.presentations import COLUMNS, grouped
from fas_core.metrics import ScoreSet
from fas_core.metrics.operating_point import Rule
from fas_core.metrics.resampling import Statistic
from fas_core.metrics.uncertainty import Units, codes_of, unit_of
from fas_core.runs.health import all_differ
from fas_core.runs.store import Run

# ----------------------------------------------------------------------------------------------- which sample is which

KEY = ("sample_id", "subset")  # together they name one sample of a table
TABLES = 2  # of all ids of A, by which those of the others are looked up at once: each takes its memory
T = TypeVar("T")
R = TypeVar("R")


def of_each(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """What a function says of each of a few Runs, in threads: nearly all of it is done without the interpreter."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))


def matched(tables: Sequence[pd.DataFrame]) -> list[NDArray[np.int64]]:
    """(n,) for each of k tables with the columns of `KEY`: its row of each of the first one's n samples, -1 for none.

    Decided id by id: where no table has an id twice it names the sample, whatever subset each table puts it in. Where
    one of them has it twice, in two subsets, it names a sample only together with its subset, in all tables. So a
    subset that one table has alone and that repeats ids of others takes no match away; and of two samples with one id
    none is taken for another table's of a third subset, as nothing says which.
    """
    return _matched(tables)[0]


def _matched(tables: Sequence[pd.DataFrame]) -> tuple[list[NDArray[np.int64]], tuple[bool, ...]]:
    """`matched`, and for each table whether no id is in it twice; nothing of that where all have the same rows."""
    if all(table[name].equals(tables[0][name]) for table in tables[1:] for name in KEY):
        return [np.arange(len(tables[0])) for _ in tables], ()
    columns = [pa.array(table["sample_id"], pa.large_string()) for table in tables]
    codes = _numbered(columns)
    differ = tuple(not (np.bincount(of_table[of_table >= 0]) > 1).any() for of_table in codes)
    n_ids = max(int(of_table.max(initial=-1)) for of_table in codes) + 1
    first_row = np.full(n_ids + 1, -1)  # of each id in the first table; of what is missing none, at the end
    rows = np.flatnonzero(codes[0] >= 0)[::-1]
    first_row[codes[0][rows]] = rows
    places = [first_row[of_table] for of_table in codes]
    n = len(tables[0])
    is_repeated = np.zeros(n, np.bool_)
    if not all(differ):
        for of_table in places:
            is_repeated |= np.bincount(of_table[of_table >= 0], minlength=n) > 1
    if is_repeated.any():
        ours, *others = _with_subset(tables, places, is_repeated)
        places = [_places(keys, ours) for keys in (ours, *others)]
    return [_inverted(of_table, n) for of_table in places], differ


def _numbered(columns: Sequence[pa.Array | pa.ChunkedArray]) -> list[NDArray[np.int64]]:
    """Each text of k columns by a number, from 0, and -1 where it is missing. A text of the first column has the same
    number in all of them and no other text has it; one that is not there has a number of its own in its column."""
    parts = np.array_split(np.arange(1, len(columns)), min(TABLES, os.cpu_count() or 1, max(1, len(columns) - 1)))
    numbers = of_each(lambda part: _encoded([columns[0], *(columns[i] for i in part)]), parts)
    return [numbers[0][0], *(of_column for _, *others in numbers for of_column in others)]


def _encoded(columns: Sequence[pa.Array | pa.ChunkedArray]) -> list[NDArray[np.int64]]:
    """Each text of some columns by a number that it has in all of them, the first one's from 0; -1 if missing."""
    chunks = [chunk for column in columns for chunk in getattr(column, "chunks", [column])]
    encoded = pa.chunked_array(chunks, pa.large_string()).dictionary_encode()
    numbers = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in encoded.chunks]
    joined = np.concatenate([np.empty(0, np.int64), *numbers])
    return np.split(joined, np.cumsum([len(column) for column in columns])[:-1])


def _places(values: pa.Array, among: pa.Array) -> NDArray[np.int64]:
    """(m,) the first place of each value among some, -1 where it is not there; what is missing is nowhere."""
    return np.asarray(pc.index_in(values, value_set=among, skip_nulls=True).fill_null(-1)).astype(np.int64)


def _with_subset(
    tables: Sequence[pd.DataFrame], codes: Sequence[NDArray[np.int64]], is_repeated: NDArray[np.bool_]
) -> list[pa.Array]:
    """(m,) for each table a number per sample: of its id, and of its subset too where the id is repeated."""
    columns = [pa.array(table["subset"], pa.large_string()) for table in tables]
    subsets = pc.unique(columns[0])
    keys = []
    for column, of_table in zip(columns, codes, strict=True):
        of_subset = np.where((of_table >= 0) & is_repeated[of_table], 1 + _places(column, subsets), len(subsets) + 1)
        # 0 is a subset that the first table does not have: no number of its samples.
        keys.append(pa.array(of_table * (len(subsets) + 2) + of_subset, mask=of_table < 0))
    return keys


@dataclass(frozen=True)
class Pairing:
    """How the samples of k Runs are told to be the same."""

    by: str  # sample_id, or presentation_id: of Runs of several modalities, whose files differ
    modalities: tuple[str, ...]  # of each Run, "" where it does not say
    position: list[NDArray[np.int64]]  # as `matched`
    ids_differ: tuple[bool, ...]  # of each Run, whether no two of its samples have one id; () where nobody looked


def pairing(runs: Sequence[Run], tables: Sequence[pd.DataFrame] = ()) -> Pairing:
    """By sample_id; by `modalities.instants` where two of the Runs are of two modalities.

    `tables`: of the Runs' samples, with the columns of `KEY`, where they are at hand. Raises BadInputError where one of
    two modalities does not name its presentations.
    """
    kinds = tuple(run.modality for run in runs)
    if len({*kinds} - {""}) < 2:
        return Pairing(KEY[0], kinds, *_matched(tables or [run.samples(list(KEY)) for run in runs]))
    tables = []
    for run in runs:
        if modalities.PRESENTATION not in run.column_names():
            said = ", ".join(f"{other.info.name}: {kind or 'unknown'}" for other, kind in zip(runs, kinds, strict=True))
            raise BadInputError(
                f"Run {run.info.name} does not name its presentations, by which Runs of several modalities ({said}) "
                "are joined. Fill the column presentation_id of its manifest, the same for companions, and make it "
                "anew."
            )
        columns = [name for name in (modalities.PRESENTATION, "frame", "subset") if name in run.column_names()]
        tables.append(run.samples(columns))
    instants = modalities.instants(tables)
    keyed = [pd.DataFrame({"sample_id": key, "subset": of["subset"]}) for key, of in zip(instants, tables, strict=True)]
    return Pairing(modalities.PRESENTATION, kinds, matched(keyed), ())


def common_rows_of(runs: Sequence[Run]) -> list[NDArray[np.int64]]:
    """As `common_rows`, of Runs, by `pairing`."""
    return list(_in_all(pairing(runs).position))


def _inverted(places: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """(n,) the row that has each of n places, -1 where none has."""
    rows = np.flatnonzero(places >= 0)
    row_of = np.full(n, -1, np.int64)
    row_of[places[rows]] = rows
    return row_of


def _in_all(position: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], ...]:
    """Of what `matched` returns the samples that every table has: k times (m,) rows, in the first one's order."""
    common = np.flatnonzero(np.min(position, axis=0) >= 0)
    return tuple(of_table[common] for of_table in position)


def common_rows(tables: Sequence[pd.DataFrame]) -> list[NDArray[np.int64]]:
    """For each table with the columns of `KEY`, the rows (m,) of the samples that all have, in the first one's order.

    Which samples are the same `matched` decides.
    """
    return list(_in_all(matched(tables)))


# ----------------------------------------------------------------------------------------------- Runs side by side


def left_out_words(unit: str) -> str:
    """That nothing of training is compared; `unit` as `Joined.unit`."""
    return f"Training {'image' if unit == 'sample' else unit}s are left out."


class System(NamedTuple):
    """A Run and the score that it is judged by."""

    run: Run
    score: str


@dataclass(frozen=True, eq=False)
class Joined:
    """The samples that have a score in each of k Runs: row i of everything here is one sample. A is the first Run."""

    samples: pd.DataFrame  # (n,) what A says: sample_id, subset, label, pai_species, and the ids that A has
    rows: tuple[NDArray[np.int64], ...]  # k times (n,) row of the sample in each Run
    scores: tuple[NDArray[np.float64], ...]  # k times (n,)
    alone: tuple[Mapping[str, int], ...]  # of each Run the samples that another Run lacks, by its subsets
    n_no_response: int  # samples of all Runs that one of them gave no score
    n_injected: int = 0  # common samples that are left out as they are injection attacks, not presentations
    first_alone: tuple[Mapping[str, str], ...] = ()  # as `alone`, the id of the first one
    by: str = KEY[0]  # how they are matched, as `Pairing`
    modalities: tuple[str, ...] = ()  # of each Run
    ids_differ: tuple[bool, ...] = ()  # of each Run, as `Pairing`
    level: Level | None = None  # None before anything is taken together
    is_short: NDArray[np.bool_] | None = None  # (n,) see `Frames.is_short`; None likewise

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def n_only(self) -> tuple[int, ...]:
        """Samples of each Run that another Run lacks, in the subsets chosen."""
        return tuple(sum(of_run.values()) for of_run in self.alone)

    @property
    def unit(self) -> str:
        """What a row is: sample, video or session."""
        return "sample" if self.level is None or self.level.unit == FRAME else self.level.unit

    @property
    def counts_words(self) -> str:
        """How many rows are compared, and how many samples are not, which are frames where a row is a video."""
        frames = "" if self.unit == "sample" else " frames"
        where = "only in" if len(self.rows) == 2 else "not common to all in"
        words = [f"{len(self):,} {self.unit}{'' if len(self) == 1 else 's'} compared"]
        words += [f"{n:,}{frames} {where} {letter}" for letter, n in zip(LETTERS, self.n_only, strict=False) if n]
        if self.n_no_response:
            words.append(f"{self.n_no_response:,}{frames} left out because one of the Runs gave no score")
        return ", ".join(words)

    @property
    def has_companions(self) -> bool:
        """Whether the Runs are of several modalities, so that each has a picture of its own of a sample."""
        return self.by != KEY[0]

    @property
    def pairing_words(self) -> str:
        """How Runs of several modalities are joined and what has no companion; "" of one modality."""
        if not self.has_companions:
            return ""
        kinds = ", ".join(f"{letter} {kind}" for letter, kind in zip(LETTERS, self.modalities, strict=False))
        without = [
            f"{n:,} of {letter} (first '{next(iter(first.values()))}')"
            for letter, n, first in zip(LETTERS, self.n_only, self.first_alone, strict=False)
            if n
        ]
        left = f" Without a companion: {', '.join(without)}." if without else " All have a companion."
        return f"Joined by presentation, not by file: {kinds}.{left}"

    @cached_property
    def _by_a(self) -> NDArray[np.intp]:
        """(n,) rows, those that A scores lowest first."""
        return np.argsort(self.scores[0])

    def are_alike(self, b: int) -> bool:
        """Whether Run `b` ranks all samples as A does, none of which lacks a score."""
        few = np.argsort(self.scores[0][:1000])  # by which nearly all that differ are told
        return self._rank_alike(b, few) and self._rank_alike(b, self._by_a)

    def _rank_alike(self, b: int, by_a: NDArray[np.intp]) -> bool:
        """Whether Run `b` ranks some samples as A does, those that A scores lowest first."""
        ours, theirs = self.scores[0][by_a], self.scores[b][by_a]
        are_higher = theirs[1:] > theirs[:-1]
        return not (theirs[1:] < theirs[:-1]).any() and bool(np.array_equal(are_higher, ours[1:] > ours[:-1]))

    @cached_property
    def has_both_classes(self) -> bool:
        return bool(self.is_attack.any() and (~self.is_attack).any())

    @cached_property
    def is_attack(self) -> NDArray[np.bool_]:
        """(n,)"""
        return (self.samples["label"] == ATTACK).to_numpy()

    @cached_property
    def _species(self) -> tuple[NDArray[np.int32], list[str]]:
        """As `metrics.species_codes`."""
        return metrics.species_codes(self.is_attack, self.samples["pai_species"])

    @property
    def coded_kinds(self) -> tuple[NDArray[np.int32], list[str]]:
        """(n,) positions in the names of `kinds`, bona fide first; there may be names that no sample has."""
        codes, names = self._species
        return codes, [BONA_FIDE, *names]

    @cached_property
    def kinds(self) -> NDArray[np.str_]:
        """(n,) "bona_fide" or the species, named as `metrics` names them."""
        codes, names = self.coded_kinds
        return np.array(names)[codes]

    @cached_property
    def kind_counts(self) -> dict[str, int]:
        """Samples per kind, the most frequent one first."""
        codes, names = self._species
        counts = dict(zip([BONA_FIDE, *names], np.bincount(codes, minlength=len(names) + 1).tolist(), strict=True))
        return {name: counts[name] for name in sorted(counts, key=lambda kind: (-counts[kind], kind)) if counts[name]}

    @cached_property
    def _metrics(self) -> dict[tuple[Rule, tuple[float, ...] | None], list[dict[Statistic, float | None]]]:
        """What `differences` has computed of each Run, by the rule and given thresholds: A is compared with several."""
        return {}

    @cached_property
    def units(self) -> tuple[Units, bool]:
        """What is resampled as a whole, and whether every sample is one of its own, so that all are independent."""
        units = unit_of(self.samples)
        return units, codes_of(units.groups)[1] == len(self)

    @cached_property
    def unit_codes(self) -> tuple[NDArray[np.intp], int]:
        """(n,) the number of each sample's unit, and how many there are."""
        return codes_of(self.units[0].groups)

    @cached_property
    def score_sets(self) -> list[ScoreSet]:
        """The scores of each Run."""
        codes, names = self._species
        return of_each(lambda values: metrics.score_set_from_codes(values, codes, names), self.scores)

    def score_sets_of(self, wanted: NDArray[np.bool_]) -> list[ScoreSet]:
        """The same of some samples."""
        codes, names = self._species
        of_wanted = codes[wanted]
        return [metrics.score_set_from_codes(values[wanted], of_wanted, names) for values in self.scores]

    def only(self, wanted: NDArray[np.bool_]) -> Joined:
        """Some of the common samples; the counts of the others stay those of the Runs."""
        return replace(
            self,
            samples=self.samples[wanted].reset_index(drop=True),
            rows=tuple(rows[wanted] for rows in self.rows),
            scores=tuple(values[wanted] for values in self.scores),
            is_short=None if self.is_short is None else self.is_short[wanted],
        )

    def of_first(self, k: int) -> Joined:
        """The first k Runs on the samples that all have."""
        return replace(
            self,
            rows=self.rows[:k],
            scores=self.scores[:k],
            alone=self.alone[:k],
            first_alone=self.first_alone[:k],
            modalities=self.modalities[:k],
            ids_differ=self.ids_differ[:k],
        )

    def in_subsets(self, subsets: Sequence[str]) -> Joined:
        """The common samples of some subsets of A, and how many each Run has alone in subsets of these names."""
        chosen = self.only(self.samples["subset"].isin(list(subsets)).to_numpy())
        alone = tuple({name: n for name, n in of_run.items() if name in subsets} for of_run in self.alone)
        first = tuple({name: of for name, of in of_run.items() if name in subsets} for of_run in self.first_alone)
        return replace(chosen, alone=alone, first_alone=first)


def joined(systems: Sequence[System], level: str = FRAME) -> Joined:
    """Two or more Runs on the samples that `pairing` finds in all of them.

    At another level than frame a row is a presentation, named after its first frame; frames that one Run gave no score
    are left out of all, and so are injection attacks. Raises BadInputError where one sample has two labels, or A does
    not name its videos, and as `require_others`.
    """
    require_others(systems)
    a = systems[0].run
    order = [name for name in ORDER if rule_of(level).is_ordered and name in a.column_names()]
    columns = [*(name for name in COLUMNS if name in a.column_names()), *order]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        of_a = pool.submit(a.samples, columns)
        others = list(pool.map(lambda of: of.run.samples([*KEY, "label"], repeated=["label"]), systems[1:]))
        ours = of_a.result()
        of_each_run = pool.map(lambda of: scores.values(*of), systems)  # while samples are matched
        paired = pairing([system.run for system in systems], [ours, *others])
        for system, theirs, of in zip(systems[1:], others, paired.position[1:], strict=True):
            _require_same_labels(a, ours, system.run, theirs, of)
        every = list(of_each_run)
    ids_differ = paired.ids_differ
    if paired.by == KEY[0] and not ids_differ:  # all have the ids of A
        ids_differ = (all_differ(ours["sample_id"]),) * len(systems)
    rows = _in_all(paired.position)
    values = tuple(of_run[here] for of_run, here in zip(every, rows, strict=True))
    answered = ~np.asarray(np.isnan(np.stack(values)).any(axis=0))
    samples = ours.iloc[rows[0]].reset_index(drop=True)
    injected = are_injected(samples["pai_species"]) if "pai_species" in samples else np.zeros(len(samples), np.bool_)
    rest = [_rest(table, common) for table, common in zip((ours, *others), rows, strict=True)]
    everything = Joined(
        samples=samples,
        rows=rows,
        scores=values,
        alone=tuple({str(name): int(n) for name, n in of["subset"].value_counts().items() if n} for of in rest),
        first_alone=tuple(dict(of.drop_duplicates("subset")[["subset", "sample_id"]].to_numpy()) for of in rest),
        by=paired.by,
        modalities=paired.modalities,
        ids_differ=ids_differ,
        n_no_response=int((~answered & ~injected).sum()),
        n_injected=int(injected.sum()),
    )
    frames = grouped(samples, level, f"Run {a.info.name}")
    everything = replace(everything, samples=samples.drop(columns=order))
    return at_level(everything, frames, answered & ~injected)


def require_others(systems: Sequence[System]) -> None:
    """Raises BadInputError where one of the others is A itself by the same score, so that nothing can differ."""
    (a, score), *others = systems
    for letter, (run, by) in zip(LETTERS[1:], others, strict=False):
        if (run.digest, by) == (a.digest, score):
            raise BadInputError(
                f"A and {letter} are the same Run with the same score ({run.info.name}, {by}). "
                f"Choose another Run or score for {letter}."
            )


def nothing_common_words(systems: Sequence[System], where: str = "") -> str:
    """That Runs share no sample, and how large they are. `where`: in which of them, with a space before it."""
    a, *others = (run for run, _ in systems)
    sizes = ", ".join(f"{run.info.name} {len(run):,}" for run in others)
    return (
        f"{' and '.join(LETTERS[: len(systems)])} have no sample in common{where}. {a.info.name} holds {len(a):,} "
        f"samples, {sizes}: other data, or other ids."
    )


def require_common(both: Joined, systems: Sequence[System]) -> None:
    """Raises BadInputError where nothing is left of some Runs joined: no sample is in all, or none has all scores."""
    if len(both):
        return
    if both.n_no_response:
        raise BadInputError(
            f"No sample that {' and '.join(LETTERS[: len(systems)])} have in common has a score in each "
            f"({both.n_no_response:,} lack one). Choose another score."
        )
    raise BadInputError(f"{nothing_common_words(systems)} Choose other Runs.")


def _rest(table: pd.DataFrame, common: NDArray[np.int64]) -> pd.DataFrame:
    """The samples of a table that are not among the common ones."""
    is_alone = np.ones(len(table), np.bool_)
    is_alone[common] = False
    return table.loc[is_alone, [*KEY]]


def _require_same_labels(a: Run, ours: pd.DataFrame, b: Run, theirs: pd.DataFrame, of: NDArray[np.intp]) -> None:
    here = np.flatnonzero(of >= 0)
    attack_a, attack_b = ((table["label"] == ATTACK).to_numpy(bool) for table in (ours, theirs))
    differ = here[attack_a[here] != attack_b[of[here]]]
    if len(differ):
        first = differ[0]
        raise BadInputError(
            f"Sample '{ours['sample_id'].iloc[first]}' is {ours['label'].iloc[first]} in Run {a.info.name} but "
            f"{theirs['label'].iloc[of[first]]} in Run {b.info.name} ({len(differ)} samples like it): "
            "the Runs do not describe the same data."
        )


def at_level(both: Joined, frames: Frames, wanted: NDArray[np.bool_]) -> Joined:
    """Of the frames that are wanted; presentations that a rule sees none of, in one of the Runs, are left out."""
    is_counted = wanted & frames.is_counted
    is_short = frames.is_short(np.where(wanted, 0.0, np.nan))
    both, kept = both.only(is_counted), frames.only(is_counted)
    return replace(
        both,
        samples=both.samples.iloc[kept.first].reset_index(drop=True),
        rows=tuple(rows[kept.first] for rows in both.rows),
        scores=tuple(kept.summed_up(values) for values in both.scores),
        level=frames.level,
        is_short=is_short[frames.of_row[is_counted][kept.first]],
    )


def outside_training(both: Joined) -> Joined:
    """The common samples outside `train`; all where there are no others."""
    outside = both.only(~is_training(both.samples))
    return outside if len(outside) else both
