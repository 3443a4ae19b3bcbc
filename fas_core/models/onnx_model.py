"""ONNX files as models, run on the CPU by ONNX Runtime: the bytes that `onnx_graph` has looked through, no others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import opened_file
from fas_core.models import onnx_graph
from fas_core.models.base import HIGHER_IS, Model, Outputs
from fas_core.models.input import SIGNED, STANDARD, UNIT, Affine, Input
from fas_core.models.losses import IMAGE_TERMS
from fas_core.models.onnx_graph import CHANNELS_LAST, LATENTS, RECONSTRUCTIONS, Graph

SUFFIX = ".onnx"
UNNAMED = "onnx"  # what the model of a file is called that gives it no name
NEEDED = "ONNX files need the libraries of an extra: pip install 'fas-explorer[onnx]'"
NAMED: dict[str, str | Affine] = {
    STANDARD: STANDARD,
    UNIT: UNIT,
    "0..1": UNIT,
    SIGNED: SIGNED,
    "-1..1": SIGNED,
    "0..255": ((0.0,), (1 / 255,)),
}
PROBED = 2  # images, whose outputs are looked at before any other's
# Of the largest number of an output: what two ways to it may differ by.
SAME = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-4}


@dataclass(frozen=True)
class Told:
    """What a user says of a file's input; None where the file itself says it."""

    size: int | None = None
    channels: int | None = None
    scaling: str | Affine | None = None


def told(of_images: str | None, scaling: str | None) -> Told | None:
    """By what a user writes: "96x96x3" and "signed". Raises BadInputError for anything else."""
    if of_images is None and scaling is None:
        return None
    sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})x([13])", of_images or "")
    if of_images is not None and (sides is None or sides[1] != sides[2]):
        raise BadInputError(f"--input {of_images}: expected SIZExSIZExCHANNELS, e.g. 96x96x3, or 1 for gray.")
    size, channels = (int(sides[1]), int(sides[3])) if sides else (None, None)
    return Told(size, channels, None if scaling is None else _scaling(scaling))


def _scaling(text: str) -> str | Affine:
    if text in NAMED:
        return NAMED[text]
    mean, _, deviation = text.partition("/")
    try:
        return tuple(map(float, mean.split(","))), tuple(map(float, deviation.split(",")))
    except ValueError as error:
        raise BadInputError(
            f"--scaling {text}: expected {', '.join(NAMED)}, or a mean and a deviation per channel of pixels in "
            "[0, 1]: 0.485,0.456,0.406/0.229,0.224,0.225"
        ) from error


