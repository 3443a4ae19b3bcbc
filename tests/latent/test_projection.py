"""PCA against the golden vectors, scikit-learn and float64; stratified samples; UMAP once."""

from __future__ import annotations

import dataclasses
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from fas_core import memo
from fas_core.errors import BadInputError
from fas_core.latent import projection
from fas_core.runs import store
from tests.conftest import tiny_samples


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


def in_float64(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variances descending, and directions in rows, from one product of everything."""
    z64 = z.astype(np.float64)
    variances, vectors = np.linalg.eigh(np.atleast_2d(np.cov(z64.T)))
    return z64.mean(0), variances[::-1], vectors.T[::-1]


@pytest.mark.parametrize(("offset", "scale"), [(0, 1), (100, 0.1), (-3, 1e-4)])
def test_float32_codes_lose_nothing_however_far_from_zero_they_lie(offset: float, scale: float) -> None:
    """As far as float32 holds them: the reference sees the same rounded codes."""
    rng = np.random.default_rng(2)
    spread = np.linspace(1, 0.05, 12) * scale
    z = (offset + rng.normal(size=(5_000, 12)) * spread @ np.linalg.qr(rng.normal(size=(12, 12)))[0]).astype(np.float32)
    mean, variances, directions = in_float64(z)
    pca = projection.fitted_pca(z, 12)
    np.testing.assert_allclose(pca.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(pca.explained, variances / variances.sum(), atol=1e-6)
    np.testing.assert_allclose(np.abs((pca.components * directions).sum(1)), 1, atol=1e-6)
    np.testing.assert_allclose(pca.components @ pca.components.T, np.eye(12), atol=1e-9)


def test_blocks_with_different_means_make_one_spread() -> None:
    """Subsets lie one after the other, so that blocks differ."""
    rng = np.random.default_rng(3)
    z = np.concatenate([rng.normal(20 * i, 1 + i, (n, 5)) for i, n in enumerate((900, 100, 1_500, 1_501))])
    for codes, tolerance in ((z, 1e-12), (z.astype(np.float32), 1e-6)):
        mean, variances, _ = in_float64(codes)
        pca = projection.fitted_pca(codes, 5)
        np.testing.assert_allclose(pca.mean, mean, rtol=1e-12)
        np.testing.assert_allclose(pca.explained, variances / variances.sum(), atol=tolerance)


def test_a_constant_dimension_takes_no_part() -> None:
    z = np.random.default_rng(4).normal(size=(3_000, 6)).astype(np.float32)
    z[:, 2] = 1234.567
    pca = projection.fitted_pca(z, 6)
    assert pca.mean[2] == np.float32(1234.567)
    np.testing.assert_allclose(pca.components[:5, 2], 0, atol=1e-6)
    np.testing.assert_allclose(pca.explained[5], 0, atol=1e-12)


def test_memory_is_that_of_a_block(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", np.random.default_rng(5).normal(size=(40_000, 32)).astype(np.float32))
    z = np.load(tmp_path / "z.npy", mmap_mode="r")
    projection.fitted_pca(z[:2_000])
    tracemalloc.start()
    projection.fitted_pca(z)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < z.nbytes / 5


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


def test_what_a_umap_has_seen_is_said(
    tmp_path: Path, image_run: Callable[..., store.Run], monkeypatch: pytest.MonkeyPatch, tiny_cache: Path
) -> None:
    def said(run: store.Run, n: int, how: projection.Umap = projection.USUAL) -> str:
        return projection.umap_words(how, n, len(projection.umap_rows(run, how.on)), len(run), run.latent_dim)

    few, many = store.open_run(tiny_cache, "a"), image_run(tmp_path, "wide", tiny_samples(), dimensions=64)
    assert said(few, 24) == "UMAP fitted on all 24 images"
    assert said(many, 24) == "UMAP fitted on the first 50 of 64 principal components of all 24 images"
    nearest = ", the others placed between their nearest"
    on_training = projection.Umap(on="training")
    assert said(few, 8, on_training) == f"UMAP fitted on all 8 live training images{nearest}"
    monkeypatch.setattr(projection, "UMAP_LIMIT", 1000)
    expected = f"the first 50 of 64 principal components of 10 of 24 images (at most 1,000){nearest}"
    assert said(many, 10) == f"UMAP fitted on {expected}"


def test_coordinates_of_a_run_are_those_of_all_its_codes_in_order(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    pca = projection.pca_of(run)
    assert len(run.shards) > 1
    coordinates = projection.coordinates(run, pca)
    assert coordinates.dtype == np.float32
    np.testing.assert_allclose(coordinates, (run.latents() - pca.mean) @ pca.components.T, atol=1e-6)


def test_results_stored_by_another_version_are_not_found(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    older = {"run": run.digest, "seed": 0, "neighbours": 15, "min_dist": 0.1, "limit": 20_000}
    memo.arrays(run.cache, "umap", older, lambda: {"rows": np.arange(3), "points": np.zeros((3, 2), np.float32)})
    assert projection.known_umap(run) is None


def test_a_pca_of_all_codes_is_kept_beside_that_of_training_codes(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    training = projection.pca_of(run)
    everything = projection.pca_of(run, on="all")
    np.testing.assert_allclose(everything.mean, run.latents().mean(0), atol=1e-6)
    np.testing.assert_array_equal(projection.pca_of(run).mean, training.mean)
    assert not np.allclose(training.mean, everything.mean)
    assert memo.found(run.cache, "pca", {"run": run.digest, "k": 10}) is not None  # as it has always been kept


def test_a_pca_is_at_hand_when_it_is_small_or_stored(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    assert projection.is_pca_at_hand(run, "all")
    monkeypatch.setattr(projection, "QUICK", 8 * 8**2)  # enough for the eight training codes
    assert projection.is_pca_at_hand(run, "training")
    assert not projection.is_pca_at_hand(run, "all")
    projection.pca_of(run, on="all")
    assert projection.is_pca_at_hand(run, "all")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"neighbours": 1}, "neighbours 1: choose from 2 to 200"),
        ({"min_dist": 1.0}, "min_dist 1.0: choose from 0.0 to 0.99"),
        ({"min_dist": float("nan")}, "min_dist nan"),
        ({"seed": -1}, "seed -1"),
        ({"on": "attacks"}, "fitted on 'attacks': choose training or all"),
    ],
)
def test_umaps_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(said)):
        projection.Umap(**settings)


def test_scores_only_runs_have_no_umap(tiny_cache: Path) -> None:
    with pytest.raises(BadInputError, match="Run vendor holds scores only"):
        projection.umap_of(store.open_run(tiny_cache, "vendor"))


def test_umap_with_a_seed_is_reproducible_and_stored_and_a_sample_carries_the_rest(
    tmp_path: Path, image_run: Callable[..., store.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiles UMAP once (10 to 40 s): the only test that does."""
    n = 120
    is_attack = np.arange(n) >= 80
    samples = pd.DataFrame(
        {
            "sample_id": [f"i{i}" for i in range(n)],
            "label": np.where(is_attack, "attack", "bona_fide"),
            "pai_species": np.where(is_attack, "paper", ""),
            "subset": np.where(np.arange(n) < 60, "train", "test"),
        }
    )
    first, second = (image_run(tmp_path / name, "run", samples, shard_size=50) for name in ("one", "two"))
    assert projection.known_umap(first) is None
    umap = projection.umap_of(first)
    assert umap.points.shape == (n, 2)
    assert np.isfinite(umap.points).all()
    np.testing.assert_array_equal(umap.fitted, np.arange(n))
    known = projection.known_umap(first)
    assert known is not None
    np.testing.assert_array_equal(known.points, umap.points)
    assert projection.known_umap(first, projection.Umap(seed=1)) is None
    np.testing.assert_array_equal(projection.umap_of(second).points, umap.points)

    monkeypatch.setattr(projection, "UMAP_LIMIT", 60)
    assert projection.known_umap(first) is None
    sampled = projection.umap_of(first)
    assert np.isin(sampled.fitted, first.rows_of("train")).sum() == 30
    assert len(sampled.fitted) == 60
    others = np.setdiff1d(np.arange(n), sampled.fitted)
    z = first.latents()
    for row in others:  # between three of the fitted ones
        apart = np.linalg.norm(z[sampled.fitted] - z[row], axis=1)
        nearest = np.argsort(apart)[:3]
        weights = apart[nearest] ** -2.0
        expected = weights @ sampled.points[sampled.fitted[nearest]] / weights.sum()
        np.testing.assert_allclose(sampled.points[row], expected, atol=1e-3)

    z = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    points = projection.laid_out(z)  # copies of fitted codes lie where those do
    np.testing.assert_allclose(projection.placed(z[:20], z, points), points[:20], atol=1e-5)

    how, told = projection.Umap(8, 0.5, 3, "training"), list[float]()
    trained = projection.umap_of(first, how, told.append)
    np.testing.assert_array_equal(trained.fitted, first.rows_of("train"))
    assert np.isfinite(trained.points).all()
    assert projection.known_umap(first, projection.Umap(8, 0.5, 3)) is None
    assert projection.known_umap(first, how) is not None
    assert (told[0], told[-1]) == (projection.FOUND, 1.0)
    assert told == sorted(told)
    assert sum(projection.BEGUN <= share < projection.LAID_OUT for share in told) >= 1

    for odd in (
        np.zeros((40, 4)),
        np.arange(40.0)[:, None],
        np.repeat(np.eye(2), 20, 0),
    ):  # equal, on a line, two kinds
        assert np.isfinite(projection.laid_out(odd.astype(np.float32))).all()


def test_where_codes_of_a_large_run_lie_is_kept(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    pca = projection.pca_of(run)
    places = projection.coordinates(run, pca)
    monkeypatch.setattr(projection, "LARGE", 1)
    first = projection.first_plane(run, pca)
    np.testing.assert_allclose(first, places[:, :2], rtol=1e-5, atol=1e-5)
    with monkeypatch.context() as unreadable:
        unreadable.setattr(store.Shard, "array", lambda *_: pytest.fail("codes were read again"))
        np.testing.assert_array_equal(projection.first_plane(run, pca), first)
    across = dataclasses.replace(pca, components=pca.components[[1, 0]])
    np.testing.assert_allclose(projection.coordinates(run, across), first[:, ::-1], rtol=1e-5, atol=1e-5)
