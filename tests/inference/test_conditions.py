import logging
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from fas_core import models
from fas_core.data import images, manifest
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.inference import infer, onnx_export, predict
from fas_core.training import checkpoint, experiments, train
from tests.conftest import TINY_MODEL

SMALL = {"width": 0.0625, "latent_dim": 16, "image_size": 32}


@pytest.fixture(scope="module")
def told_faces(tiny_faces: Path) -> Manifest:
    """`tiny_faces`, some of which say whether they wear glasses."""
    data = manifest.read(tiny_faces)
    words = np.array(["yes", "no", ""], object)[np.arange(len(data)) % 3]
    path = manifest.write(data.rows.assign(glasses=words), tiny_faces.with_name("told.csv"))
    return manifest.read(path)


def test_a_conditional_model_from_training_to_runs(
    told_faces: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is told travels from the manifest's column into a training and into a Run; where it cannot, that is said."""
    out = tmp_path / "m.safetensors"
    wanted = experiments.preset("small_cvae").with_settings([*TINY_MODEL, "epochs=1", "batches_per_epoch=3"])
    with pytest.raises(BadInputError, match="Name them: --condition glasses,pose .columns here: .*glasses"):
        train.train(wanted, told_faces, out, device="cpu")
    plain = experiments.preset("small_dcvae")
    with pytest.raises(BadInputError, match="model dcvae is told nothing but images"):
        train.train(plain, told_faces, out, device="cpu", condition=["glasses"])
    given: list[torch.Tensor] = []
    step = train._step

    def watched(*arguments: object) -> dict[str, float]:
        given.append(arguments[7])  # type: ignore[arg-type]
        return step(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(train, "_step", watched)
        train.train(wanted, told_faces, out, device="cpu", condition=["glasses"])
    assert "Of the training images: glasses: " in caplog.text
    learned = train.train_dev_split(told_faces, 0).learned["sample_id"]
    said = told_faces.rows.set_index("sample_id")["glasses"]
    words = {"no": [1.0, 0, 0], "yes": [0.0, 1, 0], "": [0.0, 0, 1]}
    for number, numbers in enumerate(given):
        chosen = learned.iloc[train.order_at(number, 8, len(learned), 0)]
        assert numbers.tolist() == [words[said[name]] for name in chosen]
    header = checkpoint.header_of(out)
    assert header["config"]["conditions"] == {"glasses": {"words": ["no", "yes"]}}

    caplog.clear()
    with caplog.at_level(logging.WARNING):
        (run,) = infer.write_runs([out], told_faces, tmp_path / "cache", device="cpu", precision="fp32")
    assert f"glasses: {(told_faces.rows['glasses'] == '').sum()} of {len(told_faces)} images say nothing" in caplog.text
    model, _ = checkpoint.loaded(out)
    samples = run.samples(["sample_id", "path", "rec"])
    for row in samples.iloc[:9].itertuples():
        x = images.standard_scaled(images.load(told_faces.root / row.path, 32, 1)[None])
        with torch.inference_mode():
            terms = model.outputs(torch.from_numpy(x), torch.tensor([words[said[row.sample_id]]])).losses
        assert float(terms["rec"]) == pytest.approx(row.rec, rel=1e-4)

    lacking = Manifest(told_faces.rows.drop(columns="glasses"), told_faces.source)
    with pytest.raises(
        BadInputError, match="no column 'glasses', .*model of m.safetensors is told .* Add it, empty where"
    ):
        infer.write_runs([out], lacking, tmp_path / "cache", device="cpu", precision="fp32")
    with pytest.raises(BadInputError, match="Run m is told glasses of every image, which pixels do not say.*fas cache"):
        predict.outputs_of(run, np.zeros((1, 1, 32, 32), np.float32), device="cpu")
    with pytest.raises(BadInputError, match="cannot be exported, as an ONNX file has one input: it is told glasses"):
        onnx_export.export(out)
    ready = predict.ready(run, "cpu")
    assert predict.decoded(np.zeros((2, 16)), ready).shape == (2, 32, 32)  # of codes alone: under nothing known


def test_a_manifest_without_a_standard_column_that_is_told_is_refused(tiny_faces: Path, tmp_path: Path) -> None:
    """Rows have every standard column, empty where the file has none: that is no column, wherever shards are made."""
    encoding = {"pose_x": {"mean": 0.0, "std": 1.0}, "glasses": {"words": ["no", "yes"]}}
    path = tmp_path / "m.safetensors"
    checkpoint.save(path, models.built("cvae", {**SMALL, "conditions": encoding}), "cvae", {})
    data = manifest.read(tiny_faces)
    rows = data.rows.assign(glasses="", pose_x=np.nan)

    class Elsewhere:
        checked_device = staticmethod(lambda device, _precision: device)

    for engine in (None, cast(infer.Engine, Elsewhere())):
        with pytest.raises(BadInputError, match=r"has no column 'pose_x', .*model of m.safetensors"):
            infer.write_runs([path], Manifest(rows, data.source), tmp_path / "cache", device="cpu", engine=engine)
    rows.loc[0, "pose_x"] = 3.0
    (run,) = infer.write_runs([path], Manifest(rows, data.source), tmp_path / "cache", device="cpu", precision="fp32")
    assert len(run.samples()) == len(rows)


def test_augmentations_that_turn_a_head_are_not_told_its_pose(told_faces: Manifest, tmp_path: Path) -> None:
    rows = told_faces.rows.assign(pose_x=np.linspace(-9, 9, len(told_faces)), pose_y=0.0, pose_z=0.0)
    wanted = experiments.preset("small_cvae").with_settings([*TINY_MODEL, "augmentations=right_left_flip"])
    with pytest.raises(BadInputError, match="right_left_flip changes a head's pose"):
        train.train(wanted, Manifest(rows, told_faces.source), tmp_path / "m.safetensors", condition=["pose_x"])
