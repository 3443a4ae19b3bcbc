"""The log of a training as data: its losses, reconstructions by epoch, and where the app finds both. No PyTorch.

    m.metrics.csv              one row per step ("train") and one per epoch ("dev"); empty where a row has no value
    m.reconstructions.npz      a few images and what the model makes of them after each epoch
    m.epoch-0004.safetensors   the weights after four epochs, where they were asked for
    cache/trainings/*.json     one entry per training, so that the app, which knows the cache folder only, finds it

Epochs and steps count from 0, as in the training loop; names of files count the epochs that are over.
`m.safetensors` is the checkpoint, `out` below.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.documents import Json, read, read_as
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, cannot_write, opened_file

COLUMNS = ("epoch", "step", "split", "learning_rate")  # of every log; the model's terms come after them
FLUSH_EVERY = 1.0  # seconds: what a kill can take from the log, and how far the app can be behind
FRESH = 60.0  # seconds without a row after which a training counts as interrupted

State = Literal["finished", "running", "interrupted"]


def metrics_log(out: Path) -> Path:
    """Where the log of the training of a checkpoint lies."""
    return out.with_suffix(".metrics.csv")


def samples_file(out: Path) -> Path:
    """Where its reconstructions by epoch lie."""
    return out.with_suffix(".reconstructions.npz")


def resume_file(out: Path) -> Path:
    """Where its state lies until it has ended."""
    return out.with_suffix(".resume.safetensors")


def epoch_file(out: Path, epoch: int) -> Path:
    """Where the weights after so many epochs lie, 1 being the first."""
    return out.with_suffix(f".epoch-{epoch:04d}.safetensors")


def of_training(checkpoint: Path) -> Path:
    """The checkpoint that a training keeps at its end, of one that it has kept after an epoch."""
    of_epoch = _OF_EPOCH.fullmatch(checkpoint.stem)
    return checkpoint.with_name(f"{of_epoch[1]}{checkpoint.suffix}") if of_epoch else checkpoint


_OF_EPOCH = re.compile(r"(.+)\.epoch-(\d+)")


# ------------------------------------------------------------------------------------------------------------ the log


class Log:
    """Appends rows to the log of `out`, a few times a minute or a thousand times a second; nothing is written twice.

        with Log(out, ["rec", "kl", "elbo"]) as log:
            log.add({"epoch": 0, "step": 0, "split": "train", "learning_rate": 7e-4, "rec": 9000.0})

    `columns`: names beyond `COLUMNS`. `before_step`: 0 begins a new log; otherwise the rows of earlier steps are kept
    as they are, byte by byte, and later ones are dropped, as is a line that a kill has left unfinished: a resumed log
    equals an uninterrupted one. Call `flush` before writing the state that a resume starts from.
    """

    def __init__(self, out: Path, columns: Sequence[str], before_step: int = 0) -> None:
        self.path = metrics_log(out)
        own, kept = _kept(self.path, before_step) if before_step else ((), [])
        self.columns = tuple(dict.fromkeys((*own, *COLUMNS, *columns)))
        padding = "," * (len(self.columns) - len(own))  # for columns that an older log does not have
        self._waiting: list[str] = []
        self._flushed = time.monotonic()
        with atomic_file(self.path) as temporary, temporary.open("w") as file:
            file.write(",".join(self.columns) + "\n")
            file.writelines(f"{line}{padding}\n" for line in kept)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def add(self, row: Mapping[str, Any]) -> None:
        """One row; a column without a value stays empty. Raises ValueError for a name that is no column."""
        unknown = row.keys() - set(self.columns)
        if unknown:
            raise ValueError(f"{self.path.name} has no column {min(unknown)!r}. Columns: {', '.join(self.columns)}.")
        self._waiting.append(",".join(_cell(row.get(name)) for name in self.columns))
        if time.monotonic() - self._flushed >= FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Writes the rows that are not in the file yet."""
        self._flushed = time.monotonic()
        if self._waiting:
            try:
                with self.path.open("a") as file:
                    file.write("\n".join(self._waiting) + "\n")
            except OSError as error:
                raise BadInputError(cannot_write(self.path, error)) from error
            finally:
                self._waiting = []


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return str(int(value)) if isinstance(value, int | np.integer) else repr(float(value))  # repr: to the last bit


def _kept(path: Path, before_step: int) -> tuple[tuple[str, ...], list[str]]:
    """Columns of a log and its whole lines of earlier steps; nothing where there is no log."""
    try:
        with opened_file(path) as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return (), []
    header, *lines = text[: text.rfind("\n") + 1].split("\n")
    columns = tuple(header.split(","))
    if not {"epoch", "step", "split"} <= set(columns):
        return (), []
    at = columns.index("step")
    rows = ((line, line.split(",")) for line in lines)
    return columns, [
        line
        for line, cells in rows
        if len(cells) == len(columns) and cells[at].isdecimal() and int(cells[at]) < before_step
    ]


