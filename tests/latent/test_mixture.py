"""Mixtures against the golden vectors, scikit-learn and SciPy; the memo; what is said per subset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from fas_core.errors import BadInputError
from fas_core.latent import mixture, passes, training_rows
from fas_core.latent.mixture import Mixture
from fas_core.runs import store

GOLDEN = "golden/gmm_golden.npz"
SETS = ("train", "shift_mean", "shift_scale", "mix")


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / GOLDEN, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture
def run(tiny_cache: Path) -> store.Run:
    return store.open_run(tiny_cache, "a")


@pytest.mark.parametrize("covariance", mixture.COVARIANCES)
@pytest.mark.parametrize("k", [1, 2, 8])
def test_log_likelihood_equals_the_golden_one(golden: dict[str, np.ndarray], k: int, covariance: str) -> None:
    stem = f"{covariance}_k{k}_"
    stored = Mixture(golden[stem + "weights"], golden[stem + "means"], golden[stem + "covariances"])
    assert stored.n_parameters == golden[stem + "n_parameters"]
    for name in SETS:
        np.testing.assert_allclose(
            stored.log_likelihood(golden[f"z_{name}"]), golden[f"{stem}ll_{name}"], rtol=0, atol=1e-8
        )
    training = stored.log_likelihood(golden["z_train"])
    np.testing.assert_allclose(stored.bic(training), golden[stem + "bic"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(stored.aic(training), golden[stem + "aic"], rtol=0, atol=1e-8)


@pytest.mark.parametrize("covariance", mixture.COVARIANCES)
@pytest.mark.parametrize(("k", "tolerance"), [(1, 1e-9), (2, 1e-4), (8, 0.1)])
def test_a_fit_is_about_as_good_as_the_golden_one(
    golden: dict[str, np.ndarray], k: int, tolerance: float, covariance: str
) -> None:
    """The golden fits are the best of five starts; ours is one start, so it may end a little lower."""
    z = golden["z_train"]
    mean = mixture.fitted(z, k, covariance).log_likelihood(z).mean()
    assert mean == pytest.approx(float(golden[f"{covariance}_k{k}_mean_train"]), abs=tolerance)


@pytest.mark.parametrize("covariance", mixture.COVARIANCES)
def test_log_likelihood_equals_scipys_density(covariance: str) -> None:
    rng = np.random.default_rng(0)
    k, d = 3, 5
    means, weights = rng.normal(0, 3, (k, d)) + 100, np.array([0.2, 0.3, 0.5])
    roots = rng.normal(size=(k, d, d))
    full = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(d)
    covariances = full if covariance == "full" else np.array([np.diag(c) for c in full])
    z = rng.normal(100, 4, (50, d)).astype(np.float32)
    expected = logsumexp(
        [
            np.log(w) + multivariate_normal(m, c if covariance == "full" else np.diag(c)).logpdf(z.astype(float))
            for w, m, c in zip(weights, means, covariances, strict=True)
        ],
        axis=0,
    )
    np.testing.assert_allclose(Mixture(weights, means, covariances).log_likelihood(z), expected, rtol=0, atol=1e-8)


def test_likelihood_of_each_code_does_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.random.default_rng(1).normal(size=(23, 4))
    fit = mixture.fitted(z, 2)
    together = fit.log_likelihood(z)
    monkeypatch.setattr(passes, "ROWS", 5)
    np.testing.assert_allclose(fit.log_likelihood(z), together, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fit.log_likelihood(z[::-1]), together[::-1], rtol=0, atol=1e-12)
    assert fit.log_likelihood(z[:0]).shape == (0,)


def test_dimensions_without_spread_stay_finite() -> None:
    """A collapsed dimension of the code has no variance: the regularisation keeps the density finite."""
    z = np.random.default_rng(2).normal(size=(40, 3)) * [1, 0, 1]
    assert np.isfinite(mixture.fitted(z, 2).log_likelihood(z + 0.01)).all()


def test_more_components_than_codes_are_refused() -> None:
    with pytest.raises(BadInputError, match="8 components need at least 8 training images; there are 5"):
        mixture.fitted(np.zeros((5, 2)), 8)


def test_full_covariances_need_more_codes_than_dimensions() -> None:
    assert mixture.is_estimable(1264, 16, 64, "full")
    assert not mixture.is_estimable(1264, 32, 64, "full")
    assert mixture.is_estimable(1264, 128, 64, "diag")
    assert not mixture.is_estimable(100, 128, 64, "diag")


def test_a_mixture_is_fitted_once_on_the_live_training_codes_alone(
    run: store.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mixture.known(run, 2) is None
    first = mixture.of_training(run, 2)
    z = run.latents()[training_rows(run)]
    assert len(z) == 8
    np.testing.assert_allclose(first.weights @ first.means, z.mean(0), atol=1e-6)
    monkeypatch.setattr(mixture, "fitted", lambda *_: pytest.fail("fitted a second time"))
    again = mixture.of_training(run, 2)
    np.testing.assert_array_equal(again.covariances, first.covariances)
    known = mixture.known(run, 2)
    assert known is not None
    np.testing.assert_array_equal(known.means, first.means)
    assert mixture.known(run, 2, "full") is None
    assert mixture.known(run, 4) is None


@pytest.mark.parametrize("covariance", mixture.COVARIANCES)
def test_each_code_is_placed_by_its_largest_posterior(covariance: str) -> None:
    """Equation of thesis section 2.5.1, written out."""
    z = np.random.default_rng(3).normal(size=(40, 2))
    fit = mixture.fitted(z, 3, covariance)
    full = fit.covariances if covariance == "full" else np.array([np.diag(c) for c in fit.covariances])
    joint = np.array(
        [w * multivariate_normal(m, c).pdf(z) for w, m, c in zip(fit.weights, fit.means, full, strict=True)]
    )
    values, component, responsibility = fit.placed(z)
    np.testing.assert_allclose(values, np.log(joint.sum(0)), atol=1e-10)
    np.testing.assert_array_equal(component, joint.argmax(0))
    np.testing.assert_allclose(responsibility, joint.max(0) / joint.sum(0), atol=1e-6)


@pytest.mark.parametrize("covariance", mixture.COVARIANCES)
def test_ellipses_are_what_projected_codes_of_a_component_have(covariance: str) -> None:
    rng = np.random.default_rng(4)
    root = rng.normal(size=(4, 4)) if covariance == "full" else np.diag([3.0, 1, 2, 0.5])
    cloud = rng.normal(size=(4000, 4)) @ root.T + 7
    fit = mixture.fitted(cloud, 1, covariance)
    axes, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    centre = np.full(4, 5.0)
    means, spreads = fit.ellipses(axes[:2], centre)
    projected = (cloud - centre) @ axes[:2].T
    np.testing.assert_allclose(means[0], projected.mean(0), atol=1e-9)
    tolerance = 1e-5 if covariance == "full" else 0.2  # a diagonal one leaves out what the sample's axes correlate
    np.testing.assert_allclose(spreads[0], np.cov(projected.T, bias=True), atol=tolerance)


def test_principal_components_are_those_of_training(run: store.Run) -> None:
    rows = np.arange(len(run))
    np.testing.assert_array_equal(mixture.codes(run, rows), run.latents())
    reduced = mixture.codes(run, rows, 2)
    training = run.latents()[training_rows(run)].astype(float)
    centred = training - training.mean(0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    plane = (run.latents() - training.mean(0)) @ vectors[:, :-3:-1]
    np.testing.assert_allclose(np.abs(reduced), np.abs(plane), atol=1e-4)
    fit = mixture.of_training(run, 2, "full", 2)
    assert fit.means.shape == (2, 2)
    np.testing.assert_allclose(fit.weights @ fit.means, 0, atol=1e-5)
    assert mixture.known(run, 2, "full") is None


def test_dimensions_and_components_that_so_few_codes_have() -> None:
    assert mixture.dimensions_of(64, 1000) == [0, 2, 8, 16, 32]
    assert mixture.dimensions_of(16, 1000) == [0, 2, 8]
    assert mixture.dimensions_of(64, 8) == [0, 2]
    assert mixture.components_of(9) == [1, 2, 4, 8]
    assert mixture.components_of(1) == []


def samples_of(subjects: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": [f"i{i}" for i in range(len(subjects))],
            "label": "bona_fide",
            "pai_species": "",
            "subject_id": subjects,
            "subset": "train",
        }
    )


def test_whole_subjects_are_held_out(tmp_path: Path, image_run: Callable[..., store.Run]) -> None:
    subjects = np.repeat([f"s{i}" for i in range(10)], 3)
    parts = mixture.split(image_run(tmp_path, "a", samples_of(subjects.tolist())))
    assert (parts.unit, parts.n_held) == ("subjects", 2)
    assert len(parts.held_out) == 6
    assert not set(subjects[parts.held_out]) & set(subjects[parts.fitted])
    assert sorted([*parts.held_out, *parts.fitted]) == list(range(30))


@pytest.mark.parametrize("subjects", [["s0"] * 10, ["s0", "s1"] * 4 + ["", "s1"]])
def test_images_are_held_out_where_subjects_are_not_named(
    tmp_path: Path, image_run: Callable[..., store.Run], subjects: list[str]
) -> None:
    parts = mixture.split(image_run(tmp_path, "a", samples_of(subjects)))
    assert (parts.unit, parts.n_held, len(parts.held_out), len(parts.fitted)) == ("images", 2, 2, 8)


@pytest.mark.parametrize("dimensions", [0, 2])
def test_likelihoods_of_a_run_and_of_what_was_held_out(run: store.Run, dimensions: int) -> None:
    assert mixture.known_likelihoods(run, 2, "diag", dimensions) is None
    likelihoods = mixture.likelihoods(run, 2, "diag", dimensions)
    fitted = mixture.of_training(run, 2, "diag", dimensions)
    np.testing.assert_array_equal(
        likelihoods.log_likelihood, fitted.log_likelihood(mixture.codes(run, np.arange(24), dimensions))
    )
    parts = mixture.split(run)
    fit, held = (run.latents()[rows].astype(float) for rows in (parts.fitted, parts.held_out))
    if dimensions:  # in components of the fitted images alone
        centred = fit - fit.mean(0)
        axes = np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
        fit, held = centred @ axes, (held - fit.mean(0)) @ axes
    expected = mixture.fitted(fit, 2).log_likelihood(held).mean()
    assert float(likelihoods.held_out) == pytest.approx(expected, rel=1e-3)
    again = mixture.known_likelihoods(run, 2, "diag", dimensions)
    assert again is not None
    np.testing.assert_array_equal(again.component, likelihoods.component)


def test_too_few_to_hold_any_out_is_undefined(run: store.Run) -> None:
    assert np.isnan(mixture.likelihoods(run, 8).held_out)  # 8 of 8 images
    assert np.isnan(mixture.likelihoods(run, 1, "full").held_out)  # 8 dimensions


def test_auc_per_species_counts_pairs() -> None:
    samples = pd.DataFrame(
        {
            "label": ["bona_fide", "bona_fide", "attack", "attack", "attack"],
            "pai_species": ["", "", "paper", "paper", "mask"],
        }
    )
    log_likelihood = np.array([0.0, -2.0, -1.0, -3.0, -2.0])
    assert mixture.auc_per_species(samples, log_likelihood) == {"mask": 0.75, "paper": 0.75}
    assert mixture.auc_per_species(samples[2:], log_likelihood[2:]) == {}
    assert mixture.auc_per_species(samples[:2], log_likelihood[:2]) == {}


def test_per_subset_says_none_where_there_is_nothing_to_compare(image_run: Callable[..., store.Run]) -> None:
    samples = pd.DataFrame(
        {
            "subset": ["train"] * 4 + ["dev"] * 4 + ["test"],
            "label": ["bona_fide"] * 6 + ["attack"] * 3,
            "pai_species": [""] * 6 + ["paper", "", "mask"],
        }
    )
    value = np.array([0.0, 1, 2, 3, 1, -1, -5, 5, -9])
    table = mixture.per_subset(samples, value, value[:4]).set_index(["subset", "label", "pai_species"])
    assert table.loc[("dev", "attack", "paper"), "auc"] == 1.0
    assert table.loc[("dev", "attack", ""), "auc"] == 0.0
    assert np.isnan(table.loc[("test", "attack", "mask"), "auc"])
    assert table["auc"].loc[pd.IndexSlice[:, "bona_fide"]].isna().all()
    # The 5th percentile of 0, 1, 2, 3 is 0.15.
    assert table.loc[("train", "bona_fide", ""), "below"] == 0.25
    assert table.loc[("dev", "bona_fide", ""), ["n", "mean", "median", "below"]].tolist() == [2, 0.0, 0.0, 0.5]
