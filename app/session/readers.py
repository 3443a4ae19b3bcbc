"""Cached readers of the store: what pages know about Runs, keyed by a Run's digest, never by arrays or frames."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.errors import BadInputError
from fas_core.evaluation import presentations, run_metrics
from fas_core.evaluation.presentations import FRAME, Grouping, Presentations
from fas_core.metrics.uncertainty import UnitInterval
from fas_core.runs import store
from fas_core.runs.store import Run


def cache_folder() -> Path:
    """The cache folder that the app was started on."""
    return Path(os.environ.get("FAS_CACHE") or Path(__file__).resolve().parents[2] / "cache")


# --------------------------------------------------------------------------------------------------- Runs and samples


def _stamp(folder: Path) -> tuple[int, ...]:
    """Changes whenever a shard appears or goes: shards are renamed into their subset's folder."""
    return tuple(p.stat().st_mtime_ns for p in sorted((folder, *(d for d in folder.iterdir() if d.is_dir()))))


@st.cache_resource(max_entries=64, show_spinner=False)
def _opened(folder: str, stamp: tuple[int, ...]) -> Run:
    return store.opened(Path(folder))


def runs() -> tuple[list[Run], list[str]]:
    """Runs of the cache folder that hold at least one shard, newest first, and what is wrong with the others."""
    found, problems = [], []
    for folder in store.run_folders(cache_folder()):
        try:
            run = _opened(str(folder), _stamp(folder))
        except (BadInputError, OSError) as error:
            problems.append(str(error))
            continue
        if run.shards:
            found.append(run)
    return found, problems


@st.cache_resource(max_entries=64, show_spinner=False)
def _samples(digest: str, columns: tuple[str, ...], _run: Run) -> pd.DataFrame:
    return _run.samples(columns)


def samples(run: Run, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a Run's samples in row order. Shared between sessions: do not change it."""
    has = set(run.column_names())
    return _samples(run.digest, tuple(c for c in columns if c in has), run)


@st.cache_resource(max_entries=16, show_spinner=False)
def _ids(digest: str, _run: Run) -> pd.Index:
    return pd.Index(samples(_run, ("sample_id",))["sample_id"].astype(str))


def ids(run: Run) -> pd.Index:
    """(n,) sample ids in row order; get_loc and get_indexer find rows."""
    return _ids(run.digest, run)


@st.cache_resource(max_entries=64, show_spinner="Computing the score …")
def _score_values(digest: str, score: str, _run: Run) -> NDArray[np.float64]:
    values = scores.values(_run, score)
    values.setflags(write=False)
    return values


def score_values(run: Run, score: str) -> NDArray[np.float64]:
    """(n,) in row order, read-only."""
    return _score_values(run.digest, score, run)


@st.cache_resource(max_entries=64, show_spinner=False)
def levels(digest: str, _run: Run) -> list[str]:
    return presentations.levels(_run)


def level(run: Run) -> str:
    """The decision level chosen in the sidebar, if this Run has it."""
    chosen = str(st.session_state.get("level", FRAME))
    return chosen if chosen in levels(run.digest, run) else FRAME


@st.cache_resource(max_entries=16, show_spinner=False)
def grouping(digest: str, level: str, _run: Run) -> Grouping:
    return presentations.grouping(_run, level)


@st.cache_resource(max_entries=32, show_spinner=False)
def _decided(digest: str, score: str, level: str, _run: Run) -> Presentations:
    return grouping(digest, level, _run).judged(score_values(_run, score))


def decided(run: Run, score: str) -> Presentations:
    """What decisions are made on at the chosen level, with their scores. Shared between sessions: do not change it."""
    return _decided(run.digest, score, level(run), run)


def decisions(run: Run) -> str:
    """What decisions are made on, in a word: images (scores of unknown things are samples), videos or sessions."""
    unit = level(run).split(" ")[0]
    return f"{unit}s" if unit != FRAME else "images" if run.has_images else "samples"


def decided_values(run: Run, score: str) -> NDArray[np.float64]:
    """(n,) for every sample in row order, the score of the presentation that it is part of."""
    one = decided(run, score)
    return one.values[one.of_frame]


@st.cache_resource(max_entries=64, show_spinner=False)
def _pooled(digest: str, score: str, level: str, subsets: tuple[str, ...], _run: Run) -> metrics.ScoreSet:
    return _decided(digest, score, level, _run).score_set(subsets)


def pooled_score_set(run: Run, score: str, subsets: Sequence[str]) -> metrics.ScoreSet:
    """Several subsets as one sorted set of scores, at the chosen decision level."""
    return _pooled(run.digest, score, level(run), tuple(subsets), run)


@st.cache_resource(max_entries=64, show_spinner=False)
def _rates(
    digest: str, score: str, level: str, subsets: tuple[str, ...], threshold: float, _run: Run
) -> dict[str, Any]:
    return run_metrics.rates_at(_decided(digest, score, level, _run), subsets, threshold)


def rates(run: Run, score: str, subsets: Sequence[str], threshold: float) -> dict[str, Any]:
    """The rates of some subsets together at a threshold, with intervals: see `evaluation.rates_at`."""
    return _rates(run.digest, score, level(run), tuple(subsets), threshold, run)


@st.cache_resource(max_entries=64, show_spinner=False)
def _auc_interval(digest: str, score: str, level: str, subsets: tuple[str, ...], _run: Run) -> UnitInterval | None:
    return run_metrics.auc_interval(_decided(digest, score, level, _run), subsets)


def auc_interval(run: Run, score: str, subsets: Sequence[str]) -> UnitInterval | None:
    """The interval of the AUC of some subsets together; None where there is none."""
    return _auc_interval(run.digest, score, level(run), tuple(subsets), run)


def score_sets(run: Run, score: str) -> dict[str, metrics.ScoreSet]:
    """One sorted set of scores per subset, at the chosen decision level."""
    return {subset: pooled_score_set(run, score, [subset]) for subset in run.subsets}


NOT_METADATA = {"path", "is_constant"}  # a name stands for the path; the other is of use to scores only


def metadata(run: Run, row: int) -> pd.DataFrame:
    """What the manifest says about one sample: Field and Value, empty ones left out."""
    left_out = NOT_METADATA | set(run.info.scores) | set(scores.names())
    record = samples(run, [name for name in run.column_names() if name not in left_out]).iloc[row]
    filled = {str(name): str(value) for name, value in record.items() if not (pd.isna(value) or value == "")}
    return pd.DataFrame({"Field": [name.replace("_", " ") for name in filled], "Value": list(filled.values())})
