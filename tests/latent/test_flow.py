"""The flow is a density: of Gaussian codes the Gaussian's, with an exact Jacobian, that integrates to one."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from fas_core import memo, scores
from fas_core.latent import flow
from fas_core.runs import store
from tests.conftest import tiny_samples, write_image_run


def bent(n: int, seed: int) -> np.ndarray:
    """(n, 2) codes along a parabola, which no Gaussian describes."""
    x, noise = np.random.default_rng(seed).normal(size=(2, n))
    return np.stack([2 * x, x**2 + 0.3 * noise], axis=1)


def test_of_gaussian_codes_it_is_their_gaussian() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 4))
    z, other = (5 + rng.normal(size=(n, 4)) @ mixing for n in (6000, 500))
    expected = multivariate_normal(np.full(4, 5.0), mixing.T @ mixing).logpdf(other)
    assert np.abs(flow.fitted(z, 0).log_likelihood(other) - expected).mean() < 0.06
    assert np.abs(flow.fitted(z, 2).log_likelihood(other) - expected).mean() < 0.15


def test_the_jacobian_is_that_of_finite_differences() -> None:
    """Also far outside of what it was fitted on, where it stays finite and monotone."""
    fitted, step = flow.fitted(bent(2000, 1), 4), 1e-6
    for point in np.array([[0.3, 0.5], [2.0, 1.0], [-1.0, 4.0], [40.0, -300.0]]):
        columns = [
            (fitted.transformed((point + by)[None])[0] - fitted.transformed((point - by)[None])[0])[0] / (2 * step)
            for by in step * np.eye(2)
        ]
        expected = np.log(np.abs(np.linalg.det(np.stack(columns))))
        assert fitted.transformed(point[None])[1][0] == pytest.approx(expected, abs=1e-3)
    away = fitted.log_likelihood(np.array([[0.0, 1.0]]) * np.array([[10.0], [100.0], [1e4], [1e6]]))
    assert np.isfinite(away).all()
    assert (np.diff(away) < 0).all()


def test_it_integrates_to_one_and_finds_the_bend() -> None:
    z = bent(3000, 2)
    layers = flow.n_layers(z[:2400], z[2400:])
    assert layers > 1
    fitted = flow.fitted(z, layers)
    x, y = np.meshgrid(np.arange(-12, 12, 0.05), np.arange(-6, 30, 0.05), indexing="ij")
    grid = np.exp(fitted.log_likelihood(np.stack([x.ravel(), y.ravel()], axis=1)))
    assert grid.sum() * 0.05**2 == pytest.approx(1, abs=0.01)
    other = bent(1000, 3)
    assert abs(fitted.transformed(other)[0].std(axis=0) - 1).max() < 0.25
    assert fitted.log_likelihood(other).mean() > flow.fitted(z, 0).log_likelihood(other).mean() + 0.3
    assert flow.n_layers(z[:100], z[2400:]) == 0  # too few for quantiles
    assert flow.n_layers(z, z[:0]) == 0


def test_codes_that_do_not_differ_are_left_as_they_are() -> None:
    z = np.column_stack([np.random.default_rng(4).normal(size=400), np.ones(400)])
    assert np.isfinite(flow.fitted(z, 2).log_likelihood(np.array([[0.0, 1.0], [0.0, 2.0]]))).all()


def test_the_score_is_fitted_on_live_training_images_alone(tmp_path: Path) -> None:
    """Attacks of whatever codes change nothing: layers too are chosen without them."""
    run = write_image_run(tmp_path, "a", tiny_samples())
    training = np.asarray(run.latents()[run.rows_of("train")])
    expected = -flow.fitted(training, 0).log_likelihood(run.latents())
    np.testing.assert_allclose(scores.values(run, "flow"), expected, rtol=1e-12)
    np.testing.assert_allclose(scores.values(store.opened(run.folder), "flow"), expected, rtol=1e-12)
    assert memo.found(run.cache, "flow", {"run": run.shards_digest, "format": 1}) is not None
