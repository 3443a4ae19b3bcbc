"""Measurements in a browser, beside tests that have a browser of their own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def apart(function: Callable[..., Any], **arguments: Any) -> Any:
    """What the function returns, called in a thread: Playwright refuses a second browser in the first one's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, **arguments).result()
