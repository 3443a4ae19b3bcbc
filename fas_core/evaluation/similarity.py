"""Where an image and its reconstruction differ in structure: the SSIM of every pixel (Wang et al., 2004).

`losses.ssim` is the mean of this map over the places where its window fits into the image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fas_core.data.measures import LUMA, luma

WINDOW, SD = 11, 1.5  # pixels
C1, C2 = 0.01**2, 0.03**2  # for pixels in [0, 1]


def ssim_map(inputs: NDArray[np.uint8], reconstructions: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, H, W) structural similarity around each pixel of (n, H, W) images, or of the luma of colour ones.

    At most 1, which means equal.
    Gaussian window of 11 pixels and sd 1.5. The outermost 5 pixels, around which it does not fit, repeat the nearest
    place where it does. Raises ValueError for images smaller than the window.
    """
    x, y = (luma(images).astype(np.float32) / np.float32(255) for images in (inputs, reconstructions))
    margin = WINDOW // 2
    return np.pad(_similarities(x, y), ((0, 0), (margin, margin), (margin, margin)), mode="edge")


def similarity(x: NDArray[np.float32], reconstructions: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) structural similarity, 1 for equal images, of (n, H, W) in [0, 1], or of the luma of (n, H, W, 3)."""
    gray = [images @ LUMA if images.ndim == 4 else images for images in (x, reconstructions)]
    return np.asarray(_similarities(*gray).mean((1, 2), dtype=np.float64), np.float32)


def _similarities(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, H - 10, W - 10) wherever the window fits, of (n, H, W) in [0, 1]."""
    height, width = x.shape[1:]
    if min(height, width) < WINDOW:
        raise ValueError(f"images of {height} x {width} pixels are smaller than the window of {WINDOW}")
    down, across = _window(height), _window(width).T

    def blurred(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(down @ images @ across, np.float32)

    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + np.float32(C1)) / (mean_x**2 + mean_y**2 + np.float32(C1))
    return np.asarray(luminance * (2 * covariance + np.float32(C2)) / (var_x + var_y + np.float32(C2)), np.float32)


def _window(size: int) -> NDArray[np.float32]:
    """(size - 10, size) weights of the window around each pixel of a line that it fits around."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SD**2))
    weights /= weights.sum()
    matrix = np.zeros((size - WINDOW + 1, size), np.float32)
    for row in range(len(matrix)):
        matrix[row, row : row + WINDOW] = weights
    return matrix
