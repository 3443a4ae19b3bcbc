"""What an image looks like, in four numbers: causes by which a score may rank faces instead of attacks.

They are of the image as the model sees it, after standard scaling: mean and spread are then alike for all images but
for what is clipped at black and white, and that is what brightness and contrast are the trace of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BRIGHTNESS, CONTRAST, SHARPNESS, COMPRESSION = "brightness", "contrast", "sharpness", "compression"
MEASURES = {
    BRIGHTNESS: "mean of the pixels, 0 to 1",
    CONTRAST: "standard deviation of the pixels, 0 to 0.5",
    SHARPNESS: "standard deviation of the Laplacian",
    COMPRESSION: "how strongly steps between pixels repeat at the distance of a JPEG's blocks, 0 to 1",
}
OF_PIXELS = (BRIGHTNESS, CONTRAST, SHARPNESS)  # that nothing but the pixels is needed for
EQUALISED = (BRIGHTNESS, CONTRAST)  # by standard scaling: their spread may be rounding alone
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue
BLOCK = 8.0  # pixels from one edge of a JPEG's blocks to the next
LEAST_PERIOD = 2.5  # pixels: blocks that scaling has made smaller leave no trace that can be told from detail


def luma(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, H, W) of gray images, which stay as they are, or of colour ones (n, H, W, 3): ITU-R 601, as `data.images`."""
    if images.ndim == 3:
        return images
    return np.rint(images @ LUMA).astype(np.uint8)


def of_pixels(images: NDArray[np.uint8]) -> dict[str, Floats]:
    """`OF_PIXELS` of images (n, H, W): (n,) each. Sharpness as in Pech-Pacheco et al. (ICPR 2000), its root."""
    x = images.astype(np.float32) / np.float32(255)
    inner = x[:, 1:-1, 1:-1]
    laplacian = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:] - 4 * inner
    return {
        BRIGHTNESS: x.mean((1, 2), dtype=np.float64),
        CONTRAST: x.std((1, 2), dtype=np.float64),
        SHARPNESS: laplacian.std((1, 2), dtype=np.float64),
    }


def blockiness(images: NDArray[np.uint8], period: Any = BLOCK) -> Floats:
    """(n,) how periodic the steps between neighbouring pixels are, in images (n, H, W): 0 not at all, 1 nothing else.

    `period`: pixels, or (n,) of them. The mean size of the steps at each column, and each row, is a profile; this is
    the amplitude of its component of that period, against its mean, the mean of both directions. It does not depend on
    where the blocks begin, so that a crop keeps it (after Wang, Bovik and Evans, ICIP 2000, who take the spectrum too).
    NaN below `LEAST_PERIOD`, and where there are no steps.
    """
    x = images.astype(np.float32)
    periods = np.broadcast_to(np.asarray(period, np.float64), len(images))
    amplitudes = []
    for axis in (1, 2):
        steps = np.abs(np.diff(x, axis=axis)).mean(3 - axis, dtype=np.float64)  # (n, H - 1) or (n, W - 1)
        wave = np.exp(-2j * np.pi * np.arange(steps.shape[1]) / np.maximum(periods, LEAST_PERIOD)[:, None])
        mean = steps.mean(1)
        of_period = np.abs(((steps - mean[:, None]) * wave).mean(1))
        amplitudes.append(np.divide(of_period, mean, out=np.full(len(x), np.nan), where=mean > 0))
    return np.where(periods >= LEAST_PERIOD, np.mean(amplitudes, axis=0), np.nan)
