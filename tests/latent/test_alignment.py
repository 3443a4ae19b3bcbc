"""Procrustes against SciPy's, and what alignment leaves of samples whose subjects had no part in it, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes

from fas_core.errors import BadInputError
from fas_core.latent import alignment
from fas_core.latent.alignment import ATTACKS, OTHER_LIVE, TRAINING_LIVE, Left, agreement_words


def turned(k: int, seed: int) -> NDArray[np.float64]:
    """An orthogonal (k, k) matrix, with a reflection."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(k, k)))
    q[:, 0] *= -np.sign(np.linalg.det(q))
    return q


@pytest.fixture
def places() -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(60, 4)) * [5, 2, 1, 0.3] + [100, 0, -3, 1]


def test_places_that_were_turned_mirrored_scaled_and_shifted_come_back(places: NDArray[np.float64]) -> None:
    other = 7.5 * places @ turned(4, 1) + [3, -200, 0.1, 8]
    laid = alignment.aligned(other, places)
    np.testing.assert_allclose(laid.applied(other), places, atol=1e-9)
    assert laid.residual == pytest.approx(0, abs=1e-12)
    assert laid.scale == pytest.approx(1 / 7.5)
    np.testing.assert_allclose(laid.rotation @ laid.rotation.T, np.eye(4), atol=1e-12)
    assert np.linalg.det(laid.rotation) == pytest.approx(-1)


def test_alignment_is_scipys(places: NDArray[np.float64]) -> None:
    other = 3 * places @ turned(4, 2) + np.random.default_rng(3).normal(size=places.shape)
    laid = alignment.aligned(other, places)
    assert laid.residual == pytest.approx(procrustes(places, other)[2], abs=1e-12)
    rotation, trace = orthogonal_procrustes(other - other.mean(0), places - places.mean(0))
    np.testing.assert_allclose(laid.rotation, rotation, atol=1e-9)
    assert laid.scale == pytest.approx(trace / ((other - other.mean(0)) ** 2).sum())


def test_no_small_change_of_an_alignment_fits_better(places: NDArray[np.float64]) -> None:
    other = places @ turned(4, 4) + np.random.default_rng(5).normal(size=places.shape)
    laid = alignment.aligned(other, places)
    left = ((laid.applied(other) - places) ** 2).sum()
    angle = 0.01
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    for scale, rotation, target in (
        (laid.scale * 1.01, laid.rotation, laid.target),
        (laid.scale, laid.rotation @ turn, laid.target),
        (laid.scale, laid.rotation, laid.target + 0.01),
    ):
        changed = scale * (other - laid.source) @ rotation + target
        assert ((changed - places) ** 2).sum() > left


def test_what_any_places_would_fit_is_refused() -> None:
    rng = np.random.default_rng(7)
    with pytest.raises(BadInputError, match="along 3 axes are aligned by more than 3 shared samples; there are 3"):
        alignment.aligned(rng.normal(size=(3, 3)), rng.normal(size=(3, 3)))
    with pytest.raises(BadInputError, match="all the same"):
        alignment.aligned(np.ones((5, 2)), rng.normal(size=(5, 2)))


# One axis. Live training images of Ada lie at 0, 2 here and at 0, 2 in the reference; of Bob at 0, 2 and at 0, 4.
# Attacks with Cyd's face lie at 3 and 4.5, with Ada's at 1 and 3.
X = np.array([[0.0], [2], [0], [2], [3], [1]])
Y = np.array([[0.0], [2], [0], [4], [4.5], [3]])
WHO = np.array(["Ada", "Ada", "Bob", "Bob", "Cyd", "Ada"])
IS_TRAINING = np.array([True, True, True, True, False, False])


def test_every_sample_is_laid_by_an_alignment_of_other_people_by_hand() -> None:
    """Ada's by Bob's two: x -> 2 (x - 1) + 2. Bob's by hers: x -> x. Cyd's by all four: x -> 1.5 (x - 1) + 1.5."""
    laid = alignment.by_others(X, Y, IS_TRAINING, np.array([0, 0, 1, 1, 2, 0]))
    np.testing.assert_allclose(laid[:, 0], [0, 4, 0, 2, 4.5, 2])


