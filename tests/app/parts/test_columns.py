"""Columns of samples, for a few rows or for all."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.parts import columns
from app.session import cache
from fas_core import latent, scores
from fas_core.data.names import groups_of
from fas_core.runs import columns as kept_columns
from fas_core.runs import store


def test_scores_of_some_rows_are_those_of_all(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    rows = np.arange(1, len(run), 3)
    names = scores.offered(run)
    assert {"rec", "ssim", "gmm_nll"} <= set(names)
    for name in names:
        np.testing.assert_array_equal(columns.scores_of(run, name, rows), scores.values(run, name)[rows], name)


def test_a_column_of_many_shards_is_as_of_few(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    few = {name: columns.factor(run, name) for name in ("subset", "label", "pai_species")}
    colours, training = columns.colour_columns(run), latent.training_rows(run)
    monkeypatch.setattr(kept_columns, "FEW", 0)
    cache.clear()
    latent._training.clear()
    latent._known.clear()
    for name, expected in few.items():  # in order of their first rows, which colours depend on
        assert columns.factor(run, name).names == expected.names
        np.testing.assert_array_equal(columns.factor(run, name).codes, expected.codes)
        assert columns.factor(run, name).codes.dtype == expected.codes.dtype
    assert columns.colour_columns(run) == colours
    np.testing.assert_array_equal(latent.training_rows(run), training)
    assert [latent.has_training_rows(run, n) for n in (1, len(training), len(training) + 1)] == [True, True, False]


def test_an_empty_text_is_a_missing_one() -> None:
    texts = pd.Series(pd.Categorical(["b", None, "", "a", "b"]))
    factor = columns._in_order_of_rows(texts)
    assert factor.names == ["b", "", "a"]
    assert factor.codes.tolist() == [0, 1, 1, 2, 0]


def test_for_a_score_of_each_image_no_other_is_read(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    expected = scores.values(run, "ssim")[[5]]
    monkeypatch.setattr(store.Run, "samples", lambda *_, **__: pytest.fail("read whole"))
    read: list[int] = []
    table = store.Shard.table
    monkeypatch.setattr(store.Shard, "table", lambda shard, *a: (read.append(shard.start), table(shard, *a))[1])
    assert columns.scores_of(run, "ssim", np.array([5])) == expected
    assert read == [next(shard.start for shard in run.shards if 0 <= 5 - shard.start < shard.n)]


def test_some_rows_are_told_of_without_reading_the_others(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    whole, rows = run.samples(), np.array([20, 3, 3, 0])
    expected = whole.assign(group=groups_of(whole)).iloc[rows][["sample_id", "subset", "label", "group"]].astype("str")
    for name in ("samples", "_kept"):
        monkeypatch.setattr(store.Run, name, lambda *_, **__: pytest.fail("all are read"))
    told = columns.about(run, rows)[list(expected)]
    assert told.to_numpy().tolist() == expected.to_numpy().tolist()
    assert columns.ids_of(run, rows) == expected["sample_id"].tolist()
