import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import store
from fas_core.errors import BadInputError
from tests.conftest import tiny_samples, write_image_run


def test_rows_follow_the_protocol_and_images_follow_rows(tmp_path: Path) -> None:
    samples = tiny_samples()
    run = write_image_run(tmp_path, "a", samples.sample(frac=1, random_state=0).reset_index(drop=True))
    read = run.samples(["sample_id", "subset"])
    assert read["subset"].drop_duplicates().tolist() == ["train", "live", "seen_paper", "unseen_mask"]
    assert set(read["sample_id"]) == set(samples["sample_id"])
    everything = run.images("inputs", np.arange(len(run)))
    rows = [20, 3, 3, 11]  # several shards, any order, repeated
    assert np.array_equal(run.images("inputs", rows), everything[rows])
    assert np.array_equal(read.iloc[run.rows_of("live")]["subset"].unique(), ["live"])
    assert run.latents().shape == (24, 8)
    with pytest.raises(IndexError):
        run.images("inputs", [24])


def test_only_the_columns_asked_for_are_read(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    assert list(run.samples(["kl"]).columns) == ["kl"]
    assert {"rec", "glasses", "sample_id"} <= set(run.column_names())


def test_a_shard_is_complete_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tmp_path / "train" / "shard-00000"

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_write_parquet", fails)
    with pytest.raises(OSError, match="No space"):
        store.write_shard(shard, pd.DataFrame({"a": [1]}), latents=np.zeros((1, 2)))
    assert list((tmp_path / "train").iterdir()) == []
    monkeypatch.undo()
    store.write_shard(shard, pd.DataFrame({"a": [1]}), latents=np.zeros((1, 2)))
    before = (shard / "meta.json").read_bytes()
    store.write_shard(shard, pd.DataFrame({"a": [2]}), latents=np.ones((1, 2)))  # there already: left alone
    assert (shard / "meta.json").read_bytes() == before


def test_a_missing_shard_makes_the_run_incomplete(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    digest = run.digest
    (run.folder / "train" / "shard-00001").rename(run.folder / "gone")
    again = store.open_run(tiny_cache, "a")
    assert not again.is_complete
    assert again.digest != digest
    assert len(again) == 20
    assert {"subset": "train", "shard": "shard-00001", "problem": "missing"} in store.damage(again)


@pytest.mark.parametrize("file", ["inputs.npy", "samples.parquet", "latents.npy"])
def test_one_changed_byte_is_found(tiny_cache: Path, file: str) -> None:
    run = store.open_run(tiny_cache, "a")
    assert store.damage(run) == []
    path = run.folder / "live" / "shard-00000" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert [(d["subset"], d["shard"]) for d in store.damage(run)] == [("live", "shard-00000")]


def test_a_truncated_array_is_one_message(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    path = run.folder / "live" / "shard-00000" / "inputs.npy"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadInputError, match=r"live/shard-00000 .*damaged \(inputs.npy\)"):
        run.images("inputs", run.rows_of("live"))


def test_runs_are_found_by_id_prefix_and_name(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    assert store.open_run(tiny_cache, run.id).id == run.id
    assert store.open_run(tiny_cache, run.id[:7]).id == run.id
    with pytest.raises(BadInputError, match=r"No Run is called 'zzz' .*vendor"):
        store.open_run(tiny_cache, "zzz")
    write_image_run(tiny_cache, "a", tiny_samples(), seed=9)
    with pytest.raises(BadInputError, match="'a' means several Runs"):
        store.open_run(tiny_cache, "a")
    with pytest.raises(BadInputError, match="Make one: fas demo"):
        store.open_run(tiny_cache / "elsewhere", "a")


def test_the_id_follows_every_part() -> None:
    assert store.run_id("a", "b") == store.run_id("a", "b")
    assert len({store.run_id("a", "b"), store.run_id("ab", ""), store.run_id("a", "c")}) == 3


def test_a_scores_only_run_says_what_it_lacks(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "vendor")
    assert run.subsets == ["dev", "test"]
    assert not run.has_images
    with pytest.raises(BadInputError, match="scores only"):
        run.latents()


def test_summary_counts_bytes_and_is_json(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    summary = json.loads(json.dumps(run.summary()))
    on_disk = sum(
        p.stat().st_size for p in run.folder.rglob("*") if p.name not in ("meta.json", "run.json") and p.is_file()
    )
    assert summary["bytes"] == on_disk
    assert summary["subsets"] == {"train": 8, "live": 4, "seen_paper": 6, "unseen_mask": 6}
    assert summary["complete"] is True


def test_another_format_is_refused(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    info = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps(info | {"format": 99}))
    with pytest.raises(BadInputError, match="format 99"):
        store.opened(run.folder)


def test_removed_runs_are_gone_and_others_stay(tiny_cache: Path) -> None:
    store.remove(store.open_run(tiny_cache, "a"))
    assert sorted(run.info.name for run in store.all_runs(tiny_cache)) == ["b", "vendor"]


@pytest.mark.parametrize("change", [{"surprise": 1}, {"subsets": {"../up": 1}}, {"subsets": None}])
def test_a_foreign_run_json_is_one_message(tiny_cache: Path, change: dict[str, object]) -> None:
    run = store.open_run(tiny_cache, "a")
    info = json.loads((run.folder / "run.json").read_text())
    info.pop("sha256")
    (run.folder / "run.json").write_text(store._sealed(info | change))
    with pytest.raises(BadInputError, match=r"run\.json"):
        store.opened(run.folder)
    assert {other.info.name for other in store.all_runs(tiny_cache)} == {"b", "vendor"}
    assert store.verified(run.folder)["damage"]


def test_a_changed_meta_json_takes_its_shard_away_not_the_run(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    meta = run.folder / "live" / "shard-00000" / "meta.json"
    meta.write_text(meta.read_text().replace('"n": 4', '"n": 3'))
    again = store.opened(run.folder)
    assert not again.is_complete
    assert "live" not in again.subsets
    assert again.broken == (meta.parent,)
    assert [d["subset"] for d in store.damage(again)] == ["live"]


def test_the_remains_of_a_shard_do_not_stand_in_the_way(tmp_path: Path) -> None:
    shard = tmp_path / "train" / "shard-00000"
    shard.mkdir(parents=True)
    (shard / "latents.npy").write_bytes(b"left over")
    store.write_shard(shard, pd.DataFrame({"a": [1]}), latents=np.zeros((1, 2)))
    assert (shard / "meta.json").is_file()
    assert np.load(shard / "latents.npy").shape == (1, 2)
