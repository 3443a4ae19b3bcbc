"""Students: taught by a teacher's outputs on live images alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fas_core import models
from fas_core.data import images, manifest
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.evaluation.join import System
from fas_core.inference import infer
from fas_core.models import losses
from fas_core.models.base import Model, Outputs
from fas_core.models.building import VariationalAutoencoder
from fas_core.models.input import Input
from fas_core.reports import provenance
from fas_core.training import checkpoint, distil, train
from fas_core.training.experiments.base import Experiment
from tests.conftest import TINY_MODEL

QUICK = [setting for setting in TINY_MODEL if setting.startswith(("batch", "epochs"))]
CONFIG = {"width": 0.0625, "latent_dim": 16, "image_size": 32}


@pytest.fixture
def data(tiny_faces: Path) -> Manifest:
    return manifest.read(tiny_faces)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> distil.Teacher:
    """Of a random network that is sure of its codes, which differ from image to image."""
    torch.manual_seed(5)
    model = models.trainable("dcvae", CONFIG | {"width": 0.125})
    assert isinstance(model, VariationalAutoencoder)
    last = model.encoder[-1]  # type: ignore[index]
    with torch.no_grad():
        last.weight *= 40
        last.weight[16:] *= 0
        last.bias[16:] = -3.0
    path = tmp_path_factory.mktemp("teachers") / "large.safetensors"
    checkpoint.save(path, model, "dcvae", {"experiment": {"seed": 3}})
    return distil.teacher(path)


@pytest.fixture
def experiment(teacher: distil.Teacher) -> Experiment:
    return distil.experiment(teacher, 0.0625, [*QUICK, "learning_rate=0.003", "epochs=6"])


def test_a_student_comes_nearer_to_its_teacher_on_live_faces_it_did_not_learn(
    teacher: distil.Teacher, experiment: Experiment, data: Manifest, tmp_path: Path
) -> None:
    out = train.train(experiment, data, tmp_path / "s.safetensors", teacher=teacher, device="cpu")
    dev = train.train_dev_split(data, experiment.seed).dev
    raw = np.stack([images.load(data.root / path, 32) for path in dev["path"]])
    x = torch.from_numpy(images.standard_scaled(raw))

    @torch.no_grad()
    def apart(model: Model) -> tuple[float, float]:
        code, picture = teacher.model.encode(x), teacher.model.decode(teacher.model.encode(x))
        own = model.encode(x)
        return float((own - code).square().mean()), float((model.decode(own) - picture).abs().mean())

    torch.manual_seed(experiment.seed)
    before, after = apart(models.built("dcvae", experiment.config)), apart(checkpoint.loaded(out)[0])
    assert after[0] < 0.8 * before[0]
    assert after[1] < 0.8 * before[1]
    header = checkpoint.header_of(out)
    assert header["chosen_by"] == "lowest dev loss (distance)"
    assert header["teacher"] == {
        "checkpoint": teacher.path.name,
        "sha256": checkpoint.sha256(teacher.path),
        "model": "dcvae",
        "config": vars(teacher.model.config),
        "parameters": sum(p.numel() for p in teacher.model.parameters()),
    }
    log = pd.read_csv(out.with_suffix(".metrics.csv"))
    of_dev = log[log["split"] == "dev"]
    assert header["dev"]["distance"] == pytest.approx(of_dev["distance"].min())
    np.testing.assert_allclose(of_dev["distance"], of_dev["code"] + of_dev["picture"], rtol=1e-5)
    # What is kept is a model as any other: it has its own losses, and its Run needs no teacher.
    (run,) = infer.write_runs([out], data, tmp_path / "cache", device="cpu", precision="fp32")
    assert run.info.scores == list(checkpoint.loaded(out)[0].form().losses)
    assert "distance" not in run.info.scores
    assert provenance.of_system(System(run, "rec"))["Student of"] == f"large.safetensors sha256 {teacher.sha256}"
    assert (run.samples().query("training_use == 'learned'")["label"] == "bona_fide").all()


def test_an_interrupted_student_goes_on_as_if_it_had_not_been(
    teacher: distil.Teacher, experiment: Experiment, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out, experiment = tmp_path / "whole.safetensors", tmp_path / "s.safetensors", replace(experiment, epochs=2)
    before = {name: value.clone() for name, value in teacher.model.state_dict().items()}
    train.train(experiment, data, whole, teacher=teacher, device="cpu")
    for name, value in teacher.model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    step, numbers = train._step, iter(range(100))

    def killed(*arguments: object) -> dict[str, float]:
        if next(numbers) == 5:
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(train, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            train.train(experiment, data, out, teacher=teacher, device="cpu")
    with pytest.raises(BadInputError, match="belongs to other weights of a teacher"):
        train.train(experiment, data, out, device="cpu", resume=True)
    train.train(experiment, data, out, teacher=teacher, device="cpu", resume=True)
    at_once, resumed = load_file(whole), load_file(out)
    assert at_once.keys() == resumed.keys() == {*teacher.model.state_dict(), "content.learned", "content.dev"}
    for name in at_once:
        torch.testing.assert_close(at_once[name], resumed[name], rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in models.built_in() if name != "perceptual"])  # is no teacher
def test_a_model_is_at_no_distance_from_itself_and_all_of_it_is_taught(name: str) -> None:
    torch.manual_seed(0)
    teacher, student = (models.trainable(name, CONFIG | {"width": width}).eval() for width in (0.125, 0.0625))
    x = torch.rand(3, 1, 32, 32)
    for term in student.distances(x, student).values():
        assert term.shape == (3,)
        assert float(term.detach().abs().max()) < 1e-4
    terms = student.distances(x, teacher)
    assert all((term > 0).all() for term in terms.values())
    one_by_one = torch.cat([torch.stack([*student.distances(x[i : i + 1], teacher).values()]) for i in range(3)], 1)
    torch.testing.assert_close(one_by_one, torch.stack([*terms.values()]), rtol=1e-4, atol=1e-5)
    sum(term.sum() for term in terms.values()).backward()  # type: ignore[union-attr]
    assert [key for key, parameter in student.named_parameters() if parameter.grad is None] == []
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_the_divergence_of_gaussians_is_that_of_pytorch() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance, other_mean, other_log = torch.randn(4, 5, 7, generator=generator)
    p, q = (torch.distributions.Normal(m, (0.5 * v).exp()) for m, v in ((mean, log_variance), (other_mean, other_log)))
    expected = torch.distributions.kl_divergence(p, q).sum(1)
    torch.testing.assert_close(losses.kl_between(mean, log_variance, other_mean, other_log), expected)
    zero = torch.zeros(5, 7)
    torch.testing.assert_close(losses.kl_between(mean, log_variance, zero, zero), losses.kl(mean, log_variance))


class Codes(Model):
    """A model that has codes alone."""

    input = Input(32)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :4]

    def forward(self, x: torch.Tensor) -> Outputs:
        return Outputs(self.encode(x), None, {})


def test_who_cannot_teach_and_who_cannot_learn_is_told_why(
    teacher: distil.Teacher, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInputError, match=r"m\.onnx is an ONNX file.*Give the checkpoint"):
        distil.teacher(tmp_path / "m.onnx")
    with pytest.raises(BadInputError, match="is given images of 32 x 32, gray, standard.*would be given 64 x 64"):
        distil.experiment(teacher, None, ["image_size=64"])
    with pytest.raises(BadInputError, match="has 16 numbers, and its student's would have 64"):
        distil.experiment(teacher, None, ["latent_dim=64"])
    usual = distil.experiment(teacher)
    assert (usual.config["width"], usual.seed) == (teacher.model.config.width / 2, 3)
    with pytest.raises(BadInputError, match="width 0.0 must lie in"):
        distil.experiment(teacher, 0.0)
    attacks = replace(data, rows=data.rows.assign(label="attack"))
    with pytest.raises(BadInputError, match="no bona fide image to train on"):
        train.train(distil.experiment(teacher), attacks, tmp_path / "s.safetensors", teacher=teacher, device="cpu")
    monkeypatch.setattr(checkpoint, "loaded", lambda path: (Codes(None), {"model": "codes"}))
    with pytest.raises(BadInputError, match="model codes has no decoder"):
        distil.teacher(teacher.path)
