"""What a Run survives: kills at any moment, a second process, a full disk, images that vanish, and damage."""

import errno
import json
import os
import pkgutil
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from fas_core import derive
from fas_core.cli.printing import age
from fas_core.data import images
from fas_core.runs import store
from fas_core.runs.upkeep import damage
from tests.conftest import PROJECT, Result

pytestmark = pytest.mark.process

SHARD_SIZE = 4  # images, so that there are many shards
KILLS = 5

# Commands arrive as JSON lines: a list is started, as `fas ...` with its messages in the file named first; a process id
# is waited for. Torch is imported once; every start is a fork of this process, which has computed nothing.
DRIVER = f"""
import json, os, sys, traceback
from fas_core import derive
from fas_core.cli import main as cli
from fas_core.inference import infer
from fas_core.runs import store
store.SHARD_SIZE = {SHARD_SIZE}
derive.compute = lambda run, **_: None
for line in sys.stdin:
    wanted = json.loads(line)
    if isinstance(wanted, int):
        print(os.waitstatus_to_exitcode(os.waitpid(wanted, 0)[1]), flush=True)
        continue
    child = os.fork()
    if child:
        print(child, flush=True)
        continue
    log = os.open(wanted[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = ["fas", *wanted[1:]]
    code = 1
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in the processes started below: sums in another order differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Processes:
    """Starts `fas ...` in processes of their own."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.started: dict[int, Path] = {}
        self.driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            cwd=PROJECT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _answer(self, request: object) -> int:
        assert self.driver.stdin
        assert self.driver.stdout
        self.driver.stdin.write(json.dumps(request) + "\n")
        self.driver.stdin.flush()
        return int(self.driver.stdout.readline())

    def start(self, *arguments: str | Path) -> int:
        log = self.logs / f"{len(self.started)}.txt"
        number = self._answer([str(log), *map(str, arguments)])
        self.started[number] = log
        return number

    def ended(self, number: int) -> tuple[int, str]:
        """Waits; the status (the negative signal that ended it) and everything that was said."""
        return self._answer(number), self.started[number].read_text()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    started = Processes(tmp_path_factory.mktemp("logs"))
    with started.driver as driver:
        yield started
        assert driver.stdin
        driver.stdin.close()


class Command(NamedTuple):
    """`fas cache` of the tiny checkpoint, less its cache folder."""

    checkpoint: Path
    data: Path

    def into(self, cache: Path) -> tuple[str | Path, ...]:
        return ("cache", self.checkpoint, "--data", self.data, "--precision", "fp32", "--cache", cache)


@pytest.fixture(scope="module")
def command(tiny_checkpoint: Path, tiny_faces: Path) -> Command:
    return Command(tiny_checkpoint, tiny_faces)


