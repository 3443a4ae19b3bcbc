"""Work on many items by processes of this machine, in which a decoder may crash without taking the rest along."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2  # items per process that are on their way


def done(
    work: Callable[[Item], Result], items: Sequence[Item], n: int | None = None
) -> Iterator[tuple[Item, Result | None]]:
    """(item, what `work` returns of it) as they get done; None where a process died at it, all by itself.

    `n`: processes, None for one per core; 0: in this process, where a crash is one. Items and results are pickled, and
    so few are on their way at a time that memory does not grow with their number.
    """
    n = os.cpu_count() or 1 if n is None else n
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
    return ProcessPoolExecutor(n, get_context("spawn"), _begin, (os.getpid(),))


def _begin(parent: int) -> None:
    """What a process does first: it leaves Ctrl-C to its parent, and ends when that does, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
