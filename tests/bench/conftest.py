"""Measurements in a browser, beside tests that have a browser of their own: on one server and in one browser."""

import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest

from fas_core.bench import drag
from tests.conftest import BROWSER_FLAGS

_opened_browser, _served_app, _server_megabytes = drag.opened_browser, drag.served_app, drag.server_megabytes
_browsing = ThreadPoolExecutor(1)  # the browser's thread: Playwright refuses a second browser in the first one's


class Stage:
    """A server and a browser that are there from the first measurement to the last: starting takes most of the time.

    What a measurement lays into a cache folder of its own is copied to the server's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.opened = folder, ExitStack()
        self._address, self._browser = "", None

    @contextmanager
    def served_app(self, cache: Path, port: int | None = None) -> Iterator[str]:
        shutil.copytree(cache, self.folder, dirs_exist_ok=True)
        if not self._address:
            self._address = self.opened.enter_context(_served_app(self.folder))
        yield self._address

    @contextmanager
    def opened_browser(self) -> Iterator[Any]:
        if self._browser is None or not any(map(shutil.which, drag.BROWSERS)):
            self._browser = self.opened.enter_context(_opened_browser())
        try:
            yield self._browser
        finally:
            for context in self._browser.contexts:
                context.close()

    def server_megabytes(self, cache: Path) -> float:
        return _server_megabytes(self.folder)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    shared = Stage(tmp_path_factory.mktemp("stage"))
    yield shared
    _browsing.submit(shared.opened.close).result()


@pytest.fixture(autouse=True)
def _quick_browser(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is animated, nothing optimised: what a browser takes is not judged here."""
    from playwright.sync_api import Browser

    monkeypatch.setattr(drag, "FLAGS", (*drag.FLAGS, *BROWSER_FLAGS))
    for name in ("new_page", "new_context"):
        monkeypatch.setattr(Browser, name, partialmethod(getattr(Browser, name), reduced_motion="reduce"))
    of_bench = [module for name, module in sys.modules.items() if name.startswith("fas_core.bench.")]
    for own in (_opened_browser, _served_app, _server_megabytes):
        for module in of_bench:
            if getattr(module, own.__name__, None) is own:
                monkeypatch.setattr(module, own.__name__, getattr(stage, own.__name__))


def apart(function: Callable[..., Any], **arguments: Any) -> Any:
    """What the function returns, called in the browser's thread."""
    return _browsing.submit(function, **arguments).result()
