"""PCA against the golden vectors and scikit-learn; stratified samples; UMAP once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from fas_core import store
from fas_core.analysis import projection
from fas_core.errors import BadInputError


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden/gmm_golden.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def test_pca_equals_the_golden_one(golden: dict[str, np.ndarray]) -> None:
    pca = projection.fitted_pca(golden["z_train"], 16)
    np.testing.assert_allclose(pca.mean, golden["pca_mean"], atol=1e-12)
    np.testing.assert_allclose(pca.components, golden["pca_components"], atol=1e-9)
    np.testing.assert_allclose(pca.explained, golden["pca_explained_variance_ratio"], atol=1e-12)
    np.testing.assert_allclose(pca.applied(golden["z_train"][:5]), golden["pca_transform_first5"], atol=1e-9)


def test_pca_equals_scikit_learns_up_to_signs_with_fewer_codes_than_dimensions() -> None:
    z = np.random.default_rng(0).normal(size=(12, 30))
    pca, reference = projection.fitted_pca(z, 5), PCA(5, svd_solver="full").fit(z)
    np.testing.assert_allclose(np.abs(pca.components), np.abs(reference.components_), atol=1e-9)
    np.testing.assert_allclose(pca.explained, reference.explained_variance_ratio_, atol=1e-12)


def test_signs_are_fixed_so_that_the_largest_entry_is_positive() -> None:
    components = projection.fitted_pca(np.random.default_rng(1).normal(size=(50, 6))).components
    assert (components[np.arange(6), np.abs(components).argmax(1)] > 0).all()


def test_codes_without_spread_explain_nothing() -> None:
    pca = projection.fitted_pca(np.ones((4, 3)))
    assert pca.explained.tolist() == [0, 0, 0]
    assert np.isfinite(pca.applied(np.ones((4, 3)))).all()


def test_one_code_has_no_principal_components() -> None:
    with pytest.raises(BadInputError, match="at least two codes"):
        projection.fitted_pca(np.ones((1, 3)))


def test_pca_of_a_run_is_fitted_on_its_live_training_codes(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    rows, is_training = projection.pca_rows(run)
    assert (len(rows), is_training) == (8, True)
    np.testing.assert_allclose(projection.pca_of(run).mean, run.latents()[run.rows_of("train")].mean(0), atol=1e-6)


def test_pca_of_a_run_without_training_images_is_fitted_on_all(
    tmp_path: Path, image_run: Callable[..., store.Run]
) -> None:
    samples = pd.DataFrame({"sample_id": list("abcdef"), "label": "bona_fide", "pai_species": "", "subset": "test"})
    run = image_run(tmp_path, "untrained", samples)
    rows, is_training = projection.pca_rows(run)
    assert (len(rows), is_training) == (6, False)
    np.testing.assert_allclose(projection.pca_of(run).mean, run.latents().mean(0), atol=1e-6)


def test_samples_keep_the_shares_of_the_groups() -> None:
    groups = np.repeat(["common", "rare", "single"], [9_000, 990, 1])
    rows = projection.sampled_rows(groups, 1_000, seed=0)
    assert (np.diff(rows) > 0).all()
    names, counts = np.unique(groups[rows], return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"common": 901, "rare": 99, "single": 1}
    np.testing.assert_array_equal(rows, projection.sampled_rows(groups, 1_000, seed=0))
    assert not np.array_equal(rows, projection.sampled_rows(groups, 1_000, seed=1))


def test_few_rows_are_all_kept() -> None:
    np.testing.assert_array_equal(projection.sampled_rows(np.array(["a", "b"]), 2, seed=0), [0, 1])


def test_umap_of_too_few_images_is_refused(tmp_path: Path, image_run: Callable[..., store.Run]) -> None:
    samples = pd.DataFrame({"sample_id": list("abcdef"), "label": "bona_fide", "pai_species": "", "subset": "train"})
    with pytest.raises(BadInputError, match="UMAP needs more than 15 images; Run few has 6"):
        projection.umap_of(image_run(tmp_path, "few", samples))


def test_umap_with_a_seed_is_reproducible_and_stored(tmp_path: Path, image_run: Callable[..., store.Run]) -> None:
    """Compiles UMAP once (10 to 40 s): the only test that does."""
    n = 60
    samples = pd.DataFrame(
        {
            "sample_id": [f"i{i}" for i in range(n)],
            "label": np.where(np.arange(n) < 40, "bona_fide", "attack"),
            "pai_species": np.where(np.arange(n) < 40, "", "paper"),
            "subset": np.where(np.arange(n) < 30, "train", "test"),
        }
    )
    first, second = (image_run(tmp_path / name, "run", samples, shard_size=n) for name in ("one", "two"))
    assert projection.known_umap(first) is None
    made = projection.umap_of(first)
    assert made.points.shape == (n, 2)
    assert np.isfinite(made.points).all()
    np.testing.assert_array_equal(made.rows, np.arange(n))
    known = projection.known_umap(first)
    assert known is not None
    np.testing.assert_array_equal(known.points, made.points)
    assert projection.known_umap(first, seed=1) is None
    np.testing.assert_array_equal(projection.umap_of(second).points, made.points)
