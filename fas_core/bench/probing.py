"""What one image more takes here: probes of some seconds each, whatever the machine.

Each is done on more and more images until the time is up: a little batch is enough on a slow machine, and a fast one is
not judged by what it does in a moment. What counts is what more images take more, so that nothing which is done once is
multiplied; where they take hardly more, there is no figure.
"""

from __future__ import annotations

import io
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from fas_core import models
from fas_core.bench import kept_apart, own_process
from fas_core.bench.plan import (
    AGAIN,
    CACHE,
    CHECK,
    DERIVING,
    FEATURES,
    FITS,
    HASH,
    PASS,
    PCA,
    READ,
    SCAN,
    SCATTER,
    TRAIN,
    UMAP,
    Law,
)
from fas_core.data import hashes, images, manifest, twins
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.inference import infer
from fas_core.latent import MOST_FITTED, passes, projection
from fas_core.latent.mixture import COMPONENTS, Mixture
from fas_core.models import patches
from fas_core.progress import task
from fas_core.runs.store import SHARD_SIZE, Run, write_shard
from fas_core.training import checkpoint, train
from fas_core.training.experiments.base import Experiment

BOX = 4.0  # seconds
FILES, SIDE = 64, 128  # pictures that are named again and again, and the side of one
FIRST_BATCH = 8  # images of a step that is tried first
FIRST_ROWS, FIRST_FILES = 64_000, 256  # of a manifest (of which a twin is written), and of what is hashed
OF_WHOLE_DATA = "not measured: fas bench data --history FILE"
TELLING = 1.5  # times as long as a quarter of them must images take that tell what each takes
CODES, MOST_TOLD = 4_096, 65_536  # codes, and how many they are made by repeating


def probed(experiment: Experiment, box: float = BOX) -> list[Law]:
    """What is measured here, in `box` seconds each or once; in the order of the work."""
    dimensions = int(experiment.config.get("latent_dim", 0))
    laws = [Law(SCAN, "time", None, OF_WHOLE_DATA)]
    with kept_apart() as root:
        _write_pictures(root)
        probes: dict[str, Callable[[], Iterator[Law]]] = {
            CHECK: lambda: _of_decoding(root, box),
            READ: lambda: _of_reading(root, box),
            HASH: lambda: _of_hashing(root, box),
            TRAIN: lambda: _of_training(root, experiment, box),
            "fas cache": lambda: _of_caching(root, experiment, box),
            "derive": lambda: _of_deriving(dimensions, box),
        }
        with task("Measuring", len(probes)) as shown:
            for what, probe in probes.items():
                shown.call(f"Measuring: {what}")
                laws += probe()
                shown.advance()
    return [*laws, Law(SCATTER, "page", None, "not measured: fas bench scatter --history FILE")]


def _write_pictures(root: Path) -> None:
    """Noise from smooth to fine, as large as a face."""
    rng = np.random.default_rng(0)
    for number in range(FILES):
        coarse = Image.fromarray(rng.integers(0, 256, (4 + number, 4 + number), dtype=np.uint8))
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(root / f"{number}.png")


def _rows(root: Path, n: int, subset: str = "live") -> Manifest:
    """n images of these files."""
    rows = pd.DataFrame({"path": [f"{i % FILES}.png" for i in range(n)], "sample_id": [str(i) for i in range(n)]})
    return Manifest(manifest.normalised(rows.assign(label="live", subset=subset))[0], root / "m.csv")


class _Grown(NamedTuple):
    """What a probe came to: seconds of each, None where it was too small to tell, and of how many the largest was."""

    each: float | None
    n: int

    def law(self, what: str, source: str, *, cores: int = 1, by_cores: bool = True, most: int | None = None) -> Law:
        if self.each is None:
            source = f"not measured: {self.n:,} take hardly longer here than a quarter of them"
            return Law(what, "time", None, source, by_cores=by_cores, most=most)
        return Law(what, "time", self.each / cores, f"probe: {self.n:,} {source}", by_cores=by_cores, most=most)


