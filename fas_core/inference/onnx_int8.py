"""An exported model in int8: weights and what flows between layers, calibrated on live training images alone.

Static quantisation by ONNX Runtime (QDQ, symmetric int8 weights per output channel, int8 activations). It stays an
ONNX file as any other, of ONNX's own operators. What stays in fp32: layers of one channel (the first of gray images,
the last), all that is no layer, and what linear layers say: a code in 256 steps would lose the digits that images are
ranked by.

ONNX Runtime has no transposed convolution in int8. One of 4x4 with stride 2 is written as a 2x2 convolution that gives
the four pixels of every place, which has as many products.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from fas_core.data import images
from fas_core.data.manifest import Manifest
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.inference import preparing
from fas_core.inference.infer import BATCH_CPU, Loaded
from fas_core.models.base import Model
from fas_core.models.input import Input
from fas_core.training.train import train_dev_split

CALIBRATED_ON = 128  # live training images at most
COMPARED = 64  # live images at most, dev images first
COLLAPSED = 1e-3  # deviation of codes, over their size: of the same code whatever the image
CODES, PIXELS = 0.1, 0.02  # what int8 may differ by from fp32, see `Agreement`
LINEAR = ("Gemm", "MatMul")
LAYERS = ("Conv", "ConvTranspose", *LINEAR)
PHASES = [(row, column) for row in range(2) for column in range(2)]  # of a pixel of an image twice as large
TAPS = ((3, 1), (2, 0))  # of a 4x4 kernel, by phase: those that meet a pixel's neighbour above, or left, and itself


@dataclass(frozen=True)
class Agreement:
    """int8 against fp32 on live images: first those that calibrated nothing, filled up to `COMPARED` with others."""

    codes: float  # root mean square of the differences of codes, over the deviation of codes
    pixels: float | None  # mean absolute difference of reconstructions in [0, 1]; None of a model that does not decode
    images: int
    is_collapsed: bool = False  # whether the code of fp32 is the same of all these images


@dataclass(frozen=True, eq=False)
class Calibration:
    """Live images as a model is given them, and how they were chosen."""

    learned: NDArray[np.float32]  # (k, c, H, W), of those that were learned
    held_out: NDArray[np.float32]  # (m, c, H, W), of those that chose the checkpoint
    about: Json


def calibration(loaded: Loaded, data: Manifest) -> Calibration:
    """Of live training images alone, by the seed of the checkpoint's training. Raises BadInputError without any."""
    trained_with = loaded.header.get("experiment")
    seed = trained_with.get("seed", 0) if isinstance(trained_with, dict) else 0
    split = train_dev_split(data, seed)
    rng = np.random.default_rng([seed, 3])
    learned, held_out = (
        _images(split.root, rows.iloc[np.sort(rng.permutation(len(rows))[:n])], loaded.model.input)
        for rows, n in ((split.learned, CALIBRATED_ON), (split.dev, COMPARED))
    )
    if not len(learned):
        raise BadInputError(f"{data.source}: none of its live training images can be read: nothing to calibrate on.")
    about = {"images": len(learned), "seed": seed, "manifest": data.source.name, "manifest_sha256": data.sha256}
    return Calibration(learned, held_out if len(held_out) else learned, about)


def _images(root: Path, rows: pd.DataFrame, given: Input) -> NDArray[np.float32]:
    """(n, c, H, W) of those rows that can be read, as a model is given them."""
    raw = []
    for path in rows["path"]:
        try:
            raw.append(images.load(root / path, given.size, given.channels))
        except images.UnreadableImageError:
            continue
    stacked = np.stack(raw) if raw else np.empty((0, given.channels, given.size, given.size), np.float32)
    return preparing.prepared(stacked, given)[0]


