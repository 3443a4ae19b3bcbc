"""What is in an ONNX file, looked through before anything of it runs; and the decoder cut out of it.

An accepted file has one input, images (n, c, H, W) or (n, H, W, c), and outputs that are told by their names: `latents`
(n, d), `reconstructions` like the input, and any number of others with one number per image, which are losses. Under
`fas` its metadata may hold JSON: {"input": {"size", "channels", "scaling"}, "scores": {name: "attack"}}, see `Input`
and `Model.scores`.

Refused by the file's own bytes: weights in other files, operators that are not ONNX's own, operator sets that are not
known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fas_core import documents
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.models.input import COLOUR, GRAY

METADATA = "fas"  # the key of the JSON in a file's metadata
LATENTS, RECONSTRUCTIONS = "latents", "reconstructions"
MAX_BYTES = 2**31 - 1  # what a message of the format can hold
DTYPES = {1: "float32", 10: "float16", 11: "float64"}  # the format's numbers of element types
OWN = ("", "ai.onnx", "ai.onnx.ml")  # domains of operators
RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")

CHANNELS_FIRST, CHANNELS_LAST = "channels first", "channels last"  # (n, c, H, W) and (n, H, W, c)


@dataclass(frozen=True)
class Graph:
    """A file that has been looked through. Sizes are None where the file leaves them open."""

    content: bytes
    called: str  # the file, for messages
    input: str  # its name, as of the outputs
    dtype: str
    layout: str
    batch: int | None
    size: int | None
    channels: int | None
    outputs: tuple[str, ...]
    metadata: Json
    facts: Json  # producer, opset, graph's own words on its outputs: for the header
    proto: Any = field(repr=False)

    @property
    def losses(self) -> tuple[str, ...]:
        return tuple(name for name in self.outputs if name not in (LATENTS, RECONSTRUCTIONS))

    def decoder(self, size: int, channels: int) -> bytes | None:
        """latents -> reconstructions as a file of its own; None where these need more of an image than its codes."""
        return _decoder(self, size, channels) if RECONSTRUCTIONS in self.outputs else None


def read(content: bytes, called: str) -> Graph:
    """The graph of a file's bytes. Raises BadInputError, see the top of this module."""
    proto = _parsed(content, called)
    _require_whole(proto, called)
    opset = _opset(proto, called)
    _require_own_operators(proto, called)
    graph = proto.graph
    given = {tensor.name for tensor in graph.initializer} | {tensor.values.name for tensor in graph.sparse_initializer}
    inputs = [value for value in graph.input if value.name not in given]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise BadInputError(f"{called} takes {len(inputs)} inputs ({names}); expected one, images.")
    outputs = tuple(value.name for value in graph.output)
    if LATENTS not in outputs:
        raise BadInputError(
            f"{called} has no output '{LATENTS}'. Its outputs: {', '.join(outputs) or 'none'}. Name them when you "
            f"export it, e.g. output_names=['{LATENTS}', '{RECONSTRUCTIONS}', ...]; every other one is a score."
        )
    layout, batch, size, channels = _shape(inputs[0], called)
    producer = f"{proto.producer_name} {proto.producer_version}".strip()
    return Graph(
        content,
        called,
        inputs[0].name,
        _dtype(inputs[0], called),
        layout,
        batch,
        size,
        channels,
        outputs,
        _metadata(proto, called),
        {"opset": opset, "producer": producer},
        proto,
    )


def _parsed(content: bytes, called: str) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.ModelProto.FromString(content)
    except DecodeError:
        proto = None
    if proto is None or not proto.ir_version or not proto.graph.output:
        raise BadInputError(f"{called} is not a complete ONNX file. If it was cut short, copy or export it again.")
    if proto.ir_version > onnx.IR_VERSION:
        raise BadInputError(
            f"{called} is in version {proto.ir_version} of the format; those up to {onnx.IR_VERSION} are read here. "
            "Export it for one of them."
        )
    return proto


