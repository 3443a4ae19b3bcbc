"""A Ray cluster of this machine with two workers: the same Runs as without, workers and drivers killed."""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fas_core import derive, scores
from fas_core.cli import main
from fas_core.data import images, manifest
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.inference import cluster, infer
from fas_core.inference.infer import Plan, Work
from fas_core.latent import mixture, passes
from fas_core.metrics import resampling
from fas_core.runs import store, upkeep
from fas_core.runs.lock import LOCK
from fas_core.runs.upkeep import damage
from fas_core.training import checkpoint
from tests.conftest import tiny_samples

pytestmark = pytest.mark.process
with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'fas-explorer[ray]'")


def hold_at_marked_images() -> None:
    """Runs in each worker: an image with a file NAME.hold beside it is not read before that is gone; NAME.pid waits."""
    load = images.load

    def held(path: Path, *form: int) -> np.ndarray:
        hold = path.with_suffix(".hold")
        if hold.exists():
            (begun := path.with_suffix(".begun")).write_text(str(os.getpid()))
            begun.rename(path.with_suffix(".pid"))
            while hold.exists():
                time.sleep(0.01)
        return load(path, *form)

    images.load = held


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Any]:
    """The module `ray`, connected to a cluster that the engine has started itself, with two CPUs."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("RAY_ADDRESS", raising=False)
        for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
            patched.setenv(name, "0")  # before Ray is imported, and restored at the end
        import ray

        init = ray.init

        def with_two(*arguments: Any, **named: Any) -> Any:
            return init(
                *arguments, num_cpus=2, runtime_env={"worker_process_setup_hook": hold_at_marked_images}, **named
            )

        patched.setattr(ray, "init", with_two)
        with cluster.connected() as connected:
            yield connected


@pytest.fixture
def data(tiny_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """A copy of the faces, in shards of eight."""
    monkeypatch.setattr(store, "SHARD_SIZE", 8)
    shutil.copytree(tiny_faces.parent, tmp_path / "data")
    return manifest.read(tmp_path / "data" / tiny_faces.name)


def shards(run: store.Run) -> list[str]:
    return [shard.folder.relative_to(run.folder).as_posix() for shard in run.shards]


def stamps(cache: Path) -> dict[Path, tuple[int, int]]:
    """Which file each complete shard's meta.json is, and when it was written, ns."""
    paths = store.runs_folder(cache).glob("*/*/[!.]*/meta.json")
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def is_alive(pid: int) -> bool:
    """Whether a process is there, which may take a moment to be gone."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    return True


class Interference:
    """While the block runs: waits until a worker is in the middle of a shard, held at an image, and acts on its pid."""

    def __init__(self, image: Path, cache: Path, act: Callable[[int], None]) -> None:
        self.hold, self.begun = image.with_suffix(".hold"), image.with_suffix(".pid")
        self.cache, self.act = cache, act
        self.seen: dict[Path, tuple[int, int]] = {}  # shards that were complete at that moment
        self.pid = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._interfere)

    def __enter__(self) -> "Interference":
        self.hold.touch()
        self.thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.over.set()
        self.thread.join()
        self.hold.unlink(missing_ok=True)

    def _interfere(self) -> None:
        while not self.over.wait(0.01):
            if self.begun.exists() and stamps(self.cache):
                self.seen, self.pid = stamps(self.cache), int(self.begun.read_text())
                self.act(self.pid)
                return


@with_ray
def test_equal_to_the_local_engine(two_workers: Any, tiny_checkpoint: Path, data: Manifest, tmp_path: Path) -> None:
    first, second = data.image_paths()[:2]
    first.write_bytes(first.read_bytes()[:100])
    second.unlink()
    data = manifest.read(data.source)
    other = tmp_path / "other.safetensors"
    model, header = checkpoint.loaded(tiny_checkpoint)
    with torch.no_grad():
        next(model.parameters()).mul_(1.1)
    checkpoint.save(other, model, "dcvae", {"experiment": header["experiment"]})
    both = [tiny_checkpoint, other]
    here = infer.write_runs(both, data, tmp_path / "local", device="cpu", precision="fp32")
    there = cluster.write_runs(both, data, tmp_path / "ray", precision="fp32")
    for local, remote in zip(here, there, strict=True):
        assert local.id == remote.id
        assert shards(local) == shards(remote)
        assert len(remote.shards) > 8
        assert damage(remote) == []
        scores = list(model.loss_names)
        pd.testing.assert_frame_equal(local.samples().drop(columns=scores), remote.samples().drop(columns=scores))
        pd.testing.assert_frame_equal(local.samples(scores), remote.samples(scores), rtol=1e-5, atol=0)
        np.testing.assert_allclose(local.latents(), remote.latents(), rtol=1e-5, atol=1e-5)
        rows = np.arange(len(local))
        assert np.array_equal(local.images("inputs", rows), remote.images("inputs", rows))
        pixels = [run.images("reconstructions", rows).astype(int) for run in (local, remote)]
        assert np.abs(pixels[0] - pixels[1]).max() <= 1
        assert remote.n_failures == 2
        pd.testing.assert_frame_equal(local.failures(), remote.failures())


def refuse(calls: Path) -> None:
    with calls.open("a") as file:
        file.write("called\n")
    raise BadInputError("The training diverged. Train it again.")


def fill_the_disk() -> None:
    raise OSError(28, "No space left on device", "shard-00000")


@with_ray
def test_what_a_worker_raises_reaches_the_user_as_it_is(two_workers: Any, tmp_path: Path) -> None:
    engine = cluster.RayCluster(two_workers)
    with pytest.raises(BadInputError) as refused:
        engine.result(engine.task(refuse, "cpu").remote(tmp_path / "calls"))
    assert type(refused.value) is BadInputError
    assert str(refused.value) == "The training diverged. Train it again."
    assert (tmp_path / "calls").read_text() == "called\n"  # once: it would be refused again
    with pytest.raises(OSError, match="No space left") as full:
        engine.result(engine.task(fill_the_disk, "cpu").remote())
    assert (full.value.errno, full.value.filename) == (28, "shard-00000")


@with_ray
def test_a_cluster_of_one_machine_is_for_it_alone(two_workers: Any) -> None:
    assert [node["NodeManagerAddress"] for node in two_workers.nodes()] == ["127.0.0.1"]
    with pytest.raises(BadInputError, match="no machine of the Ray cluster has a GPU"):
        cluster.RayCluster(two_workers).checked_device("cuda", "auto")


@with_ray
def test_a_worker_that_is_killed_costs_its_shard_alone(
    two_workers: Any, tiny_checkpoint: Path, data: Manifest, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    image = data.image_paths()[data.rows.index[data.rows["subset"] == "train"][12]]  # in the middle of a second shard

    def kill(pid: int) -> None:
        image.with_suffix(".hold").unlink()  # the next one to read it goes on
        os.kill(pid, signal.SIGKILL)

    with Interference(image, cache, kill) as killer:
        (run,) = cluster.write_runs([tiny_checkpoint], data, cache)
    assert killer.seen
    assert run.folder / "train" / "shard-00001" / "meta.json" not in killer.seen
    assert killer.seen.items() <= stamps(cache).items()
    assert run.is_complete
    assert damage(run) == []
    assert [path.name for path in run.folder.rglob(".*")] == []
    assert not is_alive(killer.pid)


@with_ray
def test_shards_are_verified_and_intervals_computed_as_they_are_here(
    two_workers: Any, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.open_run(tiny_cache, "a")
    codes = run.shards[1].folder / "latents.npy"
    content = codes.read_bytes()
    codes.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with cluster.reader() as read:
        advanced: list[None] = []
        monkeypatch.chdir(tiny_cache)  # workers stand in another folder
        by_ray = upkeep.verified(run.folder.relative_to(tiny_cache), lambda: advanced.append(None), read)
    assert by_ray == upkeep.verified(run.folder)
    assert [(entry.subset, entry.shard) for entry in by_ray.damage] == [("train", "shard-00001")]
    assert len(advanced) == len(run.shards)
    rng = np.random.default_rng(0)
    groups, attack = rng.integers(0, 300, 4000), rng.random(4000) < 0.3
    scores = [rng.normal(size=4000) + attack, rng.normal(size=4000)]
    statistics = [resampling.Statistic(*of) for of in (("roc_auc",), ("eer",), ("bpcer_at_apcer", 0.1))]

    def intervals() -> resampling.Resampled:
        return resampling.resampled(scores, attack, resampling.Units("subject", groups), statistics, resamples=300)

    here = intervals()
    with cluster.intervals(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(resampling._Model, "on", None)  # in this process, which computes none
        by_tasks = intervals()
    for statistic in statistics:
        assert here.values[statistic].tobytes() == by_tasks.values[statistic].tobytes()
        assert here.interval(statistic) == by_tasks.interval(statistic)


@with_ray
def test_what_is_derived_by_workers_is_what_one_process_derives(
    two_workers: Any,
    tmp_path: Path,
    image_run: Callable[..., store.Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(derive, "RANGE", passes.ROWS)
    samples = pd.concat([tiny_samples()] * 400, ignore_index=True)
    samples["sample_id"] += samples.index.astype(str)
    runs = [image_run(tmp_path / engine, "a", samples, shard_size=1000) for engine in derive.ENGINES]
    for run, engine in zip(runs, derive.ENGINES, strict=True):
        with derive.by(engine, [run]) as where:
            derive.said_of_codes(run, ks=(1, 4), engine=where)
    here, there = runs
    for name in scores.of_codes(here):
        assert scores.is_kept(there, name)
        np.testing.assert_array_equal(scores.values(there, name), scores.values(here, name))
    for k in (1, 4):
        ours, theirs = mixture.known_likelihoods(there, k), mixture.known_likelihoods(here, k)
        assert ours is not None
        for field, values in vars(theirs).items():
            np.testing.assert_array_equal(getattr(ours, field), values)


@with_ray  # the last one with `two_workers`: it ends them
def test_a_driver_that_is_told_to_end_leaves_whole_shards(
    two_workers: Any, tiny_checkpoint: Path, data: Manifest, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    image = data.image_paths()[-1]
    with Interference(image, cache, lambda _: os.kill(os.getpid(), signal.SIGTERM)) as ending:
        with pytest.raises(KeyboardInterrupt):
            cluster.write_runs([tiny_checkpoint], data, cache)
        assert not is_alive(ending.pid)  # though it is held in its shard
        assert not two_workers.is_initialized()
    complete = stamps(cache)
    assert ending.seen.items() <= complete.items()
    (run,) = infer.write_runs([tiny_checkpoint], data, cache, device="cpu")  # any engine goes on where another was
    assert run.is_complete
    assert len(complete) < len(run.shards)
    assert complete.items() <= stamps(cache).items()


class OneWorker:
    """An engine that computes the first shard as a worker would, after something has happened to its machine."""

    def __init__(self, happening: Callable[[Plan], object]) -> None:
        self.happening = happening

    def checked_device(self, device: str, precision: str) -> str:
        return "cpu"

    def settled_precision(self, checkpoints: Sequence[infer.Loaded], device: str) -> str:
        return "fp32"

    def write(self, plan: Plan, models: Sequence[Any], works: Sequence[Work], advance: infer.Advance) -> None:
        self.happening(plan)
        cluster._models.cache_clear()
        assert cluster._write_shard(plan, works[0]) == 8


HAPPENINGS: dict[str, Callable[[Plan], object]] = {
    r"Run's folder .* is not the same on": lambda plan: (plan.targets[0].folder / LOCK).unlink(),
    r"Checkpoint .* is not there on": lambda plan: plan.targets[0].checkpoint.unlink(),
    r"Checkpoint .* is another one on": lambda plan: plan.targets[0].checkpoint.write_bytes(b"another"),
    r"image folder .*images is not there on": lambda plan: (plan.root / "images").rename(plan.root / "elsewhere"),
    r"has another version": lambda plan: setattr(images, "PREPROCESSING", "another"),
}


@pytest.mark.parametrize("message", HAPPENINGS)
def test_a_machine_with_other_files_is_named(
    message: str, tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "PREPROCESSING", images.PREPROCESSING)  # restored afterwards
    threads = torch.get_num_threads()
    copy = Path(shutil.copy(tiny_checkpoint, tmp_path / "copy.safetensors"))
    try:
        with pytest.raises(BadInputError, match=message):
            infer.write_runs([copy], data, tmp_path / "c", engine=OneWorker(HAPPENINGS[message]))
        assert not list(tmp_path.rglob("meta.json"))
    finally:
        torch.set_num_threads(threads)


def test_shards_that_the_driver_sees_late_are_waited_for(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path / "c", device="cpu", precision="fp32")
    folder, aside = run.shards[0].folder, tmp_path / "aside"
    target = infer.Target(tiny_checkpoint, run.info, run.folder)
    plan = Plan([target], tmp_path / "c", data.root, frozenset(), 32, "cpu")
    works = [Work(shard.folder.parent.name, shard.folder.name, data.rows, [0], [None]) for shard in run.shards]
    folder.rename(aside)
    threading.Timer(0.3, aside.rename, [folder]).start()
    cluster._wait_until_seen(plan, works)
    assert store.is_shard(folder)
    shutil.rmtree(folder)
    monkeypatch.setattr(cluster, "SEEN_WITHIN", 0.0)
    with pytest.raises(BadInputError, match=r"shard-00000, but it is not here\. Checkpoints, images and the cache"):
        cluster._wait_until_seen(plan, works)


def test_a_gpu_per_task_where_the_cluster_has_any() -> None:
    asked: list[dict[str, Any]] = []
    ray = SimpleNamespace(
        cluster_resources=lambda: {"GPU": 2.0}, remote=lambda **options: asked.append(options) or (lambda task: task)
    )
    engine = cluster.RayCluster(ray)
    devices = [engine.checked_device(device, "auto") for device in ("auto", "cuda", "cpu")]
    assert devices == ["cuda", "cuda", "cpu"]
    for device in devices[1:]:
        engine.task(print, device)
    assert [options["num_gpus"] for options in asked] == [1, 0]
    with pytest.raises(BadInputError, match="choose auto, cpu or cuda"):
        engine.checked_device("tpu", "auto")


TIMED_OUT = "The current node\ntimed out"


def ray_that_fails(reasons: list[str], steps: list[str]) -> SimpleNamespace:
    """Starts after it has failed for each of the reasons; `steps`: what it was asked for."""

    def init(*_: object, **__: object) -> None:
        steps.append("init")
        if reasons:
            raise Exception(reasons.pop(0))

    return SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: steps.append("shutdown"))


@pytest.mark.parametrize(
    ("address", "reasons", "n_tried", "refused"),
    [
        ("local", [TIMED_OUT], 2, ""),
        ("local", [TIMED_OUT, TIMED_OUT], 2, "could not be started on this machine"),
        ("local", ["no memory"], 1, "could not be started on this machine"),
        ("auto", [TIMED_OUT], 1, "No Ray cluster can be reached"),
    ],
)
def test_ray_that_is_not_started_in_time_is_tried_once_more(
    address: str, reasons: list[str], n_tried: int, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")  # restored afterwards
    monkeypatch.setenv("RAY_ADDRESS", address)
    steps: list[str] = []
    fake = ray_that_fails([*reasons], steps)
    monkeypatch.setitem(sys.modules, "ray", fake)
    with pytest.raises(BadInputError, match=refused) if refused else nullcontext(), cluster.connected() as ray:
        assert ray is fake
        steps.append("connected")
    assert steps[: 2 * n_tried - 1] == ["init", "shutdown", "init"][: 2 * n_tried - 1]
    assert steps[2 * n_tried - 1 :] == ([] if refused else ["connected", "shutdown"])


def test_no_ray_and_no_cluster_are_one_message(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")  # restored afterwards
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    fake = SimpleNamespace(is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "ray", fake)
    with pytest.raises(BadInputError, match=r"No Ray cluster can be reached at 127\.0\.0\.1:1"):
        cluster.write_runs([tiny_checkpoint], data, tmp_path / "c")
    monkeypatch.delenv("RAY_ADDRESS")
    monkeypatch.setitem(sys.modules, "ray", ray_that_fails([TIMED_OUT] * 2, []))
    with pytest.raises(BadInputError, match=r"could not be started on this machine \(The current node timed out\)"):
        cluster.write_runs([tiny_checkpoint], data, tmp_path / "c")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInputError, match=r"pip install 'fas-explorer\[ray\]'"):
        cluster.write_runs([tiny_checkpoint], data, tmp_path / "c")


def test_what_ray_prints_is_no_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cluster, "connected", nullcontext)
    monkeypatch.setattr(infer, "write_runs", lambda *_, **__: print("(raylet) A worker died"))
    cluster.write_runs([], Manifest(pd.DataFrame(), Path()), Path())
    assert capsys.readouterr() == ("", "(raylet) A worker died\n")


def test_an_unknown_engine_is_refused(
    tiny_checkpoint: Path, tiny_faces: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["fas", "cache", str(tiny_checkpoint), "--data", str(tiny_faces), "--engine", "spark"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "fas: --engine spark: choose local or ray.\n"
