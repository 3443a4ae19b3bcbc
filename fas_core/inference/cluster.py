"""(checkpoints, manifest) -> Runs by the machines of a Ray cluster: each shard is a task, on a GPU where there are any.
Shards are read against their checksums as tasks, too, and intervals computed by shares of their resamples.

The driver plans, holds the Run's claim and shows progress; the workers read the images and write the shards, with the
code of `infer` and under the same absolute paths as the driver. A worker that dies costs the shard it was at, which is
given to another one. No pickle of ours touches the disk; how Ray carries tasks between its processes is Ray's business.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager, redirect_stdout
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, final

import torch

from fas_core import storage
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.inference import infer, preparing
from fas_core.inference.infer import Advance, Loaded, Plan, Work
from fas_core.metrics import resampling
from fas_core.metrics.resampling import Part
from fas_core.models import Origin
from fas_core.models.onnx_model import Told
from fas_core.runs import store, upkeep
from fas_core.runs.lock import LOCK
from fas_core.training import checkpoint, devices

_log = logging.getLogger(__name__)

CPUS = 1  # per task and so threads of PyTorch: whole images side by side need no waiting for each other, as threads do
RETRIES = 3  # of a shard whose worker has died; one that is too large for the memory would die for ever
IN_FLIGHT = 512  # shards that the cluster knows of: more than it has GPUs, and few enough to hold their rows in memory
SEEN_WITHIN = 90.0  # seconds; NFS looks at a folder anew after 60

PROJECT = Path(__file__).resolve().parents[2]

T = TypeVar("T")

_File = tuple[Path, str, Told | None]  # a checkpoint, its sha256, and what it is given where it says not itself

SHARED = (
    "Checkpoints, images and the cache folder must lie on storage that every machine of the cluster has under the same "
    "path."
)


def write_runs(
    checkpoints: Sequence[Path],
    data: Manifest,
    cache: Path,
    *,
    subsets: Sequence[str] = (),
    device: str = "auto",
    precision: str = "auto",
    told: Told | None = None,
    encrypts: bool = False,
    keeps_features: bool = False,
) -> list[store.Run]:
    """As `infer.write_runs`, computed by the Ray cluster at RAY_ADDRESS, or by one that is started here for the while.

    `device` "auto" is a GPU per task when the cluster has any; `precision` "auto" is settled by one worker for all.
    Raises BadInputError also when there is no Ray, no cluster at the address, or files that a worker does not see.
    """
    with redirect_stdout(sys.stderr), connected() as ray:  # Ray prints what happens to workers, and results go there
        return infer.write_runs(
            checkpoints,
            data,
            cache,
            subsets=subsets,
            device=device,
            precision=precision,
            told=told,
            engine=RayCluster(ray),
            encrypts=encrypts,
            keeps_features=keeps_features,
        )


@contextmanager
def reader() -> Iterator[upkeep.Reader]:
    """What reads shards to the last byte, as `upkeep.each_damage`: each is a task of the cluster."""
    with redirect_stdout(sys.stderr), connected() as ray:
        yield lambda shards: RayCluster(ray).each(_shard_damage, (shard.absolute() for shard in shards))


@contextmanager
def intervals() -> Iterator[None]:
    """While the block runs, intervals over resamples of people are computed by the cluster, a share by each core.

    They are the same to the last bit.
    """
    with ExitStack() as held:
        with redirect_stdout(sys.stderr):
            ray = held.enter_context(connected())
        cluster = RayCluster(ray)

        def parts(work: resampling.Work) -> Iterator[Part]:
            with redirect_stdout(sys.stderr):
                shares = max(1, int(ray.cluster_resources().get("CPU", 1)))
                shared = ray.put(work)
                for of_share in cluster.each(_resampled, range(shares), shared, shares):
                    yield from of_share

        held.enter_context(resampling.computed_by(parts))
        yield


@contextmanager
def connected() -> Iterator[Any]:
    """The module `ray`, connected; a connection that was there is used, and left open unless the block fails."""
    address = os.environ.get("RAY_ADDRESS") or "local"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to anybody
    if address == "local":
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # for one machine, on any system: loopback only
    try:
        import ray
    except ImportError as error:
        raise BadInputError("--engine ray needs the library Ray: pip install 'fas-explorer[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    try:
        _require_answer(address)
        _start(ray, address)
    except Exception as error:  # where the machine is too busy to start its processes Ray raises just that
        reason = " ".join(str(error).split())
        if address == "local":
            raise BadInputError(
                f"Ray could not be started on this machine ({reason}). It may be short of time or memory: run the "
                "command again, or without --engine ray."
            ) from error
        raise BadInputError(
            f"No Ray cluster can be reached at {address} ({reason}). Start one with 'ray start --head', set "
            "RAY_AUTH_MODE=token if it asks for its token, or unset RAY_ADDRESS to use this machine alone."
        ) from error
    try:
        with _termination_as_interruption():
            yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, address: str) -> None:
    """Connects; where this machine was too busy to start Ray's processes in the time it gives them, once more."""
    init = partial(ray.init, address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    with chdir(PROJECT):  # workers import from the folder in which this is called
        try:
            init()
        except Exception as error:  # what Ray raises then is of no kind of its own
            if address != "local" or "timed out" not in " ".join(str(error).split()).lower():
                raise
            _log.warning("Ray was not started in time: it is tried once more.")
            ray.shutdown()
            init()


def _require_answer(address: str) -> None:
    """Raises OSError or ValueError when nobody listens at HOST:PORT, for which Ray would wait minutes."""
    if address not in ("local", "auto"):
        host, _, port = address.rpartition("://")[2].rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def _termination_as_interruption() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl+C does, in order; Ray's own handler aborts the process with a dump."""
    if threading.current_thread() is not threading.main_thread():
        yield  # no handler can be set, and Ray has set none
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@final
class RayCluster:
    """The `infer.Engine` whose shards are tasks of the cluster that `ray`, the module, is connected to."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def checked_device(self, device: str, precision: str) -> str:
        """ "cuda" or "cpu": what each task gets, whatever the driver has."""
        devices.require_known("auto" if device == "cuda" else device, precision, onnx=True)
        has_gpus = self._ray.cluster_resources().get("GPU", 0) >= 1
        if device == "cuda" and not has_gpus:
            raise BadInputError("--device cuda: no machine of the Ray cluster has a GPU. Use --device auto or cpu.")
        return "cuda" if has_gpus and device != "cpu" else "cpu"

    def settled_precision(self, checkpoints: Sequence[Loaded], device: str) -> str:
        """As `infer.settled_precision`, found out by a worker."""
        digests = tuple((loaded.path.absolute(), checkpoint.sha256(loaded.path), None) for loaded in checkpoints)
        return str(self.result(self.task(_settled_precision, device).remote(digests, device)))

    def write(  # as every engine: a worker loads the models itself
        self,
        plan: Plan,
        checkpoints: Sequence[Loaded],  # noqa: ARG002
        works: Sequence[Work],
        advance: Advance,
    ) -> None:
        """As `infer.write_shards`, except that each worker loads the models itself, once."""
        shard, shared = self.task(_write_shard, plan.device), self._ray.put(plan)
        waiting = iter(works)
        running: list[Any] = []
        try:
            while True:
                running += [shard.remote(shared, work) for work in islice(waiting, IN_FLIGHT - len(running))]
                if not running:
                    return _wait_until_seen(plan, works)
                done, running = self._ray.wait(running)
                for shard_done in done:
                    advance(self.result(shard_done))
        except BaseException:
            self._ray.shutdown()  # ends the workers; cancelling tasks that are about to end can abort this process
            raise

    def each(self, function: Callable[..., T], items: Iterable[Any], *shared: Any) -> Iterator[T]:
        """What a function says of each item, and of what is shared by all, in turn."""
        task, running = self.task(function, "cpu"), deque[Any]()
        for item in items:
            running.append(task.remote(item, *shared))
            if len(running) >= IN_FLIGHT:
                yield self.result(running.popleft())
        while running:
            yield self.result(running.popleft())

    def task(self, function: Any, device: str) -> Any:
        """A function whose calls, by `remote`, are tasks on a "cuda" or "cpu"."""
        gpus = 1 if device == "cuda" else 0
        options = {"num_cpus": CPUS, "num_gpus": gpus, "max_retries": RETRIES, "max_calls": 0}  # 0: processes are kept
        return self._ray.remote(**options)(function)

    def result(self, reference: Any) -> Any:
        """What a task returned; raises what it raised where that is for the user."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            if isinstance(error.cause, BadInputError | OSError):
                raise error.cause from None
            raise
        except errors.RayError as error:
            reason = str(error).strip().splitlines()[0]
            raise BadInputError(
                f"The Ray cluster could not do a task, nor when tried again ({reason}). If its machines ran out of "
                "memory, let each run fewer tasks. Then run the command again: what is complete is kept."
            ) from error


def _wait_until_seen(plan: Plan, works: Sequence[Work]) -> None:
    """Returns when the driver sees all shards too: a network file system shows what a folder was for a while."""
    end = time.monotonic() + SEEN_WITHIN
    for shard in (plan.targets[i].shard(work.subset, work.name) for work in works for i in work.targets):
        while not store.is_shard(shard):
            store.look_anew(plan.cache)
            if time.monotonic() > end:
                raise BadInputError(f"A worker has written {shard}, but it is not here. {SHARED}")
            time.sleep(0.1)


# ------------------------------------------------------------------------------------------------- runs on the workers


def _write_shard(plan: Plan, work: Work) -> int:
    """Writes one shard; the number of its images."""
    _require_shared(plan, work)
    torch.set_num_threads(CPUS)
    checkpoints = _models(
        tuple((each.checkpoint, each.info.checkpoint_sha256, infer.told_of(each.info)) for each in plan.targets),
        tuple(each.info.precision for each in plan.targets),
        plan.cache,
    )
    _require_same_models(plan, checkpoints)
    infer.write_shards(plan, checkpoints, [work], lambda _: None)
    return len(work.rows)


def _shard_damage(shard: Path) -> list[str]:
    """As `upkeep.shard_damage`, on a machine that sees the same folder, or storage."""
    store.look_anew(shard.parents[3], within=store.SEEN_FOR)
    if not shard.is_dir():
        raise BadInputError(f"The shard {shard} is not there on {socket.gethostname()}. {SHARED}")
    return upkeep.shard_damage(shard)


def _resampled(share: int, work: resampling.Work, shares: int) -> list[Part]:
    return list(work.parts(share, shares))


def _settled_precision(checkpoints: tuple[_File, ...], device: str) -> str:
    torch.set_num_threads(CPUS)
    return infer.settled_precision(_models(checkpoints, ("fp32",) * len(checkpoints)), device)


@lru_cache(maxsize=1)
def _models(checkpoints: tuple[_File, ...], precisions: tuple[str, ...], cache: Path = Path()) -> list[Loaded]:
    """The checkpoints of some files, which must have these sha256, as computed in some precisions; once per process."""
    for path, digest, _ in checkpoints:
        if not path.is_file():
            raise BadInputError(f"Checkpoint {path} is not there on {socket.gethostname()}. {SHARED}")
        if checkpoint.sha256(path) != digest:
            raise BadInputError(f"Checkpoint {path} is another one on {socket.gethostname()}. {SHARED}")
    try:
        every = [infer.loaded(path, told) for path, _, told in checkpoints]
        return [infer.computed_in(p, each, cache) for p, each in zip(precisions, every, strict=True)]
    except BadInputError as error:
        raise BadInputError(f"{error} (on {socket.gethostname()}, a machine of the cluster)") from error


def _require_same_models(plan: Plan, checkpoints: Sequence[Loaded]) -> None:
    """Raises BadInputError when a model of another package is not the driver's here."""
    for target, loaded in zip(plan.targets, checkpoints, strict=True):
        if loaded.origin.is_foreign and loaded.origin.as_json() != target.info.origin:
            raise BadInputError(
                f"{socket.gethostname()} has model {target.info.model} of {loaded.origin.words}, the driver of "
                f"{Origin(**target.info.origin).words}. Install the driver's there."
            )


def _require_shared(plan: Plan, work: Work) -> None:
    """Raises BadInputError when this machine has other files than the driver, or would prepare images differently."""
    host = socket.gethostname()
    for target in plan.targets:
        if (target.info.preprocessing, target.info.format) != (preparing.rules(plan.given), store.FORMAT_VERSION):
            raise BadInputError(f"{host} has another version of FAS Explorer. Install the driver's there.")
        if not (target.folder / LOCK).is_file() and not storage.is_remote(target.folder):  # the driver holds it
            raise BadInputError(f"The Run's folder {target.folder} is not the same on {host}. {SHARED}")
    for folder in infer.folders_in(work.rows["path"]):
        if folder in plan.folders and not (plan.root / folder).is_dir():
            raise BadInputError(f"The image folder {plan.root / folder} is not there on {host}. {SHARED}")
