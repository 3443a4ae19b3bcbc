"""Columns of samples, for a few rows or for all."""

from pathlib import Path

import numpy as np
import pytest

from app.parts import columns
from fas_core import scores
from fas_core.runs import store


def test_scores_of_some_rows_are_those_of_all(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    rows = np.arange(1, len(run), 3)
    names = scores.offered(run)
    assert {"rec", "ssim", "gmm_nll"} <= set(names)
    for name in names:
        np.testing.assert_array_equal(columns.scores_of(run, name, rows), scores.values(run, name)[rows], name)


def test_for_a_score_of_each_image_no_other_is_read(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    expected = scores.values(run, "ssim")[[5]]
    monkeypatch.setattr(store.Run, "samples", lambda *_, **__: pytest.fail("read whole"))
    read: list[int] = []
    table = store.Shard.table
    monkeypatch.setattr(store.Shard, "table", lambda shard, *a: (read.append(shard.start), table(shard, *a))[1])
    assert columns.scores_of(run, "ssim", np.array([5])) == expected
    assert read == [next(shard.start for shard in run.shards if 0 <= 5 - shard.start < shard.n)]
