"""The training loop: batches, schedule, device and precision, dev loss, resume, metrics log.

Everything random is a function of (seed, step, place in the batch), so a training that was killed and resumed, or that
is shared by several processes, goes through the same batches with the same noise as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from fas_core import models
from fas_core.data import filters, images, processes, readers, videos
from fas_core.data.manifest import Manifest
from fas_core.data.merging import SOURCE
from fas_core.data.modalities import MODALITY, the_one
from fas_core.data.names import ATTACK, BONA_FIDE, TRAIN, is_training
from fas_core.data.readers import Pictures, Readers, Wanted, read
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import CONTENT_BYTES, require_writable
from fas_core.models.base import Autoencoder, OptimizerSettings, Step, parameter_count
from fas_core.models.building import BatchNorm2d
from fas_core.models.draws import Draws, shuffled, step_seed
from fas_core.models.input import Input
from fas_core.progress import task
from fas_core.runs import traininglog
from fas_core.runs.traininglog import epoch_file, resume_file
from fas_core.training import augment, checkpoint, conditioning, devices, recorders, sampling
from fas_core.training import features as trained_features
from fas_core.training.conditioning import ToldImages
from fas_core.training.distil import Teacher
from fas_core.training.experiments.base import Experiment
from fas_core.training.features import Features
from fas_core.training.known import Known

_log = logging.getLogger(__name__)

DEV_SHARE = 0.1
DEV_LIMIT = 1024  # images: the dev loss of an epoch must stay cheap beside the epoch
DEV_GROUPS = 16  # sessions (or subjects) that a dev set is spread over at least, where a tenth is as many
SHOWN = 8  # images whose reconstructions are kept after every epoch
AT_ONCE = 8  # images that are read in one go: a batch is not too many for all who read
PACE_STEPS, PACE_SECONDS = 8, 2.0  # what a measured pace takes at most, beyond the step that is under way
PICTURES = "pictures"  # the tensor of a resume file that holds the contents of those that were learned


@dataclass(frozen=True)
class Split:
    """Bona fide training images: those that are learned, and those that choose the checkpoint."""

    root: Path
    learned: pd.DataFrame  # columns path (below root), sample_id, and source where the data have it
    dev: pd.DataFrame
    learned_files: NDArray[np.uint8]  # (n, CONTENT_BYTES) contents of their files, as `Manifest.contents`
    dev_files: NDArray[np.uint8]
    n_left_out: int = 0  # of the same sessions as dev images, beyond `DEV_LIMIT`: learning them would give dev away
    subset: str = TRAIN  # or all of a manifest that names none

    @property
    def notes(self) -> list[str]:
        """What is learned and what chooses the checkpoint, in a sentence each; what makes that doubtful."""
        n, n_dev = len(self.learned), len(self.dev)
        words = f"{n:,} live images of subset '{self.subset}' are learned"
        chooses = f"{n_dev:,} others choose the checkpoint" if n_dev else "the last epoch counts, as dev has none"
        notes = [f"{words}; {chooses}."]
        if self.subset != TRAIN:
            notes.append(
                "The data name no subsets, so all live people are learned or choose the checkpoint, and none is left "
                "to judge it on. Subsets apart by people: fas data subsets"
            )
        contents = (np.ascontiguousarray(each).view(np.uint64)[:, 0] for each in (self.dev_files, self.learned_files))
        dev, learned = contents
        if n_copies := int((np.isin(dev, learned) & (dev != 0)).sum()):  # 0: cannot be read
            notes.append(
                f"{n_copies:,} of the images that choose it are copies of learned ones, byte by byte. Without copies: "
                "fas data dedupe"
            )
        return notes


def train(
    experiment: Experiment,
    data: Manifest,
    out: Path,
    *,
    cache: Path | None = None,
    keep_epochs: Sequence[int] = (),
    record: Sequence[str] = (),
    resume: bool = False,
    device: str = "auto",
    precision: str = "auto",
    source_weights: Mapping[str, float] | None = None,
    features: Path | None = None,
    teacher: Teacher | None = None,
    condition: Sequence[str] = (),
    job_file: Path | None = None,
    workers: int | None = 0,
) -> Path:
    """Trains and writes the checkpoint with the lowest dev loss of any epoch; returns `out`.

    The dev loss is the model's `chosen_by` on live images of training subjects that are not learned from. In processes
    started by `torchrun`, each works on its share of every batch. `cache`: where the app looks for the training's log.
    `precision` "auto" is "fp32". `keep_epochs`: after how many epochs the weights are kept in `traininglog.epoch_file`,
    whatever their dev loss; a resumed training keeps those it was begun with. `record`: names of `recorders`.
    `source_weights`: how often images of each `source` are seen, instead of each image once a round (`sampling`).
    `features`: a trained checkpoint the loss looks with; `teacher`: who is imitated. `condition`: columns that a
    conditional model is told. `workers`: processes that read images, as of `Readers`.

    Raises BadInputError when there is nothing to train on, or several modalities, when training diverges, when `resume`
    finds another experiment, data, weights or epochs to keep, or when `out` is there and would be lost without it.
    """
    keep_epochs = _epochs_to_keep(experiment, keep_epochs)
    _require_free(out, keep_epochs, resume=resume)
    _require_trainable(experiment, data)
    precision = _require_ways(out, record, device, precision)
    experiment, given = (experiment, teacher) if teacher else trained_features.read(experiment, features)
    split = train_dev_split(data, experiment.seed)
    experiment, told = conditioning.fitted(experiment, data.rows, split, condition)
    fabric = _processes(experiment, device, precision)
    model, optimizers = _untrained(experiment, fabric, given)
    state = _State(out, _settings(experiment, data, precision, source_weights, given), keep_epochs, split, given)
    state.begin(fabric, model, optimizers, resume=resume)
    notes = _Notes(out, model, split, state.step, cache, experiment, record, told) if fabric.is_global_zero else None
    bar = task(f"Training {experiment.name}", experiment.steps, job_file=job_file, stage="train")
    feed = _Batches(split, experiment, fabric, state.pictures, source_weights, told, workers=workers)
    with bar if notes else nullcontext() as progress, feed, notes or nullcontext():
        if progress:
            progress.begin_at(state.step)
        for step, rows, x in feed.from_step(state.step, model.input):
            terms = _step(fabric, model, optimizers, experiment, step, rows, x, feed.told_at(step, rows))
            epoch, in_epoch = divmod(step, experiment.batches_per_epoch)
            if is_end := in_epoch + 1 == experiment.batches_per_epoch:
                feed.share_pictures()
            if notes and progress:  # one process writes for all
                notes.add({"epoch": epoch, "step": step, "split": "train", **terms})
                progress.advance()
                if is_end:
                    dev = notes.epoch_done(fabric, epoch, step)
                    state.epoch_done(step + 1, epoch + 1, model, optimizers, dev, notes.dev_pictures)
    return _ended(fabric, feed, out)


def _ended(fabric: Fabric, feed: _Batches, out: Path) -> Path:
    """After the last step of every process: `out`."""
    fabric.barrier()
    feed.warn_of_unreadable()
    resume_file(out).unlink(missing_ok=True)  # whichever process comes first
    return out


def completed(
    experiment: Experiment,
    data: Manifest,
    out: Path,
    *,
    cache: Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    job_file: Path | None = None,
) -> Path:
    """`out`, trained to its end: begun, gone on with, or as it is where it has ended. Arguments as of `train`.

    Raises BadInputError as that does, and where `out` is of other settings or data.
    """
    is_begun = resume_file(out).is_file()
    if is_begun or out.is_file():
        header = checkpoint.header_of(resume_file(out) if is_begun else out)
        for part, expected in (("experiment", experiment.as_json()), ("data_sha256", data.sha256)):
            if header.get(part) != expected:
                what = "settings" if part == "experiment" else "data"
                raise BadInputError(f"{out} was trained with other {what}. Choose another --out, or delete it first.")
        if not is_begun:
            return out
    return train(
        experiment, data, out, cache=cache, resume=is_begun, device=device, precision=precision, job_file=job_file
    )


class Pace(NamedTuple):
    """Measured on this machine."""

    seconds_per_step: float
    parameters: int


def pace(experiment: Experiment, data: Manifest, *, device: str = "auto", precision: str = "auto") -> Pace:
    """How fast a training goes: some steps as `train` makes them, thrown away. Raises BadInputError as that does."""
    _require_trainable(experiment, data)
    split = train_dev_split(data, experiment.seed)
    fabric = _processes(experiment, device, "fp32" if precision == "auto" else precision)
    model, optimizers = _untrained(experiment, fabric)
    with _Batches(split, experiment, fabric, np.zeros((len(split.learned), CONTENT_BYTES), np.uint8)) as feed:
        seconds, begun = [], time.perf_counter()
        for step, rows, x in feed.from_step(0, model.input):
            _step(fabric, model, optimizers, experiment, step, rows, x)
            seconds.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            if len(seconds) > PACE_STEPS or sum(seconds[1:]) > PACE_SECONDS:
                break
    return Pace(float(np.median(seconds[1:] or seconds)), parameter_count(model))  # the first one warms up


def _settings(
    experiment: Experiment,
    data: Manifest,
    precision: str,
    source_weights: Mapping[str, float] | None,
    given: Features | Teacher | None,
) -> Json:
    """What a training is: what it is called by, and what it is gone on with only where it is the same.

    Nothing of what there is not, so that a training without is called as it was before there was any.
    """
    weights = {"source_weights": dict(source_weights)} if source_weights else {}
    modality = the_one(data)
    return {
        "experiment": experiment.as_json(),
        "data_sha256": data.sha256,
        "precision": precision,
        **weights,
        **({MODALITY: modality} if modality else {}),
        **(given.told if given else {}),
    }


def _require_shareable(experiment: Experiment) -> None:
    """Raises BadInputError where several processes would normalise by the statistics of their shares of a batch: with
    PyTorch's own layers. Those of this package, `building.BatchNorm2d`, take those of the whole one."""
    if devices.n_processes() == 1:
        return
    with torch.device("meta"):  # looked at, not allocated
        layers = models.trainable(experiment.model, experiment.config).modules()
    if any(isinstance(layer, _BatchNorm) and not isinstance(layer, BatchNorm2d) for layer in layers):
        raise BadInputError(
            f"{experiment.name} cannot be trained by {devices.n_processes()} processes: model {experiment.model} "
            "normalises by the statistics of the whole batch, and each process would see its share of it alone. "
            "Start it without torchrun."
        )


