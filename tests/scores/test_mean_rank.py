"""Ranks among live images of dev, told anew in a few lines; which images those are, and Runs without them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.errors import BadInputError
from fas_core.runs import store
from fas_core.scores import mean_rank
from tests.conftest import tiny_samples, write_image_run

PARTS = ["pixel_l2", "ssim", "gmm_nll", "knn"]


def samples_with(n_dev: int) -> pd.DataFrame:
    """`tiny_samples` with some live images of dev, an attack there that scores high, and one that was learned from."""
    samples = tiny_samples()
    live = samples[samples["subset"] == "live"].iloc[np.arange(n_dev + 1) % 4]
    dev = pd.concat([live, samples[samples["label"] == "attack"].iloc[:1]])
    dev = dev.assign(subset="dev", sample_id=[f"dev_{i}" for i in range(len(dev))])
    both = pd.concat([samples, dev], ignore_index=True)
    learned = (both["subset"] == "train") | (both["sample_id"] == "dev_0")
    return both.assign(training_use=np.where(learned, "learned", "none"))


def test_it_is_the_mean_of_ranks_among_live_images_of_dev(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", samples_with(8), shard_size=5)
    ids = run.samples(["sample_id"])["sample_id"]
    calibrating = ids.isin([f"dev_{i}" for i in range(1, 9)]).to_numpy()
    ranks = []
    for part in PARTS:
        values = scores.values(run, part)
        among = values[calibrating]
        ranks.append([((among < value).mean() + (among <= value).mean()) / 2 for value in values])
    plain = np.mean(ranks, axis=0)
    values = scores.values(run, "mean_rank")
    np.testing.assert_allclose(values[calibrating], plain[calibrating], rtol=1e-12)
    assert np.abs(values - plain).max() <= 1 / 8  # between two of them interpolated, beyond them no rank is 0 or 1
    assert values.min() > 0
    assert values.max() < 1


def test_the_reference_calibrates_other_runs(tmp_path: Path) -> None:
    reference = write_image_run(tmp_path, "a", samples_with(8))
    other = write_image_run(tmp_path, "b", tiny_samples(), seed=5)
    values = scores.values(reference, "mean_rank")
    again = scores.values(store.opened(reference.folder), "mean_rank", reference)
    np.testing.assert_array_equal(values, again)
    assert "mean_rank" not in scores.offered(other)
    assert scores.of_outputs(other, "mean_rank", reference).shape == (24,)


def test_without_enough_live_images_it_is_not_offered(tmp_path: Path) -> None:
    """Neither live images of training nor attacks of dev count."""
    few = write_image_run(tmp_path, "few", samples_with(7))
    train = samples_with(8)
    train = write_image_run(tmp_path, "train", train[~train["subset"].isin(["dev", "live"])].reset_index(drop=True))
    for run in (few, train):
        assert "mean_rank" not in scores.offered(run)
        with pytest.raises(BadInputError, match="no score 'mean_rank': it has fewer than 8 live images of subset dev"):
            scores.values(run, "mean_rank")


def test_it_is_computed_once(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    monkeypatch.setattr(mean_rank, "LEAST", 2)
    assert not scores.is_at_hand(run, "mean_rank")
    values = mean_rank.score(run, run)
    assert scores.is_at_hand(run, "mean_rank")
    monkeypatch.setattr(mean_rank, "ranks_among", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(mean_rank.score(run, run), values)
