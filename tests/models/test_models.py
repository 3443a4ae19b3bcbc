"""Contracts that every model keeps, whatever it is."""

import pytest
import torch

from fas_core import models
from fas_core.errors import BadInputError
from fas_core.models.base import Autoencoder, OptimizerSettings, parameter_count

# Trainable parameters at the thesis' size, computed from its tables independently of this code.
AT_FULL_SIZE = {"dcvae": {"": 36_728_065, "encoder": 35_123_456, "decoder": 1_604_609}}
SMALL = {"dcvae": {"width": 0.125, "latent_dim": 16, "image_size": 32}}


@pytest.fixture(params=models.names())
def model(request: pytest.FixtureRequest) -> Autoencoder:
    torch.manual_seed(0)
    return models.built(request.param, SMALL[request.param]).eval()


@pytest.mark.parametrize("name", models.names())
def test_parameters_are_those_of_the_thesis(name: str) -> None:
    with torch.device("meta"):
        model = models.built(name, {})
    expected = AT_FULL_SIZE[name]
    assert parameter_count(model) == expected[""]
    assert {part: parameter_count(module) for part, module in model.parts().items()} == {
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
    for name, term in model.losses(x).items():
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
    optimizers = model.optimizers(OptimizerSettings(2e-3, 0.9, 0.99))
    x = torch.rand(1, 1, 32, 32).expand(8, -1, -1, -1)
    steps = [model.training_step(x, optimizers, lambda loss: loss.backward()) for _ in range(30)]
    total = "elbo" if "elbo" in steps[0] else next(iter(steps[0]))
    assert steps[-1][total] < steps[0][total]
    assert all(not term.requires_grad for term in steps[0].values())


def test_bad_settings_are_named() -> None:
    with pytest.raises(BadInputError, match="Unknown model 'vae'. Models: dcvae"):
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
    with pytest.raises(BadInputError, match="image_size 100"):
        models.built("dcvae", {"image_size": 100})