def _epochs_to_keep(experiment: Experiment, keep_epochs: Sequence[int]) -> list[int]:
    """In order, each once. Raises BadInputError for one that the experiment has not."""
    keep_epochs = sorted(set(keep_epochs))
    if keep_epochs and not 1 <= keep_epochs[0] <= keep_epochs[-1] <= experiment.epochs:
        raise BadInputError(
            f"There is no epoch {keep_epochs[0] if keep_epochs[0] < 1 else keep_epochs[-1]} to keep: {experiment.name} "
            f"has epochs 1 to {experiment.epochs}."
        )
    return keep_epochs


def _require_free(out: Path, keep_epochs: Sequence[int], *, resume: bool) -> None:
    """Raises BadInputError where a training that is not to be resumed would overwrite one that is there."""
    present = [path for path in (out, *(epoch_file(out, epoch) for epoch in keep_epochs)) if path.exists()]
    if not resume and (present or resume_file(out).exists()):
        raise BadInputError(
            f"{(present or [out])[0]} is there already, finished or interrupted. Go on with an interrupted training: "
            "--resume. Otherwise choose another --out, or delete it first."
        )


def _require_trainable(experiment: Experiment, data: Manifest) -> None:
    """Raises BadInputError for augmentations that there are not, for videos, for data that must be filtered and are
    not, and as `modalities.the_one` and `_require_shareable`."""
    augment.require_known(experiment.augmentations)
    videos.require_frames(data)
    if experiment.filtered and not filters.is_filtered(data):
        raise BadInputError(
            f"{experiment.name} trains on filtered images, and {data.source} is not filtered. "
            f"Filter it: fas data filter {data.source} --out FILTERED.csv; or train on all: --set filtered=false"
        )
    _require_shareable(experiment)
    the_one(data)


