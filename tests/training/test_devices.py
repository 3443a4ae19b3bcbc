import platform
import resource

import pytest
import torch

from fas_core.bench import own_process
from fas_core.errors import BadInputError
from fas_core.training import devices


def test_bf16_computes_in_half_precision() -> None:
    x = torch.ones(2, 2)
    for precision, expected in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with devices.one_device("cpu", precision).autocast():
            assert (x @ x).dtype == expected


def test_what_there_is_not_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for device, precision in (("auto", "auto"), ("cpu", "fp32"), ("cpu", "bf16")):
        devices.require_known(device, precision)
    with pytest.raises(BadInputError, match="--precision fp8: choose auto, fp32 or bf16"):
        devices.require_known("cpu", "fp8")
    with pytest.raises(BadInputError, match="--device tpu: choose auto, cpu or cuda"):
        devices.require_known("tpu", "fp32")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInputError, match="finds no CUDA GPU"):
        devices.require_known("cuda", "fp32")


def test_alone_without_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert devices.all_processes("cpu", "fp32").world_size == 1


def pages_asked_for(keeps: bool) -> int:
    """By one thread that makes and frees buffers of 48 MB ten times, after the first time."""
    if keeps:
        assert devices.keep_buffers()
    torch.ones(12 * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(12 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.process
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep buffers in their own way")
def test_buffers_that_are_freed_are_used_again() -> None:
    with own_process() as process:
        anew, kept = (process.submit(pages_asked_for, keeps).result() for keeps in (False, True))
    assert kept < anew / 10
