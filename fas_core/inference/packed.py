"""A model whose layers are made ready for a CPU once, not at every call; what it says is the same but for rounding.

Of every convolution in fp32 oneDNN, which computes it, arranges the weights anew at each call, PyTorch rearranges what
transposed ones return, and an activation behind it goes over all numbers a second time. Here the weights are arranged
beforehand, and the activation is a part of the layer. DCVAE and GANomaly say the same to the last bit; through some
layers of ResVAE oneDNN takes another way then, and sums differ by rounding.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from fas_core.models.building import UpsampledConv2d

_KNOWN: tuple[type[nn.Module], ...] = (nn.Conv2d, nn.ConvTranspose2d, UpsampledConv2d)

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
        if not _is_known(layer):
            _pack(layer)
            continue
        next_name, follows = children[number + 1] if is_chain and number + 1 < len(children) else ("", None)
        activation, numbers = _fused(follows)
        setattr(module, name, _Packed(layer, activation, numbers))
        if activation != "none":
            setattr(module, next_name, nn.Identity())


def _is_known(layer: nn.Module) -> bool:
    """Whether it is a plain convolution that oneDNN computes: of one channel it is not, and is faster so."""
    return (
        type(layer) in _KNOWN
        and isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        and layer.weight.dtype == torch.float32
        and layer.out_channels > 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and not any(layer.output_padding)
    )


def _fused(layer: nn.Module | None) -> tuple[str, list[float]]:
    """oneDNN's name of an activation, and its numbers; "none" for any other layer."""
    if type(layer) is nn.ReLU:
        return "relu", []
    return ("leaky_relu", [layer.negative_slope]) if type(layer) is nn.LeakyReLU else ("none", [])


class _Packed(nn.Module):
    """A convolution, or a transposed one, and its activation."""

    def __init__(self, layer: Any, activation: str, numbers: list[float]) -> None:
        super().__init__()
        ops: Any = torch.ops.mkldnn
        self._bias = None if layer.bias is None else layer.bias.detach()
        stride, padding, dilation = (list(part) for part in (layer.stride, layer.padding, layer.dilation))
        weight = layer.weight.detach()
        if isinstance(layer, UpsampledConv2d):
            weight, stride, padding = layer.kernel(), [2, 2], [1, 1]
        if type(layer) is nn.Conv2d:
            arranged, self._call = ops._reorder_convolution_weight, ops._convolution_pointwise
            how = [padding, stride, dilation, layer.groups]
        else:
            arranged, self._call = ops._reorder_convolution_transpose_weight, ops._convolution_transpose_pointwise
            how = [padding, [0, 0], stride, dilation, layer.groups]
        self._weight = arranged(weight.contiguous(), *how, [])  # []: for any number of images
        self._how = [*how, activation, numbers, ""]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self._call(x, self._weight, self._bias, *self._how)
        return out