def _grown(seconds_of: Callable[[int], float], n: int, most: int, box: float) -> _Grown:
    """What more images take more, of n, 4 n, ... of them: of two sizes at least, the shorter of two times of each that
    is short. No other beyond `box` seconds, four times that where the last one does not tell."""
    fewer, less = n, min(seconds_of(n), seconds_of(n))
    while True:
        n = 4 * fewer
        seconds = seconds_of(n)
        if seconds < box / 4:
            seconds = min(seconds, seconds_of(n))
        is_telling = seconds > TELLING * less
        to_come = seconds + 4 * max(0.0, seconds - less)
        if 4 * n > most or seconds + to_come > (box if is_telling else 4 * box):
            return _Grown((seconds - less) / (n - fewer) if is_telling else None, n)
        fewer, less = n, seconds


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _of_reading(root: Path, box: float) -> Iterator[Law]:
    """The manifest, checked and held, as if it had never been read."""
    held = 0.0

    def read(n: int) -> float:
        nonlocal held
        data = _rows(root, n)
        data.rows.to_csv(data.source, index=False)
        twins.drop()
        start = time.perf_counter()
        rows = manifest.read(data.source).rows
        seconds = time.perf_counter() - start
        held = float(rows.memory_usage(deep=True).sum()) / n
        return seconds

    yield _grown(read, FIRST_ROWS, 256_000, box).law(READ, "rows", by_cores=False)
    yield Law("the manifest", "memory", held, "probe: its table")


def _of_hashing(root: Path, box: float) -> Iterator[Law]:
    def hashed(n: int) -> float:
        data = _rows(root, n)
        seconds = _seconds(lambda: data.sha256)
        hashes.drop(root)
        return seconds

    yield _grown(hashed, FIRST_FILES, 256_000, box).law(
        HASH, f"files of {_size(root)}, in memory; larger ones and slower storage are not measured"
    )
    yield Law(AGAIN, "time", None, OF_WHOLE_DATA)


def _size(root: Path) -> str:
    return f"{sum(path.stat().st_size for path in root.glob('*.png')) / FILES / 1e3:.0f} kB each"


def _of_decoding(root: Path, box: float) -> Iterator[Law]:
    """As `fas data check` does, and what a GPU waits for: by one thread, whose work cores share."""
    paths = _rows(root, FILES).image_paths()

    def decoded(n: int) -> float:
        return _seconds(lambda: [images.load(paths[i % FILES], SIDE) for i in range(n)])

    cores = os.cpu_count() or 1
    grown = _grown(decoded, FILES, 100 * FILES, box / 4)
    source = f"files of {_size(root)}, {SIDE} pixels wide, decoded by one thread; larger ones take longer"
    yield grown.law(CHECK, source, cores=cores)


def _of_training(root: Path, experiment: Experiment, box: float) -> Iterator[Law]:
    """Of the preset, whose steps do not grow as the data do. A step of few images is tried before one of all, or of
    twice as many: by what those take more."""
    what = f"{TRAIN} {experiment.name}: {experiment.steps:,} steps of {experiment.batch_size}"
    tried = min(FIRST_BATCH, experiment.batch_size)
    data = _rows(root, 2 * experiment.batch_size + 20, "train")

    def per_step(batch_size: int) -> float:
        return train.pace(replace(experiment, filtered=False, batch_size=batch_size), data).seconds_per_step

    try:
        seconds = per_step(tried)
        if tried < (whole := experiment.batch_size):
            more = whole if seconds * whole / tried < box / 2 else min(whole, 2 * tried)
            longer = per_step(more)
            if more < whole and longer <= seconds:
                source = f"not measured: a step of {more} images takes no longer here than one of {tried}"
                yield Law(what, "time", None, source, by_cores=True)
                return
            seconds, tried = longer + (longer - seconds) / (more - tried) * (whole - more), more
    except BadInputError as error:
        yield Law(what, "time", None, f"not measured: {error}")
        return
    source = f"probe: some steps of {tried} images, thrown away"
    yield Law(what, "time", 0.0, source, experiment.steps * seconds, by_cores=True)


