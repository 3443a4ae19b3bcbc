"""Opening every page on the demo: seconds until it is settled, the first time and again, and the words to be read.

`fas bench pages --samples 1000000`: on a synthetic Run of so many samples, with what `fas cache` derives at once; that
of the folder FAS_CACHE, where it holds one.

The targets are absolute: what takes longer is felt as waiting, and what is longer is not read. First: in a server
process of its own per page, in which nothing has been loaded or computed but what `fas app` does on starting; what
`fas demo` has derived is on the disk, the system has the files in memory, and the browser, which has had the app open,
has its scripts. Again: back from the Overview, in the same tab. Software rendering, as on a machine without a GPU.
`_server_`: until the server has sent all of the page, to somebody who draws nothing.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fas_core import demo
from fas_core.bench import Bound, synthetic
from fas_core.bench.drag import free_port, opened_browser, query_of, served_app
from fas_core.bench.sessions import visited
from fas_core.errors import BadInputError
from fas_core.runs import store

PROJECT = Path(__file__).resolve().parents[2]
KINDS = ("latent", "likelihood", "gallery")  # pages that between them draw with all that the browser fetches
FIRST, AGAIN = 2.0, 1.0  # seconds, of the demo and of a million samples
OF_MORE = 4.0  # seconds, first and again, of more samples than a million
FEW_WORDS = 250  # on Likelihood, the page with most to say

# Notes when the page was last at work: a message, a change of what it shows, a task that kept the browser busy.
_WATCH = """() => {
    window.fas = { last: 0, start: 0 };
    const touch = () => { window.fas.last = performance.now() };
    new MutationObserver(touch).observe(document, { subtree: true, childList: true, attributes: true });
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) {
            window.fas.last = Math.max(window.fas.last, task.startTime + task.duration);
        }
    }).observe({ type: 'longtask' });
}"""
# Half a second in which nothing happens: the script has run, no part is stale, no chart still being fetched.
_SETTLED = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    const busy = '[data-stale=true], [data-testid=stSkeleton], [data-testid=stSpinner]';
    const done = app?.dataset.testScriptState === 'notRunning' && app.dataset.testConnectionState === 'CONNECTED'
        && !document.querySelector(busy) && document.querySelector('[data-testid=stMain] h1, [data-testid=stMain] h2');
    if (!done) window.fas.last = performance.now();
    return done && performance.now() - window.fas.last > 500;
}"""
_SECONDS = "() => (window.fas.last - window.fas.start) / 1000"
# Streamlit listens to the browser's own Back; so another page is opened as by a link, wherever links stand.
_GO = """(address) => {
    window.fas.start = window.fas.last = performance.now();
    history.pushState({}, '', address);
    dispatchEvent(new PopStateEvent('popstate', { state: {} }));
}"""
# Headings, sentences, labels and buttons in the page itself; not what stands in charts, tables and menus that are shut.
_WORDS = """() => {
    const main = document.querySelector('[data-testid=stMain]');
    const drawn = [...main.querySelectorAll('svg text')].map((text) => text.textContent).join(' ');
    const count = (text) => (text.match(/[\\p{L}\\p{N}][^\\s]*/gu) ?? []).length;
    const icons = [...main.querySelectorAll('[data-testid=stIconMaterial]')].map((icon) => icon.textContent).join(' ');
    return Math.max(0, count(main.innerText) - count(drawn) - count(icons));
}"""


def names() -> list[str]:
    """Of all pages, as they stand in the address."""
    return sorted(path.stem for path in (PROJECT / "app" / "views").glob("[!_]*.py"))


def targets(samples: int = 0) -> dict[str, Bound]:
    """Of the demo, or of a Run of so many samples."""
    first, again = (OF_MORE, OF_MORE) if samples > 1_000_000 else (FIRST, AGAIN)
    seconds = {f"{by}first_seconds": first for by in ("", "server_")}
    seconds |= {f"{by}again_seconds": again for by in ("", "server_")}
    of_pages: dict[str, Bound] = {
        f"{page}_{figure}": ("at_most", most) for page in names() for figure, most in seconds.items()
    }
    return of_pages | {"likelihood_words": ("at_most", FEW_WORDS), "errors": ("at_most", 0)}


