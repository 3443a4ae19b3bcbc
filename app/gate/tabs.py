"""Which tab is whose: what Streamlit keeps of a tab, and the files that it serves for it, belong to one login.

Streamlit hands a tab to whoever names its id, and a file to whoever names its address. Here its id and its files are
those of the session that it was opened in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.gate import who
from app.gate.sessions import Session

OPENING: ContextVar[Session | None] = ContextVar("opening", default=None)  # whose websocket is being answered


class Tabs:
    """Watches a Streamlit runtime by three of its methods: where it connects tabs and where it takes files."""

    def __init__(self) -> None:
        self._files: dict[str, set[str]] = {}  # by tab, the addresses that it was given
        self._later: dict[str, str] = {}  # files that are made when they are asked for -> their tab
        self._runtime: Any = None

    def watch(self, runtime: Any) -> None:
        """From here on it tells these tabs of every one that is opened, and of every file."""
        self._runtime, manager = runtime, runtime.media_file_mgr
        runtime.connect_session = self._connecting(runtime.connect_session)
        manager.add = self._adding(manager.add)
        manager.add_deferred = self._deferring(manager.add_deferred)
        manager.execute_deferred = self._making(manager.execute_deferred)

    def may_have(self, session: Session, path: str) -> bool:
        """Whether the file at `/media/...` was made for a tab of this session."""
        return any(_stem(path) in self._files.get(page, ()) for page in session.pages)

    def forget(self, session: Session) -> None:
        """It is over, and its tabs with it: what they held is gone, uploads too."""
        for page in session.pages:
            self._files.pop(page, None)
            if self._runtime is not None:
                self._runtime.close_session(page)
        self._later = {file: page for file, page in self._later.items() if page not in session.pages}

    def _connecting(self, connect: Callable[..., str]) -> Callable[..., str]:
        def connect_session(client: Any, user_info: Any, existing_session_id: str | None = None, **more: Any) -> str:
            session = OPENING.get()
            if session is None or existing_session_id not in session.pages:
                existing_session_id = None  # somebody else's, or one from before a logout
            page = connect(client, user_info, existing_session_id, **more)
            if session is not None:
                session.pages.add(page)
            return page

        return connect_session

    def _adding(self, add: Callable[..., str]) -> Callable[..., str]:
        def added(*arguments: Any, **named: Any) -> str:
            address = add(*arguments, **named)
            self._note(_page(), address)
            return address

        return added

    def _deferring(self, defer: Callable[..., str]) -> Callable[..., str]:
        def deferred(data_callable: Callable[[], Any], *arguments: Any, **named: Any) -> str:
            file = defer(who.for_later(data_callable), *arguments, **named)
            self._later[file] = _page()
            return file

        return deferred

    def _making(self, make: Callable[[str], str]) -> Callable[[str], str]:
        def made_now(file: str) -> str:
            address = make(file)
            self._note(self._later.get(file, ""), address)
            return address

        return made_now

    def _note(self, page: str, address: str) -> None:
        self._files.setdefault(page, set()).add(_stem(address))


def _page() -> str:
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context is not None else ""


def _stem(path: str) -> str:
    """A file's id: the ending of its address is not looked at by Streamlit either."""
    return path.rpartition("/")[2].rpartition(".")[0] or path.rpartition("/")[2]
