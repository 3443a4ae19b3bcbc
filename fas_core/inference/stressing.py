"""Scores of degraded images, step by step: what is complete is kept, and the same call goes on from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fas_core import scores
from fas_core.data import degradations
from fas_core.data.degradations import Kind
from fas_core.errors import BadInputError
from fas_core.evaluation import stressed
from fas_core.evaluation.stressed import About, Kept, Sample
from fas_core.inference import predict
from fas_core.inference.originals import Originals
from fas_core.progress import task
from fas_core.runs.store import Run

BLOCK = 64  # images that are degraded and judged at once
KEPT_BYTES = 2**28  # of original images that stay in memory; more are read again for every step


def stress(
    run: Run,
    score: str,
    level: str,
    subsets: Sequence[str],
    kinds: Sequence[Kind],
    *,
    n: int = 500,
    seed: int = 0,
    device: str = "auto",
    job_file: Path | None = None,
) -> Kept:
    """Has the checkpoint of a Run judge at most n presentations (`stressed.sample`) at every step of some kinds.

    The images as they are come first, judged in the same way. A step is written when it is complete; what is there is
    not computed again. Raises BadInputError as `stressed.require_possible`, and as `predict.ready`.
    """
    stressed.require_possible(run, score)
    if n < 1:
        raise BadInputError(f"--n {n}: at least one presentation.")
    model = predict.ready(run, device)
    drawn = stressed.sample(run, level, subsets, n, seed)
    images = _Images(run, drawn)
    n_files = int(images.is_of_file.sum())
    sources = hashlib.sha256(images.is_of_file.tobytes()).hexdigest()[:16]
    about = About(
        run.id, run.digest_of(score), score, level, tuple(subsets), n, seed, len(drawn.rows), n_files, sources
    )
    kept = stressed.kept(run.cache, about)
    steps: list[tuple[Kind | None, float]] = [(None, 0.0)]
    steps += [(kind, amount) for kind in kinds for amount in kind.steps(images.originals.given.size)]
    missing = [step for step in steps if kept.scores(*step) is None]
    n_counted = len(images.counted)
    with task(f"Stressing {run.info.name}", len(steps) * n_counted, job_file=job_file, stage="stress") as progress:
        progress.begin_at((len(steps) - len(missing)) * n_counted)
        for kind, amount in missing:
            values = np.full(len(drawn.rows), np.nan)
            for places, raw in images.blocks():
                shown = raw if kind is None else _degraded(raw, kind, amount, seed, images.names[places])
                outputs = predict.outputs_of(run, shown, model=model)
                values[places] = scores.of_outputs(outputs, score, run)
                progress.advance(len(places))
            values[~np.isfinite(values)] = np.nan
            if kind is None and np.isnan(values).all():
                raise BadInputError(
                    f"The model of Run {run.info.name} gives no '{score}' of images by themselves. Choose another "
                    "score for the card: fas threshold"
                )
            kept.keep(values, kind, amount)
    return kept


def _degraded(
    raw: NDArray[np.float32], kind: Kind, amount: float, seed: int, names: NDArray[np.object_]
) -> NDArray[np.float32]:
    return np.stack(
        [
            degradations.degraded(image, kind, amount, degradations.rng_of(seed, kind.name, str(name)))
            for image, name in zip(raw, names, strict=True)
        ]
    )


@dataclass(eq=False)
class _Images:
    """The original images of a sample, in blocks; those that a level never looks at are left out."""

    run: Run
    drawn: Sample
    originals: Originals = field(init=False)
    counted: NDArray[np.int64] = field(init=False)  # places among the rows of the sample
    is_of_file: NDArray[np.bool_] = field(init=False)  # (k,)
    names: NDArray[np.object_] = field(init=False)  # (k,) what the generators of the images are drawn by

    def __post_init__(self) -> None:
        self.originals = Originals(self.run)
        self.counted = np.flatnonzero(self.drawn.grouping.frames.is_counted)
        rows = self.run.samples(["subset", "sample_id"]).iloc[self.drawn.rows]
        self.names = name_of(rows["subset"].to_numpy(str), rows["sample_id"].to_numpy(str))
        self.is_of_file = np.zeros(len(self.drawn.rows), np.bool_)
        side, channels = self.originals.given.size, self.originals.given.channels
        self._stay = 4 * side * side * channels * len(self.counted) <= KEPT_BYTES
        self._read: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
        for places in self._places():
            raw, self.is_of_file[places] = self.originals.read(self.drawn.rows[places])
            if self._stay:
                self._read.append((places, raw))

    def _places(self) -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(self.counted), BLOCK):
            yield self.counted[start : start + BLOCK]

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """(places among the rows of the sample, images)"""
        if self._stay:
            yield from self._read
        else:
            yield from ((places, self.originals.read(self.drawn.rows[places])[0]) for places in self._places())


def name_of(subsets: NDArray[np.str_], sample_ids: NDArray[np.str_]) -> NDArray[np.object_]:
    """(n,) what stands for images of a Run in `degradations.rng_of`."""
    return np.array([f"{subset}/{sample}" for subset, sample in zip(subsets, sample_ids, strict=True)], object)
