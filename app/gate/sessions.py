"""Who has signed in, kept in this process: a browser holds nothing but the random name of its session.

A session ends at logout, when nothing was done for a while, after its longest time, or when what the provider has given
expires; from that moment it is unknown. A server that starts anew knows nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from fas_core.access.login import Login

Reason = Literal["signed out", "idle", "longest", "expired"]


@dataclass(eq=False)
class Session:
    """One browser in which somebody has signed in."""

    login: Login
    began: float  # seconds since 1970, as all times here
    seen: float  # when something was last done in it
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    pages: set[str] = field(default_factory=set)  # ids of what Streamlit calls sessions: its tabs
    over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    asked: float = 0.0  # when the provider was last asked in vain for a longer login
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    reason: Reason | None = None  # why it is over
    kept: dict[str, Any] = field(default_factory=dict, repr=False)  # by pages, in all its tabs and addresses


class Sessions:
    """Sessions by the value of their cookie, of which only a hash is kept. Changed by the server's loop alone."""

    def __init__(self, idle: float, longest: float, *, clock: Callable[[], float] = time.time) -> None:
        """`idle` and `longest` in seconds."""
        self.idle, self.longest, self.clock = idle, longest, clock
        self._by_hash: dict[str, Session] = {}

    def begin(self, login: Login, refresh_token: str | None = None, id_token: str | None = None) -> tuple[str, Session]:
        """The value of a new session's cookie, and the session."""
        cookie, now = secrets.token_urlsafe(32), self.clock()
        session = Session(login, now, now, refresh_token, id_token)
        self._by_hash[_hashed(cookie)] = session
        return cookie, session

    def of(self, cookie: str | None) -> Session | None:
        """The session of a cookie, while it lasts. May be called from any thread."""
        session = self._by_hash.get(_hashed(cookie)) if cookie else None
        return session if session is not None and self.reason_to_end(session) is None else None

    def of_page(self, page: str) -> Session | None:
        """The session that a tab was opened in, by Streamlit's id of it, while it lasts. From any thread."""
        for session in list(self._by_hash.values()):
            if page in session.pages and self.reason_to_end(session) is None:
                return session
        return None

    def ends(self, session: Session) -> float:
        """When it ends if nothing is done."""
        return min(session.seen + self.idle, session.began + self.longest, session.login.expires)

    def reason_to_end(self, session: Session) -> Reason | None:
        """Why it is over; None while it is not."""
        now = self.clock()
        if session.reason is not None or now < self.ends(session):
            return session.reason
        if now >= session.login.expires:
            return "expired"
        return "longest" if now >= session.began + self.longest else "idle"

    def touch(self, session: Session) -> None:
        """Something was done in it by a person."""
        session.seen = self.clock()

    def end(self, session: Session, reason: Reason) -> bool:
        """At once, in every tab. Whether it was not over before."""
        if session.reason is not None:
            return False
        session.reason = reason
        session.over.set()
        self._by_hash = {key: kept for key, kept in self._by_hash.items() if kept is not session}
        return True

    def over(self) -> list[tuple[Session, Reason]]:
        """Those that have run out and that nobody has ended yet."""
        reasons = [(session, self.reason_to_end(session)) for session in self._by_hash.values()]
        return [(session, reason) for session, reason in reasons if reason is not None]


def _hashed(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="replace")).hexdigest()
