"""The training loop: batches, schedule, device and precision, dev loss, resume, metrics log.

Everything random is a function of (seed, step), so a training that was killed and resumed goes through the same
batches with the same noise as one that was not.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch.optim import Optimizer

from fas_core import checkpoint, images, models
from fas_core.errors import BadInputError
from fas_core.experiments.base import Experiment
from fas_core.manifest import BONA_FIDE, Manifest, require_writable, write_table
from fas_core.models.base import Autoencoder, OptimizerSettings
from fas_core.progress import task

_log = logging.getLogger(__name__)

DEV_SHARE = 0.1
DEV_LIMIT = 1024  # images: the dev loss of an epoch must stay cheap beside the epoch
DECODERS = 4


@dataclass(frozen=True)
class Split:
    """Bona fide training images: those that are learned, and those that choose the checkpoint."""

    learned: list[Path]
    dev: list[Path]


def metrics_log(out: Path) -> Path:
    """Where the log of the training of a checkpoint lies: one row per step, and one per epoch with the dev losses."""
    return out.with_suffix(".metrics.csv")


def resume_file(out: Path) -> Path:
    return out.with_suffix(".resume.safetensors")


def trained(
    experiment: Experiment,
    data: Manifest,
    out: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    precision: str = "32-true",
    job_file: Path | None = None,
) -> Path:
    """Trains and writes the checkpoint with the lowest dev loss of any epoch; returns `out`.

    The dev loss is the model's total loss on live images of training subjects that are not learned from. Raises
    BadInputError when there is nothing to train on, when training diverges (naming the step), when `resume` finds the
    state of another experiment or other data, or when `out` is there already and would be lost without it.
    """
    if not resume and (out.exists() or resume_file(out).exists()):
        raise BadInputError(
            f"{out} is there already, finished or interrupted. Go on with an interrupted training: --resume. "
            "Otherwise choose another --out, or delete it first."
        )
    require_writable(out.parent)
    split = train_dev_split(data, experiment.seed)
    fabric = Fabric(accelerator="cuda" if device == "cuda" else device, devices=1, precision=precision)  # type: ignore[arg-type]
    torch.manual_seed(experiment.seed)
    model = models.built(experiment.model, experiment.config).to(fabric.device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    settings = OptimizerSettings(experiment.learning_rate, experiment.beta1, experiment.beta2)
    optimizers = model.optimizers(settings)
    state = _State(out, {"experiment": experiment.as_json(), "data_sha256": data.sha256})
    log: list[dict[str, Any]] = state.restored(model, optimizers) if resume else []
    dev = _batch(split.dev, model.config.image_size) if split.dev else None
    stage = f"Training {experiment.name}"
    with (
        task(stage, experiment.steps, job_file=job_file, stage="train") as progress,
        _Batches(split, experiment) as feed,
    ):
        progress.begin_at(state.step)
        for step, x in feed.from_step(state.step, model.config.image_size):
            terms = _step(fabric, model, optimizers, experiment, step, x)
            log.append({"epoch": step // experiment.batches_per_epoch, "step": step, "split": "train", **terms})
            progress.advance()
            if (step + 1) % experiment.batches_per_epoch == 0:
                dev_terms = _dev_losses(fabric, model, dev)
                log.append({"epoch": step // experiment.batches_per_epoch, "step": step, "split": "dev", **dev_terms})
                state.epoch_done(step + 1, model, optimizers, dev_terms, log)
    if feed.unreadable:
        path, reason = next(iter(feed.unreadable.items()))
        _log.warning("%d training images could not be read, e.g. %s: %s", len(feed.unreadable), path, reason)
    resume_file(out).unlink(missing_ok=True)
    return out


def train_dev_split(data: Manifest, seed: int) -> Split:
    """Live images of subset `train` (of all, where no subset has that name), a tenth of them kept as dev.

    Whole sessions go to dev where there are at least ten, whole subjects where there are at least ten of those, single
    images otherwise; fewer than ten images leave no dev set, and the last epoch counts.
    """
    rows = data.rows[data.rows["label"] == BONA_FIDE]
    if "train" in set(data.rows["subset"]):
        rows = rows[rows["subset"] == "train"]
    elif set(data.rows["subset"]) != {"all"}:
        raise BadInputError(f"{data.source} has no subset 'train'. Make the subsets: fas data subsets {data.source}")
    if rows.empty:
        raise BadInputError(
            f"{data.source}: no bona fide image to train on. Training uses live images of 'train' only."
        )
    rng = np.random.default_rng([seed, 1])
    for column in ("session_id", "subject_id", "sample_id"):
        groups = sorted(set(rows[column]) - {""})
        if len(groups) >= 10 and (rows[column] != "").all():
            chosen = set(rng.permutation(groups)[: max(1, round(DEV_SHARE * len(groups)))])
            is_dev = rows[column].isin(chosen)
            break
    else:
        is_dev = pd.Series(False, index=rows.index)
    paths = pd.Series(data.image_paths(), index=data.rows.index)
    return Split(paths[rows.index[~is_dev]].tolist(), paths[rows.index[is_dev]].tolist()[:DEV_LIMIT])


def order_at(step: int, batch_size: int, n: int, seed: int) -> NDArray[np.int64]:
    """Which of n images batch number `step` holds: an endless chain of permutations, cut into batches."""
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    rounds = positions // n
    chosen = np.empty(batch_size, np.int64)
    for number in np.unique(rounds):
        here = rounds == number
        chosen[here] = np.random.default_rng([seed, 2, int(number)]).permutation(n)[positions[here] % n]
    return chosen


class _Batches:
    """Batches read ahead by threads, in the order of `order_at`; unreadable files are left out and remembered."""

    def __init__(self, split: Split, experiment: Experiment) -> None:
        self._paths = split.learned
        self._experiment = experiment
        self._pool = ThreadPoolExecutor(DECODERS)
        self.unreadable: dict[str, str] = {}

    def __enter__(self) -> _Batches:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def from_step(self, first: int, size: int) -> Iterator[tuple[int, torch.Tensor]]:
        """(step, batch (b, 1, size, size) after standard scaling) until the experiment ends."""
        e = self._experiment

        def submitted(step: int) -> list[Any]:
            chosen = order_at(step, e.batch_size, len(self._paths), e.seed)
            return [self._pool.submit(self._loaded, self._paths[i], size) for i in chosen]

        ahead = submitted(first) if first < e.steps else []
        for step in range(first, e.steps):
            futures, ahead = ahead, submitted(step + 1) if step + 1 < e.steps else []
            loaded = [image for future in futures if (image := future.result()) is not None]
            if not loaded:
                path, reason = next(iter(self.unreadable.items()))
                raise BadInputError(f"No image of batch {step} could be read; {path}: {reason}.")
            yield step, torch.from_numpy(images.standard_scaled(np.stack(loaded)))

    def _loaded(self, path: Path, size: int) -> NDArray[np.float32] | None:
        try:
            return images.load(path, size)
        except images.UnreadableImageError as error:
            self.unreadable[str(path)] = str(error)
            return None


def _batch(paths: Sequence[Path], size: int) -> torch.Tensor | None:
    """Every readable image of `paths` as one batch after standard scaling."""
    loaded = []
    for path in paths:
        try:
            loaded.append(images.load(path, size))
        except images.UnreadableImageError:
            continue  # counted and listed by `fas data check` and by every Run
    return torch.from_numpy(images.standard_scaled(np.stack(loaded))) if loaded else None


def _step(
    fabric: Fabric, model: Autoencoder, optimizers: list[Optimizer], experiment: Experiment, step: int, x: torch.Tensor
) -> dict[str, float]:
    torch.manual_seed((experiment.seed << 32) + step)
    rate = experiment.learning_rate_at(step)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
    model.train()
    with fabric.autocast():
        terms = model.training_step(fabric.to_device(x), optimizers, fabric.backward)
    values = {name: float(value) for name, value in terms.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise BadInputError(
                f"Training diverged at step {step}: {name} is {value}. "
                f"Lower the rate: --set learning_rate={experiment.learning_rate / 3:.1e}"
            )
    return values | {"learning_rate": rate}


@torch.inference_mode()
def _dev_losses(fabric: Fabric, model: Autoencoder, dev: torch.Tensor | None) -> dict[str, float]:
    if dev is None:
        return {}
    model.eval()
    with fabric.autocast():
        parts = [model.losses(fabric.to_device(part)) for part in dev.split(64)]
    return {name: float(torch.cat([part[name].float().cpu() for part in parts]).mean()) for name in parts[0]}


class _State:
    """What must survive a kill: weights, optimisers, step, the best dev loss so far, the log."""

    def __init__(self, out: Path, identity: dict[str, Any]) -> None:
        self.out, self.identity = out, identity
        self.step = 0
        self.best = math.inf

    def restored(self, model: Autoencoder, optimizers: list[Optimizer]) -> list[dict[str, Any]]:
        """Fills model and optimisers from the resume file, if there is one; returns the log up to there."""
        path = resume_file(self.out)
        if not path.is_file():
            if self.out.is_file():
                raise BadInputError(f"{self.out} is already trained to its end: there is nothing to resume.")
            return []
        tensors, header = checkpoint.read_tensors(path)
        for part in ("experiment", "data_sha256"):
            if header[part] != self.identity[part]:
                what = "experiment settings" if part == "experiment" else "data"
                raise BadInputError(f"{path} belongs to other {what}. Leave out --resume to train anew.")
        model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        for number, optimizer in enumerate(optimizers):
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimizer{number}."):
                    _, parameter, name = key.split(".")
                    state.setdefault(int(parameter), {})[name] = value
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        self.step, self.best = int(header["step"]), float(header["best"])
        if not metrics_log(self.out).is_file():
            return []
        log = pd.read_csv(metrics_log(self.out))
        rows: list[dict[str, Any]] = log[log["step"] < self.step].to_dict("records")
        return rows

    def epoch_done(
        self,
        step: int,
        model: Autoencoder,
        optimizers: list[Optimizer],
        dev: dict[str, float],
        log: list[dict[str, Any]],
    ) -> None:
        """Writes the log, the checkpoint when this epoch is the best (or there is no dev set), the resume file."""
        total = dev.get("elbo", -math.inf)
        write_table(pd.DataFrame(log), metrics_log(self.out))
        if total < self.best or not dev:
            self.best = total
            details = self.identity | {
                "steps": step,
                "dev": dev,
                "chosen_by": "lowest dev loss" if dev else "last epoch",
                "preprocessing": images.PREPROCESSING,
                "version": version("fas-explorer"),
            }
            checkpoint.saved(self.out, model, self.identity["experiment"]["model"], details)
        tensors = {f"model.{k}": v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
        for number, optimizer in enumerate(optimizers):
            for parameter, values in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer{number}.{parameter}.{k}": v.cpu().contiguous() for k, v in values.items()}
        self.step = step
        checkpoint.write_tensors(resume_file(self.out), tensors, self.identity | {"step": step, "best": self.best})
