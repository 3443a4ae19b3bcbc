"""What is worth having ready for every Run before somebody opens its pages: PCA, mixtures, scores, separation, UMAP.

The slow ones are also made on demand, in a process of their own: `python -m fas_core.derive CACHE RUN umap`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import cast

from fas_core import scores
from fas_core.errors import BadInputError
from fas_core.evaluation import separation
from fas_core.files import atomic_file, make_folder
from fas_core.latent import mixture, projection, training_rows
from fas_core.latent.projection import USUAL, FittedOn, Told, Umap
from fas_core.progress import Job, Task, jobs_folder, task
from fas_core.runs import store
from fas_core.runs.store import Run

ABANDONED_AFTER = 120.0  # seconds without a sign of life, as `progress.jobs` has it
BEAT = 20.0  # seconds between signs of life of work that cannot report its progress
SHARES = 100  # steps of work that reports its progress as a share


def compute(run: Run) -> None:
    """Computes and stores everything that is missing, quick things first."""
    compute_quick(run)
    compute_slow(run)


def compute_quick(run: Run, *, job_file: Path | None = None) -> None:
    """Projections, mixtures, fitted scores and separation: seconds. Runs without images have nothing to derive."""
    if not run.has_images or not len(run):
        return
    steps: list[Callable[[], object]] = [lambda: projection.pca_of(run)]
    if _has_training(run):
        steps += [partial(mixture.likelihoods, run, k) for k in mixture.components_of(len(training_rows(run)))]
        for name in scores.offered(run):
            steps.append(partial(scores.values, run, name))
    steps.append(lambda: separation.of_run(run))
    with task(f"Deriving from {run.info.name}", len(steps), job_file=job_file, stage="derive") as shown:
        for step in steps:
            step()
            shown.advance()


def compute_slow(run: Run) -> None:
    """UMAP: the first one of a process takes most of a minute before it begins."""
    if run.has_images and len(run) > projection.NEIGHBOURS and projection.known_umap(run) is None:
        Work(run, "umap").compute()


def _has_training(run: Run) -> bool:
    try:
        return bool(len(training_rows(run)))
    except BadInputError:
        return False


@dataclass(frozen=True)
class Work:
    """One slow result of one Run. `what`: "umap" or as `umap_work` writes it, "pca-all" of all codes, "separation",
    "mixture-<covariance>-<k>" of the codes as they are, or "mixtures-<covariance>-<dimensions>": all numbers of
    components, with what they say of every image.

    Its progress file doubles as the lock: whoever creates it computes, and the others leave it to them. One that has
    not been touched for `ABANDONED_AFTER` seconds belonged to work that died.
    """

    run: Run
    what: str

    @property
    def label(self) -> str:
        """What the page and the progress bar call it."""
        if self.what.startswith("umap"):
            return f"UMAP of {self.run.info.name} (about a minute)"
        if self.what == "pca-all":
            return f"Principal components of all codes of {self.run.info.name}"
        if self.what == "separation":
            return f"Separation of {self.run.info.name} in numbers"
        kind, covariance, k = self.what.split("-")
        if kind == "mixtures":
            return f"Mixtures of Gaussians ({covariance}) of {self.run.info.name}"
        return f"Mixture of {k} Gaussians ({covariance}) of {self.run.info.name}"

    @property
    def job_file(self) -> Path:
        return jobs_folder(self.run.cache) / f"{self.what}-{self.run.id}.json"

    @property
    def _log(self) -> Path:
        return self.job_file.with_suffix(".log")

    @property
    def is_under_way(self) -> bool:
        """Whether some process is at it."""
        try:
            return time.time() - self.job_file.stat().st_mtime < ABANDONED_AFTER
        except OSError:
            return False

    @property
    def last_words(self) -> str:
        """What the last attempt said before it ended without a result; "" where there was none."""
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip() if lines else ""

    def compute(self, *, is_claimed: bool = False) -> None:
        """Computes and stores the result here and now, unless another process is at it."""
        steps, done = self._steps(), 0
        if not is_claimed and not self._claim():
            return
        with task(self.label, sum(weight for weight, _ in steps), job_file=self.job_file, stage=self.what) as shown:
            for weight, compute in steps:
                with _beating(shown):
                    compute(partial(_show_share, shown, done, weight))
                done += weight
                shown.update(done)
        self._log.unlink(missing_ok=True)

    def start(self) -> None:
        """Has it computed by a process of its own, unless one is at it; that one outlives this process."""
        if not self._claim():
            return
        command = [sys.executable, "-P", "-m", "fas_core.derive", str(self.run.cache.resolve()), self.run.id, self.what]
        try:
            with self._log.open("wb") as log:
                worker = subprocess.Popen(
                    [*command, "--claimed"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError:
            self.job_file.unlink(missing_ok=True)
            raise
        threading.Thread(target=self._wait, args=(worker,), daemon=True).start()

    def _wait(self, worker: subprocess.Popen[bytes]) -> None:
        """A worker that was killed cannot remove its own file."""
        worker.wait()
        self.job_file.unlink(missing_ok=True)

    def _claim(self) -> bool:
        """Takes the lock; False when somebody else holds it."""
        make_folder(self.job_file.parent)
        if not self.is_under_way:
            self.job_file.unlink(missing_ok=True)
        try:
            self.job_file.touch(exist_ok=False)
        except FileExistsError:
            return False
        with atomic_file(self.job_file) as temporary:
            temporary.write_text(json.dumps(asdict(Job(self.label, 0, 1, None, time.time(), self.what))))
        return True

    def _steps(self) -> list[tuple[int, Callable[[Told], object]]]:
        """What is to be computed, one after another, and about how long each takes beside the others.

        Work is handed what to tell its progress to, as a share of itself.
        """
        kind, _, settings = self.what.partition("-")
        if kind == "umap":
            return [(SHARES, partial(projection.umap_of, self.run, _umap_of(settings)))]
        if kind == "pca":
            return [(1, _untold(partial(projection.pca_of, self.run, on="all")))]
        if kind == "separation":
            return [(1, _untold(partial(separation.of_run, self.run)))]
        covariance, _, number = settings.partition("-")
        if kind == "mixture":
            return [(1, _untold(partial(mixture.of_training, self.run, int(number), covariance)))]
        ks = mixture.components_of(len(training_rows(self.run)))
        return [(k, _untold(partial(mixture.likelihoods, self.run, k, covariance, int(number)))) for k in ks]


def _untold(compute: Callable[[], object]) -> Callable[[Told], object]:
    """Work that cannot say how far it is."""
    return lambda _: compute()


def umap_work(run: Run, how: Umap) -> Work:
    """The work that makes a UMAP; the usual one is plain "umap", as when a Run is made."""
    settings = f"umap-{how.on}-{how.neighbours}-{how.min_dist!r}-{how.seed}"
    return Work(run, "umap" if how == USUAL else settings)


def _umap_of(settings: str) -> Umap:
    """What `umap_work` wrote after "umap-", or "". Raises BadInputError for anything else."""
    if not settings:
        return USUAL
    on, neighbours, rest = (*settings.split("-", 2), "", "")[:3]
    min_dist, _, seed = rest.rpartition("-")
    try:
        numbers = int(neighbours), float(min_dist), int(seed)
    except ValueError as error:
        raise BadInputError(f"'umap-{settings}' is no UMAP. Write for example: umap-all-15-0.1-0") from error
    return Umap(*numbers, cast("FittedOn", on))


def _show_share(shown: Task, before: int, weight: int, share: float) -> None:
    shown.update(before + int(share * weight))


@contextmanager
def _beating(shown: Task) -> Iterator[None]:
    """Shows that work without steps is alive, so that its progress file does not look abandoned."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT):
            shown.update(shown.done)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def main() -> None:
    """The worker process that `Work.start` starts."""
    parser = argparse.ArgumentParser(prog="python -m fas_core.derive", description="Computes one slow result of a Run.")
    parser.add_argument("cache", type=Path)
    parser.add_argument("run")
    parser.add_argument(
        "what", help="umap, umap-training-30-0.25-1, pca-all, separation, mixture-diag-8, mixtures-full-0, ..."
    )
    parser.add_argument("--claimed", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    try:
        Work(store.open_run(given.cache, given.run), given.what).compute(is_claimed=given.claimed)
    except BadInputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