def _of_deriving(dimensions: int, box: float) -> Iterator[Law]:
    """What is fitted on a sample as if there were as many live training images, and what all codes are told."""
    yield Law(FITS, "time", None, "not measured: fas bench derive --history FILE")
    if not dimensions:
        for what in (PASS, PCA):
            yield Law(what, "time", None, "not measured: the preset does not say how long codes are")
    else:
        codes = np.random.default_rng(0).normal(size=(CODES, dimensions)).astype(np.float32)
        ones = np.ones((CODES, dimensions))
        all_mixtures = [Mixture(np.full(k, 1 / k), codes[:k].astype(float), ones[:k]) for k in COMPONENTS]
        many = np.broadcast_to(codes, (MOST_TOLD // CODES, *codes.shape)).reshape(-1, dimensions)

        def told(n: int) -> float:
            return _seconds(lambda: [mixture.placed(many[:n]) for mixture in all_mixtures])

        source = f"codes of {dimensions}, {len(COMPONENTS)} mixtures; scores of codes come to it"
        yield _grown(told, passes.ROWS, MOST_TOLD, box).law(PASS, source)
        grown = _grown(lambda n: _seconds(lambda: projection.fitted_pca(many[:n])), CODES, MOST_TOLD, box)
        yield grown.law(PCA, f"codes of {dimensions}; of {MOST_FITTED:,} at most", most=MOST_FITTED)
        sample = f"computed: the sample, float32 of {dimensions}"
        yield Law(DERIVING, "memory", 4.0 * dimensions, sample, most=MOST_FITTED)
    yield Law(UMAP, "time", None, "not measured: fas bench projection --history FILE; --derive quick leaves it out")


# -------------------------------------------------------------------------------------------------------- fas cache


class _Cached(NamedTuple):
    grown: _Grown
    precision: str
    peak: float  # bytes of the process
    disk: list[Law]


def _of_caching(root: Path, experiment: Experiment, box: float) -> Iterator[Law]:
    """Seconds of `fas cache`, bytes of the Run, memory of the process."""
    path = root / "untrained.safetensors"
    torch.manual_seed(0)
    checkpoint.save(path, models.built(experiment.model, experiment.config), experiment.model, {})
    with own_process() as process:
        probe = process.submit(_cached, path, root, box).result()
    rate = f"{1 / probe.grown.each:,.1f} images/s" if probe.grown.each else ""
    yield probe.grown.law(CACHE, f"images, {rate}, {probe.precision}")
    yield from probe.disk
    yield Law("the checkpoint", "disk", 0.0, "its file", float(path.stat().st_size))
    yield Law("fas cache, beside the manifest", "memory", 0.0, "the process of the probe, its peak", probe.peak)


def _cached(path: Path, root: Path, box: float) -> _Cached:
    """In a process of its own, so that its memory is that of `fas cache`."""

    def cached(n: int, precision: str = "auto") -> Run:
        with redirect_stderr(io.StringIO()):  # progress of a moment
            place = Path(tempfile.mkdtemp(dir=root))
            return infer.write_runs([path], _rows(root, n), place, precision=precision)[0]

    first = cached(FIRST_BATCH)  # settles the precision
    grown = _grown(lambda n: _seconds(lambda: cached(n, first.info.precision)), FIRST_BATCH + 1, 65_536, box)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    loaded = infer.loaded(path)
    return _Cached(grown, first.info.precision, peak, [*_sizes(first, root), _features(loaded)])


def _sizes(run: Run, root: Path) -> Iterator[Law]:
    """Bytes of a shard that is full: arrays and table of a Run's first images, again and again."""
    rows = np.arange(SHARD_SIZE) % len(run)
    samples = run.samples().iloc[rows].reset_index(drop=True)
    rng = np.random.default_rng(0)
    for name in samples.select_dtypes("floating"):
        samples[name] = rng.random(SHARD_SIZE).astype(samples[name].dtype)  # as different as scores of images are
    arrays = {name: array[rows] for name, array in _arrays(run).items()}
    shard = root / "full" / "live" / "shard-00000"
    write_shard(shard, samples.assign(sample_id=[f"images/{i:07d}.png" for i in range(SHARD_SIZE)]), **arrays)
    table = sum(file.stat().st_size for file in shard.iterdir() if file.suffix != ".npy")
    for name in arrays:
        yield Law(name, "disk", (shard / f"{name}.npy").stat().st_size / SHARD_SIZE, "a shard that was written")
    source = f"a shard that was written, of {len(samples.columns)} columns; names of people and sessions come to it"
    yield Law("table", "disk", table / SHARD_SIZE, source)


def _arrays(run: Run) -> dict[str, NDArray[Any]]:
    kept = {name: run.images(name, list(range(len(run)))) for name in ("inputs", "reconstructions") if run.has(name)}
    return kept | ({"latents": run.latents()} if run.has("latents") else {})


def _features(loaded: infer.Loaded) -> Law:
    if not loaded.model.has_features:
        return Law(FEATURES, "disk", None, "not measured: the model has none")
    return Law(FEATURES, "disk", patches.GRID**2 * patches.DIMENSIONS * 2.0, "computed, float16")
