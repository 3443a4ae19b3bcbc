"""Near-duplicates: planted ones are told, others are not, and what counts as near is taken from the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.errors import BadInputError
from fas_core.runs import duplicates, health, store
from tests.conftest import tiny_samples, write_image_run

SUBSETS = ("train", "live", "unseen_mask")


def people(n: int = 120, *, named: bool = True) -> tuple[np.ndarray, pd.DataFrame]:
    """Codes of n people far from each other, two images each that are not quite as far; a third of them in `train`."""
    rng = np.random.default_rng(1)
    codes = np.repeat(rng.normal(0, 1, (n, 16)), 2, axis=0) + rng.normal(0, 0.7, (2 * n, 16))
    who = np.repeat(np.arange(n), 2)
    samples = pd.DataFrame({"subset": np.array(SUBSETS)[who % 3], "label": "bona_fide"})
    return codes.astype(np.float32), samples.assign(subject_id=[f"p{i}" for i in who]) if named else samples


def slow(points: np.ndarray, of: int, among: np.ndarray) -> float:
    among = among[among != of]
    return float(np.linalg.norm(points[among].astype(float) - points[of], axis=1).min()) if len(among) else np.inf


def test_nearest_are_those_of_a_slow_search_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BLOCK", 7)  # groups begin and end inside blocks
    rng = np.random.default_rng(0)
    points = rng.integers(0, 256, (41, 5)).astype(np.uint8)
    groups, who = rng.integers(0, 3, 41), rng.integers(-1, 4, 41)
    groups[groups == 1] = 2
    groups[4] = 1  # alone in its group: nothing is its neighbour there
    shares: list[float] = []
    near = duplicates.nearest_in_groups(points, groups, 3, who, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    for i in range(41):
        for k in range(3):
            assert near.distances[i, k] == pytest.approx(slow(points, i, np.flatnonzero(groups == k)), abs=1e-4)
        expected = slow(points, i, np.flatnonzero((who >= 0) & (who != who[i]))) if who[i] >= 0 else np.inf
        assert near.apart[i] == pytest.approx(expected, abs=1e-4)
    assert near.rows[4, 1] == -1
    assert (near.rows[:, 1] == 4).sum() == 40


def test_none_are_told_where_none_are() -> None:
    compared = duplicates.among(*people(), SUBSETS)
    assert compared.limit.knows_people
    assert compared.limit.n_live == 240
    assert compared.pairs.empty
    assert len(compared.beside_training(SUBSETS)) == 0


def test_planted_ones_are_told_training_first_whoever_they_are_said_to_be() -> None:
    codes, samples = people()
    train, live, unseen = (np.flatnonzero(samples["subset"] == name) for name in SUBSETS)
    planted = [(train[0], live[0]), (train[1], unseen[0]), (live[2], unseen[2]), (live[4], live[6])]
    for k, (a, b) in enumerate(planted):
        codes[b] = codes[a] + 0.001 * (4 - k)
    samples.loc[unseen[0], "label"] = "attack"
    compared = duplicates.among(codes, samples, SUBSETS)
    pairs = compared.pairs
    # Though all of them are of two people by name, which alone would have made a least distance of 0.
    assert compared.limit.n_within > 0
    told = list(zip(pairs["a"], pairs["b"], strict=True))
    assert {tuple(sorted(map(int, pair))) for pair in planted} == set(told)
    assert pairs["is_training"].tolist() == [True, True, False, False]
    assert pairs["is_across"].tolist() == [True, True, True, False]
    assert told[0] == tuple(sorted((train[1], unseen[0])))  # of two the nearer one leads
    assert compared.beside_training(["live", "unseen_mask"]).tolist() == sorted([live[0], unseen[0]])
    assert compared.beside_training(["unseen_mask", "train"]).tolist() == [unseen[0]]


def test_people_without_names_are_told_apart_by_the_median() -> None:
    codes, samples = people(named=False)
    codes[1] = codes[0] + 0.001
    for table in (samples, samples.assign(subject_id=""), samples.assign(subject_id="all")):
        compared = duplicates.among(codes, table, SUBSETS)
        assert not compared.limit.knows_people
        assert "name no two subjects" in compared.limit.words
        assert compared.pairs[["a", "b"]].to_numpy().tolist() == [[0, 1]]


def test_a_hundred_equal_images_make_few_pairs() -> None:
    codes, samples = people()
    codes[:20] = codes[0]
    assert len(duplicates.among(codes, samples, SUBSETS).pairs) < 60  # 190 of them are equal


def test_nothing_is_near_where_no_live_face_is() -> None:
    codes, samples = people()
    compared = duplicates.among(np.repeat(codes[:1], len(codes), axis=0), samples.assign(label="attack"), SUBSETS)
    assert (compared.limit.distance, len(compared.pairs)) == (0, 0)


def test_a_run_warns_of_images_like_those_of_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = tiny_samples()
    samples.loc[10, "subject_id"] = samples["subject_id"][5]  # two of 18 under two names would be more than 5 %
    run = write_image_run(tmp_path, "a", samples, shard_size=32)
    assert not duplicates.of_run(run, "pixels").pairs.size  # noise is like no other noise
    assert health.cautions(run) == []
    shard = next(shard for shard in run.shards if shard.subset == "live").folder / "inputs.npy"
    inputs = np.load(shard)
    inputs[2] = np.clip(np.load(run.shards[0].folder / "inputs.npy")[5].astype(int) + 1, 0, 255)
    np.save(shard, inputs)
    planted = store.opened(run.folder)
    monkeypatch.setitem(vars(planted), "shards_digest", "planted")
    assert duplicates.known(planted, "pixels") is None
    assert health.cautions(planted) == []  # nothing slow is done for a warning
    compared = duplicates.of_run(planted, "pixels")
    assert compared.pairs[["a", "b"]].to_numpy().tolist() == [[5, 10]]
    assert compared.limit.distance < 1  # of pixels in 0..1, whatever they are stored as
    [caution] = health.cautions(planted)
    assert (caution.kind, caution.counts["n_near"], caution.counts["n_attacks"]) == ("near_duplicates", 1, 0)
    assert "1 of 16 test images are near-duplicates of training images by their pixels (live 1)" in caution.message
    assert health.cautions(planted, ["unseen_mask"]) == []
    assert not duplicates.of_run(planted, "code").pairs.size


def test_too_many_samples_are_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_image_run(tmp_path, "a", tiny_samples())
    monkeypatch.setattr(duplicates, "MOST", 23)
    with pytest.raises(BadInputError, match="24 samples.* fas data dedupe"):
        duplicates.of_run(run, "pixels")
