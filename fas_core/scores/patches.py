"""Largest distance of a place's encoder features from the nearest of live training places (after Roth et al., 2022).

PatchCore on the encoder that the model has learned, not on one of ImageNet: of each image 64 places, as
`models.patches` takes them, against a thousand of live training images that cover the others best (greedy k-centre of
50,000 that are drawn, from 10,000 images at most). The image's score is that of its most unusual place. Departures: the
coreset begins at the place nearest to the mean, so that it is always the same one, and the score is not weighted by the
neighbours' neighbours, as exponentials of distances depend on their unit. An image of training is not compared with its
own places, as in `knn`. Only Runs that were cached with --patches have it: what is kept are 4 kB more of each image.
"""

from collections.abc import Iterator
from typing import Protocol, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo
from fas_core.latent import sampled_training_rows
from fas_core.metrics.uncertainty import one_thread
from fas_core.runs.store import Run
from fas_core.scores import Outputs, _kept

NEEDS = ("features",)
TRAINING_IMAGES = 8
IMAGES, DRAWN, CENTRES = 10_000, 50_000, 1_000
_IMAGES_AT_ONCE = 64
_FORMAT = 1


class _HasFeatures(Protocol):
    """Outputs of a model whose Run was cached with features."""

    def features(self) -> NDArray[np.float16]: ...  # (n, h, w, c)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """(n,) in units of the features; the places are those of bona fide images of `train` in `reference`."""

    def computed() -> NDArray[np.float64]:
        about = {"run": reference.shards_digest, "format": _FORMAT}
        bank = memo.arrays(reference.cache, "patches", about, lambda: _bank(reference))
        own = None
        if isinstance(outputs, Run):
            ids = reference.sample_ids.take(bank["images"]).to_pandas()
            own = pd.Index(ids).get_indexer(outputs.sample_ids.to_pandas())
        parts, start = [np.empty(0)], 0
        with one_thread():
            for block in _blocks(outputs):
                itself = None if own is None else own[start : start + len(block)]
                parts.append(_of_images(block, bank["places"], bank["image_of"], itself))
                start += len(block)
        return np.concatenate(parts)

    return _kept.values("patches", _FORMAT, outputs, reference, computed)


def _blocks(outputs: Outputs) -> Iterator[NDArray[np.float16]]:
    """The features of some images at a time, in order, (b, h, w, c)."""
    if isinstance(outputs, Run):
        of_shards = outputs.feature_blocks(np.arange(len(outputs)))
    else:
        of_shards = iter([cast(_HasFeatures, outputs).features()])
    for shard in of_shards:
        for start in range(0, len(shard), _IMAGES_AT_ONCE):
            yield shard[start : start + _IMAGES_AT_ONCE]


def _of_images(
    features: NDArray[np.float16],
    places: NDArray[np.float32],
    image_of: NDArray[np.int64],
    own: NDArray[np.int64] | None,
) -> NDArray[np.float64]:
    """(b,) of images (b, h, w, c); `own`: which of the images that places are of each one is, -1 where it is none."""
    n, d = len(features), features.shape[-1]
    x = features.reshape(n, -1, d).astype(np.float32)
    squared = np.square(places).sum(1) - 2 * (x.reshape(-1, d) @ places.T).reshape(n, -1, len(places))
    if own is not None:
        for i in np.flatnonzero(own >= 0):
            squared[i][:, image_of == own[i]] = np.inf
    apart = x.astype(np.float64) - places[squared.argmin(axis=2)]
    return np.sqrt(np.square(apart).sum(axis=2).max(axis=1))


def _bank(reference: Run) -> memo.Arrays:
    """Places (m, c) of live training images; which of `images`, rows of the reference, each is of."""
    rows = sampled_training_rows(reference, IMAGES)
    _, height, width, d = reference.shards[0].meta.arrays["features"].shape
    of_image = height * width
    drawn = np.arange(len(rows) * of_image)
    if len(drawn) > DRAWN:
        drawn = np.sort(np.random.default_rng(0).choice(drawn, DRAWN, replace=False))
    x, start = np.empty((len(drawn), d), np.float32), 0
    for block in reference.feature_blocks(rows):
        here = slice(*np.searchsorted(drawn, [start, start + len(block) * of_image]))
        x[here] = block.reshape(-1, d)[drawn[here] - start]
        start += len(block) * of_image
    chosen = coreset(x, CENTRES)
    return {"places": x[chosen], "image_of": drawn[chosen] // of_image, "images": rows}


def coreset(x: NDArray[np.float32], m: int) -> NDArray[np.int64]:
    """At most m of (n, d) points, each the farthest from those before it (Gonzalez, 1985); first the one nearest to the
    mean. Fewer where the others are copies of them."""
    chosen = [int(np.square(x - x.mean(axis=0)).sum(axis=1).argmin())]
    nearest = np.square(x - x[chosen[0]]).sum(axis=1)
    while len(chosen) < m and nearest.max() > 0:
        chosen.append(int(nearest.argmax()))
        np.minimum(nearest, np.square(x - x[chosen[-1]]).sum(axis=1), out=nearest)
    return np.array(chosen)
