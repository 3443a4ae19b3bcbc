"""Who looks at a page: for its script, and for what it leaves to be computed later."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.gate.sessions import Session, Sessions
from fas_core.access.login import Login
from fas_core.errors import BadInputError

T = TypeVar("T")
_IN_USE: list[Sessions] = []  # those of this process's gate; none on a laptop
_ACTING: ContextVar[Session | None] = ContextVar("acting", default=None)


def use(sessions: Sessions | None) -> None:
    """From here on `login` asks these sessions; None: nobody signs in."""
    _IN_USE[:] = [] if sessions is None else [sessions]


def login() -> Login | None:
    """Who has signed in and asks for this page; None where nobody signs in, as on a laptop.

    Raises BadInputError where people sign in and this one is no longer, or nobody can say who it is: what runs in a
    thread of its own is to be told.
    """
    session = _session()
    return None if session is None else session.login


def kept() -> dict[str, Any] | None:
    """What pages keep for as long as this login lasts, in whichever tab; None where nobody signs in.

    Raises BadInputError as `login`.
    """
    session = _session()
    return None if session is None else session.kept


def for_later(work: Callable[[], T]) -> Callable[[], T]:
    """What a page leaves to a thread of its own, such as a file that is made when it is asked for: run as the same
    person, while they are signed in."""
    session = _session() if _IN_USE else None

    def as_before() -> T:
        token = _ACTING.set(session)
        try:
            return work()
        finally:
            _ACTING.reset(token)

    return as_before


def _session() -> Session | None:
    if not _IN_USE:
        return None
    (sessions,) = _IN_USE
    session = _ACTING.get()
    if session is None:
        context = get_script_run_ctx(suppress_warning=True)
        session = sessions.of_page(context.session_id) if context is not None else None
    if session is None or sessions.reason_to_end(session) is not None:
        raise BadInputError("You are no longer signed in. Load the page again to sign in.")
    return session
