"""Nearest live training images: exact, never oneself, and only training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
    for row, code in enumerate(run.latents()):
        distances, rows = neighbours.nearest(run, code, {"training": 4}, own=row)["training"]
        assert distances.shape == rows.shape == (4,)
        expected = slow(run, code, 4, left_out=row)
        assert rows.tolist() == expected[1].tolist()
        assert distances == pytest.approx(expected[0], rel=1e-12)
        assert 5 not in rows


def test_codes_that_are_of_no_image_have_neighbours_too(run: store.Run) -> None:
    for code in np.random.default_rng(0).normal(size=(3, 8)):
        distances, rows = neighbours.nearest(run, code, {"training": 3})["training"]
        assert rows.tolist() == slow(run, code, 3)[1].tolist()
        assert distances == pytest.approx(slow(run, code, 3)[0], rel=1e-12)
    itself, same = neighbours.nearest(run, run.latents()[2], {"training": 1})["training"]
    assert (itself.tolist(), same.tolist()) == ([0], [2])


@pytest.mark.parametrize("far", [1e4, 1e30])
def test_codes_that_float32_does_not_tell_apart_are(
    tmp_path: Path, image_run: Callable[..., store.Run], monkeypatch: pytest.MonkeyPatch, far: float
) -> None:
    """|x|^2 - 2 x q of these is noise in float32, 1e8 with differences below 1; or it is no number at all."""
    samples = pd.DataFrame({"sample_id": [f"{i:02d}" for i in range(40)], "label": "bona_fide", "pai_species": ""})
    run = image_run(tmp_path / "cache", "far", samples.assign(subset="train"))
    rng = np.random.default_rng(0)
    z = (far * (1 + rng.integers(-4, 5, (40, 8)) * 2.0**-20)).astype(np.float32)
    parts = {shard.folder: z[shard.start : shard.start + shard.n] for shard in run.shards}
    monkeypatch.setattr(store.Shard, "array", lambda shard, _: parts[shard.folder])
    monkeypatch.setattr(store.Shard, "items", lambda shard, _, rows: parts[shard.folder][rows])
    q = z[3] * np.float32(1 + 2.0**-20)
    distances, rows = neighbours.nearest(run, q, {"training": 5})["training"]
    exact = np.linalg.norm(z.astype(np.float64) - q, axis=1)
    order = np.argsort(exact, kind="stable")[:5]
    assert rows.tolist() == order.tolist()
    assert distances.tolist() == exact[order].tolist()


def test_there_are_no_more_than_there_are(run: store.Run, tmp_path: Path, image_run: Callable[..., store.Run]) -> None:
    code = run.latents()[0]
    assert neighbours.nearest(run, code, {"training": 99})["training"][1].shape == (7,)
    assert neighbours.nearest(run, code, {"training": 99}, own=0)["training"][1].shape == (6,)
    assert neighbours.nearest(run, code, {"others": 0})["others"][1].shape == (0,)
    samples = pd.DataFrame({"sample_id": ["a", "b"], "label": "bona_fide", "pai_species": "", "subset": "test"})
    untrained = image_run(tmp_path / "cache", "untrained", samples)
    near = neighbours.nearest(untrained, untrained.latents()[0], {"training": 2, "others": 2}, own=0)
    assert {among: rows.tolist() for among, (_, rows) in near.items()} == {"training": [], "others": [1]}


def test_a_code_of_another_length_is_refused(run: store.Run) -> None:
    with pytest.raises(BadInputError, match=r"shape \(9,\) .* whose have 8 numbers"):
        neighbours.nearest(run, np.zeros(9), {"training": 2})


def test_all_others_are_asked_with_training_in_one_pass(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    others = np.setdiff1d(np.arange(len(run)), training_rows(run))
    codes, passes, squared = run.latents().astype(np.float64), [], neighbours._squared
    monkeypatch.setattr(neighbours, "_squared", lambda *asked: [passes.append(asked), squared(*asked)][1])
    for row in (0, 5, 20):  # of training, an attack of `train`, a test image
        passes.clear()
        near = neighbours.nearest(run, codes[row], {"training": 3, "others": 30}, own=row)
        assert len(passes) == 1
        distances, rows = near["others"]
        expected = others[others != row]
        order = np.argsort(np.linalg.norm(codes[expected] - codes[row], axis=1), kind="stable")
        assert rows.tolist() == expected[order].tolist()
        assert distances == pytest.approx(np.linalg.norm(codes[rows] - codes[row], axis=1))
        assert near["training"][1].tolist() == slow(run, codes[row], 3, left_out=row)[1].tolist()


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
