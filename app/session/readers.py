"""Cached readers of the store: what pages know about Runs, keyed by a Run's digest, never by arrays or frames."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.session import apart, identity
from app.session.cache import cached
from app.words import label_of
from fas_core import derive, metrics, scores, storage
from fas_core.access.roles import Right
from fas_core.data.names import Named, group_codes
from fas_core.errors import BadInputError
from fas_core.evaluation import kept, presentations
from fas_core.evaluation.presentations import FRAME, Grouping, Presentations
from fas_core.evaluation.run_metrics import ReportedRates
from fas_core.latent import projection
from fas_core.metrics.uncertainty import UnitInterval, Units
from fas_core.runs import naming, store
from fas_core.runs.naming import ToShow
from fas_core.runs.store import Run


def cache_folder() -> Path:
    """The cache folder that the app was started on."""
    return storage.place(os.environ.get("FAS_CACHE") or Path(__file__).resolve().parents[2] / "cache")


# --------------------------------------------------------------------------------------------------- Runs and samples

_OF_GROUPS = ("subset", "label", "pai_species")


@cached(entries=64)
def _opened(folder: str, stamp: tuple[int, ...]) -> Run:  # noqa: ARG001 - part of the key
    return store.opened(Path(folder))


def open_runs() -> None:
    """Opens all Runs of the cache folder ahead of who comes first: of thousands of shards that takes a second."""
    with suppress(BadInputError, OSError):
        for folder in store.run_folders(cache_folder()):
            with suppress(BadInputError, OSError):  # `runs` says what is wrong with it
                _opened(str(folder), store.stamp_of(folder))


def runs() -> tuple[list[Run], list[str]]:
    """Runs of the cache folder that hold at least one shard, newest first, and what is wrong with the others; of all
    of these what who is at the page may know of."""
    readable, problems = [], []
    for folder in store.run_folders(cache_folder()):
        try:
            run = _opened(str(folder), store.stamp_of(folder))
        except (BadInputError, OSError) as error:
            problems.append(str(error))
            continue
        if run.shards and identity.may(Right.NUMBERS, run):
            readable.append(run)
    return readable, problems if identity.may(Right.NUMBERS, None) else []


def called() -> dict[str, str]:
    """What people read for each Run, by its `label_of`: no two are alike, see `naming.told_apart`."""
    listed = runs()[0]
    told = naming.told_apart([naming.facts_of(run) for run in listed])
    return {label_of(run): told[run.id] for run in listed}


def labels_meant(text: str) -> list[str]:
    """The labels of the Runs that a text of an address may mean, as `naming.meant`, newest first."""
    by_label = {label_of(run): run for run in runs()[0]}
    if text in by_label:
        return [text]
    ids = naming.meant(text, [naming.facts_of(run) for run in by_label.values()])
    return [label for label, run in by_label.items() if run.id in ids]


def label_meant(text: str) -> str:
    """The label of the one Run that a text of an address means; the text where there is none, or are several."""
    meant = labels_meant(text)
    return meant[0] if len(meant) == 1 else text


def with_most_to_show(choices: Sequence[Run]) -> Run:
    """The first of those that have the most to show, at least one: see `naming.ToShow`."""

    def to_show(run: Run) -> ToShow:
        try:
            return ToShow(bool(run.pictures) and len(run) > 0, _n_with_both(run), derive.n_ready(run), len(run))
        except BadInputError:  # it is damaged, and says so where it is shown
            return ToShow(False, 0, 0, 0)

    return max(choices, key=to_show) if len(choices) > 1 else choices[0]


@cached(entries=64, is_apart=lambda run: not run.are_at_hand(_OF_GROUPS))
def _n_with_both(run: Run) -> int:
    return naming.n_with_both_classes(run.samples(["subset", "label"], repeated=["subset", "label"]))


@cached(entries=64)
def _samples(run: Run, columns: tuple[str, ...]) -> pd.DataFrame:
    if apart.is_worth_it((run,)) and not run.are_at_hand(columns):
        gather(run, columns)
    return run.samples(columns)


@cached(entries=64, is_apart=True)
def gather(run: Run, columns: tuple[str, ...]) -> None:
    """Has columns of a large Run gathered from its shards and kept, beside the server."""
    run.samples(columns)


@cached(entries=64, is_apart=lambda run: not run.are_at_hand(_OF_GROUPS))
def look_through(run: Run) -> None:
    """Finds out which scores a Run has, which every page asks: of a large one beside the server, where nobody has yet.

    Whoever goes through all samples for it gathers their columns and keeps them.
    """
    scores.to_choose(run)


def samples(run: Run, columns: Sequence[str]) -> pd.DataFrame:
    """Those of some columns that a Run's samples have, in row order. Shared between sessions: do not change it."""
    has = set(run.column_names())
    return _samples(run, tuple(c for c in columns if c in has))


@cached(entries=16)
def ids(run: Run) -> pd.Index:
    """(n,) sample ids in row order; get_loc and get_indexer find rows."""
    return pd.Index(samples(run, ("sample_id",))["sample_id"].astype(str))


@cached(entries=16, is_apart=lambda run: not run.are_at_hand(_OF_GROUPS))
def groups(run: Run) -> Named:
    """(n,) the group of each sample: `names.groups_of`."""
    return Named(*group_codes(run.samples(_OF_GROUPS, repeated=_OF_GROUPS)))


@cached(entries=32, spinner="Computing principal components …")
def principal_components(run: Run, k: int = projection.COMPONENTS) -> projection.PrincipalComponents:
    """The first k of a Run's live training codes."""
    return projection.pca_of(run, k)


