"""The server's process: what pages import is loaded before anybody comes, so that no page is the one that waits for it.

`python -m app.serve HOST PORT`, with the settings of `FAS_CONFIG`. PyTorch is left to who decodes.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import os
import signal
import sys
import threading
import time
from pathlib import Path

from fas_core.access.settings import Settings, of_process, require_safe
from fas_core.errors import BadInputError

HOUSE = Path(__file__).resolve().parent
GRACE = 5.0  # seconds to end
SCRIPTS = {"__init__", "main", "ready", "serve", "visitors"}  # at the top: run, never imported


def load_pages() -> None:
    """Imports all modules of the app; pages run as scripts of their own, but what they import stays.

    It is left out of the garbage collection from then on: the first page would wait half a second for it. Nor does that
    one look through the sources of all modules, as Streamlit does to see who calls it: here it is done once.
    """
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        if parts[-1] not in SCRIPTS:
            importlib.import_module(".".join(("app", *parts)))
    inspect.stack()  # Streamlit does it once, for which every module's file is looked for: a fifth of a second
    gc.collect()
    gc.freeze()


def end_with(handle: int) -> None:
    """Ends this process when the last holder of the other end of a pipe has gone, also when it was killed."""

    def wait() -> None:
        os.read(handle, 1)  # nobody ever writes
        os.kill(os.getpid(), signal.SIGTERM)  # as `fas app` ends it
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def serve(host: str, port: int, settings: Settings) -> None:
    """Serves until it is ended. Nothing is asked of the internet, whatever the environment or other files say."""
    from streamlit import net_util

    from app.gate import gate

    require_safe(settings, host)
    # Streamlit would ask others for its own address, to show it or to compare an origin with it.
    net_util.get_external_ip = net_util.get_internal_ip = lambda: None
    os.environ["FORWARDED_ALLOW_IPS"] = (
        "none"  # uvicorn believes headers of the proxy otherwise; the gate looks at them
    )
    server = settings.server
    tls = {"server.sslCertFile": str(server.certificate), "server.sslKeyFile": str(server.key)}
    gate.app(str(HOUSE / "main.py"), settings).run(
        config={
            "server.address": host,
            "server.port": port,
            "server.allowedHosts": list(settings.names),
            "server.enableCORS": True,
            "server.enableXsrfProtection": True,
            "server.enableStaticServing": False,
            "server.enableAgentApi": False,
            "server.headless": True,
            "browser.serverAddress": settings.names[0],
            "browser.gatherUsageStats": False,
            "client.showErrorDetails": "none",
            "logger.hideWelcomeMessage": True,
            "runner.postScriptGC": False,  # `give_back_memory` does, and less often
            **(tls if server.certificate else {}),
        }
    )


if __name__ == "__main__":
    from fas_core.files import be_private

    be_private()
    if handle := os.environ.pop("FAS_ENDS_WITH", ""):  # nor do those that it starts know it
        end_with(int(handle))
    try:
        told = of_process()
        load_pages()
        from app.session import identity, readers

        identity.access()  # what they say of people, and a log that cannot be written, is refused before anybody comes
        threading.Thread(target=readers.open_runs, daemon=True).start()
        serve(sys.argv[1], int(sys.argv[2]), told)
    except BadInputError as error:
        print(f"fas: {error}", file=sys.stderr)
        sys.exit(2)
