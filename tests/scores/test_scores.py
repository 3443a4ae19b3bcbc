"""Contracts that every score keeps, and what each one is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import ledoit_wolf

from fas_core import memo, scores
from fas_core.data.boxes import EYES
from fas_core.data.pairs import of_spectrum
from fas_core.errors import BadInputError
from fas_core.latent import mixture
from fas_core.runs import store
from tests.conftest import TERMS, tiny_samples, write_image_run

OF_THE_MODEL = ["rec", "kl", "elbo", "excess_bce", "pixel_l1", "pixel_l2"]  # columns as they are
OF_FACES = ["eyes_l2", "nose_l2", "mouth_l2", "face_l2"]
OF_PICTURES = [*OF_FACES, "ms_ssim", "frequency"]
OF_CODES = ["flow", "gmm_nll", "knn", "mahalanobis"]
FITTED = [*OF_CODES, "frequency"]  # on live training images
FOR_ALL = ["pixel_l1", "pixel_l2", "ssim", *OF_CODES, "mean_rank", "motion", "patches", *OF_PICTURES]
OF_VAE = [*OF_THE_MODEL, *(name for name in FOR_ALL if name not in OF_THE_MODEL)]
OF_GANOMALY = ["rec", "discriminator", "latent_l2", "feature_l2", *FOR_ALL]
PLACES = dict(zip(EYES, (9.0, 12.5, 22.0, 13.0), strict=True)) | {"width": 32, "height": 32}


def samples_of_all() -> pd.DataFrame:
    """28 samples, as `tiny_samples` with eight of subset live, frames of videos: enough for every score."""
    samples = tiny_samples()
    more = samples[samples["subset"] == "live"].assign(sample_id=lambda rows: "more_" + rows["sample_id"])
    rows = pd.concat([samples, more], ignore_index=True).assign(**PLACES)
    return rows.assign(subject_id=rows["subset"], session_id="", video_id="v", frame=np.arange(28.0) ** 1.1)


def run_of(tmp_path: Path, model: str) -> store.Run:
    return write_image_run(tmp_path, "m", samples_of_all(), shard_size=99, model=model, patches=True)


def model_of(name: str) -> str:
    """A model whose Runs offer the score."""
    return "dcvae" if name in OF_VAE else "ganomaly"


@pytest.mark.parametrize(("model", "expected"), [("dcvae", OF_VAE), ("ganomaly", OF_GANOMALY)])
def test_each_family_of_models_has_its_scores(model: str, expected: list[str], tmp_path: Path) -> None:
    run = run_of(tmp_path, model)
    assert scores.offered(run) == [name for name in scores.names() if name in expected]
    assert set(scores.offered(run)) == set(expected)
    assert set(OF_VAE) | set(OF_GANOMALY) == set(scores.names())


def test_the_thesis_scores_come_first() -> None:
    names = scores.names()
    n = sum(name in scores.OF_THESIS for name in names)
    assert set(names[:n]) == set(scores.OF_THESIS)
    assert names == [*sorted(names[:n]), *sorted(names[n:])]


@pytest.mark.parametrize("name", scores.names())
def test_one_finite_float64_per_sample(name: str, tmp_path: Path) -> None:
    run = run_of(tmp_path, model_of(name))
    values = scores.values(run, name)
    assert values.shape == (28,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert len(scores.description(run, name)) > 30


@pytest.mark.parametrize("name", scores.names())
def test_a_sample_keeps_its_value_in_another_order(name: str, tmp_path: Path) -> None:
    """Shards of other sizes, so that nothing may depend on rows or on who stands beside whom."""
    model = model_of(name)
    samples = samples_of_all()
    runs = [
        write_image_run(tmp_path / str(n), "a", samples, seed=1, shard_size=n, model=model, patches=True)
        for n in (3, 99)
    ]
    reference = runs[0]
    by_id = [dict(zip(r.samples()["sample_id"], scores.values(r, name, reference), strict=True)) for r in runs]
    assert by_id[0].keys() == by_id[1].keys()
    for sample, value in by_id[0].items():
        assert value == pytest.approx(by_id[1][sample], rel=1e-9)


@pytest.mark.parametrize(  # the KL terms, the motion and the pictures of these Runs are all alike
    "name", [n for n in scores.names() if n not in ("kl", "motion", *OF_PICTURES)]
)
def test_attacks_score_higher(name: str, tmp_path: Path) -> None:
    run = run_of(tmp_path, model_of(name))
    attack = (run.samples(["label"])["label"] == "attack").to_numpy()
    assert np.median(scores.values(run, name)[attack]) > np.median(scores.values(run, name)[~attack])


@pytest.mark.parametrize("model", TERMS)
def test_terms_of_the_model_are_its_columns(model: str, tmp_path: Path) -> None:
    run = run_of(tmp_path, model)
    for name in set(OF_THE_MODEL) & set(scores.offered(run)):
        np.testing.assert_array_equal(scores.values(run, name), run.samples([name])[name].to_numpy(np.float64))


def test_roots_and_reversals(tmp_path: Path) -> None:
    run = run_of(tmp_path, "ganomaly")
    columns = {name: run.samples([name])[name].to_numpy(np.float64) for name in ("enc", "adv", "ssim")}
    np.testing.assert_allclose(scores.values(run, "latent_l2") ** 2, columns["enc"], rtol=1e-14)
    np.testing.assert_allclose(scores.values(run, "feature_l2") ** 2, columns["adv"], rtol=1e-14)
    np.testing.assert_allclose(scores.values(run, "ssim") + columns["ssim"], 1, rtol=1e-14)


def test_gmm_is_fitted_on_live_training_images_only(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    rows = run.rows_of("train")
    expected = mixture.fitted(np.asarray(run.latents()[rows]), 8, "diag")
    np.testing.assert_allclose(scores.values(run, "gmm_nll"), -expected.log_likelihood(run.latents()), rtol=1e-9)


def test_mahalanobis_is_the_distance_under_the_shrunk_covariance_of_the_reference(tiny_cache: Path) -> None:
    run, reference = store.open_run(tiny_cache, "a"), store.open_run(tiny_cache, "b")
    training = np.asarray(reference.latents()[reference.rows_of("train")], np.float64)  # 8 codes of 8 dimensions
    precision = np.linalg.inv(ledoit_wolf(training)[0] + 1e-6 * np.eye(8))
    expected = [mahalanobis(z, training.mean(0), precision) for z in run.latents().astype(np.float64)]
    np.testing.assert_allclose(scores.values(run, "mahalanobis", reference), expected, rtol=1e-9)
    np.testing.assert_allclose(scores.values(run, "mahalanobis", reference), expected, rtol=1e-9)  # from the memo
    assert memo.found(tiny_cache, "mahalanobis", {"run": reference.digest}) is not None
    assert not np.allclose(scores.values(run, "mahalanobis"), expected)


def test_frequency_is_the_distance_of_spectra_from_those_of_live_training_images(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", "dcvae")
    spectra = np.column_stack([*of_spectrum(run.images("inputs", np.arange(len(run)))).values()])
    training = spectra[run.rows_of("train")]
    standard = (spectra - training.mean(0)) / training.std(0)
    shrunk = ledoit_wolf(standard[run.rows_of("train")], assume_centered=True)[0]
    expected = [mahalanobis(z, np.zeros(4), np.linalg.inv(shrunk)) for z in standard]
    np.testing.assert_allclose(scores.values(run, "frequency"), expected, rtol=1e-5)
    other = write_image_run(tmp_path / "b", "m", tiny_samples(), shard_size=99, seed=5)
    assert not np.allclose(scores.values(run, "frequency", other), expected)


def test_mahalanobis_of_codes_without_a_spread_is_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path, "dcvae")
    codes = np.eye(28, 8, -25, dtype=np.float32)  # only the last three are not 0
    monkeypatch.setattr(run, "codes", codes)
    monkeypatch.setattr(run, "latent_blocks", lambda rows: iter([codes[rows]]))
    values = scores.values(run, "mahalanobis")
    assert values[0] == 0
    np.testing.assert_allclose(values[-3:], 1000)  # one over the root of the regularisation


def test_what_a_run_cannot_offer(tmp_path: Path, tiny_cache: Path) -> None:
    samples = tiny_samples()
    untrained = write_image_run(tmp_path / "x", "c", samples[samples["subset"] != "train"].reset_index(drop=True))
    few = samples.drop(samples.index[samples["subset"] == "train"][:1]).reset_index(drop=True)
    seven = write_image_run(tmp_path / "y", "d", few)  # seven images, eight Gaussians
    for run in (untrained, seven):
        assert set(OF_VAE) - set(scores.offered(run)) == {*FITTED, *OF_FACES, "mean_rank", "motion", "patches"}
    assert scores.offered(store.open_run(tiny_cache, "vendor")) == ["score"]
    with pytest.raises(
        BadInputError,
        match="no score 'gmm_nll': it has fewer.*Scores: elbo, kl, pixel_l1, pixel_l2, rec, excess_bce, ms_ssim",
    ):
        scores.values(untrained, "gmm_nll")


def test_fitted_scores_are_offered_by_what_they_are_fitted_on(tmp_path: Path) -> None:
    """By what the checkpoint has learned, whatever the manifest calls it, and by live images alone."""
    samples = tiny_samples()
    is_live_paper = ((samples["subset"] == "seen_paper") & (samples["label"] == "bona_fide")).to_numpy()
    other_model = samples.assign(training_use="none")  # its subset `train` is not what this one learned from
    nine = is_live_paper | (samples["subset"] == "unseen_mask").to_numpy() | (np.arange(24) < 3)
    renamed = samples.assign(subset="test", training_use=np.where(nine | (np.arange(24) < 5), "learned", "none"))
    attacks_among = samples.assign(label=np.where(np.arange(24) < 1, "attack", samples["label"]))
    runs = {
        name: write_image_run(tmp_path / name, name, rows.reset_index(drop=True), shard_size=5)
        for name, rows in (("other", other_model), ("renamed", renamed), ("attacks", attacks_among))
    }
    fitted = set(FITTED)
    assert {name: fitted & set(scores.offered(run)) for name, run in runs.items()} == {
        "other": set(), "renamed": fitted, "attacks": set(),
    }  # fmt: skip
    for name in fitted:
        assert np.isfinite(scores.values(runs["renamed"], name)).all()
        with pytest.raises(BadInputError, match=f"no score '{name}': it has fewer than 8 live images"):
            scores.values(runs["other"], name)
    with pytest.raises(BadInputError, match="no score 'latent_l2': its model gives no enc"):
        scores.values(runs["other"], "latent_l2")
