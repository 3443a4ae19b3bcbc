"""One safetensors file per checkpoint: the weights, and a JSON header that says what they are.

Nothing is ever unpickled: a PyTorch file (a zip with a pickle inside) is refused by its first bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from fas_core import models
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import atomic_file
from fas_core.models.base import Autoencoder
from fas_core.training.known import Known

HEADER_KEY = "fas"
CONTENT = "content."  # begins the names of tensors that are no weights


def save(path: Path, model: Autoencoder, name: str, details: Json, known: Known | None = None) -> Json:
    """Writes weights and header in one atomic step; returns the header.

    `name` is the model's module; `details` what should be known of the training (data hash, experiment, epoch, ...);
    `known` the images that it has used.
    """
    header = {"model": name, "config": vars(model.config) | {}, **details}
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if known is not None:
        tensors |= {f"{CONTENT}{part.name}": torch.from_numpy(getattr(known, part.name)) for part in fields(known)}
    write_tensors(path, tensors, header)
    return header


def loaded(path: Path) -> tuple[Autoencoder, Json]:
    """The model on the CPU in eval mode, and the header; raises BadInputError for anything that is not a checkpoint."""
    tensors, header = read_tensors(path)
    tensors = {name: value for name, value in tensors.items() if not name.startswith(CONTENT)}
    config = header.get("config", {})
    if not isinstance(config, dict):
        raise BadInputError(_not_ours(path))
    model = models.built(str(header.get("model")), config)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    if expected != shapes:
        differing = sorted(set(expected.items()) ^ set(shapes.items()))[0][0]
        raise BadInputError(
            f"{path}: the weights are not those of model {header['model']} with the settings in the header "
            f"(first difference: {differing}). Train it again, or use the file that was written with it."
        )
    model.load_state_dict(tensors)
    return model.eval(), header


def known_of(path: Path) -> Known | None:
    """The images that a checkpoint's training has used; None where it does not say."""
    _require_file(path)
    with safe_open(path, "np") as file:
        names = set(file.keys())
        if not {f"{CONTENT}learned", f"{CONTENT}dev"} <= names:
            return None
        return Known(file.get_tensor(f"{CONTENT}learned"), file.get_tensor(f"{CONTENT}dev"))


def header_of(path: Path) -> Json:
    """The header alone, without reading the weights."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        text = file.read(size) if size < 100_000_000 else b""
    try:
        return dict(json.loads(json.loads(text)["__metadata__"][HEADER_KEY]))
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(_not_ours(path)) from error


def sha256(path: Path) -> str:
    """Of the whole file."""
    _require_file(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], header: Json) -> None:
    """A safetensors file with a JSON header; complete or not there."""
    with atomic_file(path) as temporary:
        save_file(tensors, temporary, metadata={HEADER_KEY: json.dumps(header, sort_keys=True)})


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], Json]:
    """What `write_tensors` wrote; raises BadInputError saying what is wrong with the file otherwise."""
    _require_file(path)
    if _is_pickled(path):
        raise BadInputError(
            f"{path} is a pickled PyTorch file, which can run code when it is opened, so it is refused. "
            "Load it where you trust it and save its weights with 'fas train' or as safetensors."
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise BadInputError(
            f"{path} is not a complete safetensors file ({error}). If it was cut short, copy or train it again."
        ) from error
    return tensors, header_of(path)


def _is_pickled(path: Path) -> bool:
    """Whether a file that is no safetensors file starts as PyTorch's zip or a bare pickle does.

    A safetensors file starts with the length of its header, which may be any byte, and goes on with a brace.
    """
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        return False
    return start[:2] == b"PK" or (start[:1] == b"\x80" and start[1:2] in b"\x01\x02\x03\x04\x05")


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise BadInputError(f"Checkpoint {path} does not exist. 'fas train' writes one.")


def _not_ours(path: Path) -> str:
    return f"{path} carries no FAS Explorer header, so its model is unknown. Use a checkpoint written by 'fas train'."
