"""Distances of places from live training places, against loops; the coreset against its definition."""

from pathlib import Path

import numpy as np
import pytest

from fas_core import scores
from fas_core.errors import BadInputError
from fas_core.runs import store
from fas_core.scores import patches
from tests.conftest import tiny_samples, write_image_run


def of_rows(run: store.Run) -> np.ndarray:
    return np.concatenate(list(run.feature_blocks(np.arange(len(run))))).astype(np.float64)


def by_hand(image: np.ndarray, others: np.ndarray) -> float:
    """The largest over places of the distance from the nearest place of others."""
    places = others.reshape(-1, others.shape[-1])
    return max(min(float(np.linalg.norm(place - other)) for other in places) for place in image.reshape(-1, 4))


def test_the_most_unusual_place_of_an_image(tmp_path: Path) -> None:
    """All 32 training places are centres here; of a training image those of the seven others count."""
    run = write_image_run(tmp_path, "a", tiny_samples(), shard_size=5, patches=True)
    features, training = of_rows(run), list(run.rows_of("train"))
    expected = [by_hand(features[i], features[[row for row in training if row != i]]) for i in range(24)]
    np.testing.assert_allclose(scores.values(run, "patches"), expected, rtol=1e-6)
    np.testing.assert_allclose(scores.values(store.opened(run.folder), "patches"), expected, rtol=1e-6)
    turned = tiny_samples().iloc[::-1].reset_index(drop=True)
    other = write_image_run(tmp_path, "b", turned, seed=3, patches=True)
    mine, ids = of_rows(other), list(other.samples(["sample_id"])["sample_id"])
    own = list(run.samples(["sample_id"])["sample_id"])
    expected = [by_hand(mine[i], features[[row for row in training if own[row] != ids[i]]]) for i in range(24)]
    np.testing.assert_allclose(scores.values(other, "patches", run), expected, rtol=1e-6)


def test_each_centre_is_the_farthest_from_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    chosen = list(patches.coreset(x, 10))
    assert chosen[0] == np.linalg.norm(x - x.mean(0), axis=1).argmin()
    for i in range(1, 10):
        nearest = np.linalg.norm(x[:, None] - x[chosen[:i]], axis=2).min(axis=1)
        assert nearest[chosen[i]] == pytest.approx(nearest.max())
    assert len(patches.coreset(np.repeat(x[:2], 5, axis=0), 10)) == 2  # copies cover each other


def test_a_run_without_features_says_how_to_have_them(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", tiny_samples())
    assert "patches" not in scores.offered(run)
    with pytest.raises(BadInputError, match="'patches': it holds no encoder features by place. Cache them too: fas ca"):
        scores.values(run, "patches")
    few = write_image_run(tmp_path, "b", tiny_samples().iloc[1:].reset_index(drop=True), patches=True)
    with pytest.raises(BadInputError, match="'patches': it has fewer than 8 live images of subset train, on which it"):
        scores.values(few, "patches")
