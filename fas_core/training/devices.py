"""Where the network runs and how precisely, through lightning-fabric."""

from __future__ import annotations

import atexit
import os

import torch
from lightning_fabric import Fabric

from fas_core.errors import BadInputError

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}
ONNX = "fp32-onnx"  # fp32 by ONNX Runtime instead of PyTorch, on the CPU; for looking alone


def has_bf16(device: torch.device) -> bool:
    """Whether the processor multiplies bf16 itself; an emulation takes many times as long as fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def require_known(device: str, precision: str, *, onnx: bool = False) -> None:
    """Raises BadInputError for a device or precision that there is not, here or at all."""
    precisions = [*PRECISIONS, *([ONNX] if onnx else [])]
    if device not in ("auto", "cpu", "cuda"):
        raise BadInputError(f"--device {device}: choose auto, cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInputError("--device cuda: PyTorch finds no CUDA GPU here. Use --device auto or cpu.")
    if precision not in ("auto", *precisions):
        raise BadInputError(f"--precision {precision}: choose auto, {', '.join(precisions[:-1])} or {precisions[-1]}.")


def one_device(device: str, precision: str) -> Fabric:
    """One process on one device, in one of PRECISIONS or ONNX; `auto` takes a GPU where there is one."""
    kind = PRECISIONS["fp32" if precision == ONNX else precision]
    return Fabric(accelerator=device, devices=1, precision=kind)  # type: ignore[arg-type]


def n_processes() -> int:
    """How many processes `torchrun` has started for this training; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def all_processes(device: str, precision: str) -> Fabric:
    """This process as one of those that `torchrun` has started, in touch with the others; alone without `torchrun`."""
    if n_processes() == 1:
        return one_device(device, precision)
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=n_processes() // local,
        strategy="ddp",
        precision=PRECISIONS[precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    atexit.register(torch.distributed.destroy_process_group)  # else its threads can abort a process that ends
    return fabric
