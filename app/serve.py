"""The server's process: what pages import is loaded before anybody comes, so that no page is the one that waits for it.

`python -m app.serve run app/main.py ...`, with the arguments of `streamlit`. PyTorch is left to who decodes.
"""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from pathlib import Path

HOUSE = Path(__file__).resolve().parent
GRACE = 5.0  # seconds to end
SCRIPTS = {"__init__", "main", "serve"}  # at the top: run, never imported


def load_pages() -> None:
    """Imports all modules of the app; pages run as scripts of their own, but what they import stays."""
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        if parts[-1] not in SCRIPTS:
            importlib.import_module(".".join(("app", *parts)))


def end_with(handle: int) -> None:
    """Ends this process when the last holder of the other end of a pipe has gone, also when it was killed."""

    def wait() -> None:
        os.read(handle, 1)  # nobody ever writes
        os.kill(os.getpid(), signal.SIGTERM)  # as `fas app` ends it
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    from streamlit.web import cli

    from fas_core.files import be_private

    be_private()
    if handle := os.environ.pop("FAS_ENDS_WITH", ""):  # nor do those that it starts know it
        end_with(int(handle))
    load_pages()
    cli.main(prog_name="streamlit")
