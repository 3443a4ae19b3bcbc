"""Work beside the server: the same results, in memory that both have; a process that ends is one message."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.session import apart, readers
from app.session.cache import clear
from fas_core.errors import BadInputError
from fas_core.runs import store
from fas_core.runs.store import Run


def who_fails(run: Run, how: str) -> int:
    """A function of this module, as a process beside the server calls it."""
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "slow":
        time.sleep(60)
    if how:
        raise BadInputError(f"{run.info.name} has no {how}")
    return os.getpid()


@pytest.mark.process
def test_large_runs_are_worked_on_beside_the_server(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    monkeypatch.setattr(apart, "_POOL", pool := apart._Pool())
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
    clear()
    here = readers.groups(run), readers.grouping(run, "frame"), readers.score_values(run, "rec")
    clear()
    monkeypatch.setattr(apart, "LARGE", 10)
    readers.groups(run)
    assert not pool.free, "what is at hand was asked for elsewhere"
    clear()
    monkeypatch.setattr(store.Run, "are_at_hand", lambda *_: False)
    there = readers.groups(run), readers.grouping(run, "frame"), readers.score_values(run, "rec")
    clear()  # they are of a pool that ends with this test
    np.testing.assert_array_equal(there[0][:], here[0][:])
    np.testing.assert_array_equal(there[2], here[2])
    assert not there[2].flags.writeable
    for subset in run.subsets:
        as_here, as_there = (rows[1].judged(rows[2]).score_set([subset]) for rows in (here, there))
        np.testing.assert_array_equal(as_there.bona_fide, as_here.bona_fide)
        np.testing.assert_array_equal(as_there.pooled, as_here.pooled)

    (worker,) = pool.free
    assert apart.called(who_fails, (run, "")) == worker.process.pid != os.getpid()
    with pytest.raises(BadInputError, match="a has no hope"):
        apart.called(who_fails, (run, "hope"))
    with pytest.raises(apart.EndedError, match="Try it again"):
        apart.called(who_fails, (run, "killed"))
    assert apart.called(who_fails, (run, "")) not in (worker.process.pid, os.getpid())  # the next one works

    (worker,) = pool.free  # an answer that was not taken is nobody else's
    with monkeypatch.context() as patched:
        patched.setattr(apart, "_received", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            apart.called(who_fails, (run, ""))
    assert apart.called(who_fails, (run, "")) not in (worker.process.pid, os.getpid())

    (worker,) = pool.free  # what nobody waits for any more ends within a second

    def wait() -> None:
        with pytest.raises(apart.EndedError):
            apart.called(who_fails, (run, "slow"))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    worker.socket.shutdown(2)
    assert worker.process.wait(5) == 1
    waiting.join(10)
    assert not waiting.is_alive()


def test_what_is_handed_over_comes_back_as_it_was(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    names = pd.Categorical.from_codes([2, -1, 0], pd.Index(["a", "b", "c"], dtype="str"))
    frame = pd.DataFrame({"id": ["x", "y", None], "video": names, "score": [0.5, np.nan, 2]})
    frame["few"] = pd.Categorical(["p", "q", "p"])
    given = (run, frame, {"n": (1, None, np.nan), 2: [np.arange(6, dtype=np.int16).reshape(2, 3)]}, np.array(["é", ""]))
    here, there = socket.socketpair()
    with here, there:
        apart._send(here, given)
        back = apart._received(there, {run.digest: run})
        with pytest.raises(TypeError, match="object cannot be handed"):
            apart._send(here, object())
    assert back[0] is run
    pd.testing.assert_frame_equal(back[1], frame)
    assert back[2]["n"][:2] == (1, None)
    assert np.isnan(back[2]["n"][2])
    np.testing.assert_array_equal(back[2][2][0], [[0, 1, 2], [3, 4, 5]])
    assert back[3].tolist() == ["é", ""]
