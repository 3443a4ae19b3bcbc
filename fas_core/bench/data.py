"""A folder of small faces made a manifest, checked, hashed and read: seconds for a million rows, and memory, twice.

A fifth as many files as rows, each with five names (hard links): JPEGs of 112 x 112, of a million rows 0.8 GB on the
disk, which are written first: two minutes in all. Each step is done in a process of its own, imports not counted, the
first time with nothing kept, then again. The targets are absolute, as people wait for them: measure on a machine that
is idle. Seconds are those of the rows that are measured, and of nothing else: a million, and ten thousand with --quick.
Memory is what is resident at most beyond what the imports take, of the step that takes most, in megabytes of a million
rows more: what a tenth of the rows takes is left out, and the rest scaled by ten ninths (of ten thousand rows, which
tell little of it, by a hundred). What other processes take (those that decode, and those that look files up) is not in
it; it does not grow.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from fas_core.bench import kept_apart
from fas_core.bench.reading import _resident
from fas_core.data import check, folders, hashes, manifest
from fas_core.errors import BadInputError

MILLION, NAMES, PER_FOLDER = 1_000_000, 5, 50
STEPS = ("scan", "check", "hash", "read")
TARGETS = {
    "first_seconds": ("at_most", 60.0),
    "again_seconds": ("at_most", 5.0),
    "again_times": ("at_most", 0.5),
    "million_megabytes": ("at_most", 500.0),
}
QUICK = {"rows": 10_000}


def figures(rows: int = MILLION) -> dict[str, float]:
    """Seconds of each step and of all, the first time and again; `again_times`: again over first; megabytes."""
    (few,) = _measured(rows // 10, 1)
    first_of_all, again = _measured(rows, 2)
    told: dict[str, float] = {}
    for name, of_steps in (("first", first_of_all), ("again", again)):
        told |= {f"{step}_{name}_seconds": seconds for step, (seconds, _) in of_steps.items()}
        told[f"{name}_seconds"] = sum(seconds for seconds, _ in of_steps.values())
    more = max(first_of_all[step][1] - few[step][1] for step in STEPS)
    told["again_times"] = told["again_seconds"] / told["first_seconds"]
    return told | {"million_megabytes": max(0.0, more) * MILLION / (rows - rows // 10)}


def _measured(rows: int, rounds: int) -> list[dict[str, tuple[float, float]]]:
    """Seconds and megabytes of each step, the first time and again, so many times."""
    with kept_apart() as folder:
        _write_faces(folder / "faces", rows)
        time.sleep(1.1 * hashes.SETTLED)
        return [{step: _in_own_process(step, folder) for step in STEPS} for _ in range(rounds)]


def _write_faces(folder: Path, rows: int) -> None:
    """live/<subject>/<session>/ and spoof/paper/...: every file is in each of its subject's sessions."""
    for number in range(rows // NAMES):
        small = np.random.default_rng(number).integers(0, 256, (7, 7), dtype=np.uint8)
        person = folder / ("spoof/paper" if number % 2 else "live") / f"s{number // (2 * PER_FOLDER):05d}"
        places = [person / f"t{session}" / f"{number:07d}.jpg" for session in range(NAMES)]
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small).resize((112, 112), Image.Resampling.BICUBIC).save(places[0])
        for place in places[1:]:
            place.hardlink_to(places[0])


def _in_own_process(step: str, folder: Path) -> tuple[float, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_done, step, folder).result()


def _done(step: str, folder: Path) -> tuple[float, float]:
    table, before = folder / "m.csv", _resident("VmRSS")
    start = time.perf_counter()
    if step == "scan":
        folders.write_manifest(folder / "faces", table)
    elif step == "check":
        if problems := check.checked(table).problems:
            raise BadInputError(f"{table}: {problems[0].problem}")
    else:
        data = manifest.read(table)
        start = time.perf_counter() if step == "hash" else start
        _ = data.sha256 if step == "hash" else ""
    return time.perf_counter() - start, max(0.0, _resident("VmHWM") - before)
