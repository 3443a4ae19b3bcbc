"""`fas app`, `fas demo`: the web app as a child process."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fas_core import default_cache
from fas_core.access import policy, settings
from fas_core.access.settings import CONFIG, DEFAULT_HOST, DEFAULT_PORT
from fas_core.cli.options import CacheOption
from fas_core.cli.printing import say
from fas_core.errors import BadInputError

LAPTOP = settings.Settings()  # nobody signs in, nobody else comes in

# ------------------------------------------------------------------------------------------------------ demo and app


def demo(
    root: Annotated[Path | None, typer.Option(help="Folder for data, checkpoints and cache/.")] = None,
    app_wanted: Annotated[bool, typer.Option("--app/--no-app", help="Serve the web app.")] = True,
    port: Annotated[int, typer.Option(help="Port of the web app.")] = 8501,
) -> None:
    """Rendered faces, a trained model, its Run, then the app. What is there is reused. Example: `fas demo`"""
    from fas_core import demo as demo_parts

    where = demo_parts.places(root, default_cache())
    _end_on_sigterm()
    server = _start_server(where.cache, "127.0.0.1", port) if app_wanted else None
    try:
        demo_parts.make(where, say)
        if server is None:
            say(f"The demo is ready in {where.cache}. Open it: fas app --cache {where.cache}")
            return
        say(f"The demo is ready: http://127.0.0.1:{port} (Ctrl+C ends it)")
        sys.exit(server.wait())
    finally:
        if server is not None:
            _end(server)


def serve(
    cache: CacheOption,
    data: Annotated[list[Path] | None, typer.Option(help="Manifest for the page Data; may be repeated.")] = None,
    port: Annotated[int | None, typer.Option(help="Port.", show_default=str(DEFAULT_PORT))] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to bind; 127.0.0.1 is this machine only, any other needs --config.", show_default=DEFAULT_HOST
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            envvar=CONFIG, help="Settings of a server that others reach: names, TLS, login.", show_default=False
        ),
    ] = None,
) -> None:
    """The web app on the Runs of a cache folder. Example: `fas app --data faces.csv --port 8600`"""
    for path in data or []:
        if not path.is_file():
            raise BadInputError(f"{path} is no file. Give a manifest: fas app --data M.csv")
    told = settings.read(config) if config else settings.Settings()
    host = next(named for named in (host, told.server.host, DEFAULT_HOST) if named is not None)
    settings.require_safe(told, host)
    policy.of(told)  # what it says of people is refused here, and not to who comes first
    _end_on_sigterm()
    server = _start_server(cache, host, port or told.server.port or DEFAULT_PORT, data or [], told)
    try:
        sys.exit(server.wait())
    finally:
        _end(server)


def _end_on_sigterm() -> None:
    """SIGTERM ends this process as an exception would, so that the server it started ends too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
        server.wait(timeout=10)


def _start_server(
    cache: Path, host: str, port: int, data: Sequence[Path] = (), told: settings.Settings = LAPTOP
) -> subprocess.Popen[bytes]:
    """Starts Streamlit as a child process; raises BadInputError when the address cannot be bound."""
    from fas_core.files import make_folder

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            remedy = (
                f"Choose another: --port {port + 1}" if is_taken else "Use a port from 1 to 65535 and a host of here."
            )
            raise BadInputError(f"Cannot serve on {host}:{port} ({error}). {remedy}") from error
    make_folder(cache)
    command = [sys.executable, "-P", "-X", "utf8", "-m", "app.serve", host, str(port)]
    # Large arrays go back to the system when they are done with: glibc keeps most of them otherwise.
    frugal = {"MALLOC_MMAP_THRESHOLD_": "1000000", "MALLOC_ARENA_MAX": "2"}
    # The server ends when the end of this pipe that is held here is closed, however this process ends.
    held, _held_here = os.pipe()
    handed = {"FAS_CACHE": str(cache.resolve()), "FAS_ENDS_WITH": str(held), CONFIG: str(told.path or "")}
    if data:
        handed["FAS_DATA"] = "\n".join(str(path.resolve()) for path in data)
    server = subprocess.Popen(command, env=frugal | os.environ | handed, pass_fds=[held])
    os.close(held)
    threading.Thread(target=_say_when_it_answers, args=(server, host, port, told), daemon=True).start()
    return server


def _say_when_it_answers(server: subprocess.Popen[bytes], host: str, port: int, told: settings.Settings) -> None:
    """Says where the app is once it is there: it loads first what pages import, which takes seconds."""
    at = "::1" if host == "::" else "127.0.0.1" if host == "0.0.0.0" else host
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((at, port), timeout=1):
            return say(f"Serving on {_address(host, port, told.server)}")
        time.sleep(0.2)
    return None


def _address(host: str, port: int, server: settings.Server) -> str:
    """As in the address bar; behind a proxy, of several servers, which one of them."""
    if not server.names:
        return f"http://{host}:{port}"
    name = server.names[0]
    if server.is_behind_proxy:
        return f"https://{name}, by a proxy: this server has port {port}"
    return f"{'https' if server.is_https else 'http'}://{name}{'' if port == 443 else f':{port}'}"
