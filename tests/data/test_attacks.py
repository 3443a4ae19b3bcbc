"""Simulated attacks: reproducible, in range, stronger with their strength, and unlike each other."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fas_core.data import attacks, images, manifest, simulation
from fas_core.data.attacks.writing import write_attacked_data_set
from fas_core.errors import BadInputError

ORL = Path(__file__).parents[2].parent / "shared" / "data" / "orl_faces" / "images"
SPECIES = ("paper", "replay", "mask")
EVERY = tuple(attacks.SPECIES)
STRENGTHS = (0.05, 0.25, 0.5, 1.0)


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


def coloured(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, 3) a gray image in the colours of skin."""
    return np.stack([image, 0.8 * image, 0.65 * image], axis=-1).astype(np.float32)


@pytest.mark.parametrize("species", EVERY)
@pytest.mark.parametrize("shape", [(128, 128), (112, 92), (64, 200), (224, 224, 3), (16, 16), (5, 9), (7, 6, 3)])
def test_shape_range_and_type(species: str, shape: tuple[int, ...]) -> None:
    image = drawn_face(*shape[:2])
    image = coloured(image) if len(shape) == 3 else image
    before = image.copy()
    for seed in range(4):
        eyes = None if seed % 2 else np.array([[0.35, 0.4], [0.62, 0.45]]) * [shape[1], shape[0]]
        attack = attacks.simulated(image, species, np.random.default_rng(seed), STRENGTHS[seed], eyes)
        assert attack.shape == shape
        assert attack.dtype == np.float32
        assert np.isfinite(attack).all()
        assert attack.min() >= 0
        assert attack.max() <= 1
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("species", EVERY)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_images_do_no_harm(species: str, level: float) -> None:
    for seed in range(8):
        attack = attacks.simulated(np.full((64, 64), level, np.float32), species, np.random.default_rng(seed))
        assert np.isfinite(attack).all()