TARGETS = targets()


def demo_cache() -> Path:
    """The cache folder that FAS_CACHE names, or the project's; raises BadInputError where the demo is not in it."""
    cache = Path(os.environ.get("FAS_CACHE") or PROJECT / "cache")
    there = {run.info.name for run in store.all_runs(cache) if run.is_complete}
    if missing := demo.EXPERIMENTS.keys() - there:
        raise BadInputError(
            f"Pages are measured on the demo, and {cache} lacks {', '.join(sorted(missing))} of it. Make it: fas demo "
            "--no-app; or name its cache folder: FAS_CACHE=FOLDER fas bench pages"
        )
    return cache


def figures(pages: Sequence[str] = (), cache: Path | None = None, samples: int = 0) -> dict[str, float]:
    """Per page `_first_seconds`, `_again_seconds`, `_server_first_seconds`, `_server_again_seconds` and `_words`, and
    the `errors` that pages told the server's visitors of; of all pages, on the demo, or on a synthetic Run of so many
    samples, which takes a minute per million to write and derive.

    Raises BadInputError where the demo, playwright or a browser is missing.
    """
    by_name: dict[str, float] = {}
    errors = 0
    with opened_browser() as browser, _shown(cache, samples) as (folder, query):
        port = free_port()  # the same for all: scripts are known by their address
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_init_script(f"({_WATCH})()")
        with served_app(folder, port) as address:
            before = context.new_page()  # stays, and with it the process that has the scripts
            for name in ("overview", *KINDS):
                before.goto(f"{address}/{_place(name)}?{query}")
                _settled(before)
            before.goto(f"{address}/_stcore/health")  # asks the servers that follow for nothing
        for name in pages or names():
            with served_app(folder, port) as address:
                told = visited(address, "--open", _place(name), "--query", query)
            errors += len(told["errors"])
            by_server = dict(zip(("server_first_seconds", "server_again_seconds"), told["seconds"], strict=True))
            with served_app(folder, port) as address:
                opened = _opened(context, address, name, query) | by_server
            by_name |= {f"{name}_{figure}": value for figure, value in opened.items()}
    return by_name | {"errors": float(errors)}


@contextmanager
def _shown(cache: Path | None, samples: int) -> Iterator[tuple[Path, str]]:
    """The cache folder whose Runs are shown, and what addresses say of the Run: nothing of the demo's."""
    if not samples:
        yield cache or demo_cache(), ""
        return
    if there := synthetic.at_hand(samples):
        yield there.cache, query_of(there)
        return
    with tempfile.TemporaryDirectory() as temporary:
        run = synthetic.write_run(Path(temporary), samples, shard_size=synthetic.LARGE_SHARD)
        synthetic.derive(run)
        yield run.cache, query_of(run)


def _opened(context: Any, address: str, name: str, query: str) -> dict[str, float]:
    """One page of a server that has shown none."""
    tab = context.new_page()
    tab.goto(f"{address}/{_place(name)}?{query}")
    first, words = _settled(tab), float(tab.evaluate(_WORDS))
    for place in (_place("overview" if name != "overview" else "threshold"), _place(name)):
        tab.evaluate(_GO, f"/{place}?{query}")
        tab.wait_for_timeout(200)
        again = _settled(tab)
    tab.close()
    return {"first_seconds": first, "again_seconds": again, "words": words}


def _place(name: str) -> str:
    """In the address; the Overview is where the app begins."""
    return "" if name == "overview" else name


def _settled(tab: Any) -> float:
    """Seconds from the start until nothing more happened."""
    tab.wait_for_function(_SETTLED, timeout=300_000, polling=50)
    return float(tab.evaluate(_SECONDS))