def test_what_is_left_is_a_share_of_a_groups_own_variance_by_hand() -> None:
    groups = {TRAINING_LIVE: IS_TRAINING, OTHER_LIVE: np.zeros(6, np.bool_), ATTACKS: ~IS_TRAINING}
    left = alignment.left_over({"codes": X, "pixels": Y}, Y, [0], groups, WHO)
    assert list(left) == [TRAINING_LIVE, ATTACKS]  # there is no other live sample
    assert left[TRAINING_LIVE].codes == pytest.approx((2**2 + 2**2) / 11)  # 0, 2, 0, 4 around 1.5
    assert left[ATTACKS].codes == pytest.approx(1 / 1.125)  # 4.5 and 3 around 3.75
    assert [of_group.pixels for of_group in left.values()] == pytest.approx([0, 0], abs=1e-12)
    assert not any(of_group.is_less for of_group in left.values())


def test_of_a_single_person_training_images_are_said_nothing_of() -> None:
    groups = {TRAINING_LIVE: IS_TRAINING, ATTACKS: ~IS_TRAINING}
    left = alignment.left_over({"codes": X, "pixels": X}, Y, [0], groups, np.array(["Ada"] * 4 + ["Cyd", "Dan"]))
    assert list(left) == [ATTACKS]


def test_codes_that_remember_people_by_chance_leave_what_they_do_not_know() -> None:
    """Places that agree for every fitted person, by an own shift each, are no agreement on another person."""
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(12), 10)
    shift = 3 * rng.normal(size=(12, 2))[who]
    within = rng.normal(size=(120, 2))
    x, y = within + 3 * rng.normal(size=(12, 2))[who], within + shift
    left = alignment.left_over(
        {"codes": within + shift, "pixels": x}, y, [0, 1], {TRAINING_LIVE: np.ones(120, np.bool_)}, who
    )[TRAINING_LIVE]
    assert left.codes == pytest.approx(0, abs=1e-12)
    assert left.pixels > 0.5
    assert left.is_less
    swapped = alignment.left_over(
        {"codes": x, "pixels": within + shift}, y, [0, 1], {TRAINING_LIVE: np.ones(120, np.bool_)}, who
    )[TRAINING_LIVE]
    assert not swapped.is_less


def test_codes_are_nearer_than_pixels_for_many_people_or_not_at_all() -> None:
    """The same difference in every sample: of four people it may be chance, of five it is not taken for it."""
    rng = np.random.default_rng(2)
    for n, expected in ((4, False), (5, True)):
        who = np.repeat(np.arange(n), 30)
        y = rng.normal(size=(30 * n, 2))
        groups = {TRAINING_LIVE: np.ones(30 * n, np.bool_)}
        pixels = y + rng.normal(size=y.shape)
        assert (
            alignment.left_over({"codes": y, "pixels": pixels}, y, [0], groups, who)[TRAINING_LIVE].is_less is expected
        )


def test_pixels_are_components_of_small_images() -> None:
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (20, 32, 32))
    large = small.repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)
    is_fit = np.arange(20) < 15
    places = alignment.pixel_places(large, is_fit, 3)
    flat = small.reshape(20, -1) - small[is_fit].reshape(15, -1).mean(0)
    s = np.linalg.svd(flat[is_fit], compute_uv=False)
    assert places.shape == (20, 3)
    np.testing.assert_allclose((places[is_fit] ** 2).sum(0), s[:3] ** 2, rtol=1e-4)
    np.testing.assert_allclose(alignment.pixel_places(small.astype(np.uint8), is_fit, 3), places, atol=1e-2)


def test_the_sentence_says_whether_it_is_more_than_the_images_own() -> None:
    alike = {TRAINING_LIVE: Left(0.04, 0.05, False), ATTACKS: Left(0.31, 0.3, False)}
    assert agreement_words(alike) == (
        "Alignment leaves 4 % of training live and 31 % of attacks; plain pixels leave 5 and 30 %: the two "
        "checkpoints' agreement is no more than the images' own."
    )
    three = {TRAINING_LIVE: Left(0.04, 0.5, True), OTHER_LIVE: Left(0.06, 0.07, False), ATTACKS: Left(0.1, 0.3, True)}
    assert agreement_words(three, "C") == (
        "Alignment of C leaves 4 % of training live, 6 % of other live and 10 % of attacks; plain pixels leave 50, 7 "
        "and 30 %: the two checkpoints agree by more than the images do on training live and attacks alone."
    )
    assert agreement_words({ATTACKS: Left(0.1, 0.3, True)}).endswith("agree by more than the images do.")
    assert agreement_words({}) == ""
