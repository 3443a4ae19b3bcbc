"""Derived results on disk: kept once, never unpickled, never wrong; with several processes and damaged stores."""

from __future__ import annotations

import contextlib
import io
import pickle
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import diskcache
import numpy as np
import pytest

from fas_core import memo

KEY = memo.key_of("k", {})
BIG = 100_000  # numbers: diskcache keeps values from 32 KiB on in files


class Planted:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.trace,)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "unpickled"


@pytest.fixture
def poison(trace: Path) -> bytes:
    return pickle.dumps(Planted(trace))


def made(cache: Path, fill: float = 0, n: int = 1) -> dict[str, Any]:
    return memo.arrays(cache, "k", {}, lambda: {"x": np.full(n, fill)})


def run_sql(cache: Path, statement: str, *values: object) -> None:
    database = sqlite3.connect(memo.folder(cache) / "cache.db")
    with database:
        database.execute(statement, values)
    database.close()


def value_files(cache: Path) -> list[Path]:
    return list(memo.folder(cache).rglob("*.val"))


def assert_is_computed_anew_and_kept(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    assert memo.found(cache, "k", {}) is None
    assert "damaged" in caplog.text
    assert made(cache, 7)["x"][0] == 7
    kept = memo.found(cache, "k", {})
    assert kept is not None
    assert kept["x"][0] == 7


def test_computed_once_per_key(tmp_path: Path) -> None:
    calls: list[int] = []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"x": np.arange(3.0)}

    for _ in range(2):
        assert np.array_equal(memo.arrays(tmp_path, "k", {"run": "r", "seed": 0}, compute)["x"], [0, 1, 2])
    assert len(calls) == 1
    memo.arrays(tmp_path, "k", {"run": "r", "seed": 1}, compute)
    assert len(calls) == 2
    assert memo.found(tmp_path, "k", {"run": "other", "seed": 0}) is None
    assert memo.found(tmp_path, "other", {"run": "r", "seed": 0}) is None


def test_arrays_come_as_they_were_and_lie_where_they_were_read(tmp_path: Path) -> None:
    given = {
        "scores": np.random.default_rng(0).normal(size=BIG),
        "turned": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "count": np.array(3),
        "none": np.empty((0, 2), np.float32),
        "names": np.array(["paper", "Maske"]),
    }
    memo.arrays(tmp_path, "k", {}, lambda: given)
    kept = memo.found(tmp_path, "k", {})
    assert kept is not None
    assert list(kept) == list(given)
    for name, array in given.items():
        assert kept[name].dtype == array.dtype
        assert np.array_equal(kept[name], array)
        assert kept[name].flags.writeable
        assert kept[name].flags.aligned
    assert not kept["scores"].flags.owndata, "a copy"
    (file,) = value_files(tmp_path)
    with np.load(io.BytesIO(file.read_bytes()[memo._SEAL :])) as archive:  # as every reader of the format finds them
        assert np.array_equal(archive["turned"], given["turned"])


def test_what_was_kept_without_alignment_is_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(3.0), names=np.array(["a"]))
    with memo._store(tmp_path) as entries:
        entries[KEY] = memo._seal(KEY, buffer.getvalue()) + buffer.getvalue()
    kept = memo.found(tmp_path, "k", {})
    assert kept is not None
    assert kept["x"].tolist() == [0, 1, 2]
    assert kept["names"].tolist() == ["a"]


# -------------------------------------------------------------------------------------------------------------- pickle


