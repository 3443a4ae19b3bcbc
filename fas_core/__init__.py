"""Making and reading Runs: what a face anti-spoofing autoencoder says about every image of a data set.

    from fas_core import open_run, results, table

    run = open_run("small_dcvae")
    table(run), results(run, "rec"), run.latents(), run.images("reconstructions", [0, 1])

Names are looked up when they are asked for: importing the package imports nothing else of it.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fas_core.exports.notebook import open_run as open_run
    from fas_core.exports.notebook import results as results
    from fas_core.exports.notebook import table as table
    from fas_core.runs.store import Run as Run

PROJECT = Path(__file__).resolve().parents[1]
_NOTEBOOK = "fas_core.exports.notebook"
_ELSEWHERE = {"Run": "fas_core.runs.store", "open_run": _NOTEBOOK, "table": _NOTEBOOK, "results": _NOTEBOOK}


def default_cache() -> Path:
    """FAS_CACHE (a folder, or s3://BUCKET/PREFIX), or `cache/` of the checkout the package runs from, or of the working
    folder."""
    if named := os.environ.get("FAS_CACHE"):
        from fas_core import storage

        return storage.place(named)
    return (PROJECT if (PROJECT / "pyproject.toml").is_file() else Path.cwd()) / "cache"


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ELSEWHERE})
