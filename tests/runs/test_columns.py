"""Columns gathered from many shards are those of the shards, whatever their types, and are read once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import latent
from fas_core.bench import synthetic
from fas_core.runs import columns, store


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    """Of shards whose columns have gaps, and one of which lacks a column's texts altogether."""
    info = store.RunInfo(run=store.run_id("columns"), name="c", kind="images", subsets={"b": 4, "a": 2}, scores=[])
    info = store.RunInfo(**{**vars(info), "shard_size": 2})
    folder = store.create(tmp_path, info)
    for place, (subset, shard) in enumerate([("b", "shard-00000"), ("b", "shard-00001"), ("a", "shard-00000")]):
        rows = pd.DataFrame(
            {
                "sample_id": [f"{subset}{place}ä", f"{subset}{place}z"],
                "session_id": pd.Series([None, f"s{9 - place}"] if place else [None, None], dtype="str"),
                "frame": pd.Series([None, place], dtype="float64"),
                "number": pd.Series([None, place], dtype="Int64"),
                "is_constant": [True, place == 1],
                "rec": pd.Series([place, None], dtype="float32"),
                "taken": pd.Timestamp("2026-01-01"),
            }
        )
        store.write_shard(folder / subset / shard, rows)
    return store.opened(folder)


def test_columns_of_many_shards_are_those_of_the_shards(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["rec", "session_id", "sample_id", "is_constant", "frame"]
    others = run.samples(["rec", "number", "taken"])
    plain, by_category = run.samples(names), run.samples(names, repeated=["session_id"])
    monkeypatch.setattr(columns, "FEW", 0)
    for _ in range(2):  # gathered, and as they are kept
        pd.testing.assert_frame_equal(run.samples(names), plain)
        pd.testing.assert_frame_equal(run.samples(names, repeated=["session_id"]), by_category)
    pd.testing.assert_frame_equal(run.samples(["rec", "number", "taken"]), others)  # not kept: types of its own
    monkeypatch.setattr(store.Shard, "table", lambda *_: pytest.fail("a shard was read again"))
    assert run.samples(["rec", "sample_id"])["sample_id"].tolist() == plain["sample_id"].tolist()


@pytest.mark.parametrize("few", [0, 32])
def test_rows_alike_say_the_same_in_all_columns(run: store.Run, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "FEW", few)
    sessions, constant = run.samples(["session_id"])["session_id"].tolist(), run.samples(["is_constant"])["is_constant"]
    for row, session in enumerate(sessions):
        of_session = [
            i for i, other in enumerate(sessions) if other == session or (pd.isna(other) and pd.isna(session))
        ]
        assert run.alike(row, ["session_id"]).tolist() == of_session
        both = [i for i in of_session if constant[i] == constant[row]]
        assert run.alike(row, ["session_id", "is_constant"]).tolist() == both
    ((codes, said),) = run.coded(["session_id"])
    texts = pd.Series([*said.to_pylist(), None])  # the last one is that of -1
    assert texts[np.where(codes < 0, len(said), codes)].fillna("").tolist() == [
        "" if pd.isna(s) else s for s in sessions
    ]


def test_what_is_kept_is_of_these_shards_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "FEW", 0)
    for seed in range(2):
        run = synthetic.write_run(tmp_path, 60, pixels=0, shard_size=20, seed=seed)
        kept = run.samples(["elbo", "subject_id"])
        whole = pd.concat([shard.table("samples", None).to_pandas() for shard in run.shards], ignore_index=True)
        pd.testing.assert_frame_equal(kept, whole[["elbo", "subject_id"]])


def test_training_images_of_many_shards_are_counted_in_kept_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = synthetic.write_run(tmp_path, 60, pixels=0, shard_size=20)
    rows = latent.training_rows(store.opened(run.folder))
    monkeypatch.setattr(columns, "FEW", 0)
    assert not run.are_at_hand(["subset", "label"])
    run.samples(["subset"])
    assert run.are_at_hand(["subset", "label", "of no sample"])
    monkeypatch.setattr(store.Shard, "table", lambda *_: pytest.fail("a shard was read again"))
    monkeypatch.setattr(latent, "MOST_FITTED", len(rows) - 1)  # so many are asked for where a fit is of a sample
    assert latent.has_training_rows(run, len(rows))
    assert not latent.has_training_rows(run, len(rows) + 1)
    assert latent.training_rows(run).tolist() == rows.tolist()
