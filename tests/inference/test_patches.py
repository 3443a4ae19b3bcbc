"""What a Run keeps of places in images: what it is, that other Runs are as before, and its whole life with it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fas_core import scores
from fas_core.access import secret
from fas_core.data import images, manifest
from fas_core.erasure import forgetting
from fas_core.errors import BadInputError
from fas_core.inference import infer, predict, repair
from fas_core.models import denoising, ganomaly, memae, patches, resvae
from fas_core.models.base import Model
from fas_core.runs import encrypting, store, upkeep


@pytest.fixture(scope="module")
def kept(tiny_checkpoint: Path, tiny_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    cache, data = tmp_path_factory.mktemp("patches"), manifest.read(tiny_faces)
    return infer.write_runs([tiny_checkpoint], data, cache, device="cpu", precision="fp32", keeps_features=True)[0]


def features_of(run: store.Run) -> np.ndarray:
    return np.concatenate(list(run.feature_blocks(np.arange(len(run)))))


def test_they_are_means_of_the_encoders_map_projected(kept: store.Run, trained_run: tuple[store.Run, Path]) -> None:
    """By plain loops; nothing else of a Run changes, and one without them has the id that it always had."""
    plain, root = trained_run
    assert plain.id != kept.id
    assert not plain.info.patches
    np.testing.assert_array_equal(plain.latents(), kept.latents())
    features = features_of(kept)
    assert features.shape == (len(kept), 8, 8, 32)
    assert features.dtype == np.float16
    model, row = predict.ready(kept, "cpu").model, 17
    x = torch.from_numpy(images.load(root / kept.samples(["path"])["path"][row], 32, 1))[None]
    x = torch.from_numpy(predict.preparing.prepared(x.numpy(), model.input)[0])
    encoder = list(model.encoder)
    with torch.no_grad():
        of_map = F.relu(encoder[3](encoder[2](F.relu(encoder[0](x)))))[0].numpy()  # 16 x 16, after the first halving
    padded = np.pad(of_map, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    around = [[np.nanmean(padded[:, i : i + 3, j : j + 3], axis=(1, 2)) for j in range(16)] for i in range(16)]
    of_places = np.array(around).reshape(8, 2, 8, 2, -1).mean(axis=(1, 3))
    drawn = np.random.default_rng(0).standard_normal((of_places.shape[-1], 32)) / np.sqrt(32)
    np.testing.assert_allclose(features[row], of_places @ drawn, rtol=2e-3, atol=1e-4)


def test_uploads_encryption_repair_and_erasure_know_them(
    kept: store.Run, tiny_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.opened(Path(shutil.copytree(kept.cache, tmp_path / "c")) / "runs" / kept.id)
    values, before = scores.values(run, "patches"), features_of(run)
    assert np.isfinite(values).all()
    rows = np.flatnonzero(run.samples(["subset"])["subset"] != "train")[:3]
    raw = np.stack([images.load(tiny_faces.parent / path, 32, 1) for path in run.samples(["path"])["path"][rows]])
    of_uploads = scores.of_outputs(predict.outputs_of(run, raw, "cpu"), "patches", run)
    np.testing.assert_allclose(of_uploads, values[rows], rtol=1e-3)

    shutil.rmtree(run.shards[0].folder)
    path = run.shards[1].folder / "features.npy"
    path.write_bytes(path.read_bytes()[:-2] + b"\0\0")
    damaged = upkeep.damage(store.opened(run.folder))
    assert [entry.problem for entry in damaged] == ["features.npy does not match its checksum"]
    repair.repair(run.folder, damaged)
    data = manifest.read(tiny_faces)
    infer.write_runs([Path(kept.info.checkpoint_path)], data, run.cache, device="cpu", keeps_features=True)
    np.testing.assert_array_equal(features_of(store.opened(run.folder)), before)

    monkeypatch.setenv(secret.DATA_KEY, "0" * 64)
    locked = encrypting.encrypt(store.opened(run.folder))
    assert not list(locked.folder.rglob("features.npy"))
    np.testing.assert_array_equal(features_of(locked), before)
    np.testing.assert_array_equal(scores.values(locked, "patches"), values)
    forgetting._forget_in_shard(locked.shards[0], (str(locked.samples(["sample_id"])["sample_id"][1]),))
    np.testing.assert_array_equal(features_of(store.opened(run.folder)), np.delete(before, 1, axis=0))
    monkeypatch.delenv(secret.DATA_KEY)
    without_key = store.opened(run.folder)
    assert "patches" not in scores.offered(without_key)
    assert "encoder features by place, and" in scores.left_out(without_key)


def test_what_has_no_features_says_so(tiny_checkpoint: Path, tiny_faces: Path, tmp_path: Path) -> None:
    data = manifest.read(tiny_faces)
    with pytest.raises(BadInputError, match="--precision fp32-onnx: there encoders give no features"):
        infer.write_runs([tiny_checkpoint], data, tmp_path, precision="fp32-onnx", keeps_features=True)

    class Bare(Model):
        input = infer.Input(32)

        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)

    class Wrong(Bare):
        def features(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)

    assert not Bare(None).has_features
    with pytest.raises(
        BadInputError, match=r"Wrong: features returned float32 \(3, 1024\) for 3 images; expected floats"
    ):
        Wrong(None).patches(torch.zeros(3, 1, 32, 32))


@pytest.mark.parametrize("package", [denoising, ganomaly, memae, resvae])
def test_the_other_models_give_them_too(package: object) -> None:
    """Of each image by itself, from a map of 16 x 16."""
    config = package.Config(width=0.05, latent_dim=64, image_size=64)  # type: ignore[attr-defined]
    model = package.Model(config).eval()  # type: ignore[attr-defined]
    x = torch.rand(5, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert model.features(x).shape[2:] == (16, 16)
        together, alone = model.patches(x), torch.cat([model.patches(image[None]) for image in x])
    assert together.shape == (5, patches.GRID, patches.GRID, patches.DIMENSIONS)
    torch.testing.assert_close(together, alone, rtol=2e-3, atol=1e-4)
