"""ResVAE: the residual variational autoencoder of table 3.3 and figure 3.7."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from fas_core.models.building import FullPrecisionLinear, UpsampledConv2d, VariationalAutoencoder, VariationalConfig

SLOPE = 0.2  # of the leaky ReLU; the thesis is silent, this is the one of its GANomaly


@dataclass(frozen=True)
class Config(VariationalConfig):
    """The thesis' size by default."""

    halvings = 5


class ResBlock(nn.Module):
    """Figure 3.7: two convolutions with a ReLU between them, added to one convolution that matches the channels.

    The size of the skip's kernel is not stated; 1x1 does what it is there for. There is no activation after the sum
    (table 3.3: "-"), except in the last block, whose LeakyReLU stands in the decoder.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(self.first(before, after), nn.ReLU(), nn.Conv2d(after, after, 3, padding=1))
        self.skip = nn.Conv2d(before, after, 1)

    def first(self, before: int, after: int) -> nn.Module:
        return nn.Conv2d(before, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x) + self.skip(x)
        return out


class UpsampledResBlock(ResBlock):
    """Nearest-neighbour upsampling by two and then a `ResBlock`: (n, c, H, W) -> (n, c', 2H, 2W)."""

    def first(self, before: int, after: int) -> nn.Module:
        return UpsampledConv2d(before, after)

    def forward(self, x: Tensor) -> Tensor:
        # A 1x1 convolution does not care whether pixels are repeated before or after it.
        out: Tensor = self.body(x) + F.interpolate(self.skip(x), scale_factor=2)
        return out


class Encoder(nn.Sequential):
    """Left half of table 3.3 up to "Fully connected": (n, c, H, W) -> (n, 2 * latent_dim), mean then log variance."""

    def __init__(self, config: Config) -> None:
        c = [config.channels(k) for k in (32, 64, 128, 256, 512, 512)]
        layers: list[nn.Module] = [
            nn.Conv2d(config.image_channels, c[0], 3, padding=1)  # no activation: "-" in the table
        ]
        for before, after in pairwise(c):
            layers += [ResBlock(before, after), nn.AvgPool2d(2)]
        super().__init__(*layers, nn.Flatten(), FullPrecisionLinear(c[-1] * config.bottom**2, 2 * config.latent_dim))


class Decoder(nn.Sequential):
    """Right half of table 3.3, without its sigmoid: (n, latent_dim) -> logits (n, c, H, W).

    The table's third block keeps 256 channels and the upsampling after it halves them, which upsampling cannot: here
    the block halves them, as all the others do.
    """

    def __init__(self, config: Config) -> None:
        first = config.latent_dim // config.bottom**2
        c = [first, *(config.channels(k) for k in (512, 256, 128, 64, 32))]
        layers: list[nn.Module] = [nn.Unflatten(1, (first, config.bottom, config.bottom))]
        for before, after in pairwise(c):
            layers.append(UpsampledResBlock(before, after))
        super().__init__(*layers, nn.LeakyReLU(SLOPE), nn.Conv2d(c[-1], config.image_channels, 1))


class Model(VariationalAutoencoder):
    """Residual blocks, average pooling on the way down, nearest-neighbour upsampling on the way up."""

    settings = Config

    def __init__(self, config: Config) -> None:
        super().__init__(config, Encoder(config), Decoder(config))
