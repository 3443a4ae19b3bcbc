"""Paths through the latent space: what they are in numbers, and that what is decoded on them is what the Run holds."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from fas_core import models, scores
from fas_core.data import manifest
from fas_core.errors import BadInputError
from fas_core.evaluation import traversal
from fas_core.inference import infer, predict
from fas_core.latent import projection, training_rows
from fas_core.runs import store
from fas_core.training import checkpoint
from tests.conftest import tiny_samples

GAIN = {"dcvae": 2.5, "resvae": 2.0, "ganomaly": 5.0, "denoising": 2.5, "memae": 5.0, "perceptual": 2.5, "cvae": 2.5}
SIZE = {"width": 0.125, "latent_dim": 16, "image_size": 32}


class Setting(NamedTuple):
    run: store.Run
    model: infer.Ready


@pytest.fixture(scope="module")
def settings(tiny_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Setting]:
    """A Run of each model on the same faces; untrained, with weights large enough that its images differ."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in models.built_in():
        torch.manual_seed(0)
        model = models.built(name, SIZE)
        with torch.no_grad():
            for weight in model.parameters():
                weight *= GAIN[name]
        checkpoint.save(folder / f"{name}.safetensors", model, name, {})
    files = sorted(folder.iterdir())
    runs = infer.write_runs(
        files, manifest.read(tiny_faces), tmp_path_factory.mktemp("cache"), device="cpu", precision="fp32"
    )
    return {run.info.model: Setting(run, predict.ready(run, "cpu")) for run in runs}


@pytest.fixture(params=models.built_in())
def setting(request: pytest.FixtureRequest, settings: dict[str, Setting]) -> Setting:
    return settings[request.param]


def code(run: store.Run, row: int) -> np.ndarray:
    return np.asarray(run.latents()[row])


def assert_shown_alike(decoded: np.ndarray, run: store.Run, rows: list[int]) -> None:
    """Within one grey level of the reconstructions that the Run keeps."""
    kept = run.images("reconstructions", rows)
    assert np.ptp(kept) > 50
    assert np.abs(decoded.astype(int) - kept).max() <= 1


