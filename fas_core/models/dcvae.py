"""DCVAE: the Deep Convolutional Variational Autoencoder of table 3.2."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from fas_core import losses
from fas_core.models.base import Autoencoder, OptimizerSettings, Outputs

LOG_VARIANCE_RANGE = (-15.0, 15.0)  # exp() of anything outside overflows half precision; trained codes stay inside


@dataclass(frozen=True)
class Config:
    """`width` scales the channels (1.0 is the thesis); `latent_dim` must fill whole channels of the smallest map."""

    width: float = 1.0
    latent_dim: int = 512
    image_size: int = 128
    w_rec: float = 1.0
    w_kl: float = 1.0

    @property
    def bottom(self) -> int:
        """Side of the smallest feature map: four poolings below the image."""
        return self.image_size // 16

    def channels(self, at_full_width: int) -> int:
        return max(1, round(at_full_width * self.width))

    def __post_init__(self) -> None:
        if self.image_size < 32 or self.image_size % 16:
            raise ValueError(f"image_size {self.image_size} must be a multiple of 16, at least 32")
        if not 0 < self.width <= 4:
            raise ValueError(f"width {self.width} must lie in (0, 4]")
        if not (0 <= self.w_rec < math.inf and 0 <= self.w_kl < math.inf):
            raise ValueError(f"the weights w_rec {self.w_rec} and w_kl {self.w_kl} must not be negative")
        if self.latent_dim < 1 or self.latent_dim % self.bottom**2:
            raise ValueError(f"latent_dim {self.latent_dim} must be a multiple of {self.bottom**2}, the smallest map")


class Encoder(nn.Sequential):
    """Left half of table 3.2 up to "Fully connected": (n, 1, H, W) -> (n, 2 * latent_dim), mean then log variance."""

    def __init__(self, config: Config) -> None:
        c = [config.channels(k) for k in (32, 64, 128, 256, 512)]
        layers: list[nn.Module] = [nn.Conv2d(1, c[0], 3, padding=1), nn.ReLU()]
        for before, after in pairwise(c):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        # "Two layers prior to the latent" (section 3.3) are one linear layer of 2d outputs: the same parameters.
        super().__init__(*layers, nn.Flatten(), nn.Linear(c[-1] * config.bottom**2, 2 * config.latent_dim))


class Decoder(nn.Sequential):
    """Right half of table 3.2, without its sigmoid: (n, latent_dim) -> logits (n, 1, H, W)."""

    def __init__(self, config: Config) -> None:
        first = config.latent_dim // config.bottom**2
        c = [first, *(config.channels(k) for k in (512, 256, 128, 64))]
        layers: list[nn.Module] = [nn.Unflatten(1, (first, config.bottom, config.bottom))]
        for before, after in pairwise(c):
            # Nearest neighbour is the default of the framework whose vocabulary the table uses.
            layers += [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        last = config.channels(32)
        super().__init__(*layers, nn.Conv2d(c[-1], last, 3, padding=1), nn.ReLU(), nn.Conv2d(last, 1, 1))


class Model(Autoencoder):
    """A VAE whose code is the mean of its posterior; the loss is the negative ELBO (equation 3.1)."""

    loss_names = ("rec", "kl", "elbo", "pixel_l2")

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), (n, d) each."""
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)

    def encode(self, x: Tensor) -> Tensor:
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).float().sigmoid()

    def outputs(self, x: Tensor) -> Outputs:
        mean, log_variance = self.posterior(x)
        logits = self.decoder(mean).float()
        reconstructions = logits.sigmoid()
        terms = self._terms(x, mean, log_variance, logits)
        return Outputs(mean, reconstructions, terms | {"pixel_l2": losses.pixel_l2(x, reconstructions)})

    def _terms(self, x: Tensor, mean: Tensor, log_variance: Tensor, logits: Tensor) -> dict[str, Tensor]:
        rec, kl = losses.bce(x, logits), losses.kl(mean, log_variance)
        return {"rec": rec, "kl": kl, "elbo": self.config.w_rec * rec + self.config.w_kl * kl}

    def optimizers(self, settings: OptimizerSettings) -> list[Optimizer]:
        return [Adam(self.parameters(), settings.learning_rate, betas=(settings.beta1, settings.beta2))]

    def training_step(
        self, x: Tensor, optimizers: Sequence[Optimizer], backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        mean, log_variance = self.posterior(x)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()  # reparametrisation, section 2.3.1
        terms = {name: term.mean() for name, term in self._terms(x, mean, log_variance, self.decoder(z)).items()}
        optimizers[0].zero_grad(set_to_none=True)
        backward(terms["elbo"])
        optimizers[0].step()
        return {name: term.detach() for name, term in terms.items()}

    def parts(self) -> dict[str, nn.Module]:
        return {"encoder": self.encoder, "decoder": self.decoder}
