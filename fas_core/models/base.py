"""The interfaces: what looking asks of a `Model`, what training asks of an `Autoencoder`."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from fas_core.errors import BadInputError
from fas_core.models import losses, patches
from fas_core.models.conditions import Conditions
from fas_core.models.draws import Draws
from fas_core.models.input import GRAY
from fas_core.models.input import Input as Input  # whoever writes a model finds both in one place

if TYPE_CHECKING:
    from lightning_fabric import Fabric

HIGHER_IS = ("attack", "bona_fide")  # which class a higher value of a loss speaks for
PROBED = 5  # images, in `Model.form`: a number that is hardly one of the other dimensions


@dataclass(frozen=True)
class Outputs:
    """One deterministic pass over n images: codes (n, d), reconstructions as the images or None, losses of (n,)."""

    latents: Tensor
    reconstructions: Tensor | None
    losses: Mapping[str, Tensor]


@dataclass(frozen=True)
class Form:
    """Of a model's outputs, whatever the images: the numbers in a code, whether it decodes, the names of its losses."""

    latent_dim: int
    decodes: bool
    losses: tuple[str, ...]


@dataclass(frozen=True)
class NoSettings:
    """Of a model that cannot be told anything."""


class Model(nn.Module, ABC):
    """What looking needs: images -> codes, and where it can codes -> images.

    Images are (n, channels, size, size) as `input` says, in eval mode; nothing may depend on which of them share a
    batch. A model is made of its `settings`, a frozen dataclass whose fields a checkpoint's header fills in.
    """

    settings: ClassVar[type] = NoSettings
    scores: ClassVar[Mapping[str, str]] = {}  # own losses that are scores: name -> "attack" or "bona_fide" (HIGHER_IS)
    memory_format: ClassVar[torch.memory_format] = torch.contiguous_format  # in which it computes fastest
    is_of_cpu: ClassVar[bool] = False  # runs there, in fp32, whatever devices and precisions there are
    is_reentrant: ClassVar[bool] = False  # keeps nothing of a call, so that several threads may call it at once

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @property
    @abstractmethod
    def input(self) -> Input:
        """What it is given. A plain attribute of the class does, where it does not follow from the config."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Images -> (n, d), deterministic; a VAE returns its mean."""

    def decode(self, z: Tensor) -> Tensor:
        """(n, d) -> images, scaled as `input` says. A model without it has no reconstructions."""
        raise NotImplementedError

    def features(self, x: Tensor) -> Tensor:
        """Images -> a map (n, c, h, w) from the middle of the encoder. A model without it has no `patches`."""
        raise NotImplementedError

    def losses(self, x: Tensor, latents: Tensor, reconstructions: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """Losses of its own per image, (n,) each, unreduced, given what the model has said of the images."""
        return {}

    def forward(self, x: Tensor) -> Outputs:
        """`encode`, `decode` and `losses`; to be overridden where one pass gives all of them."""
        latents = self.encode(x)
        reconstructions = self.decode(latents) if self.decodes else None
        return Outputs(latents, reconstructions, self.losses(x, latents, reconstructions))

    @property
    def decodes(self) -> bool:
        """Whether there is a `decode`."""
        return type(self).decode is not Model.decode

    @property
    def has_features(self) -> bool:
        """Whether there are `features`."""
        return type(self).features is not Model.features

    @final
    def patches(self, x: Tensor) -> Tensor:
        """What a Run keeps of `features`, as `patches.projected`.

        Raises BadInputError where `features` fails or returns something else than it should.
        """
        try:
            features = self.features(x)
        except (Exception, SystemExit) as error:
            raise BadInputError(f"{_called(self)}: features failed on {len(x)} images: {_where(error)}") from error
        if not _is_float(features) or features.ndim != 4 or len(features) != len(x) or not features.numel():
            raise BadInputError(
                f"{_called(self)}: features returned {_kind(features)} for {len(x)} images; expected floats "
                f"({len(x)}, c, h, w), a map each."
            )
        with torch.autocast(x.device.type, enabled=False):
            return patches.projected(features)

    @property
    def conditions(self) -> Conditions | None:
        """What it is told of an image beside the pixels, by columns of the manifest; None: nothing.

        A model that has some takes them as a second argument of `forward`, (n, k), or None where nothing is known.
        """
        return None

    @final
    def outputs(self, x: Tensor, told: Tensor | None = None) -> Outputs:
        """All that a Run keeps of images: codes, reconstructions in [0, 1], own losses and then the `IMAGE_TERMS`.

        `told`: (n, k), `Conditions.told` of the images. Raises BadInputError where `forward` fails or returns something
        else than it should.
        """
        try:
            own = self(x) if told is None else self(x, told)
        except BadInputError:
            raise
        except (Exception, SystemExit) as error:
            raise BadInputError(f"{_called(self)} failed on {len(x)} images: {_where(error)}") from error
        _require_outputs(self, own, x)
        if own.reconstructions is None:
            return replace(own, losses=dict(own.losses))
        images, reconstructions = self.in_unit_range(x), self.in_unit_range(own.reconstructions)
        return Outputs(own.latents, reconstructions, {**own.losses, **losses.of_images(images, reconstructions)})

    @final
    def in_unit_range(self, images: Tensor) -> Tensor:
        """Images as the model has them, scaled as `input` says -> as they were before, in [0, 1]."""
        mean, std = self.input.affine
        if (set(mean), set(std)) == ({0.0}, {1.0}):
            return images
        by_channel = torch.tensor([mean, std], device=images.device).view(2, -1, 1, 1)
        return images.float() * by_channel[1] + by_channel[0]

    @final
    def painted(self, z: Tensor) -> Tensor:
        """(n, d) -> images in [0, 1]. Raises BadInputError where `decode` fails."""
        try:
            return self.in_unit_range(self.decode(z))
        except BadInputError:
            raise
        except (Exception, SystemExit) as error:
            raise BadInputError(f"{_called(self)} failed to decode {len(z)} codes: {_where(error)}") from error

    @final
    @torch.inference_mode()
    def form(self) -> Form:
        """What its outputs are like, from a few images of noise. Raises BadInputError as `outputs` does."""
        shape = (PROBED, self.input.channels, self.input.size, self.input.size)
        out = self.outputs(torch.rand(shape, generator=torch.Generator().manual_seed(0)))
        return Form(out.latents.shape[1], out.reconstructions is not None, tuple(out.losses))


def _called(model: Model) -> str:
    return f"The model {type(model).__module__}:{type(model).__qualname__}"


def _where(error: Exception | SystemExit) -> str:
    """What an error says, and the line that it comes from."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}{': ' if words else ''}{words}"


def _require_outputs(model: Model, out: object, x: Tensor) -> None:
    """Raises BadInputError where a model has not returned what `Outputs` promises of images x."""
    if not isinstance(out, Outputs) or not isinstance(out.losses, Mapping):
        raise BadInputError(f"{_called(model)} returned {_kind(out)}; expected Outputs, with a mapping of losses.")
    n, latents, reconstructions = len(x), out.latents, out.reconstructions
    if not _is_float(latents) or latents.ndim != 2 or len(latents) != n or latents.shape[1] < 1:
        raise BadInputError(
            f"{_called(model)}: encode returned {_kind(latents)} for {n} images; expected floats ({n}, d), a code each."
        )
    if reconstructions is not None and (not _is_float(reconstructions) or reconstructions.shape != x.shape):
        raise BadInputError(
            f"{_called(model)}: decode returned {_kind(reconstructions)}; expected floats as x, {tuple(x.shape)}."
        )
    for name, loss in out.losses.items():
        if not isinstance(name, str) or not name.isidentifier() or name in losses.IMAGE_TERMS:
            raise BadInputError(
                f"{_called(model)}: {name!r} cannot be the name of a loss. A name is a word of letters, digits and _, "
                f"other than {', '.join(losses.IMAGE_TERMS)}, which are computed for every model that decodes."
            )
        if not _is_float(loss) or loss.shape != (n,):
            raise BadInputError(
                f"{_called(model)}: loss '{name}' is {_kind(loss)}; expected floats ({n},), one per image, unreduced."
            )
    for name, higher_is in model.scores.items():
        if name not in out.losses or higher_is not in HIGHER_IS:
            raise BadInputError(
                f"{_called(model)}: scores says {name!r}: {higher_is!r}. It names losses that the model returns "
                f"({', '.join(out.losses) or 'none'}), and the class that a higher value speaks for: "
                f"{' or '.join(HIGHER_IS)}."
            )


def _is_float(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _kind(value: object) -> str:
    """float32 (3, 64); or what else it is."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


@dataclass(frozen=True)
class OptimizerSettings:
    """Adam (section 3.6.2)."""

    learning_rate: float
    beta1: float
    beta2: float

    def adam(self, *modules: nn.Module) -> Adam:
        """Of all parameters of some modules."""
        parameters = [parameter for module in modules for parameter in module.parameters()]
        return Adam(parameters, self.learning_rate, betas=(self.beta1, self.beta2))


@dataclass(frozen=True)
class Step:
    """One step of a training as a model sees it: its random numbers, and updates that all processes agree on."""

    fabric: Fabric
    draws: Draws
    done: float = 1.0  # the share of all steps that are over, in [0, 1): of the step alone, whenever it is gone on with
    told: Tensor | None = None  # (n, k) of the images, where the model has `conditions`

    def update(self, optimizer: Optimizer, loss: Tensor, *, keep_graph: bool = False) -> None:
        """Changes the optimiser's parameters, and no others, along the gradient averaged over the processes."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss, inputs=parameters, retain_graph=keep_graph)
        if self.fabric.world_size > 1:
            for parameter in parameters:
                assert parameter.grad is not None  # the loss of every model reaches every parameter it updates
                parameter.grad = self.mean(parameter.grad)
        optimizer.step()

    def mean(self, value: Tensor) -> Tensor:
        """Of equally shaped values, over the processes."""
        reduced: Tensor = self.fabric.all_reduce(value, reduce_op="mean")  # type: ignore[assignment]
        return reduced


class Autoencoder(Model):
    """What training needs besides: optimisers, a step, and which loss chooses the checkpoint.

    Standard scaled; gray, unless its settings have `image_channels` 3.
    """

    loss_names: ClassVar[tuple[str, ...]]  # of `outputs`
    chosen_by: ClassVar[str]  # the loss whose mean over the dev images chooses the checkpoint
    initialisation: ClassVar[str] = "PyTorch's defaults"  # of the weights, which the thesis leaves open
    events: ClassVar[tuple[str, ...]] = ()  # what `training_step` returns besides losses: 1 where it happened
    features_of: ClassVar[str] = ""  # the model of which a trained one must be given: `fas train --features`

    @property
    def input(self) -> Input:
        return Input(self.config.image_size, getattr(self.config, "image_channels", GRAY))

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """(n, d) -> (n, c, H, W) in [0, 1]."""

    @abstractmethod
    def forward(self, x: Tensor) -> Outputs:
        """Codes, reconstructions and every loss in one pass; with the `IMAGE_TERMS` they are exactly `loss_names`."""

    def take_features(self, trained: Model) -> None:
        """Of a trained `features_of`, before the first step, into weights of its own that no step changes.

        Raises BadInputError, in the midst of a sentence, where they do not fit.
        """

    @abstractmethod
    def optimizers(self, settings: OptimizerSettings) -> list[Optimizer]:
        """The optimisers that `training_step` will be given, in this order."""

    @abstractmethod
    def training_step(self, x: Tensor, optimizers: Sequence[Optimizer], step: Step) -> dict[str, Tensor]:
        """One update on a batch (n, c, H, W), n as in `step.draws`; returns batch means by name."""

    def distances(self, x: Tensor, teacher: Self) -> dict[str, Tensor]:
        """How far from a teacher's is what it says of images x, by name, (n,) each, to be added up and made small.

        `teacher`: another one of the class, with codes as long; no gradient reaches it. To be overridden where a model
        says more than codes and reconstructions, or knows what a distance in its code is worth.
        """
        with torch.no_grad():
            code = teacher.encode(x)
            picture = teacher.decode(code)
        own = self.encode(x)
        return {"code": losses.mean_square(code, own), "picture": losses.mean_square(picture, self.decode(own))}


def parts(model: Model) -> dict[str, nn.Module]:
    """The named parts, {"encoder": ..., "decoder": ...}: disjoint, and complete but for parameters of its own."""
    return dict(model.named_children())


def parameter_count(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