def read_log(out: Path) -> pd.DataFrame:
    """The rows written so far: `COLUMNS` first, then a column per term, NaN where a row has no value.

    A line that is still being written is left out; without a log the table has no rows.
    """
    try:
        with opened_file(metrics_log(out)) as file:
            content = file.read()
        table = pd.read_csv(
            io.BytesIO(content[: content.rfind(b"\n") + 1]),
            on_bad_lines="skip",
            low_memory=False,
        )
    except (OSError, ValueError):  # no file, an empty one, or one that is no table
        table = pd.DataFrame()
    terms = [name for name in table.columns if name not in COLUMNS]
    table = table.reindex(columns=[*COLUMNS, *terms])
    numbers = table.drop(columns="split").apply(pd.to_numeric, errors="coerce")
    table = numbers.astype("float64").assign(split=table["split"].astype("str"))[[*COLUMNS, *terms]]
    return table.dropna(subset=["epoch", "step"]).astype({"epoch": "int64", "step": "int64"}).reset_index(drop=True)


def kept_epoch(log: pd.DataFrame, chosen_by: str) -> int | None:
    """The epoch whose weights the checkpoint holds: the first with the lowest dev `chosen_by`, the last one where the
    dev rows have no such value; None before the first epoch has ended."""
    dev = log[log["split"] == "dev"]
    if dev.empty:
        return None
    if chosen_by in dev and dev[chosen_by].notna().any():
        return int(dev.loc[dev[chosen_by].idxmin(), "epoch"])
    return int(dev["epoch"].iloc[-1])


def smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """(n,) running mean over `window` values around each; NaN counts as absent, and so does what lies beyond the ends.

    Centred: a trailing mean would show the early fall too late.
    """
    means: NDArray[np.float64] = pd.Series(values).rolling(window, center=True, min_periods=1).mean().to_numpy()
    return means


@dataclass(frozen=True, eq=False)
class DevCurve:
    """The dev loss that chooses a training's checkpoint, and the epoch that one checkpoint is from."""

    epochs: NDArray[np.float64]  # (n, 2) epochs from 1 on, and the loss
    at: int  # row of the checkpoint's epoch


def dev_curves(cache: Path, checkpoints: Sequence[str]) -> list[DevCurve | None]:
    """For each checkpoint's file name, the one kept at the end or that of an epoch, the curve of its newest training.

    None where no training of that name has dev losses.
    """
    by_name = {training.name: training for training in reversed(trainings(cache))}
    curves: list[DevCurve | None] = []
    for checkpoint in checkpoints:
        stem = Path(checkpoint).stem
        of_epoch = _OF_EPOCH.fullmatch(stem)
        training = by_name.get(of_epoch[1] if of_epoch else stem)
        log = training.log() if training is not None else pd.DataFrame()
        if training is None or training.chosen_by not in log:
            curves.append(None)
            continue
        dev = log[log["split"] == "dev"].dropna(subset=[training.chosen_by]).drop_duplicates("epoch", keep="last")
        curve = np.column_stack([dev["epoch"].to_numpy(float) + 1, dev[training.chosen_by].to_numpy(float)])
        here = np.flatnonzero(curve[:, 0] == int(of_epoch[2])) if of_epoch else [curve[:, 1].argmin()] * bool(len(dev))
        curves.append(DevCurve(curve, int(here[0])) if len(here) else None)
    return curves


def between_first_and_best(loss: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) 1 at the first loss and 0 at the lowest: models whose losses have other units on one scale."""
    span = loss[0] - loss.min()
    return (loss - loss.min()) / span if span > 0 else np.zeros_like(loss)


# ------------------------------------------------------------------------------------------- reconstructions by epoch


@dataclass(frozen=True)
class Samples:
    """A few images (n, H, W) or (n, H, W, 3) u8, their reconstructions alike after some epochs, and their ids."""

    inputs: NDArray[np.uint8]
    epochs: dict[int, NDArray[np.uint8]]
    ids: list[str]

    def __post_init__(self) -> None:
        arrays = [self.inputs, *self.epochs.values()]
        is_shape = self.inputs.ndim == 3 or (self.inputs.ndim == 4 and self.inputs.shape[3] == 3)
        if not is_shape or any(a.shape != self.inputs.shape or a.dtype != np.uint8 for a in arrays):
            raise ValueError(
                f"inputs and reconstructions must be bytes of one shape (n, H, W) or (n, H, W, 3): {self.inputs.shape}"
            )
        if len(self.ids) != len(self.inputs):
            raise ValueError(f"{len(self.inputs)} images but {len(self.ids)} ids")

    def pixel_l1(self, epoch: int) -> float:
        """Mean absolute error of an epoch's reconstructions, of the pixel range 0..1."""
        return float(np.abs(self.inputs.astype(np.int16) - self.epochs[epoch]).mean() / 255)


def write_samples(
    out: Path, inputs: NDArray[np.uint8], epochs: Mapping[int, NDArray[np.uint8]], ids: Sequence[str]
) -> None:
    """Writes the reconstructions of every epoch so far, complete or not at all. Shapes: see `Samples`."""
    samples = Samples(inputs, dict(sorted(epochs.items())), list(ids))
    with atomic_file(samples_file(out)) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            inputs=samples.inputs,
            epochs=np.array(list(samples.epochs), np.int64),
            reconstructions=np.stack([*samples.epochs.values()] or [inputs])[: len(samples.epochs)],
            ids=np.array(samples.ids, np.str_),
        )


