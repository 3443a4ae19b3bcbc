"""A memory-augmented autoencoder on the layers of the DCVAE; Gong et al. (2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from fas_core.models import losses, patches
from fas_core.models.base import Autoencoder, OptimizerSettings, Outputs, Step
from fas_core.models.building import HE, FullPrecisionLinear, MapConfig, he_initialised
from fas_core.models.dcvae import WIDTHS, Decoder, convolutions

TINY = 1e-12  # no divisor and no logarithm is of less; added instead, it would be taken for 0 in an ONNX file


@dataclass(frozen=True)
class Config(MapConfig):
    """A code is a map: `latent_dim` numbers are `latent_dim / bottom**2` at each of its places.

    `slots`: how many of those vectors the memory holds. `shrink`: the weight below which a slot is not read, in
    multiples of 1 / slots, which all have that are alike; the paper takes 1 to 3. `w_entropy` is the paper's.
    """

    latent_dim: int = 4096
    slots: int = 500
    shrink: float = 1.0
    w_entropy: float = 2e-4

    halvings = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.slots < 2:
            raise ValueError(f"slots {self.slots} must be at least 2")
        if not 0 <= self.shrink < self.slots:
            raise ValueError(f"shrink {self.shrink} must lie in [0, slots): at {self.slots} / slots nothing is read")

    @property
    def depth(self) -> int:
        """Numbers at one place of the map, and in a slot."""
        return self.latent_dim // self.bottom**2


class Encoder(nn.Module):
    """(n, c, H, W) -> (n, latent_dim): one place of the smallest map after the other, none mixed with another."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.features = nn.Sequential(*convolutions(config))
        self.head = FullPrecisionLinear(config.channels(WIDTHS[-1]), config.depth)

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.head(self.features(x).flatten(2).transpose(1, 2)).flatten(1)
        return code


class Memory(nn.Module):
    """What live faces are made of, learned: a query is answered with a mixture of a few slots (equations 3 to 7)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.least = config.shrink / config.slots
        self.slots = nn.Parameter(torch.empty(config.slots, config.depth))
        nn.init.uniform_(self.slots, -1 / math.sqrt(config.depth), 1 / math.sqrt(config.depth))

    def weights(self, queries: Tensor) -> Tensor:
        """(n, t, depth) -> (n, t, slots): softmax of the cosines, without the small ones, and again of sum 1."""
        cosines = F.normalize(queries, dim=2) @ F.normalize(self.slots, dim=1).T
        weights = cosines.softmax(2)
        above = weights - self.least
        kept = F.relu(above) * weights / above.abs().clamp_min(TINY)
        return kept / kept.sum(2, keepdim=True).clamp_min(TINY)


class Model(Autoencoder):
    """Between encoder and decoder stands a memory of a few vectors, so that what is unlike live faces cannot pass.

    `encode` gives the queries, before the memory; `decode` reads the memory and paints what it answers. `rec` is the
    squared error summed over the pixels, `entropy` that of the weights in nats, a mean over the places of the map, and
    `total`, which is minimised, rec + w_entropy * entropy. Gong et al., Memorizing normality to detect anomaly:
    memory-augmented deep autoencoder for unsupervised anomaly detection (2019); the layers here are the DCVAE's.
    """

    loss_names = ("rec", "entropy", "total", *losses.IMAGE_TERMS)
    chosen_by = "total"
    initialisation = HE
    memory_format = torch.channels_last
    is_reentrant = True
    settings = Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = Encoder(config)
        self.memory = Memory(config)
        self.decoder = Decoder(config)
        self.apply(he_initialised)

    def encode(self, x: Tensor) -> Tensor:
        z: Tensor = self.encoder(x).float()
        return z

    def decode(self, z: Tensor) -> Tensor:
        return self._painted(z)[0]

    def features(self, x: Tensor) -> Tensor:
        return patches.middle(self.encoder.features, x)

    def forward(self, x: Tensor) -> Outputs:
        z, images, terms = self._pass(x)
        return Outputs(z, images, terms)

    def _painted(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, c, H, W), and (n, t, slots) with which weights the slots were read for them."""
        c = self.config
        with torch.autocast(z.device.type, enabled=False):  # a weight near the least one is kept or not by its digits
            weights = self.memory.weights(z.float().view(-1, c.bottom**2, c.depth))
            answers = (weights @ self.memory.slots).transpose(1, 2).flatten(1)
        return self.decoder(answers).float().sigmoid(), weights

    def _pass(self, x: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        z = self.encode(x)
        images, weights = self._painted(z)
        rec = losses.squared_error(x, images)
        entropy = -(weights * weights.clamp_min(TINY).log()).sum(2).mean(1)
        return z, images, {"rec": rec, "entropy": entropy, "total": rec + self.config.w_entropy * entropy}

    def optimizers(self, settings: OptimizerSettings) -> list[Optimizer]:
        return [settings.adam(self)]

    def training_step(self, x: Tensor, optimizers: Sequence[Optimizer], step: Step) -> dict[str, Tensor]:
        terms = {name: term.mean() for name, term in self._pass(x)[2].items()}
        step.update(optimizers[0], terms["total"])
        return {name: term.detach() for name, term in terms.items()}
