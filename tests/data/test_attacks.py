"""Simulated attacks: reproducible, in range, unlike a blur of their source, and unlike each other."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from fas_core.data import attacks, images
from fas_core.errors import BadInputError

ORL = Path(__file__).parents[2].parent / "shared" / "data" / "orl_faces" / "images"
SPECIES = ("paper", "replay", "mask")


def drawn_face(height: int = 128, width: int = 128, seed: int = 0) -> NDArray[np.float32]:
    """(height, width) a drawing with the tones of a portrait: background, head, brows, eyes, mouth, skin texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    head = 1 / (1 + np.exp(40 * (np.hypot(x / 0.68, (y - 0.05) / 0.88) - 1)))
    face = 0.30 + head * (0.32 + 0.10 * x)
    for side in (-1, 1):
        face -= 0.35 * np.exp(-(((x - side * 0.34) / 0.12) ** 2) - ((y + 0.12) / 0.05) ** 2)
        face -= 0.20 * np.exp(-(((x - side * 0.34) / 0.18) ** 2) - ((y + 0.28) / 0.03) ** 2)
    face -= 0.25 * np.exp(-((x / 0.22) ** 2) - ((y - 0.50) / 0.04) ** 2)
    face += 0.04 * rng.standard_normal(face.shape)
    return np.clip(face, 0, 1).astype(np.float32)


def many(species: str, source: NDArray[np.float32] | None = None, n: int = 24) -> NDArray[np.float32]:
    """(n, H, W)"""
    image = drawn_face() if source is None else source
    return np.stack([attacks.simulated(image, species, np.random.default_rng(seed)) for seed in range(n)])


