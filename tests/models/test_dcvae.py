import torch
from torch import nn

from fas_core.models import dcvae
from fas_core.models.building import UpsampledConv2d


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


def test_an_absurd_variance_stays_finite() -> None:
    model = dcvae.Model(dcvae.Config(width=0.125, latent_dim=16, image_size=32))
    with torch.no_grad():
        model.encoder[-1].bias[16:] = 1e4  # type: ignore[index,operator]
    assert torch.isfinite(model.outputs(torch.rand(2, 1, 32, 32)).losses["kl"]).all()