def _require_ways(out: Path, record: Sequence[str], device: str, precision: str) -> str:
    """The precision. Raises BadInputError for recorders, devices, precisions that there are not, and where nothing can
    be written."""
    recorders.require(record)
    devices.require_known(device, precision)
    require_writable(out.parent)
    return "fp32" if precision == "auto" else precision  # measured, it could be another one after a kill


def _processes(experiment: Experiment, device: str, precision: str) -> Fabric:
    """Those that share the training. Raises BadInputError where they cannot work on equal parts of every batch."""
    fabric = devices.all_processes(device, precision)
    if experiment.batch_size % fabric.world_size:
        raise BadInputError(
            f"batch_size {experiment.batch_size} cannot be shared evenly by {fabric.world_size} processes. "
            f"Use --set batch_size={fabric.world_size * -(-experiment.batch_size // fabric.world_size)}."
        )
    return fabric


def _untrained(
    experiment: Experiment, fabric: Fabric, given: Features | Teacher | None = None
) -> tuple[Autoencoder, list[Optimizer]]:
    """The model as it begins, on the device, and its optimisers."""
    torch.manual_seed(experiment.seed)
    model = models.trainable(experiment.model, experiment.config)
    model = model if given is None else given.give(model)
    model.to(fabric.device)
    model.to(memory_format=model.memory_format)  # type: ignore[call-overload]
    return model, model.optimizers(OptimizerSettings(experiment.learning_rate, experiment.beta1, experiment.beta2))