@cached(entries=64, spinner="Computing the score …", is_apart=lambda run, score: not scores.is_at_hand(run, score))
def score_values(run: Run, score: str) -> NDArray[np.float64]:
    """(n,) in row order, read-only."""
    values = scores.values(run, score)
    values.setflags(write=False)
    return values


@cached(entries=64)
def adjusted_scores(run: Run, score: str) -> list[str]:
    """A score without what follows each look of an image: see `scores.adjusted`."""
    return scores.adjusted(run, score)


@cached(entries=64, is_apart=lambda run: not presentations.are_suggested(run))
def levels(run: Run) -> list[str]:
    """The decision levels that are offered for a Run: see `presentations.suggested`."""
    return presentations.suggested(run)


@cached(entries=64)
def why_not_at(run: Run, level: str) -> str:
    """Why a Run cannot be judged at a level, in a sentence; "" where it can be."""
    if level == FRAME:
        return ""
    try:
        grouping(run, level)
    except BadInputError as error:
        return str(error)
    return ""


def _is_slow_at(run: Run, level: str) -> bool:
    """Whether it takes a while to say what decisions are made on."""
    return level != FRAME or not run.are_at_hand(presentations.COLUMNS)


@cached(entries=16, is_apart=_is_slow_at)
def grouping(run: Run, level: str) -> Grouping:
    """What decisions are made on at a level, whatever the score."""
    return presentations.grouping(run, level)


@cached(entries=32)
def decided(run: Run, score: str, level: str) -> Presentations:
    """What decisions are made on at a level, with their scores. Shared between sessions: do not change it."""
    return grouping(run, level).judged(score_values(run, score))


@cached(entries=16)
def frame_units(run: Run, subsets: tuple[str, ...]) -> Units:
    """What the samples of some subsets are drawn as a whole by, in row order."""
    frames = grouping(run, FRAME)
    return frames.units(frames.of_subsets(subsets) & (np.arange(len(frames.of_row)) < frames.n))


@cached(entries=64)
def decisions(run: Run, level: str) -> str:
    """What decisions are made on, in a word."""
    return presentations.decided_on(run, level)


def decided_values(run: Run, score: str, level: str) -> NDArray[np.float64]:
    """(n,) for every sample in row order, the score of the presentation that it is part of."""
    presented = decided(run, score, level)
    return presented.values[presented.of_frame]


@cached(entries=64)
def _pooled(run: Run, score: str, level: str, subsets: tuple[str, ...]) -> metrics.ScoreSet:
    return decided(run, score, level).score_set(subsets)


def pooled_score_set(run: Run, score: str, level: str, subsets: Sequence[str]) -> metrics.ScoreSet:
    """Several subsets as one sorted set of scores, at a decision level."""
    return _pooled(run, score, level, tuple(subsets))


@cached(entries=64)
def _rates(run: Run, score: str, level: str, subsets: tuple[str, ...], threshold: float) -> ReportedRates:
    return kept.Kept(run, decided(run, score, level)).rates(subsets, threshold)


def rates(run: Run, score: str, level: str, subsets: Sequence[str], threshold: float) -> ReportedRates:
    """The rates of some subsets together at a threshold, with intervals: see `run_metrics.rates_at`."""
    return _rates(run, score, level, tuple(subsets), threshold)


def _is_unknown(run: Run, score: str, level: str, subsets: tuple[str, ...], species: str) -> bool:
    return not kept.Kept(run, decided(run, score, level)).knows_auc_interval(subsets, species)


@cached(entries=64, is_apart=_is_unknown)
def _auc_interval(run: Run, score: str, level: str, subsets: tuple[str, ...], species: str) -> UnitInterval | None:
    return kept.Kept(run, decided(run, score, level)).auc_interval(subsets, species)


def auc_interval(run: Run, score: str, level: str, subsets: Sequence[str], species: str = "") -> UnitInterval | None:
    """The interval of the AUC of some subsets together, of all attacks or a species; None where there is none."""
    return _auc_interval(run, score, level, tuple(subsets), species)


def score_sets(run: Run, score: str, level: str) -> dict[str, metrics.ScoreSet]:
    """One sorted set of scores per subset, at a decision level."""
    return {subset: pooled_score_set(run, score, level, [subset]) for subset in run.subsets}


@dataclass(frozen=True)
class Kept:
    """`summary.Readers` of a Run by a score at a decision level."""

    run: Run
    score: str
    level: str

    def score_set(self, subsets: Sequence[str]) -> metrics.ScoreSet:
        return pooled_score_set(self.run, self.score, self.level, subsets)

    def auc_interval(self, subsets: Sequence[str], species: str = "") -> UnitInterval | None:
        return auc_interval(self.run, self.score, self.level, subsets, species)

    def rates(self, subsets: Sequence[str], threshold: float) -> ReportedRates:
        return rates(self.run, self.score, self.level, subsets, threshold)


NOT_METADATA = {"path", "is_constant"}  # a name stands for the path; the other is of use to scores only


def metadata(run: Run, row: int) -> pd.DataFrame:
    """What the manifest says about one sample: Field and Value, empty ones left out."""
    left_out = NOT_METADATA | scores.columns(run)
    names = [name for name in run.column_names() if name not in left_out]
    record = run.samples_of(np.array([row]), names).iloc[0]
    filled = {str(name): str(value) for name, value in record.items() if not (pd.isna(value) or value == "")}
    return pd.DataFrame({"Field": [name.replace("_", " ") for name in filled], "Value": list(filled.values())})
