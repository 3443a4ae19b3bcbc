"""Thumbnails: means of areas at any size, and how far two are from each other."""

from __future__ import annotations

import numpy as np
import pytest

from fas_core.data.thumbnails import SIDE, differences_from, differences_of, shrunk


@pytest.mark.parametrize(("height", "width"), [(128, 128), (64, 96), (32, 32), (16, 16), (48, 112)])
def test_each_pixel_is_the_mean_of_its_part(height: int, width: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, height, width)).astype(np.uint8)
    # Every pixel as 32 x 32 equal ones, so that any part is a whole number of them.
    fine = np.repeat(np.repeat(images, SIDE, axis=1), SIDE, axis=2).reshape(3, SIDE, height, SIDE, width)
    expected = fine.mean(axis=(2, 4)).reshape(3, -1)
    assert np.abs(shrunk(images) - expected).max() <= 0.5 + 1e-3


def test_differences_are_root_mean_squares_of_pixels_in_0_to_1() -> None:
    images = np.stack([np.full((64, 64), level, np.uint8) for level in (0, 51, 255)])
    small = shrunk(images)
    assert differences_from(small, small[:1]) == pytest.approx([0, 0.2, 1])
    a, b = np.array([0, 1, 2] * 700), np.array([2, 1, 0] * 700)
    assert differences_of(small, a, b) == pytest.approx([1, 0, 1] * 700)
    assert differences_of(small, a[:0], b[:0]).shape == (0,)
