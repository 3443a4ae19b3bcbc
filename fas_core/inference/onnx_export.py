"""Checkpoints as ONNX files: one graph, images -> latents, reconstructions and every loss, for any number of images.

A file carries what `onnx_model` reads of it: Runs are made of it as of the checkpoint itself.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from fas_core.data.manifest import Manifest
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import atomic_file
from fas_core.inference import infer
from fas_core.inference.infer import Loaded
from fas_core.inference.onnx_int8 import Calibration, agreement, calibration, quantised, require_near
from fas_core.models import losses, onnx_graph
from fas_core.models.base import Model
from fas_core.models.onnx_graph import LATENTS, METADATA, RECONSTRUCTIONS
from fas_core.models.onnx_model import NEEDED, SUFFIX, OnnxModel, Told
from fas_core.training import checkpoint

INPUT = "images"
AGREEMENT = 1e-5  # of numbers up to one, and of larger ones relatively: what the file may differ by from the checkpoint
COMPARED = 4  # images


@dataclass(frozen=True)
class Exported:
    """A file that was written."""

    path: Path
    largest_difference: float  # of an output from the checkpoint's, see AGREEMENT; in fp32
    decodes: bool
    int8: Json  # of `onnx_int8`: layers, what stays float, what it was calibrated on, agreement; {} in fp32


def export(path: Path, out: Path | None = None, calibrated_on: Manifest | None = None) -> Exported:
    """Writes the ONNX file of a checkpoint, complete or not at all; `out` None: beside it.

    `calibrated_on`: in int8, by live training images of these data. Raises BadInputError where a file is there, the
    checkpoint is none, its model cannot be exported, or what the file says differs from what the checkpoint says.
    """
    out = out or path.with_suffix(SUFFIX if calibrated_on is None else f".int8{SUFFIX}")
    if out.exists():
        raise BadInputError(f"{out} is there already. Give another file: --out FILE")
    loaded = infer.loaded(path)
    if isinstance(loaded.model, OnnxModel):
        raise BadInputError(f"{path} is an ONNX file already.")
    by = None if calibrated_on is None else calibration(loaded, calibrated_on)  # first, as it may be refused
    content = graph_of(loaded)
    again = OnnxModel(onnx_graph.read(content, str(out)), Told())
    difference = _largest_difference(loaded.model, again)
    if not difference <= AGREEMENT:
        raise BadInputError(
            f"{path}: what the exported graph says differs from the model by {difference:.1e}, more than "
            f"{AGREEMENT:.0e}. It was not written."
        )
    int8: Json = {}
    if by is not None:
        content, int8 = _in_int8(content, loaded, by)
        again = OnnxModel(onnx_graph.read(content, str(out)), Told())
    again.require_sane()
    with atomic_file(out) as temporary:
        temporary.write_bytes(content)
    return Exported(out, difference, again.decodes, int8)


def _in_int8(content: bytes, loaded: Loaded, by: Calibration) -> tuple[bytes, Json]:
    """A file's graph in int8 and what its metadata say of that. Raises BadInputError where it says something else."""
    content, about = quantised(content, by)
    graph = onnx_graph.read(content, str(loaded.path))
    near = agreement(loaded.model, OnnxModel(graph, Told()), by)
    about["agreement"] = require_near(near, str(loaded.path))
    _tell(graph.proto, graph.metadata | {"int8": about})
    return bytes(graph.proto.SerializeToString()), about


def graph_of(loaded: Loaded) -> bytes:
    """The ONNX file of a checkpoint. Raises BadInputError where its model cannot be exported."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise BadInputError(NEEDED) from error
    infer.require_pixels_alone(loaded.model, f"{loaded.path} cannot be exported, as an ONNX file has one input: it")
    model, given, form = loaded.model, loaded.model.input, loaded.form
    names = [LATENTS, *([RECONSTRUCTIONS] if form.decodes else []), *form.losses]
    x = torch.rand(COMPARED - 1, given.channels, given.size, given.size)
    try:
        with _quietly():
            program: Any = torch.onnx.export(
                _Flat(model, names).eval(),
                (x,),
                dynamo=True,
                input_names=[INPUT],
                output_names=names,
                dynamic_shapes=({0: torch.export.Dim("n")},),
                external_data=False,
                verbose=False,
            )
        proto = program.model_proto
        _stripped(proto)
        _described(proto, loaded)
        content = bytes(proto.SerializeToString())
    except Exception as error:  # what a model of somebody's own meets on the way
        words = " ".join(str(error).split())[:300]
        raise BadInputError(f"{loaded.path}: its model cannot be exported: {type(error).__name__}: {words}") from error
    if proto.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value"):
        raise BadInputError(f"{loaded.path}: its model makes a number of what is the count of images: use x.shape[0].")
    if len(content) > onnx_graph.MAX_BYTES:
        raise BadInputError(f"{loaded.path}: its model is larger than the two gigabytes that an ONNX file can have.")
    return content


@final
class _Flat(nn.Module):
    """A model whose outputs are a tuple."""

    def __init__(self, model: Model, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        out, seen = self.model(images), self.model.in_unit_range
        by_name = {LATENTS: out.latents, **out.losses}
        if out.reconstructions is not None:
            by_name |= {RECONSTRUCTIONS: out.reconstructions}
            by_name |= losses.of_images(seen(images), seen(out.reconstructions))
        return tuple(by_name[name].float() for name in self.names)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's words on libraries that are not needed, and on what will change in others."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.onnx._internal.exporter._registration")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _stripped(proto: Any) -> None:
    """Leaves out lines of source code and paths of this machine, which the exporter notes beside every operator."""
    for part in (proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del part.metadata_props[:]
        part.ClearField("doc_string")


def _described(proto: Any, loaded: Loaded) -> None:
    """Writes what `onnx_model` reads of a file into its metadata."""
    scores = {name: loaded.model.scores.get(name) for name in loaded.form.losses}
    about: Json = {
        **loaded.header,
        "input": loaded.model.input.as_json(),
        "scores": scores,
        "exported_from": {"checkpoint": loaded.path.name, "sha256": checkpoint.sha256(loaded.path)},
    }
    if loaded.known is not None:
        about["known"] = loaded.known.as_texts()
    _tell(proto, about)


def _tell(proto: Any, about: Json) -> None:
    """Writes JSON into the metadata of a file, in the place of any that is there."""
    del proto.metadata_props[:]
    entry = proto.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(about, sort_keys=True)


@torch.inference_mode()
def _largest_difference(model: Model, again: OnnxModel) -> float:
    """Of any output for a few images of noise, from smooth to fine, NaN where one is none; see AGREEMENT."""
    given = model.input
    noise = torch.rand(COMPARED, given.channels, given.size, given.size, generator=torch.Generator().manual_seed(1))
    x = torch.stack([nn.functional.avg_pool2d(image, 2 * i + 1, 1, i) for i, image in enumerate(noise)])
    expected, actual = model.outputs(x), again.outputs(x)
    pairs = [(expected.latents, actual.latents)]
    if expected.reconstructions is not None and actual.reconstructions is not None:
        pairs.append((expected.reconstructions, actual.reconstructions))
    pairs += [(value, actual.losses[name]) for name, value in expected.losses.items()]
    return float(torch.stack([((a - b).abs() / a.abs().clamp(min=1)).max() for a, b in pairs]).max())
