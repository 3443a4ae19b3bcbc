"""What a Run keeps of a model's feature maps: a few numbers for each of 8 x 8 places of an image.

As PatchCore takes them (Roth et al., 2022): from the middle of the encoder, each place together with its neighbours.
Channels are too many to be kept; a random projection leaves distances about as they are (Johnson and Lindenstrauss,
1984).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

GRID = 8  # places a side
DIMENSIONS = 32  # numbers of each
SEED = 0  # of the projection
KEPT = {"grid": GRID, "dimensions": DIMENSIONS, "seed": SEED}  # a part of the ids of Runs that have them
SIDE = 2 * GRID  # of the map that is taken
_FINISHING = (nn.ReLU, nn.LeakyReLU, nn.BatchNorm2d, nn.Identity)  # the last: of packed layers
_MOST = float(np.finfo(np.float16).max)


def middle(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    """The first map (n, c, h, w) of an encoder's layers that has at most `SIDE` places a side, after its activation and
    normalisation; no layer beyond it is computed."""
    for layer in layers:
        if x.shape[-1] <= SIDE and not isinstance(layer, _FINISHING):
            break
        x = layer(x)
    return x


def projected(features: Tensor) -> Tensor:
    """A map (n, c, h, w) of any size -> (n, GRID, GRID, DIMENSIONS) float16: means over 3 x 3 neighbours, over the
    places of the grid, and the channels projected."""
    around = F.avg_pool2d(features.float(), 3, stride=1, padding=1, count_include_pad=False)
    of_places = F.adaptive_avg_pool2d(around, GRID).movedim(1, -1)
    return (of_places @ _projection(features.shape[1]).to(features.device)).clamp(-_MOST, _MOST).half()


@lru_cache
def _projection(channels: int) -> Tensor:
    """(c, DIMENSIONS)"""
    drawn = np.random.default_rng(SEED).standard_normal((channels, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    return torch.from_numpy(drawn.astype(np.float32))
