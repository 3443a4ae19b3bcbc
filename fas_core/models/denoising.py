"""A denoising autoencoder on the layers of the DCVAE; Vincent et al. (2008)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from fas_core.models import losses, patches
from fas_core.models.base import Autoencoder, OptimizerSettings, Outputs, Step
from fas_core.models.building import HE, MapConfig, he_initialised
from fas_core.models.dcvae import Decoder, Encoder


@dataclass(frozen=True)
class Config(MapConfig):
    """`corruption`: the share of an image's pixels that training takes away."""

    corruption: float = 0.25

    halvings = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.corruption < 1:
            raise ValueError(f"corruption {self.corruption} must be a share of the pixels, in [0, 1)")


class Model(Autoencoder):
    """Training gives it images some of whose pixels, drawn anew for each, are black, and asks for the whole ones.

    So it has to know how pixels go together, where an autoencoder could copy them. Looking gives it images as they are.
    The code has no prior. Vincent, Larochelle, Bengio and Manzagol, Extracting and composing robust features with
    denoising autoencoders (2008): masking noise, and the cross-entropy with the clean image.
    """

    loss_names = ("rec", "excess_bce", *losses.IMAGE_TERMS)
    chosen_by = "rec"
    initialisation = HE
    memory_format = torch.channels_last
    is_reentrant = True
    settings = Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = Encoder(config, config.latent_dim)
        self.decoder = Decoder(config)
        self.apply(he_initialised)

    def encode(self, x: Tensor) -> Tensor:
        z: Tensor = self.encoder(x).float()
        return z

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).float().sigmoid()

    def features(self, x: Tensor) -> Tensor:
        return patches.middle(self.encoder, x)

    def forward(self, x: Tensor) -> Outputs:
        z = self.encode(x)
        logits = self.decoder(z).float()
        terms = {"rec": losses.bce(x, logits), "excess_bce": losses.excess_bce(x, logits)}
        return Outputs(z, logits.sigmoid(), terms)

    def optimizers(self, settings: OptimizerSettings) -> list[Optimizer]:
        return [settings.adam(self)]

    def training_step(self, x: Tensor, optimizers: Sequence[Optimizer], step: Step) -> dict[str, Tensor]:
        left = step.draws.uniform(0, 1, 1, *x.shape[2:]).to(x) >= self.config.corruption
        rec = losses.bce(x, self.decoder(self.encode(x * left))).mean()
        step.update(optimizers[0], rec)
        return {"rec": rec.detach()}
