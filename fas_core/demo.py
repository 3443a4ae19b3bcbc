"""The demo: rendered faces, two small trained models, their Runs and what is derived. Made once, reused after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fas_core import derive
from fas_core.data import manifest
from fas_core.files import make_folder
from fas_core.progress import jobs_folder, task
from fas_core.runs import store, traininglog

EXPERIMENTS = {"small_dcvae": 5, "small_resvae": 3, "small_ganomaly": 4}
"""Which trainings, and for how many epochs: fewer than their presets', so that there is something to see soon."""

SEED = 0


@dataclass(frozen=True)
class Places:
    """Where the demo keeps its things."""

    data: Path
    checkpoints: Path
    cache: Path

    @property
    def manifest(self) -> Path:
        return self.data / "manifest.csv"

    def checkpoint(self, experiment: str) -> Path:
        """Of an experiment, by its name."""
        return self.checkpoints / f"{experiment}.safetensors"


def places(root: Path | None, default_cache: Path) -> Places:
    """Under `root` if given; otherwise the project's cache folder, with data and checkpoints in `demo` inside it."""
    if root is None:
        return Places(default_cache / "demo" / "data", default_cache / "demo" / "checkpoints", default_cache)
    return Places(root / "data", root / "checkpoints", root / "cache")


def make(where: Places, say: Callable[[str], None]) -> None:
    """Makes what is missing, in the order in which it becomes worth looking at; going on where it was interrupted."""
    make_folder(jobs_folder(where.cache))
    job = jobs_folder(where.cache) / "demo.json"
    if not where.manifest.is_file():
        from fas_core.training import train  # noqa: F401  # what is not installed is said before minutes of rendering

        _render(where, job)
    runs = []
    for experiment in EXPERIMENTS:
        run = _known_run(where, experiment)
        if run is None or not run.is_complete:
            run = _train_and_cache(where, experiment, job)
            derive.compute_quick(run, job_file=job)
            say(f"There is something to look at: the Run of {experiment}")
        runs.append(run)
    for run in runs:
        derive.compute_quick(run, job_file=job)
        derive.compute_slow(run)


def _render(where: Places, job: Path) -> None:
    from fas_core.data.synthetic import data_set

    with task("Rendering demo faces", 1, job_file=job, stage="data") as shown:
        data_set.render_data_set(where.data, SEED, on_progress=lambda done, total: shown.update(done, total))


def _known_run(where: Places, experiment: str) -> store.Run | None:
    """The Run of a finished checkpoint, found by the names it was made from: no hashing, no torch at a second start."""
    if traininglog.resume_file(where.checkpoint(experiment)).exists():
        return None
    for run in store.all_runs(where.cache):
        if run.info.name == experiment and run.info.checkpoint == where.checkpoint(experiment).name:
            return run
    return None


def _train_and_cache(where: Places, experiment: str, job: Path) -> store.Run:
    from fas_core.inference import infer
    from fas_core.training import experiments, train

    data = manifest.read(where.manifest)
    out = where.checkpoint(experiment)
    is_interrupted = traininglog.resume_file(out).is_file()
    if not out.is_file() or is_interrupted:
        preset = experiments.preset(experiment).with_settings([f"epochs={EXPERIMENTS[experiment]}"])
        train.train(preset, data, out, cache=where.cache, resume=is_interrupted, job_file=job)
    return infer.write_runs([out], data, where.cache, job_file=job)[0]
