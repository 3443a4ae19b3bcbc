"""Expectation maximisation against its own equations, scikit-learn, and itself on another number of cores."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from fas_core.latent import em


def clusters(n: int = 3000, d: int = 5, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(3, d, d)) / np.sqrt(d)
    which = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    return 4 * rng.normal(size=(3, d))[which] + np.einsum("nde,ne->nd", roots[which], rng.normal(size=(n, d)))


@pytest.mark.parametrize("covariance", ["diag", "full"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clear_clusters_are_found_as_scikit_learn_finds_them(covariance: str, dtype: type) -> None:
    z = clusters().astype(dtype)
    ours = em.fitted(z, 3, covariance, 0)
    theirs = GaussianMixture(3, covariance_type=covariance, tol=1e-9, random_state=0).fit(z.astype(float))
    order = np.argsort(-theirs.weights_)
    np.testing.assert_allclose(ours.weights, theirs.weights_[order], atol=2e-3)
    np.testing.assert_allclose(ours.means, theirs.means_[order], atol=2e-2)
    np.testing.assert_allclose(ours.covariances, theirs.covariances_[order], atol=5e-2)


@pytest.mark.parametrize("covariance", ["diag", "full"])
def test_one_component_has_the_moments_of_the_codes(covariance: str) -> None:
    z = clusters() * [1, 1e-3, 1, 1e3, 1] + 1e4
    ours = em.fitted(z, 1, covariance, 0)
    expected = np.cov(z.T, bias=True) + em.REGULARISATION * np.eye(5)
    assert ours.weights.tolist() == [1]
    np.testing.assert_allclose(ours.means[0], z.mean(0), rtol=1e-12)
    np.testing.assert_allclose(
        ours.covariances[0], expected if covariance == "full" else np.diag(expected), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("covariance", ["diag", "full"])
def test_the_result_is_the_same_on_any_number_of_cores(covariance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    z = clusters(4000).astype(np.float32)
    monkeypatch.setattr(em, "START_CODES", 1000)
    first = em.fitted(z, 4, covariance, 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    again = em.fitted(z, 4, covariance, 0)
    for name in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (np.diff(first.weights) <= 0).all()
    assert not np.array_equal(first.means, em.fitted(z, 4, covariance, 1).means)


@pytest.mark.parametrize("covariance", ["diag", "full"])
def test_the_moments_of_a_mixture_are_those_of_the_codes(covariance: str) -> None:
    """A property of every maximisation, also where components overlap and each code belongs to several."""
    z = np.random.default_rng(0).normal(size=(500, 3)) + 5
    ours = em.fitted(z, 3, covariance, 0)
    assert (ours.weights > 0.1).all()
    np.testing.assert_allclose(ours.weights @ ours.means, z.mean(0), atol=1e-6)
    full = ours.covariances if covariance == "full" else np.array([np.diag(c) for c in ours.covariances])
    second = np.einsum("k,kde->de", ours.weights, full + ours.means[:, :, None] * ours.means[:, None, :])
    expected = z.T @ z / len(z) + em.REGULARISATION * np.eye(3)
    if covariance == "diag":
        second, expected = np.diag(second), np.diag(expected)
    np.testing.assert_allclose(second, expected, atol=1e-5)


@pytest.mark.parametrize("is_full", [False, True])
def test_small_variances_are_treated_in_float64(is_full: bool) -> None:
    codes = em._codes(clusters().astype(np.float32))
    with ThreadPoolExecutor(1) as pool:
        work = em._Work(pool, is_full, np.full(5, 1e-9))
        for variance, dtype in ((1e-3, np.float32), (1e-5, np.float64)):
            covariances = np.full((1, 5), variance) if not is_full else variance * np.eye(5)[None]
            responsibilities, _ = work.expected(codes, em.Parameters(np.ones(1), np.zeros((1, 5)), covariances))
            assert responsibilities.dtype == dtype


def test_the_likelier_start_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of k-means that put all centres into one corner loses against one that found the clusters."""
    z = clusters()
    real = em._centres
    seeds = []

    def one_is_bad(codes: em._Codes, k: int, seed: int) -> np.ndarray:
        seeds.append(seed)
        return real(codes, k, seed) if seed % 2 else np.full((k, 5), 99.0, np.float32) + np.eye(k, 5)

    monkeypatch.setattr(em._Work, "converged", lambda self, codes, start: start)
    expected = em.fitted(z, 3, "diag", 0)
    monkeypatch.setattr(em, "_centres", one_is_bad)
    ours = em.fitted(z, 3, "diag", 0)
    assert sorted(seeds) == [0, 1]
    np.testing.assert_allclose(ours.means, expected.means, atol=0.02)


def test_identical_codes_need_no_warning() -> None:
    ours = em.fitted(np.ones((10, 3), np.float32), 4, "full", 0)
    np.testing.assert_allclose(ours.covariances[0], em.REGULARISATION * np.eye(3))
    assert ours.weights.sum() == pytest.approx(1)
