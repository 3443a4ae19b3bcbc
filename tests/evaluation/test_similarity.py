"""The SSIM map is the one whose mean is the score."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fas_core.evaluation.similarity import ssim_map
from fas_core.models import losses


def test_the_mean_where_the_window_fits_is_the_loss_term() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (4, 40, 33), dtype=np.uint8)
    y = np.clip(x.astype(int) + rng.integers(-60, 60, x.shape), 0, 255).astype(np.uint8)
    y[1] = x[1]
    y[2] = 255 - x[2]
    ssim = ssim_map(x, y)
    assert ssim.shape == x.shape
    expected = losses.ssim(*(torch.from_numpy(i[:, None].astype(np.float32) / 255) for i in (x, y)))
    np.testing.assert_allclose(ssim[:, 5:-5, 5:-5].mean((1, 2)), expected.numpy(), atol=2e-5)
    np.testing.assert_allclose(ssim[1], 1, atol=1e-5)
    assert ssim.max() <= 1 + 1e-5


def test_a_difference_is_where_it_is() -> None:
    x = np.full((1, 64, 64), 128, np.uint8)
    x[0, ::2] = 100  # some structure
    y = x.copy()
    y[0, 40:44, 10:14] = 255
    worst = np.unravel_index(ssim_map(x, y)[0].argmin(), (64, 64))
    assert abs(worst[0] - 41.5) < 3
    assert abs(worst[1] - 11.5) < 3


def test_the_margin_repeats_the_nearest_place() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 256, (2, 1, 32, 32), dtype=np.uint8)
    ssim = ssim_map(x, y)[0]
    assert (ssim[:5, 5:-5] == ssim[5, 5:-5]).all()
    assert (ssim[:, -5:] == ssim[:, -6:-5]).all()


def test_too_small_images_are_refused() -> None:
    small = np.zeros((1, 10, 30), np.uint8)
    with pytest.raises(ValueError, match="smaller than the window"):
        ssim_map(small, small)
