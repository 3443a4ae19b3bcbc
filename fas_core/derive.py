"""What is worth having ready for every Run before somebody opens its pages: PCA, mixtures, scores, separation, UMAP,
near-duplicates.

The slow ones are also made on demand, in a process of their own: `python -m fas_core.derive CACHE RUN umap`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from fas_core import scores
from fas_core.data.names import dev_subsets
from fas_core.errors import BadInputError, needing_pytorch
from fas_core.evaluation import kept, paths, presentations, separation, summary, traversal
from fas_core.evaluation.causes import of_run as causes
from fas_core.evaluation.join import System
from fas_core.files import atomic_file, make_folder, opened_file
from fas_core.latent import em, fitting_sample, mixture, passes, projection, training_rows
from fas_core.latent.projection import USUAL, FittedOn, Told, Umap
from fas_core.metrics.operating_point import DEFAULT
from fas_core.progress import Job, Task, jobs_folder, task
from fas_core.runs import census, duplicates, health, measured, store
from fas_core.runs.store import Run
from fas_core.scores import gmm_nll

_log = logging.getLogger(__name__)

ABANDONED_AFTER = 120.0  # seconds without a sign of life, as `progress.jobs` has it
BEAT = 20.0  # seconds between signs of life of work that cannot report its progress
MEASURED = 20_000  # images at most that are measured without being asked for: each is read, a second per thousand or so
MOST_CORES = 8  # that a wait is estimated for: beyond them, reading is what takes long
RANGE = 2**16  # rows whose codes one task goes over
FITTED = 0.6  # share of the time after which all is fitted
FEW_STEPS = 20  # what all that is said of codes weighs beside the other quick things
SHARES = 100  # steps of work that reports its progress as a share


class Engine(Protocol):
    """Where the work that a derivation consists of is done. What comes of it is the same everywhere."""

    def map(
        self, run: Run, works: Sequence[tuple[Callable[..., passes.Arrays], tuple[Any, ...]]]
    ) -> Iterable[passes.Arrays]:
        """What each function gives for the Run and its arguments, in order."""

    def said(self, run: Run, says: Sequence[passes.Says], ranges: Sequence[range]) -> Iterable[list[passes.Arrays]]:
        """`passes.said` of each range of the rows, in order."""


class _Here:
    """This process."""

    def map(
        self, run: Run, works: Sequence[tuple[Callable[..., passes.Arrays], tuple[Any, ...]]]
    ) -> Iterable[passes.Arrays]:
        return (function(run, *arguments) for function, arguments in works)

    def said(self, run: Run, says: Sequence[passes.Says], ranges: Sequence[range]) -> Iterable[list[passes.Arrays]]:
        return (passes.said(run.codes, says, rows=rows) for rows in ranges)


HERE: Engine = _Here()
ENGINES = ("local", "ray")


@contextmanager
def by(engine: str, runs: Iterable[Run]) -> Iterator[Engine]:
    """One of `ENGINES`, while the block runs; no cluster is started for Runs of which nothing is missing.

    Raises BadInputError for another one, and where there is no Ray.
    """
    if engine not in ENGINES:
        raise BadInputError(f"--engine {engine}: choose {' or '.join(ENGINES)}.")
    if engine == "local" or not any(_is_unsaid(run) for run in runs):
        yield HERE
        return
    with needing_pytorch():
        from fas_core.inference import deriving
    with deriving.engine() as ray:
        yield ray


def compute(run: Run, engine: Engine = HERE, further: Callable[[Run], object] | None = None) -> None:
    """Computes and stores everything that is missing, quick things first. What a Run is too small for is logged."""
    compute_quick(run, engine=engine, further=further)
    compute_slow(run)


def amount(text: str) -> Callable[..., None] | None:
    """What computes as much of a Run as the text asks for; None where that is nothing.

    Raises BadInputError for another text than `none`, `quick` and `all`.
    """
    amounts: dict[str, Callable[..., None] | None] = {"none": None, "quick": compute_quick, "all": compute}
    if text not in amounts:
        raise BadInputError(f"--derive {text}: choose {', '.join(list(amounts)[:-1])} or {list(amounts)[-1]}.")
    return amounts[text]


def compute_quick(
    run: Run,
    *,
    job_file: Path | None = None,
    engine: Engine = HERE,
    further: Callable[[Run], object] | None = None,
) -> None:
    """Projections, mixtures, fitted scores, separation, near-duplicates, what scores follow: seconds, of millions of
    codes minutes.

    Of what the Run holds: nothing of scores alone. `further`: keeps what pages, which are above this, know of a large
    Run.
    """
    if run.is_of_scores or not len(run):
        return
    has_codes = run.has("latents")
    steps = [_untold(1, partial(_keep_plane, run))] if has_codes else []
    if has_codes and _has_training(run):
        steps.append(Step(FEW_STEPS, lambda told: said_of_codes(run, engine=engine, told=told)))
        steps.append(_untold(1, partial(_keep_other_scores, run)))
    steps.append(_untold(1, partial(compare_samples, run)))
    if has_codes:
        steps += [_untold(1, partial(separation.of_run, run)), _untold(1, partial(_keep_opening, run))]
    if run.has("inputs") and len(run) <= MEASURED:
        steps += [_untold(1, partial(causes.nuisance, run, name)) for name in scores.offered(run)]
    if len(run) >= kept.LARGE and scores.offered(run):
        steps.append(_untold(1, partial(keep_numbers, run)))
        if further is not None:
            steps.append(_untold(1, partial(further, run)))
    missing: list[str] = []
    total = sum(step.weight for step in steps)
    with task(f"Deriving from {run.info.name}", total, job_file=job_file, stage="derive") as shown:
        done = 0
        for weight, step in steps:
            with _beating(shown):
                try:
                    step(partial(_show_share, shown, done, weight))
                except BadInputError as error:  # the Run is there and good: this is only what could be made of it
                    missing.append(str(error))
            done += weight
            shown.update(done)
    for reason in dict.fromkeys(missing):
        _log.warning("%s: %s", run.info.name, reason)


def _keep_plane(run: Run) -> None:
    """The principal components; of a large Run also where its codes lie in the first two."""
    pca = projection.pca_of(run)
    if len(run) >= projection.LARGE:
        projection.first_plane(run, pca)


def keep_numbers(run: Run) -> None:
    """What all pages of a large Run begin with, and what Overview says by its usual score, so that nobody waits."""
    presentations.suggested(run)
    census.of_run(run)
    health.samples_in_two_subsets(run)
    score = scores.usual(scores.offered(run))
    decided = presentations.presentations(run, scores.values(run, score))
    about = summary.summary(System(run, score), DEFAULT, chosen_on=dev_subsets(run.subsets))
    about = replace(about, readers=kept.Kept(run, decided))
    summary.headline(about)
    summary.metrics_table(about)


# CPU seconds for each multiplication, measured with codes of 512 dimensions: what a wait is estimated by.
_OF_START, _OF_STEPS, _OF_ONE_PASS, _OF_PLACING, _OF_NEIGHBOURS, _OF_SPREADS = 1e-6, 3e-9, 5e-10, 3e-10, 4e-11, 2e-10


def seconds_of_codes(
    run: Run, covariance: str = "diag", dimensions: int = mixture.RAW, *, ks: Sequence[int], names: Sequence[str] = ()
) -> float:
    """About how long `said_of_codes` takes on this machine."""
    m, n, d = len(fitting_sample(run)), len(run), dimensions or run.latent_dim
    a_step = _OF_STEPS if m <= em.MOST_EXACT else _OF_ONE_PASS
    form = d / 8 if covariance == "full" else 1
    fits = sum(2 * d * (_OF_START * min(m, em.START_CODES) + a_step * m * k * form) for k in ks)
    said = _OF_PLACING * n * d * form * sum(ks)
    of_scores = {"knn": _OF_NEIGHBOURS * min(m, 10_000) * d, "gmm_nll": 8 * _OF_PLACING * d}
    others = sum(n * of_scores.get(name, _OF_SPREADS * d**2) for name in names)
    return (fits + said + others) / max(1, min(os.cpu_count() or 1, MOST_CORES))


def wait_words(seconds: float) -> str:
    """ "about 3 min" """
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5)):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 90 * 60 else f"about {seconds / 3600:.0f} h"


def _keep_other_scores(run: Run) -> None:
    """Each for itself: one that cannot be had does not keep the others."""
    missing = []
    for name in scores.offered(run):
        try:
            scores.values(run, name)
        except BadInputError as error:
            missing.append(str(error))
    if missing:
        raise BadInputError(" ".join(dict.fromkeys(missing)))


def said_of_codes(
    run: Run,
    covariance: str = "diag",
    dimensions: int = mixture.RAW,
    *,
    ks: Sequence[int] = mixture.COMPONENTS,
    names: Sequence[str] | None = None,
    engine: Engine = HERE,
    told: Told = lambda _: None,
) -> None:
    """Mixtures of some numbers of Gaussians and some scores of codes (None: all): fitted where they are missing, and
    what they say of all codes computed in one pass over them. Stored."""
    ks, names = _unsaid(run, covariance, dimensions, ks, names)
    if not ks and not names:
        return
    stored = {k: mixture.known(run, k, covariance, dimensions) for k in ks}
    fits = [(mixture.fit, (k, covariance, dimensions)) for k in reversed(ks) if stored[k] is None]  # the longest first
    of_held_out = {k: mixture.known_held_out(run, k, covariance, dimensions) for k in ks}
    others = [(mixture.held_out, (k, covariance, dimensions)) for k in reversed(ks) if of_held_out[k] is None]
    works = [*fits, *others]
    for i, ((_, about), answer) in enumerate(zip(works, engine.map(run, works), strict=True)):  # kept as they come
        if i < len(fits):
            stored[about[0]] = mixture.keep(run, *about, answer)
        else:
            of_held_out[about[0]] = mixture.keep_held_out(run, *about, answer)
        told(FITTED * (i + 1) / len(works))
    says = [mixture.placing(run, fit, dimensions) for fit in stored.values() if fit is not None]
    says += [scores.says(run, name) for name in names]
    ranges = [range(i, min(i + RANGE, len(run))) for i in range(0, len(run), RANGE)]
    parts: list[list[passes.Arrays]] = []
    for part in engine.said(run, says, ranges):
        parts.append(part)
        told(FITTED + (1 - FITTED) * len(parts) / len(ranges))
    for i, k in enumerate(ks):
        said = passes.joined([part[i] for part in parts]) | (of_held_out[k] or {})
        mixture.keep_likelihoods(run, k, covariance, dimensions, said)
    for i, name in enumerate(names, start=len(ks)):
        scores.keep(run, name, passes.joined([part[i] for part in parts]))


def _unsaid(
    run: Run, covariance: str, dimensions: int, ks: Sequence[int], names: Sequence[str] | None
) -> tuple[list[int], list[str]]:
    """Those mixtures and scores of codes that are not stored."""
    can_be = [k for k in mixture.components_of(len(fitting_sample(run))) if k in ks]
    of_codes = [name for name in scores.of_codes(run) if names is None or name in names]
    return (
        [k for k in can_be if not mixture.are_known(run, k, covariance, dimensions)],
        [name for name in of_codes if not scores.is_kept(run, name)],
    )


def _is_unsaid(run: Run) -> bool:
    """Whether anything is missing that an engine is for."""
    if not len(run) or not run.has("latents") or not _has_training(run):
        return False
    return any(_unsaid(run, "diag", mixture.RAW, mixture.COMPONENTS, None))


def compare_samples(run: Run) -> None:
    """Near-duplicates, of which `health.cautions` tells then: seconds, so not of large Runs."""
    if 0 < len(run) <= duplicates.QUICK:
        for by in duplicates.ways(run):
            duplicates.of_run(run, by)


def _keep_opening(run: Run) -> None:
    """Decodes what the page Traversal opens with, so that it opens without PyTorch; not without checkpoint or decoder.

    One code has no direction to move along.
    """
    if len(run) < 2 or not run.has("reconstructions") or not Path(run.info.checkpoint_path).is_file():
        return
    codes = paths.opening(run, scores.usual(scores.offered(run))).codes.astype(np.float32)
    if traversal.known_images(run, codes) is not None:
        return
    with needing_pytorch():
        from fas_core.inference import predict

    traversal.keep_images(run, codes, predict.decoded(codes, predict.ready(run, "cpu")))


def what_is_ready(run: Run) -> dict[str, bool]:
    """Of a Run with codes, each result that is made ready for it and whether it is stored; nothing is computed."""
    if not run.has("latents") or not len(run):
        return {}
    ready = {"principal components": projection.is_pca_at_hand(run)}
    if _has_training(run):
        ks = mixture.components_of(len(fitting_sample(run)))
        ready |= {f"mixture of {k}": mixture.are_known(run, k) for k in ks}
        ready |= {f"score {name}": scores.is_kept(run, name) for name in scores.of_codes(run)}
    ready |= {"separation": separation.is_known(run), "UMAP": projection.is_umap_known(run)}
    return ready | ({"near-duplicates": duplicates.are_known(run)} if len(run) <= duplicates.MOST else {})


def n_ready(run: Run) -> int:
    """How many of its results are there to be looked at without a wait; 0 without latents."""
    if not run.has("latents") or not len(run):
        return 0
    are_known = mixture.is_known(run, gmm_nll.COMPONENTS), separation.is_known(run), projection.is_umap_known(run)
    return sum(are_known)


def compute_slow(run: Run) -> None:
    """UMAP, of which the first one of a process takes most of a minute before it begins, and near-duplicates of large
    Runs."""
    if run.has("latents") and len(run) > projection.NEIGHBOURS and projection.known_umap(run) is None:
        Work(run, UmapOf()).compute()
    if duplicates.QUICK < len(run) <= duplicates.MOST and not duplicates.are_known(run):
        Work(run, NearDuplicates()).compute()


def _has_training(run: Run) -> bool:
    try:
        return bool(len(training_rows(run)))
    except BadInputError:
        return False


class Result(Protocol):
    """A slow result that a Run can have: a frozen value, whose text is also the name of its files and processes."""

    def __str__(self) -> str:
        """The text that `parsed` reads: an argument of `python -m fas_core.derive`."""

    def label(self, name: str) -> str:
        """What the page and the progress bar call it for the Run of this name."""

    def steps(self, run: Run) -> list[Step]:
        """What is to be computed, one after another."""


class Step(NamedTuple):
    """A part of some work: about how long it takes beside the others, and what computes it.

    `compute` is handed what to tell its progress to, as a share of itself.
    """

    weight: int
    compute: Callable[[Told], object]


@dataclass(frozen=True)
class UmapOf:
    """A UMAP; the usual one is plain "umap", as when a Run is made."""

    how: Umap = USUAL

    def __str__(self) -> str:
        how = self.how
        return "umap" if how == USUAL else f"umap-{how.on}-{how.neighbours}-{how.min_dist!r}-{how.seed}"

    def label(self, name: str) -> str:
        return f"UMAP of {name} (about a minute)"

    def steps(self, run: Run) -> list[Step]:
        return [Step(SHARES, partial(projection.umap_of, run, self.how))]


@dataclass(frozen=True)
class PcaOfAll:
    """The principal components of all codes."""

    def __str__(self) -> str:
        return "pca-all"

    def label(self, name: str) -> str:
        return f"Principal components of all codes of {name}"

    def steps(self, run: Run) -> list[Step]:
        return [_untold(1, partial(projection.pca_of, run, on="all"))]


@dataclass(frozen=True)
class Separation:
    """How well attacks and subsets are separated, in numbers."""

    def __str__(self) -> str:
        return "separation"

    def label(self, name: str) -> str:
        return f"Separation of {name} in numbers"

    def steps(self, run: Run) -> list[Step]:
        return [_untold(1, partial(separation.of_run, run))]


@dataclass(frozen=True)
class NearDuplicates:
    """The nearest sample of each in every subset, by pixels and by codes."""

    def __str__(self) -> str:
        return "near-duplicates"

    def label(self, name: str) -> str:
        return f"Near-duplicates of {name}"

    def steps(self, run: Run) -> list[Step]:
        return [Step(SHARES, partial(duplicates.of_run, run, by)) for by in duplicates.ways(run)]


@dataclass(frozen=True)
class ScoresOfCodes:
    """The scores of codes, of all images."""

    def __str__(self) -> str:
        return "scores-of-codes"

    def label(self, name: str) -> str:
        return f"Scores of the codes of {name}"

    def steps(self, run: Run) -> list[Step]:
        return [Step(SHARES, lambda told: said_of_codes(run, ks=(), told=told))]

    def seconds(self, run: Run) -> float:
        """About how long it takes."""
        return seconds_of_codes(run, ks=(8,), names=scores.waiting(run))


@dataclass(frozen=True)
class ScoreOfCodes:
    """One of them."""

    name: str

    def __str__(self) -> str:
        return f"score-{self.name}"

    def label(self, name: str) -> str:
        return f"Score {self.name} of {name}"

    def steps(self, run: Run) -> list[Step]:
        return [Step(SHARES, lambda told: said_of_codes(run, ks=(), names=(self.name,), told=told))]

    def seconds(self, run: Run) -> float:
        """About how long it takes."""
        return seconds_of_codes(run, ks=(8,), names=(self.name,))


@dataclass(frozen=True)
class Looks:
    """What the images look like, in numbers."""

    def __str__(self) -> str:
        return "looks"

    def label(self, name: str) -> str:
        return f"Looks of the images of {name}"

    def steps(self, run: Run) -> list[Step]:
        return [_untold(1, partial(measured.of_run, run))]


@dataclass(frozen=True)
class Mixture:
    """The mixture of some number of Gaussians that fits the codes as they are."""

    covariance: str
    components: int

    def __str__(self) -> str:
        return f"mixture-{self.covariance}-{self.components}"

    def label(self, name: str) -> str:
        return f"Mixture of {self.components} Gaussians ({self.covariance}) of {name}"

    def steps(self, run: Run) -> list[Step]:
        return [_untold(1, partial(mixture.of_training, run, self.components, self.covariance))]


@dataclass(frozen=True)
class Mixtures:
    """Mixtures of all numbers of Gaussians, in some dimensions (0: of the codes as they are), and their likelihoods."""

    covariance: str
    dimensions: int

    def __str__(self) -> str:
        return f"mixtures-{self.covariance}-{self.dimensions}"

    def label(self, name: str) -> str:
        return f"Mixtures of Gaussians ({self.covariance}) of {name}"

    def steps(self, run: Run) -> list[Step]:
        said = partial(said_of_codes, run, self.covariance, self.dimensions, names=())
        return [Step(SHARES, lambda told: said(told=told))]

    def seconds(self, run: Run) -> float:
        """About how long it takes."""
        n = len(fitting_sample(run))
        return seconds_of_codes(run, self.covariance, self.dimensions, ks=mixture.components_of(n))


def parsed(text: str) -> Result:
    """The result that a text names, as `str` of it wrote it. Raises BadInputError for any other text."""
    kind, _, settings = text.partition("-")
    if kind == "umap":
        return UmapOf(_umap_of(settings))
    for whole in (PcaOfAll(), Separation(), NearDuplicates(), ScoresOfCodes(), Looks()):
        if text == str(whole):
            return whole
    if kind == "score" and settings in scores.names():
        return ScoreOfCodes(settings)
    covariance, _, number = settings.partition("-")
    if kind in ("mixture", "mixtures") and covariance and number.isdecimal():
        return (Mixture if kind == "mixture" else Mixtures)(covariance, int(number))
    raise BadInputError(
        f"'{text}' is nothing that is computed. Choose umap, umap-all-15-0.1-0, pca-all, separation, near-duplicates, "
        "scores-of-codes, looks, mixture-diag-8 or mixtures-full-0, or the like."
    )


def _untold(weight: int, compute: Callable[[], object]) -> Step:
    """A step that cannot say how far it is."""
    return Step(weight, lambda _: compute())


def _umap_of(settings: str) -> Umap:
    """What `UmapOf` wrote after "umap-", or "". Raises BadInputError for anything else."""
    if not settings:
        return USUAL
    on, neighbours, rest = (*settings.split("-", 2), "", "")[:3]
    min_dist, _, seed = rest.rpartition("-")
    try:
        numbers = int(neighbours), float(min_dist), int(seed)
    except ValueError as error:
        raise BadInputError(f"'umap-{settings}' is no UMAP. Write for example: umap-all-15-0.1-0") from error
    return Umap(*numbers, cast("FittedOn", on))


@dataclass(frozen=True)
class Work:
    """One slow result of one Run.

    Its progress file doubles as the lock: whoever creates it computes, and the others leave it to them. One that has
    not been touched for `ABANDONED_AFTER` seconds belonged to work that died.
    """

    run: Run
    result: Result

    @property
    def what(self) -> str:
        """The text of the result, see `parsed`."""
        return str(self.result)

    @property
    def label(self) -> str:
        """What the page and the progress bar call it."""
        return self.result.label(self.run.info.name)

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
            return abs(time.time() - self.job_file.stat().st_mtime) < ABANDONED_AFTER
        except OSError:
            return False

    @property
    def last_words(self) -> str:
        """What the last attempt said before it ended without a result; "" where there was none."""
        try:
            with opened_file(self._log, self.run.cache) as log:
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip() if lines else ""

    def compute(self, *, is_claimed: bool = False) -> None:
        """Computes and stores the result here and now, unless another process is at it."""
        steps, done = self.result.steps(self.run), 0
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
        "what", help="umap, umap-training-30-0.25-1, pca-all, separation, near-duplicates, mixture-diag-8, ..."
    )
    parser.add_argument("--claimed", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    try:
        Work(store.open_run(given.cache, given.run), parsed(given.what)).compute(is_claimed=given.claimed)
    except BadInputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