def spectrum(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """(H, W) power over (vertical, horizontal) frequency, of the central part, free of edges of paper and screen."""
    centre = x[24:-24, 24:-24]
    window = np.outer(np.hanning(centre.shape[0]), np.hanning(centre.shape[1]))
    power: NDArray[np.float64] = np.abs(np.fft.fft2((centre - centre.mean()) * window)) ** 2
    return power


def fine_energy(x: NDArray[np.float32]) -> float:
    """Power at periods of 2.2 to 5 pixels."""
    power = spectrum(x)
    frequency = np.hypot(np.fft.fftfreq(power.shape[0])[:, np.newaxis], np.fft.fftfreq(power.shape[1]))
    return float(power[(frequency > 0.2) & (frequency < 0.45)].mean())


def peakedness(x: NDArray[np.float32]) -> float:
    """How much of the fine power sits in a few frequencies: a periodic screen stands out, noise does not."""
    power = spectrum(x)
    frequency = np.hypot(np.fft.fftfreq(power.shape[0])[:, np.newaxis], np.fft.fftfreq(power.shape[1]))
    fine = np.sort(power[(frequency > 0.2) & (frequency < 0.45)])
    return float(fine[-20:].sum() / fine.sum())


@pytest.mark.parametrize("species", SPECIES)
@pytest.mark.parametrize("shape", [(128, 128), (112, 92), (64, 200), (224, 224), (16, 16), (5, 9)])
def test_shape_range_and_type(species: str, shape: tuple[int, int]) -> None:
    image = drawn_face(*shape)
    before = image.copy()
    for seed in range(8):
        attack = attacks.simulated(image, species, np.random.default_rng(seed))
        assert attack.shape == shape
        assert attack.dtype == np.float32
        assert np.isfinite(attack).all()
        assert attack.min() >= 0
        assert attack.max() <= 1
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("species", SPECIES)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_images_do_no_harm(species: str, level: float) -> None:
    for seed in range(8):
        attack = attacks.simulated(np.full((64, 64), level, np.float32), species, np.random.default_rng(seed))
        assert np.isfinite(attack).all()


@pytest.mark.parametrize("species", SPECIES)
def test_the_generator_alone_decides(species: str) -> None:
    image = drawn_face()
    first, again, other = (attacks.simulated(image, species, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01
    np.testing.assert_array_equal(attacks.simulated(image.astype(np.float64), species, np.random.default_rng(3)), first)


@pytest.mark.parametrize("species", SPECIES)
def test_no_attack_is_a_mere_blur(species: str) -> None:
    """The best blur of the source, at the best brightness and contrast, still leaves a good part unexplained."""
    image = drawn_face()
    blurs = [image, *(ndimage.gaussian_filter(image, sigma) for sigma in (0.5, 1, 2, 4, 8))]
    for attack in many(species):
        unexplained = []
        for blur in blurs:
            design = np.stack([blur.ravel(), np.ones(blur.size, np.float32)], axis=1)
            fitted = design @ np.linalg.lstsq(design, attack.ravel(), rcond=None)[0]
            unexplained.append(float((attack.ravel() - fitted).std()))
        assert min(unexplained) > 0.03


def test_paper_has_a_periodic_screen_less_contrast_and_often_a_margin() -> None:
    image, prints = drawn_face(), many("paper", n=40)
    assert np.median([peakedness(x) for x in prints]) > 2 * peakedness(image)
    assert np.median([fine_energy(x) for x in prints]) > 2 * fine_energy(ndimage.gaussian_filter(image, 0.45))
    dark = many("paper", np.full((128, 128), 0.1, np.float32), n=40)  # whatever is white now is bare paper
    has_margin = (dark > 0.7).mean(axis=(1, 2)) > 0.01
    assert 0.3 < has_margin.mean() < 1


def test_a_print_of_black_shows_ink_and_a_print_of_white_shows_paper() -> None:
    black, white = (many("paper", np.full((128, 128), level, np.float32), n=20)[:, 48:80, 48:80] for level in (0, 1))
    assert 0.05 < black.mean() < 0.35
    assert 0.65 < white.mean() < 0.98


def test_replay_has_a_lattice_along_its_axes_raised_black_and_often_a_bezel() -> None:
    replays = many("replay", n=40)
    black = many("replay", np.zeros((128, 128), np.float32), n=20)[:, 40:88, 40:88]
    assert np.median(black, axis=(1, 2)).min() > 0.05
    gray = many("replay", np.full((128, 128), 0.5, np.float32), n=20)
    assert np.median([peakedness(x) for x in gray]) > 0.5
    axes = []
    for x in gray:
        power = spectrum(x)
        n = len(power)
        near_axes = power[:4, n // 5 : n // 2].sum() + power[n // 5 : n // 2, :4].sum()
        axes.append(near_axes / power[4 : n // 2, 4 : n // 2].sum())
    assert np.median(axes) > 2
    has_bezel = np.percentile(replays, 2, axis=(1, 2)) < 0.12
    assert 0.2 < has_bezel.mean() < 0.95


def test_mask_has_smooth_skin_and_dark_openings_and_leaves_the_surroundings() -> None:
    image, masks = drawn_face(), many("mask")
    cheek = np.s_[70:84, 34:50]
    assert all(np.diff(x[cheek], axis=1).std() < 0.5 * np.diff(image[cheek], axis=1).std() for x in masks)
    left_eye, mouth, forehead = masks[:, 50:62, 34:50], masks[:, 84:104, 56:72], masks[:, 30:38, 56:72]
    assert (left_eye.min(axis=(1, 2)) < forehead.mean(axis=(1, 2)) - 0.2).all()
    assert (mouth.min(axis=(1, 2)) < forehead.mean(axis=(1, 2)) - 0.2).all()
    corner = np.s_[:, :10, :10]
    assert np.abs(masks[corner] - image[:10, :10]).mean() < 0.05


def test_mask_openings_show_the_wearer() -> None:
    """A face in the dark leaves the holes dark, where eyes are most likely, and the lit rubber around them is not."""
    masks = many("mask", np.zeros((128, 128), np.float32))
    assert masks[:, 54:57, 40:43].mean() < 0.05
    assert masks[:, 66:70, 56:72].mean() > 0.3


def test_mask_openings_follow_the_eyes() -> None:
    lower = np.roll(drawn_face(), 6, axis=0)
    rows = [np.argmin(many("mask", image, n=12)[:, 40:75, 38:48].mean(axis=(0, 2))) for image in (drawn_face(), lower)]
    assert 3 <= rows[1] - rows[0] <= 9


def test_species_differ_from_each_other_in_what_can_be_measured() -> None:
    """Means over draws: only screens are periodic, only paper brightens the border, only a mask calms the texture."""
    measured = {
        species: {
            "screen": np.median([peakedness(x) for x in many(species)]),
            "texture": np.median([fine_energy(x) for x in many(species)]),
            "border": np.mean([np.concatenate([x[:6].ravel(), x[-6:].ravel()]).mean() for x in many(species)]),
        }
        for species in SPECIES
    }
    paper, replay, mask = (measured[species] for species in SPECIES)
    assert min(paper["screen"], replay["screen"]) > 2.5 * mask["screen"]
    assert min(paper["texture"], replay["texture"]) > 2 * mask["texture"]
    assert paper["border"] > replay["border"] + 0.1


@pytest.mark.skipif(not ORL.is_dir(), reason="the shared orl_faces folder is not beside this project")
@pytest.mark.parametrize("species", SPECIES)
def test_real_faces_stay_faces(species: str) -> None:
    """The attack still shows its source: it resembles it more than it does another person."""
    faces = [images.load(ORL / f"s{subject:02d}" / "1.pgm")[0] for subject in range(1, 41)]
    attacked = [attacks.simulated(x, species, np.random.default_rng(i)) for i, x in enumerate(faces)]
    coarse = (
        [ndimage.zoom(x, 1 / 8, order=1).ravel() for x in faces],
        [ndimage.zoom(x, 1 / 8, order=1).ravel() for x in attacked],
    )
    likeness = np.corrcoef(np.array(coarse[1]), np.array(coarse[0]))[:40, 40:]
    assert np.median(np.diag(likeness)) > np.median(likeness) + 0.15


def test_unknown_species_are_refused_with_the_choices() -> None:
    with pytest.raises(BadInputError, match=r"'latex'.*paper, replay, mask"):
        attacks.simulated(drawn_face(), "latex", np.random.default_rng(0))
    assert tuple(attacks.SPECIES) == SPECIES
