"""One training step of each model, bf16 and channels-last against plain fp32; memory of the loader.

bf16 pays where the processor multiplies it (AMX, AVX-512 BF16, CUDA). Elsewhere it is emulated and many times slower;
the step in fp32 with channels last, which is what `fas train` does by itself, is measured beside it.
"""

from __future__ import annotations

import gc
import tempfile
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from PIL import Image

from fas_core import devices, experiments, models, train
from fas_core.bench import medians
from fas_core.draws import Draws
from fas_core.models.base import Autoencoder, OptimizerSettings, Step

WIDTH, LATENT, BATCH, ROUNDS = 0.25, 128, 16, 5
FEW, MANY = 2_000, 100_000  # images
TARGETS = {f"{name}_step": ("at_most", 0.5) for name in models.names()} | {"loader_memory": ("at_most", 1.05)}


def figures(
    width: float = WIDTH, batch: int = BATCH, rounds: int = ROUNDS, size: int = 128, many: int = MANY
) -> dict[str, float]:
    """Seconds per step, the ratios to plain fp32, and the loader's peak memory with many images over that with few."""
    found: dict[str, float] = {}
    for name in models.names():
        config = {"width": width, "latent_dim": LATENT, "image_size": size}
        works: dict[str, Any] = {
            "plain": _steps(name, config, batch, "fp32", torch.contiguous_format),
            "channels_last": _steps(name, config, batch, "fp32", torch.channels_last),
            "bf16_channels_last": _steps(name, config, batch, "bf16", torch.channels_last),
        }
        seconds = medians(works, rounds)
        found |= {f"{name}_{kind}_seconds": value for kind, value in seconds.items()}
        found[f"{name}_step"] = seconds["bf16_channels_last"] / seconds["plain"]
        found[f"{name}_step_fp32_channels_last"] = seconds["channels_last"] / seconds["plain"]
    _loader_peak(FEW)  # what is imported and cached on the way counts for neither
    found["loader_memory"] = _loader_peak(many) / _loader_peak(FEW)
    return found


def _steps(name: str, config: dict[str, Any], batch: int, precision: str, layout: torch.memory_format) -> Any:
    """A function that does one step of a freshly initialised model on one random batch."""
    fabric = devices.one_device("auto", precision)
    torch.manual_seed(0)
    model = models.built(name, config).to(fabric.device).train()
    model.to(memory_format=layout)  # type: ignore[call-overload]
    x = fabric.to_device(torch.rand(batch, 1, config["image_size"], config["image_size"]))
    return partial(_step, fabric, model, model.optimizers(OptimizerSettings(1e-4, 0.9, 0.99)), x)


def _step(fabric: Fabric, model: Autoencoder, optimizers: list[torch.optim.Optimizer], x: torch.Tensor) -> None:
    with fabric.autocast():
        model.training_step(x, optimizers, Step(fabric, Draws(0, 0, len(x), device=str(fabric.device))))
    if fabric.device.type == "cuda":
        torch.cuda.synchronize()


def _loader_peak(images: int, steps: int = 200) -> float:
    """Most bytes that Python, NumPy and the decoder held above the table of paths while `steps` batches were loaded."""
    experiment = experiments.preset("small_dcvae").with_settings([f"batch_size={BATCH}"])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(64):
            pixels = np.random.default_rng(number).integers(0, 256, (128, 128), dtype=np.uint8)
            Image.fromarray(pixels).save(Path(folder) / f"{number}.png")
        paths = pd.DataFrame({"path": [f"{i % 64}.png" for i in range(images)]})
        paths["sample_id"] = paths["path"]
        split = train.Split(Path(folder), paths, paths[:0])
        gc.collect()
        tracemalloc.start()
        with train._Batches(split, experiment, devices.one_device("cpu", "fp32")) as feed:
            for step, _, _ in feed.from_step(0, 128):
                if step == steps:
                    break
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return float(peak)
