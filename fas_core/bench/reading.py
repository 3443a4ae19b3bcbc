"""Opening a Run of 300,000 images in a fresh process: seconds, memory, and 60 reconstructions from anywhere in it.

The targets are absolute: a page must feel instant, whatever it is compared with. So measure on a machine that is idle.
All shards of one size are one shard that stands in many folders (hard links): opening and reading do the same work, and
the disk is spared. Memory is the most that was resident beyond what the imports take, as Linux tells.

`encrypted_times`: how many times as much of the processor images from anywhere take where a Run is encrypted, beside
one that is not, in turn in one process: each in a shard of its own, as they are in a large Run. A page asks for such.
`encrypted_near_times`: images side by side in one shard, `encrypted_codes_times`: all codes; both without a target.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.access import secret
from fas_core.runs import encrypting, store

IMAGES, SHOWN, ROUNDS = 300_000, 60, 3
ENCRYPTED, ENCRYPTED_SHARD, TURNS = 3_840, 64, 60  # images, in a shard, and readings of each Run
TARGETS = {
    "open_seconds": ("at_most", 0.3),
    "open_megabytes": ("at_most", 50.0),
    "images_milliseconds": ("at_most", 20.0),
    "encrypted_times": ("at_most", 1.3),
}
QUICK = {"n": 1_920, "rounds": 1}


def figures(
    n: int = IMAGES, shard_size: int = store.SHARD_SIZE, size: int = 128, latent: int = 128, rounds: int = ROUNDS
) -> dict[str, float]:
    """Medians over fresh processes. `columns`: label, subset and one loss of every image, as a chart needs them."""
    with tempfile.TemporaryDirectory() as folder:
        _write_run(Path(folder), n, shard_size, size, latent)
        measured = []
        for _ in range(rounds):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                measured.append(process.submit(_measured, Path(folder)).result())
    figures = {name: statistics.median(of_process[name] for of_process in measured) for name in measured[0]}
    return figures | _encrypted_times(min(n, ENCRYPTED), min(shard_size, ENCRYPTED_SHARD), size, latent)


def _encrypted_times(n: int, shard_size: int, size: int, latent: int) -> dict[str, float]:
    """How many times as much of the processor reading an encrypted Run takes as one in the clear; the least of each."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get(secret.DATA_KEY)
        os.environ[secret.DATA_KEY] = os.urandom(32).hex()
        try:
            of_kind = [_write_run(Path(folder) / kind, n, shard_size, size, latent, linked=False) for kind in "ab"]
            plain, other = store.opened(of_kind[0]), encrypting.encrypt(store.opened(of_kind[1]))
            near = np.arange(min(SHOWN, shard_size))
            apart = np.linspace(0, n - 1, min(SHOWN, n)).astype(np.int64)
            return {
                "encrypted_times": _times(lambda run: run.images("reconstructions", apart), plain, other),
                "encrypted_near_times": _times(lambda run: run.images("reconstructions", near), plain, other),
                "encrypted_codes_times": _times(lambda run: run.latents().copy(), plain, other),
            }
        finally:
            os.environ.pop(secret.DATA_KEY)
            if before is not None:
                os.environ[secret.DATA_KEY] = before


def _times(read: Callable[[store.Run], object], plain: store.Run, other: store.Run) -> float:
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(2 * TURNS):
        start = time.process_time()
        read(other if turn % 2 else plain)
        seconds[bool(turn % 2)].append(time.process_time() - start)
    return min(seconds[True]) / min(seconds[False])


def _write_run(cache: Path, n: int, shard_size: int, size: int, latent: int, *, linked: bool = True) -> Path:
    """`linked`: all shards of one size are one, in many folders. Returns the Run's folder."""
    info = store.RunInfo(
        run=store.run_id("reading"),
        name="reading",
        kind="images",
        subsets={"train": n},
        scores=["rec"],
        shard_size=shard_size,
    )
    folder = store.create(cache, info)
    rng = np.random.default_rng(0)
    first: dict[int, Path] = {}  # by number of images
    for i, name in enumerate(info.shard_names("train")):
        count = min(shard_size, n - i * shard_size)
        shard = folder / "train" / name
        if linked and count in first:
            shard.mkdir()
            for path in first[count].iterdir():
                (shard / path.name).hardlink_to(path)
            continue
        first[count] = shard
        samples = pd.DataFrame({"sample_id": [f"images/{k:06d}.png" for k in range(count)]})
        samples = samples.assign(label="bona_fide", pai_species="", subset="train", rec=rng.random(count, np.float32))
        store.write_shard(
            shard,
            samples.assign(subject_id=[f"s{k % 1000}" for k in range(count)], lamp="day", frame=np.arange(count) / 1.0),
            samples.iloc[:0].assign(reason=pd.Series([], dtype="str")),
            latents=rng.random((count, latent), np.float32),
            **{kind: rng.integers(0, 256, (count, size, size), np.uint8) for kind in ("reconstructions", "inputs")},
        )
    return folder


def _measured(cache: Path) -> dict[str, float]:
    before = _resident("VmRSS")
    start = time.perf_counter()
    run = store.open_run(cache, "reading")
    opened = time.perf_counter()
    megabytes = _resident("VmHWM") - before
    rows = np.random.default_rng(1).choice(len(run), min(SHOWN, len(run)), replace=False)
    start_images = time.perf_counter()
    run.images("reconstructions", rows)
    images = time.perf_counter()
    run.samples(["label", "subset", "rec"])
    columns = time.perf_counter()
    assert "torch" not in sys.modules
    return {
        "open_seconds": opened - start,
        "open_megabytes": max(0.0, megabytes),
        "images_milliseconds": 1e3 * (images - start_images),
        "columns_milliseconds": 1e3 * (columns - images),
        "all_megabytes": _resident("VmHWM") - before,
    }


def _resident(what: str) -> float:
    """MB resident now (VmRSS) or at most so far (VmHWM)."""
    matched = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert matched
    return int(matched[1]) * 1024 / 1e6
