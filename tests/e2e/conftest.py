"""A real server on a cache of Runs, and a browser that fails on anything a user should not see."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from fas_core.bench import drag
from fas_core.data import manifest, subsets
from fas_core.data.synthetic import data_set
from fas_core.inference import infer
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from fas_core.training import experiments, train
from tests.conftest import BROWSER_FLAGS, SHARED

expect.set_options(timeout=20_000)  # milliseconds: on a busy machine a page answers late, not wrongly
WIDE: ViewportSize = {"width": 1440, "height": 1000}
SMALL = ["batches_per_epoch=12", "epochs=1", "batch_size=8"]


def made_run(data: Path, name: str, cache: Path, *settings: str) -> store.Run:
    source = manifest.read(data)
    checkpoint = cache / "checkpoints" / f"{name}.safetensors"
    train.train(experiments.preset("small_dcvae").with_settings([*SMALL, *settings]), source, checkpoint, device="cpu")
    return infer.write_runs([checkpoint], source, cache, device="cpu", precision="fp32")[0]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Runs "demo" and "demo2" of rendered faces, "real" of real ones, the scores-only "system" and "other".

    Made by the first process of the test run that needs it, and copied by the others: tests write into theirs.
    """
    base = tmp_path_factory.getbasetemp()
    if worker_id == "master":
        return made_cache(base / "e2e")
    shared, flag = (base.parent / name for name in ("e2e", "e2e.made"))  # one folder up all processes are at home
    with flag.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not flag.stat().st_size:
            made_cache(shared)
            flag.write_text("made")
    return Path(shutil.copytree(shared, base / "e2e"))


def made_cache(folder: Path) -> Path:
    from fas_core.data import layouts
    from fas_core.data.attacks.writing import write_attacked_data_set
    from fas_core.runs import scorefile

    data = data_set.render_data_set(folder / "data", subjects=6, share=0.1)
    for name, seed in (("demo2", "seed=1"), ("demo", "seed=0")):
        made_run(data, name, folder, seed)
    if SHARED.is_dir():
        rows = layouts.scanned(SHARED / "data" / "orl_faces", "csv").rows
        few = rows[rows["subject_id"].isin(sorted(rows["subject_id"].unique())[:12])].reset_index(drop=True)
        live = manifest.Manifest(manifest.normalised(few)[0], folder / "orl.csv")
        attacked = write_attacked_data_set(live, folder / "orl", ["paper", "replay", "mask"])
        protocol = subsets.protocol(manifest.read(attacked))
        made_run(manifest.write(protocol.rows, attacked), "real", folder)
        for name, published in (("other", "quality_rbf"), ("system", "auxiliary")):
            file = scorefile.read(SHARED / "data" / "pad_scores" / f"{published}_grandtest.csv")
            scores_only_run(folder, name, file.rows, ["score"], file.source.name)
    return folder


@pytest.fixture(scope="session")
def server(cache: Path) -> Iterator[str]:
    """Base address of `fas app` on that cache."""
    with drag.served_app(cache) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, drag.BROWSERS)), None)
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine: the browser tests must run in CI")
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=[*drag.FLAGS, *BROWSER_FLAGS])
        yield opened
        opened.close()


@dataclass
class Tab:
    """A browser tab on the app that remembers everything that went wrong in it."""

    page: Page
    address: str
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/{path}")
        self.settle()

    def settle(self) -> None:
        """Waits until the script has run, nothing is stale, and that has been true for a while."""
        quiet = """() => {
            const app = document.querySelector('[data-testid=stApp]');
            const done = app && app.dataset.testScriptState === 'notRunning'
                && app.dataset.testConnectionState === 'CONNECTED'
                && !document.querySelector('[data-stale=true], [data-testid=stSkeleton]');
            const now = performance.now();
            window.__quietSince = done ? (window.__quietSince ?? now) : null;
            return done && now - window.__quietSince > 400;
        }"""
        self.page.evaluate("() => { window.__quietSince = null }")
        self.page.wait_for_function(quiet, timeout=60_000, polling=50)

    def expect_query(self, **wanted: str) -> None:
        """Waits until the address asks for this: the server, which writes it, may be busy."""

        def asked() -> dict[str, str]:
            return {name: values[0] for name, values in parse_qs(urlparse(self.page.url).query).items()}

        end = time.monotonic() + 20
        while wanted.items() - asked().items() and time.monotonic() < end:
            self.page.wait_for_timeout(50)
        assert asked() | wanted == asked()

    def check(self) -> None:
        """Fails on an exception box, a console or page error, a failed or foreign request."""
        boxes = self.page.locator("[data-testid=stException]").all_inner_texts()
        assert not boxes, boxes
        assert not self.wrong, self.wrong


def ids_of_cards(tab: Tab) -> list[str]:
    """The samples of a gallery, in the order in which they are shown."""
    return [str(card.get_attribute("data-id")) for card in tab.page.locator("button.card").all()]


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Shared, for the scripts that it has compiled; sessions are the tabs' own."""
    with person(browser) as opened:
        yield opened


@pytest.fixture(scope="session")
def elsewhere(browser: Browser) -> Iterator[BrowserContext]:
    """As another browser has it: nothing of what is done in `context` is known in it."""
    with person(browser) as opened:
        yield opened


@contextmanager
def person(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of their own. Animations would be painted picture by picture, and no test looks at one."""
    opened = browser.new_context(viewport=WIDE, reduced_motion="reduce")
    yield opened
    opened.close()


@contextmanager
def watched(context: BrowserContext, server: str) -> Iterator[Tab]:
    if not context.pages:  # a first one stays, and with it the process that has compiled the scripts
        context.new_page().goto(f"{server}/_stcore/health")
    page = context.new_page()
    opened = Tab(page, server)

    def note_console(message: object) -> None:
        # A failed load is judged below by its address: deep links probe two paths that are not there.
        if message.type == "error" and "Failed to load resource" not in message.text:  # type: ignore[attr-defined]
            opened.wrong.append(f"console: {message.text}")  # type: ignore[attr-defined]

    page.on("console", note_console)
    page.on("pageerror", lambda error: opened.wrong.append(f"page error: {error}"))
    page.on(
        "response",
        lambda r: opened.wrong.append(f"{r.status}: {r.url}") if r.status >= 400 and "/_stcore/" not in r.url else None,
    )
    page.on(
        "request",
        lambda r: (
            None
            if r.url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:"))
            else opened.wrong.append(f"foreign request: {r.url}")
        ),
    )
    yield opened
    page.close()


@pytest.fixture
def tab(context: BrowserContext, server: str) -> Iterator[Tab]:
    with watched(context, server) as opened:
        yield opened
