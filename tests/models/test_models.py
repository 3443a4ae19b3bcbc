"""Contracts that every model keeps, whatever it is."""

import pytest
import torch
from lightning_fabric import Fabric

from fas_core import models
from fas_core.errors import BadInputError
from fas_core.models.base import Autoencoder, OptimizerSettings, Step, parameter_count, parts
from fas_core.models.draws import Draws

# Trainable parameters at the usual size, computed from the thesis' tables independently of this code. The denoising
# autoencoder has half of the DCVAE's linear layer, that of the
# memory reads one place of the map, and its decoder begins with 64 channels.
AT_FULL_SIZE = {
    "dcvae": {"": 36_728_065, "encoder": 35_123_456, "decoder": 1_604_609},
    "resvae": {"": 23_299_649, "encoder": 18_249_344, "decoder": 5_050_305},
    "ganomaly": {
        "": 253_803_649, "encoder": 65_546_496, "decoder": 61_350_784, "second_encoder": 65_546_496,
        "discriminator": 61_359_873,
    },
    "denoising": {
        "": 19_950_337, "encoder": 1_568_000 + (32_768 + 1) * 512, "decoder": 1_604_609,
    },
    "cvae": {"": 36_728_065, "encoder": 35_123_456, "decoder": 1_604_609},  # told nothing, it is the DCVAE
    "perceptual": {  # the features are frozen
        "": 36_728_065, "encoder": 35_123_456, "decoder": 1_604_609, "frozen": 0,
    },
    "memae": {
        "": 3_495_489, "encoder": 1_568_000 + (512 + 1) * 64, "memory": 500 * 64,
        "decoder": 1_604_609 + 9 * 512 * (64 - 8),
    },
}  # fmt: skip
SMALL = {"width": 0.125, "latent_dim": 16, "image_size": 32}


def step_of(n: int, number: int = 0) -> Step:
    return Step(Fabric(accelerator="cpu", devices=1), Draws(0, number, n))


@pytest.fixture(params=models.built_in())
def model(request: pytest.FixtureRequest) -> Autoencoder:
    torch.manual_seed(0)
    return models.trainable(request.param, SMALL).eval()


@pytest.mark.parametrize("name", models.built_in())
def test_parameters_are_those_of_the_thesis(name: str) -> None:
    with torch.device("meta"):
        model = models.built(name, {})
    expected = AT_FULL_SIZE[name]
    assert parameter_count(model) == expected[""]
    assert {part: parameter_count(module) for part, module in parts(model).items()} == {
        part: count for part, count in expected.items() if part
    }


def test_shapes_and_ranges(model: Autoencoder) -> None:
    x = torch.rand(5, 1, 32, 32)
    out = model.outputs(x)
    assert out.latents.shape == (5, 16)
    assert out.reconstructions.shape == x.shape
    assert 0 <= out.reconstructions.min() <= out.reconstructions.max() <= 1
    assert tuple(out.losses) == model.loss_names
    assert all(term.shape == (5,) and term.dtype == torch.float32 for term in out.losses.values())


@torch.inference_mode()
def test_one_pass_is_encode_decode_losses(model: Autoencoder) -> None:
    x = torch.rand(4, 1, 32, 32)
    out = model.outputs(x)
    torch.testing.assert_close(model.encode(x), out.latents)
    torch.testing.assert_close(model.decode(out.latents), out.reconstructions)
    for name, term in model.outputs(x).losses.items():
        torch.testing.assert_close(term, out.losses[name])


@torch.inference_mode()
def test_an_image_does_not_feel_its_batch(model: Autoencoder) -> None:
    x = torch.rand(6, 1, 32, 32)
    together = model.outputs(x)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    shuffled = model.outputs(x[order])
    alone = [model.outputs(x[i : i + 1]) for i in range(6)]
    for name in model.loss_names:
        torch.testing.assert_close(shuffled.losses[name], together.losses[name][order])
        torch.testing.assert_close(torch.cat([a.losses[name] for a in alone]), together.losses[name])
    torch.testing.assert_close(torch.cat([a.latents for a in alone]), together.latents)