def _require_whole(proto: Any, called: str) -> None:
    """Raises BadInputError where a tensor is kept in another file."""
    for tensor in _tensors(proto):
        if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
            places = {entry.key: entry.value for entry in tensor.external_data}
            raise BadInputError(
                f"{called} keeps its weights in another file ({places.get('location', '?')}), which is refused. Make "
                f"one file of both where you trust them: import onnx; onnx.save(onnx.load('{called}'), 'whole.onnx')"
            )


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor anywhere in a message of the format."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for about, value in message.ListFields():
        if about.message_type is not None:
            for part in value if about.is_repeated else [value]:
                yield from _tensors(part)


def _opset(proto: Any, called: str) -> int:
    """The version of ONNX's operators that a file asks for."""
    from onnx import defs

    versions = [entry.version for entry in proto.opset_import if entry.domain in OWN[:2]]
    known = defs.onnx_opset_version()
    if not versions or not 1 <= max(versions) <= known:
        asked = max(versions) if versions else "none"
        raise BadInputError(
            f"{called} asks for operators of opset {asked}; known are 1 to {known}. Export it with one."
        )
    return int(max(versions))


def _require_own_operators(proto: Any, called: str) -> None:
    """Raises BadInputError for operators that are neither ONNX's own nor defined in the file by such."""
    from onnx import defs

    defined = {(function.domain, function.name) for function in proto.functions}
    bodies = [(proto.graph.node, proto.opset_import), *((each.node, each.opset_import) for each in proto.functions)]
    for nodes, imports in bodies:
        versions = {"" if entry.domain == OWN[1] else entry.domain: entry.version for entry in imports}
        for node in _all_nodes(nodes):
            domain = "" if node.domain == OWN[1] else node.domain
            if (node.domain, node.op_type) in defined:
                continue
            if domain not in OWN:
                raise BadInputError(
                    f"{called} asks for the operator {node.domain}.{node.op_type}, which is not ONNX's own and is "
                    "refused. Export it with standard operators alone."
                )
            version = versions.get(domain, 0)
            try:
                schema = defs.get_schema(node.op_type, max_inclusive_version=version, domain=domain)
            except defs.SchemaError:
                schema = None
            if schema is None or schema.deprecated:
                raise BadInputError(
                    f"{called} asks for the operator {node.op_type}, which opset {version} does not have."
                )


def _all_nodes(nodes: Any) -> Iterator[Any]:
    """Nodes and those of their inner graphs."""
    for node in nodes:
        yield node
        for inner in _inner_graphs(node):
            yield from _all_nodes(inner.node)


def _inner_graphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _dtype(value: Any, called: str) -> str:
    number = value.type.tensor_type.elem_type
    if number not in DTYPES:
        from onnx import TensorProto

        kind = TensorProto.DataType.Name(number).lower() if number in TensorProto.DataType.values() else str(number)
        raise BadInputError(f"{called}: its input {value.name} holds {kind}; expected {', '.join(DTYPES.values())}.")
    return DTYPES[number]


