"""Where the network runs and how precisely; the processes of a training are lightning-fabric's."""

from __future__ import annotations

import atexit
import ctypes
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch

from fas_core.errors import BadInputError

if TYPE_CHECKING:  # it loads PyTorch's compiler, which takes as long as PyTorch itself and trains alone
    from lightning_fabric import Fabric

PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}  # ours: as Fabric calls it
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


@final
@dataclass(frozen=True)
class Place:
    """A device of this process, and whether a model computes in bf16 there where that is enough, else in fp32."""

    device: torch.device
    is_bf16: bool

    def autocast(self) -> AbstractContextManager[object]:
        """Computes in bfloat16 within the block where that is the precision."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.is_bf16 else nullcontext()

    def to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        """A GPU copies beside the work that it has."""
        return tensor.to(self.device, non_blocking=self.device.type == "cuda")


def one_device(device: str, precision: str) -> Place:
    """Where a model looks, in one of PRECISIONS or ONNX; `auto` takes a GPU where there is one, as Fabric does."""
    if device == "auto":
        kinds = {"mps": torch.backends.mps.is_available(), "cuda": torch.cuda.is_available()}
        device = next((kind for kind, is_there in kinds.items() if is_there), "cpu")
    return Place(torch.device(device) if device == "cpu" else torch.device(device, 0), precision == "bf16")


def keep_buffers() -> bool:
    """Has what layers free kept for the next ones, for the rest of this process; whether the C library does so.

    glibc asks the system for each buffer of some megabytes anew, and for no more than it gives back; its pages are
    zeroed one by one at the first touch, in a tenth of the time that a large model takes on a CPU.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    return mallopt is not None and all([mallopt(_MMAP_THRESHOLD, _KEPT), mallopt(_TRIM_THRESHOLD, _KEPT)])


_TRIM_THRESHOLD, _MMAP_THRESHOLD, _KEPT = -1, -3, 2**30  # of glibc's malloc.h; bytes


@contextmanager
def one_core() -> Iterator[None]:
    """What PyTorch computes on the CPU in the block, it computes in the thread that asks for it."""
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(cores)


def n_processes() -> int:
    """How many processes `torchrun` has started for this training; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def all_processes(device: str, precision: str) -> Fabric:
    """This process as one of those that `torchrun` has started, in touch with the others; alone without `torchrun`."""
    from lightning_fabric import Fabric

    kind = PRECISIONS[precision]
    if n_processes() == 1:
        return Fabric(accelerator=device, devices=1, precision=kind)  # type: ignore[arg-type]
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=n_processes() // local,
        strategy="ddp",
        precision=kind,  # type: ignore[arg-type]
    )
    fabric.launch()
    atexit.register(torch.distributed.destroy_process_group)  # else its threads can abort a process that ends
    return fabric