def train_dev_split(data: Manifest, seed: int) -> Split:
    """Live images of subset `train` (of all, where no subset has that name), a tenth of them kept as dev.

    Whole sessions go to dev where there are at least ten, whole subjects where there are at least ten of those, single
    images otherwise; fewer than ten images leave no dev set, and the last epoch counts. Of more than `DEV_LIMIT` dev
    images only so many sessions stay dev as hold that many, of different subjects first and at least `DEV_GROUPS`; the
    other sessions are learned. Where those hold more, the dev images are spread evenly over them.
    """
    is_wanted = (data.rows["label"] == BONA_FIDE).to_numpy()
    if TRAIN in set(data.rows["subset"]):
        is_wanted = is_wanted & is_training(data.rows)
    elif set(data.rows["subset"]) != {"all"}:
        raise BadInputError(f"{data.source} has no subset 'train'. Make the subsets: fas data subsets {data.source}")
    if not is_wanted.any():
        raise BadInputError(
            f"{data.source}: no bona fide image to train on. Training uses live images of 'train' only."
        )
    _require_no_attack(data, is_wanted)
    rows = data.rows[is_wanted].reset_index(drop=True)
    contents = data.contents[is_wanted]
    rng = np.random.default_rng([seed, 1])
    dev, is_held = np.empty(0, np.int64), np.zeros(len(rows), np.bool_)
    for column in ("session_id", "subject_id", "sample_id"):
        groups = sorted(set(rows[column]) - {""})
        if len(groups) >= 10 and (rows[column] != "").all():
            chosen = rng.permutation(groups)[: max(1, round(DEV_SHARE * len(groups)))].tolist()
            dev, is_held = _dev_rows(rows, column, chosen)
            break
    columns = [name for name in ("path", "sample_id", SOURCE) if name in rows]
    return Split(
        data.root,
        rows.loc[~is_held, columns].reset_index(drop=True),
        rows.loc[dev, columns].reset_index(drop=True),
        contents[~is_held],
        contents[dev],
        int(is_held.sum()) - len(dev),
        TRAIN if TRAIN in set(data.rows["subset"]) else "all",
    )


def _require_no_attack(data: Manifest, is_wanted: NDArray[np.bool_]) -> None:
    """Raises BadInputError where an image to be learned is, byte by byte, an attack in another row."""
    contents = np.ascontiguousarray(data.contents).view(np.uint64)[:, 0]
    attacks = (data.rows["label"] == ATTACK).to_numpy() & (contents != 0)  # 0: cannot be read
    of_both = np.flatnonzero(is_wanted & np.isin(contents, contents[attacks]))
    if len(of_both):
        ids = data.rows["sample_id"]
        attack = ids[attacks & (contents == contents[of_both[0]])].iloc[0]
        raise BadInputError(
            f"{data.source}: {len(of_both)} bona fide images to train on are the very images of attacks (first: "
            f"'{ids[of_both[0]]}' and '{attack}'). Correct the label of one, or take it out; all of them: "
            f"fas data check {data.source}"
        )