def test_threads_that_ask_at_once_share_one_computation_or_its_failure(tmp_path: Path) -> None:
    begun, computed = threading.Barrier(4), []

    def compute() -> dict[str, Any]:
        computed.append(threading.get_ident())
        time.sleep(0.2)
        if len(computed) == 1:
            raise ValueError("the first one fails")
        return {"x": np.arange(3)}

    def ask(_: int) -> list[int]:
        begun.wait()
        try:
            return memo.arrays(tmp_path, "k", {}, compute)["x"].tolist()
        except ValueError:
            return []

    with ThreadPoolExecutor(4) as threads:
        answers = sorted(threads.map(ask, range(4)))
    assert answers == [[], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    assert len(computed) == 2
    assert not memo._under_way


def test_the_planted_rows_are_live_ones(tmp_path: Path, trace: Path, poison: bytes) -> None:
    """What the next test refuses, diskcache's own Disk runs, and so does the JSONDisk that is advised against it."""
    for disk in (diskcache.Disk, diskcache.JSONDisk):
        with diskcache.Cache(str(memo.folder(tmp_path)), disk=disk) as entries:
            entries[KEY] = 1
            run_sql(tmp_path, "UPDATE Cache SET mode = 4, value = ?", poison)
            with contextlib.suppress(TypeError):  # JSONDisk wants text from it, after the deed
                entries.get(KEY)
            entries.clear()
        assert trace.exists()
        trace.unlink()


@pytest.mark.parametrize("mode", [memo.MODE_PICKLE, memo.MODE_RAW, memo.MODE_BINARY, 3, 7])
@pytest.mark.parametrize("in_file", [False, True])
def test_a_planted_row_is_never_unpickled(
    tmp_path: Path, trace: Path, poison: bytes, mode: int, in_file: bool, caplog: pytest.LogCaptureFixture
) -> None:
    made(tmp_path, n=BIG)
    if in_file:
        (file,) = value_files(tmp_path)
        file.write_bytes(poison)
        run_sql(tmp_path, "UPDATE Cache SET mode = ?", mode)
        if mode == memo.MODE_RAW:
            run_sql(tmp_path, "UPDATE Cache SET value = 'text'")
    else:
        run_sql(tmp_path, "UPDATE Cache SET mode = ?, filename = NULL, value = ?", mode, poison)
    assert_is_computed_anew_and_kept(tmp_path, caplog)
    assert not trace.exists()


def test_a_planted_key_is_never_unpickled(tmp_path: Path, trace: Path, poison: bytes) -> None:
    made(tmp_path)
    run_sql(tmp_path, "UPDATE Cache SET raw = 0, key = ?", poison)
    assert memo.found(tmp_path, "k", {}) is None
    with (
        diskcache.Cache(str(memo.folder(tmp_path)), disk=memo.NoPickleDisk) as entries,
        pytest.raises(memo.PickleRefusedError),
    ):
        list(entries)
    assert not trace.exists()


def test_planted_tags_times_and_settings_are_never_unpickled(tmp_path: Path, trace: Path, poison: bytes) -> None:
    made(tmp_path)
    run_sql(tmp_path, "UPDATE Cache SET tag = ?, expire_time = ?, access_time = ?", poison, poison, poison)
    run_sql(tmp_path, "UPDATE Settings SET value = ? WHERE key = 'disk_pickle_protocol'", poison)
    arrays = memo.found(tmp_path, "k", {})
    assert arrays is not None
    assert arrays["x"] == [0]
    assert not trace.exists()


@pytest.mark.parametrize(
    ("key", "value"), [("disk_other", 1), ("volume", 1), ("_disk", 1), ("directory", "/"), ("sqlite_a b; c", 1)]
)
def test_settings_that_break_the_store_cost_its_results_and_no_more(
    tmp_path: Path, key: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    made(tmp_path)
    run_sql(tmp_path, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", key, value)
    memo.usage(tmp_path)
    assert memo.arrays(tmp_path, "other", {}, lambda: {"x": np.ones(1)})["x"] == [1]
    assert "begun anew" in caplog.text
    assert memo.found(tmp_path, "other", {}) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["memo"]


def test_pickle_is_refused_on_the_way_in(tmp_path: Path) -> None:
    with diskcache.Cache(str(tmp_path), disk=memo.NoPickleDisk) as entries:
        for value in ({"a": 1}, "text", 1, None, bytearray(b"x")):
            with pytest.raises(memo.PickleRefusedError):
                entries["key"] = value
        for key in (("a", "tuple"), b"bytes", 1):
            with pytest.raises(memo.PickleRefusedError):
                entries[key] = b"x"
        assert len(entries) == 0
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        memo.arrays(tmp_path, "k", {}, lambda: {"x": np.array([{}], object)})


def test_an_object_array_is_damage_not_code(tmp_path: Path, trace: Path, caplog: pytest.LogCaptureFixture) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([Planted(trace)], dtype=object))
    archive = buffer.getvalue()
    with memo._store(tmp_path) as entries:
        entries[KEY] = memo._seal(KEY, archive) + archive
    assert_is_computed_anew_and_kept(tmp_path, caplog)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["../../precious.txt", "/precious.txt", b"../../precious.txt"])
def test_a_row_that_names_another_file_neither_reads_nor_deletes_it(
    tmp_path: Path, name: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    cache, precious = tmp_path / "cache", tmp_path / "precious.txt"
    made(cache, n=BIG)
    precious.write_text("mine")
    if isinstance(name, str) and name.startswith("/"):
        name = str(precious)
    run_sql(cache, "UPDATE Cache SET filename = ?", name)
    with (
        diskcache.Cache(str(memo.folder(cache)), disk=memo.NoPickleDisk) as entries,
        pytest.raises(ValueError, match="none of this store"),
    ):
        entries.get(KEY)
    assert_is_computed_anew_and_kept(cache, caplog)
    assert precious.read_text() == "mine"


# -------------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "one bit"])
def test_a_damaged_value_file_is_computed_anew(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    made(tmp_path, n=BIG)
    (file,) = value_files(tmp_path)
    content = file.read_bytes()
    flipped = content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:]
    file.write_bytes({"truncated": content[:5000], "garbage": b"\0" * 999, "empty": b"", "one bit": flipped}[damage])
    assert_is_computed_anew_and_kept(tmp_path, caplog)


def test_a_lost_value_file_is_computed_anew(tmp_path: Path) -> None:
    made(tmp_path, n=BIG)
    value_files(tmp_path)[0].unlink()
    assert made(tmp_path, 5, BIG)["x"][0] == 5
    assert made(tmp_path, 6, BIG)["x"][0] == 5


def test_an_entry_in_anothers_place_is_not_taken_for_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memo.arrays(tmp_path, "other", {}, lambda: {"x": np.ones(1)})
    run_sql(tmp_path, "UPDATE Cache SET key = ?", KEY)
    assert_is_computed_anew_and_kept(tmp_path, caplog)


@pytest.mark.parametrize("damage", ["garbage", "truncated", "another schema", "a page of noise"])
def test_a_damaged_store_is_begun_anew(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    made(tmp_path, 3)
    database = memo.folder(tmp_path) / "cache.db"
    content = database.read_bytes()
    if damage == "another schema":
        run_sql(tmp_path, "ALTER TABLE Cache DROP COLUMN mode")
    else:
        noise = np.random.default_rng(0).bytes(len(content))
        broken = {"garbage": b"no database" * 1000, "truncated": content[:5000], "a page of noise": content[:4096]}
        database.write_bytes(broken[damage] + (noise[4096:] if damage == "a page of noise" else b""))
    assert memo.usage(tmp_path)[1] == memo.SIZE_LIMIT
    for fill in (8, 9):
        assert made(tmp_path, fill)["x"][0] == 8
    assert "damaged" in caplog.text
    assert memo.usage(tmp_path)[0] > 0


def test_without_a_place_to_keep_results_they_are_computed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memo.folder(tmp_path).write_text("a file where the folder should be")
    for fill in (1, 2):
        assert made(tmp_path, fill)["x"].tolist() == [fill]
    assert "cannot be kept" in caplog.text
    assert memo.usage(tmp_path) == (0, memo.SIZE_LIMIT)


def test_a_store_that_stays_locked_costs_nothing_but_its_results(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, 3)
    monkeypatch.setattr(memo, "AVOIDED_FOR", 0.0)

    def locked(*_: object, **__: object) -> None:
        raise diskcache.Timeout

    monkeypatch.setattr(diskcache.Cache, "set", locked)
    assert memo.arrays(tmp_path, "other", {}, lambda: {"x": np.ones(1)})["x"] == [1]
    assert "cannot be kept" in caplog.text
    assert made(tmp_path, 4)["x"] == [3]


HOLDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def held(cache: Path) -> Iterator[None]:
    """Another process holds the database meanwhile."""
    command = [sys.executable, "-c", HOLDER, str(memo.folder(cache) / "cache.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == "held\n"
        try:
            yield
        finally:
            holder.stdin.close()


@pytest.mark.process
def test_a_store_held_by_another_process_delays_a_page_by_two_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, 3)
    with held(tmp_path):
        start = time.monotonic()
        for number in range(5):
            computed = memo.arrays(tmp_path, "many", {"n": number}, lambda: {"x": np.ones(1)})
            assert computed["x"] == [1]
        assert memo.found(tmp_path, "k", {}) is None
        assert memo.usage(tmp_path) == (0, memo.SIZE_LIMIT)
        assert time.monotonic() - start < 2.5
        assert "another process holds it" in caplog.text
        assert "damaged" not in caplog.text
        monkeypatch.setattr(memo, "_avoided_until", {})
        start = time.monotonic()
        with pytest.raises(memo._UnusableError):
            memo._keep(tmp_path, KEY, b"")
        assert time.monotonic() - start < 2.5
    monkeypatch.setattr(memo, "_avoided_until", {})
    assert made(tmp_path, 4)["x"] == [3]


@pytest.mark.process
def test_a_store_that_is_locked_once_it_is_open_is_given_up_as_soon(tmp_path: Path) -> None:
    made(tmp_path, 3)
    start = time.monotonic()
    with pytest.raises(memo._UnusableError, match="holds it"), memo._store(tmp_path) as entries, held(tmp_path):
        entries.set("other", b"")
    assert time.monotonic() - start < 5  # a process was started in between


# ------------------------------------------------------------------------------------------------ size; many processes


def test_usage_and_limit(tmp_path: Path) -> None:
    assert memo.usage(tmp_path) == (0, memo.SIZE_LIMIT)
    made(tmp_path, n=BIG)
    used, limit = memo.usage(tmp_path)
    assert used >= 8 * BIG
    assert limit == memo.SIZE_LIMIT > 2**30


def test_beyond_the_limit_the_results_stored_longest_ago_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "SIZE_LIMIT", 20 * 8 * BIG)
    for i in range(40):
        memo.arrays(tmp_path, "k", {"i": i}, lambda: {"x": np.zeros(BIG)})
    kept = [i for i in range(40) if memo.found(tmp_path, "k", {"i": i}) is not None]
    assert kept == list(range(kept[0], 40))
    assert 10 <= len(kept) <= 20
    assert memo.usage(tmp_path)[0] <= memo.SIZE_LIMIT
    assert len(value_files(tmp_path)) == len(kept)


def _used_heavily(cache: Path, process: int) -> list[str]:
    """Results that are wrong, and what was logged, after many reads and writes; a third of the entries collide."""
    logged: list[str] = []
    memo._log.warning = lambda text, *values: logged.append(text % values)  # type: ignore[method-assign]
    for i in range(40):
        n = BIG if i % 2 else 10
        got = memo.arrays(cache, "k", {"i": i % 20}, lambda n=n, i=i: {"x": np.full(n, i % 20), "by": process})
        if not (got["x"] == i % 20).all():
            logged.append(f"wrong in process {process}: {i % 20}")
    return logged


@pytest.mark.process
def test_four_processes_at_once_on_a_new_store(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        assert list(processes.map(_used_heavily, [tmp_path] * 4, range(4))) == [[]] * 4
    assert all(memo.found(tmp_path, "k", {"i": i}) is not None for i in range(20))
    assert len(value_files(tmp_path)) == 10


def test_a_store_is_opened_anew_only_where_its_file_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, 1)
    opened = []
    begin = memo._Entries.__init__

    def noted(entries: memo._Entries, directory: Path) -> None:
        opened.append(directory)
        begin(entries, directory)

    monkeypatch.setattr(memo._Entries, "__init__", noted)
    for _ in range(3):
        assert made(tmp_path, 2)["x"] == 1
    assert not opened
    run_sql(tmp_path, "DELETE FROM Cache")
    assert made(tmp_path, 3)["x"] == 3
    assert opened
    memo.remove(tmp_path)
    assert made(tmp_path, 4)["x"] == 4
