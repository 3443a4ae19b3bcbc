import errno
import fcntl
import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import memo
from fas_core.bench import synthetic
from fas_core.data import manifest
from fas_core.errors import BadInputError
from fas_core.files import file_sha256
from fas_core.runs import store, upkeep
from fas_core.runs.lock import LOCK, claimed
from fas_core.runs.store import Place
from fas_core.runs.upkeep import Damage, damage, discard, folders_to_verify, remove, shard_damage, sources, verified
from tests.conftest import PROJECT, tiny_samples, write_image_run

SYNCED = store._synced  # what the tests' own fixture replaces


def one_shard(shard: Path) -> None:
    store.write_shard(shard, pd.DataFrame({"a": [1, 2]}), latents=np.arange(4.0).reshape(2, 2))


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
    for rows in ([], [len(run) - 1], [len(run) - 1, 0], range(len(run))):
        held = read.iloc[list(rows)]["subset"].unique()
        assert run.subsets_of(np.array(rows, np.int64)) == [name for name in run.subsets if name in held]
    assert run.latents().shape == (24, 8)
    rows = np.array([1, 3, 13, 14, 23])  # some of some shards
    assert np.array_equal(np.concatenate(list(run.latent_blocks(rows))), run.latents()[rows])
    with pytest.raises(IndexError):
        run.images("inputs", [24])


