"""Scores of degraded images that were computed once: of which samples, and the files they lie in.

    cache/stress/<run>/<key>/about.json            what they are of; the key is a hash of it
                             jpeg-30.npy           (k,) float64, of the k images of the sample, in row order

A step is complete or absent. Thresholds have no part in it: what is decided on the scores is computed when it is asked.
Nobody is named here: rows are those of the Run that the digest stands for.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import documents, scores
from fas_core.data.degradations import VERSION, Kind
from fas_core.data.names import BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.evaluation import presentations
from fas_core.evaluation.presentations import Grouping
from fas_core.files import atomic_file, make_folder, opened_file
from fas_core.runs import store
from fas_core.runs.store import Run

FOLDER = "stress"
_ABOUT, _UNSTRESSED = "about.json", "unstressed"
_FORMAT = 1

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def require_possible(run: Run, score: str) -> None:
    """Raises BadInputError where no model can be asked for a score of degraded images."""
    if run.is_of_scores:
        raise BadInputError(
            f"Run {run.info.name} was imported from a score file: there are no images to degrade, and no model to ask."
        )
    if joined := run.joined.get(scores.base_of(score)):
        raise BadInputError(
            f"'{score}' of Run {run.info.name} was joined from {joined.source}: its model does not give it for other "
            f"images. Choose another: {', '.join(name for name in scores.offered(run) if name not in run.joined)}."
        )
    if not run.info.checkpoint:
        raise BadInputError(f"Run {run.info.name} was imported as arrays: there is no model to ask.")
    run.require("inputs")
    if not scores.has(run, score):
        scores.values(run, score)  # which says what there is


@dataclass(frozen=True, eq=False)
class Sample:
    """Some whole presentations of a Run."""

    grouping: Grouping  # of them alone: its samples are those of `rows`
    rows: Rows  # (k,) of the Run: their frames, ascending
    n_of: int  # presentations that they were drawn from
    counts: dict[str, dict[str, int]]  # subset -> species, or bona_fide -> presentations


def sample(run: Run, level: str, subsets: Sequence[str], n: int, seed: int = 0) -> Sample:
    """At most n presentations of some subsets that gave an output, as evenly of each subset and species as there are.

    Whoever asks for more gets those and others. Raises BadInputError where there is none, and as `presentations`.
    """
    every = presentations.grouping(run, level)
    answered = np.zeros(len(every.rows), np.bool_)
    answered[every.of_row[: every.n]] = True
    eligible = np.flatnonzero(answered & every.within(subsets))
    if not len(eligible):
        raise BadInputError(f"Run {run.info.name} has no image with an output in {', '.join(subsets) or 'no subset'}.")
    codes, names = every.kinds
    kinds = np.array([BONA_FIDE, *names], object)[codes[eligible]]
    cells = pd.Series(eligible).groupby([every.rows["subset"].to_numpy(str)[eligible], kinds]).indices
    rng = np.random.default_rng([seed, len(eligible)])
    shuffled = [eligible[rng.permutation(cells[cell])] for cell in sorted(cells)]
    # In turns: the first of every cell, the second of every cell, ..., so that small ones leave room to the others.
    turn = np.concatenate([np.arange(len(members)) for members in shuffled])
    chosen = np.concatenate(shuffled)[np.argsort(turn, kind="stable")][:n]
    wanted = np.zeros(len(every.of_row), np.bool_)
    wanted[: every.n] = np.isin(every.of_row[: every.n], chosen)
    presented = pd.unique(every.of_row[wanted])
    of_sample = Grouping(
        every.frames.only(wanted), every.rows.iloc[presented].reset_index(drop=True), int(wanted.sum())
    )
    drawn = {cell: int(np.isin(eligible[members], chosen).sum()) for cell, members in sorted(cells.items())}
    counts = {name: {str(kind): k for (subset, kind), k in drawn.items() if subset == name and k} for name in subsets}
    return Sample(of_sample, np.flatnonzero(wanted), len(eligible), {s: of for s, of in counts.items() if of})


@dataclass(frozen=True)
class About:
    """What some kept scores are of."""

    run: str  # the id
    run_digest: str
    score: str
    level: str
    subsets: tuple[str, ...]
    n: int  # presentations that were asked for
    seed: int
    n_images: int
    n_files: int  # of these from their own files; the others from what the Run holds of them
    sources: str  # hash of which are
    degradations: int = VERSION
    version: int = _FORMAT

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Kept:
    """A folder of scores, of which some steps may not be there yet."""

    folder: Path
    about: About

    def scores(self, kind: Kind | None = None, amount: float = 0.0) -> Floats | None:
        """(k,) of a step, NaN where the model gave none; of the images as they are without one. None where absent."""
        path = self._path(kind, amount)
        try:
            with opened_file(path, self.folder.parents[2]) as file:
                values = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        is_whole = values.shape == (self.about.n_images,) and values.dtype == np.float64
        return values if is_whole else None

    def keep(self, values: Floats, kind: Kind | None = None, amount: float = 0.0) -> None:
        """Writes scores (n,): of a kind at an amount, or of the images as they are."""
        with atomic_file(self._path(kind, amount), self.folder.parents[2]) as temporary, temporary.open("wb") as file:
            np.save(file, values, allow_pickle=False)

    def _path(self, kind: Kind | None, amount: float) -> Path:
        return self.folder / (f"{_UNSTRESSED}.npy" if kind is None else f"{kind.name}-{amount:g}.npy")


def folder_of(cache: Path, run_id: str) -> Path:
    """Where a Run's stressed scores are kept."""
    return cache / FOLDER / run_id


def kept(cache: Path, about: About) -> Kept:
    """The place of some scores, made where there is none."""
    folder = folder_of(cache, about.run) / about.key
    make_folder(folder)
    if _about(folder) != about:
        with atomic_file(folder / _ABOUT, cache) as temporary:
            temporary.write_text(store.sealed(asdict(about)), encoding="utf-8")
    return Kept(folder, about)


def newest(run: Run, score: str, level: str, subsets: Sequence[str]) -> Kept | None:
    """The kept scores of the most presentations, and of those the newest, that are of all of these subsets; None where
    there are none of the Run as it is, or none yet of its images as they are."""
    fitting: list[tuple[int, float, Kept]] = []
    for path in sorted(folder_of(run.cache, run.id).glob(f"*/{_ABOUT}")):
        about = _about(path.parent)
        if about is None or about.key != path.parent.name or (about.score, about.level) != (score, level):
            continue
        here = Kept(path.parent, about)
        is_of_all = about.run_digest == run.digest_of(score) and set(subsets) <= set(about.subsets)
        if is_of_all and here.scores() is not None:
            fitting.append((about.n, path.stat().st_mtime, here))
    return max(fitting, key=lambda each: each[:2])[2] if fitting else None


def _about(folder: Path) -> About | None:
    """None where there is none, or of another version."""
    try:
        about = documents.read_as(About, store.read_json(folder / _ABOUT, folder.parents[2]), str(folder / _ABOUT))
    except BadInputError:
        return None
    return about if (about.version, about.degradations) == (_FORMAT, VERSION) else None


def remove(cache: Path, run_id: str) -> None:
    """Deletes what is kept of a Run."""
    shutil.rmtree(folder_of(cache, run_id), ignore_errors=True)
