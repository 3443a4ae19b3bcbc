"""Work on many items by processes of this machine, in which a decoder may crash without taking the rest along."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # items per process that are on their way


def cores() -> int:
    """How many this process may use: those it is bound to, and no more than its control groups grant it time of."""
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([n, *map(math.ceil, _granted(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")))]))


def _granted(told: Path, mounted: Path) -> Iterator[float]:
    """Processors' worth of time, of each control group (both versions) that this process is in and that has a limit."""
    try:
        groups = [line.split(":", 2)[2].strip("/") for line in told.read_text().splitlines()]
    except (OSError, IndexError):
        return
    for group in {"", *(str(folder) for name in groups for folder in (Path(name), *Path(name).parents))}:
        limit = _numbers(mounted / group / "cpu.max")  # of "max 100000" nothing: no limit
        folder = mounted / "cpu" / group
        limit = limit or [*_numbers(folder / "cpu.cfs_quota_us"), *_numbers(folder / "cpu.cfs_period_us")]
        if len(limit) == 2 and min(limit) > 0:
            yield limit[0] / limit[1]


def _numbers(file: Path) -> list[int]:
    try:
        return [int(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return []


def done(
    work: Callable[[Item], Result], items: Sequence[Item], n: int | None = None
) -> Iterator[tuple[Item, Result | None]]:
    """(item, what `work` returns of it) as they get done; None where a process died at it, all by itself.

    `n`: processes, None for one per core; 0: in this process, where a crash is one. Items and results are pickled, and
    so few are on their way at a time that memory does not grow with their number.
    """
    n = cores() if n is None else n
    if n == 0:
        yield from ((item, work(item)) for item in items)
        return
    waiting = deque(range(len(items)))
    while waiting:
        suspects: list[Item] = []
        yield from _until_a_crash(work, items, waiting, min(n, len(waiting)), suspects)
        while suspects:  # one of them has ended its process
            with _pool(1) as alone:
                try:
                    while suspects:
                        result = alone.submit(work, suspects[0]).result()
                        yield suspects.pop(0), result
                except BrokenProcessPool:
                    yield suspects.pop(0), None


def _until_a_crash(
    work: Callable[[Item], Result], items: Sequence[Item], waiting: deque[int], n: int, suspects: list[Item]
) -> Iterator[tuple[Item, Result | None]]:
    """What gets done until a process dies; takes from `waiting`, and leaves in `suspects` what was under way."""
    under_way: dict[Future[Result], Item] = {}
    with _pool(n) as pool:
        try:
            while waiting or under_way:
                while waiting and len(under_way) < AHEAD * n:
                    item = items[waiting[0]]
                    under_way[pool.submit(work, item)] = item
                    waiting.popleft()
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield under_way.pop(future), result
        except BrokenProcessPool:
            suspects += under_way.values()
        finally:
            pool.shutdown(cancel_futures=True)


def _pool(n: int) -> ProcessPoolExecutor:
    # Fresh ones: a fork of a process with threads may hang.
    return ProcessPoolExecutor(n, get_context("spawn"), begin, (os.getpid(),))


def begin(parent: int) -> None:
    """What a process does first: it leaves Ctrl-C to its parent, and ends when that does, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
