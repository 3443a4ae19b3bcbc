"""Pages driven without a browser."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from fas_core import store

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"


def page(
    view: str = "overview", *, cache: Path | None = None, run: str | None = None, **query: str | list[str]
) -> AppTest:
    """The app with one view open; `run` (a name in `cache`) and `query` stand in the address from the start."""
    at = AppTest.from_file(MAIN, default_timeout=30)
    if run is not None:
        assert cache is not None
        query["run"] = f"{run} ({store.open_run(cache, run).id[:6]})"
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    return at if view == "overview" else at.switch_page(f"views/{view}.py").run()


def texts(at: AppTest) -> str:
    """Everything the page says in words, one element a line."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "success", "error")
    return "\n".join(str(element.value) for kind in kinds for element in at.get(kind))
