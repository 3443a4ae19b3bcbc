import torch
from torch import nn

from fas_core.models import resvae


def test_layers_are_those_of_table_3_3() -> None:
    """Output shapes of every layer the table lists, read off the table; upsampling is in the blocks."""
    with torch.device("meta"):
        model = resvae.Model(resvae.Config())
        shapes: list[tuple[int, ...]] = []
        for part in (*model.encoder, *model.decoder):  # type: ignore[misc]
            if isinstance(part, nn.Conv2d | nn.AvgPool2d | nn.Linear | resvae.ResBlock):
                part.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:])))
        mean, _ = model.posterior(torch.empty(1, 1, 128, 128))
        model.decoder(mean)
    assert shapes == [
        (32, 128, 128), (64, 128, 128), (64, 64, 64), (128, 64, 64), (128, 32, 32), (256, 32, 32), (256, 16, 16),
        (512, 16, 16), (512, 8, 8), (512, 8, 8), (512, 4, 4), (1024,),
        (512, 8, 8), (256, 16, 16), (128, 32, 32), (64, 64, 64), (32, 128, 128), (1, 128, 128),
    ]  # fmt: skip


def test_a_block_adds_its_skip_to_its_body_and_nothing_after() -> None:
    torch.manual_seed(0)
    block = resvae.ResBlock(3, 5)
    x = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(block(x), block.body(x) + block.skip(x))
    assert (block(x) < 0).any()
    with torch.no_grad():
        block.body[2].weight.zero_()
        block.body[2].bias.zero_()
    torch.testing.assert_close(block(x), block.skip(x))


def test_an_upsampled_block_is_a_block_after_upsampling() -> None:
    torch.manual_seed(0)
    block = resvae.UpsampledResBlock(3, 5)
    plain = resvae.ResBlock(3, 5)
    plain.load_state_dict(block.state_dict())
    x = torch.randn(2, 3, 6, 7)
    torch.testing.assert_close(block(x), plain(x.repeat_interleave(2, 2).repeat_interleave(2, 3)))


def test_the_last_block_has_a_leaky_relu() -> None:
    model = resvae.Model(resvae.Config(width=0.125, latent_dim=16, image_size=32))
    kinds = [type(layer).__name__ for layer in model.decoder]  # type: ignore[attr-defined]
    assert kinds[-3:] == ["UpsampledResBlock", "LeakyReLU", "Conv2d"]
    assert kinds.count("LeakyReLU") == 1
