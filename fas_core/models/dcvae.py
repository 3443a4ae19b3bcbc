"""DCVAE: the Deep Convolutional Variational Autoencoder of table 3.2."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from fas_core.models.building import (
    FullPrecisionLinear,
    MapConfig,
    UpsampledConv2d,
    VariationalAutoencoder,
    VariationalConfig,
)

WIDTHS = (32, 64, 128, 256, 512)  # channels of the table, the first before any halving


@dataclass(frozen=True)
class Config(VariationalConfig):
    """The thesis' size by default."""

    halvings = 4


def convolutions(config: MapConfig) -> list[nn.Module]:
    """Left half of table 3.2 up to the smallest map: (n, c, H, W) -> (n, channels, bottom, bottom)."""
    c = [config.channels(k) for k in WIDTHS]
    layers: list[nn.Module] = [nn.Conv2d(config.image_channels, c[0], 3, padding=1), nn.ReLU()]
    for before, after in pairwise(c):
        # The table has the ReLU before the pooling: the result is the same, and this way it has a quarter to do.
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()]
    return layers


class Encoder(nn.Sequential):
    """Left half of table 3.2 up to "Fully connected": (n, c, H, W) -> (n, outputs).

    Those of the VAE are means, then log variances: "two layers prior to the latent" (section 3.3) are one linear layer
    of 2d outputs, the same parameters. `told`: how many numbers join what that layer is given.
    """

    def __init__(self, config: MapConfig, outputs: int, told: int = 0) -> None:
        inputs = config.channels(WIDTHS[-1]) * config.bottom**2 + told
        super().__init__(*convolutions(config), nn.Flatten(), FullPrecisionLinear(inputs, outputs))


class Decoder(nn.Sequential):
    """Right half of table 3.2, without its sigmoid: (n, latent_dim) -> logits (n, c, H, W).

    `told`: how many channels join the map that the code is.
    """

    def __init__(self, config: MapConfig, told: int = 0) -> None:
        first = config.latent_dim // config.bottom**2
        c = [first + told, *(config.channels(k) for k in (512, 256, 128, 64))]
        layers: list[nn.Module] = [nn.Unflatten(1, (first, config.bottom, config.bottom))]
        for before, after in pairwise(c):
            # Nearest neighbour is the default of the framework whose vocabulary the table uses.
            layers += [UpsampledConv2d(before, after), nn.ReLU()]
        last = config.channels(32)
        layers += [nn.Conv2d(c[-1], last, 3, padding=1), nn.ReLU(), nn.Conv2d(last, config.image_channels, 1)]
        super().__init__(*layers)


class Model(VariationalAutoencoder):
    """Convolutions, max pooling on the way down, nearest-neighbour upsampling on the way up."""

    settings = Config

    def __init__(self, config: Config) -> None:
        super().__init__(config, Encoder(config, 2 * config.latent_dim), Decoder(config))
