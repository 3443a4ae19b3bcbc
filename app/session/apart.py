"""Work on millions of samples, done beside the server: whoever else is there goes on meanwhile.

As many processes as there are cores but one, started when they are first needed. They end with the server, however it
ends, and when nothing was asked of them for two minutes. A call is a function's name and its arguments, as JSON through
a socket that nobody else has. Arrays that come back lie in memory that both have: they are neither copied nor written
to a disk, and nothing is pickled.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import mmap
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fas_core.errors import BadInputError
from fas_core.runs import store
from fas_core.runs.store import Run

LARGE = 250_000  # samples: what has fewer is done in the server before a process could be asked
IDLE = 120.0  # seconds until a process that nobody asks for anything ends
_IN_WORKER = "FAS_APART"
_HEAD = 8  # bytes of a length
_ALIGNED = 64  # bytes: where arrays begin


class EndedError(BadInputError):
    """The process has ended in the middle of it: it was killed, or there was no memory for it."""


def is_worth_it(arguments: tuple[Any, ...]) -> bool:
    """Whether one of them is a Run of so many samples that others would wait, and this is not beside the server."""
    return _IN_WORKER not in os.environ and any(isinstance(each, Run) and len(each) > LARGE for each in arguments)


def called(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What a function of a module returns for some arguments, read-only; what it raises is raised here.

    Raises EndedError where its process ended; the next call has another one.
    """
    return _POOL.called((function.__module__, function.__qualname__, arguments))


# --------------------------------------------------------------------------------------------------------- in between


_PLAIN = (type(None), bool, int, float, str)
Parts = list[memoryview]


def _written(value: Any, parts: Parts) -> Any:
    """JSON of a value, whose arrays and frames are added to `parts`. Raises TypeError for what is neither a Run nor
    made of dataclasses, arrays, frames, lists, tuples, dictionaries, texts and numbers."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Run):
        return {"run": [str(value.folder), value.digest]}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        parts.append(memoryview(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data))
        return {"array": [len(parts) - 1, value.dtype.str, list(value.shape)]}
    if isinstance(value, pd.DataFrame):
        table = pa.Table.from_pandas(value)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        parts.append(memoryview(sink.getvalue()))
        return {"frame": len(parts) - 1}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_written(each, parts) for each in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_written(key, parts), _written(each, parts)] for key, each in value.items()]}
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: _written(getattr(value, field.name), parts) for field in fields(value)}
        return {"value": [type(value).__module__, type(value).__qualname__, named]}
    raise TypeError(f"{type(value).__name__} cannot be handed to another process")


def _read(text: Any, parts: Parts, known: Mapping[str, Run]) -> Any:
    """What was `_written`. Arrays are read-only and lie where `parts` do; Runs are those known, or opened."""
    if isinstance(text, _PLAIN):
        return text
    ((kind, of),) = text.items()
    if kind == "run":
        folder, digest = of
        return _run(folder, digest, known)
    if kind == "array":
        part, dtype, shape = of
        return np.frombuffer(parts[part], dtype).reshape(shape)
    if kind == "frame":
        return pa.ipc.open_stream(pa.py_buffer(parts[of])).read_all().to_pandas()
    if kind == "dict":
        return {_read(key, parts, known): _read(each, parts, known) for key, each in of}
    if kind == "value":
        module, name, named = of
        value = object.__new__(_of_module(module, name))
        for field, each in named.items():
            object.__setattr__(value, field, _read(each, parts, known))
        return value
    return {"list": list, "tuple": tuple}[kind](_read(each, parts, known) for each in of)


def _run(folder: str, digest: str, known: Mapping[str, Run]) -> Run:
    run = known.get(digest) or store.opened(Path(folder))
    if run.digest != digest:
        raise BadInputError(f"Run {run.info.name} was changed in this moment: open the page again.")
    return run


def _of_module(module: str, name: str) -> Any:
    return attrgetter(name)(importlib.import_module(module))


def _send(to: socket.socket, value: Any) -> None:
    parts: Parts = []
    text = json.dumps([_written(value, parts), [part.nbytes for part in parts]]).encode()
    with _shared() as file:
        at = 0
        for part in parts:
            os.lseek(file.fileno(), at, os.SEEK_SET)
            at = _aligned(at + part.nbytes)
            while part:
                part = part[os.write(file.fileno(), part[: 1 << 30]) :]
        socket.send_fds(to, [len(text).to_bytes(_HEAD, "big")], [file.fileno()])
    to.sendall(text)


def _received(sender: socket.socket, known: Mapping[str, Run]) -> Any:
    """Raises EOFError where nobody sends any more."""
    head, descriptors, _, _ = socket.recv_fds(sender, _HEAD, 1)
    if not head:
        raise EOFError
    with os.fdopen(descriptors[0], "rb", buffering=0) as file:
        n = os.fstat(file.fileno()).st_size
        memory = memoryview(mmap.mmap(file.fileno(), n, access=mmap.ACCESS_READ) if n else b"")
    head += _exactly(sender, _HEAD - len(head))
    text, sizes = json.loads(_exactly(sender, int.from_bytes(head, "big")))
    parts, at = [], 0
    for size in sizes:
        parts.append(memory[at : at + size])
        at = _aligned(at + size)
    return _read(text, parts, known)


def _aligned(at: int) -> int:
    return -(-at // _ALIGNED) * _ALIGNED


def _exactly(sender: socket.socket, n: int) -> bytes:
    parts = []
    while n:
        part = sender.recv(n)
        if not part:
            raise EOFError
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


@contextlib.contextmanager
def _shared() -> Any:
    """A file without a name, in memory where the system has such."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("fas"), "wb", buffering=0) as file:
            yield file
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            yield file


