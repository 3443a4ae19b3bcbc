"""int8 files and what models weigh: small, near to what they were made of, and a model as any other."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from fas_core import models
from fas_core.data import images, manifest
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.evaluation.join import System
from fas_core.inference import infer, light, onnx_export, onnx_int8
from fas_core.training import checkpoint, train
from tests.conftest import Result, message


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """100 smooth pictures that differ: 80 live ones to learn, of twenty subjects, 10 others, and 10 attacks."""
    root = tmp_path_factory.mktemp("pictures")
    noise = torch.rand(100, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    smooth = F.avg_pool2d(noise, 33, 1)[:, 0]
    rows = []
    for number, picture in enumerate(smooth):
        pixels = (255 * (picture - picture.min()) / (picture.max() - picture.min())).byte().numpy()
        Image.fromarray(pixels).save(root / f"{number}.png")
        label, subset = "attack" if number >= 90 else "bona_fide", "train" if number < 80 else "test"
        subject = f"{subset}{number % 20}"
        kind = "print" if number >= 90 else ""
        rows.append({"path": f"{number}.png", "label": label, "pai_species": kind, "subject_id": subject})
        rows[-1] |= {"session_id": subject, "subset": subset}
    checked, _ = manifest.normalised(pd.DataFrame(rows))
    return manifest.read(manifest.write(checked, root / "pictures.csv"))


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network whose codes differ from picture to picture."""
    torch.manual_seed(0)
    model = models.trainable("dcvae", {"width": 0.5, "latent_dim": 16, "image_size": 32})
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # so that images are not lost on the way
            torch.nn.init.zeros_(layer.bias)
    path = tmp_path_factory.mktemp("checkpoints") / "m.safetensors"
    checkpoint.save(path, model, "dcvae", {"experiment": {"seed": 2}})
    return path


@pytest.fixture(scope="module")
def int8(ready: Path, data: Manifest) -> onnx_export.Exported:
    return onnx_export.export(ready, None, data)


def test_int8_is_smaller_and_near_by_live_faces_alone(int8: onnx_export.Exported, ready: Path, data: Manifest) -> None:
    assert int8.path.stat().st_size < 0.5 * ready.stat().st_size
    network, loaded = infer.loaded(int8.path), infer.loaded(ready)
    live = data.rows[(data.rows["subset"] != "train") & (data.rows["label"] == "bona_fide")]
    raw = np.stack([images.load(data.root / path, 32) for path in live["path"]])
    x = torch.from_numpy(images.standard_scaled(raw))
    with torch.inference_mode():
        own, expected = network.model.outputs(x), loaded.model.outputs(x)
    difference = (own.latents - expected.latents).square().mean().sqrt()
    spread = (expected.latents - expected.latents.mean(0)).square().mean().sqrt()
    assert 0 < difference < onnx_int8.CODES * spread
    assert own.reconstructions is not None
    assert expected.reconstructions is not None
    assert 0 < (own.reconstructions - expected.reconstructions).abs().mean() < onnx_int8.PIXELS
    assert len(torch.unique(own.latents)) > 0.9 * own.latents.numel()  # not in 256 steps
    said = network.header["int8"]
    assert said == int8.int8
    about = {"images": 72, "seed": 2, "manifest": "pictures.csv", "manifest_sha256": data.sha256}
    assert said["calibrated_on"] == about
    assert said["agreement"]["images"] == 64  # 8 of dev, the others learned
    assert said["layers"] == 10  # four convolutions down, four up, the one after them, one linear layer
    assert said["float"] == ["model.encoder.0.weight", "model.decoder.11.weight"]
    assert network.header["exported_from"]["sha256"] == checkpoint.sha256(ready)
    linear = {node.output[0] for node in onnx.load(int8.path).graph.node if node.op_type in onnx_int8.LINEAR}
    assert linear
    for node in onnx.load(int8.path).graph.node:
        assert node.op_type != "QuantizeLinear" or node.input[0] not in linear


def test_what_is_calibrated_on_are_the_images_that_were_learned(ready: Path, data: Manifest) -> None:
    loaded = infer.loaded(ready)
    by = onnx_int8.calibration(loaded, data)
    is_learned = (data.rows["subset"] == "train") & (data.rows["label"] == "bona_fide")
    is_learned &= ~data.rows["sample_id"].isin(train.train_dev_split(data, 2).dev["sample_id"])
    raw = np.stack([images.load(data.root / path, 32) for path in data.rows["path"][is_learned]])
    np.testing.assert_array_equal(by.learned, images.standard_scaled(raw))


