"""How light models are: size of their files, milliseconds per image on one core, and what that costs of the AUC.

An image is one that is prepared; the time is that until its code, its reconstruction and all losses are there. It is
the processor time of the one thread that computes, so that others who work on the machine count for little.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from fas_core import models
from fas_core.data.names import dev_subsets
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation.differences import ROC_AUC, Difference
from fas_core.evaluation.join import System
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.several import several
from fas_core.inference import infer, predict
from fas_core.models.base import Model, parameter_count
from fas_core.models.onnx_model import OnnxModel

WARM, TIMED = 5, 100  # passes of every model


@dataclass(frozen=True)
class Weight:
    """What one model weighs."""

    called: str
    file: Path
    bytes: int
    parameters: int | None  # of the checkpoint, where an ONNX file is of one; None where nobody says
    computed: str  # by what, in which precision
    ms_median: float
    ms_p95: float
    auc: Difference | None = None  # of the first Run and of this one, where both are Runs; `a` alone of the first

    def as_json(self) -> Json:
        """An entry of `fas light --json`; `auc` as a metric in `fas compare --json`."""
        auc = {"auc": None if self.auc is None else self.auc.as_json()}
        return asdict(self) | {"file": str(self.file)} | auc


def weights(of: Sequence[System | Path], level: str = FRAME) -> list[Weight]:
    """Of Runs and of files of models, timed in turns; AUC of Runs as `fas compare` has it, where all have samples.

    Raises BadInputError for what is neither, and as `predict.ready` and `several` do.
    """
    loaded = [_model_of(each) for each in of]
    areas = _areas([each for each in of if isinstance(each, System)], level)
    milliseconds = _milliseconds([model for _, model, _, _ in loaded])
    listed = []
    for each, (path, _, parameters, computed), own in zip(of, loaded, milliseconds, strict=True):
        called = path.name if isinstance(each, Path) else each.run.info.name
        auc = next(areas) if isinstance(each, System) else None
        median, late = map(float, np.quantile(own, [0.5, 0.95]))
        listed.append(Weight(called, path, path.stat().st_size, parameters, computed, median, late, auc))
    return listed


def _areas(systems: Sequence[System], level: str) -> Iterator[Difference | None]:
    """For each system its AUC beside that of the first, as `fas compare` has it; None of a single one."""
    if len(systems) < 2:
        return iter([None])
    pairs = several(systems, level=level, chosen_on=dev_subsets(systems[0].run.subsets)).pairs
    first = pairs[0].metrics[ROC_AUC].a
    return iter([Difference(first, first), *(pair.metrics[ROC_AUC] for pair in pairs)])


def _model_of(each: System | Path) -> tuple[Path, Model, int | None, str]:
    """File, model on the CPU, parameters of the checkpoint, and what computes it."""
    if isinstance(each, Path):
        loaded = infer.loaded(each)
        path, model, header = each, loaded.model, loaded.header
    else:
        info = each.run.info
        model = predict.ready(each.run, "cpu").model
        path, header = Path(info.checkpoint_path or info.checkpoint), info.checkpoint_header | {"model": info.model}
    by = "ONNX Runtime" if isinstance(model, OnnxModel) else "PyTorch"
    return path, model, _parameters(header), f"{by}, {'int8' if 'int8' in header else 'fp32'}"


def _parameters(header: Json) -> int | None:
    """Of the model that a header is of; None where that is not known here."""
    try:
        with torch.device("meta"):  # counted, not allocated
            return parameter_count(models.built(header["model"], header.get("config", {})))
    except BadInputError:
        return None


@torch.inference_mode()
def _milliseconds(networks: Sequence[Model]) -> list[list[float]]:
    """For each model those of every pass of one image, by one thread; all models take turns."""
    inputs = []
    for model in networks:
        given, generator = model.input, torch.Generator().manual_seed(0)
        image = torch.rand(1, given.channels, given.size, given.size, generator=generator)
        inputs.append(image.contiguous(memory_format=model.memory_format))
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    taken: list[list[float]] = [[] for _ in networks]
    try:
        for number in range(WARM + TIMED):
            for model, x, own in zip(networks, inputs, taken, strict=True):
                start = time.thread_time()
                model.outputs(x)
                if number >= WARM:
                    own.append(1e3 * (time.thread_time() - start))
    finally:
        torch.set_num_threads(cores)
    return taken
