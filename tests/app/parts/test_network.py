"""The model behind a Run, loaded once for all Runs of its checkpoint."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import streamlit as st

from app.parts import network
from fas_core.inference import predict


@dataclass(frozen=True)
class Info:
    checkpoint_sha256: str
    precision: str = "32"


@dataclass(frozen=True)
class Made:
    """What the model is told apart by, of a Run."""

    id: str
    info: Info


def test_runs_of_one_checkpoint_share_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_resource.clear()
    loads: list[str] = []
    monkeypatch.setattr(predict, "ready", lambda run: loads.append(run.id) or run.id)
    first = Made("first", Info("a"))
    runs: list[Any] = [first, replace(first, id="second"), Made("half", Info("a", "16")), Made("other", Info("b"))]
    models = []
    for run in runs:
        with network.of(run) as model:
            models.append(model)
    assert models == ["first", "first", "half", "other"]
    assert loads == ["first", "half", "other"]
    st.cache_resource.clear()
