"""What is packed says the same but for rounding, in fewer layers."""

import pytest
import torch
from torch import nn

from fas_core import models
from fas_core.inference.packed import packed
from fas_core.models.building import BatchNorm2d


@pytest.mark.parametrize("name", ["cvae", "dcvae", "denoising", "ganomaly", "memae", "perceptual", "resvae"])
def test_a_packed_model_says_the_same(name: str) -> None:
    torch.manual_seed(0)
    model = models.built(name, {"width": 0.1, "latent_dim": 128, "image_size": 64}).eval()
    for module in model.modules():
        if isinstance(module, BatchNorm2d):
            module.running_mean.fill_(0.1)
            module.running_var.fill_(2.0)
    model.to(memory_format=model.memory_format)
    own = packed(model)
    plain = [type(module) for module in own.modules()]
    assert not {nn.Conv2d, nn.ConvTranspose2d} & {type(m) for m in own.modules() if getattr(m, "out_channels", 1) > 1}
    assert plain.count(nn.ReLU) + plain.count(nn.LeakyReLU) < sum(
        isinstance(module, nn.ReLU | nn.LeakyReLU) for module in model.modules()
    )
    x = torch.rand(5, 1, 64, 64).contiguous(memory_format=model.memory_format)
    with torch.inference_mode():
        expected, out, alone = model.outputs(x), own.outputs(x), own.outputs(x[:1])
        torch.testing.assert_close(model.patches(x), own.patches(x), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(out.latents, expected.latents, rtol=1e-5, atol=3e-6)
    torch.testing.assert_close(alone.latents, out.latents[:1], rtol=1e-5, atol=3e-6)
    torch.testing.assert_close(out.reconstructions, expected.reconstructions, rtol=1e-5, atol=3e-6)
    assert out.losses.keys() == expected.losses.keys()
    for loss, values in expected.losses.items():
        torch.testing.assert_close(out.losses[loss], values, rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize("shape", [(3, 16, 8, 8), (2, 3, 9, 7)])
def test_a_packed_pooling_says_the_same_to_the_last_bit(shape: tuple[int, ...]) -> None:
    pooling = nn.Sequential(nn.MaxPool2d(2))
    own = packed(pooling)
    assert type(own[0]) is not nn.MaxPool2d
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    x[0, 0, 1, 1] = torch.nan
    assert torch.equal(own(x).nan_to_num(9), pooling(x).nan_to_num(9))
    for other in (
        nn.MaxPool2d(3, 2),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.MaxPool2d(2, padding=1),
        nn.MaxPool2d((2, 2)),
    ):
        assert type(packed(nn.Sequential(other))[0]) is nn.MaxPool2d


def test_what_a_packed_layer_cannot_be_stays() -> None:
    """Borders that are repeated, sizes in words, what returns more rows than it should, a module of somebody's own."""

    class Own(nn.Conv2d):
        pass

    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.ReLU(),
        Own(4, 4, 3),
        nn.ConvTranspose2d(4, 4, 3, stride=2, output_padding=1),
        nn.Conv2d(4, 1, 1),
        nn.Conv2d(1, 4, 3, stride=2, dilation=2, bias=False),
        nn.LeakyReLU(0.3),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Tanh(),
    )
    own = packed(layers)
    assert [type(layer) for layer in own[:6]] == [type(layer) for layer in layers[:6]]
    assert type(own[7]) is nn.Identity
    assert type(own[9]) is nn.Tanh
    x = torch.randn(4, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(own(x), layers(x), rtol=1e-6, atol=1e-7)
    assert isinstance(layers[7], nn.LeakyReLU)  # the original is as it was


def test_weights_that_stay_are_shared() -> None:
    model = models.built("dcvae", {"width": 0.1, "latent_dim": 16, "image_size": 32})
    own = packed(model)
    assert own.decoder[-1].weight is model.decoder[-1].weight
    assert isinstance(model.encoder[0], nn.Conv2d)


def test_a_code_is_the_same_alone_and_among_others() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(4096, 96)).eval()
    own = packed(layers)
    assert not any(isinstance(layer, nn.Linear) for layer in own)
    x = torch.randn(8, 1, 64, 64)
    with torch.inference_mode():
        together = own(x)
        torch.testing.assert_close(together, layers(x), rtol=1e-5, atol=3e-6)
        for n in range(1, 8):
            assert torch.equal(own(x[:n]), together[:n])


def test_an_activation_behind_a_pooling_is_a_part_of_the_layer_before_it_where_it_rises() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.MaxPool2d(2), nn.LeakyReLU(-0.5)
    ).eval()
    own = packed(layers)
    assert [type(own[i]) for i in (2, 5)] == [nn.Identity, nn.LeakyReLU]
    for size in (32, 40, 32):  # weights are arranged by it
        x = torch.randn(3, 1, size, size)
        with torch.inference_mode():
            torch.testing.assert_close(own(x), layers(x), rtol=1e-6, atol=1e-6)
