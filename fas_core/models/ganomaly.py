"""GANomaly: encoder, decoder, second encoder and discriminator of table 3.4 and figure 3.8; Akcay et al. (2018)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fas_core.models import losses, patches
from fas_core.models.base import Autoencoder, OptimizerSettings, Outputs, Step
from fas_core.models.building import BatchNorm2d, FullPrecisionConv2d, FullPrecisionLinear, Size

_log = logging.getLogger(__name__)

TABLE, PUBLISHED = "table_3_4", "published"  # whose layers: the thesis', or those of Akcay et al. (2018)
ACTIVATION_FIRST, NORM_FIRST = "conv-act-bn", "conv-bn-act"
LAST, WIDEST = "last", "widest"  # of the discriminator's feature maps
COLLAPSED = 1e-5  # nats: a discriminator with a lower loss teaches the generator nothing more; Akcay's value
SMALLEST_MAP = 4  # pixels, whatever the image size


@dataclass(frozen=True)
class Config(Size):
    """The weights are those of table 4.9.

    What the thesis leaves open can be told. `layers`: of "table_3_4" an encoder ends in a convolution that keeps the
    size, an activation and a linear layer; "published" has in their place one 4x4 convolution without padding, no
    normalisation in the first layer, and a decoder that ends in a 4x4 kernel instead of 3x3. `order`: "conv-act-bn", as
    the table's rows, or "conv-bn-act", as published. `features`: those of the discriminator that `adv` compares, of its
    "last" convolution before the output, or the "widest" map, the last that was halved; as published both are the
    same. `slope`: of the leaky ReLU; Keras' default would be 0.3.
    """

    w_rec: float = 50.0
    w_enc: float = 1.0
    w_adv: float = 1.0
    w_ssim: float = 0.0
    layers: str = TABLE
    order: str = ACTIVATION_FIRST
    features: str = LAST
    slope: float = 0.2  # the thesis is silent, this is Akcay's

    def __post_init__(self) -> None:
        super().__post_init__()
        choices = {"layers": (TABLE, PUBLISHED), "order": (ACTIVATION_FIRST, NORM_FIRST), "features": (LAST, WIDEST)}
        for name, values in choices.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} '{getattr(self, name)}' must be {' or '.join(values)}")
        if not 0 <= self.slope < 1:
            raise ValueError(f"slope {self.slope} must lie in [0, 1)")
        if self.image_size < 32 or self.image_size & (self.image_size - 1):
            raise ValueError(f"image_size {self.image_size} must be a power of two, at least 32")

    @property
    def widths(self) -> list[int]:
        """Channels after each halving: 128, 256, 512, 1024, 2048 at the thesis' size."""
        count = (self.image_size // SMALLEST_MAP).bit_length() - 1
        return [self.channels(128 << i) for i in range(count)]


def _block(config: Config, convolution: nn.Module, activation: nn.Module, width: int) -> list[nn.Module]:
    """A convolution with `width` channels out, its activation and its normalisation, in the order that is wanted."""
    norm = BatchNorm2d(width)
    after = [activation, norm] if config.order == ACTIVATION_FIRST else [norm, activation]
    return [convolution, *after]


class Encoder(nn.Module):
    """Left half of table 3.4: (n, c, H, W) in [-1, 1] -> features (n, latent_dim, 4, 4) -> (n, outputs).

    Batch normalisation follows the activation, as the table's rows do (Akcay: before it, and none in the first layer).
    The fourth "256x32x64" of the table is 256x32x32. As published, the features are (n, widest, 4, 4).
    """

    def __init__(self, config: Config, outputs: int) -> None:
        super().__init__()
        is_published = config.layers == PUBLISHED
        layers: list[nn.Module] = []
        for before, after in pairwise([config.image_channels, *config.widths]):
            convolution = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)
            block = _block(config, convolution, nn.LeakyReLU(config.slope), after)
            layers += block if layers or not is_published else [convolution, nn.LeakyReLU(config.slope)]
        self.halved = len(layers)  # after so many of `features` the map is the widest
        widest = config.widths[-1]
        self.head: nn.Module
        if is_published:
            self.features = nn.Sequential(*layers)
            self.head = nn.Sequential(FullPrecisionConv2d(widest, outputs, SMALLEST_MAP, bias=False), nn.Flatten())
            return
        # Stride 1 with the size kept ("same") pads an even kernel by one pixel more on one side.
        layers += [
            nn.ZeroPad2d((1, 2, 1, 2)),
            nn.Conv2d(widest, config.latent_dim, 4, bias=False),
            nn.LeakyReLU(config.slope),
        ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Flatten(), FullPrecisionLinear(config.latent_dim * SMALLEST_MAP**2, outputs))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.features(x))
        return out

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The widest feature map and the last."""
        widest = self.features[: self.halved](x)
        return widest, self.features[self.halved :](widest)


class Decoder(nn.Sequential):
    """Right half of table 3.4: (n, latent_dim) -> (n, c, H, W) in [-1, 1]."""

    def __init__(self, config: Config) -> None:
        widths = config.widths[::-1]
        first = nn.ConvTranspose2d(config.latent_dim, widths[0], 4, bias=False)
        layers: list[nn.Module] = [
            nn.Unflatten(1, (config.latent_dim, 1, 1)),
            *_block(config, first, nn.ReLU(), widths[0]),
        ]
        for before, after in pairwise(widths):
            convolution = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
            layers += _block(config, convolution, nn.ReLU(), after)
        kernel, more = (4, 0) if config.layers == PUBLISHED else (3, 1)
        last = nn.ConvTranspose2d(
            widths[-1], config.image_channels, kernel, stride=2, padding=1, output_padding=more, bias=False
        )
        super().__init__(*layers, last, nn.Tanh())


@torch.no_grad()
def dcgan_initialised(module: nn.Module) -> None:
    """Weights from N(0, 0.02), those of batch normalisation from N(1, 0.02), no offsets (Radford et al., 2015).

    To be handed to `Module.apply`, which calls it on every layer; on a container it does nothing.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        module.weight.normal_(0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        module.weight.normal_(1, 0.02)
    else:
        return
    if module.bias is not None:
        module.bias.zero_()


class Model(Autoencoder):
    """Trained by turns: the generator (both encoders and the decoder) on equation 3.8, then the discriminator.

    Images are moved from [0, 1] to the range of the decoder's tanh, [-1, 1], and reconstructions back; `rec`, `enc` and
    `adv` are in that range, the pixel errors in [0, 1]. With `w_ssim` the generator's loss also holds that many times
    1 - SSIM, a mean over the pixels as all its terms are (Bergmann et al., 2018). Processes that share a training
    normalise by the statistics of the whole batch, as one does.
    """

    loss_names = ("rec", "enc", "adv", "disc", "discriminator", "total", *losses.IMAGE_TERMS)
    # The encoder and adversarial terms are measured with networks that move themselves: between epochs, only the
    # reconstruction loss compares.
    chosen_by = "rec"
    initialisation = "weights N(0, 0.02), those of batch normalisation N(1, 0.02), no offsets"
    events = ("disc_reset",)
    memory_format = torch.channels_last
    is_reentrant = True
    settings = Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = Encoder(config, config.latent_dim)
        self.decoder = Decoder(config)
        self.second_encoder = Encoder(config, config.latent_dim)
        self.discriminator = Encoder(config, 1)
        self.apply(dcgan_initialised)

    def encode(self, x: Tensor) -> Tensor:
        z: Tensor = self.encoder(_signed(x)).float()
        return z

    def decode(self, z: Tensor) -> Tensor:
        return _unsigned(self.decoder(z).float())

    def features(self, x: Tensor) -> Tensor:
        return patches.middle(self.encoder.features, _signed(x))

    def forward(self, x: Tensor) -> Outputs:
        z, generated, terms = self._pass(x)
        return Outputs(z.float(), _unsigned(generated.float()), terms)

    def _pass(self, x: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Codes, generated images in [-1, 1], and the terms of both players per image."""
        said, c = self._said(x), self.config
        rec = losses.l1(_signed(x), said["generated"])
        enc = losses.mean_square(said["code"], said["second_code"])
        kind = "features" if c.features == LAST else "widest"
        adv = losses.mean_square(said[kind], said[f"generated_{kind}"])
        disc = losses.discrimination(said["logit"], said["generated_logit"])
        doubt = losses.doubt(said["logit"])
        total = c.w_rec * rec + c.w_enc * enc + c.w_adv * adv
        if c.w_ssim:
            total = total + c.w_ssim * (1 - losses.ssim(x, _unsigned(said["generated"])))
        terms = {"rec": rec, "enc": enc, "adv": adv, "disc": disc, "discriminator": doubt, "total": total}
        return said["code"], said["generated"], terms

    def _said(self, x: Tensor) -> dict[str, Tensor]:
        """What the four networks say of images in [0, 1]; generated ones are in [-1, 1]."""
        signed = _signed(x)
        code = self.encoder(signed)
        generated = self.decoder(code)
        second_code = self.second_encoder(generated)
        widest, features = self.discriminator.both(signed)
        generated_widest, generated_features = self.discriminator.both(generated)
        return {
            "code": code,
            "generated": generated,
            "second_code": second_code,
            "widest": widest,
            "features": features,
            "generated_widest": generated_widest,
            "generated_features": generated_features,
            "logit": self.discriminator.head(features),
            "generated_logit": self.discriminator.head(generated_features),
        }

    def optimizers(self, settings: OptimizerSettings) -> list[Optimizer]:
        return [settings.adam(self.encoder, self.decoder, self.second_encoder), settings.adam(self.discriminator)]

    def training_step(self, x: Tensor, optimizers: Sequence[Optimizer], step: Step) -> dict[str, Tensor]:
        """One forward pass serves both players: neither's loss reaches the other's parameters."""
        terms = {name: term.mean() for name, term in self._pass(x)[2].items()}
        step.update(optimizers[0], terms["total"], keep_graph=True)
        step.update(optimizers[1], terms["disc"])
        collapsed = float(step.mean(terms["disc"].detach())) < COLLAPSED
        if collapsed:
            _log.warning("The discriminator's loss fell below %g: it starts anew.", COLLAPSED)
            self.discriminator.apply(dcgan_initialised)
        return {name: term.detach() for name, term in terms.items()} | {"disc_reset": torch.tensor(float(collapsed))}

    def distances(self, x: Tensor, teacher: Self) -> dict[str, Tensor]:
        """Of everything that a loss of the model is made of, by the weights of equation 3.8; there is no game.

        Feature maps as wide as the network, which a narrower one cannot have, are left to follow from the logits.
        """
        with torch.no_grad():
            of_teacher = teacher._said(x)
        own, c = self._said(x), self.config

        def apart(*names: str) -> Tensor:
            """(n,) sum of mean squares."""
            return torch.stack([losses.mean_square(of_teacher[name], own[name]) for name in names]).sum(0)

        terms = {
            "code": c.w_enc * apart("code", "second_code"),
            "picture": c.w_rec * losses.l1(of_teacher["generated"], own["generated"]),
            "logits": c.w_adv * apart("logit", "generated_logit"),
        }
        if c.layers != PUBLISHED:
            terms["features"] = c.w_adv * apart("features", "generated_features")
        return terms


def _signed(x: Tensor) -> Tensor:
    return 2 * x - 1


def _unsigned(x: Tensor) -> Tensor:
    return (x + 1) / 2
