"""Dragging the threshold over 5 million scores, 20 species and 20 subsets: milliseconds per event in headless Chromium.

The target is absolute: a screen shows a picture every 16 milliseconds. Script and drawing are measured inside the page,
around the handler of one pointer event and the reading of one pixel of every canvas, which waits for all drawing; how
long it takes until the frame after it is reported beside it. Software rendering, as on a machine without a GPU.
"""

from __future__ import annotations

import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fas_core.errors import BadInputError
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run

SCORES, KINDS, EVENTS = 5_000_000, 20, 200
TARGETS = {"event_milliseconds": ("at_most", 16.0)}
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the lightest one first
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing but the app can be reached
)

# Presses the slider where its threshold is, moves it to and fro in small steps, and releases nothing: the server must
# not run in between. The frame that follows an event has begun when the second callback runs.
_DRAG = """async (events) => {
    const roots = [...document.querySelectorAll('*')].map((element) => element.shadowRoot);
    const root = roots.find((one) => one?.querySelector('.threshold'));
    const slider = root.querySelector('[role=slider]');
    const canvases = [...root.querySelectorAll('canvas.over')].map((canvas) => canvas.getContext('2d'));
    const answer = root.querySelector('.answer');
    const box = slider.getBoundingClientRect();
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const found = { event: [], frame: [], answers: 0 };
    let before = answer.textContent;
    for (let i = 0; i < events; i++) {
        const x = box.left + box.width * (0.5 + 0.45 * Math.sin(i / 9));
        const event = new PointerEvent('pointermove', { clientX: x, clientY: box.top + 12, pointerId: 1 });
        const start = performance.now();
        slider.dispatchEvent(event);
        void root.querySelector('.threshold').offsetHeight;
        for (const canvas of canvases) canvas.getImageData(0, 0, 1, 1);
        found.event.push(performance.now() - start);
        await frame();
        found.frame.push(performance.now() - start);
        found.answers += answer.textContent !== before;
        before = answer.textContent;
    }
    return found;
}"""


def figures(n: int = SCORES, kinds: int = KINDS, events: int = EVENTS) -> dict[str, float]:
    """Medians and 95th percentiles; `answers`: the share of events after which the page's sentence was another one.

    Raises BadInputError where playwright or a browser is missing.
    """
    with opened_browser() as browser, tempfile.TemporaryDirectory() as folder:
        run = _write_run(Path(folder), n, kinds)
        with served_app(Path(folder)) as address:
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            page.goto(f"{address}/threshold?{query_of(run)}")
            slider = page.get_by_role("slider")
            slider.wait_for(timeout=120_000)
            rested(page)
            at = slider.bounding_box()
            page.mouse.move(at["x"] + at["width"] / 2, at["y"] + 12)
            page.mouse.down()
            dragged: dict[str, Any] = page.evaluate(_DRAG, events)
    by_name = {"answers": dragged["answers"] / events}
    for name in ("event", "frame"):
        middle, high = np.percentile(dragged[name], [50, 95]).tolist()
        by_name |= {f"{name}_milliseconds": middle, f"{name}_p95_milliseconds": high}
    return by_name


def _write_run(cache: Path, n: int, kinds: int) -> store.Run:
    """As many subsets as species: each has one beside its live samples, as the protocol has it. 300 subjects."""
    rng = np.random.default_rng(0)
    kind, is_attack = rng.integers(0, kinds, n), rng.random(n) < 0.5
    rows = pd.DataFrame(
        {
            "sample_id": [f"{i:07d}" for i in range(n)],
            "label": np.where(is_attack, "attack", "bona_fide"),
            "pai_species": np.where(is_attack, np.array([f"species_{k:02d}" for k in range(kinds)])[kind], ""),
            "subset": np.array([f"subset_{k:02d}" for k in range(kinds)])[kind],
            "subject_id": [f"s{k}" for k in rng.integers(0, 300, n)],
            "score": rng.normal(is_attack * (0.5 + kind / kinds), 1),
        }
    )
    scores_only_run(cache, "drag", rows, ["score"], "")
    return store.open_run(cache, "drag")


def query_of(run: store.Run, **others: object) -> str:
    """What stands after the question mark in the address of a page that shows a Run."""
    return urllib.parse.urlencode({"run": f"{run.info.name} ({run.id[:6]})", **others})


HAS_RUN = "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"


@contextmanager
def opened_browser() -> Iterator[Any]:
    """Playwright's Browser on the system's Chromium; raises BadInputError where one of the two is not installed."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise BadInputError(
            "Measuring a page needs playwright, which is not installed: pip install 'fas-explorer[test]'."
        ) from error
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        raise BadInputError("Measuring a page needs Chromium, which is not on this machine: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served_app(cache: Path, port: int | None = None) -> Iterator[str]:
    """The address of the app on a cache folder, in a process of its own; on a free port where none is named."""
    port = port or free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-P", "-m", "fas_core.cli", "app", "--cache", str(cache), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    try:
        for _ in range(1200):
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                    break
            except OSError:
                time.sleep(0.1)
        else:
            raise BadInputError("The app has not started within two minutes: run `fas app` to see why.")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # it waits for a page's script, on a busy machine for long
            process.kill()
            process.wait()


def rested(page: Any) -> None:
    """Waits until the server has run the page, and the browser has had a second for it."""
    page.wait_for_function(HAS_RUN, timeout=300_000)
    page.wait_for_timeout(1000)


def server_megabytes(cache: Path) -> float:
    """Megabytes that the server on this cache folder holds, and no other process: where /proc tells, else NaN."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            of_this = f"FAS_CACHE={cache}\0".encode() in (status.parent / "environ").read_bytes()
            if of_this and b"app.serve" in (status.parent / "cmdline").read_bytes():
                return float(status.read_text().split("VmRSS:")[1].split()[0]) / 1024
        except (OSError, IndexError):
            continue
    return math.nan
