"""Images shrunk to what survives another file format, size or brightness: what near-duplicates are told by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fas_core.data.measures import luma

SIDE = 32  # pixels
UNIT = 255 * SIDE  # Euclidean distance of two thumbnails whose pixels differ by 1, of 0..1, in root mean square
CHUNK = 1024  # images at once


def shrunk(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, SIDE * SIDE) of (n, H, W) images, or of the luma of (n, H, W, 3): each pixel the mean of the part of the
    image that it covers."""
    n, height, width = images.shape[:3]
    small = np.empty((n, SIDE * SIDE), np.uint8)
    down, across = _areas(height), _areas(width).T
    for first in range(0, n, CHUNK):
        means = down @ luma(images[first : first + CHUNK]).astype(np.float32) @ across
        small[first : first + CHUNK] = np.rint(means).clip(0, 255).reshape(len(means), -1)
    return small


def differences(small: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n,) root mean square difference of pixels in 0..1 of (n, 1024) thumbnails and as many others."""
    apart = small.astype(np.float32) - other
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", apart, apart, dtype=np.float64)) / UNIT)


def differences_from(small: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n,) the same of (n, 1024) thumbnails and a single other one, (1, 1024)."""
    parts = [differences(small[first : first + CHUNK], picture) for first in range(0, len(small), CHUNK)]
    return np.concatenate(parts) if parts else np.empty(0)


def differences_of(small: NDArray[np.uint8], a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    """(m,) the same of m pairs of rows of thumbnails; never all of them in memory."""
    parts = [
        differences(small[a[first : first + CHUNK]], small[b[first : first + CHUNK]])
        for first in range(0, len(a), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _areas(length: int) -> NDArray[np.float32]:
    """(SIDE, length) share of each of `length` pixels in each of SIDE equal parts of their line."""
    edges = np.linspace(0, length, SIDE + 1)
    begins, ends = edges[:-1, np.newaxis], edges[1:, np.newaxis]
    at = np.arange(length)
    covered = np.clip(np.minimum(ends, at + 1) - np.maximum(begins, at), 0, None)
    return np.asarray(covered / (ends - begins), np.float32)
