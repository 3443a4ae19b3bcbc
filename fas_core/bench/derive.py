"""What is derived from codes of 512 dimensions: seconds and memory, and what they come to for 5 million codes.

The targets are absolute: 20 minutes on two idle cores for the mixtures of 1 to 128 Gaussians, fitted twice each on a
sample of 200,000, and for one pass in which these and the scores of codes say something of every code. Measured are the
fit of the most Gaussians, which takes longest, and the pass, per 100,000 codes; `minutes_of_5_million` is 16 such fits
and 50 such passes. `bytes_a_code`: by how much the peak memory of a process grows with each further code of a pass, by
the kernel's figure, mapped files included; a code has 2,048 bytes, and its answers 140. `gigabytes_of_5_million`: the
peak memory that this comes to.

`umap_minutes_of_5_million`: of the UMAP of `--derive all`, which is laid out on a sample, by what a further code takes
that is placed in a pass. It has no target: no page waits for it.

`stepwise_gain`: nats a held-out code (128 dimensions, 64 Gaussians) is likelier under one pass in batches over 150,000
codes than under EM on 50,000 of them, whose seconds the ratio `stepwise` is to. The codes are those of `projection`.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from fas_core import scores
from fas_core.bench import own_process
from fas_core.bench.projection import _codes, _forgetful, _run_of
from fas_core.latent import MOST_FITTED, mixture, passes, projection
from fas_core.latent.mixture import Mixture
from fas_core.runs import store

FITS, PASSES = 2 * len(mixture.COMPONENTS), 50  # of 5 million codes
TARGETS = {
    "minutes_of_5_million": ("at_most", 20.0),
    "bytes_a_code": ("at_most", 1024.0),
    "gigabytes_of_5_million": ("at_most", 4.0),
    "stepwise": ("at_most", 1.0),
    "stepwise_gain": ("at_least", 0.0),
}


def figures(
    n: int = 20_000, dimensions: int = 512, fitted: int = MOST_FITTED, exact: int = 50_000, batches: int = 150_000
) -> dict[str, float]:
    """`n` codes are gone over in the pass, and four times as many for its memory; the others are those that are
    fitted."""
    fit_seconds = _seconds(partial(mixture.fitted, _codes(fitted, dimensions), mixture.COMPONENTS[-1]))
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        for name, size in (("few", n), ("many", 4 * n)):
            _run_of(cache, name, _codes(size, dimensions))
        with own_process() as process:
            seconds, few = process.submit(_passed, cache, "few").result()
        with own_process() as process:
            _, many = process.submit(_passed, cache, "many").result()
        of_umap = _of_umap(cache, n, 4 * n)
    per_100_000 = seconds * 100_000 / n
    a_code = (many - few) / (3 * n)
    return {
        "fit_seconds": fit_seconds,
        "pass_seconds_per_100000": per_100_000,
        "minutes_of_5_million": (FITS * fit_seconds + PASSES * per_100_000) / 60,
        "peak_mb": many / 2**20,
        "bytes_a_code": a_code,
        "gigabytes_of_5_million": (many + max(0.0, a_code) * (5_000_000 - 4 * n)) / 2**30,
        **of_umap,
        **_of_steps(exact, batches, min(dimensions, 128)),
    }


def _passed(cache: Path, name: str) -> tuple[float, int]:
    """Seconds of a pass in which all mixtures and scores say something of every code, and the peak memory in bytes."""
    run = store.open_run(cache, name)
    spread = np.array(run.codes[:1024], np.float64).var(0)
    says = [
        mixture.placing(run, Mixture(np.full(k, 1 / k), np.array(run.codes[:k], np.float64), np.tile(spread, (k, 1))))
        for k in mixture.COMPONENTS
    ]
    says += [scores.says(run, of_codes) for of_codes in scores.of_codes(run)]
    seconds = _seconds(lambda: passes.said(run.codes, says))
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _of_umap(cache: Path, few: int, many: int) -> dict[str, float]:
    """Of Runs of so many codes; the first UMAP of a process compiles, and does not count."""
    projection.umap_of(store.open_run(cache, "few"))
    seconds = {}
    for name in ("few", "many"):
        run = _forgetful(store.open_run(cache, name))
        seconds[name] = _seconds(partial(projection.umap_of, run))
    of_a_code = (seconds["many"] - seconds["few"]) / (many - few)
    return {
        "umap_seconds": seconds["few"],
        "umap_minutes_of_5_million": (seconds["few"] + (5_000_000 - few) * of_a_code) / 60,
    }


def _of_steps(exact: int, batches: int, dimensions: int) -> dict[str, float]:
    """Of one pass in batches and of EM."""
    z, k = _codes(batches + batches // 10, dimensions), 64
    training, held_out = z[:batches], z[batches:]
    some = training[np.sort(np.random.default_rng(0).choice(batches, exact, replace=False))]
    likelihood, seconds = {}, {}
    for name, codes in (("exact", some), ("stepwise", training)):
        start = time.perf_counter()
        likelihood[name] = mixture.fitted(codes, k).log_likelihood(held_out).mean()
        seconds[name] = time.perf_counter() - start
    return {
        "stepwise": seconds["stepwise"] / seconds["exact"],
        "stepwise_gain": float(likelihood["stepwise"] - likelihood["exact"]),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
