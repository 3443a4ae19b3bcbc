"""CVAE: the DCVAE told of conditions, columns of the manifest; Sohn et al. (2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.optim import Optimizer

from fas_core.documents import Json
from fas_core.models import dcvae
from fas_core.models.base import Step
from fas_core.models.building import VariationalAutoencoder
from fas_core.models.conditions import Conditions


@dataclass(frozen=True)
class Config(dcvae.Config):
    """`conditions`: a `Conditions.encoding`, which `fas train --condition` fits on the images that are learned.
    `condition_dropout`: how often training withholds a column of an image."""

    conditions: Json = field(default_factory=dict)
    condition_dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        Conditions(self.conditions)
        if not 0 <= self.condition_dropout < 1:
            raise ValueError(f"condition_dropout {self.condition_dropout} must lie in [0, 1)")


class Model(VariationalAutoencoder):
    """q(z | x, c) and p(x | z, c): what is told of an image need not be in its code, and a face with glasses is not
    judged by faces without (thesis, sections 5.1 and 5.3). The prior of the code does not depend on c.

    The conditions c join the encoder's last layer and the decoder's first map, in which each is the same everywhere.
    Where nothing is told, c says so: training withholds columns at random, so that both know what to do then. So are
    codes decoded that come without an image, on the pages that walk through the latent space. Sohn, Lee and Yan,
    Learning structured output representation using deep conditional generative models (2015).
    """

    settings = Config

    nothing: Tensor  # (k,)
    places: Tensor  # (k,)

    def __init__(self, config: Config) -> None:
        conditions = Conditions(config.conditions)
        k = len(conditions.places)
        super().__init__(config, dcvae.Encoder(config, 2 * config.latent_dim, k), dcvae.Decoder(config, k))
        self._conditions = conditions
        self.register_buffer("nothing", torch.from_numpy(conditions.nothing), persistent=False)
        self.register_buffer("places", torch.from_numpy(conditions.places), persistent=False)

    @property
    def conditions(self) -> Conditions | None:
        return self._conditions if self._conditions.columns else None

    def encoded(self, x: Tensor, told: Tensor | None) -> Tensor:
        """(n, 2d) of images (n, c, s, s): means, then logarithms of variances. `told`: (n, k); None: nothing."""
        *layers, last = self.encoder.children()
        for layer in layers:
            x = layer(x)
        out: Tensor = last(torch.cat([x.float(), self._known(x, told)], 1))
        return out

    def logits(self, z: Tensor, told: Tensor | None) -> Tensor:
        """(n, c, s, s) of latents (n, d), before the sigmoid; `told` as in `encoded`."""
        first, *layers = self.decoder.children()
        image: Tensor = first(z)
        known = self._known(z, told)[:, :, None, None].expand(-1, -1, *image.shape[2:])
        image = torch.cat([image, known], 1)
        for layer in layers:
            image = layer(image)
        return image

    def _known(self, like: Tensor, told: Tensor | None) -> Tensor:
        """(n, k)"""
        return self.nothing.expand(like.shape[0], -1) if told is None else told

    def training_step(self, x: Tensor, optimizers: Sequence[Optimizer], step: Step) -> dict[str, Tensor]:
        if step.told is not None:
            is_withheld = step.draws.uniform(0, 1, len(self._conditions.columns)) < self.config.condition_dropout
            told = torch.where(is_withheld[:, self.places].to(x.device), self.nothing, step.told)
            step = replace(step, told=told)
        return super().training_step(x, optimizers, step)