def test_training_lowers_the_loss(model: Autoencoder) -> None:
    model.train()
    optimizers = model.optimizers(OptimizerSettings(2e-3, 0.5, 0.99))
    x = (torch.linspace(0.1, 0.9, 32) * torch.linspace(0.3, 1, 8)[:, None, None, None]).expand(8, 1, 32, 32)
    before = model.eval().outputs(x).losses["pixel_l2"].mean()
    model.train()
    for number in range(40):
        terms = model.training_step(x, optimizers, step_of(8, number))
        assert all(not term.requires_grad and term.isfinite() for term in terms.values())
    assert model.chosen_by in terms
    assert model.eval().outputs(x).losses["pixel_l2"].mean() < 0.8 * before


def test_half_precision_keeps_losses_in_full(model: Autoencoder) -> None:
    """Sums over thousands of pixels would lose their digits in bf16."""
    x = torch.rand(4, 1, 32, 32)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        half = model.outputs(x)
    assert not torch.equal(half.latents, half.latents.bfloat16().float())  # they are not rounded
    full = model.outputs(x)
    for name in model.loss_names:
        assert half.losses[name].dtype == torch.float32
        torch.testing.assert_close(half.losses[name], full.losses[name], rtol=0.03, atol=1e-3)
    with torch.autocast("cpu", torch.bfloat16):
        terms = model.train().training_step(x, model.optimizers(OptimizerSettings(1e-4, 0.9, 0.99)), step_of(4))
    assert all(term.dtype == torch.float32 and term.isfinite() for term in terms.values())


def test_training_changes_every_parameter(model: Autoencoder) -> None:
    before = {name: value.clone() for name, value in model.named_parameters() if value.requires_grad}
    frozen = {name: value.clone() for name, value in model.named_parameters() if not value.requires_grad}
    model.train().training_step(
        torch.rand(6, 1, 32, 32), model.optimizers(OptimizerSettings(1e-2, 0.9, 0.99)), step_of(6)
    )
    after = dict(model.named_parameters())
    assert [name for name, value in before.items() if torch.equal(value, after[name])] == []
    assert [name for name, value in frozen.items() if not torch.equal(value, after[name])] == []


def test_bad_settings_are_named() -> None:
    with pytest.raises(BadInputError, match="Unknown model 'vae'. Models: cvae, dcvae, denoising, .*resvae"):
        models.built("vae", {})
    with pytest.raises(BadInputError, match="has no setting 'depth'. Settings: .*width"):
        models.built("dcvae", {"depth": 3})
    with pytest.raises(BadInputError, match="latent_dim 100 must be a multiple of 64"):
        models.built("dcvae", {"latent_dim": 100})
    for setting, value in (("width", "abc"), ("latent_dim", 64.5), ("w_kl", "x"), ("width", True)):
        with pytest.raises(BadInputError, match=f"{setting}={value!r}: expected"):
            models.built("dcvae", {setting: value})
    with pytest.raises(BadInputError, match="must not be negative"):
        models.built("dcvae", {"w_kl": -1.0})
    with pytest.raises(BadInputError, match="kl_warmup 1.5 must be a share"):
        models.built("resvae", {"kl_warmup": 1.5})
    with pytest.raises(BadInputError, match="corruption 1.0 must be a share"):
        models.built("denoising", {"corruption": 1.0})
    with pytest.raises(BadInputError, match="shrink 500.0 must lie in"):
        models.built("memae", {"shrink": 500.0})
    with pytest.raises(BadInputError, match="image_size 100"):
        models.built("dcvae", {"image_size": 100})
    with pytest.raises(BadInputError, match="image_size 48 must be a multiple of 32"):
        models.built("resvae", {"image_size": 48})
    with pytest.raises(BadInputError, match="image_size 96 must be a power of two"):
        models.built("ganomaly", {"image_size": 96})
    with pytest.raises(BadInputError, match="weight w_adv -1"):
        models.built("ganomaly", {"w_adv": -1.0})
