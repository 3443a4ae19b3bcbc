"""One pass over codes that lie in many shards, and what is fitted on a sample where there are many."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from fas_core import derive, latent, memo, scores
from fas_core.latent import em, mixture, passes, projection
from fas_core.runs import store
from fas_core.runs.store import Run
from tests.conftest import tiny_samples, write_image_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_image_run(tmp_path, "a", tiny_samples(), shard_size=3)


def test_codes_are_sliced_as_if_they_were_one_array(run: Run) -> None:
    whole = run.latents()
    assert (len(run.codes), run.codes.shape, run.codes.dtype) == (24, (24, 8), np.float32)
    for rows in (slice(0, 24), slice(2, 3), slice(2, 10), slice(6, 9), slice(20, 99), slice(5, 5), slice(-2, None)):
        np.testing.assert_array_equal(run.codes[rows], whole[rows])
    assert isinstance(run.codes[3:5].base.base, mmap.mmap)  # of one shard: mapped, not copied
    rows = np.array([1, 2, 9, 23])
    np.testing.assert_array_equal(np.concatenate(list(run.latent_blocks(rows))), whole[rows])
    assert run.samples_of(rows, ["sample_id"])["sample_id"].tolist() == run.samples()["sample_id"][rows].tolist()


def test_a_pass_says_the_same_in_one_piece_and_in_ranges(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "ROWS", 4)
    says = [
        mixture.placing(run, mixture.of_training(run, 2)),
        *(scores.says(run, name) for name in scores.of_codes(run)),
    ]
    assert scores.of_codes(run) == ["gmm_nll", "flow", "knn", "mahalanobis"]
    heard: list[float] = []
    whole = passes.said(run.codes, says, told=heard.append)
    parts = [passes.said(run.codes, says, rows=rows, threads=1) for rows in (range(0, 8), range(8, 20), range(20, 24))]
    for i, said in enumerate(whole):
        joined = passes.joined([part[i] for part in parts])
        assert joined.keys() == said.keys()
        for name, values in said.items():
            np.testing.assert_array_equal(joined[name], values)
    assert heard == sorted(heard)
    assert heard[-1] == 1
    empty = passes.said(np.empty((0, 8), np.float32), says)
    assert [len(said["values"]) for said in empty[1:]] == [0] * 4


def test_all_that_is_said_of_codes_is_what_each_says_alone(run: Run, tmp_path: Path) -> None:
    """And it takes one pass: nothing of the codes of other rows than training ones is read again."""
    alone = write_image_run(tmp_path / "alone", "a", tiny_samples(), shard_size=3)
    expected = {name: scores.values(alone, name) for name in scores.of_codes(alone)}
    derive.said_of_codes(run)
    assert all(scores.is_kept(run, name) for name in expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(scores.values(run, name), values)
    for k in (1, 2, 4, 8):
        ours, theirs = mixture.known_likelihoods(run, k), mixture.likelihoods(alone, k)
        assert ours is not None
        for name, values in vars(theirs).items():
            np.testing.assert_array_equal(getattr(ours, name), values)


def test_of_many_training_images_a_stated_sample_is_fitted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = mixture.of_training(run, 2), projection.pca_of(run)
    keys = mixture.about(run, 2, "diag", 0), projection._pca_parameters(run, 10, "training")
    assert not any("sample" in key for key in keys)
    assert latent.fitting_sample(run).words == "8 live training images"
    assert projection.pca_words(run) == "PCA fitted on the 8 live training images"

    monkeypatch.setattr(latent, "MOST_FITTED", 6)
    again = store.open_run(run.cache, "a")
    sample = latent.fitting_sample(again)
    assert sample.words == "6 of 8 live training images, drawn with seed 0"
    assert projection.pca_words(again) == "PCA fitted on 6 of 8 live training images, drawn with seed 0"
    assert projection.pca_words(again, "all").startswith("PCA fitted on 6 of 24 images, drawn with seed 0, attacks")
    assert mixture.known(again, 2) is None  # nothing of all of them passes for what is of the sample
    np.testing.assert_allclose(projection.pca_of(again).mean, run.latents()[sample.rows].mean(0), atol=1e-6)
    expected = mixture.fitted(run.latents()[sample.rows], 2)
    np.testing.assert_array_equal(mixture.of_training(again, 2).means, expected.means)
    parts = mixture.split(again)
    assert set(parts.fitted) | set(parts.held_out) == set(sample.rows)
    assert not np.allclose(usual[0].means, expected.means)
    assert np.isfinite(scores.values(again, "flow")).all()

    monkeypatch.setattr(latent, "MOST_FITTED", 8)
    np.testing.assert_array_equal(projection.pca_of(store.open_run(run.cache, "a")).mean, usual[1].mean)


def test_scores_of_many_codes_wait_until_somebody_has_them_computed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_CODES", 20)
    assert scores.waiting(run) == ["gmm_nll", "flow", "knn", "mahalanobis"]
    assert not set(scores.to_choose(run)) & {*scores.waiting(run), "mean_rank"}
    assert set(scores.waiting(run)) <= set(scores.on_demand(run))
    derive.Work(run, derive.parsed("score-gmm_nll")).compute()
    assert "gmm_nll" in scores.offered(run)
    assert scores.waiting(run) == ["flow", "knn", "mahalanobis"]
    assert not memo.is_kept(run.cache, "likelihoods", mixture.about(run, 1, "diag", 0))
    derive.Work(run, derive.parsed("scores-of-codes")).compute()
    assert scores.waiting(run) == []


@pytest.mark.parametrize("covariance", mixture.COVARIANCES)
def test_one_pass_in_batches_fits_as_well_as_steps_over_all(covariance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    centres, spreads = 3 * rng.normal(size=(6, 4)), rng.uniform(0.3, 1, (6, 4))
    which = rng.integers(0, 6, 12_000)
    z = (centres[which] + spreads[which] * rng.normal(size=(12_000, 4))).astype(np.float32)
    training, held_out = z[:10_000], z[10_000:]
    exact = mixture.fitted(training, 6, covariance).log_likelihood(held_out).mean()
    monkeypatch.setattr(em, "MOST_EXACT", 9_999)
    monkeypatch.setattr(em, "BATCH", 500)
    by_batches = mixture.fitted(training, 6, covariance)
    assert by_batches.weights.sum() == pytest.approx(1)
    assert by_batches.log_likelihood(held_out).mean() == pytest.approx(exact, abs=0.02)
    np.testing.assert_array_equal(by_batches.means, mixture.fitted(training, 6, covariance).means)
    ordered = mixture.fitted(training[np.argsort(training[:, 0])], 6, covariance)  # as people stand in a manifest
    assert ordered.log_likelihood(held_out).mean() == pytest.approx(exact, abs=0.05)
