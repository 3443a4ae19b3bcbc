"""Which manifests can be looked at: those that `fas app --data M` was told, and those that Runs were made of.

An address names one of them; it never leads to another file.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from app.session.cache import cached, keyed
from app.session.readers import runs
from app.words import label_of
from fas_core.data import acceptance, manifest, trail
from fas_core.data.acceptance import Histogram, Leak, OfVideos, Verdict
from fas_core.data.trail import Funnel


@keyed
@dataclass(frozen=True)
class DataSet:
    """A manifest as it is now; its digest changes with the file, its trail and the list of what left."""

    path: Path
    digest: str

    @staticmethod
    def at(path: Path) -> DataSet:
        stamps = []
        for file in (path, trail.path_of(path), trail.left_file(path)):
            try:
                stat = file.stat()
                stamps.append((stat.st_size, stat.st_mtime_ns))
            except OSError:
                stamps.append((-1, -1))
        return DataSet(path, repr((str(path), stamps)))


def told() -> list[Path]:
    """Those that the app was started with."""
    return [Path(line) for line in os.environ.get("FAS_DATA", "").splitlines() if line]


def known() -> dict[str, Path]:
    """Manifests by the name that people read, each with as much of its folder as tells it apart; those told first, then
    that of the Run in the sidebar."""
    listed = sorted(runs()[0], key=lambda run: label_of(run) != st.session_state.get("run"))
    of_runs = [Path(run.info.manifest_path) for run in listed if run.info.manifest_path]
    paths = list(dict.fromkeys(Path(os.path.normpath(path)) for path in [*told(), *of_runs]))
    return _named([path for path in paths if path.is_file()])


def _named(paths: list[Path]) -> dict[str, Path]:
    names = {path: path.name for path in paths}
    for depth in range(2, 8):
        times = Counter(names.values())
        names = {p: "/".join(p.parts[-depth:]) if times[name] > 1 else name for p, name in names.items()}
    return {name: path for path, name in names.items()}


# ------------------------------------------------------------------------------------------- what is read of one, kept


@cached(entries=2, spinner="Reading the manifest …")
def contents(data: DataSet) -> pd.DataFrame:
    """See `acceptance.contents`. Shared between sessions: do not change it."""
    return acceptance.contents(manifest.read(data.path))


@cached(entries=16)
def way(data: DataSet) -> Funnel:
    """What left on the way to it."""
    return trail.funnel(data.path, len(contents(data)))


@cached(entries=16)
def verdict(data: DataSet, n_beside_training: int | None) -> Verdict:
    """See `acceptance.verdict`."""
    return acceptance.verdict(contents(data), way(data), n_beside_training)


@cached(entries=16)
def of_videos(data: DataSet) -> OfVideos:
    """See `acceptance.of_videos`."""
    return acceptance.of_videos(contents(data))


@cached(entries=16)
def leaks(data: DataSet) -> list[Leak]:
    """See `acceptance.leaks`."""
    return acceptance.leaks(contents(data))


@cached(entries=16)
def counts(data: DataSet) -> pd.DataFrame:
    """See `acceptance.counts`. Shared between sessions: do not change it."""
    return acceptance.counts(contents(data))


@cached(entries=16)
def histograms(data: DataSet, by: str) -> list[Histogram]:
    """See `acceptance.histograms`."""
    return acceptance.histograms(contents(data), by)


@cached(entries=8)
def left(data: DataSet, place: int) -> pd.DataFrame:
    """What left at a step: `trail.left_rows`."""
    return trail.left_rows(way(data).stages[place])
