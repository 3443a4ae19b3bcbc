"""Measurements in a browser, beside tests that have a browser of their own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partialmethod
from typing import Any

import pytest

from fas_core.bench import drag
from tests.conftest import BROWSER_FLAGS


@pytest.fixture(autouse=True)
def _quick_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is animated, nothing optimised: what a browser takes is not judged here."""
    from playwright.sync_api import Browser

    monkeypatch.setattr(drag, "FLAGS", (*drag.FLAGS, *BROWSER_FLAGS))
    for name in ("new_page", "new_context"):
        monkeypatch.setattr(Browser, name, partialmethod(getattr(Browser, name), reduced_motion="reduce"))


def apart(function: Callable[..., Any], **arguments: Any) -> Any:
    """What the function returns, called in a thread: Playwright refuses a second browser in the first one's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, **arguments).result()