def quantised(content: bytes, by: Calibration) -> tuple[bytes, Json]:
    """The file of a graph in int8, with the metadata that it had; and what is to be said of it besides.

    "layers": how many are int8; "float": the weights of those that stay fp32, by name; "calibrated_on".
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder, _quietly():
        folded, out = Path(folder) / "folded.onnx", Path(folder) / "int8.onnx"
        proto = _folded(content, folded)
        _by_convolutions(proto)
        onnx.save(proto, folded)
        layers = _layers(proto)
        if not any(layers.values()):
            raise BadInputError("The model has no convolution or linear layer that could be computed in int8.")
        quantize_static(
            folded,
            out,
            _reader(proto.graph.input[0].name, by.learned),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=[*LAYERS, "MaxPool", "Relu"],
            nodes_to_quantize=[node.name for node in proto.graph.node if layers.get(node.name, _hands_on(node))],
            extra_options={"OpTypesToExcludeOutputQuantization": list(LINEAR)},
        )
        result = onnx.load(out)
    del result.metadata_props[:]
    result.metadata_props.extend(onnx.load_from_string(content).metadata_props)
    weights = {node.name: node.input[1] for node in proto.graph.node if node.name in layers}
    about = {
        "layers": sum(layers.values()),
        "float": [weights[layer] for layer, is_int8 in layers.items() if not is_int8],
        "calibrated_on": by.about,
    }
    return bytes(result.SerializeToString()), about


@torch.inference_mode()
def agreement(model: Model, again: Model, by: Calibration) -> Agreement:
    """Of two models on the images that were held out, and on learned ones where those are few.

    The deviation of codes is that of all.
    """
    compared = by.held_out
    if len(compared) < COMPARED and compared is not by.learned:
        compared = np.concatenate([compared, by.learned])[:COMPARED]
    kept: list[Tensor] = []
    apart, pixels = [], []
    for part in torch.split(torch.from_numpy(compared), BATCH_CPU):
        before, after = model.outputs(part), again.outputs(part)
        kept.append(before.latents.float())
        apart.append((kept[-1] - after.latents).square().flatten())
        if before.reconstructions is not None and after.reconstructions is not None:
            pixels.append((before.reconstructions - after.reconstructions).abs().flatten())
    kept += [model.encode(part).float() for part in torch.split(torch.from_numpy(by.learned), BATCH_CPU)]
    codes = torch.cat(kept)
    deviation = float((codes - codes.mean(0)).square().mean().sqrt())
    is_collapsed = deviation <= COLLAPSED * float(codes.square().mean().sqrt())
    return Agreement(
        float(torch.cat(apart).mean().sqrt()) / (deviation or 1.0),
        float(torch.cat(pixels).mean()) if pixels else None,
        len(compared),
        is_collapsed,
    )


def require_near(of: Agreement, called: str) -> Json:
    """`of` for the metadata. Raises BadInputError where int8 says something else than fp32."""
    if of.is_collapsed:
        raise BadInputError(
            f"{called}: its code says the same of all live images that it was compared on: it has collapsed, and int8 "
            "cannot be judged by it. It was not written: train longer, or export it in fp32, without --int8."
        )
    if of.codes > CODES or (of.pixels or 0.0) > PIXELS:
        raise BadInputError(
            f"{called}: in int8 its codes differ by {of.codes:.1%} of their deviation and its reconstructions by "
            f"{of.pixels or 0:.3f} on {of.images} live images, more than {CODES:.0%} and {PIXELS}. It was not written: "
            "export it in fp32, without --int8."
        )
    return {name: value for name, value in asdict(of).items() if name != "is_collapsed"}


# ------------------------------------------------------------------------------------------------------- on the graph


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the words of ONNX Runtime's tools, which they say through the root of all loggers."""
    root = logging.getLogger()
    level = root.level
    try:
        root.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)