def _shape(value: Any, called: str) -> tuple[str, int | None, int | None, int | None]:
    """Layout, batch, size and channels of images; None what is left open."""
    of_input = value.type.tensor_type
    shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in of_input.shape.dim]
    if not of_input.HasField("shape"):
        return CHANNELS_FIRST, None, None, None
    sides = [str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?" for dim in of_input.shape.dim]
    words = f"({', '.join(sides)})"
    expected = "expected square images in gray or colour, (n, 1 or 3, size, size) or (n, size, size, 1 or 3)"
    if len(shape) != 4:
        raise BadInputError(f"{called}: its input {value.name} is {words}; {expected}.")
    is_last = shape[1] not in (GRAY, COLOUR) and shape[3] in (GRAY, COLOUR)
    channels, across = (shape[3], shape[1:3]) if is_last else (shape[1], shape[2:4])
    known = {side for side in across if side is not None}
    if channels not in (None, GRAY, COLOUR) or len(known) > 1 or shape[0] == 0:
        raise BadInputError(f"{called}: its input {value.name} is {words}; {expected}.")
    return CHANNELS_LAST if is_last else CHANNELS_FIRST, shape[0], next(iter(known), None), channels


def _metadata(proto: Any, called: str) -> Json:
    text = next((entry.value for entry in proto.metadata_props if entry.key == METADATA), "{}")
    try:
        content = documents.parsed(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise BadInputError(f"{called}: its metadata '{METADATA}' is no JSON object: {text[:60]!r}.")
    return content


# --------------------------------------------------------------------------------------------------------- its decoder


def _decoder(graph: Graph, size: int, channels: int) -> bytes | None:
    import onnx

    whole = graph.proto.graph
    by_output = {name: node for node in whole.node for name in node.output if name}
    codes = _equal_to(LATENTS, by_output)
    shapes = {node.output[0] for node in whole.node if node.op_type == "Shape" and node.input[0] == graph.input}
    needed = _needed_for(RECONSTRUCTIONS, by_output, codes | shapes)
    if graph.input in needed:
        return None
    of_images = [size, size, channels] if graph.layout == CHANNELS_LAST else [channels, size, size]
    values = {value.name: value for value in whole.output}
    proto = onnx.ModelProto(ir_version=graph.proto.ir_version)
    proto.opset_import.extend(graph.proto.opset_import)
    proto.functions.extend(graph.proto.functions)
    cut = proto.graph
    cut.name = "decoder"
    cut.initializer.extend(tensor for tensor in whole.initializer if tensor.name in needed)
    cut.sparse_initializer.extend(tensor for tensor in whole.sparse_initializer if tensor.values.name in needed)
    cut.input.extend([values[LATENTS], *(value for value in whole.input if value.name in needed)])
    cut.output.append(values[RECONSTRUCTIONS])
    cut.node.extend(onnx.helper.make_node("Identity", [LATENTS], [name]) for name in sorted(codes & needed - {LATENTS}))
    for node in whole.node:
        if node.output[0] in shapes & needed:
            cut.node.extend(_shape_by_codes(node, of_images))
        elif not needed.isdisjoint(node.output) and codes.isdisjoint(node.output):
            cut.node.append(node)
    return bytes(proto.SerializeToString())


def _equal_to(name: str, by_output: dict[str, Any]) -> set[str]:
    """The names under which a value is known: those of the nodes before it that only hand it on."""
    names = {name}
    while (node := by_output.get(name)) is not None and node.op_type == "Identity":
        name = node.input[0]
        names.add(name)
    return names


def _needed_for(name: str, by_output: dict[str, Any], given: set[str]) -> set[str]:
    """Every value that one follows from, itself included; what is given is followed no further."""
    needed: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            if name in by_output and name not in given:
                waiting += _read_by(by_output[name])
    return needed


def _read_by(node: Any) -> set[str]:
    """The values that a node reads, those that its inner graphs take from around them included."""
    names = set(node.input)
    for inner in _inner_graphs(node):
        own = {value.name for value in (*inner.input, *inner.initializer)} | {o for n in inner.node for o in n.output}
        names |= {name for each in inner.node for name in _read_by(each)} | {value.name for value in inner.output}
        names -= own
    return names - {""}


def _shape_by_codes(node: Any, of_images: Sequence[int]) -> list[Any]:
    """What gives the shape of the images, (n, *of_images), as a node of a file does, where only the codes are there."""
    from onnx import TensorProto, helper

    ends = {attribute.name: attribute.i for attribute in node.attribute}
    taken = range(4)[ends.get("start", 0) : ends.get("end", 4)]
    name = node.output[0]

    def numbers(output: str, values: Sequence[int]) -> Any:
        tensor = helper.make_tensor(output, TensorProto.INT64, [len(values)], values)
        return helper.make_node("Constant", [], [output], value=tensor)

    if 0 not in taken:
        return [numbers(name, [of_images[i - 1] for i in taken])]
    return [
        helper.make_node("Shape", [LATENTS], [f"{name}/codes"]),
        numbers(f"{name}/first", [0]),
        helper.make_node("Gather", [f"{name}/codes", f"{name}/first"], [f"{name}/n"]),
        numbers(f"{name}/rest", [of_images[i - 1] for i in taken if i]),
        helper.make_node("Concat", [f"{name}/n", f"{name}/rest"], [name], axis=0),
    ]