def read(path: Path, told: Told) -> OnnxModel:
    """The model of a file. Raises BadInputError where it cannot be one, see `onnx_graph`; nothing of it runs then."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise BadInputError(NEEDED) from error
    if not path.is_file():
        raise BadInputError(f"The ONNX file {path} does not exist. 'fas export CHECKPOINT --to onnx' writes one.")
    if path.stat().st_size > onnx_graph.MAX_BYTES:
        raise BadInputError(f"{path} has more than two gigabytes, which is no ONNX file in one piece.")
    with opened_file(path) as file:
        model = OnnxModel(onnx_graph.read(file.read(), str(path)), told)
    model.require_sane()
    return model


class OnnxModel(Model):
    """A graph of one input whose outputs are called as in `onnx_graph`; in eval mode, several threads may call it."""

    is_of_cpu = True
    is_reentrant = True

    def __init__(self, graph: Graph, told: Told) -> None:
        super().__init__(None)
        self._input = _described(graph, told)
        self.scores = _declared(graph)  # type: ignore[misc]
        self._whole = _Session(graph.content, graph.called)
        for name in graph.losses:
            if not name.isidentifier():
                raise BadInputError(
                    f"{graph.called}: its output {name!r} cannot be the name of a score, which is a word of letters, "
                    "digits and _. Export it with another name."
                )
        self._names = [name for name in graph.outputs if name not in IMAGE_TERMS]  # which are computed for every model
        decoder = graph.decoder(self.input.size, self.input.channels)
        self._decoder = None if decoder is None else _Session(decoder, graph.called)
        self._graph = replace(graph, content=b"", proto=None)  # the sessions have their own

    @property
    def input(self) -> Input:
        return self._input

    @property
    def header(self) -> Json:
        """What is known of the file, as the header of a checkpoint."""
        apart = ("input", "scores", "known")
        given = {name: value for name, value in self._graph.metadata.items() if name not in apart}
        if not isinstance(given.get("model", ""), str) or not isinstance(given.get("config", {}), dict):
            raise BadInputError(f"{self._graph.called}: 'model' in its metadata is no text, or 'config' no object.")
        facts = {**self._graph.facts, "runtime": f"onnxruntime {version('onnxruntime')}"}
        return {"model": UNNAMED, "config": {}, **given, "onnx": facts}

    @property
    def known(self) -> object:
        """What the file says of the images of its training, see `Known.of_texts`."""
        return self._graph.metadata.get("known")

    @property
    def decodes(self) -> bool:
        return self._decoder is not None

    def forward(self, x: Tensor) -> Outputs:
        arrays = dict(zip(self._names, self._whole.run(self._names, self._arranged(x)), strict=True))
        _require_shapes(arrays, self._graph, self._arranged(x).shape)
        latents, images = _tensor(arrays.pop(LATENTS), x), arrays.pop(RECONSTRUCTIONS, None)
        losses = {name: _tensor(array.reshape(-1), x) for name, array in arrays.items()}
        return Outputs(latents, None if images is None else self._images(images, x), losses)

    def encode(self, x: Tensor) -> Tensor:
        return _tensor(self._whole.run([LATENTS], self._arranged(x))[0], x)

    def decode(self, z: Tensor) -> Tensor:
        if self._decoder is None:
            raise BadInputError(f"{self._graph.called} cannot decode: its reconstructions need more than the code.")
        return self._images(self._decoder.run([RECONSTRUCTIONS], self._numbers(z))[0], z)

    def require_sane(self) -> None:
        """Raises BadInputError where outputs are of other shapes than they should, or no functions of an image alone.

        A decoder that gives something else than the whole does is none.
        """
        generator = torch.Generator().manual_seed(0)
        sides = (PROBED, self.input.channels, self.input.size, self.input.size)
        mean, std = (torch.tensor(part).view(1, -1, 1, 1) for part in self.input.affine)
        x = (torch.rand(sides, generator=generator) - mean) / std
        first, again, alone = self(x), self(x), [self(x[i : i + 1]) for i in range(PROBED)]
        called, same = self._graph.called, SAME[self._graph.dtype]
        for name, values in _by_name(first).items():
            if not _is_close(values, _by_name(again)[name], same):
                raise BadInputError(
                    f"{called}: '{name}' is another one each time the same images are given: it draws random numbers. "
                    "Export the model in eval mode, with the mean as its code."
                )
            if not _is_close(values, torch.cat([_by_name(each)[name] for each in alone]), same):
                raise BadInputError(
                    f"{called}: '{name}' of an image depends on the images that share its batch. Export the model in "
                    "eval mode."
                )
        if self._decoder is not None and first.reconstructions is not None:
            try:
                is_decoder = _is_close(first.reconstructions, self.decode(first.latents), same)
            except BadInputError:
                is_decoder = False
            self._decoder = self._decoder if is_decoder else None

    def _arranged(self, x: Tensor) -> NDArray[Any]:
        numbers = self._numbers(x)
        return np.ascontiguousarray(np.moveaxis(numbers, 1, -1) if self._graph.layout == CHANNELS_LAST else numbers)

    def _numbers(self, x: Tensor) -> NDArray[Any]:
        return x.detach().cpu().float().numpy().astype(self._graph.dtype, copy=False)

    def _images(self, images: NDArray[Any], like: Tensor) -> Tensor:
        planes = np.moveaxis(images, -1, 1) if self._graph.layout == CHANNELS_LAST else images
        return _tensor(planes, like)


class _Session:
    """A file that ONNX Runtime has taken in: one thread per call."""

    def __init__(self, content: bytes, called: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised
        self._called = called
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # it has a class of its own for everything
            raise BadInputError(
                f"{called} is nothing that ONNX Runtime {onnxruntime.__version__} can run: {_said(error)}"
            ) from error
        self._options = onnxruntime.RunOptions()
        self._options.log_severity_level = 4
        self._options.only_execute_path_to_fetches = True
        self._input = self._session.get_inputs()[0].name
        first = (self._session.get_inputs()[0].shape or [None])[0]
        self._batch = first if isinstance(first, int) else None

    def run(self, names: Sequence[str], x: NDArray[Any]) -> list[NDArray[Any]]:
        """Some outputs of n rows. A batch that the file fixes is filled up with the last row, whose outputs go away."""
        if self._batch is None or not len(x):
            return self._outputs(names, x)
        parts = []
        for start in range(0, len(x), self._batch):
            rows = x[start : start + self._batch]
            filling = np.repeat(rows[-1:], self._batch - len(rows), axis=0)
            parts.append([array[: len(rows)] for array in self._outputs(names, np.concatenate([rows, filling]))])
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    def _outputs(self, names: Sequence[str], x: NDArray[Any]) -> list[NDArray[Any]]:
        try:
            outputs = self._session.run(list(names), {self._input: x}, self._options)
        except Exception as error:  # a class of its own again
            raise BadInputError(f"{self._called} failed on {len(x)} images: {_said(error)}") from error
        for name, array in zip(names, outputs, strict=True):
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
                raise BadInputError(f"{self._called}: its output '{name}' holds no numbers.")
            if not array.ndim:
                raise BadInputError(
                    f"{self._called}: its output '{name}' is one number for all images; expected one each."
                )
        return outputs


def _described(graph: Graph, told: Told) -> Input:
    """What a file is given, by what was told, its metadata, and the shape of its input, in this order."""
    called, of_file = graph.called, graph.metadata.get("input", {})
    if not isinstance(of_file, dict):
        raise BadInputError(f"{called}: 'input' in its metadata is no object with size, channels and scaling.")
    _require_agreement(called, of_file, told)
    size = told.size or of_file.get("size") or graph.size
    channels = told.channels or of_file.get("channels") or graph.channels
    scaling = told.scaling or of_file.get("scaling")
    if size is None or channels is None:
        raise BadInputError(f"{called} does not say how large its images are. Say it: --input 96x96x3 (1: gray).")
    if graph.size not in (None, size) or graph.channels not in (None, channels):
        own = "x".join(str(each or "?") for each in (graph.size, graph.size, graph.channels))
        raise BadInputError(f"{called} takes images of {own}, not of {size}x{size}x{channels}.")
    if scaling is None:
        raise BadInputError(
            f"{called} does not say how the pixels it is given are scaled. Say it: --scaling {UNIT} (0 to 1), {SIGNED} "
            f"(-1 to 1), 0..255, {STANDARD} (each to mean 0.5, deviation 0.25), or a mean and a deviation per channel: "
            "0.485,0.456,0.406/0.229,0.224,0.225"
        )
    if isinstance(scaling, tuple):  # one number stands for every channel
        scaling = tuple(part * channels if len(part) == 1 else part for part in scaling)
    try:
        return Input(size, channels, scaling)
    except ValueError as error:
        raise BadInputError(f"{called}: {error}.") from error


def _require_agreement(called: str, of_file: Json, told: Told) -> None:
    """Raises BadInputError where something else is told than a file says itself."""
    for name in ("size", "channels", "scaling"):
        own, said = of_file.get(name), getattr(told, name)
        if own is None or said is None or _spread(own) == _spread(said):
            continue
        raise BadInputError(
            f"{called} says itself that its {name} is {own}, and the command that it is {said}. Leave that out, or "
            "correct the metadata of the file."
        )


def _spread(said: object) -> object:
    """A scaling whose numbers of all channels are alike as that of one."""
    if not isinstance(said, list | tuple):
        return said
    return [sorted(set(part)) if isinstance(part, list | tuple) and len(set(part)) == 1 else [*part] for part in said]


def _declared(graph: Graph) -> dict[str, str]:
    """The losses that are scores: each of a file's, higher for attacks, unless its metadata says otherwise."""
    scores = graph.metadata.get("scores", {})
    known = isinstance(scores, dict) and all(value in (*HIGHER_IS, None) for value in scores.values())
    if not known or set(scores) - set(graph.losses):
        raise BadInputError(
            f"{graph.called}: 'scores' in its metadata is {scores!r}; expected an object of its outputs "
            f"({', '.join(graph.losses) or 'none'}), each {', '.join(map(repr, HIGHER_IS))} or null."
        )
    by_name = {name: scores.get(name, HIGHER_IS[0]) for name in graph.losses}
    if named := [name for name in IMAGE_TERMS if by_name.get(name) is not None]:
        raise BadInputError(
            f"{graph.called}: its output '{named[0]}' has the name of what is computed here of every reconstruction. "
            "Export it with another name."
        )
    return {name: higher_is for name, higher_is in by_name.items() if higher_is is not None}


