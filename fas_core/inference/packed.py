"""A model whose layers are made ready for a CPU once, not at every call; what it says is the same but for rounding.

Of every convolution in fp32 oneDNN, which computes it, arranges the weights anew at each call, PyTorch rearranges what
transposed ones return, and an activation behind it goes over all numbers a second time. Here the weights are arranged
at the first call, for images of the size that comes, and the activation is a part of the layer, also of one before a
max pooling: of the largest number it is the largest. That pooling itself is faster without noting where the largest
numbers were. Convolutions of DCVAE and GANomaly say the same to the last bit;
through some layers of ResVAE oneDNN takes another way then, and sums differ by rounding. So do those of linear layers,
which PyTorch otherwise has computed by MKL: that is slower for a few images, and rounds otherwise for fewer than four.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from fas_core.models.building import FullPrecisionLinear, UpsampledConv2d

_CONVOLUTIONS: tuple[type[nn.Module], ...] = (nn.Conv2d, nn.ConvTranspose2d, UpsampledConv2d)
_LINEAR: tuple[type[nn.Module], ...] = (nn.Linear, FullPrecisionLinear)

M = TypeVar("M", bound=nn.Module)


@torch.no_grad()
def packed(model: M) -> M:
    """A copy, for inference on a CPU in fp32; it shares with the model all weights that stay as they are.

    Its own classes read of a layer no more than what it returns, as all models of this package do. The model itself
    where PyTorch comes without oneDNN.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return model
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    own = copy.deepcopy(model, shared)
    _pack(own)
    return own


def _pack(module: nn.Module) -> None:
    children = list(module.named_children())
    is_chain = isinstance(module, nn.Sequential)
    for number, (name, layer) in enumerate(children):
        if type(layer) in _LINEAR and layer.weight.dtype == torch.float32:
            setattr(module, name, _PackedLinear(layer))
            continue
        if _halves(layer):
            setattr(module, name, _PackedMaxPool(2))
            continue
        if not _is_convolution(layer):
            _pack(layer)
            continue
        behind = children[number + 1 :] if is_chain else []
        next_name, follows = next((each for each in behind if type(each[1]) is not nn.MaxPool2d), ("", None))
        activation, numbers = _fused(follows)
        setattr(module, name, _PackedConvolution(layer, activation, numbers))
        if activation != "none":
            setattr(module, next_name, nn.Identity())


def _is_convolution(layer: nn.Module) -> bool:
    """Whether it is a plain convolution that oneDNN computes: of one channel it is not, and is faster so."""
    return (
        type(layer) in _CONVOLUTIONS
        and isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        and layer.weight.dtype == torch.float32
        and layer.out_channels > 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and not any(layer.output_padding)
    )


def _halves(layer: nn.Module) -> bool:
    """Whether it is a max pooling of squares of two by two, side by side."""
    if type(layer) is not nn.MaxPool2d or layer.return_indices:
        return False
    how = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode)
    return how == (2, 2, 0, 1, False)


def _fused(layer: nn.Module | None) -> tuple[str, list[float]]:
    """oneDNN's name of an activation, and its numbers; "none" for any other layer."""
    if type(layer) is nn.ReLU:
        return "relu", []
    if type(layer) is nn.LeakyReLU and layer.negative_slope >= 0:  # rises, as a pooling between the two asks for
        return "leaky_relu", [layer.negative_slope]
    return "none", []


class _PackedLinear(nn.Module):
    """A layer of sums over all that it is given, without an activation."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self._bias = None if layer.bias is None else layer.bias.detach()
        weight = layer.weight.detach()
        self._arranged = torch.ops.mkldnn._reorder_linear_weight(weight, None)  # None: for any number of images

    def forward(self, x: Tensor) -> Tensor:
        several = x if len(x) != 1 else torch.cat([x, x])  # of one image some processors add up in another order
        out: Tensor = torch.ops.mkldnn._linear_pointwise(several, self._arranged, self._bias, "none", [], "")
        return out[: len(x)]


class _PackedMaxPool(nn.MaxPool2d):
    """The largest of every four numbers; of a number of rows or columns that is odd the last one is left out."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = (side // 2 * 2 for side in x.shape[-2:])
        rows = torch.maximum(x[..., 0:height:2, :width], x[..., 1:height:2, :width])
        return torch.maximum(rows[..., 0::2], rows[..., 1::2])


class _PackedConvolution(nn.Module):
    """A convolution, or a transposed one, and its activation."""

    def __init__(self, layer: Any, activation: str, numbers: list[float]) -> None:
        super().__init__()
        ops: Any = torch.ops.mkldnn
        self._bias = None if layer.bias is None else layer.bias.detach()
        stride, padding, dilation = (list(part) for part in (layer.stride, layer.padding, layer.dilation))
        self._weight: Callable[[], Tensor] = lambda: layer.weight
        if isinstance(layer, UpsampledConv2d):
            self._weight, stride, padding = layer.kernel, [2, 2], [1, 1]
        if type(layer) is nn.Conv2d:
            self._arrange, self._call = ops._reorder_convolution_weight, ops._convolution_pointwise
            self._how = [padding, stride, dilation, layer.groups]
        else:
            self._arrange = ops._reorder_convolution_transpose_weight
            self._call = ops._convolution_transpose_pointwise
            self._how = [padding, [0, 0], stride, dilation, layer.groups]
        self._activation = [activation, numbers, ""]
        self._arranged: dict[torch.Size, Tensor] = {}  # by the size of one image's map; threads may fill it at once

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[1:]
        if size not in self._arranged:
            weight = self._weight().detach().contiguous()
            self._arranged[size] = self._arrange(weight, *self._how, [1, *size])  # for any number of images
        out: Tensor = self._call(x, self._arranged[size], self._bias, *self._how, *self._activation)
        return out
