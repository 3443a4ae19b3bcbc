"""A checkpoint computed by ONNX Runtime instead of PyTorch, on a CPU: where that is faster, which is measured once.

    cache/graphs/<sha256 of the checkpoint>.json   what was measured, with which versions; the sha256 of the graph
                                           .onnx   its graph, as `onnx_export` makes it, where it is used

A Run says in its `precision` how it was computed, and its id follows from it: what both say agrees within 1e-5 of a
number, not to the last bit. A Run is gone on with, repaired and predicted with as it was begun.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

from fas_core import documents
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, make_folder
from fas_core.inference import infer, onnx_export
from fas_core.inference.infer import BATCH_CPU, Loaded
from fas_core.models import onnx_graph
from fas_core.models.base import Model
from fas_core.models.onnx_model import OnnxModel, Told
from fas_core.training import checkpoint, devices
from fas_core.training.devices import ONNX

WORTH = 60.0  # seconds of one core's work: an export takes some six, and gains a tenth to a third
FASTER = 0.9  # of PyTorch's time: less is no gain to be sure of
ROUNDS = 3
_SECONDS = "seconds_of_a_core_per_image"


def by_it(loaded: Loaded, cache: Path) -> Loaded:
    """A checkpoint whose model is computed by ONNX Runtime; its graph is exported where the cache folder has none.

    Raises BadInputError where the extra is not installed or the model cannot be exported.
    """
    path = _graph_file(loaded, cache)
    content = path.read_bytes() if path.is_file() else b""
    if not content or _record(path).get("graph_sha256") != hashlib.sha256(content).hexdigest():
        content = onnx_export.graph_of(loaded)
        _keep(path, content)
    model = OnnxModel(onnx_graph.read(content, str(path)), Told())
    return loaded._replace(model=model)


def precision_of_fp32(loaded: Loaded, n: int, cache: Path) -> str:
    """ "fp32" or ONNX: what is faster for n images, as measured before; if that is worth it, as measured now."""
    if not all(find_spec(name) for name in ("onnx", "onnxruntime", "onnxscript")):
        return "fp32"
    path = _graph_file(loaded, cache)
    seconds = _record(path).get(_SECONDS)
    if not isinstance(seconds, dict) or not all(isinstance(seconds.get(way), float) for way in ("fp32", ONNX)):
        by_torch = _seconds_per_image(infer.ready(loaded, devices.one_device("cpu", "fp32")).model)
        if by_torch * n < WORTH:
            return "fp32"
        try:
            content = onnx_export.graph_of(loaded)
            by_onnx = _seconds_per_image(OnnxModel(onnx_graph.read(content, str(path)), Told()))
        except BadInputError:  # a model of somebody's own that cannot be exported
            return "fp32"
        seconds = {"fp32": by_torch, ONNX: by_onnx}
        _note(path, {_SECONDS: seconds})
        if by_onnx < FASTER * by_torch:
            _keep(path, content)
    return ONNX if seconds[ONNX] < FASTER * seconds["fp32"] else "fp32"


def _graph_file(loaded: Loaded, cache: Path) -> Path:
    """By the checkpoint, and by the code of a model from another package, which may change."""
    digest = checkpoint.sha256(loaded.path)
    if loaded.origin.is_foreign:
        digest = hashlib.sha256(json.dumps([digest, loaded.origin.as_json()]).encode()).hexdigest()
    return cache / "graphs" / f"{digest}.onnx"


def _record(graph_file: Path) -> Json:
    """What is noted beside a graph; nothing where that cannot be read, and then it is made anew."""
    try:
        content = documents.read(graph_file.with_suffix(".json"))
        return content if isinstance(content, dict) else {}
    except (OSError, ValueError):
        return {}


def _keep(graph_file: Path, content: bytes) -> None:
    """Writes a graph and what tells that it is this one."""
    make_folder(graph_file.parent)
    with atomic_file(graph_file) as temporary:
        temporary.write_bytes(content)
    _note(graph_file, {"graph_sha256": hashlib.sha256(content).hexdigest()})


def _note(graph_file: Path, facts: Json) -> None:
    """Writes what is known of a graph beside it; what was noted before stays."""
    record = {**_record(graph_file), **facts, "with": {name: version(name) for name in ("torch", "onnxruntime")}}
    make_folder(graph_file.parent)
    with atomic_file(graph_file.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")


@torch.inference_mode()
def _seconds_per_image(model: Model) -> float:
    """Of one core, in the batches that Runs are computed in; the least of some rounds."""
    given = model.input
    x = torch.rand(BATCH_CPU, given.channels, given.size, given.size).contiguous(memory_format=model.memory_format)
    with devices.one_core():
        model.outputs(x)
        return min(_thread_seconds(lambda: model.outputs(x)) for _ in range(ROUNDS)) / len(x)


def _thread_seconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start
