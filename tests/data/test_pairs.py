"""Numbers of an image and its reconstruction against a few lines of NumPy each; neighbours change nothing."""

import numpy as np
import pandas as pd
import pytest

from fas_core.data import pairs, regions
from fas_core.data.boxes import BOX, EYES

SIZE = 45  # odd, of odd halves


def images(*shape: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth pictures with noise, and others near them."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, 3, shape[1])
    smooth = 120 + 60 * np.sin(axis)[:, None] * np.cos(2 * axis)[None]
    smooth = smooth if len(shape) == 3 else smooth[..., None]
    x = np.clip(smooth + rng.normal(0, 12, shape), 0, 255).astype(np.uint8)
    return x, np.clip(x + rng.normal(0, 15, shape), 0, 255).astype(np.uint8)


def places(n: int) -> regions.Places:
    """Eyes of the first ones, a box of the next, nothing of the last."""
    row = dict(zip(EYES, (14.0, 17.0, 30.0, 19.0), strict=True)) | {"width": SIZE, "height": SIZE}
    rows = pd.DataFrame([row] * n)
    rows[list(BOX)] = (8.0, 6.0, 26.0, 34.0)
    rows.loc[n - 2 :, list(EYES)] = np.nan
    rows.loc[n - 1 :, list(BOX)] = np.nan
    return regions.placed(rows)


@pytest.mark.parametrize("shape", [(5, SIZE, SIZE), (5, SIZE, SIZE, 3)])
def test_residuals_of_regions(shape):
    x, y = images(*shape)
    residuals = pairs.of(pairs.REGIONS, x, y, places(5))
    assert list(residuals) == ["eyes", "nose", "mouth", "face"]
    for region, values in residuals.items():
        is_inside = regions.inside(places(5), region, SIZE)
        expected = [
            np.sqrt(np.mean((a[m] / 255 - b[m] / 255) ** 2)) if m.any() else np.nan
            for a, b, m in zip(x, y, is_inside, strict=True)
        ]
        np.testing.assert_allclose(values, expected, rtol=1e-6)
        assert np.isnan(values[3]) == (region != "face")
        assert np.isnan(values[4])


def by_hand(x: np.ndarray, y: np.ndarray, n_scales: int) -> float:
    """Multi-scale SSIM of (H, W) in [0, 1] by sums over every window, in float64."""
    g = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    window = np.outer(g, g) / g.sum() ** 2
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333][:n_scales])
    total = 1.0
    for scale, weight in enumerate(weights / weights.sum()):
        wx, wy = (np.lib.stride_tricks.sliding_window_view(a, (11, 11)) for a in (x, y))

        def mean(values: np.ndarray, window: np.ndarray = window) -> np.ndarray:
            return (values * window).sum((2, 3))

        mx, my = mean(wx), mean(wy)
        vx, vy, cov = mean(wx * wx) - mx**2, mean(wy * wy) - my**2, mean(wx * wy) - mx * my
        here = (2 * cov + 0.03**2) / (vx + vy + 0.03**2)
        if scale == n_scales - 1:
            here = here * (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
        total *= max(here.mean(), 0) ** weight
        x, y = (
            sum(a[i : a.shape[0] // 2 * 2 : 2, j : a.shape[1] // 2 * 2 : 2] for i in (0, 1) for j in (0, 1)) / 4
            for a in (x, y)
        )
    return float(total)


def test_likeness_at_several_scales():
    assert [pairs.scales_of(size) for size in (5, 11, 21, 22, 45, 64, 128, 175, 176, 512)] == [
        1, 1, 1, 2, 3, 3, 4, 4, 5, 5,
    ]  # fmt: skip
    x, y = images(3, SIZE, SIZE)
    expected = [by_hand(a / 255, b / 255, 3) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(pairs.of(pairs.MS_SSIM, x, y, None)["ms_ssim"], expected, atol=1e-5)
    np.testing.assert_allclose(pairs.of(pairs.MS_SSIM, x, x, None)["ms_ssim"], 1, atol=1e-6)
    np.testing.assert_array_equal(pairs.of(pairs.MS_SSIM, x, 255 - x, None)["ms_ssim"] < 0.2, True)
    colour, other = images(2, SIZE, SIZE, 3)
    of_channels = [
        [by_hand(a[..., c] / 255, b[..., c] / 255, 3) for c in range(3)] for a, b in zip(colour, other, strict=True)
    ]
    np.testing.assert_allclose(
        pairs.of(pairs.MS_SSIM, colour, other, None)["ms_ssim"], np.mean(of_channels, axis=1), atol=1e-5
    )


@pytest.mark.parametrize("size", [SIZE, 32])
def test_spectra(size):
    x = images(3, size, size)[0]
    numbers = pairs.of(pairs.SPECTRUM, x, None, None)
    window = np.outer(*[0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size)] * 2)
    for k, image in enumerate(x / 255):
        power = np.abs(np.fft.fft2((image - np.average(image, weights=window)) * window)) ** 2
        half = power[:, : size // 2 + 1]
        radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
        total = half[radius > 0].sum()
        in_middle, in_high = (radius >= 0.125) & (radius < 0.25), (radius >= 0.25) & (radius <= 0.5)
        assert numbers["middle"][k] == pytest.approx(np.log(half[in_middle].sum() / total), abs=1e-9)
        assert numbers["high"][k] == pytest.approx(np.log(half[in_high].sum() / total), abs=1e-9)
        ratio = []
        for first in np.arange(4, 16) / 32:
            ring = half[(radius >= first) & (radius < first + 1 / 32)]
            ratio += list(ring * np.log(2) / np.median(ring))
        assert numbers["peak"][k] == pytest.approx(np.log(max(ratio)), abs=1e-9)
        assert numbers["peaks"][k] == pytest.approx(np.log(np.mean(ratio)), abs=1e-9)


def test_waves_are_peaks_and_blur_is_a_lack():
    x = images(1, SIZE, SIZE)[0].astype(float)
    wave = 8 * np.cos(2 * np.pi * (0.31 * np.arange(SIZE)[:, None] + 0.17 * np.arange(SIZE)))
    blurred = (x + np.roll(x, 1, 1) + np.roll(x, 1, 2) + np.roll(x, (1, 1), (1, 2))) / 4
    numbers = pairs.of(pairs.SPECTRUM, np.uint8(np.clip([x[0], x[0] + wave, blurred[0]], 0, 255)), None, None)
    assert numbers["peak"][1] > numbers["peak"][0] + 2
    assert numbers["high"][2] < numbers["high"][0] - 0.5


def test_each_image_by_itself_in_flat_memory(monkeypatch):
    """Whatever stands beside it, and in whatever block; nothing at all is nothing; small images have no number."""
    x, y = images(5, SIZE, SIZE)
    for measure, about in pairs.MEASURES.items():
        whole = pairs.of(measure, x, y, places(5))
        with monkeypatch.context() as patched:
            patched.setattr(pairs, "AT_ONCE", 2 * SIZE**2)
            parts = pairs.of(measure, x, y, places(5))
        for name in about.columns:
            np.testing.assert_allclose(whole[name], parts[name], rtol=1e-12)
        none = pairs.of(measure, x[:0], y[:0], places(5)[:0])
        assert {name: len(values) for name, values in none.items()} == dict.fromkeys(about.columns, 0)
    tiny = np.zeros((2, 8, 8), np.uint8)
    assert np.isnan(pairs.of(pairs.MS_SSIM, tiny, tiny, None)["ms_ssim"]).all()
    assert np.isnan(pairs.of(pairs.SPECTRUM, tiny, None, None)["peak"]).all()
    flat = pairs.of(pairs.SPECTRUM, np.full((1, 64, 64), 7, np.uint8), None, None)
    assert all(np.isfinite(values).all() for values in flat.values())