@pytest.mark.parametrize("species", EVERY)
def test_the_generator_alone_decides(species: str) -> None:
    image = drawn_face()
    first, again, other = (attacks.simulated(image, species, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01
    np.testing.assert_array_equal(attacks.simulated(image.astype(np.float64), species, np.random.default_rng(3)), first)


@pytest.mark.parametrize("species", EVERY)
def test_an_attack_is_the_further_from_its_live_image_the_stronger_it_is(species: str) -> None:
    """Of the mean over draws, in gray and in colour; near 0 hardly anything shows, at 1 much does."""
    for image in (drawn_face(), coloured(drawn_face())):
        distances = [
            np.mean([rms(attacks.simulated(image, species, np.random.default_rng(n), by) - image) for n in range(8)])
            for by in STRENGTHS
        ]
        assert np.all(np.diff(distances) > 0)
        assert distances[0] < 0.25 * distances[-1]
        assert distances[-1] > 0.06, distances


@pytest.mark.parametrize(
    ("species", "quarters", "spread"),
    [
        ("paper", [0.43943, 0.43833, 0.41865, 0.47335], 0.19537),
        ("replay", [0.42395, 0.47247, 0.49742, 0.51418], 0.21031),
        ("mask", [0.48284, 0.48888, 0.4872, 0.49393], 0.19159),
    ],
)
def test_gray_attacks_of_full_strength_are_what_they_were(species: str, quarters: list[float], spread: float) -> None:
    """Data sets that were made before there were strengths are made again."""
    attack = attacks.simulated(drawn_face(), species, np.random.default_rng(3))
    np.testing.assert_allclose(attack.reshape(2, 64, 2, 64).mean((1, 3)).ravel(), quarters, atol=2e-5)
    assert attack.std() == pytest.approx(spread, abs=2e-5)


def rms(x: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(x, dtype=np.float64).mean()))


@pytest.mark.parametrize("species", ["mask", "cutout", "paper_glasses", "funny_eyes", "impersonation", "obfuscation"])
def test_eyes_that_are_known_place_and_turn_what_is_worn(species: str) -> None:
    """A small face in a corner: what changes lies about its eyes, and turns with them."""
    image = np.full((160, 200), 0.5, np.float32)
    image += 0.03 * np.random.default_rng(0).standard_normal(image.shape, dtype=np.float32)
    for eyes in (np.array([[50, 60], [74, 60]]), np.array([[120, 90], [138, 108]])):
        changed = np.zeros_like(image)
        for n in range(12):
            attack = attacks.simulated(image, species, np.random.default_rng(n), 1.0, eyes.astype(np.float64))
            # All of a print changes: of one that has holes, they alone are looked at.
            reference = attacks.simulated(image, "paper", np.random.default_rng(n)) if species == "cutout" else image
            changed += np.abs(attack - reference)
        reach = 2.2 * np.hypot(*(eyes[1] - eyes[0]))
        y, x = np.mgrid[:160, :200]
        middle = eyes.mean(0)
        near = np.hypot(x - middle[0], y - middle[1]) < reach
        at_eyes = np.mean([changed[ey - 4 : ey + 5, ex - 4 : ex + 5].mean() for ex, ey in eyes])
        assert at_eyes > 3 * changed[~near].mean()
        if species in ("paper_glasses", "funny_eyes"):
            longest = np.linalg.eigh(np.cov(np.argwhere(changed > 0.3 * changed.max()).T))[1][:, -1]
            slope = longest[0] / longest[1]
            np.testing.assert_allclose(slope, (eyes[1, 1] - eyes[0, 1]) / (eyes[1, 0] - eyes[0, 0]), atol=0.1)


def test_a_colour_image_gets_colour_and_a_gray_one_the_same_draws() -> None:
    """Red, green and blue lattices of a screen lie apart; what is the same in all channels stays as in gray."""
    gray, colour = drawn_face(), np.repeat(drawn_face()[..., np.newaxis], 3, axis=-1)
    for species in EVERY:
        a = attacks.simulated(gray, species, np.random.default_rng(1))
        b = attacks.simulated(colour, species, np.random.default_rng(1))
        assert np.corrcoef(a.ravel(), b.mean(axis=-1).ravel())[0, 1] > 0.8, species
        assert np.ptp(b, axis=-1).mean() > 0.003, species


@pytest.mark.parametrize("strength", [0.0, -0.5, 1.01, float("nan")])
def test_strengths_that_are_none_are_refused(strength: float) -> None:
    with pytest.raises(BadInputError, match="above 0 and at most 1"):
        attacks.simulated(drawn_face(), "paper", np.random.default_rng(0), strength)


def live_set(folder: Path) -> manifest.Manifest:
    """Five people, two images each: gray ones of 100 pixels, and in colour, 300 wide and 200 tall, with eyes."""
    folder.mkdir()
    rows = []
    for person in range(5):
        for shot in range(2):
            face = drawn_face(200, 200, seed=person)
            wide = np.pad(face, ((0, 0), (50, 50)), mode="edge")
            is_coloured = shot == 1
            picture = coloured(wide) if is_coloured else drawn_face(100, 100, seed=person)
            Image.fromarray(images.pixels(picture)).save(folder / f"{person}{shot}.png")
            eyes = (50 + 66, 88.0, 50 + 134, 88.0) if is_coloured else ("",) * 4
            rows.append((f"{person}{shot}.png", "bona_fide", str(person), *eyes))
    columns = ["path", "label", "subject_id", "right_eye_x", "right_eye_y", "left_eye_x", "left_eye_y"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "m.csv", index=False)
    return manifest.read(folder / "m.csv")


def test_a_data_set_of_several_strengths_is_paired_says_so_and_goes_on_where_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    live = live_set(tmp_path / "live")
    species, strengths = ["funny_eyes", "paper"], [1.0, 0.25]
    written = manifest.read(write_attacked_data_set(live, tmp_path / "out", species, strengths=strengths))
    rows = written.rows[written.rows["label"] == "attack"]
    of_eyes = set(rows.loc[rows["pai_species"] == "funny_eyes", simulation.SOURCE])
    n_gray = sum(source.endswith("0.png") for source in of_eyes)
    assert f"no eyes are known of {n_gray} of {len(of_eyes)} images" in caplog.text
    assert set(rows["pai_species"]) == set(species)
    by_strength = rows.groupby(simulation.STRENGTH)
    assert by_strength[simulation.SOURCE].apply(sorted).tolist()[0] == by_strength[simulation.SOURCE].apply(sorted)[1.0]
    assert simulation.simulated_species(written.rows) == sorted(species)
    assert simulation.caveat(species) == "Attacks of funny eyes, paper are simulated: no evidence about real attacks."
    assert list(rows.loc[rows[simulation.STRENGTH] == 0.25, "sample_id"].str.partition("/")[0].unique()) == [
        "funny_eyes@0.25",
        "paper@0.25",
    ]
    for path, of in zip(rows["path"], rows[simulation.SOURCE], strict=True):
        with Image.open(written.root / path) as image:
            assert (image.mode, image.size) == (("RGB", (200, 200)) if of.endswith("1.png") else ("L", (128, 128)))
    of_colour = rows[rows[simulation.SOURCE].str.endswith("1.png")].iloc[0]
    eye = float(of_colour["right_eye_x"]), float(of_colour["right_eye_y"])
    assert eye == (66.0, 88.0)  # on the square that was cut out

    before = {path: (written.root / path).stat().st_mtime_ns for path in rows["path"]}
    gone, *kept = rows["path"]
    content = (written.root / gone).read_bytes()
    (written.root / gone).unlink()
    write_attacked_data_set(live, tmp_path / "out", species, strengths=[0.25, 1.0])
    assert (written.root / gone).read_bytes() == content
    assert all((written.root / path).stat().st_mtime_ns == before[path] for path in kept)


def test_on_a_face_that_was_cut_out_its_eyes_are_those_of_the_crop(tmp_path: Path) -> None:
    """Its manifest tells them in pixels of the picture that it was cut out of, with where the crop lies there."""
    Image.fromarray(np.full((100, 100), 128, np.uint8)).save(tmp_path / "crop.png")
    about = {"source_path": "p.png", "crop_x": 300.0, "crop_y": 200.0, "crop_side": 64.0, "crop_angle": 0.0}
    eyes = {"right_eye_x": 284.0, "right_eye_y": 192.0, "left_eye_x": 308.0, "left_eye_y": 192.0}
    row = {"path": "crop.png", "label": "bona_fide", "subject_id": "a"} | about | eyes
    pd.DataFrame([row]).to_csv(tmp_path / "m.csv", index=False)
    source = manifest.read(tmp_path / "m.csv")
    written = manifest.read(write_attacked_data_set(source, tmp_path / "out", ["funny_eyes"]))
    attack = written.rows[written.rows["label"] == "attack"].iloc[0]
    changed = np.abs(images.load(written.root / attack["path"])[0] - 128 / 255) > 0.03
    np.testing.assert_allclose(np.argwhere(changed).mean(0), [0.375 * 128, (0.25 + 0.625) / 2 * 128], atol=2)
    assert {name: attack[name] for name in eyes} == eyes  # as told of the picture, with where the crop lies
    assert attack["source_path"] == "../p.png"  # beside the manifest that is read


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
    assert EVERY[:3] == SPECIES
