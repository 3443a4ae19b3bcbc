"""A training in the tools that people watch trainings with, TensorBoard and MLflow: local files, nothing is sent.

A record follows the metrics log. Where a training goes on, its record is written anew from the rows that the log keeps,
so that no step is there twice.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import file_sha256
from fas_core.runs import traininglog

TENSORBOARD, MLFLOW = "tensorboard", "mlflow"
_NEEDS = {TENSORBOARD: ("tensorboardX",), MLFLOW: ("mlflow", "sqlalchemy", "alembic")}  # by name, which is the extra's
_MOST = 1000  # metrics that MLflow takes at once


class Recorder(Protocol):
    """What a training tells of itself, for one tool."""

    def add(self, row: Mapping[str, Any]) -> None:
        """A row of the metrics log."""

    def flush(self) -> None:
        """Writes the rows that are not in the files yet."""

    def end(self, checkpoint_sha256: str | None) -> None:
        """After the last row: the hash of the checkpoint, None where the training was interrupted."""


def require(names: Sequence[str]) -> None:
    """Raises BadInputError for tools that there are not, and for those whose packages are not installed."""
    for name in names:
        if name not in _NEEDS:
            raise BadInputError(f"--log {name}: choose {' or '.join(_NEEDS)}.")
        if any(find_spec(package) is None for package in _NEEDS[name]):
            raise BadInputError(
                f"--log {name} needs packages that are not installed: pip install 'fas-explorer[{name}]', "
                f"or in a checkout pip install -e '.[{name}]'"
            )


def begun(names: Sequence[str], out: Path, experiment: Json, chosen_by: str) -> list[Recorder]:
    """Records of the training of a checkpoint, with the rows that its log has so far.

    `experiment`: Experiment.as_json(). `chosen_by`: the dev term that chooses the checkpoint.
    """
    is_plain = {name: isinstance(value, str | int | float | bool) for name, value in experiment.items()}
    settings = {name: value if is_plain[name] else json.dumps(value) for name, value in experiment.items()}
    opened: list[Recorder] = []
    for name in dict.fromkeys(names):
        opened.append(TensorBoard(out, settings, chosen_by) if name == TENSORBOARD else MLflow(out, settings))
    if opened:
        for row in traininglog.read_log(out).to_dict("records"):
            for recorder in opened:
                recorder.add({str(key): value for key, value in row.items()})
    for recorder in opened:
        recorder.flush()
    return opened


def ended(recorders: Sequence[Recorder], out: Path, *, is_finished: bool) -> None:
    """Every record with the hash of the finished checkpoint."""
    for recorder in recorders:
        recorder.end(file_sha256(out) if is_finished else None)


class TensorBoard:
    """Event files in `m.tensorboard/` beside `m.safetensors`, for `tensorboard --logdir`."""

    def __init__(self, out: Path, settings: Mapping[str, Any], chosen_by: str) -> None:
        from tensorboardX import FileWriter
        from tensorboardX.summary import hparams

        folder = out.with_suffix(".tensorboard")
        for path in folder.glob("events.out.tfevents.*"):
            path.unlink()
        self._writer = FileWriter(str(folder))
        for summary in hparams(dict(settings), {f"dev/{chosen_by}": 0.0}):
            self._writer.add_summary(summary)

    def add(self, row: Mapping[str, Any]) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in _scalars(row)]
        self._writer.add_summary(Summary(value=values), int(row["step"]))

    def flush(self) -> None:
        self._writer.flush()

    def end(self, checkpoint_sha256: str | None) -> None:
        from tensorboardX.summary import text

        if checkpoint_sha256:
            self._writer.add_summary(text("checkpoint_sha256", checkpoint_sha256))
        self._writer.close()


class MLflow:
    """A run in `mlflow.db` of the checkpoint's folder, for `mlflow ui --backend-store-uri sqlite:///mlflow.db`.

    Trainings of one folder are runs side by side; an earlier record of the same checkpoint is deleted.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")  # read when it is imported
        from mlflow.entities import Param, RunTag
        from mlflow.tracking import MlflowClient

        folder = out.resolve().parent
        self._client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        name = str(settings["name"])
        known = self._client.get_experiment_by_name(name)
        artifacts = (folder / "mlruns").as_uri()
        number = known.experiment_id if known else self._client.create_experiment(name, artifact_location=artifacts)
        place = hashlib.sha256(str(out.resolve()).encode()).hexdigest()  # a path may have a quote in it
        for earlier in self._client.search_runs([number], f"tags.fas_place = '{place}'"):
            self._client.delete_run(earlier.info.run_id)
        self._run = self._client.create_run(number, run_name=out.stem).info.run_id
        params = [Param(key, str(value)) for key, value in settings.items()]
        tags = [RunTag("fas_place", place), RunTag("checkpoint", str(out.resolve()))]
        self._client.log_batch(self._run, params=params, tags=tags)
        self._waiting: list[Any] = []

    def add(self, row: Mapping[str, Any]) -> None:
        from mlflow.entities import Metric

        now, step = int(1000 * time.time()), int(row["step"])
        self._waiting += [Metric(name, value, now, step) for name, value in _scalars(row)]
        if len(self._waiting) >= _MOST:
            self.flush()

    def flush(self) -> None:
        while self._waiting:
            self._client.log_batch(self._run, metrics=self._waiting[:_MOST])
            del self._waiting[:_MOST]

    def end(self, checkpoint_sha256: str | None) -> None:
        self.flush()
        if checkpoint_sha256:
            self._client.set_tag(self._run, "checkpoint_sha256", checkpoint_sha256)
        self._client.set_terminated(self._run, "FINISHED" if checkpoint_sha256 else "KILLED")


def _scalars(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Names and values of what a row has numbers of: train/rec, dev/rec, learning_rate."""
    for name, value in row.items():
        if name not in ("epoch", "step", "split") and value is not None and not math.isnan(value):
            yield (name if name == "learning_rate" else f"{row['split']}/{name}"), float(value)