def _folded(content: bytes, out: Path) -> Any:
    """A graph in which what no image changes is a weight; by ONNX Runtime, with standard operators alone."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out)
    options.log_severity_level = 4
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    proto = onnx.load(out)
    for number, node in enumerate(proto.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    return proto


def _layers(proto: Any) -> dict[str, bool]:
    """Every layer with weights by name, and whether it is to be int8: where it has several channels on both sides.

    The windows of SSIM, of one channel on both, are no layers.
    """
    weights = {tensor.name: tensor.dims for tensor in proto.graph.initializer if len(tensor.dims) > 1}
    return {
        node.name: min(weights[node.input[1]][:2]) > 1
        for node in proto.graph.node
        if node.op_type in LAYERS and node.input[1] in weights and max(weights[node.input[1]][:2]) > 1
    }


def _hands_on(node: Any) -> bool:
    """Whether it only chooses among numbers, so that it can between layers of int8."""
    return node.op_type in ("MaxPool", "Relu")


def _reader(name: str, x: NDArray[np.float32]) -> Any:
    """Images one by one, as ONNX Runtime asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.images = iter(x)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            image = next(self.images, None)
            return None if image is None else {name: image[None]}

    return Reader()


def _by_convolutions(proto: Any) -> None:
    """Every transposed convolution of 4x4 with stride 2, which doubles an image, as a 2x2 convolution."""
    from onnx import numpy_helper

    weights = {tensor.name: tensor for tensor in proto.graph.initializer}
    nodes = []
    for node in proto.graph.node:
        settings = {attribute.name: [*attribute.ints] or attribute.i for attribute in node.attribute}
        doubles = {"kernel_shape": [4, 4], "strides": [2, 2], "pads": [1, 1, 1, 1]}.items() <= settings.items()
        is_plain = settings.get("group", 1) == 1 and not any(settings.get("output_padding", [0]))
        if node.op_type == "ConvTranspose" and doubles and is_plain and node.input[1] in weights:
            arrays = [numpy_helper.to_array(weights[name]) for name in node.input[1:]]
            nodes += _four_pixels(proto, node, arrays)
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input} | {value.name for value in proto.graph.output}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name in used]
    del proto.graph.node[:], proto.graph.initializer[:]
    proto.graph.node.extend(nodes)
    proto.graph.initializer.extend(kept)


def _four_pixels(proto: Any, node: Any, arrays: Sequence[NDArray[np.float32]]) -> list[Any]:
    """A transposed convolution (c, c', 4, 4), with or without an offset (c',), as nodes around a 2x2 convolution.

    That gives (n, 4 c', H + 1, W + 1): the places between pixels and around them. Of each of the four a pixel takes
    what lies above and left of it, above, left, or on it.
    """
    from onnx import helper, numpy_helper

    kernel, name, output = arrays[0], node.name, node.output[0]
    after = kernel.shape[1]
    parts = [kernel[:, :, TAPS[row], :][:, :, :, TAPS[column]] for row, column in PHASES]
    weights = {"weight": np.concatenate([part.transpose(1, 0, 2, 3) for part in parts])}
    weights |= {"bias": np.tile(arrays[1], 4)} if len(arrays) > 1 else {}
    constants = {f"{name}/{kind}": np.ascontiguousarray(array) for kind, array in weights.items()}
    inputs = [node.input[0], *constants]
    nodes = [helper.make_node("Conv", inputs, [f"{name}/four"], name, kernel_shape=[2, 2], pads=[1, 1, 1, 1])]
    for number, (row, column) in enumerate(PHASES):
        ends = {
            "starts": [number * after, row, column],
            "ends": [(number + 1) * after, *(2**31 if late else -1 for late in (row, column))],
            "axes": [1, 2, 3],
        }
        places = {f"{name}/{kind}{number}": np.array(values, np.int64) for kind, values in ends.items()}
        constants |= places
        nodes.append(helper.make_node("Slice", [f"{name}/four", *places], [f"{name}/{number}"], f"{name}/{number}"))
    phases = [f"{name}/{number}" for number in range(4)]
    nodes.append(helper.make_node("Concat", phases, [f"{name}/phases"], f"{name}/phases", axis=1))
    nodes.append(helper.make_node("DepthToSpace", [f"{name}/phases"], [output], f"{name}/image", blocksize=2))
    proto.graph.initializer.extend(numpy_helper.from_array(array, key) for key, array in constants.items())
    return nodes
