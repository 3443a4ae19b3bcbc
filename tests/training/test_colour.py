"""Models of this package trained in colour: what they learn from, what their Runs hold, what Training shows."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.training import reconstructions
from fas_core import models
from fas_core.data import manifest
from fas_core.data.manifest import Manifest
from fas_core.data.names import LEARNED, TRAINING_USE
from fas_core.errors import BadInputError
from fas_core.inference import imported, infer
from fas_core.runs import health, store, traininglog
from fas_core.training import checkpoint, experiments, train
from tests.conftest import TINY_MODEL

COLOUR = [*TINY_MODEL, "image_channels=3", "epochs=1"]


@pytest.fixture
def data(tiny_faces: Path, tmp_path: Path) -> Manifest:
    """The tiny faces, brighter in red on the left and in blue on the right; all of modality rgb."""
    shutil.copytree(tiny_faces.parent / "images", tmp_path / "images")
    for path in (tmp_path / "images").iterdir():
        gray = np.asarray(Image.open(path)).astype(int)
        across = np.linspace(-60, 60, gray.shape[1])
        planes = [np.clip(gray + shift, 0, 255).astype(np.uint8) for shift in (-across, 0 * across, across)]
        Image.fromarray(np.stack(planes, -1)).save(path)
    rows = manifest.read(tiny_faces).rows.assign(modality="RGB")
    return manifest.read(manifest.write(rows, tmp_path / "m.csv"))


def test_a_training_in_colour_gives_runs_in_colour(data: Manifest, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    train.train(experiments.preset("small_dcvae").with_settings(COLOUR), data, out, device="cpu")
    header = checkpoint.header_of(out)
    assert (header["config"]["image_channels"], header["modality"]) == (3, "rgb")
    assert "red, green, blue" in header["preprocessing"]
    samples = traininglog.read_samples(out)
    assert samples is not None
    assert samples.inputs.shape == samples.epochs[0].shape == (len(samples.ids), 32, 32, 3)
    [run] = infer.write_runs([out], data, tmp_path / "cache", device="cpu", precision="fp32")
    assert (run.info.modality, run.info.input["channels"]) == ("rgb", 3)
    assert header["preprocessing"] == run.info.preprocessing
    shown = {name: run.images(name, [0]) for name in ("inputs", "reconstructions")}
    assert [images.shape for images in shown.values()] == [(1, 32, 32, 3)] * 2
    left = shown["inputs"][0, :, :8].astype(int).mean(axis=(0, 1))
    assert left[0] > left[2] + 40  # red on the left
    used = run.samples([TRAINING_USE])[TRAINING_USE]
    assert (used == LEARNED).sum() == header["images"]["learned"]  # known by their colours
    assert health.other_modality(run) is None
    elsewhere = store.Run(run.folder, replace(run.info, modality="nir"), run.shards)
    assert [c.message for c in health.cautions(elsewhere) if c.kind == "other_modality"] == [
        "The model has learned from images of modality rgb; these are nir."
    ]


def test_several_modalities_are_refused_before_anything_is_made(
    data: Manifest, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    kinds = np.where(np.arange(len(data)) % 2, "nir", "rgb")
    both = manifest.read(manifest.write(data.rows.assign(modality=kinds), tmp_path / "both.csv"))
    out, cache = tmp_path / "m.safetensors", tmp_path / "cache"
    says = r"both.csv holds several modalities \(nir, rgb\), .* Choose it: --modality rgb$"
    with pytest.raises(BadInputError, match=says):
        train.train(experiments.preset("small_dcvae").with_settings(COLOUR), both, out, device="cpu")
    with pytest.raises(BadInputError, match=says):
        infer.write_runs([tiny_checkpoint], both, cache, device="cpu")
    with pytest.raises(BadInputError, match=says):
        imported.write_run(tmp_path / "arrays", both, cache, "acme")
    assert not out.exists()
    assert not list(cache.glob("runs/*"))


@pytest.mark.parametrize("name", ["dcvae", "resvae", "ganomaly"])
def test_every_model_takes_colours_and_gives_them(name: str) -> None:
    config = {"width": 0.05, "latent_dim": 16, "image_size": 32, "image_channels": 3}
    model = models.built(name, config).eval()
    assert model.input.channels == 3
    x = torch.rand(2, 3, 32, 32)
    out = model.outputs(x)
    assert out.reconstructions is not None
    assert out.reconstructions.shape == x.shape
    assert {loss.shape for loss in out.losses.values()} == {(2,)}
    with pytest.raises(BadInputError, match="image_channels 2 must be 1, gray, or 3, colour"):
        models.built(name, config | {"image_channels": 2})


def test_reconstructions_beside_each_other_keep_their_colours(tmp_path: Path) -> None:
    images = np.zeros((2, 16, 16, 3), np.uint8)
    images[0, ..., 0], images[1, ..., 2] = 200, 90
    training = traininglog.announced(tmp_path, tmp_path / "m.safetensors", {}, 4, chosen_by="elbo")
    row = reconstructions.Row(reconstructions.written(training), None, images, is_clear=True)
    png, _ = reconstructions._beside_each_other(row)
    sheet = np.asarray(Image.open(io.BytesIO(png)))
    assert sheet[5, 5].tolist() == [200, 0, 0, 255]
    assert sheet[5, -5].tolist() == [0, 0, 90, 255]