def _dev_rows(rows: pd.DataFrame, column: str, chosen: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The rows of dev images, ascending, and (n,) whether a row is of a dev group, so that it is not learned."""
    subject = rows.groupby(column)["subject_id"].first()
    turn = pd.Series([subject[name] for name in chosen]).groupby([subject[name] for name in chosen]).cumcount()
    in_turn = [chosen[i] for i in np.argsort(turn.to_numpy(), kind="stable")]  # one of every subject, then a second
    sizes = rows[column].value_counts()[in_turn].cumsum().to_numpy()
    enough = int(np.searchsorted(sizes, DEV_LIMIT)) + 1
    kept = in_turn[: max(enough, DEV_GROUPS)] if sizes[-1] > DEV_LIMIT else in_turn
    is_held = rows[column].isin(kept).to_numpy()
    held = np.flatnonzero(is_held)
    if len(held) <= DEV_LIMIT:
        return held, is_held
    of_group = sorted((np.flatnonzero(rows[column] == name) for name in kept), key=len)
    dev: list[NDArray[np.int64]] = []
    for number, positions in enumerate(of_group):  # small groups first: what they lack, larger ones give
        share = (DEV_LIMIT - sum(map(len, dev))) // (len(of_group) - number)
        evenly = np.linspace(0, len(positions) - 1, min(share, len(positions)))
        dev.append(positions[evenly.round().astype(np.int64)])
    return np.sort(np.concatenate(dev)), is_held


def order_at(step: int, batch_size: int, n: int, seed: int) -> NDArray[np.int64]:
    """Which of n images batch number `step` holds: an endless chain of permutations, cut into batches."""
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    rounds = positions // n
    chosen = np.empty(batch_size, np.int64)
    for number in np.unique(rounds):
        here = rounds == number
        chosen[here] = shuffled(positions[here] % n, n, [seed, 2, int(number)])
    return chosen


class _Batches:
    """This process' share of the batches, read ahead by threads in the order of `order_at`, or by chances.

    Unreadable files are left out and remembered. No more than two batches are in memory, whatever the data set's size.
    `pictures` (n, CONTENT_BYTES) takes the `images.content` of every image that was in a batch; zeros until then.
    """

    def __init__(
        self,
        split: Split,
        experiment: Experiment,
        fabric: Fabric,
        pictures: NDArray[np.uint8],
        source_weights: Mapping[str, float] | None = None,
        told: ToldImages | None = None,
        workers: int | None = 0,
    ) -> None:
        self._told = told
        self._chances = sampling.chances(split.learned, source_weights) if source_weights else None
        self._root, self._paths, self._pictures = split.root, split.learned["path"], pictures
        self._experiment, self._fabric = experiment, fabric
        self._share = range(fabric.global_rank, experiment.batch_size, fabric.world_size)
        self._workers = workers
        self._readers: Readers | None = None
        self.unreadable: dict[str, str] = {}

    def __enter__(self) -> _Batches:
        return self

    def warn_of_unreadable(self) -> None:
        if self.unreadable:
            path, reason = next(iter(self.unreadable.items()))
            _log.warning("%d training images could not be read, e.g. %s: %s", len(self.unreadable), path, reason)

    def __exit__(self, *_: object) -> None:
        if self._readers:
            self._readers.__exit__()

    def told_at(self, step: int, rows: Sequence[int]) -> torch.Tensor | None:
        """(n, k) what a conditional model is told of some places of a batch; None of others."""
        return None if self._told is None else torch.from_numpy(self._told.learned[self._chosen_at(step)[[*rows]]])

    def _chosen_at(self, step: int) -> NDArray[np.int64]:
        """(batch_size,) which of the images that are learned the whole batch of a step holds."""
        e = self._experiment
        if self._chances is None:
            return order_at(step, e.batch_size, len(self._paths), e.seed)
        return sampling.drawn_at(step, e.batch_size, self._chances, e.seed)

    def from_step(self, first: int, given: Input) -> Iterator[tuple[int, list[int], torch.Tensor]]:
        """(step, places in the whole batch, images (n, c, size, size) after standard scaling) until the end."""
        e = self._experiment
        wanted = Wanted(self._root, given.size, given.channels, _scaled, at_once=AT_ONCE)
        share = 1 if self._fabric.world_size == 1 else int(os.environ["LOCAL_WORLD_SIZE"])
        self._readers = reading = Readers(wanted, self._workers, readers.THREADS, share)
        may_wait = self._fabric.device.type == "cpu" and processes.cores() <= readers.MANY_CORES

        def begun(step: int) -> tuple[list[int], Callable[[], Pictures]]:
            chosen = self._chosen_at(step)[self._share].tolist()
            return chosen, reading.begun(self._paths.iloc[chosen].tolist())

        ahead = begun(first) if first < e.steps else ([], lambda: read(wanted, []))
        for step in range(first, e.steps):
            chosen, due = ahead
            ahead = begun(step + 1) if step + 1 < e.steps else ahead
            start = time.perf_counter()
            pictures = due()
            reading.weigh(0 if may_wait else time.perf_counter() - start)
            paths = self._paths.iloc[chosen].tolist()
            self.unreadable |= {str(self._root / paths[place]): why for place, why in pictures.reasons.items()}
            if not pictures.places:
                path, reason = next(iter(self.unreadable.items()))
                raise BadInputError(f"No image of batch {step} could be read; {path}: {reason}.")
            positions = np.array([chosen[place] for place in pictures.places])
            is_new = ~self._pictures[positions].any(1)
            self._pictures[positions[is_new]] = pictures.contents[is_new]
            yield step, [self._share[place] for place in pictures.places], torch.from_numpy(pictures.arrays[0])

    def share_pictures(self) -> None:
        """Every process learns of the pictures that were in the others' shares."""
        if self._fabric.world_size > 1:
            here = self._fabric.to_device(torch.from_numpy(self._pictures.astype(np.int32)))
            self._pictures[:] = torch.as_tensor(self._fabric.all_reduce(here, reduce_op="max")).cpu().numpy()


def _scaled(raw: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    return (images.standard_scaled(raw),)


def _batch(root: Path, rows: pd.DataFrame, given: Input) -> tuple[list[str], torch.Tensor, NDArray[np.uint8]]:
    """Ids, images (n, c, size, size) after standard scaling, and contents of the pictures, of every readable row."""
    ids, loaded = [], []
    for path, sample_id in zip(rows["path"], rows["sample_id"], strict=True):
        try:
            loaded.append(images.load(root / path, given.size, given.channels))
            ids.append(sample_id)
        except images.UnreadableImageError:
            continue  # counted and listed by `fas data check` and by every Run
    shape = (0, given.channels, given.size, given.size)
    stacked = np.stack(loaded) if loaded else np.empty(shape, np.float32)
    contents = np.array([images.content(raw) for raw in stacked], np.uint8).reshape(-1, CONTENT_BYTES)
    return ids, torch.from_numpy(images.standard_scaled(stacked)), contents


def _step(
    fabric: Fabric,
    model: Autoencoder,
    optimizers: list[Optimizer],
    experiment: Experiment,
    number: int,
    rows: Sequence[int],
    x: torch.Tensor,
    told: torch.Tensor | None = None,
) -> dict[str, float]:
    """One update; returns the batch means over all processes, and the rate. `told`: (n, k) of a conditional model."""
    draws = Draws(experiment.seed, number, experiment.batch_size, rows, str(fabric.device))
    torch.manual_seed(
        step_seed(experiment.seed, number)
    )  # for what a model draws itself: a discriminator's new weights
    rate = experiment.learning_rate_at(number)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
    model.train()
    x = augment.augmented(fabric.to_device(x), experiment.augmentations, draws)
    step = Step(fabric, draws, number / experiment.steps, None if told is None else fabric.to_device(told))
    with fabric.autocast():
        terms = model.training_step(x, optimizers, step)
    means = step.mean(torch.stack([term.float().to(x.device) for term in terms.values()])).tolist()
    for name, value in zip(terms, means, strict=True):
        if not math.isfinite(value):
            raise BadInputError(
                f"Training diverged at step {number}: {name} is {value}. "
                f"Lower the rate: --set learning_rate={experiment.learning_rate / 3:.1e}"
            )
    return dict(zip(terms, means, strict=True)) | {"learning_rate": rate}


class _Notes:
    """What the first process writes for people: the log, and how a few images are reconstructed after each epoch."""

    def __init__(
        self,
        out: Path,
        model: Autoencoder,
        split: Split,
        first_step: int,
        cache: Path | None,
        experiment: Experiment,
        record: Sequence[str],
        told: ToldImages | None = None,
    ) -> None:
        self._out, self._model = out, model
        for note in split.notes:
            _log.warning(note)
        of_dev, self._dev, self.dev_pictures = _batch(split.root, split.dev, model.input)
        is_read = split.dev["sample_id"].isin(of_dev).to_numpy()
        self._told = None if told is None else torch.from_numpy(told.dev[is_read])
        shown = split.dev if len(self._dev) else split.learned
        places = np.unique(
            np.linspace(0, len(shown) - 1, SHOWN, dtype=int)
        )  # all over: neighbours are often one person
        ids, self._shown, _ = _batch(split.root, shown.iloc[places], model.input)
        self.log = traininglog.Log(out, [*model.loss_names, *model.events], first_step)
        known = traininglog.read_samples(out) if first_step else None
        epochs = known.epochs if known else {}
        self._epochs = {e: r for e, r in epochs.items() if e < first_step // experiment.batches_per_epoch}
        self._ids = ids
        if cache:
            traininglog.announced(
                cache, out, experiment.as_json(), experiment.steps, chosen_by=model.chosen_by, first_step=first_step
            )
        self._recorders = recorders.begun(record, out, experiment.as_json(), model.chosen_by)

    def __enter__(self) -> _Notes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.log.flush()
        recorders.ended(self._recorders, self._out, is_finished=kind is None)

    def add(self, row: Mapping[str, Any]) -> None:
        """A row of the log, and of what is recorded beside it."""
        self.log.add(row)
        for recorder in self._recorders:
            recorder.add(row)

    @torch.inference_mode()
    def epoch_done(self, fabric: Fabric, epoch: int, step: int) -> float | None:
        """The dev loss that chooses the checkpoint, None without dev images; everything measured is written down."""
        self._model.eval()
        with fabric.autocast():
            shown = self._model.decode(self._model.encode(fabric.to_device(self._shown))).float().cpu()
            batches = [fabric.to_device(part) for part in torch.split(self._dev, 64) if len(part)]
            told = [None] * len(batches) if self._told is None else torch.split(fabric.to_device(self._told), 64)
            parts = [self._model.outputs(x, known).losses for x, known in zip(batches, told, strict=False)]
        self._epochs[epoch] = images.pictures(images.pixels(shown.numpy()))
        originals = images.pictures(images.pixels(self._shown.numpy()))
        traininglog.write_samples(self._out, originals, self._epochs, self._ids)
        dev = {
            name: float(torch.cat([part[name].float().cpu() for part in parts]).mean())
            for name in (self._model.loss_names if parts else ())
        }
        self.add({"epoch": epoch, "step": step, "split": "dev", **dev})
        self.log.flush()
        for recorder in self._recorders:
            recorder.flush()
        return dev.get(self._model.chosen_by)


def training_digest(settings: Json) -> str:
    """Stands for a training in the headers of its checkpoints: experiment with seed, data and precision."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def options(model: Autoencoder, optimizers: Sequence[Optimizer]) -> Json:
    """What the thesis leaves open, as this training has it: for the headers of its checkpoints.

    "initialisation" in words; "adam" its "betas", "eps" and "weight_decay"; "batch_norm" its "eps" and "momentum", None
    for a model without.
    """
    adam = optimizers[0].param_groups[0]
    layer = next((layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)), None)
    return {
        "initialisation": model.initialisation,
        "adam": {"betas": list(adam["betas"]), "eps": adam["eps"], "weight_decay": adam["weight_decay"]},
        "batch_norm": None if layer is None else {"eps": layer.eps, "momentum": layer.momentum},
    }


class _State:
    """What must survive a kill: weights, optimisers, step, the best dev loss so far."""

    def __init__(
        self,
        out: Path,
        settings: Json,
        keep_epochs: Sequence[int],
        split: Split,
        given: Features | Teacher | None = None,
    ) -> None:
        self.out, self.settings, self.keep_epochs, self.split = out, settings, list(keep_epochs), split
        self.given = given
        self.step = 0
        self.best = math.inf
        # (n, CONTENT_BYTES) of the pictures learned so far: kept, as a training that goes on may not read all again
        self.pictures = np.zeros((len(split.learned), CONTENT_BYTES), np.uint8)

    def begin(self, fabric: Fabric, model: Autoencoder, optimizers: list[Optimizer], *, resume: bool) -> None:
        """Goes on where a training ended, or writes that one has begun and not ended; one process does so for all."""
        if resume:
            self.restore(model, optimizers)
        if fabric.is_global_zero and not self.step:
            self.save(0, model, optimizers)

    def restore(self, model: Autoencoder, optimizers: list[Optimizer]) -> None:
        """Fills model and optimisers from the resume file, if there is one."""
        path = resume_file(self.out)
        if not path.is_file():
            if self.out.is_file():
                raise BadInputError(f"{self.out} is already trained to its end: there is nothing to resume.")
            return
        tensors, header = checkpoint.read_tensors(path)
        for part, what in (
            ("experiment", "experiment settings"),
            ("data_sha256", "data"),
            ("precision", "precision"),
            ("source_weights", "weights of sources"),
            ("features_sha256", "features"),
            ("teacher", "weights of a teacher"),
        ):
            if header.get(part) != self.settings.get(part):
                raise BadInputError(f"{path} belongs to other {what}. Leave out --resume to train anew.")
        kept = [int(epoch) for epoch in header.get("keep_epochs", [])]
        if self.keep_epochs not in ([], kept):  # those that are over could not be kept any more
            begun_with = f"--keep-epochs {','.join(map(str, kept))}" if kept else "no --keep-epochs"
            raise BadInputError(f"{path} was begun with {begun_with}. Resume it without naming epochs, or train anew.")
        self.keep_epochs = kept
        model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        for number, optimizer in enumerate(optimizers):
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimizer{number}."):
                    _, parameter, name = key.split(".")
                    state.setdefault(int(parameter), {})[name] = value
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        if PICTURES in tensors:
            self.pictures[:] = tensors[PICTURES].numpy()
        self.step, self.best = int(header["step"]), float(header["best"])

    def epoch_done(
        self,
        step: int,
        epoch: int,
        model: Autoencoder,
        optimizers: list[Optimizer],
        dev: float | None,
        dev_pictures: NDArray[np.uint8],
    ) -> None:
        """Writes the checkpoint when this epoch is the best (or there is no dev set), and the epoch's own where it is
        to be kept; then the resume file. `epoch`: how many are over."""
        learned, dev_of_given = (self.given.learned, self.given.dev) if self.given else ([], [])
        known = Known.of(
            [self.split.learned_files, self.pictures, *learned], [self.split.dev_files, dev_pictures, *dev_of_given]
        )
        details = self.settings | {
            "training": training_digest(self.settings),
            "epoch": epoch,
            "steps": step,
            "dev": {model.chosen_by: dev} if dev is not None else {},
            "preprocessing": f"{images.LOADING[model.input.channels]}; {images.STANDARD_SCALING}",
            "options": options(model, optimizers),
            "version": version("fas-explorer"),
            "images": {
                "learned": len(self.split.learned),
                "dev": len(self.split.dev),
                "left_out": self.split.n_left_out,
                "dev_sample_ids": self.split.dev["sample_id"].tolist(),
                **self._sources(),
            },
        }
        name = self.settings["experiment"]["model"]
        if dev is None or dev < self.best:
            self.best = math.inf if dev is None else dev
            why = f"lowest dev loss ({model.chosen_by})" if dev is not None else "last epoch"
            checkpoint.save(self.out, model, name, details | {"chosen_by": why}, known)
        if epoch in self.keep_epochs:
            about = details | {"chosen_by": f"epoch {epoch}"}
            checkpoint.save(epoch_file(self.out, epoch), model, name, about, known)
        self.save(step, model, optimizers)

    def _sources(self) -> Json:
        """How many images of each source are learned, where the data name sources."""
        if SOURCE not in self.split.learned:
            return {}
        counts = self.split.learned[SOURCE].value_counts().sort_index()
        return {"sources": {str(source): int(n) for source, n in counts.items()}}

    def save(self, step: int, model: Autoencoder, optimizers: list[Optimizer]) -> None:
        """Writes the resume file: what a training needs to go on with `step`."""
        tensors = {f"model.{k}": v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
        tensors[PICTURES] = torch.from_numpy(self.pictures)
        for number, optimizer in enumerate(optimizers):
            for parameter, values in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer{number}.{parameter}.{k}": v.cpu().contiguous() for k, v in values.items()}
        self.step = step
        about = self.settings | {"step": step, "best": self.best, "keep_epochs": self.keep_epochs}
        checkpoint.write_tensors(resume_file(self.out), tensors, about)
