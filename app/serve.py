"""The server's process: what pages import is loaded before anybody comes, so that no page is the one that waits for it.

`python -m app.serve run app/main.py ...`, with the arguments of `streamlit`. PyTorch is left to who decodes.
"""

from __future__ import annotations

import importlib
from pathlib import Path

HOUSE = Path(__file__).resolve().parent
SCRIPTS = {"__init__", "main", "serve"}  # at the top: run, never imported


def load_pages() -> None:
    """Imports all modules of the app; pages run as scripts of their own, but what they import stays."""
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        if parts[-1] not in SCRIPTS:
            importlib.import_module(".".join(("app", *parts)))


if __name__ == "__main__":
    from streamlit.web import cli

    from fas_core.files import be_private

    be_private()
    load_pages()
    cli.main(prog_name="streamlit")
