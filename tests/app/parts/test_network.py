"""The model behind a Run, loaded once for all Runs of its checkpoint."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.parts import network
from app.session.cache import clear
from fas_core.inference import predict
from fas_core.runs.store import RunInfo


@dataclass(frozen=True)
class Made:
    """What the model is told apart by, of a Run."""

    id: str
    info: RunInfo


def of(checkpoint: str, precision: str = "fp32", **told: Any) -> RunInfo:
    return RunInfo("", "", "images", {}, [], checkpoint_sha256=checkpoint, precision=precision, **told)


def test_runs_of_one_checkpoint_share_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    clear()
    loads: list[str] = []
    monkeypatch.setattr(network, "checkpoint_file", lambda run: None)
    monkeypatch.setattr(predict, "ready", lambda run: loads.append(run.id) or run.id)
    code, changed = {"digest": "1"}, {"digest": "2"}
    first = Made("first", of("a", origin=code))
    runs: list[Any] = [
        first,
        replace(first, id="second"),
        Made("half", of("a", "bf16", origin=code)),
        Made("other", of("b", origin=code)),
        Made("changed", of("a", origin=changed)),
    ]
    models = []
    for run in runs:
        with network.of(run) as model:
            models.append(model)
    assert models == ["first", "first", "half", "other", "changed"]
    assert loads == ["first", "half", "other", "changed"]
    clear()