def test_a_transposed_convolution_is_the_convolution_that_stands_for_it() -> None:
    rng = np.random.default_rng(0)
    kernel, offset = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 5, 4, 4), (5,)))
    layer = helper.make_node(
        "ConvTranspose", ["x", "w", "b"], ["y"], "up", kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1]
    )
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, None, None]) for name in "xy"]
    weights = [numpy_helper.from_array(kernel, "w"), numpy_helper.from_array(offset, "b")]
    graph = helper.make_graph([layer], "g", values[:1], values[1:], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx_int8._by_convolutions(proto)
    assert "ConvTranspose" not in {node.op_type for node in proto.graph.node}
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    x = rng.normal(size=(2, 3, 6, 7)).astype(np.float32)
    expected = F.conv_transpose2d(*map(torch.from_numpy, (x, kernel, offset)), stride=2, padding=1)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected.numpy(), rtol=1e-4, atol=1e-5)


def test_what_models_weigh_in_one_table(
    int8: onnx_export.Exported,
    ready: Path,
    data: Manifest,
    tmp_path: Path,
    fas: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(light, "TIMED", 3)
    runs = infer.write_runs([ready, int8.path], data, tmp_path, precision="fp32", device="cpu")
    assert [run.info.name for run in runs] == ["m", "m.int8"]
    before, after = light.weights([System(run, "rec") for run in runs])
    assert (before.bytes, after.bytes) == (ready.stat().st_size, int8.path.stat().st_size)
    assert before.parameters == after.parameters == sum(p.numel() for p in infer.loaded(ready).model.parameters())
    assert (before.computed, after.computed) == ("PyTorch, fp32", "ONNX Runtime, int8")
    for weight in (before, after):
        assert 0 < weight.ms_median <= weight.ms_p95
    assert before.auc is not None
    assert after.auc is not None
    assert before.auc.difference == 0
    assert after.auc.a == before.auc.b
    compared = json.loads(fas("compare", "m", "m.int8", "--score", "rec", "--json", "--cache", tmp_path).out)
    assert after.auc.as_json() == compared["metrics"]["roc_auc"]
    document = json.loads(fas("light", "m", ready, "--json", "--cache", tmp_path).out)
    assert [entry["called"] for entry in document] == ["m", "m.safetensors"]
    assert {name: type(value) for name, value in document[1].items()} == {
        "called": str, "file": str, "bytes": int, "parameters": int, "computed": str,
        "ms_median": float, "ms_p95": float, "auc": type(None),
    }  # fmt: skip
    shown = fas("light", "m", "m.int8", "--score", "rec", "--cache", tmp_path)
    assert "ONNX Runtime, int8" in shown.out
    assert "is not there" in message(fas("light", "gone.onnx", "--cache", tmp_path))
    refused = message(fas("light", "m", "--score", "foo", "--cache", tmp_path))  # of a single Run too
    assert "has no score 'foo'. Scores: " in refused
    assert "rec" in refused.partition("Scores: ")[2]


def test_int8_needs_live_images_and_says_so(
    ready: Path, data: Manifest, int8: onnx_export.Exported, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    alone = message(fas("export", ready, "--to", "onnx", "--int8"))
    assert "--int8 and --data go together" in alone
    assert "are of a model" in message(fas("export", "a", "--to", "parquet", "--int8"))
    rows = data.rows
    attacks = manifest.write(rows[rows["label"] == "attack"], tmp_path / "attacks.csv")
    out = tmp_path / "m.onnx"
    refused = fas("export", ready, "--to", "onnx", "--int8", "--data", attacks, "--out", out)
    assert "no bona fide image" in message(refused) or "no subset 'train'" in message(refused)
    assert not out.exists()
    with pytest.raises(BadInputError, match="is an ONNX file already"):
        onnx_export.export(int8.path, out, data)
    with pytest.raises(BadInputError, match=r"says the same of all live images.*it has collapsed.*train longer"):
        onnx_int8.require_near(onnx_int8.Agreement(1e4, 0.001, 8, is_collapsed=True), "m")
    far = onnx_int8.Agreement(0.2, 0.001, 8)
    with pytest.raises(BadInputError, match=r"codes differ by 20.0% of their deviation.*without --int8"):
        onnx_int8.require_near(far, "m")
