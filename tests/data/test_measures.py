"""What images look like, by hand."""

import io

import numpy as np
import pytest
from PIL import Image

from fas_core.data import measures


def test_brightness_contrast_and_sharpness_by_hand() -> None:
    black, half = np.zeros((6, 6), np.uint8), np.zeros((6, 6), np.uint8)
    half[:, 3:] = 255
    of = measures.of_pixels(np.stack([black, half]))
    assert of["brightness"].tolist() == [0, 0.5]
    assert of["contrast"].tolist() == [0, 0.5]
    # Inner columns 1..4: the Laplacian is 0, 1, -1, 0 in each row.
    assert of["sharpness"] == pytest.approx([0, np.sqrt(0.5)])


def test_blocks_are_found_wherever_they_begin_and_scaled_with_the_image() -> None:
    rng = np.random.default_rng(0)
    plain = rng.integers(0, 256, (64, 64)).repeat(2, 0).repeat(2, 1)
    noise = (0.5 * plain + rng.integers(0, 128, (128, 128))).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", quality=1)
    jpeg = np.asarray(Image.open(buffer))
    moved = np.roll(jpeg, (3, 5), (0, 1))
    of = measures.blockiness(np.stack([noise, jpeg, moved]))
    assert of[0] < 0.05
    assert of[1] > 0.1
    assert of[2] == pytest.approx(of[1], rel=0.1)
    larger = np.asarray(Image.fromarray(jpeg[:96, :96]).resize((128, 128)))[None]
    assert measures.blockiness(larger, 8 * 128 / 96)[0] > 3 * measures.blockiness(larger, 8)[0]


def test_what_leaves_no_trace_of_blocks_is_not_stated() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    assert np.isnan(measures.blockiness(images, [1.0, 8.0])).tolist() == [True, False]
    assert np.isnan(measures.blockiness(np.full((1, 32, 32), 7, np.uint8))).all()
