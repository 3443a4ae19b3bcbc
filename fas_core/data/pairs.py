"""What an image and its reconstruction say together, in numbers: residuals by region, likeness at several scales; and
what of an image alone is periodic.

    of(MS_SSIM, inputs, reconstructions)         {"ms_ssim": (n,)}

Of pictures as Runs keep them, uint8 (n, H, W) or (n, H, W, 3): rounded to 1/255, whatever the model has said, so that
an uploaded image, an old Run and a new one are measured alike. Of an rms of 0.02 that changes less than 1 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from fas_core.data import measures, regions
from fas_core.data.regions import Places

Floats = NDArray[np.float64]
Pictures = NDArray[np.uint8]

REGIONS, MS_SSIM, SPECTRUM = "regions", "ms_ssim", "spectrum"
AT_ONCE = 2**20  # pixels of a block: what is computed of them takes some 50 MB

WINDOW, SIGMA = 11, 1.5  # pixels, of SSIM's Gaussian window, and its standard deviation
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. (2003), the finest first
C1, C2 = 0.01**2, 0.03**2

RINGS = 1 / 32  # cycles per pixel, width of the rings in which a spectrum's background is taken
LEAST = 16  # pixels of the shorter side
BANDS = (0.125, 0.25, 0.5)  # cycles per pixel: middle frequencies from, high ones from, and up to


def of_regions(inputs: Pictures, reconstructions: Pictures, places: Places) -> dict[str, Floats]:
    """Root mean square of image minus reconstruction, in [0, 1], within each of `regions.REGIONS`: (n,) each.

    In colour the mean square of the channels. NaN where nobody knows where the region is, or no pixel of it is seen.
    """
    n, size = inputs.shape[:2]
    squares = np.square(inputs.astype(np.float32) - reconstructions.astype(np.float32)).reshape(n, size, size, -1)
    squares = squares.mean(3, dtype=np.float64)
    residuals = {}
    for region in regions.REGIONS:
        is_inside = regions.inside(places, region, size)
        count = is_inside.sum((1, 2))
        total = np.where(is_inside, squares, 0).sum((1, 2))
        mean = np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
        residuals[region] = np.sqrt(mean) / 255
    return residuals


def scales_of(size: int) -> int:
    """At how many scales the window fits into an image of this shorter side: 4 of 128 pixels; at least 1, at most 5."""
    return max(1, min(len(SCALE_WEIGHTS), int(np.log2(max(1, size / WINDOW))) + 1))


def of_scales(inputs: Pictures, reconstructions: Pictures) -> dict[str, Floats]:
    """Multi-scale structural similarity, 1 for equal images: (n,); in colour the mean of the channels'.

    Wang, Simoncelli and Bovik (Asilomar 2003), equation 7: the product of contrast and structure at every scale and of
    luminance at the coarsest, to the power of their weights. Theirs are five scales; here as many as the window fits in
    (`scales_of`), whose weights are divided by their sum. A scale is the mean of 2 x 2 pixels of the one before, an odd
    row or column at the end left out; what is negative counts as 0, as it has no power. NaN of smaller images.
    """
    if min(inputs.shape[1:3]) < WINDOW:
        return {MS_SSIM: np.full(len(inputs), np.nan)}
    x, y = (_planes(images) for images in (inputs, reconstructions))
    n_scales = scales_of(min(x.shape[1:]))
    weights = np.array(SCALE_WEIGHTS[:n_scales]) / sum(SCALE_WEIGHTS[:n_scales])
    likeness = np.ones(len(x))
    for scale, weight in enumerate(weights):
        luminance, structure = _likeness(x, y)
        here = (luminance * structure if scale == n_scales - 1 else structure).mean((1, 2), dtype=np.float64)
        likeness *= np.maximum(here, 0) ** weight
        x, y = _halved(x), _halved(y)
    return {MS_SSIM: likeness.reshape(len(inputs), -1).mean(1)}


def _planes(images: Pictures) -> NDArray[np.float32]:
    """(n c, H, W) in [0, 1], the channels of an image one after another."""
    planes = images if images.ndim == 3 else np.moveaxis(images, 3, 1).reshape(-1, *images.shape[1:3])
    return planes.astype(np.float32) / np.float32(255)


def _halved(x: NDArray[np.float32]) -> NDArray[np.float32]:
    n, height, width = x.shape[0], x.shape[1] // 2, x.shape[2] // 2
    halved: NDArray[np.float32] = x[:, : 2 * height, : 2 * width].reshape(n, height, 2, width, 2).mean((2, 4))
    return halved


def _likeness(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Luminance, and contrast with structure, wherever the window fits: (n, H - 10, W - 10) each; as `losses.ssim`."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-np.square(offsets) / (2 * SIGMA**2))
    weights /= weights.sum()
    edge = WINDOW // 2

    def blurred(images: NDArray[np.float32]) -> NDArray[np.float32]:
        down = ndimage.correlate1d(images, weights, axis=1)[:, edge:-edge]
        across: NDArray[np.float32] = ndimage.correlate1d(down, weights, axis=2)[:, :, edge:-edge]
        return across

    x, y = x - np.float32(0.5), y - np.float32(0.5)  # squares of small numbers keep their digits
    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + np.float32(0.5), mean_y + np.float32(0.5)
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return luminance, (2 * covariance + C2) / (var_x + var_y + C2)


def of_spectrum(inputs: Pictures) -> dict[str, Floats]:
    """What of images' spectra tells of screens and prints, (n,) each; of a colour image's luma.

    `middle`, `high`: logarithm of the share of the power, the mean aside, that lies in each of the `BANDS`. A print is
    blurred, which lowers them; halftone dots, a screen's pixels and sharpening raise them.
    `peak`, `peaks`: logarithm of the largest and of the mean ratio of the power to its background, over both bands. The
    background is the median of the power in rings around the middle, over log 2: the mean of what has no period. Moiré
    and dots stand out of it; the largest is Fisher's test of periodicity (1929) with a background that is not level.
    The power is that of the periodogram under a Hann window, so that an image's edges do not show as a cross. NaN of
    images below `LEAST` pixels, which have next to no frequencies.
    """
    if min(inputs.shape[1:3]) < LEAST:
        return {name: np.full(len(inputs), np.nan) for name in MEASURES[SPECTRUM].columns}
    x = measures.luma(inputs).astype(np.float64) / 255
    height, width = x.shape[1:]
    window = np.outer(_hann(height), _hann(width))
    x = x - (x * window).sum((1, 2), keepdims=True) / window.sum()
    power = np.square(np.abs(fft.rfft2(x * window, axes=(1, 2)))).reshape(len(x), -1)
    radius = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)[None]).ravel()
    power = power + np.finfo(np.float64).tiny
    total = power[:, radius > 0].sum(1)
    low, between, top = BANDS
    shares = {
        "middle": power[:, (radius >= low) & (radius < between)].sum(1) / total,
        "high": power[:, (radius >= between) & (radius <= top)].sum(1) / total,
    }
    ratios = []
    for first in np.arange(low, top, RINGS):
        of_ring = power[:, (radius >= first) & (radius < first + RINGS)]
        if not of_ring.shape[1]:
            continue
        ratios.append(of_ring / (np.median(of_ring, axis=1, keepdims=True) / np.log(2)))
    ratio = np.concatenate(ratios, axis=1)
    shares |= {"peak": ratio.max(1), "peaks": ratio.mean(1)}
    return {name: np.log(np.maximum(share, 1e-12)) for name, share in shares.items()}


def _hann(n: int) -> Floats:
    return 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)


@dataclass(frozen=True)
class Measure:
    """Some numbers that are computed together: their names, what of an image they need, how they come of a block."""

    columns: tuple[str, ...]
    needs: tuple[str, ...]  # of "inputs", "reconstructions", "places": the arguments of `of`, in this order
    of: Callable[..., Mapping[str, Floats]]
    format: int = 1  # raise it whenever a number changes


MEASURES = {
    REGIONS: Measure(regions.REGIONS, ("inputs", "reconstructions", "places"), of_regions),
    MS_SSIM: Measure((MS_SSIM,), ("inputs", "reconstructions"), of_scales),
    SPECTRUM: Measure(("middle", "high", "peak", "peaks"), ("inputs",), of_spectrum),
}


def of(measure: str, inputs: Pictures, reconstructions: Pictures | None, places: Places | None) -> dict[str, Floats]:
    """(n,) of each column of one of `MEASURES`, block by block, so that memory stays flat.

    `reconstructions`, `places`: None where the measure does not need them.
    """
    about = MEASURES[measure]
    given = {"inputs": inputs, "reconstructions": reconstructions, "places": places}
    length = max(1, AT_ONCE // max(1, int(np.prod(inputs.shape[1:]))))
    blocks = []
    for start in range(0, len(inputs), length):
        here = slice(start, start + length)
        blocks.append(about.of(*(_block(given[name], here) for name in about.needs)))
    return {name: np.concatenate([*(block[name] for block in blocks), np.empty(0)]) for name in about.columns}


def _block(given: Pictures | Places | None, rows: slice) -> Pictures | Places:
    assert given is not None
    return given[rows] if isinstance(given, Places) else np.asarray(given[rows])
