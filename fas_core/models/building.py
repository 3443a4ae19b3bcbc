"""What the models of this package are made of: their sizes, layers, and all that VAEs share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn
from torch.optim import Optimizer

from fas_core.models import losses, patches
from fas_core.models.base import Autoencoder, OptimizerSettings, Outputs, Step
from fas_core.models.input import COLOUR, GRAY

LOG_VARIANCE_RANGE = (-15.0, 15.0)  # exp() of anything outside overflows half precision; trained codes stay inside


class VariationalAutoencoder(Autoencoder):
    """A VAE whose code is the mean of its posterior; the loss is the negative ELBO (equation 3.1).

    `encoder`: (n, c, H, W) -> (n, 2d), means then log variances, layer by layer. `decoder`: (n, d) -> logits (n, c, H,
    W).

    With `w_ssim` the loss, still called `elbo`, holds that many times `losses.dissimilarity` too, in training and in
    looking, as it then is what the checkpoint is chosen by. With `kl_warmup`, a share of all steps, the weight of the
    KL term rises from zero to `w_kl` over them, in a straight line, so that the decoder learns to use the code before
    the prior can switch it off (Bowman et al., 2016; Sonderby et al., 2016, have it linear). The gradient alone is
    warmed up: what the log and the dev loss call `elbo` has the whole weight all along, and compares between epochs.
    """

    loss_names: ClassVar[tuple[str, ...]] = ("rec", "kl", "elbo", "excess_bce", *losses.IMAGE_TERMS)
    chosen_by = "elbo"
    memory_format = torch.channels_last
    is_reentrant = True

    def __init__(self, config: Any, encoder: nn.Sequential, decoder: nn.Module) -> None:
        super().__init__(config)
        self.encoder = encoder
        self.decoder = decoder

    def encoded(self, x: Tensor, told: Tensor | None) -> Tensor:  # noqa: ARG002 - of models with conditions
        """(n, 2d), means then log variances; `told` (n, k), where the model has `conditions`."""
        out: Tensor = self.encoder(x)
        return out

    def logits(self, z: Tensor, told: Tensor | None) -> Tensor:  # noqa: ARG002
        """(n, d) -> (n, c, H, W)"""
        out: Tensor = self.decoder(z)
        return out

    def posterior(self, x: Tensor, told: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z|x), (n, d) each."""
        mean, log_variance = self.encoded(x, told).float().chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)

    def encode(self, x: Tensor) -> Tensor:
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        return self.logits(z, None).float().sigmoid()

    def features(self, x: Tensor) -> Tensor:
        return patches.middle(self.encoder, x)

    def forward(self, x: Tensor, told: Tensor | None = None) -> Outputs:
        mean, log_variance = self.posterior(x, told)
        logits = self.logits(mean, told).float()
        terms = self._terms(x, mean, log_variance, logits)
        terms["excess_bce"] = losses.excess_bce(x, logits)
        return Outputs(mean, logits.sigmoid(), terms)

    def _terms(self, x: Tensor, mean: Tensor, log_variance: Tensor, logits: Tensor) -> dict[str, Tensor]:
        rec, kl, c = losses.bce(x, logits), losses.kl(mean, log_variance), self.config
        elbo = c.w_rec * rec + c.w_kl * kl
        if c.w_ssim:
            elbo = elbo + c.w_ssim * losses.dissimilarity(x, logits.float().sigmoid())
        return {"rec": rec, "kl": kl, "elbo": elbo}

    def optimizers(self, settings: OptimizerSettings) -> list[Optimizer]:
        return [settings.adam(self)]

    def training_step(self, x: Tensor, optimizers: Sequence[Optimizer], step: Step) -> dict[str, Tensor]:
        mean, log_variance = self.posterior(x, step.told)
        noise = step.draws.normal(mean.shape[1])
        z = mean + noise * (0.5 * log_variance).exp()  # reparametrisation, section 2.3.1
        logits = self.logits(z, step.told)
        terms = {name: term.mean() for name, term in self._terms(x, mean, log_variance, logits).items()}
        not_yet = self.config.w_kl * (1 - warmed_up(step.done, self.config.kl_warmup))
        step.update(optimizers[0], terms["elbo"] - not_yet * terms["kl"] if not_yet else terms["elbo"])
        return {name: term.detach() for name, term in terms.items()}

    def distances(self, x: Tensor, teacher: Self) -> dict[str, Tensor]:
        """In nats: the KL divergence of the student's posterior from the teacher's, and of its pixels from the
        teacher's pixels. A number of the code that the teacher is unsure of weighs little."""
        with torch.no_grad():
            of_teacher = teacher.posterior(x)
            picture = teacher.decode(of_teacher[0])
        mean, log_variance = self.posterior(x)
        return {
            "code": losses.kl_between(*of_teacher, mean, log_variance),
            "picture": losses.excess_bce(picture, self.decoder(mean)),
        }


def warmed_up(done: float, warmup: float) -> float:
    """Which share of its weight a term has where a share `done` of all steps is over: 1 after the first `warmup`."""
    return 1.0 if done >= warmup else done / warmup