def test_only_the_columns_asked_for_are_read(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    assert list(run.samples(["kl"]).columns) == ["kl"]
    assert {"rec", "glasses", "sample_id"} <= set(run.column_names())
    assert list(run.samples(["subset", "label"]).columns) == ["subset", "label"]
    path = run.folder / "train" / "shard-00000" / "samples.parquet"
    content = bytearray(path.read_bytes())
    start = store.pq.read_metadata(path).row_group(0).column(run.column_names().index("path")).data_page_offset
    content[start : start + 40] = bytes(40)
    path.write_bytes(content)
    assert len(run.samples(["kl"])) == 24  # the damage is in a column that is not read
    with pytest.raises(BadInputError, match=r"damaged \(samples.parquet\).* fas verify \w+ --repair"):
        run.samples(["path"])


def test_only_the_images_asked_for_are_read(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    for shard in run.shards[2:]:
        (shard.folder / "inputs.npy").unlink()
    assert run.images("inputs", [7, 0]).shape == (2, 32, 32)
    with pytest.raises(BadInputError, match=r"live/shard-00000 .*damaged"):
        run.images("inputs", [8])


def test_columns_of_shards_keep_their_types(tmp_path: Path) -> None:
    kinds = {
        "count": np.arange(24),
        "kind": pd.Categorical(["x", "y"] * 12),
        "when": pd.Timestamp("2022-05-01"),
        "late": [""] * 20 + ["x"] * 4,
        "none": pd.Series([None] * 20 + ["x"] * 4, dtype=object),  # of no type at all in the first shards
    }
    samples = tiny_samples().assign(**kinds)
    read = write_image_run(tmp_path, "a", samples).samples([*samples.columns])
    expected = samples.assign(none=samples["none"].astype("str"), when=samples["when"].astype("datetime64[us]"))
    pd.testing.assert_frame_equal(read, expected)


@pytest.mark.parametrize("failing", ["_write_array", "_write_parquet", "_synced"])
def test_a_shard_is_complete_or_absent(failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tmp_path / "train" / "shard-00000"

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store, failing, fails)
    with pytest.raises(OSError, match=r"No space left on device: '.*train/shard-00000'"):
        store.write_shard(shard, pd.DataFrame({"a": [1]}), latents=np.zeros((1, 2)))
    assert list((tmp_path / "train").iterdir()) == []
    monkeypatch.undo()
    store.write_shard(shard, pd.DataFrame({"a": [1]}), latents=np.zeros((1, 2)))
    before = (shard / "meta.json").read_bytes()
    store.write_shard(shard, pd.DataFrame({"a": [2]}), latents=np.ones((1, 2)))  # there already: left alone
    assert (shard / "meta.json").read_bytes() == before


def test_a_full_disk_is_named_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line knows it by that; np.save raises an OSError without one."""
    with pytest.raises(OSError, match="No space") as raised:
        store._write_array(np.zeros(100_000), Path("/dev/full"))
    assert raised.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space") as raised:
        store._write_parquet(pd.DataFrame({"a": np.random.default_rng(0).random(100_000)}), Path("/dev/full"))
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize("array", [np.ones((3, 2), bool), np.empty((0, 4, 4), np.uint8), np.eye(5)[:, ::2].T])
def test_arrays_are_written_as_numpy_does(array: np.ndarray, tmp_path: Path) -> None:
    store._write_array(array, tmp_path / "a.npy")
    expected = io.BytesIO()
    np.save(expected, np.ascontiguousarray(array))
    assert (tmp_path / "a.npy").read_bytes() == expected.getvalue()


def test_a_shard_depends_on_its_content_alone(tmp_path: Path) -> None:
    one_shard(tmp_path / "one" / "train" / "shard-00000")
    one_shard(tmp_path / "two" / "live" / "shard-00007")
    first, second = tmp_path / "one" / "train" / "shard-00000", tmp_path / "two" / "live" / "shard-00007"
    assert len(list(first.iterdir())) == 3
    assert all(path.read_bytes() == (second / path.name).read_bytes() for path in first.iterdir())


def test_the_disk_has_a_shard_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = tmp_path / "run" / "train" / "shard-00000"
    done: list[str] = []
    monkeypatch.setattr(store, "_synced", SYNCED)
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(Path(f"/proc/self/fd/{handle}").resolve().name))
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda self, to: done.append("renamed") or rename(self, to))
    one_shard(shard)
    before, after = done[: done.index("renamed")], done[done.index("renamed") + 1 :]
    assert sorted(before[:-1]) == ["latents.npy", "meta.json", "samples.parquet"]
    assert before[-1].startswith(".shard-00000.")  # the list of names in it
    assert after == ["train", "run"]


def test_folders_that_cannot_be_synced_are_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(number: int) -> None:
        def fsync(_: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    refuses(errno.EINVAL)
    SYNCED(tmp_path)
    refuses(errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        SYNCED(tmp_path)


HOLDER = """
import sys, time
from pathlib import Path
from fas_core.runs import lock
with lock.claimed([Path(p) for p in sys.argv[1:]]):
    print("held", flush=True)
    time.sleep(60)
"""


def held_by_another_process(*folders: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, *map(str, folders)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.process
def test_of_two_processes_at_one_run_one_is_told(tiny_cache: Path) -> None:
    run, other = store.open_run(tiny_cache, "a"), store.open_run(tiny_cache, "b")
    with held_by_another_process(run.folder) as holder:
        said = rf"Run a \({run.id}\) is being written by process {holder.pid} on \S+\. Wait until"
        with pytest.raises(BadInputError, match=said), claimed([other.folder, run.folder]):
            pass
        with claimed([other.folder]):  # is free: a claim of several folders is all or nothing
            pass
        with pytest.raises(BadInputError, match=said):
            remove(run)
        with pytest.raises(BadInputError, match=said):
            discard(run, [Damage("live", "shard-00000", "")])
        assert verified(run.folder).damage == []  # the lock is no content
        holder.kill()
    assert (run.folder / LOCK).is_file()  # which ended with the process all the same
    with claimed([run.folder]), pytest.raises(BadInputError, match=f"process {os.getpid()} "):
        remove(run)
    assert not (run.folder / LOCK).exists()
    remove(run)
    assert not run.folder.exists()


def test_a_claim_removes_what_killed_writers_left_and_nothing_else(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.is_file()}
    (run.folder / "live" / ".shard-00001.xyz").mkdir()
    (run.folder / "live" / ".shard-00001.xyz" / "latents.npy").write_bytes(b"half")
    (run.folder / ".run.json.xyz.tmp").write_text("{")
    with claimed([run.folder]):
        assert not (run.folder / "live" / ".shard-00001.xyz").exists()
        (run.folder / "train" / ".shard-00000.abc").mkdir()  # of one that works for the holder, and is killed meanwhile
    assert not (run.folder / "train" / ".shard-00000.abc").exists()
    assert {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.is_file()} == before


def test_a_claim_under_which_nothing_is_written_leaves_nothing(tmp_path: Path) -> None:
    with claimed([tmp_path / "runs" / "x"] * 2):
        assert (tmp_path / "runs" / "x" / LOCK).is_file()
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_lock_file_that_vanishes_while_it_is_taken_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last holder removes it between our opening and our locking."""
    flock, removed = fcntl.flock, []

    def late(handle: int, operation: int) -> None:
        if not removed:
            removed.append((tmp_path / "x" / LOCK).unlink())
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with claimed([tmp_path / "x"]):
        assert (tmp_path / "x" / LOCK).read_text().startswith(f"process {os.getpid()} on ")
        with pytest.raises(BadInputError, match="is being written by"), claimed([tmp_path / "x"]):
            pass
    assert removed


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(BadInputError, match="cannot be locked .*another file system"), claimed([tmp_path / "x"]):
        pass


def test_a_missing_shard_makes_the_run_incomplete(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    digest = run.digest
    (run.folder / "train" / "shard-00001").rename(run.folder / "gone")
    again = store.open_run(tiny_cache, "a")
    assert not again.is_complete
    assert again.digest != digest
    assert len(again) == 20
    assert again.missing == [Place("train", "shard-00001")]
    assert damage(again) == [Damage("gone", "", "is no part of the Run")]


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("file", ["inputs.npy", "samples.parquet", "latents.npy", "meta.json"])
def test_one_changed_bit_is_found(tiny_cache: Path, file: str) -> None:
    run = store.open_run(tiny_cache, "a")
    assert damage(run) == []
    flip_a_bit(run.folder / "live" / "shard-00000" / file)
    expected = Damage("live", "shard-00000", f"{file} does not match its checksum")
    assert damage(run) == [expected]
    assert asdict(verified(run.folder)) == {
        "run": run.id, "name": "a", "damage": [vars(expected)], "missing": [], "repaired": (),
        "signature": "unsigned", "refusal": "", "removed": "", "keys": []
    }  # fmt: skip


def test_every_kind_of_damage_has_its_words(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    shard = run.folder / "live" / "shard-00000"
    (shard / "latents.npy").unlink()
    (shard / "notes.txt").write_text("mine")
    size = (shard / "inputs.npy").stat().st_size
    (shard / "inputs.npy").write_bytes(b"short")
    (run.folder / "train" / "shard-00001" / "meta.json").unlink()
    (run.folder / "train" / "shard-00007").mkdir()
    (run.folder / "stray.txt").write_text("")
    (run.folder / ".DS_Store").write_text("")  # what file managers leave is nobody's
    (shard / ".DS_Store").write_text("")
    problems = {(entry.subset, entry.shard, entry.problem) for entry in damage(run)}
    assert problems == {
        ("live", "shard-00000", "latents.npy is missing"),
        ("live", "shard-00000", "notes.txt is no part of the shard"),
        ("live", "shard-00000", f"inputs.npy has 5 bytes instead of {size}"),
        ("train", "shard-00001", "meta.json is missing"),
        ("train", "shard-00007", "is no part of the Run"),
        ("stray.txt", "", "is no part of the Run"),
    }

    def unreadable(_: Path) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(upkeep, "file_sha256", unreadable)
    assert shard_damage(run.folder / "train" / "shard-00000")[0] == (
        "failures.parquet cannot be read (Input/output error)"
    )


def test_a_run_without_run_json_still_has_its_shards_checked(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    flip_a_bit(run.folder / "live" / "shard-00000" / "latents.npy")
    content = (run.folder / "run.json").read_text()
    with claimed([store.runs_folder(tiny_cache) / "begun"]):
        for text in (None, "{"):
            (run.folder / "run.json").write_text(text) if text else (run.folder / "run.json").unlink()
            assert run.folder in folders_to_verify(tiny_cache)
            assert len(folders_to_verify(tiny_cache)) == 3  # one that has just been begun has no damage
            whole, inside = verified(run.folder).damage
            assert "run.json is missing or damaged" in whole.problem
            assert (inside.subset, inside.shard) == ("live", "shard-00000")
    store.create(tiny_cache, run.info)  # as `fas cache` does
    assert (run.folder / "run.json").read_text() == content
    assert store.folder_of(tiny_cache, "a") == run.folder


def test_a_run_json_that_is_there_is_kept(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    store.create(tiny_cache, replace(run.info, name="other"))
    assert store.opened(run.folder).info.name == "a"


def test_older_runs_do_not_know_where_they_come_from(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    older = {k: v for k, v in asdict(run.info).items() if not k.endswith("_path")}
    (run.folder / "run.json").write_text(store.sealed(older))
    with pytest.raises(BadInputError, match=r"Run a does not say where .* By hand: .*fas cache CHECKPOINT"):
        sources(store.opened(run.folder))


def test_sources_are_there_and_unchanged_or_named(tmp_path: Path, tiny_faces: Path, tiny_cache: Path) -> None:
    rows = manifest.read(tiny_faces).rows.head(2)
    source, checkpoint = tmp_path / "m.csv", tmp_path / "m.safetensors"
    for path in rows["path"]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((tiny_faces.parent / path).read_bytes())
    manifest.write(rows, source)
    checkpoint.write_bytes(b"weights")
    run = store.open_run(tiny_cache, "a")
    info = replace(
        run.info,
        checkpoint_path=str(checkpoint),
        checkpoint_sha256=file_sha256(checkpoint),
        manifest_path=str(source),
        manifest_sha256=manifest.read(source).sha256,
    )
    named = store.Run(run.folder, info, run.shards)
    weights, data = sources(named)
    assert (weights, data.source, len(data)) == (checkpoint, source, 2)

    (tmp_path / rows["path"][0]).write_bytes(b"another image")
    with pytest.raises(BadInputError, match=r"manifest of Run a, or one of its images, has changed: .*m\.csv"):
        sources(named)
    source.rename(tmp_path / "elsewhere.csv")
    with pytest.raises(BadInputError, match=r"manifest of Run a is gone: .*m\.csv\. By hand"):
        sources(named)
    checkpoint.write_bytes(b"other weights")
    (tmp_path / "elsewhere.csv").rename(source)
    with pytest.raises(BadInputError, match=r"checkpoint of Run a has changed: .*m\.safetensors"):
        sources(named)
    checkpoint.unlink()
    with pytest.raises(BadInputError, match=r"checkpoint of Run a is gone"):
        sources(named)
    vendor = store.open_run(tiny_cache, "vendor")
    with pytest.raises(BadInputError, match=r"scores only.* fas scores import vendor\.csv --name vendor"):
        sources(vendor)


def test_discarded_shards_count_as_missing_and_strays_stay(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    flip_a_bit(run.folder / "live" / "shard-00000" / "latents.npy")
    (run.folder / "live" / "mine").mkdir()
    entries = damage(run)
    assert [entry.shard for entry in entries] == ["mine", "shard-00000"]
    assert discard(run, entries) == [entries[1]]
    assert store.opened(run.folder).missing == [Place("live", "shard-00000")]
    assert (run.folder / "live" / "mine").is_dir()


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
    assert run.is_of_scores
    with pytest.raises(BadInputError, match="scores only"):
        run.latents()
    with pytest.raises(BadInputError, match="scores only"):
        _ = run.latent_dim
    images = store.open_run(tiny_cache, "a")
    assert images.latent_dim == images.latents().shape[1]


def test_summary_counts_bytes_and_is_json(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    summary = json.loads(json.dumps(asdict(run.summary())))
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
    a, b = store.open_run(tiny_cache, "a"), store.open_run(tiny_cache, "b")
    for run in (a, b):
        memo.arrays(tiny_cache, "pca", {"run": run.digest}, lambda: {"x": np.ones(2)})
    killed = store.runs_folder(tiny_cache) / ".removed-xyz" / "c"  # by a removal that was killed
    killed.mkdir(parents=True)
    (killed / "run.json").write_text("{}")
    assert len(store.run_folders(tiny_cache)) == 3
    remove(a)
    assert sorted(run.info.name for run in store.all_runs(tiny_cache)) == ["b", "vendor"]
    assert len(list(store.runs_folder(tiny_cache).iterdir())) == 2
    assert damage(b) == []
    assert memo.found(tiny_cache, "pca", {"run": b.digest}) is not None


@pytest.mark.parametrize("change", [{"surprise": 1}, {"subsets": {"../up": 1}}, {"subsets": None}])
def test_a_foreign_run_json_is_one_message(tiny_cache: Path, change: dict[str, object]) -> None:
    run = store.open_run(tiny_cache, "a")
    info = json.loads((run.folder / "run.json").read_text())
    info.pop("sha256")
    (run.folder / "run.json").write_text(store.sealed(info | change))
    with pytest.raises(BadInputError, match=r"run\.json"):
        store.opened(run.folder)
    assert {other.info.name for other in store.all_runs(tiny_cache)} == {"b", "vendor"}
    assert verified(run.folder).damage


def test_a_changed_meta_json_takes_its_shard_away_not_the_run(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    meta = run.folder / "live" / "shard-00000" / "meta.json"
    meta.write_text(meta.read_text().replace('"n": 4', '"n": 3'))
    again = store.opened(run.folder)
    assert not again.is_complete
    assert "live" not in again.subsets
    assert again.broken == (meta.parent,)
    assert [entry.subset for entry in damage(again)] == ["live"]


@pytest.mark.parametrize("change", [{"files": None}, {"arrays": {"latents": {}}}, {"n": None}])
def test_a_meta_json_of_another_shape_takes_its_shard_away_not_the_run(
    tiny_cache: Path, change: dict[str, object]
) -> None:
    meta = store.open_run(tiny_cache, "a").folder / "live" / "shard-00000" / "meta.json"
    content = {name: value for name, value in json.loads(meta.read_text()).items() if name != "sha256"}
    meta.write_text(store.sealed(content | change))
    again = store.open_run(tiny_cache, "a")
    assert again.broken == (meta.parent,)
    assert [entry.subset for entry in damage(again)] == ["live"]


@pytest.mark.parametrize("in_a_part", [store.IN_A_PART, 1])
def test_what_many_shards_hold_is_read_once_and_anew_where_one_changes(
    tiny_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_a_part: int
) -> None:
    monkeypatch.setattr(store, "IN_A_PART", in_a_part)
    monkeypatch.setattr(store.kept_columns, "FEW", 1)
    read: list[Path] = []
    read_meta = store.read_meta
    monkeypatch.setattr(store, "read_meta", lambda shard: (read.append(shard), read_meta(shard))[1])

    def opened() -> tuple[int, store.Run]:
        read.clear()
        run = store.opened(first.folder)
        return len(read), run

    first = store.open_run(tiny_cache, "a")
    n = len(first.shards)
    n_read, run = opened()
    assert n_read == 0
    assert (run.shards, run.digest, run.is_complete) == (first.shards, first.digest, True)

    folder = first.shards[1].folder
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")  # meta.json itself has not changed
    assert opened()[1].broken == (folder,)
    folder.unlink()
    (tmp_path / "elsewhere").rename(folder)
    assert opened()[0] == 0  # as it was

    meta = folder / "meta.json"
    whole, times = meta.read_bytes(), meta.stat()
    meta.write_bytes(whole.replace(b'"n": 4', b'"n": 3'))
    os.utime(meta, ns=(times.st_atime_ns, times.st_mtime_ns))  # the same size and time
    assert opened()[1].broken == (folder,)
    meta.unlink()
    absent = opened()[1]
    assert (absent.is_complete, absent.broken, len(absent.shards)) == (False, (), n - 1)
    meta.write_bytes(whole)
    assert (opened()[0], opened()[0]) == (min(n, in_a_part), 0)

    monkeypatch.setattr(memo, "_unsealed", lambda *_: {"json": np.frombuffer(b'[{"n": "x"}]', np.uint8)})
    n_read, run = opened()  # it says something else
    assert (n_read, run.digest) == (n, first.digest)


def test_the_remains_of_a_shard_do_not_stand_in_the_way(tmp_path: Path) -> None:
    shard = tmp_path / "train" / "shard-00000"
    shard.mkdir(parents=True)
    (shard / "latents.npy").write_bytes(b"left over")
    store.write_shard(shard, pd.DataFrame({"a": [1]}), latents=np.zeros((1, 2)))
    assert store.is_shard(shard)
    assert np.load(shard / "latents.npy").shape == (1, 2)
    flip_a_bit(shard / "meta.json")
    assert not store.is_shard(shard)
    one_shard(shard)
    assert np.load(shard / "latents.npy").shape == (2, 2)


def sealed_again(path: Path, **changed: object) -> None:
    """A document changed by somebody who knows how its checksum is made."""
    content = json.loads(path.read_text()) | changed
    content.pop("sha256")
    path.write_text(store.sealed(content))


@pytest.mark.parametrize(
    "changed",
    [
        {"run": "../.."},
        {"run": "0123456789ab"},  # of another folder
        {"run": None},
        {"name": 7},
        {"subsets": {"live": 10**15}},
        {"subsets": {"live": -1}},
        {"subsets": {"../../x": 3}},
        {"subsets": ["live"]},
        {"shard_size": 0},
        {"kind": "x"},
        {"checkpoint_header": [1]},
        {"more": 1},
    ],
)
def test_a_run_that_says_what_no_run_is_is_refused_and_others_open(
    tiny_cache: Path, changed: dict[str, object]
) -> None:
    wrong, *others = store.run_folders(tiny_cache)
    sealed_again(wrong / "run.json", **changed)
    with pytest.raises(BadInputError, match=f"{wrong / 'run.json'}"):
        store.opened(wrong)
    assert {run.folder for run in store.all_runs(tiny_cache)} == set(others)


TOO_DEEP = ['{"a":' * 90 + "1" + "}" * 90, "[" * 10**5, "[" * 10**5 + "]" * 10**5]


@pytest.mark.parametrize("text", [*TOO_DEEP, "7", "null", "{}"])
def test_documents_that_are_no_run_are_refused(tiny_cache: Path, text: str) -> None:
    wrong, *others = store.run_folders(tiny_cache)
    for path in (wrong / "run.json", next(others[0].glob("*/shard-*/meta.json"))):
        path.write_text(text)
    with pytest.raises(BadInputError, match="run.json"):
        store.opened(wrong)
    assert len(store.opened(others[0]).broken) == 1


@pytest.mark.parametrize(
    "arrays",
    [
        {"latents": {"shape": [4, 10**9], "dtype": "float32"}},  # longer than its file
        {"latents": {"shape": [5, 8], "dtype": "float32"}},
        {"latents": {"shape": [4, -8], "dtype": "float32"}},
        {"latents": {"shape": [4, 8], "dtype": "object"}},
        {"latents": {"shape": ["4", 8], "dtype": "float32"}},
        {"elsewhere/x": {"shape": [4, 8], "dtype": "float32"}},
    ],
)
def test_a_shard_that_says_what_no_shard_is_is_broken(tiny_cache: Path, arrays: dict[str, object]) -> None:
    run = store.open_run(tiny_cache, "a")
    sealed_again(run.shards[0].folder / "meta.json", arrays=arrays)
    assert store.opened(run.folder).broken == (run.shards[0].folder,)


def test_no_link_in_a_run_is_followed(tiny_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tiny_cache)  # the cache folder itself may be one
    run = store.open_run(tmp_path / "link", "a")
    for number, name in enumerate(("inputs.npy", "samples.parquet", ".")):
        part = run.shards[number].folder / name
        part.rename(tmp_path / f"moved {number}")
        part.symlink_to(tmp_path / f"moved {number}")
    assert store.opened(run.folder).broken == (run.shards[2].folder,)
    with pytest.raises(BadInputError, match=r"damaged \(inputs.npy\)"):
        run.images("inputs", [0])
    with pytest.raises(BadInputError, match=r"damaged \(samples.parquet\)"):
        run.samples(["sample_id"])
    (subset := run.folder / "linked").symlink_to(tmp_path)
    with pytest.raises(OSError, match="symbolic link"):
        store.write_shard(subset / "shard-00000", pd.DataFrame({"a": [1]}))
    other = store.open_run(tiny_cache, "b")
    other.folder.rename(tmp_path / "whole")
    other.folder.symlink_to(tmp_path / "whole")
    with pytest.raises(BadInputError, match="run.json"):
        store.opened(other.folder)


def test_what_the_machine_cannot_read_is_not_damaged_and_stays(
    tiny_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.open_run(tiny_cache, "a")
    shard = run.shards[0]

    def fails(error: Exception) -> Callable[..., object]:
        def failing(*_: object, **__: object) -> object:
            raise error

        return failing

    no_memory = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    for module, name, error, read in (
        (store.mmap, "mmap", no_memory, run.latents),
        (store.mmap, "mmap", MemoryError(), run.latents),
        (
            store.pq,
            "ParquetFile",
            store.pa.ArrowMemoryError("malloc of size 64 failed"),
            lambda: run.samples(["label"]),
        ),
        (store.pq, "ParquetFile", no_memory, run.column_names),
        (store, "opened_file", no_memory, lambda: run.images("inputs", [0])),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, fails(error))
            with pytest.raises(store.UnreadableNowError, match="cannot be read now: Cannot allocate memory"):
                read()
    before = sorted(path.name for path in shard.folder.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))  # as where other programs hold all that may be open
    try:
        for read in (
            lambda: store.opened(run.folder),
            lambda: store.is_shard(shard.folder),
            lambda: upkeep.shard_damage(shard.folder),
            lambda: store.write_shard(shard.folder, pd.DataFrame({"a": [1]})),
            lambda: store.create(run.cache, run.info),
        ):
            with pytest.raises(store.UnreadableNowError, match="Too many open files"):
                read()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert sorted(path.name for path in shard.folder.iterdir()) == before
    assert not upkeep.shard_damage(shard.folder)


def test_rows_are_those_of_the_shards_that_hold_them(tmp_path: Path) -> None:
    run = synthetic.write_run(tmp_path, 90, pixels=0, shard_size=8)
    assert len(run) == 90 == sum(shard.n for shard in run.shards)
    for rows in (np.arange(90), np.array([0, 7, 8, 40, 89]), np.empty(0, np.int64)):
        holding = list(run.holding(rows))
        assert [row for shard, here in holding for row in (shard.start + here).tolist()] == rows.tolist()
        assert all(len(here) and 0 <= here.min() <= here.max() < shard.n for shard, here in holding)
        assert run.samples_of(rows, ["sample_id"])["sample_id"].tolist() == (
            run.samples(["sample_id"])["sample_id"].iloc[rows].tolist()
        )
