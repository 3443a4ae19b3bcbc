"""Runs on the samples they share, joined by sample_id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.evaluation.presentations import COLUMNS, FRAME, grouped, summed_up
from fas_core.metrics import ScoreSet
from fas_core.metrics.operating_point import Rule
from fas_core.metrics.uncertainty import Units, codes_of, unit_of
from fas_core.runs.store import Run

# ----------------------------------------------------------------------------------------------- Runs side by side


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
    n_only: tuple[int, ...]  # samples of each whole Run that another Run lacks
    n_no_response: int  # samples of all Runs that one of them gave no score

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def is_attack(self) -> NDArray[np.bool_]:
        """(n,)"""
        return (self.samples["label"] == ATTACK).to_numpy()

    @cached_property
    def _species(self) -> tuple[NDArray[np.int32], list[str]]:
        """As `metrics.species_codes`."""
        return metrics.species_codes(self.is_attack, self.samples["pai_species"])

    @cached_property
    def kinds(self) -> NDArray[np.str_]:
        """(n,) "bona_fide" or the species, named as `metrics` names them."""
        codes, names = self._species
        return np.array([BONA_FIDE, *names])[codes]

    @cached_property
    def kind_counts(self) -> dict[str, int]:
        """Samples per kind, the most frequent one first."""
        codes, names = self._species
        counts = dict(zip([BONA_FIDE, *names], np.bincount(codes, minlength=len(names) + 1).tolist(), strict=True))
        return {name: counts[name] for name in sorted(counts, key=lambda one: (-counts[one], one)) if counts[name]}

    @cached_property
    def _metrics(self) -> dict[tuple[int, Rule], dict[str, float | None]]:
        """What `differences` has computed of each Run: A is compared with several."""
        return {}

    @cached_property
    def units(self) -> tuple[Units, bool]:
        """What is resampled as a whole, and whether every sample is one of its own, so that all are independent."""
        found = unit_of(self.samples)
        return found, codes_of(found.groups)[1] == len(self)

    @cached_property
    def score_sets(self) -> list[ScoreSet]:
        """The scores of each Run."""
        return self.score_sets_of(np.ones(len(self), np.bool_))

    def score_sets_of(self, wanted: NDArray[np.bool_]) -> list[ScoreSet]:
        """The same of some samples."""
        codes, names = self._species
        return [metrics.score_set_from_codes(values[wanted], codes[wanted], names) for values in self.scores]

    def only(self, wanted: NDArray[np.bool_]) -> Joined:
        """Some of the common samples; the counts of the others stay those of the Runs."""
        return replace(
            self,
            samples=self.samples[wanted].reset_index(drop=True),
            rows=tuple(rows[wanted] for rows in self.rows),
            scores=tuple(values[wanted] for values in self.scores),
        )

    def in_subsets(self, subsets: Sequence[str]) -> Joined:
        """The common samples of some subsets of A."""
        return self.only(self.samples["subset"].isin(list(subsets)).to_numpy())


def joined(systems: Sequence[System], level: str = FRAME) -> Joined:
    """Joins two or more Runs by sample_id; by subset and sample_id where an id stands in several subsets.

    At another level than frame a row is a presentation, named after its first frame; frames that one Run gave no score
    are left out of all. Raises BadInputError where one sample has two labels, or A does not name its videos.
    """
    a = systems[0].run
    ours = a.samples([name for name in COLUMNS if name in a.column_names()])
    others = [one.run.samples(["sample_id", "subset", "label"]) for one in systems[1:]]
    position = [np.arange(len(ours)), *_positions(ours, others)]
    for system, theirs, of in zip(systems[1:], others, position[1:], strict=True):
        _require_same_labels(a, ours, system.run, theirs, of)
    common = np.flatnonzero(np.min(position, axis=0) >= 0)
    rows = tuple(of_run[common].astype(np.int64) for of_run in position)
    values = tuple(scores.values(*one)[here] for one, here in zip(systems, rows, strict=True))
    answered = ~np.asarray(np.isnan(np.stack(values)).any(axis=0))
    everything = Joined(
        samples=ours.iloc[common].reset_index(drop=True),
        rows=rows,
        scores=values,
        n_only=tuple(len(table) - len(common) for table in (ours, *others)),
        n_no_response=int((~answered).sum()),
    )
    return _at_level(everything.only(answered), level, f"Run {a.info.name}")


def _positions(ours: pd.DataFrame, others: Sequence[pd.DataFrame]) -> list[NDArray[np.intp]]:
    """(n,) for each other table: the row of each of our samples in it, -1 where it lacks it."""
    ids = pa.array(ours["sample_id"], pa.large_string())
    found = []
    for theirs in others:
        in_ours = np.asarray(pc.index_in(pa.array(theirs["sample_id"], pa.large_string()), value_set=ids).fill_null(-1))
        rows = np.flatnonzero(in_ours >= 0)
        found.append(np.full(len(ours), -1, np.intp))
        found[-1][in_ours[rows]] = rows
        if (found[-1] >= 0).sum() < len(rows):
            break  # an id stands in it twice
    else:
        if not ours["sample_id"].duplicated().any():
            return found
    key = ["subset", "sample_id"]
    index = pd.MultiIndex.from_frame(ours[key])
    return [pd.MultiIndex.from_frame(theirs[key]).get_indexer(index) for theirs in others]


def _require_same_labels(a: Run, ours: pd.DataFrame, b: Run, theirs: pd.DataFrame, of: NDArray[np.intp]) -> None:
    here = np.flatnonzero(of >= 0)
    attack_a, attack_b = ((one["label"] == ATTACK).to_numpy(bool) for one in (ours, theirs))
    differ = here[attack_a[here] != attack_b[of[here]]]
    if len(differ):
        first = differ[0]
        raise BadInputError(
            f"Sample '{ours['sample_id'].iloc[first]}' is {ours['label'].iloc[first]} in Run {a.info.name} but "
            f"{theirs['label'].iloc[of[first]]} in Run {b.info.name} ({len(differ)} samples like it): "
            "the Runs do not describe the same data."
        )


def _at_level(both: Joined, level: str, whose: str) -> Joined:
    of_row, first = grouped(both.samples, level, whose)
    return replace(
        both,
        samples=both.samples.iloc[first].reset_index(drop=True),
        rows=tuple(rows[first] for rows in both.rows),
        scores=tuple(summed_up(values, of_row, level) for values in both.scores),
    )


# --------------------------------------------------------------------------------------------------------- document


def outside_training(both: Joined) -> Joined:
    """The common samples outside `train`; all where there are no others."""
    outside = both.only((both.samples["subset"] != "train").to_numpy())
    return outside if len(outside) else both


def common_rows(tables: Sequence[pd.DataFrame]) -> list[NDArray[np.int64]]:
    """For each table of `sample_id` and `subset`, the rows (m,) of the samples that all have, in the first one's order.

    Samples are the same by their id; by subset and id where an id stands several times in a table.
    """
    if all(table.equals(tables[0]) for table in tables):
        return [np.arange(len(table)) for table in tables]
    repeated = any(table["sample_id"].duplicated().any() for table in tables)
    columns = ["sample_id", "subset"] if repeated else ["sample_id"]
    key = np.zeros(sum(map(len, tables)), np.int64)
    for column in columns:
        codes, names = pd.factorize(np.concatenate([table[column].to_numpy(object) for table in tables]))
        key = key * (len(names) + 1) + codes
    keys = np.split(key, np.cumsum([len(table) for table in tables])[:-1])
    positions = [np.arange(len(tables[0])), *(pd.Index(other).get_indexer(pd.Index(keys[0])) for other in keys[1:])]
    common = np.flatnonzero(np.min(positions, axis=0) >= 0)
    return [of_table[common].astype(np.int64) for of_table in positions]
