"""Degradations: each against a few lines of its own, in its unit, and the same for an image whatever is beside it."""

import io

import numpy as np
import pytest
from PIL import Image

from fas_core.data.degradations import BY_NAME, KINDS, Pixels, degraded, kinds, rng_of
from fas_core.errors import BadInputError
from tests.data.test_attacks import drawn_face

FACE: Pixels = drawn_face()[None]


def by(name: str, amount: float, image: Pixels = FACE, seed: int = 0) -> Pixels:
    return degraded(image, BY_NAME[name], amount, rng_of(seed, name, "a"))


def test_each_does_what_its_unit_says() -> None:
    whole = np.rint(255 * FACE[0]).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(whole).save(buffer, "JPEG", quality=30)
    np.testing.assert_array_equal(255 * by("jpeg", 30)[0], np.asarray(Image.open(buffer), np.float32))

    x = np.arange(-8, 9)
    weights = np.exp(-0.5 * (x / 2) ** 2)
    row = np.convolve(np.pad(FACE[0].mean(0), 8, mode="edge"), weights / weights.sum(), "valid")
    flat = np.repeat(FACE[0].mean(0)[None], 128, axis=0)[None]  # the same in every row: a blur along rows alone
    np.testing.assert_allclose(by("blur", 2, flat)[0, 0], row, atol=0.6 / 255)

    middle = np.full((1, 128, 128), 0.5, np.float32)
    assert 255 * (by("noise", 10, middle) - middle).std() == pytest.approx(10, rel=0.02)
    light = ((by("brightness", -1, middle)[0, 0, 0] + 0.055) / 1.055) ** 2.4  # sRGB, IEC 61966-2-1
    assert light == pytest.approx(0.5 * ((0.5 + 0.055) / 1.055) ** 2.4, rel=0.01)
    assert by("brightness", 2, middle).max() <= 1
    stripes = np.tile(np.float32([0, 1]), (1, 128, 64))  # a pixel wide: gone at half as many
    assert by("resolution", 48, stripes)[:, 8:-8, 8:-8].std() < 0.02
    for share in (0.1, 0.5):
        is_covered = by("occlusion", share, np.zeros((1, 128, 128), np.float32))[0] > 0
        assert is_covered.mean() == pytest.approx(share, rel=0.03)
        rows, columns = np.flatnonzero(is_covered.any(1)), np.flatnonzero(is_covered.any(0))
        assert is_covered.sum() == len(rows) * len(columns)  # one rectangle, wholly inside


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_step_is_of_eight_bits_reproducible_and_worse_than_the_one_before(kind) -> None:  # type: ignore[no-untyped-def]
    colour = np.concatenate([FACE, 0.8 * FACE, 0.6 * FACE])
    for arm in kind.arms:
        losses = []
        for amount in arm:
            image = degraded(colour, kind, amount, rng_of(0, kind.name, "a"))
            assert image.shape == colour.shape
            assert image.dtype == np.float32
            assert np.abs(255 * image - np.rint(255 * image)).max() < 1e-4
            assert 0 <= image.min() <= image.max() <= 1
            np.testing.assert_array_equal(image, degraded(colour, kind, amount, rng_of(0, kind.name, "a")))
            losses.append(float(np.square(image - colour).mean()))
        assert losses == sorted(losses), losses
    is_random = kind.name in ("noise", "occlusion")
    again = degraded(colour, kind, kind.arms[0][-1], rng_of(1, kind.name, "a"))
    other = degraded(colour, kind, kind.arms[0][-1], rng_of(0, kind.name, "b"))
    same = degraded(colour, kind, kind.arms[0][-1], rng_of(0, kind.name, "a"))
    assert (not np.array_equal(again, same)) == (not np.array_equal(other, same)) == is_random


def test_kinds_are_chosen_by_name_and_steps_that_change_nothing_are_left_out() -> None:
    assert [kind.name for kind in kinds(["blur", "jpeg"])] == ["jpeg", "blur"]
    assert kinds() == list(KINDS)
    with pytest.raises(BadInputError, match=r"No kind of stress is named\. Kinds: jpeg, blur"):
        kinds([])
    with pytest.raises(BadInputError, match=r"no kind of stress 'fog'\. Kinds: jpeg, blur"):
        kinds(["fog"])
    assert BY_NAME["resolution"].steps(64) == (48, 32, 24, 16)
    assert BY_NAME["brightness"].steps(64) == (-3, -2, -1, -0.5, 0.5, 1, 1.5, 2)