def read_samples(out: Path) -> Samples | None:
    """What `write_samples` wrote; None where there is nothing. Raises BadInputError when the file is damaged."""
    path = samples_file(out)
    try:
        with opened_file(path) as raw, np.load(raw, allow_pickle=False) as file:
            pairs = zip(file["epochs"].tolist(), file["reconstructions"], strict=True)
            return Samples(file["inputs"], {int(epoch): images for epoch, images in pairs}, [*map(str, file["ids"])])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{path} is damaged ({error}). Delete it; nothing else depends on it.") from error


# ---------------------------------------------------------------------------------------- which trainings there are


@dataclass(frozen=True)
class Training:
    """One entry of the cache folder: a training under way or ended. `started` in seconds since 1970."""

    id: str  # eight hexadecimal digits that stand for the checkpoint's place
    name: str  # of the checkpoint's file
    checkpoint: Path
    experiment: Json  # Experiment.as_json()
    steps: int  # planned
    started: float
    chosen_by: str = ""  # the dev term that chooses the checkpoint
    first_step: int = 0  # where it went on after an interruption

    @property
    def steps_per_epoch(self) -> int:
        given = self.experiment.get("batches_per_epoch")
        return given if isinstance(given, int) and 0 < given <= self.steps else self.steps

    @property
    def epochs(self) -> int:
        return -(-self.steps // self.steps_per_epoch)

    @property
    def stamp(self) -> tuple[int, int]:
        """Changes whenever a row is added to the log."""
        try:
            status = metrics_log(self.checkpoint).stat()
        except OSError:
            return (0, 0)
        return (status.st_mtime_ns, status.st_size)

    @property
    def done(self) -> int:
        """Steps in the log, read from its end."""
        try:
            with opened_file(metrics_log(self.checkpoint)) as file:
                columns = file.readline().decode(errors="replace").rstrip("\n").split(",")
                file.seek(max(file.tell(), file.seek(0, io.SEEK_END) - 8192))
                *_, last, _ = file.read().decode(errors="replace").split("\n")
            return int(last.split(",")[columns.index("step")]) + 1
        except (OSError, ValueError, IndexError):  # no log, or no whole row yet
            return 0

    @property
    def state(self) -> State:
        """Finished: a checkpoint and no resume file, and a log that is at its end or no longer grows.

        The log has a say because the first checkpoint is there a moment before the first resume file.
        """
        is_fresh = abs(time.time() - self.stamp[0] / 1e9) < FRESH
        is_at_end = self.done >= self.steps or (self.checkpoint.is_file() and not is_fresh)
        if is_at_end and not resume_file(self.checkpoint).is_file():
            return "finished"
        return "running" if is_fresh else "interrupted"

    def seconds_left(self) -> float | None:
        """At the pace since it was started (or went on); None before there is one."""
        done, elapsed = self.done, self.stamp[0] / 1e9 - self.started
        since = done - self.first_step
        return elapsed * (self.steps - done) / since if since > 0 and elapsed > 0.5 else None

    def log(self) -> pd.DataFrame:
        """See `read_log`."""
        return read_log(self.checkpoint)

    def samples(self) -> Samples | None:
        """See `read_samples`."""
        return read_samples(self.checkpoint)


def announced(
    cache: Path, out: Path, experiment: Json, steps: int, *, chosen_by: str = "", first_step: int = 0
) -> Training:
    """Enters a training in a cache folder; one of the same checkpoint is replaced. Call it when the first step begins.

    `experiment`: Experiment.as_json(). `first_step`: where a resumed training goes on; the pace counts from there.
    """
    out = out.resolve()
    number = hashlib.sha256(str(out).encode()).hexdigest()[:8]
    training = Training(number, out.stem, out, experiment, steps, time.time(), chosen_by, first_step)
    with atomic_file(trainings_folder(cache) / f"{training.name}-{number}.json") as temporary:
        temporary.write_text(json.dumps(asdict(training) | {"checkpoint": str(out)}))
    return training


LATEST = 4e9  # seconds since 1970: a time that no clock shows for a century


def trainings_folder(cache: Path) -> Path:
    """Where it is kept which trainings there are."""
    return cache / "trainings"


def trainings(cache: Path) -> list[Training]:
    """Trainings whose log is there, newest first; entries that cannot be read are left out."""
    entered = []
    for path in sorted(trainings_folder(cache).glob("*.json")):
        try:
            training = read_as(Training, read(path, cache), str(path))
        except (OSError, ValueError, BadInputError):
            continue  # being replaced at this moment, or not ours
        is_ours = training.steps >= 1 and 0 <= training.started < LATEST and training.checkpoint.is_absolute()
        if is_ours and metrics_log(training.checkpoint).is_file():
            entered.append(training)
    return sorted(entered, key=lambda training: -training.started)
