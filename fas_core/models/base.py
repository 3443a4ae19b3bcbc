"""The interface of every model: what training, inference and the app may ask of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim import Optimizer


@dataclass(frozen=True)
class Outputs:
    """One deterministic pass over n images: codes (n, d), reconstructions (n, 1, H, W) in [0, 1], terms of (n,)."""

    latents: Tensor
    reconstructions: Tensor
    losses: dict[str, Tensor]


class Autoencoder(nn.Module, ABC):
    """Images (n, 1, H, W) in [0, 1] -> code -> images. Nothing depends on which images share a batch in eval mode."""

    config: Any  # the module's frozen `Config`
    loss_names: ClassVar[tuple[str, ...]]

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """(n, 1, H, W) -> (n, d), deterministic; a VAE returns its mean."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """(n, d) -> (n, 1, H, W) in [0, 1]."""

    @abstractmethod
    def outputs(self, x: Tensor) -> Outputs:
        """Code, reconstruction and every loss term in one pass; `losses` has exactly `loss_names`."""

    def losses(self, x: Tensor) -> dict[str, Tensor]:
        """Every loss term per image, (n,) each, unreduced."""
        return self.outputs(x).losses

    @abstractmethod
    def optimizers(self, settings: OptimizerSettings) -> list[Optimizer]:
        """The optimisers that `training_step` will be given, in this order."""

    @abstractmethod
    def training_step(
        self, x: Tensor, optimizers: Sequence[Optimizer], backward: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """One update on a batch. `backward` scales and back-propagates; returns batch means by name."""

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """The named halves of the model, disjoint and complete: {"encoder": ..., "decoder": ...}."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Adam (section 3.6.2)."""

    learning_rate: float
    beta1: float
    beta2: float


def parameter_count(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
