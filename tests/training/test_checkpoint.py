import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fas_core import models
from fas_core.errors import BadInputError
from fas_core.training import checkpoint
from fas_core.training.known import Known

CONFIG = {"width": 0.125, "latent_dim": 16, "image_size": 32}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "m.safetensors"
    checkpoint.save(path, models.built("dcvae", CONFIG), "dcvae", {"experiment": {"seed": 3}})
    return path


def test_what_is_saved_is_loaded(saved: Path) -> None:
    model, header = checkpoint.loaded(saved)
    torch.manual_seed(0)
    for (name, expected), value in zip(models.built("dcvae", CONFIG).state_dict().items(), model.state_dict().values(),
                                       strict=True):  # fmt: skip
        torch.testing.assert_close(value, expected, rtol=0, atol=0, msg=name)
    assert header["model"] == "dcvae"
    assert header["config"]["width"] == 0.125
    assert header["experiment"] == {"seed": 3}
    assert checkpoint.header_of(saved) == header
    assert not model.training


def test_a_pickle_is_refused_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    torch.save({"w": torch.zeros(1)}, path)
    with pytest.raises(BadInputError, match="pickled PyTorch file"):
        checkpoint.loaded(path)


def test_no_checkpoint_is_taken_for_a_pickle_because_of_its_header_s_length(tmp_path: Path) -> None:
    """The file begins with the length of the header: 0x80 and "PK" are lengths like any other."""
    model = models.built("dcvae", CONFIG)
    path = tmp_path / "m.safetensors"
    first_bytes = set()
    for padding in range(0, 256, 8):
        checkpoint.save(path, model, "dcvae", {"note": "x" * padding})
        first_bytes.add(path.read_bytes()[0])
        assert checkpoint.loaded(path)[1]["note"] == "x" * padding
    assert 0x80 in first_bytes


@pytest.mark.parametrize("keep", [0, 5, 300, -1])
def test_truncated_files_are_named(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(BadInputError, match=r"m.safetensors is not a complete safetensors file"):
        checkpoint.loaded(saved)
    with pytest.raises(BadInputError, match=r"m.safetensors is not a complete safetensors file"):
        checkpoint.known_of(saved)


def test_foreign_and_missing_files_are_named(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(BadInputError, match="no FAS Explorer header"):
        checkpoint.loaded(tmp_path / "other.safetensors")
    with pytest.raises(BadInputError, match="does not exist"):
        checkpoint.loaded(tmp_path / "none.safetensors")


def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        for read in (checkpoint.loaded, checkpoint.header_of, checkpoint.sha256, checkpoint.known_of):
            with pytest.raises(BadInputError, match=f"{path} is no regular file"):
                read(path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    tensors = models.built("dcvae", CONFIG).state_dict()
    wider = {"model": "dcvae", "config": CONFIG | {"width": 0.25}}
    checkpoint.write_tensors(tmp_path / "m.safetensors", tensors, wider)
    with pytest.raises(BadInputError, match="not the weights of model dcvae"):
        checkpoint.loaded(tmp_path / "m.safetensors")
    checkpoint.write_tensors(tmp_path / "u.safetensors", tensors, {"model": "unet", "config": {}})
    with pytest.raises(BadInputError, match="Unknown model 'unet'"):
        checkpoint.loaded(tmp_path / "u.safetensors")


def test_it_knows_the_images_it_has_used_by_their_content(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    contents = rng.integers(0, 256, (300, 8), np.uint8)
    zeros = np.zeros((2, 8), np.uint8)
    known = Known.of([contents[:60], contents[50:100], zeros], [contents[100:104], contents[104:110]])
    path = tmp_path / "m.safetensors"
    checkpoint.save(path, models.built("dcvae", CONFIG), "dcvae", {}, known)
    checkpoint.loaded(path)  # what is no weight is in nobody's way
    read = checkpoint.known_of(path)
    assert read is not None
    asked = np.vstack([contents[::-1], zeros])  # the last two could not be read
    uses = ["none"] * 190 + ["dev"] * 10 + ["learned"] * 100 + ["none"] * 2
    unlike = np.full_like(asked, 7)
    for kinds in ((asked,), (asked, unlike), (unlike, asked), (asked, np.zeros_like(asked))):  # either kind tells
        assert read.use_of(*kinds).tolist() == uses
    assert set(Known().use_of(asked)) == {"none"}


def test_a_checkpoint_that_does_not_say_what_it_used_says_nothing(saved: Path) -> None:
    assert checkpoint.known_of(saved) is None


INSIDE = json.dumps({"__metadata__": {checkpoint.HEADER_KEY: "[" * 9000}})


@pytest.mark.parametrize("header", ["[" * 10**5, '{"a":' * 10**5, "[1]", INSIDE])
def test_a_header_that_is_too_deep_or_no_header_is_refused(tmp_path: Path, header: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode())
    with pytest.raises(BadInputError, match=f"{path} carries no FAS Explorer header"):
        checkpoint.header_of(path)
