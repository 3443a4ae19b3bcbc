"""Mixtures against the golden vectors, scikit-learn and SciPy; the memo; what is said per subset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from fas_core import store
from fas_core.analysis import mixture, training_rows
from fas_core.analysis.mixture import Mixture
from fas_core.errors import BadInputError

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
    one = Mixture(golden[stem + "weights"], golden[stem + "means"], golden[stem + "covariances"])
    assert one.n_parameters == golden[stem + "n_parameters"]
    for name in SETS:
        np.testing.assert_allclose(
            one.log_likelihood(golden[f"z_{name}"]), golden[f"{stem}ll_{name}"], rtol=0, atol=1e-8
        )


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
    one = mixture.fitted(z, 2)
    together = one.log_likelihood(z)
    monkeypatch.setattr(mixture, "_ROWS_AT_ONCE", 5)
    np.testing.assert_allclose(one.log_likelihood(z), together, rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.log_likelihood(z[::-1]), together[::-1], rtol=0, atol=1e-12)
    assert one.log_likelihood(z[:0]).shape == (0,)


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
    found = mixture.known(run, 2)
    assert found is not None
    np.testing.assert_array_equal(found.means, first.means)
    assert mixture.known(run, 2, "full") is None
    assert mixture.known(run, 4) is None


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