@dataclass(frozen=True)
class Size:
    """What every model's `Config` starts with; `width` scales the channels (1.0 is the thesis)."""

    width: float = 1.0
    latent_dim: int = 512
    image_size: int = 128
    image_channels: int = GRAY  # or 3, colour

    def channels(self, at_full_width: int) -> int:
        """As many as the width leaves of those at width 1; at least one."""
        return max(1, round(at_full_width * self.width))

    def __post_init__(self) -> None:
        if not 0 < self.width <= 4:
            raise ValueError(f"width {self.width} must lie in (0, 4]")
        if self.latent_dim < 1:
            raise ValueError(f"latent_dim {self.latent_dim} must be positive")
        if self.image_channels not in (GRAY, COLOUR):
            raise ValueError(f"image_channels {self.image_channels} must be {GRAY}, gray, or {COLOUR}, colour")
        for name, value in vars(self).items():
            if name.startswith("w_") and not 0 <= value < math.inf:
                raise ValueError(f"the weight {name} {value} must not be negative")


@dataclass(frozen=True)
class MapConfig(Size):
    """Of a model whose decoder starts from the code as a map: `latent_dim` must fill whole channels of the smallest."""

    halvings: ClassVar[int]  # how often the encoder halves the image

    @property
    def bottom(self) -> int:
        """Side of the smallest feature map."""
        return self.image_size >> self.halvings

    def __post_init__(self) -> None:
        super().__post_init__()
        least = 1 << self.halvings
        if self.image_size < 32 or self.image_size % least:
            raise ValueError(f"image_size {self.image_size} must be a multiple of {least}, at least 32")
        if self.latent_dim % self.bottom**2:
            raise ValueError(f"latent_dim {self.latent_dim} must be a multiple of {self.bottom**2}, the smallest map")


@dataclass(frozen=True)
class VariationalConfig(MapConfig):
    """Of a VAE."""

    w_rec: float = 1.0
    w_kl: float = 1.0
    w_ssim: float = 0.0
    kl_warmup: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.kl_warmup <= 1:
            raise ValueError(f"kl_warmup {self.kl_warmup} must be a share of all steps, in [0, 1]")


class FullPrecisionLinear(nn.Linear):
    """Linear, in fp32 at any precision: a code rounded to bf16 would lose the digits that images are ranked by."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.amp.is_autocast_available(x.device.type):  # the device "meta", on which only shapes are computed
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class _Summed(torch.autograd.Function):
    """A sum over the processes; what flows back is the sum of what flows back to each."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        return _Summed.forward(None, gradients[0])


def summed(x: Tensor) -> Tensor:
    """Over the processes that share a training."""
    total: Tensor = _Summed.apply(x)  # type: ignore[no-untyped-call]
    return total


class BatchNorm2d(nn.BatchNorm2d):
    """Normalises by the statistics of the whole batch, however many processes share it; alone it is PyTorch's.

    SyncBatchNorm does so on GPUs alone. Sums of other parts come out the same but for the rounding.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not distributed.is_initialized() or distributed.get_world_size() == 1:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            sums = summed(torch.cat([x.sum((0, 2, 3)), x.new_tensor([x.numel() / self.num_features])]))
            mean, n = sums[:-1] / sums[-1], sums[-1].detach()
            centred = x - mean.view(1, -1, 1, 1)
            variance = summed(centred.square().sum((0, 2, 3))) / n
            scale = self.weight * (variance + self.eps).rsqrt()
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)  # type: ignore[union-attr,arg-type]
                self.running_var.lerp_(variance * n / (n - 1), self.momentum)  # type: ignore[union-attr,arg-type]
                self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
            return centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)


class FullPrecisionConv2d(nn.Conv2d):
    """Convolution, in fp32 at any precision, where its output is a code."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.amp.is_autocast_available(x.device.type):
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


HE = "weights N(0, 2 / inputs), no offsets (He et al., 2015)"


@torch.no_grad()
def he_initialised(module: nn.Module) -> None:
    """As HE says: what an image is told apart by keeps its size through any number of layers with ReLUs.

    With PyTorch's defaults it halves in each, so that a decoder whose code has no noise may begin, and end, with the
    same gray for all. To be handed to `Module.apply`, which calls it on every layer.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            module.bias.zero_()


class UpsampledConv2d(nn.Conv2d):
    """Nearest-neighbour upsampling by two and then a 3x3 convolution, (n, c, H, W) -> (n, c', 2H, 2W), as one layer.

    Each pixel of the input is there four times, so weights that meet the same one can be added up beforehand: what
    remains is a transposed convolution with a 4x4 kernel, with four products per output instead of nine.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3, padding=1)

    def kernel(self) -> Tensor:
        """(c, c', 4, 4) of the transposed convolution."""
        kernel = F.pad(self.weight.flip(2, 3), (1, 1, 1, 1))
        kernel = kernel[:, :, :-1] + kernel[:, :, 1:]
        kernel = kernel[..., :-1] + kernel[..., 1:]
        return kernel.transpose(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, self.kernel(), self.bias, stride=2, padding=1)
