import io
import pickle
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from fas_core import memo


class Planted:
    """Runs code when it is unpickled."""

    ran = False

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return setattr, (Planted, "ran", True)  # type: ignore[return-value]


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


@pytest.mark.parametrize("mode", [memo.MODE_PICKLE, 3, 7])
def test_a_planted_row_is_never_unpickled(tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture) -> None:
    memo.arrays(tmp_path, "k", {"run": "r"}, lambda: {"x": np.zeros(1)})
    key = memo.key_of("k", {"run": "r"})
    database = sqlite3.connect(memo.folder(tmp_path) / "cache.db")
    with database:
        database.execute(
            "UPDATE Cache SET mode = ?, filename = NULL, value = ? WHERE key = ?",
            (mode, sqlite3.Binary(pickle.dumps(Planted())), key),
        )
    database.close()
    Planted.ran = False
    assert memo.found(tmp_path, "k", {"run": "r"}) is None
    again = memo.arrays(tmp_path, "k", {"run": "r"}, lambda: {"x": np.ones(1)})
    assert again["x"].tolist() == [1]
    assert not Planted.ran
    assert "damaged" in caplog.text


def test_pickle_is_refused_on_the_way_in(tmp_path: Path) -> None:
    with memo._store(tmp_path) as entries:
        with pytest.raises(memo.PickleRefusedError):
            entries["key"] = {"a": 1}
        with pytest.raises(memo.PickleRefusedError):
            entries[("a", "tuple")] = b"x"


def test_an_object_array_is_damage_not_code(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([Planted()], dtype=object))
    with memo._store(tmp_path) as entries:
        entries[memo.key_of("k", {})] = buffer.getvalue()
    Planted.ran = False
    assert memo.found(tmp_path, "k", {}) is None
    assert not Planted.ran


def test_usage_and_limit(tmp_path: Path) -> None:
    assert memo.usage(tmp_path) == (0, memo.SIZE_LIMIT)
    memo.arrays(tmp_path, "k", {}, lambda: {"x": np.zeros(100_000)})
    used, limit = memo.usage(tmp_path)
    assert used >= 800_000
    assert limit == memo.SIZE_LIMIT > 2**30


def test_without_a_place_to_keep_results_they_are_computed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memo.folder(tmp_path).mkdir()
    (memo.folder(tmp_path) / "cache.db").write_bytes(b"no database" * 1000)
    assert memo.arrays(tmp_path, "k", {}, lambda: {"x": np.ones(1)})["x"].tolist() == [1]
    assert "cannot be kept" in caplog.text
    assert memo.usage(tmp_path)[0] == 0
