from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from fas_core.models import dcvae
from fas_core.models.base import OptimizerSettings, Step
from fas_core.models.building import UpsampledConv2d
from fas_core.models.draws import Draws


def test_layers_are_those_of_table_3_2() -> None:
    """Output shapes of every convolution, pooling and linear layer, read off the table; upsampling is in the next."""
    with torch.device("meta"):
        model = dcvae.Model(dcvae.Config())
        shapes: list[tuple[int, ...]] = []
        for part in (*model.encoder, *model.decoder):  # type: ignore[misc]
            if isinstance(part, nn.Conv2d | nn.MaxPool2d | nn.Linear):
                part.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:])))
        mean, _ = model.posterior(torch.empty(1, 1, 128, 128))
        model.decoder(mean)
    assert shapes == [
        (32, 128, 128), (64, 128, 128), (64, 64, 64), (128, 64, 64), (128, 32, 32), (256, 32, 32), (256, 16, 16),
        (512, 16, 16), (512, 8, 8), (1024,),
        (512, 16, 16), (256, 32, 32), (128, 64, 64), (64, 128, 128), (32, 128, 128), (1, 128, 128),
    ]  # fmt: skip


def test_layers_compute_what_the_table_says() -> None:
    """The same weights in the table's own order: ReLU before pooling, upsampling before convolution."""
    torch.manual_seed(0)
    model = dcvae.Model(dcvae.Config(width=0.125, latent_dim=16, image_size=32))
    x = torch.rand(3, 1, 32, 32)
    y, z = x, torch.randn(3, 16)
    for layer in model.encoder:  # type: ignore[union-attr]
        if isinstance(layer, nn.Conv2d):
            y = torch.relu(layer(y))
        elif not isinstance(layer, nn.ReLU):
            y = layer(y)
    torch.testing.assert_close(model.encoder(x), y)
    image = z
    for layer in model.decoder:  # type: ignore[union-attr]
        if isinstance(layer, UpsampledConv2d):
            repeated = image.repeat_interleave(2, 2).repeat_interleave(2, 3)
            image = nn.functional.conv2d(repeated, layer.weight, layer.bias, padding=1)
        else:
            image = layer(image)
    torch.testing.assert_close(model.decoder(z), image)


def test_the_code_is_the_mean_also_in_training_mode() -> None:
    torch.manual_seed(0)
    model = dcvae.Model(dcvae.Config(width=0.125, latent_dim=16, image_size=32)).train()
    x = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(model.encode(x), model.encode(x))
    torch.testing.assert_close(model.encode(x), model.posterior(x)[0])


def test_weights_enter_the_elbo() -> None:
    torch.manual_seed(0)
    model = dcvae.Model(dcvae.Config(width=0.125, latent_dim=16, image_size=32, w_rec=2.0, w_kl=0.5))
    terms = model.outputs(torch.rand(3, 1, 32, 32)).losses
    torch.testing.assert_close(terms["elbo"], 2 * terms["rec"] + 0.5 * terms["kl"])


def gradients(model: dcvae.Model) -> list[torch.Tensor]:
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize(("done", "share"), [(0.0, 0.0), (0.1, 0.25), (0.4, 1.0), (0.9, 1.0)])
def test_the_kl_term_is_warmed_up_in_a_straight_line(done: float, share: float) -> None:
    """By the gradients of rec + share * w_kl * kl at the same codes; what the log calls elbo has the whole weight."""
    torch.manual_seed(0)
    model = dcvae.Model(dcvae.Config(width=0.125, latent_dim=16, image_size=32, w_kl=3.0, kl_warmup=0.4))
    x, fabric = torch.rand(4, 1, 32, 32), Fabric(accelerator="cpu", devices=1)
    terms = model.training_step(
        x, model.optimizers(OptimizerSettings(0.0, 0.9, 0.99)), Step(fabric, Draws(0, 5, 4), done)
    )
    torch.testing.assert_close(terms["elbo"], terms["rec"] + 3 * terms["kl"])
    taken = gradients(model)
    mean, log_variance = model.posterior(x)
    z = mean + Draws(0, 5, 4).normal(16) * (log_variance / 2).exp()
    rec = nn.functional.binary_cross_entropy(model.decode(z), x, reduction="sum") / 4
    kl = (mean.square() + log_variance.exp() - log_variance - 1).sum() / 8
    model.zero_grad()
    (rec + share * 3 * kl).backward()
    for gradient, wanted in zip(taken, gradients(model), strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=1e-3)


def test_similarity_is_in_the_loss_where_it_has_a_weight() -> None:
    config = dcvae.Config(width=0.125, latent_dim=16, image_size=32)
    torch.manual_seed(0)
    model = dcvae.Model(config)
    x = torch.rand(3, 1, 32, 32)
    plain = model.outputs(x).losses
    model.config = replace(config, w_ssim=0.5)
    weighted = model.outputs(x).losses
    torch.testing.assert_close(weighted["elbo"], plain["elbo"] + 0.5 * 32 * 32 * (1 - plain["ssim"]))
    assert torch.equal(weighted["rec"], plain["rec"])


def test_an_absurd_variance_stays_finite() -> None:
    model = dcvae.Model(dcvae.Config(width=0.125, latent_dim=16, image_size=32))
    with torch.no_grad():
        model.encoder[-1].bias[16:] = 1e4  # type: ignore[index,operator]
    assert torch.isfinite(model.outputs(torch.rand(2, 1, 32, 32)).losses["kl"]).all()
