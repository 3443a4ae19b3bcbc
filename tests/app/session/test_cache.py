"""What sessions share: once for the same Run and arguments, the last ones kept."""

import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from app.session.cache import NotComputedError, cached, clear, keyed
from fas_core.runs import store


@keyed
@dataclass(frozen=True)
class Asked:
    runs: tuple[store.Run, ...]

    @property
    def digest(self) -> str:
        return repr([run.digest for run in self.runs])


def test_a_result_is_found_by_what_it_was_made_from(tiny_cache: Path) -> None:
    computed = []

    @cached(entries=3)
    def of(asked: tuple[Asked, ...], threshold: float, k: int = 2) -> int:
        if k < 0:
            raise NotComputedError
        computed.append((threshold, k))
        return len(computed)

    def asked(name: str) -> tuple[Asked, ...]:
        return (Asked((store.open_run(tiny_cache, name),)),)  # each time another object

    assert of(asked("a"), math.nan) == of(asked("a"), float("nan"), 2) == of(threshold=math.nan, asked=asked("a")) == 1
    assert of(asked("b"), math.nan) == 2
    for _ in range(2):
        with pytest.raises(NotComputedError):
            of(asked("a"), 0.5, -1)
    assert [of(asked("a"), 0.5), of(asked("a"), math.nan), of(asked("a"), 0.5, 3)] == [3, 1, 4]
    assert of(asked("b"), math.nan) == 5, "asked for longest ago, it was dropped"
    clear()
    assert of(asked("a"), math.nan) == 6
    with pytest.raises(TypeError):
        of((np.zeros(3),), 0.5)  # an array is told apart by nothing


def test_many_sessions_wait_for_one_computation() -> None:
    computed, results, start = [], [], threading.Barrier(8)

    @cached(entries=1)
    def slow(n: int) -> object:
        time.sleep(0.1)
        computed.append(n)
        return object()

    def session() -> None:
        start.wait()
        results.append(slow(7))

    threads = [threading.Thread(target=session) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == [7]
    assert len(results) == 8
    assert len({id(result) for result in results}) == 1