@pytest.fixture(scope="module")
def whole(processes: Processes, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of a process that nobody disturbed."""
    cache = tmp_path_factory.mktemp("whole")
    code, said = processes.ended(processes.start(*command.into(cache)))
    assert code == 0, said
    assert len(list(cache.rglob("meta.json"))) > 12
    return cache


def files(cache: Path) -> dict[str, bytes]:
    """Everything in the folder of Runs, the hidden too."""
    root = store.runs_folder(cache)
    return {p.relative_to(root).as_posix(): p.read_bytes() if p.is_file() else b"" for p in sorted(root.rglob("*"))}


def stamps(cache: Path) -> dict[Path, int]:
    """When each complete shard was written, ns."""
    return {path: path.stat().st_mtime_ns for path in store.runs_folder(cache).glob("*/*/[!.]*/meta.json")}


def wait_until(is_so: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


def kill(processes: Processes, number: int, cache: Path) -> None:
    """SIGKILL at any moment of the start, or of the writing of the next shards."""
    if random.random() < 0.25:
        time.sleep(random.uniform(0, 0.5))
    else:
        enough, end = len(stamps(cache)) + random.randint(1, 3), time.monotonic() + 5  # seconds; there may be no more
        wait_until(lambda: len(stamps(cache)) >= enough or time.monotonic() > end)
        time.sleep(random.uniform(0, 0.05))
    os.kill(number, signal.SIGKILL)  # a process that has ended is there until it is waited for
    processes.ended(number)


def test_killed_and_started_again_a_run_is_as_if_nothing_had_happened(
    processes: Processes, command: Command, whole: Path, tmp_path: Path
) -> None:
    complete: dict[Path, int] = {}
    for _ in range(KILLS):
        kill(processes, processes.start(*command.into(tmp_path)), tmp_path)
        complete = stamps(tmp_path) | complete  # the first time that each was seen
        for folder in store.run_folders(tmp_path):
            assert damage(store.opened(folder)) == []
    done = {path.relative_to(tmp_path) for path in stamps(tmp_path)}
    left = sum(json.loads(p.read_text())["n"] for p in stamps(whole) if p.relative_to(whole) not in done)
    code, said = processes.ended(processes.start(*command.into(tmp_path)))
    assert code == 0, said
    assert files(tmp_path) == files(whole)
    assert complete.items() <= stamps(tmp_path).items()  # none was written twice
    assert set(re.findall(r"Caching tiny: \d+/(\d+)", said)) <= {str(left)}  # nor computed


def test_of_two_processes_at_once_one_makes_the_run_and_one_says_so(
    processes: Processes, command: Command, whole: Path, tmp_path: Path
) -> None:
    first = processes.start(*command.into(tmp_path))
    wait_until(lambda: stamps(tmp_path))
    os.kill(first, signal.SIGSTOP)
    before = files(tmp_path)
    code, said = processes.ended(processes.start(*command.into(tmp_path)))
    assert code == 2, said
    assert f"is being written by process {first} on" in said
    assert "Traceback" not in said
    (run,) = store.run_folders(tmp_path)
    code, said = processes.ended(processes.start("prune", run.name, "--yes", "--cache", tmp_path))
    assert (code, f"process {first}" in said) == (2, True)
    assert files(tmp_path) == before
    os.kill(first, signal.SIGCONT)
    code, said = processes.ended(first)
    assert code == 0, said
    assert files(tmp_path) == files(whole)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SHARD_SIZE", SHARD_SIZE)
    monkeypatch.setattr(derive, "compute", lambda run, **_: None)


def message(result: Result) -> str:
    """The one message of a refused command."""
    assert result.code == 2, result
    (line,) = [line for line in result.err.splitlines() if line.startswith("fas: ")]
    assert "Traceback" not in result.err
    return line


@pytest.mark.parametrize(
    ("place", "number", "said"),
    [
        ("fas_core.runs.store._write_array", errno.ENOSPC, "No space left on device. Free space"),
        ("fas_core.runs.store._write_parquet", errno.EDQUOT, "Disk quota exceeded. Free space"),
        ("fas_core.runs.store._synced", errno.ENOSPC, "No space left on device. Free space"),
        ("tempfile.mkdtemp", errno.EROFS, "Read-only file system. Check its permissions"),
    ],
)
def test_a_disk_that_fails_is_one_message_and_the_run_goes_on_after(
    place: str, number: int, said: str, command: Command, whole: Path, tmp_path: Path, fas: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write = pkgutil.resolve_name(place)

    def fails_after_some(*arguments: Any, **named: Any) -> object:
        if len(stamps(tmp_path)) >= 3:
            raise OSError(number, os.strerror(number), named.get("dir"))
        return write(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(place, fails_after_some)
        stopped = message(fas(*command.into(tmp_path)))
    assert said in stopped
    assert str(store.runs_folder(tmp_path)) in stopped
    assert stopped.endswith("then run the command again.")
    complete = stamps(tmp_path)
    assert len(complete) == 3
    assert not list(tmp_path.rglob(".*"))
    assert fas(*command.into(tmp_path)).code == 0
    assert files(tmp_path) == files(whole)
    assert complete.items() <= stamps(tmp_path).items()


def test_images_that_vanish_are_waited_for(
    command: Command, whole: Path, tmp_path: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network drive that goes in the middle of a shard: its images are not taken for unreadable ones."""
    folder = command.data.parent / "images"
    away = folder.with_name("away")
    last = store.opened(store.run_folders(whole)[0]).samples(["path"])["path"][3 * SHARD_SIZE + 2]
    load = images.load

    def vanishing(path: Path, *form: int) -> np.ndarray:
        if path == command.data.parent / last:
            folder.rename(away)
        return load(path, *form)

    try:
        with monkeypatch.context() as patched:
            patched.setattr(images, "load", vanishing)
            stopped = message(fas(*command.into(tmp_path)))
    finally:
        away.rename(folder)
    assert str(folder) in stopped
    assert "run the command again" in stopped
    assert fas(*command.into(tmp_path)).code == 0
    assert files(tmp_path) == files(whole)


def damaged(cache: Path) -> tuple[Path, list[Path]]:
    """Harms three shards of the one Run in a cache; its folder and theirs."""
    (folder,) = store.run_folders(cache)
    first, second, third = (
        folder / "train" / "shard-00001",
        folder / "live" / "shard-00000",
        folder / "train" / "shard-00003",
    )
    (first / "latents.npy").write_bytes(b"\x93NUMPY")
    (second / "samples.parquet").unlink()
    (third / "meta.json").write_text("{}")
    return folder, [first, second, third]


def test_repair_computes_the_damaged_shards_and_no_others(
    command: Command, whole: Path, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    assert fas(*command.into(tmp_path)).code == 0
    before = stamps(tmp_path)
    folder, harmed = damaged(tmp_path)
    listed = fas("verify", "--cache", tmp_path)
    assert message(listed).endswith("Compute damaged shards anew: fas verify --repair")
    assert "3 damaged" in listed.out
    assert "live/shard-00000 samples.parquet is missing" in listed.out
    result = fas("verify", folder.name, "--repair", "--json", "--cache", tmp_path)
    assert result.code == 0, result.err
    (entry,) = json.loads(result.out)
    assert (entry["damage"], entry["missing"]) == ([], [])
    assert {(repaired["subset"], repaired["shard"]) for repaired in entry["repaired"]} == {
        (p.parent.name, p.name) for p in harmed
    }
    assert files(tmp_path) == files(whole)
    unharmed = {path: stamp for path, stamp in before.items() if path.parent not in harmed}
    assert len(unharmed) == len(before) - 3
    assert unharmed.items() <= stamps(tmp_path).items()
    damaged(tmp_path)
    assert "3 repaired" in fas("verify", "--repair", "--cache", tmp_path).out
    (folder / "run.json").write_text("{")
    assert "run.json is missing or damaged" in message(fas("verify", "--repair", "--cache", tmp_path))
    assert fas(*command.into(tmp_path)).code == 0  # as that message says
    assert files(tmp_path) == files(whole)


def test_what_cannot_be_repaired_is_said_and_left(
    command: Command, tmp_path: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved, cache = tmp_path / "moved.safetensors", tmp_path / "cache"
    moved.write_bytes(command.checkpoint.read_bytes())
    assert fas(*command._replace(checkpoint=moved).into(cache)).code == 0
    (scores := tmp_path / "s.csv").write_text("sample_id,label,score\na,live,0.1\nb,spoof,0.9\n")
    assert fas("scores", "import", scores, "--name", "vendor", "--cache", cache).code == 0
    vendor = store.folder_of(cache, "vendor")
    (vendor / "all" / "shard-00000" / "samples.parquet").write_bytes(b"")
    assert "fas scores import s.csv --name vendor" in message(fas("verify", "vendor", "--repair", "--cache", cache))
    assert fas("prune", "vendor", "--yes", "--cache", cache).code == 0
    damaged(cache)
    with monkeypatch.context() as patched:
        patched.setattr(images, "PREPROCESSING", "another")
        assert "by another version" in message(fas("verify", "--repair", "--cache", cache))
    before = files(cache)
    moved.unlink()
    said = message(fas("verify", "--repair", "--cache", cache))
    assert f"The checkpoint of Run moved is gone: {moved}. By hand" in said
    assert files(cache) == before


def test_runs_show_their_age(tiny_cache: Path, fas: Callable[..., Result]) -> None:
    run = store.open_run(tiny_cache, "a")
    yesterday = time.time() - 30 * 3600
    os.utime(run.folder / "run.json", (yesterday, yesterday))
    (line,) = [line for line in fas("runs", "--cache", tiny_cache).out.splitlines() if run.id in line]
    assert " 1 day " in line
    listed = json.loads(fas("runs", "--json", "--cache", tiny_cache).out)
    assert [entry["name"] for entry in listed][-1] == "a"  # the oldest
    ages = {5: "seconds", 60: "1 minute", 7000: "1 hour", 7200: "2 hours", 40 * 86400: "40 days"}
    now = datetime.now(UTC)
    assert [age((now - timedelta(seconds=s)).isoformat()) for s in ages] == list(ages.values())
