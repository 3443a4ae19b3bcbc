"""Many people on one server: ten turning pages of 60 triplets at once, thirty who browse, one who opens a large Run.

Most are websockets that receive all that a browser would, from a process of their own, and draw nothing: the server is
measured, whose targets are absolute. The Run is derived, as `fas cache` leaves it. The large one is that of the folder
FAS_CACHE, where it holds a synthetic one of that size; else it is made, and not derived. Ten browser contexts on the
same machine, in software rendering, turn pages too: their errors and what the server's memory grows by from a quarter
of the turns to the end have targets, and how long they take is reported.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fas_core import derive, memo
from fas_core.bench import gallery, synthetic
from fas_core.bench.drag import HAS_RUN, opened_browser, query_of, served_app, server_megabytes
from fas_core.runs import store
from fas_core.runs.store import Run

SESSIONS, TURNS = 10, 200
BROWSING, SECONDS = 30, 90.0
LARGE = 5_000_000  # samples of the Run that somebody opens while another one turns pages
TARGETS = {
    "errors": ("at_most", 0.0),
    "growth_percent": ("at_most", 5.0),
    "turn_milliseconds": ("at_most", 800.0),
    "browsing_p95_seconds": ("at_most", 3.0),
    "beside_large_seconds": ("at_most", 1.0),
    "megabytes_per_session": ("at_most", 15.0),
}
_START = f"() => {{ window.fasTurn = ({gallery.TURN})(); window.fasTurn.catch(() => null); }}"


def figures(
    n: int = gallery.IMAGES,
    side: int = gallery.SIDE,
    per_page: int = gallery.PER_PAGE,
    sessions: int = SESSIONS,
    turns: int = TURNS,
    browsing: int = BROWSING,
    seconds: float = SECONDS,
    large: int = LARGE,
) -> dict[str, float]:
    """`turns` of all `sessions` together, in browsers and without; memory in MB.

    `errors`: exceptions on pages, page and console errors, answers of 400 and more, turns that did not happen.
    `beside_large_seconds`: the longest turn of one person while another opens the Run of `large` samples.
    `megabytes_per_session`: what `browsing` people left on more than one, of each. What the system does not tell of
    memory is NaN, which meets no target. Raises BadInputError where playwright or a browser is missing.
    """
    rounds = max(2, turns // sessions)
    with opened_browser() as browser, tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        run = gallery.write_run(cache, n, side)
        derive.compute_quick(run)
        query = query_of(run, per_page=per_page)
        with served_app(cache) as address:
            by_name = _of_visitors(address, cache, query, (sessions, rounds), (browsing, seconds))
            in_browsers = _in_browsers(address, cache, query, browser, (sessions, rounds))
    with tempfile.TemporaryDirectory() as folder:
        large_query = query_of(_large_run(Path(folder), large))
        query = query_of(gallery.write_run(Path(folder), n, side), per_page=per_page)
        with served_app(Path(folder)) as address:
            told = visited(address, "--query", query, "--large", large_query)
    errors = by_name.pop("errors") + in_browsers.pop("errors") + len(told["errors"])
    beside = {"large_samples": float(large), "beside_large_seconds": max(told["seconds"])}
    return {"errors": float(errors)} | by_name | in_browsers | beside


def _large_run(cache: Path, n: int) -> Run:
    """A synthetic Run of n samples in a new cache folder: the one at hand with all that is derived, or a new one."""
    there = synthetic.at_hand(n)
    if there is None:
        return synthetic.write_run(cache, n, shard_size=synthetic.LARGE_SHARD)
    shutil.copytree(there.folder, store.runs_folder(cache) / there.id, copy_function=_linked)
    if memo.folder(there.cache).is_dir():
        shutil.copytree(memo.folder(there.cache), memo.folder(cache))
    return store.open_run(cache, there.id)


def _linked(source: str, place: str) -> None:
    try:
        os.link(source, place)
    except OSError:  # on another disk
        shutil.copy2(source, place)


def visited(address: str, *options: str) -> dict[str, list[Any]]:
    """What `python -m app.visitors` tells of an app."""
    command = [sys.executable, "-P", "-W", "ignore", "-m", "app.visitors", address, *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, list[Any]] = json.loads(done.stdout)
    return told


def _of_visitors(
    address: str, cache: Path, query: str, turning: tuple[int, int], browsing: tuple[int, float]
) -> dict[str, float]:
    """`turning`: how many people, how often; `browsing`: how many, for how long."""
    (sessions, rounds), (people, seconds) = turning, browsing
    turned = visited(address, "--query", query, "--people", str(sessions), "--turns", str(rounds))
    visited(address, "--people", "1", "--browse", str(seconds))  # what is computed once, for all
    before = server_megabytes(cache)
    browsed = visited(address, "--people", str(people), "--browse", str(seconds))
    after = server_megabytes(cache)
    return {
        "turn_milliseconds": 1000 * statistics.median(turned["seconds"]),
        "turn_p95_milliseconds": 1000 * float(np.percentile(turned["seconds"], 95)),
        "browsing_pages": float(len(browsed["seconds"])),
        "browsing_median_seconds": statistics.median(browsed["seconds"]),
        "browsing_p95_seconds": float(np.percentile(browsed["seconds"], 95)),
        "megabytes_per_session": (after - before) / max(1, people - 1),
        "errors": float(len(turned["errors"]) + len(browsed["errors"])),
    }


def _in_browsers(address: str, cache: Path, query: str, browser: Any, turning: tuple[int, int]) -> dict[str, float]:
    errors: list[str] = []
    sessions, rounds = turning
    pages = [_opened(browser, f"{address}/gallery?{query}", errors) for _ in range(sessions)]
    milliseconds, memory = [], []
    for _ in range(rounds):
        milliseconds += _turned(pages, errors)
        memory.append(server_megabytes(cache))
    for page in pages:
        errors += page.locator("[data-testid=stException]").all_inner_texts()
        page.context.close()
    settled, last = memory[max(0, rounds // 4 - 1)], memory[-1]
    return {
        "errors": float(len(errors)),
        "turns": float(len(milliseconds)),
        "browser_turn_milliseconds": statistics.median(milliseconds),
        "settled_megabytes": settled,
        "last_megabytes": last,
        "growth_percent": 100 * (last - settled) / settled,
    }


def _opened(browser: Any, url: str, errors: list[str]) -> Any:
    """A page in a context of its own, as another person has it."""
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if _is_error(said) else None)
    page.on("response", lambda r: errors.append(r.url) if r.status >= 400 and "/_stcore/" not in r.url else None)
    page.goto(url)
    page.get_by_role("button", name="Next page").wait_for(timeout=120_000)
    page.wait_for_function(HAS_RUN, timeout=120_000)
    return page


def _is_error(said: Any) -> bool:
    """Failed loads are judged by their address: the first page of a link probes two that are not there."""
    return bool(said.type == "error" and "Failed to load resource" not in said.text)


def _turned(pages: list[Any], errors: list[str]) -> list[float]:
    """All pages are turned at once; the milliseconds of those that were."""
    from playwright.sync_api import Error  # no dependency here; whoever has pages has it

    for page in pages:
        page.evaluate(_START)
    milliseconds = []
    for page in pages:
        try:
            milliseconds.append(float(page.evaluate("() => window.fasTurn")["milliseconds"]))
            page.wait_for_function(HAS_RUN)
        except Error as error:
            errors.append(str(error))
    return milliseconds
