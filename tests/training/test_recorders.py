"""What TensorBoard and MLflow are told is what the metrics log says, once, also of a training that was interrupted."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fas_core.data import manifest
from fas_core.errors import BadInputError
from fas_core.files import file_sha256
from fas_core.runs import traininglog
from fas_core.training import experiments, recorders, train
from fas_core.training.experiments.base import Experiment
from tests.conftest import TINY_MODEL, Result, message


@pytest.fixture
def experiment() -> Experiment:
    return experiments.preset("small_dcvae").with_settings(TINY_MODEL)


def summaries(folder: Path) -> Iterator[tuple[int, Any]]:
    """Steps and values of event files, read as TFRecords: a length, its checksum, an event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    for path in folder.iterdir():
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + length])
            yield from ((event.step, value) for value in event.summary.value)
            content = content[16 + length :]


def told_by_the_log(out: Path) -> dict[tuple[str, int], float]:
    """(tag, step) -> value, of every number in the log."""
    told = {}
    for row in traininglog.read_log(out).to_dict("records"):
        for name, value in row.items():
            if name not in ("epoch", "step", "split") and not pd.isna(value):
                told[name if name == "learning_rate" else f"{row['split']}/{name}", row["step"]] = value
    return told


def interrupted_and_resumed(
    experiment: Experiment, data: Path, out: Path, record: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted in the middle of its second epoch, so that two steps are done twice."""
    step, calls = train._step, iter(range(1000))

    def interrupted(*arguments: Any) -> dict[str, float]:
        if next(calls) == 6:
            raise KeyboardInterrupt
        return step(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(train, "_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train.train(experiment, manifest.read(data), out, device="cpu", record=record)
    train.train(experiment, manifest.read(data), out, device="cpu", record=record, resume=True)


def test_event_files_say_what_the_log_says(
    experiment: Experiment, tiny_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.safetensors"
    interrupted_and_resumed(experiment, tiny_faces, out, ["tensorboard"], monkeypatch)
    said = list(summaries(tmp_path / "m.tensorboard"))
    scalars = [((value.tag, step), value.simple_value) for step, value in said if value.HasField("simple_value")]
    assert dict(scalars) == pytest.approx(told_by_the_log(out), rel=1e-6)
    assert set(Counter(at for at, _ in scalars).values()) == {1}
    assert {"train/elbo", "dev/elbo", "learning_rate"} <= {tag for (tag, _), _ in scalars}
    texts = {value.tag: value.tensor.string_val[0].decode() for _, value in said if value.tensor.string_val}
    assert texts["checkpoint_sha256/text_summary"] == file_sha256(out)
    settings = next(value for _, value in said if value.tag == "_hparams_/session_start_info")
    assert b"latent_dim" in settings.metadata.plugin_data.content


def test_mlflow_is_told_what_the_log_says(
    experiment: Experiment, tiny_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(package, reason="MLflow is not installed")
    from mlflow.tracking import MlflowClient

    out = tmp_path / "m.safetensors"
    interrupted_and_resumed(experiment, tiny_faces, out, ["mlflow"], monkeypatch)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("small_dcvae").experiment_id])
    names = {tag for tag, _ in told_by_the_log(out)}
    history = [((m.key, m.step), m.value) for name in names for m in client.get_metric_history(run.info.run_id, name)]
    assert dict(history) == pytest.approx(told_by_the_log(out))
    assert len(history) == len(dict(history))
    assert run.data.params["latent_dim"] == "16"
    assert run.data.tags["checkpoint_sha256"] == file_sha256(out)
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize(("name", "package"), [("tensorboard", "tensorboardX"), ("mlflow", "alembic")])
def test_a_missing_extra_is_named_before_anything_is_written(
    name: str,
    package: str,
    tiny_faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fas: Callable[..., Result],
) -> None:
    monkeypatch.setattr(recorders, "find_spec", lambda wanted: None if wanted == package else object())
    out = tmp_path / "new" / "m.safetensors"
    refused = message(fas("train", "small_dcvae", "--data", tiny_faces, "--out", out, "--log", name))
    assert f"pip install 'fas-explorer[{name}]'" in refused
    assert not out.parent.exists()


def test_an_unknown_tool_is_refused() -> None:
    with pytest.raises(BadInputError, match="--log wandb: choose tensorboard or mlflow"):
        recorders.require(["wandb"])
