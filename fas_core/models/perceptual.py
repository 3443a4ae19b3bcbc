"""The DCVAE with a perceptual loss on frozen features of a trained DCVAE; Hou et al. (2017)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from fas_core.errors import BadInputError
from fas_core.models import dcvae
from fas_core.models.base import Model as AnyModel
from fas_core.models.base import OptimizerSettings
from fas_core.models.building import VariationalAutoencoder
from fas_core.models.losses import IMAGE_TERMS

LEVELS = 3  # feature maps that are compared: of half, a quarter and an eighth of the image's side
TINY = 1e-6  # of a map in which nothing is seen


@dataclass(frozen=True)
class Config(dcvae.Config):
    """`features_width`: that of the trained model; a training reads it off the checkpoint that it is given."""

    w_perceptual: float = 1.0
    features_width: float = 1.0


class Model(VariationalAutoencoder):
    """A reconstruction is held against the image by what a trained encoder sees of both, beside the pixels.

    The encoder is that of a DCVAE that was trained before, on live images: `fas train --features CHECKPOINT`. A copy of
    its convolutions lies in this model's own weights and never changes. So there is nothing to be downloaded, nothing
    that has seen an attack, and a checkpoint needs no other file; and the loss means the same in every epoch, which it
    would not with a copy of the encoder that is being trained, whose checkpoints could not be chosen from. What a
    training is called holds the SHA-256 of the checkpoint, and the images which that has learned are known as learned.

    `perceptual`: at each of three levels the squared difference of the features over the square of the image's own,
    as nothing says of what size features are; their mean, times the number of pixels, so that it is of the size of
    `rec`. It is `w_perceptual` times in `elbo`, which is minimised, and a score. Hou, Shen, Sun and Qiu, Deep feature
    consistent variational autoencoder (2017), have features of VGG, and no pixels: --set w_rec=0.
    """

    loss_names = ("rec", "kl", "elbo", "perceptual", "excess_bce", *IMAGE_TERMS)
    scores: ClassVar[Mapping[str, str]] = {"perceptual": "attack"}
    features_of = "dcvae"
    settings = Config

    def __init__(self, config: Config) -> None:
        encoder = dcvae.Encoder(config, 2 * config.latent_dim)
        super().__init__(config, encoder, dcvae.Decoder(config))
        layers = dcvae.convolutions(replace(config, width=config.features_width))
        halvings = [i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
        self.frozen = nn.Sequential(*layers[: halvings[LEVELS - 1] + 2])  # with the ReLU behind it
        self.frozen.requires_grad_(False)

    def take_features(self, trained: AnyModel) -> None:
        """Copies the frozen encoder from a trained model. Raises BadInputError where it is of other channels."""
        names = self.frozen.state_dict()
        weights = trained.get_submodule("encoder").state_dict()
        if any(weights[name].shape != value.shape for name, value in names.items()):
            raise BadInputError(
                f"its features are of images with {trained.input.channels} channels, and this training has "
                f"{self.input.channels}"
            )
        self.frozen.load_state_dict({name: weights[name] for name in names})

    def optimizers(self, settings: OptimizerSettings) -> list[torch.optim.Optimizer]:
        return [settings.adam(self.encoder, self.decoder)]

    def _terms(self, x: Tensor, mean: Tensor, log_variance: Tensor, logits: Tensor) -> dict[str, Tensor]:
        terms = super()._terms(x, mean, log_variance, logits)
        terms["perceptual"] = math.prod(x.shape[1:]) * self._difference(x, logits.float().sigmoid())
        terms["elbo"] = terms["elbo"] + self.config.w_perceptual * terms["perceptual"]
        return terms

    def _difference(self, x: Tensor, reconstruction: Tensor) -> Tensor:
        """(n,) relative squared difference of the features, a mean over the levels."""
        shares = []
        for layer in self.frozen:
            x, reconstruction = layer(x), layer(reconstruction)
            if isinstance(layer, nn.MaxPool2d):
                of_image, of_other = x.float().relu(), reconstruction.float().relu()
                size = of_image.square().flatten(1).mean(1) + TINY
                shares.append((of_image - of_other).square().flatten(1).mean(1) / size)
        return torch.stack(shares).mean(0)
