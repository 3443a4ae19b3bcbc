"""Joining samples, one frame for several checkpoints, centroids, and distances that no turning of the axes changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from fas_core.evaluation.join import common_rows
from fas_core.latent import frames


def table(*names: str) -> pd.DataFrame:
    """ "live/a": sample a of subset live."""
    split = [name.split("/") for name in names]
    return pd.DataFrame({"sample_id": [parts[1] for parts in split], "subset": [parts[0] for parts in split]})


def rows(*tables: pd.DataFrame) -> list[list[int]]:
    return [of_table.tolist() for of_table in common_rows(tables)]


def test_samples_are_joined_by_id_whatever_their_order_and_subset() -> None:
    a, b = table("live/x", "live/y", "train/z"), table("dev/z", "dev/w", "dev/x")
    assert rows(a, b) == [[0, 2], [2, 0]]
    assert rows(a, a) == [[0, 1, 2], [0, 1, 2]]
    assert rows(a, b, table("live/x")) == [[0], [2], [0]]
    assert rows(a, table("live/q")) == [[], []]


def test_an_id_in_two_subsets_is_two_samples() -> None:
    a, b = table("live/x", "paper/x", "live/y"), table("paper/x", "live/y", "live/x")
    assert rows(a, b) == [[0, 1, 2], [2, 0, 1]]
    assert rows(a, table("paper/x")) == [[1], [0]]


def turned(k: int, seed: int) -> NDArray[np.float64]:
    """An orthogonal (k, k) matrix, with a reflection."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(k, k)))
    q[:, 0] *= -np.sign(np.linalg.det(q))
    return q


def test_one_pca_is_for_codes_of_one_training_and_one_size() -> None:
    assert frames.usual(["t", "t"], [8, 8]) == frames.ONE
    assert frames.usual(["t", "u"], [8, 8]) == frames.OWN
    assert frames.usual(["", ""], [8, 8]) == frames.OWN  # nobody knows
    assert frames.usual(["t", "t"], [8, 4]) == frames.OWN
    for wanted, dims, has_umap, expected in (
        (frames.ONE, [8, 8], False, frames.ONE),
        (frames.ONE, [8, 4], True, frames.OWN),
        (frames.OWN, [8, 4], False, frames.OWN),
        (frames.UMAP, [8, 4], True, frames.UMAP),
        (frames.UMAP, [8, 8], False, frames.OWN),
    ):
        assert frames.possible(wanted, dims, has_umap=has_umap) == expected


def test_places_are_aligned_along_as_many_axes_as_two_samples_each_allow() -> None:
    assert [frames.n_aligned([10, 6], n) for n in (4, 5, 6, 11, 12, 100)] == [2, 2, 3, 5, 6, 6]
    assert [frames.can_be_aligned(n) for n in (0, 3, 4)] == [False, False, True]


def test_common_samples_are_laid_onto_those_of_the_reference_by_hand() -> None:
    """Four corners of a square, and a fifth sample that follows: turned by a quarter, doubled and shifted in B."""
    a = np.array([[9.0, 9], [1, 1], [-1, 1], [-1, -1], [1, -1], [0, 3]])  # the first one is not common
    b = np.array([[8.0, 12], [8, 8], [12, 8], [12, 12], [4, 10]])  # (x, y) -> (10 - 2 y, 10 + 2 x)
    rows = [np.array([1, 2, 3, 4, 5]), np.array([0, 1, 2, 3, 4])]
    is_fit = np.array([True, True, True, True, False])
    laid = frames.in_one_frame([a, b], rows, is_fit, reference=0, axes=[0, 1], is_aligned=True)
    np.testing.assert_array_equal(laid[0], a[1:])
    np.testing.assert_allclose(laid[1], a[1:], atol=1e-6)
    onto_b = frames.in_one_frame([a, b], rows, is_fit, reference=1, axes=[1, 0], is_aligned=True)
    np.testing.assert_allclose(onto_b[0], b[:, ::-1], atol=1e-5)
    as_they_are = frames.in_one_frame([a, b], rows, is_fit, reference=0, axes=[1, 0], is_aligned=False)
    np.testing.assert_array_equal(as_they_are[1], b[:, ::-1])


def test_a_sample_that_is_not_fitted_has_no_part_in_where_others_lie() -> None:
    a = np.array([[1.0, 1], [-1, 1], [-1, -1], [1, -1], [0, 3]])
    b = np.vstack([a[:4], [[500.0, -70]]])
    rows, is_fit = [np.arange(5)] * 2, np.arange(5) < 4
    _, laid = frames.in_one_frame([a, b], rows, is_fit, reference=0, axes=[0, 1], is_aligned=True)
    np.testing.assert_allclose(laid, b, atol=1e-4)


def test_centroids_are_means_of_what_counts_and_empty_groups_have_none() -> None:
    places = np.array([[0, 0], [2, 4], [10, 10], [50, 50]], np.float32)
    codes = np.array([1, 1, 0, 1], np.uint8)
    is_counted = np.array([True, True, True, False])
    np.testing.assert_allclose(frames.centroids(places, codes, 3, is_counted), [[10, 10], [1, 2], [np.nan, np.nan]])
    np.testing.assert_allclose(frames.centroids(places, codes, 2)[1], [52 / 3, 18])


def in_blocks(z: NDArray[np.floating]) -> Callable[[NDArray[np.int64]], Iterator[NDArray[np.floating]]]:
    return lambda wanted: (z[wanted[i : i + 7]] for i in range(0, len(wanted), 7))


def test_live_spreads_are_distances_over_the_live_deviation_along_the_line() -> None:
    rng = np.random.default_rng(8)
    z = np.concatenate([rng.normal(size=(200, 2)) * [3, 0.5], [[9, 0], [9, 0], [0, 5]]])
    z[:200] -= z[:200].mean(0)
    live, groups = np.arange(200), {"mask": np.array([200, 201]), "paper": np.array([202])}
    distances = frames.live_spreads(in_blocks(z), live, groups)
    assert distances["mask"] == pytest.approx(9 / z[:200, 0].std(ddof=1))
    assert distances["paper"] == pytest.approx(5 / z[:200, 1].std(ddof=1))
    moved = 4 * z @ turned(2, 9) + [70, -5]
    for name, value in frames.live_spreads(in_blocks(moved), live, groups).items():
        assert value == pytest.approx(distances[name])


def test_what_has_no_spread_has_no_distance() -> None:
    z = np.array([[0.0, 0], [0, 2], [5, 1], [0, 1]])
    distances = frames.live_spreads(
        in_blocks(z), np.arange(2), {"beside": np.array([2]), "there": np.array([3]), "nobody": np.array([], int)}
    )
    assert distances == {"beside": None, "there": 0.0, "nobody": None}
    assert frames.live_spreads(in_blocks(z), np.arange(1), {"beside": np.array([2])}) == {"beside": None}
