"""One training step of each model, bf16 and channels-last against plain fp32; memory of the loader.

Plain: default layout, and the layers as the thesis' tables list them, upsampling and convolution one after another.
bf16 pays where the processor multiplies it (AMX, AVX-512 BF16, CUDA). Elsewhere it is emulated and many times slower;
the step in fp32 with channels last, which is what `fas train` does by itself, is measured beside it.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from PIL import Image
from torch import nn

from fas_core import models
from fas_core.bench import medians, own_process
from fas_core.documents import Json
from fas_core.files import CONTENT_BYTES
from fas_core.models.base import Autoencoder, OptimizerSettings, Step
from fas_core.models.building import UpsampledConv2d
from fas_core.models.draws import Draws
from fas_core.models.input import Input
from fas_core.training import devices, experiments, train

WIDTH, LATENT, BATCH, ROUNDS = 0.25, 128, 8, 3
FEW, MANY = 2_000, 100_000  # images
TARGETS = {f"{name}_step": ("at_most", 0.5) for name in models.built_in()} | {"loader_memory": ("at_most", 1.05)}


def figures(
    width: float = WIDTH, batch: int = BATCH, rounds: int = ROUNDS, size: int = 128, many: int = MANY
) -> dict[str, float]:
    """Seconds per step, the ratios to plain fp32, and peak memory while loading from many images over that from few."""
    by_name: dict[str, float] = {}
    for name in models.built_in():
        config = {"width": width, "latent_dim": LATENT, "image_size": size}
        works: dict[str, Callable[[], object]] = {
            "plain": _steps(name, config, batch, "fp32", torch.contiguous_format, as_written=True),
            "channels_last": _steps(name, config, batch, "fp32", torch.channels_last),
            "bf16_channels_last": _steps(name, config, batch, "bf16", torch.channels_last),
        }
        seconds = medians(works, rounds)
        by_name |= {f"{name}_{kind}_seconds": value for kind, value in seconds.items()}
        by_name[f"{name}_step"] = seconds["bf16_channels_last"] / seconds["plain"]
        by_name[f"{name}_step_fp32_channels_last"] = seconds["channels_last"] / seconds["plain"]
    by_name["loader_memory"] = _peak_while_loading(many) / _peak_while_loading(FEW)
    return by_name


def _steps(
    name: str, config: Json, batch: int, precision: str, layout: torch.memory_format, as_written: bool = False
) -> Any:
    """A function that does one step of a freshly initialised model on one random batch."""
    fabric = devices.all_processes("auto", precision)
    torch.manual_seed(0)
    model = models.trainable(name, config).to(fabric.device).train()
    if as_written:
        for module in model.modules():
            if isinstance(module, UpsampledConv2d):
                module.forward = partial(_upsampled_and_convolved, module)  # type: ignore[method-assign]
    model.to(memory_format=layout)  # type: ignore[call-overload]
    x = fabric.to_device(torch.rand(batch, 1, config["image_size"], config["image_size"]))
    return partial(_step, fabric, model, model.optimizers(OptimizerSettings(1e-4, 0.9, 0.99)), x)


def _upsampled_and_convolved(layer: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """The two layers of the thesis' tables that `UpsampledConv2d` is."""
    return F.conv2d(F.interpolate(x, scale_factor=2), layer.weight, layer.bias, padding=1)


def _step(fabric: Fabric, model: Autoencoder, optimizers: list[torch.optim.Optimizer], x: torch.Tensor) -> None:
    with fabric.autocast():
        model.training_step(x, optimizers, Step(fabric, Draws(0, 0, len(x), device=str(fabric.device))))
    if fabric.device.type == "cuda":
        torch.cuda.synchronize()


def _peak_while_loading(images: int) -> float:
    """Most bytes resident in a process of its own that loads some batches of a data set of that many images."""
    with own_process() as process:
        return process.submit(_loaded, images).result()


def _loaded(images: int, steps: int = 100) -> float:
    experiment = experiments.preset("small_dcvae").with_settings([f"batch_size={BATCH}"])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(64):
            pixels = np.random.default_rng(number).integers(0, 256, (128, 128), dtype=np.uint8)
            Image.fromarray(pixels).save(Path(folder) / f"{number}.png")
        paths = pd.DataFrame({"path": [f"{i % 64}.png" for i in range(images)]})
        paths["sample_id"] = paths["path"]
        contents = np.zeros((images, CONTENT_BYTES), np.uint8)
        split = train.Split(Path(folder), paths, paths[:0], contents, contents[:0])
        with train._Batches(split, experiment, devices.all_processes("cpu", "fp32"), contents) as feed:
            for step, _, _ in feed.from_step(0, Input()):
                if step == steps:
                    break
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
