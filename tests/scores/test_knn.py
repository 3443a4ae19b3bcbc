"""Distances from the nearest live training codes, against loops over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.latent import neighbours, sampled_training_rows
from fas_core.runs import joining, store
from fas_core.scores import knn
from tests.conftest import tiny_samples, write_image_run


@dataclass(frozen=True)
class Codes:
    """What a score of codes asks for, of images without an id."""

    codes: np.ndarray

    def samples(self, columns: Sequence[str]) -> pd.DataFrame:
        raise NotImplementedError(columns)

    def looks(self, name: str) -> np.ndarray:
        raise NotImplementedError(name)


def by_hand(code: np.ndarray, among: np.ndarray, k: int = 5) -> float:
    return float(np.mean(sorted(float(np.sqrt(((code - other) ** 2).sum())) for other in among)[:k]))


def test_the_mean_of_the_five_nearest_others(tmp_path: Path) -> None:
    """Of a training image the other seven; of an image of another Run that is in training by its id, too."""
    run = write_image_run(tmp_path, "a", tiny_samples(), shard_size=3)
    codes, training = run.latents().astype(np.float64), run.rows_of("train")
    expected = [by_hand(codes[i], codes[[row for row in training if row != i]]) for i in range(24)]
    np.testing.assert_allclose(scores.values(run, "knn"), expected, rtol=1e-12)
    np.testing.assert_allclose(scores.values(run, "knn"), expected, rtol=1e-12)  # from the memo
    turned = tiny_samples().iloc[::-1].reset_index(drop=True)
    other = write_image_run(tmp_path, "b", turned, seed=3)
    of_other, ids = other.latents().astype(np.float64), other.samples(["sample_id"])["sample_id"]
    training_ids = list(run.samples(["sample_id"])["sample_id"][training])
    expected = [
        by_hand(of_other[i], codes[[row for row, of in zip(training, training_ids, strict=True) if of != ids[i]]])
        for i in range(24)
    ]
    np.testing.assert_allclose(scores.values(other, "knn", run), expected, rtol=1e-12)


def test_a_code_without_an_id_is_compared_with_all_training_images(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", tiny_samples())
    codes = np.concatenate([np.asarray(run.latents())[[0, 12]], np.zeros((1, 8), np.float32)])
    expected = [by_hand(code, np.asarray(run.latents()[run.rows_of("train")], np.float64)) for code in codes]
    np.testing.assert_allclose(scores.of_outputs(Codes(codes), "knn", run), expected, rtol=1e-12)
    assert scores.of_outputs(Codes(codes[:0]), "knn", run).shape == (0,)


def test_distances_are_exact_where_float32_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far from the origin, near each other, in several blocks; and copies of a code, of which one is itself."""
    monkeypatch.setattr(neighbours, "AT_ONCE", 7)
    rng = np.random.default_rng(0)
    among = (1e4 + rng.normal(0, 1, (40, 6))).astype(np.float32)
    among[5] = among[6]
    codes = np.concatenate([among[:10], (1e4 + rng.normal(0, 1, (10, 6))).astype(np.float32)])
    own = np.where(np.arange(20) < 10, np.arange(20), -1)
    every = np.linalg.norm(codes[:, None].astype(np.float64) - among, axis=2)
    every[np.arange(10), np.arange(10)] = np.inf
    np.testing.assert_allclose(neighbours.distances(among, codes, 3, own), np.sort(every, axis=1)[:, :3], rtol=1e-9)
    assert neighbours.distances(among, codes, 3, own)[5, 0] == 0
    assert neighbours.distances(among[:2], codes, 3).shape == (20, 2)


def test_a_sample_of_many_training_images_is_always_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_image_run(tmp_path, "a", tiny_samples())
    monkeypatch.setattr(knn, "LIMIT", 6)
    rows = sampled_training_rows(run, 6)
    assert len(set(rows)) == 6
    assert set(rows) < set(run.rows_of("train"))
    codes = np.asarray(run.latents(), np.float64)
    others = next(row for row in range(24) if row not in run.rows_of("train"))
    assert scores.values(store.opened(run.folder), "knn")[others] == pytest.approx(by_hand(codes[others], codes[rows]))


def test_a_column_that_was_declared_before_there_was_such_a_score_keeps_its_name(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", tiny_samples())
    joined = joining.join(run, {"knn": np.arange(24.0)}, {"knn": "attack"}, "theirs.csv")
    assert scores.values(joined, "knn").tolist() == list(range(24))
    assert scores.offered(joined).count("knn") == 1
    assert "Joined from theirs.csv" in scores.description(joined, "knn")
    own = store.Run(run.folder, replace(run.info, declared={"ssim": "bona_fide"}), run.shards)
    pd.testing.assert_series_equal(  # one that a score is made of is no other one
        pd.Series(scores.values(own, "ssim")), pd.Series(scores.values(run, "ssim"))
    )
