"""What the project claims of its speed, measured: one module each, with `figures(...)` and `TARGETS`.

A target is a ratio of two things measured in turns in one run, so that it holds on any machine; the module that has
absolute ones says why. A module with `QUICK`, arguments of `figures` under which it takes some seconds, is one of the
quick ones: then only its ratios have targets, as the others are of what is larger. `QUICK_TARGETS`: those ratios that
are others of what is small.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import pkgutil
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from fas_core.errors import BadInputError

Bound = tuple[Literal["at_most", "at_least"], float]


def own_process() -> ProcessPoolExecutor:
    """One process in which nothing has been computed: a fork of one that has imported PyTorch, once for all."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["fas_core.inference.infer", "fas_core.training.train"])
    return ProcessPoolExecutor(1, mp_context=context, initializer=_silence)


def _silence() -> None:
    """lightning-fabric tells the precision of every model it prepares."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)


@contextmanager
def kept_apart() -> Iterator[Path]:
    """A temporary folder, in which what is kept of data sets lies while the block runs: nothing is known of before."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder) / "kept")
        try:
            yield Path(folder)
        finally:
            os.environ.pop("XDG_CACHE_HOME")
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before


DETECTION = "detection"  # takes an hour, and has no figures to be met: measured when it is asked for by name
SAMPLES = {"pages": (1_000_000, 5_000_000)}  # of synthetic Runs
_APART = (DETECTION, "history", "plan", "probing", "synthetic")  # modules beside the measurements


def names() -> list[str]:
    """All measurements, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _APART)


def everything() -> list[tuple[str, int]]:
    """All names, each with 0, and with every number of `samples` that has targets of its own."""
    return [(name, samples) for name in names() for samples in (0, *SAMPLES.get(name, ()))]


def description(name: str) -> str:
    """The first line of a measurement's docstring."""
    return (importlib.import_module(f"{__name__}.{name}").__doc__ or "").strip().splitlines()[0]


@dataclass(frozen=True)
class Target:
    """A bound of a figure, and whether it is met; None where this machine cannot measure the figure."""

    bound: Literal["at_most", "at_least"]
    limit: float
    met: bool | None

    @staticmethod
    def of(bound: Literal["at_most", "at_least"], limit: float, value: float | None) -> Target:
        """What is no number meets nothing."""
        if value is None:
            return Target(bound, limit, None)
        return Target(bound, limit, value <= limit if bound == "at_most" else value >= limit)

    @property
    def words(self) -> tuple[str, str]:
        """The bound ("≤ 0.1") and "met", "MISSED" or "not measured"."""
        outcome = "not measured" if self.met is None else "met" if self.met else "MISSED"
        return f"{'≤' if self.bound == 'at_most' else '≥'} {self.limit:g}", outcome

    def as_json(self) -> dict[str, float | bool | None]:
        return {self.bound: self.limit, "met": self.met}


@dataclass(frozen=True)
class Measured:
    """One entry of `fas bench --json`: figures, and which targets they meet."""

    name: str
    machine: str
    figures: Mapping[str, float]
    targets: Mapping[str, Target]

    def as_json(self) -> dict[str, object]:
        return vars(self) | {"targets": {figure: target.as_json() for figure, target in self.targets.items()}}


_ABSOLUTE = ("seconds", "milliseconds", "megabytes", "rate")  # how a figure ends that is no ratio


def quick_names() -> list[str]:
    """Those that can be made smaller: a module with `QUICK`."""
    return [name for name in names() if hasattr(importlib.import_module(f"{__name__}.{name}"), "QUICK")]


def result(name: str, data: Path | None = None, *, quick: bool = False, samples: int = 0) -> Measured:
    """Of one measurement, on a manifest's pictures if it takes any; `quick`: small, under a name of its own; `samples`:
    on a synthetic Run of so many, under a name of its own too.

    Raises BadInputError for another name, and for one that is not `quick`.
    """
    if name not in names():
        raise BadInputError(f"Unknown measurement '{name}'. Measurements: {', '.join([*names(), DETECTION])}.")
    module = importlib.import_module(f"{__name__}.{name}")
    if quick and not hasattr(module, "QUICK"):
        raise BadInputError(f"'{name}' is no quick measurement. Quick: {', '.join(quick_names())}.")
    if data is not None and "data" not in inspect.signature(module.figures).parameters:
        raise BadInputError(f"The measurement '{name}' takes no --data: it makes what it measures. 'faces' does.")
    if samples and "samples" not in inspect.signature(module.figures).parameters:
        raise BadInputError(f"The measurement '{name}' takes no --samples. 'pages' does.")
    asked = {"data": data, "samples": samples}
    figures = module.figures(**(module.QUICK if quick else {}), **{key: value for key, value in asked.items() if value})
    targets = {
        figure: Target.of(*bound, figures.get(figure)) for figure, bound in _bounds(name, quick, samples).items()
    }
    return Measured(called(name, quick, samples), machine(), figures, targets)


def unmeasured(name: str, *, quick: bool = False, samples: int = 0) -> Measured:
    """What would have been measured, and was not."""
    targets = {figure: Target.of(*bound, None) for figure, bound in _bounds(name, quick, samples).items()}
    return Measured(called(name, quick, samples), machine(), {}, targets)


def called(name: str, quick: bool, samples: int = 0) -> str:
    """What a measurement is called where its figures are kept; of a Run of `samples`, where that was chosen."""
    if samples:
        return f"{name} ({samples:,} samples)"
    return f"{name} (quick)" if quick else name


def _bounds(name: str, quick: bool, samples: int = 0) -> dict[str, Bound]:
    """By figure."""
    module = importlib.import_module(f"{__name__}.{name}")
    if samples:
        return dict(module.targets(samples))
    if not quick:
        return dict(module.TARGETS)
    ratios = {figure: bound for figure, bound in module.TARGETS.items() if not figure.endswith(_ABSOLUTE)}
    return ratios | getattr(module, "QUICK_TARGETS", {})


def machine() -> str:
    """This one in a line: processor, cores, memory, system, and GPU where PyTorch can use one."""
    import torch

    try:
        told = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
        memory = [f"{gigabytes:.0f} GB"]
    except (OSError, ValueError, AttributeError):  # only Linux has both
        told, memory = [], []
    model = next((line.partition(":")[2].strip() for line in told if line.startswith("model name")), "")
    processor = model or platform.processor() or platform.machine()
    gpu = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    return ", ".join([processor, f"{os.cpu_count()} cores", *memory, platform.system(), *gpu])


def medians(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each work, done in turns so that all of them see the same machine; a first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