# --------------------------------------------------------------------------------------------------------- the server


class _Worker:
    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-X", "utf8", "-m", "app.session.apart", str(theirs.fileno())]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=os.environ | {_IN_WORKER: "1"}
        )
        theirs.close()
        self.owes_an_answer = False  # which the next call would take for its own

    def called(self, call: tuple[str, str, tuple[Any, ...]]) -> Any:
        """Raises OSError or EOFError where the process has ended."""
        self.owes_an_answer = True
        _send(self.socket, call)
        known = {each.digest: each for each in call[2] if isinstance(each, Run)}
        module, name, value = _received(self.socket, known)
        self.owes_an_answer = False
        if not name:
            return value
        error = _of_module(module, name)
        raise error(value) if issubclass(error, BadInputError) else RuntimeError(f"{name}: {value}")

    def end(self) -> int:
        self.socket.close()  # which ends it
        try:
            return self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class _Pool:
    def __init__(self) -> None:
        self.free: list[_Worker] = []
        self.places = threading.Semaphore(max(1, (os.cpu_count() or 1) - 1))

    def called(self, call: tuple[str, str, tuple[Any, ...]]) -> Any:
        with self.places:
            while True:
                try:
                    worker = self.free.pop()  # the last one has the most of what is asked for at hand
                except IndexError:
                    worker = _Worker()
                try:
                    value = worker.called(call)
                except (OSError, EOFError) as error:
                    if worker.end() == 0:  # nothing was asked of it for so long that it had gone
                        continue
                    raise EndedError(
                        "What was computed here was ended by the system, for lack of memory as a rule. Try it again; "
                        "if it happens again, choose fewer subsets or a smaller Run."
                    ) from error
                except BaseException:  # what was asked for failed, or there was no memory for the answer
                    if worker.owes_an_answer:
                        worker.end()
                    else:
                        self.free.append(worker)
                    raise
                self.free.append(worker)
                return value


_POOL = _Pool()


# ---------------------------------------------------------------------------------------------------- beside the server


def main() -> None:
    """Answers calls until the server has gone."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    os.nice(5)  # whoever turns a page comes first
    known: dict[str, Run] = {}
    while select.select([asked], [], [], IDLE)[0]:
        try:
            module, name, arguments = _received(asked, known)
        except EOFError:
            return
        known |= {each.digest: each for each in arguments if isinstance(each, Run)}
        watched = threading.Event()
        threading.Thread(target=_end_with, args=(asked, watched), daemon=True).start()
        try:
            answer = ("", "", _of_module(module, name)(*arguments))
        except Exception as error:  # of any kind: it is raised again in the server, which has asked
            logging.getLogger(__name__).info("%s of %s failed", name, module, exc_info=True)
            answer = (type(error).__module__, type(error).__qualname__, str(error))
        watched.set()
        _send(asked, answer)


def _end_with(asked: socket.socket, is_over: threading.Event) -> None:
    """Ends in the middle of a call when the server has gone: nobody sends anything else while one is under way."""
    while not is_over.wait(0.5):
        if select.select([asked], [], [], 0)[0] and not is_over.is_set():
            os._exit(1)


if __name__ == "__main__":
    main()
