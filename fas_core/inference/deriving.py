"""What is derived from codes, by the machines of a Ray cluster: each fit is a task, and each range of rows.

The driver keeps what comes back; workers read the Run's shards under the same absolute path and write nothing. The
numbers are those of one process: blocks of codes are the same ones, and each is computed in one thread.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, final

from fas_core.errors import BadInputError
from fas_core.inference import cluster
from fas_core.latent import passes
from fas_core.runs import store
from fas_core.runs.store import Run

Fit = tuple[Callable[..., passes.Arrays], tuple[Any, ...]]
IN_FLIGHT = 64  # tasks that the cluster knows of: what is said of a range waits in memory until its turn


@contextmanager
def engine() -> Iterator[RayDeriver]:
    """The `derive.Engine` of the Ray cluster at RAY_ADDRESS, or of one that is started here for the while."""
    with redirect_stdout(sys.stderr), cluster.connected() as ray:
        yield RayDeriver(cluster.RayCluster(ray), ray)


@final
class RayDeriver:
    """The `derive.Engine` whose works are tasks of the cluster that `ray`, the module, is connected to."""

    def __init__(self, tasks: cluster.RayCluster, ray: Any) -> None:
        self._tasks = tasks
        self._ray = ray

    def map(self, run: Run, works: Sequence[Fit]) -> Iterable[passes.Arrays]:
        """As `derive.Engine`."""
        fit = self._tasks.task(_fitted, "cpu")
        return self._in_order(fit, ((*_told(run), *work) for work in works))

    def said(self, run: Run, says: Sequence[passes.Says], ranges: Sequence[range]) -> Iterable[list[passes.Arrays]]:
        """As `derive.Engine`."""
        say, shared = self._tasks.task(_said, "cpu"), self._ray.put(list(says))
        return self._in_order(say, ((*_told(run), shared, rows) for rows in ranges))

    def _in_order(self, task: Any, arguments: Iterator[tuple[Any, ...]]) -> Iterator[Any]:
        running = [task.remote(*each) for each in islice(arguments, IN_FLIGHT)]
        try:
            while running:
                yield self._tasks.result(running.pop(0))
                running += [task.remote(*each) for each in islice(arguments, 1)]
        except BaseException:
            self._ray.shutdown()  # as where shards are written
            raise


def _told(run: Run) -> tuple[Path, str]:
    return run.folder.absolute(), run.shards_digest


# ------------------------------------------------------------------------------------------------- runs on the workers


def _fitted(folder: Path, digest: str, function: Callable[..., passes.Arrays], arguments: tuple[Any, ...]) -> Any:
    return function(_opened(folder, digest), *arguments)


def _said(folder: Path, digest: str, says: list[passes.Says], rows: range) -> list[passes.Arrays]:
    return passes.said(_opened(folder, digest).codes, says, rows=rows, threads=cluster.CPUS)


@lru_cache(maxsize=1)
def _opened(folder: Path, digest: str) -> Run:
    """The driver's Run; once per process."""
    if not folder.is_dir() or (run := store.opened(folder)).shards_digest != digest:
        raise BadInputError(f"The Run's folder {folder} is not the same on {socket.gethostname()}. {cluster.SHARED}")
    return run
