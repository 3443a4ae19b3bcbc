"""A drawing that the core makes as SVG text, in the page's own letters and colours."""

from __future__ import annotations

import json
from pathlib import Path

from app.components.bundle import mounted
from fas_core.reports import figures

_mount = mounted(Path(__file__), '<div class="drawing"></div>\n')


def drawing(drawn: figures.Drawn, words: str, *, key: str) -> None:
    """As wide as its place, and saved with its numbers. `words`: what it shows."""
    table = json.loads(drawn.data().to_json(orient="split", index=False))
    _mount(
        key=key,
        data={
            "svg": figures.alone(figures.Drawing(words, drawn)),
            "name": key,
            "words": words,
            "table": {"heads": table["columns"], "rows": table["data"]},
        },
    )
