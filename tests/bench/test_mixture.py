"""Measuring mixtures, on sizes that take no time; whether targets are met is the machine's affair."""

import numpy as np
import pytest

from fas_core.bench import mixture


def test_mixture_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, str, int]] = []
    real = mixture._scikit_learn

    def noted(z: np.ndarray, k: int, covariance: str) -> object:
        given.append((len(z), covariance, k))
        return real(z, k, covariance)

    monkeypatch.setattr(mixture, "_scikit_learn", noted)
    figures = mixture.figures(n=400, dimensions=4, ks=(1, 2))
    assert set(mixture.TARGETS) < set(figures)
    assert given == [
        (80, "diag", 1),
        (400, "diag", 1),
        (400, "diag", 2),
        (80, "full", 1),
        (400, "full", 1),
        (400, "full", 2),
    ]
    for covariance in ("diag", "full"):
        assert figures[covariance] == pytest.approx(
            figures[f"{covariance}_seconds"] / figures[f"{covariance}_scikit_learn_seconds"]
        )
        assert abs(figures[f"{covariance}_drop"]) < 0.02


def test_the_codes_are_a_crowd_with_noise_around() -> None:
    z = mixture._codes(2000, 64)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z, mixture._codes(2000, 64))
    np.testing.assert_allclose(z.var(0), 1 + mixture.NOISE**2, rtol=0.1)
    assert np.linalg.eigvalsh(np.cov(z.T)).min() > 0.5 * mixture.NOISE**2
