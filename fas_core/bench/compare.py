"""Opening the page Compare on six Runs of 50,000 samples each, and of a million: seconds in headless Chromium.

Nothing is kept from before. The targets are absolute: what a person may be asked to wait. So measure on a machine that
is idle. The page is open when the answer stands there and all three charts of its first part are drawn; intervals
follow.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fas_core.bench.drag import opened_browser, rested, served_app
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run

SAMPLES, RUNS, ROUNDS = 50_000, 6, 3
MILLION = 1_000_000
TARGETS = {
    "open_seconds": ("at_most", 1.5),
    "intervals_seconds": ("at_most", 5.0),
    "million_open_seconds": ("at_most", 8.0),
}


# Every chart of the first part has a picture.
_DRAWN = """() => {
    const charts = [...document.querySelectorAll('.stEChartsChart canvas')];
    const hasPicture = (one) => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some((v) => v);
    return charts.length === 3 && charts.every(hasPicture);
}"""


def figures(n: int = SAMPLES, runs: int = RUNS, rounds: int = ROUNDS, many: int = MILLION) -> dict[str, float]:
    """Medians of the seconds until the sentence that answers, until the curves stand, and until intervals are there.

    Every round is a server of its own; of `many` samples, which `million_` begins, there is one. Raises
    BadInputError where playwright or a browser is missing.
    """
    with opened_browser() as browser:
        timings = _measured(browser, n, runs, rounds)
        (once,) = _measured(browser, many, runs, 1)
    by_name = {name: statistics.median(timing[name] for timing in timings) for name in once}
    return by_name | {f"million_{name}": seconds for name, seconds in once.items()}


def _measured(browser: Any, n: int, runs: int, rounds: int) -> list[dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        labels = [f"{run.info.name} ({run.id[:6]})" for run in _write_runs(Path(folder), n, runs)]
        return [_opened(browser, Path(folder), labels) for _ in range(rounds)]


def _opened(browser: Any, cache: Path, labels: Sequence[str]) -> dict[str, float]:
    with served_app(cache) as address:
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        page = context.new_page()
        page.goto(f"{address}/?{urllib.parse.urlencode({'run': labels[0]})}")  # the app itself is loaded once
        page.get_by_role("heading", name="Overview").first.wait_for(timeout=120_000)
        rested(page)  # it computes intervals of its own
        query = [("run", labels[0]), *(("compare", label) for label in labels[1:])]
        start, seconds = time.perf_counter(), {}
        page.goto(f"{address}/compare?{urllib.parse.urlencode(query)}")
        page.get_by_text(re.compile(f"^{'ABCDEF'[len(labels) - 1]} \\(")).first.wait_for(timeout=120_000)
        seconds["answer_seconds"] = time.perf_counter() - start
        page.wait_for_function(_DRAWN, polling=50, timeout=120_000)
        seconds["open_seconds"] = time.perf_counter() - start
        page.get_by_text("In brackets: 95 %").first.wait_for(timeout=120_000)
        seconds["intervals_seconds"] = time.perf_counter() - start
        context.close()
    return seconds


def _write_runs(cache: Path, n: int, runs: int) -> list[store.Run]:
    """Checkpoints of one model, ever noisier, on the same samples in other orders: three species, 400 subjects."""
    rng = np.random.default_rng(0)
    kind = np.where(rng.random(n) < 0.4, "", rng.choice(["paper", "mask", "replay"], n))
    shared = rng.normal(kind != "", 1)
    table = pd.DataFrame(
        {
            "sample_id": [f"{i:06d}" for i in range(n)],
            "label": np.where(kind == "", "bona_fide", "attack"),
            "pai_species": kind,
            "subset": np.where(rng.random(n) < 0.3, "dev", "test"),
            "subject_id": [f"s{i}" for i in rng.integers(400, size=n)],
        }
    )
    written = []
    for number in range(runs):
        own = table.assign(score=shared + rng.normal(0, 0.4 + 0.1 * number, n)).iloc[rng.permutation(n)]
        written.append(scores_only_run(cache, f"run{number}", own.reset_index(drop=True), ["score"], ""))
    return written
