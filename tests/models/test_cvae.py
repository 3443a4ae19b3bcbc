import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric

from fas_core.errors import BadInputError
from fas_core.models import conditions, cvae
from fas_core.models.base import OptimizerSettings, Step
from fas_core.models.conditions import Conditions
from fas_core.models.draws import Draws

LEARNED = pd.DataFrame({"glasses": ["yes", "no", "", "no"] * 8, "pose_x": [*np.arange(30) / 2, np.nan, 7.25]})
ENCODING = {"glasses": {"words": ["no", "yes"]}, "pose_x": {"mean": 7.25, "std": 4.0}}


def test_rows_are_told_by_the_values_of_those_that_were_learned() -> None:
    fitted = conditions.fitted(LEARNED, ["glasses", "pose_x"])
    said = LEARNED["pose_x"].dropna()
    assert fitted["glasses"] == {"words": ["no", "yes"]}
    assert fitted["pose_x"] == pytest.approx({"mean": said.mean(), "std": said.std(ddof=0)})
    rows = pd.DataFrame({"glasses": ["yes", "no", "", "sun"], "pose_x": [7.25, 11.25, np.nan, -100.0]})
    told = Conditions(ENCODING).told(rows)
    np.testing.assert_allclose(
        told.numbers, [[0, 1, 0, 0, 0], [1, 0, 0, 1, 0], [0, 0, 1, 0, 1], [0, 0, 1, -4, 0]]
    )  # no, yes, not known; deviations, not known
    assert (told.silent, told.strange) == ({"glasses": 1, "pose_x": 1}, {"glasses": 1, "pose_x": 0})
    assert conditions.in_words(told) == (
        "glasses: 1 of 4 images say nothing, 1 what no training image says; pose_x: 1 of 4 images say nothing"
    )
    assert Conditions(ENCODING).nothing.tolist() == [0, 0, 1, 0, 1]


def test_columns_that_say_nothing_of_an_image_are_refused() -> None:
    rows = pd.DataFrame({"label": ["bona_fide"] * 30, "subject_id": [f"s{i}" for i in range(30)], "hat": [""] * 30})
    for name, problem in (
        ("label", "say 'bona_fide' of all"),
        ("hat", "say nothing, which"),
        ("subject_id", "have 30 different words there, more than 20: it names things"),
        ("beard", "no column 'beard'"),
        ("pose", "no column 'pose_x'"),
    ):
        with pytest.raises(BadInputError, match=problem):
            conditions.fitted(rows, [name])


def tiny() -> cvae.Model:
    torch.manual_seed(0)
    config = cvae.Config(width=0.125, latent_dim=16, image_size=32, conditions=ENCODING, condition_dropout=0.5)
    return cvae.Model(config).eval()


def test_what_is_told_joins_the_last_layer_of_the_encoder_and_the_first_map_of_the_decoder() -> None:
    model, x = tiny(), torch.rand(2, 1, 32, 32)
    told = torch.tensor([[0, 1, 0, 0.5, 0], [1, 0, 0, -1, 0]])
    out = model.outputs(x, told)
    flat = x
    for layer in [*model.encoder][:-1]:  # type: ignore[misc]
        flat = layer(flat)
    linear = model.encoder[-1]  # type: ignore[index]
    weight, bias = linear.weight.detach().double().numpy(), linear.bias.detach().double().numpy()
    joined = np.concatenate([flat.detach().double().numpy(), told.double().numpy()], 1)
    np.testing.assert_allclose(out.latents.detach(), (joined @ weight.T + bias)[:, :16], rtol=1e-4, atol=1e-5)
    image = torch.cat([out.latents.view(2, 4, 2, 2), told.view(2, 5, 1, 1).repeat(1, 1, 2, 2)], 1)
    for layer in [*model.decoder][1:]:  # type: ignore[misc]
        image = layer(image)
    torch.testing.assert_close(out.reconstructions, image.sigmoid())
    nothing = torch.tensor([[0.0, 0, 1, 0, 1]]).repeat(2, 1)
    torch.testing.assert_close(model.outputs(x).losses["rec"], model.outputs(x, nothing).losses["rec"])
    assert not torch.allclose(model.outputs(x).losses["rec"], out.losses["rec"])


def test_training_withholds_columns_whole() -> None:
    model, seen = tiny(), []
    model.encoder[-1].register_forward_pre_hook(lambda _layer, given: seen.append(given[0][:, -5:]))  # type: ignore[index]
    told = torch.tensor([[0, 1, 0, 0.5, 0]]).repeat(64, 1)
    step = Step(Fabric(accelerator="cpu", devices=1), Draws(0, 0, 64), told=told)
    model.training_step(torch.rand(64, 1, 32, 32), model.optimizers(OptimizerSettings(0.0, 0.9, 0.99)), step)
    glasses, pose = seen[0][:, :3], seen[0][:, 3:]
    no_glasses, no_pose = (glasses == torch.tensor([0.0, 0, 1])).all(1), (pose == torch.tensor([0.0, 1])).all(1)
    assert ((glasses == told[:, :3]).all(1) | no_glasses).all()
    assert ((pose == told[:, 3:]).all(1) | no_pose).all()
    assert 20 < int(no_glasses.sum()) < 44
    assert 20 < int(no_pose.sum()) < 44
    assert (no_glasses & ~no_pose).any()
