"""Nearest live training images: exact, never oneself, and only training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from fas_core.errors import BadInputError
from fas_core.latent import neighbours, training_rows
from fas_core.runs import store
from tests.conftest import tiny_samples


@pytest.fixture
def run(tmp_path: Path, image_run: Callable[..., store.Run]) -> store.Run:
    """Training over several shards, with an attack inside one: bona fide rows that do not lie side by side."""
    samples = tiny_samples()
    samples.loc[5, ["label", "pai_species"]] = "attack", "paper"
    return image_run(tmp_path / "cache", "odd", samples)


def slow(run: store.Run, code: np.ndarray, k: int, left_out: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rows = training_rows(run)
    rows = rows[rows != left_out]
    distances = np.linalg.norm(run.latents()[rows].astype(np.float64) - code, axis=1)
    order = np.argsort(distances, kind="stable")[:k]
    return distances[order], rows[order]


def test_they_are_those_of_a_slow_search(run: store.Run) -> None:
    distances, rows = neighbours.nearest(run, np.arange(len(run)), 4)
    assert distances.shape == rows.shape == (24, 4)
    for row in range(len(run)):
        expected = slow(run, run.latents()[row], 4, left_out=row)
        assert rows[row].tolist() == expected[1].tolist()
        assert distances[row] == pytest.approx(expected[0], rel=1e-12)
    assert 5 not in rows


def test_codes_that_are_of_no_image_have_neighbours_too(run: store.Run) -> None:
    codes = np.random.default_rng(0).normal(size=(3, 8))
    distances, rows = neighbours.nearest_to(run, codes, 3)
    for i, code in enumerate(codes):
        assert rows[i].tolist() == slow(run, code, 3)[1].tolist()
        assert distances[i] == pytest.approx(slow(run, code, 3)[0], rel=1e-12)
    itself, same = neighbours.nearest_to(run, run.latents()[[2]], 1)
    assert (itself.tolist(), same.tolist()) == ([[0]], [[2]])


def test_nearly_equal_codes_are_told_apart_far_from_the_origin(tmp_path: Path) -> None:
    """In float32 alone |x|^2 - 2 x q of these is noise: 1e8 and differences below 1."""
    rng = np.random.default_rng(0)
    z = (1e4 + rng.integers(-4, 5, (40, 3)) * 2.0**-8).astype(np.float32)
    lengths = (z.astype(float) ** 2).sum(1)
    of_run = cast("store.Run", SimpleNamespace(latent_blocks=lambda rows: [z[rows - 7]]))
    training = neighbours._Codes(of_run, lambda: (z[:25], z[25:]), np.arange(40) + 7, lengths)
    q = z[3] + np.float32(2.0**-8)
    distances, rows = training.nearest(q[None], [np.zeros(0, np.int64)], 5)
    exact = np.linalg.norm(z.astype(np.float64) - q, axis=1)
    order = np.argsort(exact, kind="stable")[:5]
    assert rows[0].tolist() == (order + 7).tolist()
    assert distances[0].tolist() == exact[order].tolist()


def test_there_are_no_more_than_there_are(run: store.Run) -> None:
    assert neighbours.nearest_to(run, run.latents()[[10]], 99)[1].shape == (1, 7)
    assert neighbours.nearest(run, np.array([0, 10]), 99)[1].shape == (2, 6)  # row 0 has itself left out
    assert neighbours.nearest(run, np.array([10]), 0)[1].shape == (1, 0)


def test_bad_input_is_one_message(run: store.Run, tmp_path: Path, image_run: Callable[..., store.Run]) -> None:
    with pytest.raises(BadInputError, match=r"shape \(1, 9\) .* whose have 8 numbers"):
        neighbours.nearest_to(run, np.zeros((1, 9)), 2)
    samples = pd.DataFrame({"sample_id": ["a"], "label": "bona_fide", "pai_species": "", "subset": "test"})
    untrained = image_run(tmp_path / "cache", "untrained", samples)
    with pytest.raises(BadInputError, match="no training images"):
        neighbours.nearest(untrained, np.array([0]), 2)


def test_all_others_are_asked_apart(run: store.Run) -> None:
    others = np.setdiff1d(np.arange(len(run)), training_rows(run))
    codes = run.latents().astype(np.float64)
    for row in (0, 5, 20):  # of training, an attack of `train`, a test image
        distances, rows = neighbours.nearest(run, np.array([row]), 30, "others")
        expected = others[others != row]
        order = np.argsort(np.linalg.norm(codes[expected] - codes[row], axis=1), kind="stable")
        assert rows[0].tolist() == expected[order].tolist()
        assert distances[0] == pytest.approx(np.linalg.norm(codes[rows[0]] - codes[row], axis=1))


def test_pictures_are_nearest_by_their_pixels(run: store.Run) -> None:
    inputs = run.images("inputs", np.arange(len(run))).astype(np.float64) / 255  # 32 x 32: nothing is lost
    for among in ("training", "others"):
        rows = training_rows(run) if among == "training" else np.setdiff1d(np.arange(len(run)), training_rows(run))
        for row in (0, 20):
            differences, nearest = neighbours.nearest_pictures(run, run.images("inputs", [row])[0], 4, among, own=row)
            apart = np.sqrt(np.square(inputs[rows] - inputs[row]).mean(axis=(1, 2)))
            expected = sorted((float(d), int(r)) for d, r in zip(apart, rows, strict=True) if r != row)[:4]
            assert nearest.tolist() == [r for _, r in expected]
            assert differences == pytest.approx([d for d, _ in expected], abs=1e-6)
    differences, nearest = neighbours.nearest_pictures(run, run.images("inputs", [3])[0], 1)
    assert (differences.tolist(), nearest.tolist()) == ([0], [3])
