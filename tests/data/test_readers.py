"""Pictures read by threads and by processes: the same to the last bit, whoever dies on the way."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fas_core.data import processes, readers
from fas_core.data.readers import Pictures, Readers, Wanted
from fas_core.errors import BadInputError
from tests.conftest import PROJECT
from tests.data.preparing import DEADLY, prepared


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    rng = np.random.default_rng(0)
    for i in range(24):
        Image.fromarray(rng.integers(0, 200, (20 + i, 30), np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "5.png").write_bytes((tmp_path / "5.png").read_bytes()[:60])
    return Wanted(tmp_path, 16, 1, prepared, at_once=4)


PATHS = [f"{i}.png" for i in range(25)]  # the last one is not there


def assert_same(a: Pictures, b: Pictures) -> None:
    assert (a.places, a.reasons) == (b.places, b.reasons)
    for mine, other in zip((*a.arrays, a.contents, a.is_constant), (*b.arrays, b.contents, b.is_constant), strict=True):
        assert mine.dtype == other.dtype
        assert np.array_equal(mine, other)


def up(reading: Readers) -> list[int]:
    """The numbers of its processes, once they read."""
    reading.wait_until_up()
    return [*reading._processes._pool._processes]


def test_threads_read_what_a_loop_does(wanted: Wanted) -> None:
    expected = readers.read(wanted, PATHS)
    assert [*expected.reasons] == [5, 24]
    for threads in (0, 3):
        with Readers(wanted, 0, threads) as reading:
            assert_same(reading.begun(PATHS)(), expected)
            assert reading.begun([])().places == []


@pytest.mark.process
def test_processes_read_the_same_when_one_is_killed_and_when_an_image_kills(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = readers.read(wanted, PATHS)
    monkeypatch.setenv("DEADLY", "yes")
    with Readers(wanted, 1, 0) as reading:
        first = up(reading)
        waiting = [reading.begun(PATHS) for _ in range(3)]
        os.kill(first[0], signal.SIGKILL)
        for wait in waiting:
            assert_same(wait(), expected)
        Image.new("L", (16, 16), DEADLY).save(wanted.root / "2.png")
        again = reading.begun(PATHS)()
        assert again.reasons == {**expected.reasons, 2: readers.CRASHED}
        at = expected.places.index(2)
        assert np.array_equal(again.arrays[0], np.delete(expected.arrays[0], at, 0))
        last = up(reading)
    assert not set(first) & set(last)
    assert not any(is_running(number) for number in (*first, *last))


@pytest.mark.process
def test_processes_that_all_end_at_once_are_no_fault_of_the_images(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers.processes, "done", lambda work, items, n: [(item, None) for item in items])
    with pytest.raises(BadInputError, match="--workers 0"):
        readers.apart(wanted, PATHS[:2])


def test_processes_are_begun_when_pictures_are_waited_for(wanted: Wanted, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    clock = [0.0]
    monkeypatch.setattr(readers, "_Processes", lambda _, n: begun.append(n))
    monkeypatch.setattr(readers.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(processes, "cores", lambda: 12)

    def told(workers: int | None, waited: float, share: int = 1) -> list[int]:
        begun.clear()
        reading = Readers(wanted, workers, 1, share)
        for _ in range(5):
            clock[0] += 1
            reading.weigh(waited)
        return [*begun]

    assert told(None, 0.05) == []
    assert told(None, 0.2) == [12]
    assert told(None, 0.2, share=4) == [3]
    assert told(0, 0.9) == []
    assert told(5, 0.0) == [5]
    assert (readers.workers_of("auto"), readers.workers_of("3")) == (None, 3)
    with pytest.raises(BadInputError, match="--workers -1: expected auto"):
        readers.workers_of("-1")


def test_cores_are_those_that_control_groups_grant(tmp_path: Path) -> None:
    (tmp_path / "told").write_text("4:cpu:/a/b\n0::/c\n")
    for file, words in {"c/cpu.max": "150000 100000", "cpu.max": "max 100000"}.items():
        (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / file).write_text(words)
    granted = partial(processes._granted, tmp_path / "told", tmp_path)
    assert [*granted()] == [1.5]
    (tmp_path / "cpu" / "a").mkdir(parents=True)
    (tmp_path / "cpu" / "a" / "cpu.cfs_quota_us").write_text("300000\n")
    (tmp_path / "cpu" / "a" / "cpu.cfs_period_us").write_text("100000\n")
    assert sorted(granted()) == [1.5, 3.0]
    assert [*processes._granted(tmp_path / "nowhere", tmp_path)] == []
    assert 1 <= processes.cores() <= (os.cpu_count() or 1)


SCRIPT = """
import sys
from pathlib import Path
from fas_core.data.readers import Readers, Wanted
from tests.data.preparing import prepared
if __name__ == "__main__":
    with Readers(Wanted(Path("."), 16, 1, prepared), 2, 0) as reading:
        reading.wait_until_up()
        print(*reading._processes._pool._processes, flush=True)
        sys.stdin.read()
"""


@pytest.mark.process
def test_processes_end_with_who_began_them(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    begun = [sys.executable, str(tmp_path / "script.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        begun, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=os.environ | {"PYTHONPATH": str(PROJECT)}
    ) as parent:
        assert parent.stdout is not None
        numbers = [int(word) for word in parent.stdout.readline().split()]
        assert len(numbers) == 2
        parent.kill()
        parent.wait(10)
    end = time.monotonic() + 10
    while any(map(is_running, numbers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_running, numbers))


def is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
