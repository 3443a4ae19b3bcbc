"""The model of a GPU, compiled: on the CPU, by a compiler that counts what it is given."""

import logging
from dataclasses import replace
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from fas_core import models
from fas_core.inference import infer
from fas_core.inference.infer import Loaded, Ready
from fas_core.models.base import Model
from fas_core.models.input import Input
from fas_core.training import devices


class Tiny(Model):
    """A code of two numbers."""

    input = Input(16)

    def __init__(self) -> None:
        super().__init__(None)
        self.layer = nn.Linear(256, 2)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.flatten(1))


@pytest.fixture
def network() -> Ready:
    torch.manual_seed(0)
    model = Tiny().eval()
    return Ready(devices.one_device("cpu", "fp32"), model, model.form())


def test_a_compiled_model_is_compiled_once_for_any_number_of_images(
    network: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []

    def compiler(graph: Any, inputs: list[torch.Tensor]) -> Any:
        given.extend(len(x) for x in inputs if x.ndim == 4)
        return graph.forward

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=compiler))
    with torch.inference_mode():  # in which a GPU gets its images
        x = torch.rand(8, 1, 16, 16)
    plain = infer.device_outputs(network, x)["latents"]
    compiled = infer._compiled(network, Path("m.safetensors"))
    assert compiled.filled_to == infer.BATCH_CPU == 8
    for n in (8, 3, 1):
        assert torch.equal(infer.device_outputs(compiled, x[:n])["latents"], plain[:n])
    assert infer._compiled(network, Path("m.safetensors")).filled_to == 8  # for the next shard, as it is
    assert given == [8]


def test_what_cannot_be_compiled_is_computed_as_it_is_and_said(
    network: Ready, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def compiler(*_: object) -> Any:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=compiler))
    x = torch.rand(3, 1, 16, 16)
    plain = infer.device_outputs(network, x)["latents"]
    with caplog.at_level(logging.WARNING, "fas_core"):
        as_it_is = infer._compiled(network, Path("m.safetensors"))
    assert [record.getMessage() for record in caplog.records if "m.safetensors" in record.getMessage()]
    assert "no compiler here" in caplog.text
    assert as_it_is is network
    assert torch.equal(infer.device_outputs(as_it_is, x)["latents"], plain)


def test_only_a_gpu_with_many_images_is_worth_it(network: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cuda(str):
        type = "cuda"

    loaded = Loaded(Path("m"), network.model, {}, None, models.origin_of_files(), network.form)
    monkeypatch.setattr(infer, "_compiled", lambda each, _: replace(each, filled_to=256))
    on_gpu = SimpleNamespace(device=Cuda("cpu"), is_bf16=False)
    assert [infer.ready(loaded, place, compiles=compiles).filled_to for place, compiles in
            ((on_gpu, True), (on_gpu, False), (network.place, True))] == [256, 0, 0]  # fmt: skip
