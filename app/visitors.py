"""People at the app without a browser, for measurements: `python -m app.visitors ADDRESS`, figures as JSON.

Each is a websocket as a browser's: asks for a page, receives all of it, presses what turns it. What a browser would
draw is not drawn, so that the server alone is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets import Origin, Subprotocol
from websockets.sync import client

PAGES = (
    "",
    *sorted(path.stem for path in Path(__file__).with_name("views").glob("[!_]*.py") if path.stem != "overview"),
)
PAUSE = (2.0, 6.0)  # seconds that somebody who browses looks at a page
PATIENCE = 300.0  # seconds


class Visitor:
    """One tab. `errors`: what its pages could not do."""

    def __init__(self, address: str, page: str = "", query: str = "") -> None:
        host = urlsplit(address)
        secure = host.scheme.replace("http", "ws")
        self._held = contextlib.ExitStack()
        self.socket = self._held.enter_context(
            client.connect(
                f"{secure}://{host.netloc}/_stcore/stream",
                subprotocols=[Subprotocol("streamlit")],
                origin=Origin(f"{host.scheme}://{host.netloc}"),
                max_size=None,
                open_timeout=PATIENCE,
            )
        )
        self.errors: list[str] = []
        self._script, self._pages, self._part = "", "", ""
        self.waited = self.open(page, query)  # seconds

    def open(self, page: str, query: str = "") -> float:
        """The seconds until all of a page has come."""
        asked = BackMsg()
        asked.rerun_script.page_name, asked.rerun_script.query_string = page, query
        return self._answered(asked)

    def turn(self, to: int) -> float:
        """The seconds until the page of a gallery of this number has come."""
        asked = BackMsg()
        rerun = asked.rerun_script
        rerun.page_script_hash, rerun.fragment_id = self._script, self._part
        pressed = rerun.widget_states.widgets.add()
        pressed.id, pressed.int_value = self._pages, to
        return self._answered(asked)

    def _answered(self, asked: BackMsg) -> float:
        start = time.perf_counter()
        self.socket.send(asked.SerializeToString())
        while True:
            told = ForwardMsg.FromString(self.socket.recv(timeout=PATIENCE))
            kind = told.WhichOneof("type")
            if kind == "new_session":
                self._script = told.new_session.page_script_hash
            elif kind == "delta":
                self._hear(told.delta)
            elif kind == "script_finished" and told.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return time.perf_counter() - start

    def _hear(self, delta: Any) -> None:
        element = delta.new_element
        if element.HasField("exception"):
            self.errors.append(element.exception.message)
        elif element.HasField("pagination"):
            self._pages, self._part = element.pagination.id, delta.fragment_id

    def leave(self) -> None:
        self._held.close()


def opening(address: str, page: str, query: str) -> dict[str, list[Any]]:
    """Somebody opens a page, goes to another one and comes back: the seconds of the first time and of the second."""
    visitor = Visitor(address, page, query)
    visitor.open("threshold" if page == "" else "", query)
    again = visitor.open(page, query)
    return _left([visitor]) | {"seconds": [visitor.waited, again]}


def turning(address: str, query: str, n: int, turns: int) -> dict[str, list[Any]]:
    """`n` people turn a page of the gallery at once, `turns` times: the seconds of each turn, and what went wrong."""
    visitors = [Visitor(address, "gallery", query) for _ in range(n)]
    seconds: list[float] = []
    for number in range(turns):
        _at_once([partial(lambda each, to: seconds.append(each.turn(to)), each, number + 2) for each in visitors])
    return _left(visitors) | {"seconds": seconds}


def browsing(address: str, n: int, seconds: float, seed: int = 0) -> dict[str, list[Any]]:
    """`n` people open page after page, in any order, and look at each for some seconds."""
    visitors = [Visitor(address) for _ in range(n)]
    end, waited, failed = time.monotonic() + seconds, [], []

    def browse(visitor: Visitor, draws: random.Random) -> None:
        try:
            while time.monotonic() < end:
                waited.append(visitor.open(draws.choice(PAGES)))
                time.sleep(draws.uniform(*PAUSE))
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to: what ended a visit is counted
            failed.append(f"{type(error).__name__} {error}")

    _at_once([partial(browse, each, random.Random(seed + i)) for i, each in enumerate(visitors)])
    left = _left(visitors)
    return {"seconds": waited, "errors": [*left["errors"], *failed]}


def beside(address: str, query: str, pages: list[str], large: str) -> dict[str, list[Any]]:
    """One person turns pages while another opens some of a large Run: the seconds of the turns meanwhile."""
    visitor, seconds, over = Visitor(address, "gallery", query), [], threading.Event()
    opened: list[float] = []

    def turn() -> None:
        number = 2
        while not over.is_set():
            seconds.append(visitor.turn(number))
            number += 1
            time.sleep(0.2)

    def open_all() -> None:
        try:
            other = Visitor(address, pages[0], large)
            opened.extend(other.open(page, large) for page in pages)
            visitor.errors += _left([other])["errors"]
        finally:
            over.set()

    _at_once([turn, open_all])
    return _left([visitor]) | {"seconds": seconds, "opened": opened}


def _at_once(works: list[Callable[[], Any]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _left(visitors: list[Visitor]) -> dict[str, list[Any]]:
    for visitor in visitors:
        visitor.leave()
    return {"errors": [error for visitor in visitors for error in visitor.errors]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m app.visitors", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("address", help="http://127.0.0.1:8501")
    parser.add_argument("--query", default="", help="of what is opened or turned: run=...")
    parser.add_argument("--open", metavar="PAGE", help="open a page instead, twice: threshold, or '' for the Overview")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--turns", type=int, default=20, help="of each, all at once")
    parser.add_argument("--browse", type=float, metavar="SECONDS", help="open pages instead")
    parser.add_argument("--large", help="turn pages while another opens Latent space and Gallery of this: run=...")
    given = parser.parse_args()
    if given.open is not None:
        figures = opening(given.address, given.open, given.query)
    elif given.browse:
        figures = browsing(given.address, given.people, given.browse)
    elif given.large:
        figures = beside(given.address, given.query, ["latent", "gallery", "threshold"], given.large)
    else:
        figures = turning(given.address, given.query, given.people, given.turns)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
