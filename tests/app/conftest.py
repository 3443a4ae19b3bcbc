"""Pages driven without a browser."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, app_test, local_script_runner

from app.session.cache import clear
from fas_core.runs import store

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"


@contextmanager
def started_once() -> Iterator[None]:
    """As a server does it: `AppTest` would compile the scripts at every run, which takes a third of the time, and each
    would look for components in the metadata of all installed packages, which takes a tenth of a second.
    """
    compiled = ScriptCache()
    installed = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(manifest_scanner, "scan_component_manifests", installed)
        for module in (app_test, local_script_runner):
            patched.setattr(module, "ScriptCache", lambda: compiled)
        yield


@pytest.fixture(scope="session", autouse=True)
def _started_once() -> Iterator[None]:
    with started_once():
        yield


@pytest.fixture
def fresh_caches() -> None:
    """Caches are keyed by content, and the tiny Runs of all tests have the same."""
    clear()


def page(
    view: str = "overview", /, *, cache: Path | None = None, run: str | None = None, **query: str | list[str]
) -> AppTest:
    """The app with one view open, as a link opens it: `run` (a name in `cache`) and `query` stand in the address."""
    at = AppTest.from_file(MAIN, default_timeout=60)
    if run is not None:
        assert cache is not None
        query["run"] = f"{run} ({store.open_run(cache, run).id[:6]})"
    for name, value in query.items():
        at.query_params[name] = value
    return at.run() if view == "overview" else at.switch_page(f"views/{view}.py").run()


def texts(at: AppTest) -> str:
    """Everything the page says in words, one element a line; what it says on demand follows each."""
    kinds = ("title", "header", "markdown", "caption", "info", "warning", "success", "error")
    elements = [element for kind in kinds for element in at.get(kind)]
    return "\n".join(f"{element.value}\n{getattr(element.proto, 'help', '')}".rstrip() for element in elements)


def commands(at: AppTest) -> list[str]:
    """What the page has somebody type in a terminal."""
    drawn = [part.proto for part in at.get("bidi_component") if part.proto.component_name == "fas_command"]
    return [json.loads(part.json)["text"] for part in drawn]


def said_of_all(at: AppTest) -> str:
    """The answer of the page Compare: its first text but for the names beside controls."""
    return str(next(text.value for text in at.markdown if not text.value.startswith(":gray[")))
