"""Where the network runs and how precisely, through lightning-fabric."""

from __future__ import annotations

import os

import torch
from lightning_fabric import Fabric

from fas_core.errors import BadInputError

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}


def settled_precision(name: str) -> str:
    """One of PRECISIONS. `auto` is fp32: bf16 moves scores by up to a percent, and many processors only emulate it."""
    if name not in ("auto", *PRECISIONS):
        raise BadInputError(f"--precision {name}: choose auto, {' or '.join(PRECISIONS)}.")
    return "fp32" if name == "auto" else name


def one_device(device: str, precision: str) -> Fabric:
    """One process on one device, `auto` taking a GPU where there is one; raises BadInputError for what is not there."""
    return Fabric(accelerator=_accelerator(device), devices=1, precision=PRECISIONS[precision])  # type: ignore[arg-type]


def all_processes(device: str, precision: str) -> Fabric:
    """This process as one of those that `torchrun` has started, in touch with the others; alone without `torchrun`."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return one_device(device, precision)
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=_accelerator(device),
        devices=local,
        num_nodes=int(os.environ["WORLD_SIZE"]) // local,
        strategy="ddp",
        precision=PRECISIONS[precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def _accelerator(device: str) -> str:
    if device not in ("auto", "cpu", "cuda"):
        raise BadInputError(f"--device {device}: choose auto, cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInputError("--device cuda: PyTorch finds no CUDA GPU here. Use --device auto or cpu.")
    return device
