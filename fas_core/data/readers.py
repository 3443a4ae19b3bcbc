"""Pictures read ahead of who computes with them: by threads, or by processes where threads cannot keep up.

What decodes an image holds the interpreter's lock for half of its time, so that threads end at some two thousand images
a second, however many cores there are. A process gives its pictures through memory that both have, whose file has no
name: nothing of it is left behind, however a process ends. Whoever reads a picture, it is the same to the last bit.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fas_core.data import images, processes
from fas_core.errors import BadInputError
from fas_core.files import CONTENT_BYTES

_log = logging.getLogger(__name__)

AUTO = "auto"
THREADS = 4  # that read where the network has a device of its own: more of them wait for each other
MANY_CORES = 4  # where the network is computed by the cores: fewer of them are kept busy by threads
IDLE = 0.1  # of the time: who waits longer for pictures is given processes
WATCHED = 2.0  # seconds over which that is measured
PIECE_BYTES = 2**24  # at most, of what is read in one go
CRASHED = "its decoder ended the process that it ran in"

Prepare = Callable[[NDArray[np.float32]], tuple[NDArray[Any], ...]]


def workers_of(text: str) -> int | None:
    """What `--workers` says: a number of processes, None for "auto". Raises BadInputError for anything else."""
    if text == AUTO:
        return None
    if not text.isdecimal():
        raise BadInputError(f"--workers {text}: expected auto, or how many processes read images: 0 for none.")
    return int(text)


@dataclass(frozen=True)
class Wanted:
    """How images are wanted: their folder, size and channels, and what is made of (n, c, size, size) in [0, 1].

    `prepare` is pickled; each of its arrays has a row per image, which follows from this image alone.
    """

    root: Path
    size: int
    channels: int
    prepare: Prepare
    at_once: int = 32  # images at most, that are read in one go

    @property
    def bytes_per_image(self) -> int:
        blank = np.zeros((1, self.channels, self.size, self.size), np.float32)
        return sum(array.nbytes for array in self.prepare(blank))

    @property
    def piece(self) -> int:
        """Images that are read in one go: few where they are large."""
        return max(1, min(self.at_once, PIECE_BYTES // self.bytes_per_image))


@dataclass(frozen=True)
class Pictures:
    """Some files, read: `places` of the b readable ones among them, and why the others are not."""

    places: list[int]
    reasons: dict[int, str]
    arrays: tuple[NDArray[Any], ...]  # as prepared, b rows each
    contents: NDArray[np.uint8]  # (b, CONTENT_BYTES), as `images.content`
    is_constant: NDArray[np.bool_]  # (b,)


def read(wanted: Wanted, paths: Sequence[str]) -> Pictures:
    """The images at some paths, by this thread."""
    loaded: dict[int, NDArray[np.float32]] = {}
    reasons: dict[int, str] = {}
    for place, path in enumerate(paths):
        try:
            loaded[place] = images.load(wanted.root / path, wanted.size, wanted.channels)
        except images.UnreadableImageError as error:
            reasons[place] = str(error)
    shape = (0, wanted.channels, wanted.size, wanted.size)
    raw = np.stack([*loaded.values()]) if loaded else np.empty(shape, np.float32)
    contents = np.array([images.content(image) for image in raw], np.uint8).reshape(-1, CONTENT_BYTES)
    return Pictures([*loaded], reasons, tuple(wanted.prepare(raw)), contents, images.is_constant(raw))


def joined(parts: Sequence[Pictures], length: int) -> Pictures:
    """Pieces of `length` files each, the last one perhaps shorter, as one."""
    if len(parts) == 1:
        return parts[0]
    return Pictures(
        [number * length + place for number, part in enumerate(parts) for place in part.places],
        {number * length + place: why for number, part in enumerate(parts) for place, why in part.reasons.items()},
        tuple(np.concatenate(arrays) for arrays in zip(*(part.arrays for part in parts), strict=True)),
        np.concatenate([part.contents for part in parts]),
        np.concatenate([part.is_constant for part in parts]),
    )


class Readers:
    """A context in which images are read ahead.

    `workers`: processes, None for one per core as soon as `weigh` is told that pictures are waited for; they import the
    script that is run, which must keep what it does behind `if __name__ == "__main__"` then. `threads`: what
    reads until processes do; 0: whoever asks for the result. `share`: of how many processes that share the cores.
    """

    def __init__(self, wanted: Wanted, workers: int | None, threads: int, share: int = 1) -> None:
        self._wanted, self._n = wanted, max(1, processes.cores() // share) if workers is None else workers
        self._n_threads, self._threads = threads, ThreadPoolExecutor(threads) if threads else None
        self._lock = threading.Lock()
        self._processes: _Processes | None = None
        self._may_start = workers is None
        self._watched_since, self._waited = time.perf_counter(), 0.0
        if workers:
            self._processes = _Processes(wanted, workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads:
            self._threads.shutdown(cancel_futures=True)
        if self._processes:
            self._processes.close()

    @property
    def images_ahead(self) -> int:
        """What is to be asked for ahead, so that nobody who reads has nothing to do."""
        return 2 * (self._n if self._processes else self._n_threads) * self._wanted.piece

    def begun(self, paths: Sequence[str]) -> Callable[[], Pictures]:
        """Begins to read some files; what is returned waits for them. May wait for who reads to be free."""
        step = self._wanted.piece
        pieces = [list(paths[start : start + step]) for start in range(0, max(1, len(paths)), step)]
        waiting = [self._begun(piece) for piece in pieces]
        return lambda: joined([wait() for wait in waiting], step)

    def _begun(self, piece: list[str]) -> Callable[[], Pictures]:
        by = self._started()
        if by is not None:
            try:
                future = by.begun(piece)
            except BrokenProcessPool:
                by = self._renewed(by)
                future = by.begun(piece)
            return partial(self._result, by, future, piece)
        if self._threads is not None:
            return self._threads.submit(read, self._wanted, piece).result
        return partial(read, self._wanted, piece)

    def weigh(self, waited: float) -> None:
        """Is told for how many seconds, since it was told last, there was nothing to compute with."""
        self._waited += waited
        seconds = time.perf_counter() - self._watched_since
        if seconds < WATCHED:
            return
        if self._may_start and self._waited > IDLE * seconds:
            self._may_start = False
            _log.info("Images are read by %d processes from here on.", self._n)
            self._processes = _Processes(self._wanted, self._n)
        self._watched_since, self._waited = time.perf_counter(), 0.0

    def wait_until_up(self) -> None:
        """Waits for processes that have been begun."""
        while self._started() is None and self._processes is not None:
            time.sleep(0.01)

    def _started(self) -> _Processes | None:
        """The processes where they are up; nothing waits for them to come up."""
        if self._processes is not None and self._processes.is_hopeless:
            _log.warning("Processes that read images cannot be started here: threads read them.")
            self._processes.close()
            self._processes = None
        return self._processes if self._processes is not None and self._processes.is_up else None

    def _result(self, by: _Processes, future: Future[Pictures], piece: list[str]) -> Pictures:
        """What processes have read. Where one of them dies, others read what was under way; a piece at which one dies
        again is read image by image, so that one that kills its decoder is named and takes no other along."""
        try:
            return future.result()
        except BrokenProcessPool:
            by = self._renewed(by)
        try:
            return by.begun(piece).result()
        except BrokenProcessPool:
            self._renewed(by)
        return apart(self._wanted, piece)

    def _renewed(self, dead: _Processes) -> _Processes:
        """Those that take the place of dead ones, which several threads may ask for."""
        with self._lock:
            if self._processes is dead or self._processes is None:
                dead.close()
                self._processes = _Processes(self._wanted, self._n, waits=True)
            return self._processes


def apart(wanted: Wanted, paths: Sequence[str]) -> Pictures:
    """As `read`, in a process in which nothing else is done: an image that ends it is one that cannot be read."""
    work = partial(_numbered, wanted)
    by_place = {place: part for (place, _), part in processes.done(work, [*enumerate(paths)], 1)}
    if None in by_place.values() and [*processes.done(partial(read, wanted), [[]], 1)] == [([], None)]:
        raise BadInputError(
            "Processes that read images end here as soon as they begin. Is there too little memory, or a limit on "
            "processes? Run the command again with --workers 0; what is complete is kept."
        )
    nothing = replace(read(wanted, []), reasons={0: CRASHED})
    return joined([by_place[place] or nothing for place in range(len(paths))], 1)


def _numbered(wanted: Wanted, item: tuple[int, str]) -> Pictures:
    return read(wanted, [item[1]])


class _Processes:
    """Processes that read, each piece into a slot of memory that this process has too."""

    def __init__(self, wanted: Wanted, n: int, *, waits: bool = False) -> None:
        """`waits`: nobody else reads while they come up."""
        context = get_context("spawn")
        self._slot = wanted.piece * wanted.bytes_per_image
        memory = context.RawArray("B", 2 * n * self._slot)
        self._memory = np.frombuffer(memory, np.uint8)
        self._free: SimpleQueue[int] = SimpleQueue()
        for number in range(2 * n):
            self._free.put(number * self._slot)
        self._pool = ProcessPoolExecutor(n, context, _begin, (os.getpid(), wanted, memory))
        self._hellos = [self._pool.submit(_hello) for _ in range(n)]
        self._was_up = waits

    @property
    def is_up(self) -> bool:
        self._was_up = self._was_up or all(hello.done() for hello in self._hellos)
        return self._was_up

    @property
    def is_hopeless(self) -> bool:
        """Whether none has ever come up."""
        return not self._was_up and all(hello.done() and hello.exception() for hello in self._hellos)

    def begun(self, paths: list[str]) -> Future[Pictures]:
        """Waits for a free slot, which the processes alone bring about. Raises BrokenProcessPool where one has died."""
        start = self._free.get()
        copied: Future[Pictures] = Future()

        def copy(future: Future[_Laid]) -> None:
            try:
                copied.set_result(self._copied(start, future.result()))
            except (Exception, CancelledError) as error:  # noqa: BLE001 - raised where the pictures are asked for
                copied.set_exception(error)
            finally:
                self._free.put(start)

        try:
            self._pool.submit(_read_into, start, paths).add_done_callback(copy)
        except BrokenProcessPool:
            self._free.put(start)
            raise
        return copied

    def _copied(self, start: int, laid: _Laid) -> Pictures:
        arrays = []
        for dtype, shape in laid.forms:
            array = _at(self._memory, start, dtype, shape)
            arrays.append(array.copy())
            start += array.nbytes
        return replace(laid.pictures, arrays=tuple(arrays))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Laid:
    """Pictures without their arrays, and of what kind those are that lie in the slot."""

    pictures: Pictures
    forms: list[tuple[np.dtype[Any], tuple[int, ...]]]


def _at(memory: NDArray[np.uint8], start: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return memory[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)


# ----------------------------------------------------------------------------------------------- runs in the processes


@dataclass
class _Here:
    """What a process was begun with."""

    wanted: Wanted
    memory: NDArray[np.uint8]


_here: list[_Here] = []


def _begin(parent: int, wanted: Wanted, memory: Any) -> None:
    processes.begin(parent)
    _here[:] = [_Here(wanted, np.frombuffer(memory, np.uint8))]


def _hello() -> None:
    time.sleep(0.05)  # long enough for each process to say it once


def _read_into(start: int, paths: list[str]) -> _Laid:
    (here,) = _here
    pictures = read(here.wanted, paths)
    forms = [(array.dtype, array.shape) for array in pictures.arrays]
    for array in pictures.arrays:
        _at(here.memory, start, array.dtype, array.shape)[...] = array
        start += array.nbytes
    return _Laid(replace(pictures, arrays=()), forms)
