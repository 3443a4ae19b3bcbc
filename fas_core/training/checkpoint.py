"""One safetensors file per checkpoint: the weights, and a JSON header that says what they are.

Nothing is ever unpickled: a PyTorch file (a zip with a pickle inside) is refused by its first bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from fas_core import documents, models
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, file_sha256, opened_file
from fas_core.models.base import Model
from fas_core.training.known import Known

HEADER_KEY = "fas"
CONTENT = "content."  # begins the names of tensors that are no weights


def save(path: Path, model: Model, name: str, details: Json, known: Known | None = None) -> Json:
    """Writes weights and header in one atomic step; returns the header.

    `name` is the model's; `details` what should be known of the training (data hash, experiment, epoch, ...);
    `known` the images that it has used.
    """
    header = {"model": name, "config": vars(model.config) | {}, **details}
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if known is not None:
        tensors |= {f"{CONTENT}{part.name}": torch.from_numpy(getattr(known, part.name)) for part in fields(known)}
    write_tensors(path, tensors, header)
    return header


def loaded(path: Path) -> tuple[Model, Json]:
    """The model on the CPU in eval mode, and the header; raises BadInputError for anything that is not a checkpoint."""
    tensors, header = read_tensors(path)
    config = header.get("config", {})
    if not isinstance(config, dict):
        raise BadInputError(_not_ours(path))
    return _with_weights(path, tensors, str(header.get("model")), config), header


def adopt(weights: Path, name: str, config: Json, out: Path) -> Json:
    """Writes a checkpoint of plain safetensors weights, which say not whose they are; returns its header.

    Raises BadInputError, and writes nothing, where they do say, where there is no such model or these are not its own.
    """
    tensors = _tensors(weights)
    if _is_ours(weights):
        raise BadInputError(f"{weights} says itself whose weights it holds: it is a checkpoint. Use it as it is.")
    model = _with_weights(weights, tensors, name, config)
    header = {"model": name, "config": vars(model.config) | {}, "adopted_from": weights.name}
    write_tensors(out, tensors, header)
    return header


def _is_ours(path: Path) -> bool:
    try:
        header_of(path)
    except BadInputError:
        return False
    return True


def _with_weights(path: Path, tensors: dict[str, torch.Tensor], name: str, config: Json) -> Model:
    """The model of some weights, in eval mode. Raises BadInputError where they are another's."""
    weights = {key: value for key, value in tensors.items() if not key.startswith(CONTENT)}
    model = models.built(name, config)
    expected = model.state_dict()
    if words := _difference(expected, weights):
        raise BadInputError(
            f"{path}: these are not the weights of model {name} with the settings {json.dumps(config)}: {words}. "
            "Use the file that was written with it, or the settings that it was made with."
        )
    try:
        model.load_state_dict(weights, strict=False)  # what a file leaves out is the same as what it holds
    except Exception as error:  # what a model of somebody's own makes of them
        raise BadInputError(f"{path}: model {name} cannot take its weights: {' '.join(str(error).split())}") from error
    return model.eval()


def _difference(expected: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> str:
    """How the tensors of a file differ from a model's, the first of each kind by name; "" where they do not.

    Of tensors that a model keeps once under several names, a file needs one.
    """
    held = {value.data_ptr() for name, value in expected.items() if name in weights}
    missing = sorted(name for name in set(expected) - set(weights) if expected[name].data_ptr() not in held)
    unknown = sorted(set(weights) - set(expected))
    words = [
        f"{len(names)} {kind}, the first {names[0]}"
        for kind, names in (("missing", missing), ("unexpected", unknown))
        if names
    ]
    for name in sorted(set(expected) & set(weights)):
        if expected[name].shape != weights[name].shape:
            words.append(f"{name} is {tuple(weights[name].shape)}, not {tuple(expected[name].shape)}")
            break
    return "; ".join(words)


def known_of(path: Path) -> Known | None:
    """The images that a checkpoint's training has used; None where it does not say.

    Raises BadInputError where the file is no safetensors file.
    """
    _require_file(path)
    try:
        with safe_open(path, "np") as file:
            names = set(file.keys())
            if not {f"{CONTENT}learned", f"{CONTENT}dev"} <= names:
                return None
            return Known(file.get_tensor(f"{CONTENT}learned"), file.get_tensor(f"{CONTENT}dev"))
    except (SafetensorError, OSError) as error:
        raise BadInputError(_incomplete(path, error)) from error


def header_of(path: Path) -> Json:
    """The header alone, without reading the weights."""
    _require_file(path)
    with opened_file(path) as file:
        size = int.from_bytes(file.read(8), "little")
        text = file.read(size) if size < 100_000_000 else b""
    try:
        about = documents.read_as(dict[str, Any], documents.parsed(text), "its header")
        return documents.read_as(Json, documents.parsed(about["__metadata__"][HEADER_KEY]), "its header")
    except (BadInputError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(_not_ours(path)) from error


def sha256(path: Path) -> str:
    """Of the whole file."""
    _require_file(path)
    return file_sha256(path)


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], header: Json) -> None:
    """A safetensors file with a JSON header; complete or not there."""
    with atomic_file(path) as temporary:
        save_file(tensors, temporary, metadata={HEADER_KEY: json.dumps(header, sort_keys=True)})


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], Json]:
    """What `write_tensors` wrote; raises BadInputError saying what is wrong with the file otherwise."""
    return _tensors(path), header_of(path)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    _require_file(path)
    if _is_pickled(path):
        raise BadInputError(
            f"{path} is a pickled PyTorch file, which can run code when it is opened, so it is refused. "
            "Load it where you trust it and save its weights with 'fas train' or as safetensors."
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise BadInputError(_incomplete(path, error)) from error


def _is_pickled(path: Path) -> bool:
    """Whether a file that is no safetensors file starts as PyTorch's zip or a bare pickle does.

    A safetensors file starts with the length of its header, which may be any byte, and goes on with a brace.
    """
    with opened_file(path) as file:
        start = file.read(9)
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        return False
    return start[:2] == b"PK" or (start[:1] == b"\x80" and start[1:2] in b"\x01\x02\x03\x04\x05")


def _require_file(path: Path) -> None:
    if not path.is_file():
        what = "is no regular file" if path.exists() else "does not exist"
        raise BadInputError(f"Checkpoint {path} {what}. 'fas train' writes one.")


def _incomplete(path: Path, error: Exception) -> str:
    return f"{path} is not a complete safetensors file ({error}). If it was cut short, copy or train it again."


def _not_ours(path: Path) -> str:
    return (
        f"{path} carries no FAS Explorer header, so its model is unknown. Use a checkpoint written by 'fas train', or "
        f"say whose weights these are: fas adopt {path} --model NAME --out CKPT.safetensors"
    )
