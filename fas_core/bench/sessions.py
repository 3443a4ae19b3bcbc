"""Ten people turning pages of 60 triplets in the Gallery at once: errors, what the server's memory grows by, waiting.

Ten browser contexts on one server. All of them turn a page together, twenty times, one after the other has seen its
images painted. The first quarter of the turns fills what is cached for all; from then on memory has to stay where it
is. The targets are absolute: no error, and no more than noise. Software rendering, ten browsers on the same machine:
how long a turn takes is reported, and no target.
"""

from __future__ import annotations

import statistics
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

from fas_core.bench import gallery
from fas_core.bench.drag import HAS_RUN, opened_browser, served_app, server_megabytes

SESSIONS, TURNS = 10, 200
TARGETS = {"errors": ("at_most", 0.0), "growth_percent": ("at_most", 5.0)}
_START = f"() => {{ window.fasTurn = ({gallery.TURN})(); window.fasTurn.catch(() => null); }}"


def figures(
    n: int = gallery.IMAGES,
    side: int = gallery.SIDE,
    per_page: int = gallery.PER_PAGE,
    sessions: int = SESSIONS,
    turns: int = TURNS,
) -> dict[str, float]:
    """`turns` of all `sessions` together; memory is that of the server after a quarter of them and at the end, in MB.

    `errors`: exceptions on the page, page and console errors, answers of 400 and more, turns that did not happen.
    `growth_percent` is NaN, which meets no target, where the system does not tell memory. Raises BadInputError where
    playwright or a browser is missing.
    """
    rounds = max(2, turns // sessions)
    errors: list[str] = []
    with opened_browser() as browser, tempfile.TemporaryDirectory() as folder:
        run = gallery.write_run(Path(folder), n, side)
        with served_app(Path(folder)) as address:
            query = urllib.parse.urlencode({"run": f"{run.info.name} ({run.id[:6]})", "per_page": per_page})
            pages = [_opened(browser, f"{address}/gallery?{query}", errors) for _ in range(sessions)]
            milliseconds, memory = [], []
            for _ in range(rounds):
                milliseconds += _turned(pages, errors)
                memory.append(server_megabytes(Path(folder)))
            for page in pages:
                errors += page.locator("[data-testid=stException]").all_inner_texts()
    settled, last = memory[max(0, rounds // 4 - 1)], memory[-1]
    return {
        "errors": float(len(errors)),
        "turns": float(len(milliseconds)),
        "turn_milliseconds": statistics.median(milliseconds),
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
    for page in pages:
        page.evaluate(_START)
    milliseconds = []
    for page in pages:
        try:
            milliseconds.append(float(page.evaluate("() => window.fasTurn")["milliseconds"]))
            page.wait_for_function(HAS_RUN)
        except Exception as error:  # playwright's own, which is no dependency here
            errors.append(str(error))
    return milliseconds
