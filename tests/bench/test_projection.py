"""Measuring PCA and UMAP, on sizes that take no time; whether targets are met is the machine's affair."""

from pathlib import Path

import numpy as np
import pytest

from fas_core import memo
from fas_core.bench import projection
from fas_core.latent import projection as measured


def test_projection_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """umap-learn is a stand-in here: compiling it takes most of a minute."""
    given: list[tuple[int, ...]] = []

    def two_dimensions(z: np.ndarray) -> np.ndarray:
        given.append(z.shape)
        return z[:, :2]

    monkeypatch.setattr(projection, "_umap_learn", two_dimensions)
    monkeypatch.setattr(measured, "laid_out", lambda z, *_: z[:, :2])
    figures = projection.figures(n_pca=1_500, n_umap=300, dimensions=24, judged=200)
    assert set(projection.TARGETS) < set(figures)
    assert given == [(300, 24), (300, 24)]  # warming, measured
    assert figures["umap"] == pytest.approx(figures["ours_seconds"] / figures["umap_learn_seconds"])
    ours, theirs = figures["ours_trustworthiness"], figures["umap_learn_trustworthiness"]
    assert 0.5 < theirs < ours < 1  # the first two principal components keep more than any two dimensions
    assert figures["trustworthiness_difference"] == pytest.approx(ours - theirs)


def test_the_codes_lie_on_few_dimensions_with_noise_around(tmp_path: Path) -> None:
    z = projection._codes(3_000, 64)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z, projection._codes(3_000, 64))
    explained = measured.fitted_pca(z, 64).explained
    assert explained[:40].sum() > 0.9
    assert explained[-1] > 0
    run = projection._run_of(tmp_path, "codes", z)
    assert (len(run), len(run.shards)) == (3_000, 3)
    np.testing.assert_array_equal(run.latents(), z)


def test_nothing_stored_is_measured(tmp_path: Path) -> None:
    run = projection._run_of(tmp_path, "codes", projection._codes(100, 8))
    measured.pca_of(run)
    assert memo.folder(run.cache).exists()
    assert projection._forgetful(run) is run
    assert not memo.folder(run.cache).exists()