def test_the_middle_of_a_strip_is_the_reconstruction_of_the_sample(setting: Setting) -> None:
    run, model = setting
    place, pca = traversal.landscape(run), projection.pca_of(run)
    row = int(run.rows_of("seen_paper")[-1])
    for direction in (
        traversal.along_dimension(place, int(place.deviations.argmax())),
        traversal.along_axis(place, pca, 2),
        traversal.towards(place, "paper"),
    ):
        codes = direction.codes(code(run, row), traversal.offsets(3.0))
        decoded = predict.decoded(codes, model)
        assert decoded.shape == (traversal.STEPS, 32, 32)
        assert_shown_alike(decoded[[traversal.STEPS // 2]], run, [row])
        assert (decoded[0] != decoded[-1]).any(), direction.name


def test_strips_and_grids_end_at_their_samples(setting: Setting) -> None:
    run, model = setting
    rows = [3, 40, 17, 60]
    codes = np.stack([code(run, row) for row in rows])
    strip = predict.decoded(traversal.between(codes[0], codes[1]), model)
    assert_shown_alike(strip[[0, -1]], run, rows[:2])
    side = traversal.SIDE
    grid = traversal.grid(codes)
    assert len(grid) == side * side
    assert_shown_alike(predict.decoded(grid, model)[[0, side - 1, side * (side - 1), side * side - 1]], run, rows)


def test_codes_of_another_length_are_not_decoded(settings: dict[str, Setting]) -> None:
    model = settings["dcvae"].model
    with pytest.raises(BadInputError, match=r"\(2, 5\) cannot be decoded: the model's have 16 numbers"):
        predict.decoded(np.zeros((2, 5)), model)
    assert predict.decoded(np.zeros((0, 16)), model).shape == (0, 32, 32)
    many = np.random.default_rng(0).normal(size=(2 * predict.DECODED_AT_ONCE + 1, 16))
    whole = predict.decoded(many, model)
    alone = np.concatenate([predict.decoded(many[i : i + 1], model) for i in range(len(many))])
    assert np.abs(whole.astype(int) - alone).max() <= 1


def test_a_landscape_is_that_of_live_training_codes(settings: dict[str, Setting]) -> None:
    run = settings["dcvae"].run
    live = run.latents()[training_rows(run)].astype(np.float64)
    for place in (traversal.landscape(run), traversal.landscape(run)):  # computed, then read
        np.testing.assert_allclose(place.mean, live.mean(0))
        np.testing.assert_allclose(place.covariance, np.cov(live.T), rtol=1e-9, atol=1e-15)
        assert (place.n, place.whose, place.species.tolist()) == (len(live), "live training codes", ["paper"])
        np.testing.assert_allclose(place.deviations, live.std(0, ddof=1))
    paper = run.latents()[(run.samples(["pai_species"])["pai_species"] == "paper").to_numpy()]
    np.testing.assert_allclose(place.mean_of("paper"), paper.mean(0), rtol=1e-6)
    with pytest.raises(BadInputError, match="No attack is of species 'mask'. Species: paper"):
        traversal.towards(place, "mask")


def test_shards_offsets_and_missing_training_images(
    tmp_path: Path, image_run: Callable[..., store.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = tiny_samples()
    samples = samples[samples["subset"] != "train"].reset_index(drop=True)
    run = image_run(tmp_path, "m", samples, shard_size=3)
    place = traversal.landscape(run)
    live = (samples["label"] == "bona_fide").to_numpy()
    assert (place.n, place.whose) == (live.sum(), "live codes")
    np.testing.assert_allclose(place.covariance, np.cov(run.latents()[live].T.astype(np.float64)))
    attacks = traversal.landscape(image_run(tmp_path, "attacks", samples[~live].reset_index(drop=True)))
    assert (attacks.n, attacks.whose) == ((~live).sum(), "codes")
    assert place.species.tolist() == ["mask", "paper"]
    monkeypatch.setattr(traversal, "MOST_OF_SPECIES", 2)
    other = traversal.landscape(image_run(tmp_path, "n", samples, shard_size=3))
    rows = np.flatnonzero((samples["pai_species"] == "mask").to_numpy())[::2]
    z = store.open_run(tmp_path, "n").latents()
    np.testing.assert_allclose(other.mean_of("mask"), z[rows].mean(0), rtol=1e-6)
    single = image_run(tmp_path, "one", samples.iloc[:1])
    with pytest.raises(BadInputError, match="at least two"):
        traversal.landscape(single)


def test_a_principal_axis_moves_its_coordinate_alone_by_standard_deviations(settings: dict[str, Setting]) -> None:
    run = settings["dcvae"].run
    place, pca = traversal.landscape(run), projection.pca_of(run)
    training = pca.applied(run.latents()[training_rows(run)])
    offsets = traversal.offsets(2.5)
    for k in (1, 2, 7):
        codes = traversal.along_axis(place, pca, k).codes(code(run, 5), offsets)
        moved = pca.applied(codes) - pca.applied(code(run, 5)[np.newaxis])
        expected = np.zeros_like(moved)
        expected[:, k - 1] = offsets * training[:, k - 1].std(ddof=1)
        np.testing.assert_allclose(moved, expected, atol=1e-6 * np.abs(expected).max())
    for k in (0, len(pca.components) + 1):
        with pytest.raises(BadInputError, match="they are 1 to 10"):
            traversal.along_axis(place, pca, k)


def test_a_dimension_moves_alone(settings: dict[str, Setting]) -> None:
    run = settings["dcvae"].run
    place = traversal.landscape(run)
    direction = traversal.along_dimension(place, 3)
    moved = direction.codes(code(run, 5), traversal.offsets(2)) - code(run, 5)
    assert not np.delete(moved, 3, axis=1).any()
    sd = run.latents()[training_rows(run), 3].astype(np.float64).std(ddof=1)
    np.testing.assert_allclose(moved[:, 3], sd * np.array([-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]))
    with pytest.raises(BadInputError, match="they are 0 to 15"):
        traversal.along_dimension(place, 16)
    still = traversal.along_dimension(replace(place, covariance=np.zeros((16, 16))), 3)
    assert np.isnan(still.position(place.mean, place.mean))


def test_all_the_way_leads_from_the_live_mean_to_that_of_the_attacks(settings: dict[str, Setting]) -> None:
    place = traversal.landscape(settings["ganomaly"].run)
    direction = traversal.towards(place, "paper")
    np.testing.assert_allclose(direction.codes(place.mean, np.array([1.0]))[0], place.mean_of("paper"))
    assert direction.position(place.mean_of("paper"), place.mean) == pytest.approx(1)
    assert direction.position(place.mean - 0.5 * direction.step, place.mean) == pytest.approx(-0.5)


def test_offsets_and_their_words() -> None:
    offsets = traversal.offsets(3.0)
    assert offsets.tolist() == [-3, -2.25, -1.5, -0.75, 0, 0.75, 1.5, 2.25, 3]
    sd, way = (traversal.Direction("d", np.ones(2), unit) for unit in ("sd", "way"))
    assert [sd.words(x) for x in (-2.25, 0, 3.0)] == ["−2.25\u00a0sd", "0", "+3\u00a0sd"]
    assert [way.words(x) for x in (-1.0, 0.25, 0.07)] == ["−100\u00a0%", "+25\u00a0%", "+7\u00a0%"]


def test_grids_are_bilinear() -> None:
    corners = np.array([[0.0, 0], [4, 0], [0, 8], [4, 8]])
    grid = traversal.grid(corners, 5).reshape(5, 5, 2)
    np.testing.assert_allclose(grid[:, :, 0], np.tile([0, 1, 2, 3, 4], (5, 1)))
    np.testing.assert_allclose(grid[:, :, 1], np.tile([[0], [2], [4], [6], [8]], (1, 5)))


def test_a_prior_is_reproducible_and_standard_normal(settings: dict[str, Setting]) -> None:
    first = traversal.from_prior(9, 16, seed=3)
    np.testing.assert_array_equal(first, traversal.from_prior(20, 16, seed=3)[:9])
    assert (first != traversal.from_prior(9, 16, seed=4)).all()
    many = traversal.from_prior(50_000, 3, seed=0)
    np.testing.assert_allclose(np.cov(many.T), np.eye(3), atol=0.03)
    variational = {name for name, setting in settings.items() if traversal.has_prior(setting.run)}
    assert variational == {"dcvae", "resvae", "cvae", "perceptual"}


def test_a_gaussian_stands_in_for_a_prior(settings: dict[str, Setting]) -> None:
    place = traversal.landscape(settings["ganomaly"].run)
    drawn = place.drawn(200_000, seed=1)
    scale = place.deviations.max()
    np.testing.assert_allclose(drawn.mean(0), place.mean, atol=0.02 * scale)
    np.testing.assert_allclose(np.cov(drawn.T), place.covariance, atol=0.02 * scale**2)
    np.testing.assert_allclose(place.drawn(5, 1), drawn[:5])


@pytest.mark.parametrize("score", traversal.SCORES)
def test_a_code_is_as_unlike_live_ones_as_the_score_says(score: str, settings: dict[str, Setting]) -> None:
    run = settings["resvae"].run
    np.testing.assert_allclose(traversal.unlikeness(run, score, run.latents()), scores.values(run, score), rtol=1e-6)


def test_scores_that_need_an_image_are_refused(settings: dict[str, Setting]) -> None:
    run = settings["dcvae"].run
    with pytest.raises(BadInputError, match="'rec' needs an image"):
        traversal.unlikeness(run, "rec", run.latents())
    needs = {name for name in scores.offered(run) if scores._module(name).NEEDS == ("latents",)}
    assert set(traversal.SCORES) <= needs


# ------------------------------------------------------------------------------------------------------------- sheets


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def test_a_sheet_holds_every_pixel_and_is_the_same_every_time() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 64, 64), dtype=np.uint8)
    rows = [
        [traversal.Tile(image, [f"{i}", "−1 sd"]) for i, image in enumerate(images[:3])],
        [traversal.Tile(images[3], ["a name that is much longer than its image is wide"])],
    ]
    data = traversal.sheet("run: along principal axis 2 " * 4, rows)
    assert data == traversal.sheet("run: along principal axis 2 " * 4, rows)
    pixels = opened(data)
    assert pixels.shape[2] == 3
    for image in images:
        seen = np.lib.stride_tricks.sliding_window_view(pixels[:, :, 0], (64, 64))
        assert (seen == image).all((2, 3)).sum() == 1
    assert (pixels[:, -traversal._MARGIN :] == 255).all()  # nothing is written beyond the images
    assert data != traversal.sheet("another run", rows)


def test_letters_are_those_that_can_be_drawn() -> None:
    assert traversal._drawable("−3\u00a0sd") == "-3 sd"


def test_a_file_is_named_after_what_it_shows() -> None:
    name = traversal.file_name("small dcvae", "s/01:..\\x", "along principal axis 2", "−3 sd", "")
    assert name == "small-dcvae_s-01-..-x_along-principal-axis-2_3-sd.png"
    assert len(traversal.file_name("a" * 300)) < 70