def _require_shapes(arrays: Mapping[str, NDArray[Any]], graph: Graph, of_images: tuple[int, ...]) -> None:
    n = of_images[0]
    for name, array in arrays.items():
        if name == LATENTS:
            is_right = array.ndim == 2 and array.shape[0] == n and array.shape[1] > 0
            expected = f"({n}, d), a code each: flatten it in the model"
        elif name == RECONSTRUCTIONS:
            is_right, expected = array.shape == of_images, f"{of_images}, as its input, or no such output"
        else:
            is_right, expected = array.shape in ((n,), (n, 1)), f"({n},), a score, or no such output"
        if not is_right:
            raise BadInputError(
                f"{graph.called}: its output '{name}' is {array.shape} for {n} images; expected {expected}. Then "
                "export it again."
            )


def _by_name(out: Outputs) -> dict[str, Tensor]:
    images = {} if out.reconstructions is None else {RECONSTRUCTIONS: out.reconstructions}
    return {LATENTS: out.latents, **images, **out.losses}


def _is_close(a: Tensor, b: Tensor, same: float) -> bool:
    scale = max(float(a.nan_to_num(0).abs().max()), 1e-6)
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=same * scale, equal_nan=True)


def _tensor(array: NDArray[Any], like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(like.device)


def _said(error: Exception) -> str:
    """What ONNX Runtime says, without the lines of its own code."""
    words = " ".join(str(error).split())
    words = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", words)
    words = re.sub(r"/onnxruntime_src/\S+ .*?\) (?=[A-Z\[])", "", words)
    return words[:300] or type(error).__name__
