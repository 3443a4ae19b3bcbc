"""The gate itself, around all that the server answers: HTTP, websockets, files, uploads, figures.

First what is foreign is refused: another name, another origin, a proxy nobody has named. Then, where people sign in,
whoever has not. A laptop has the first half alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, quote

from app.gate import pages, who
from app.gate.events import tell
from app.gate.headers import MEDIA, guarded
from app.gate.oidc import Given, LoginFailed, Provider
from app.gate.origins import Asked, Header, is_forwarded, why_refused
from app.gate.sessions import Reason, Session, Sessions
from app.gate.tabs import OPENING, Tabs
from fas_core.access.login import Login
from fas_core.access.settings import Headers, Oidc, Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

UPLOAD = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+")
OURS = ("/auth/", "/oauth2callback")  # also what Streamlit would answer of its own login
BEHIND = ("/_stcore/", "/static/", "/component/", MEDIA)  # what pages ask for by themselves
POLICY_VIOLATION = 1008
MOST_NOTED = 10_000
EARLY = 20.0  # seconds before a login runs out at which the provider is asked for a longer one
AGAIN = 5.0  # seconds until it is asked again


class Gate:
    """As ASGI middleware, outermost. `settings` say who signs in, and how."""

    def __init__(self, app: Asgi, settings: Settings, sessions: Sessions, tabs: Tabs) -> None:
        self.app, self.settings, self.sessions, self.tabs = app, settings, sessions, tabs
        self.is_https = settings.server.is_https
        self.names = frozenset(settings.names)
        self.cookie = "__Host-fas_session" if self.is_https else "fas_session"
        self.way_cookie = "__Host-fas_way" if self.is_https else "fas_way"
        self.provider = Provider(settings.login) if isinstance(settings.login, Oidc) else None
        self._noted: dict[tuple[str, str], float] = {}  # refusals: why and from where, and when it was last told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, self._with_headers(scope["path"], send))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _with_headers(self, path: str, send: Send) -> Send:
        is_kept = self.settings.login is None

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = guarded(list(message.get("headers", [])), path, is_https=self.is_https, is_kept=is_kept)
                message = {**message, "headers": headers}
            await send(message)

        return sending

    # ------------------------------------------------------------------------------------------------- who is let in

    def _why_foreign(self, scope: Scope, asked: Asked) -> str | None:
        """Why nothing of it is looked at: "proxy", "peer", "host" or "origin"."""
        server = self.settings.server
        if server.is_behind_proxy and not server.is_proxy(_peer(scope)):
            return "peer"
        if self.settings.login is None and is_forwarded(asked.headers):
            return "proxy"
        return why_refused(asked, self.names, "https" if self.is_https else "http")

    async def _session(self, asked: Asked) -> Session | None:
        """Of whom it is, while they are signed in."""
        self._sweep()
        session = self.sessions.of(_cookies(asked).get(self.cookie))
        if session is None:
            return None
        if isinstance(self.settings.login, Headers):
            login = self._login_of_headers(asked, session.began + self.sessions.longest)
            if login is None or login.subject != session.login.subject:
                self._end(session, "signed out")  # the proxy says somebody else now
                return None
            session.login = login  # groups may have changed
        elif session.login.expires - self.sessions.clock() < EARLY:
            await self._renew(session)
            return session if self.sessions.reason_to_end(session) is None else None
        return session

    def _login_of_headers(self, asked: Asked, expires: float) -> Login | None:
        named = self.settings.login
        if not isinstance(named, Headers):
            return None
        subject = _text(asked, named.subject)
        if not subject:
            return None
        groups = (_text(asked, named.groups) or "").split(",") if named.groups else []
        name = _text(asked, named.name) if named.name else None
        return Login(subject, name or subject, tuple(g.strip() for g in groups if g.strip()), expires)

    async def _renew(self, session: Session) -> None:
        """Asks the provider once, however many tabs want it; a login that it does not make longer runs out."""
        async with session.renewing:
            now = self.sessions.clock()
            if self.provider is None or session.refresh_token is None or session.reason is not None:
                return
            if session.login.expires - now >= EARLY or now - session.asked < AGAIN:
                return
            try:
                given = await self.provider.renewed(Given(session.login, session.refresh_token, session.id_token))
            except LoginFailed:
                session.asked = now
            else:
                session.login, session.id_token = given.login, given.id_token
                session.refresh_token = given.refresh_token

    def _sweep(self) -> None:
        for session, reason in self.sessions.over():
            self._end(session, reason)

    def _end(self, session: Session, reason: Reason) -> None:
        if self.sessions.end(session, reason):
            self.tabs.forget(session)
            tell("logout", session.login, why=reason)

    def _tell_refused(self, why: str, path: str, scope: Scope, asked: Asked, login: Login | None = None) -> None:
        """Once a minute for each reason and address: nobody outside fills the log."""
        address, now = self._address(scope, asked), self.sessions.clock()
        if now - self._noted.get((why, address), 0.0) < 60:
            return
        if len(self._noted) >= MOST_NOTED:
            self._noted.clear()
        self._noted[why, address] = now
        tell("refused", login, why=why, path=path[:200], address=address)

    # ------------------------------------------------------------------------------------------------------------ HTTP

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked(scope["method"], scope["headers"])
        path: str = scope["path"]
        if why := self._why_foreign(scope, asked):
            self._tell_refused(why, path, scope, asked)
            await _answer(send, 403, pages.refused(why))
        elif path.startswith(OURS):
            await self._auth(scope, asked, send)
        elif self.settings.login is None:
            await self._inside(scope, asked, receive, send)
        elif (session := await self._session(asked)) is None:
            await self._sign_in_first(scope, asked, send)
        elif not self._may_have(session, path):
            self._tell_refused("not theirs", path, scope, asked, session.login)
            await _answer(send, 404, pages.page("Not here", "There is nothing at this address."))
        else:
            if not path.startswith(BEHIND) or UPLOAD.fullmatch(path):
                self.sessions.touch(session)
            await self._inside(scope, asked, receive, send)

    async def _inside(self, scope: Scope, asked: Asked, receive: Receive, send: Send) -> None:
        """What the app answers, its page but for where its server is. Below a page there is none: it would send its own
        one, whose script is not there, and the window would stay empty."""
        path: str = scope["path"]
        if not asked.is_to_be_looked_at or path.startswith(BEHIND):
            await self.app(scope, receive, send)
        elif "/" in path.strip("/"):
            await _answer(send, 404, pages.page("Not here", "There is nothing at this address.", pages.APP))
        elif "." in path or path != f"/{path.strip('/')}":
            await self.app(scope, receive, send)  # a file, or a redirect to the page
        else:
            await _send(send, 200, pages.of_app().encode(), (b"cache-control", b"no-cache"))

    def _may_have(self, session: Session, path: str) -> bool:
        """Files and uploads are those of one's own tabs."""
        if path.startswith(MEDIA):
            return self.tabs.may_have(session, path)
        upload = UPLOAD.fullmatch(path)
        return upload is None or upload[1] in session.pages

    async def _sign_in_first(self, scope: Scope, asked: Asked, send: Send) -> None:
        if not asked.is_to_be_looked_at or scope["path"].startswith(BEHIND):
            self._tell_refused("nobody", scope["path"], scope, asked)
            await _answer(send, 401, pages.refused("nobody"))
            return
        query = scope.get("query_string", b"").decode("latin-1")
        onward = quote(scope["path"]) + (f"?{query}" if query else "")
        await _redirect(send, f"{pages.LOGIN}?onward={quote(onward, safe='')}")

    async def _auth(self, scope: Scope, asked: Asked, send: Send) -> None:
        path, query = scope["path"], dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        is_read = asked.method in ("GET", "HEAD")
        if self.settings.login is None or not is_read:
            await _answer(send, 404, pages.page("Not here", "Nobody signs in at this server."))
        elif path == pages.LOGIN:
            await self._begin(asked, scope, send, _onward(query.get("onward", "/")))
        elif path == pages.RETURN and self.provider is not None:
            await self._came_back(self.provider, asked, scope, send, query)
        elif path == pages.LOGOUT:
            await self._log_out(asked, send)
        elif path == pages.OUT:
            await _answer(send, 200, pages.signed_out(query.get("why", "")))
        else:
            await _answer(send, 404, pages.page("Not here", "There is nothing at this address."))

    async def _begin(self, asked: Asked, scope: Scope, send: Send, onward: str) -> None:
        if self.provider is None:
            login = self._login_of_headers(asked, self.sessions.clock() + self.sessions.longest)
            if login is None:
                await self._failed(scope, asked, send, "no header of the proxy")
            else:
                await self._let_in(Given(login, None, None), onward, asked, scope, send)
            return
        try:
            address, browser = await self.provider.way_there(
                self._origin(asked), onward, _cookies(asked).get(self.way_cookie)
            )
        except LoginFailed as failed:
            await self._failed(scope, asked, send, str(failed))
            return
        await _redirect(send, address, self._set_cookie(self.way_cookie, browser, 600))

    async def _came_back(
        self, provider: Provider, asked: Asked, scope: Scope, send: Send, query: dict[str, str]
    ) -> None:
        try:
            given, onward = await provider.came_back(query, _cookies(asked).get(self.way_cookie))
        except LoginFailed as failed:
            await self._failed(scope, asked, send, str(failed))
            return
        await self._let_in(given, onward, asked, scope, send)

    async def _let_in(self, given: Given, onward: str, asked: Asked, scope: Scope, send: Send) -> None:
        before = self.sessions.of(_cookies(asked).get(self.cookie))
        if before is not None:
            self._end(before, "signed out")
        tell("login", given.login, address=self._address(scope, asked))
        cookie, _ = self.sessions.begin(given.login, given.refresh_token, given.id_token)
        # Until the browser is closed; how long it is good for is decided here.
        await _redirect(send, onward, self._set_cookie(self.cookie, cookie), self._set_cookie(self.way_cookie, "", 0))

    async def _log_out(self, asked: Asked, send: Send) -> None:
        session = self.sessions.of(_cookies(asked).get(self.cookie))
        if asked.only(b"sec-fetch-site") not in (None, "none", "same-origin"):
            await _answer(send, 403, pages.refused("origin"))  # nobody is signed out by a link of somebody else's
            return
        named, onward = self.settings.login, pages.OUT
        if isinstance(named, Headers):
            onward = named.sign_out or pages.OUT
        elif session is not None and self.provider is not None:
            onward = await self.provider.way_out(self._origin(asked), session.id_token)
        if session is not None:
            self._end(session, "signed out")
        await _redirect(send, onward, self._set_cookie(self.cookie, "", 0))

    async def _failed(self, scope: Scope, asked: Asked, send: Send, why: str) -> None:
        self._tell_refused(f"login: {why}", scope["path"], scope, asked)
        await _answer(send, 403, pages.login_failed())

    def _origin(self, asked: Asked) -> str:
        """What this server is to the browser that asks, by one of its names."""
        return f"{'https' if self.is_https else 'http'}://{asked.only(b'host')}"

    def _set_cookie(self, name: str, value: str, seconds: int | None = None) -> Header:
        kept = "" if seconds is None else f"; Max-Age={seconds}"
        secure = "; Secure" if self.is_https else ""
        return b"set-cookie", f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{kept}".encode()

    def _address(self, scope: Scope, asked: Asked) -> str:
        """Where it comes from: what the proxy has added last, or the peer itself."""
        peer = _peer(scope)
        if not self.settings.server.is_proxy(peer):
            return peer
        through = asked.all(b"x-forwarded-for")
        return through[-1].rpartition(",")[2].strip()[:100] if through else peer

    # ------------------------------------------------------------------------------------------------------ websockets

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked("WEBSOCKET", scope["headers"])
        why, session = self._why_foreign(scope, asked), None
        if why is None and self.settings.login is not None:
            session = await self._session(asked)
            why = "nobody" if session is None else None
        if why is not None:
            self._tell_refused(why, scope["path"], scope, asked)
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        elif session is None:
            await self.app(scope, receive, send)
        else:
            token = OPENING.set(session)
            try:
                await self._watched(session, scope, receive, send)
            finally:
                OPENING.reset(token)

    async def _watched(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """A websocket that is shut, and says nothing more, from the moment at which its session is over."""
        over = asyncio.create_task(self._until_over(session))
        state = {"is_accepted": False, "is_shut": False}

        async def received() -> Message:
            incoming = asyncio.ensure_future(receive())
            try:
                await asyncio.wait({incoming, over}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if over.done() or not incoming.done():
                    incoming.cancel()
            if over.done():
                await shut()
                return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
            message = incoming.result()
            if message["type"] == "websocket.receive" and _is_of_person(message.get("bytes") or b""):
                self.sessions.touch(session)
            return message

        async def sent(message: Message) -> None:
            if (reason := self.sessions.reason_to_end(session)) is not None:
                self._end(session, reason)
                await shut()
                return
            state["is_accepted"] = state["is_accepted"] or message["type"] == "websocket.accept"
            await send(message)

        async def shut() -> None:
            if state["is_shut"]:
                return
            state["is_shut"] = True
            with contextlib.suppress(OSError, RuntimeError):  # the browser has gone, or was told the end already
                if state["is_accepted"]:
                    await send({"type": "websocket.send", "bytes": _way_out(session.reason or "expired")})
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})

        try:
            await self.app(scope, received, sent)
        finally:
            over.cancel()

    async def _until_over(self, session: Session) -> None:
        """Ends when it is over, whatever has ended it; asks for a longer login in time."""
        while session.reason is None:
            now = self.sessions.clock()
            if (reason := self.sessions.reason_to_end(session)) is not None:
                self._end(session, reason)
                return
            left = self.sessions.ends(session) - now
            early = session.login.expires - EARLY - now
            if session.refresh_token is not None and early <= 0:
                await self._renew(session)
                early = max(AGAIN, session.login.expires - EARLY - self.sessions.clock())
            wait = min(left, early) if session.refresh_token is not None else left
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(session.over.wait(), max(wait, 0.01))


def _is_of_person(data: bytes) -> bool:
    """Whether a message of the browser says that somebody does something: pages that follow a training ask by
    themselves."""
    from google.protobuf.message import DecodeError
    from streamlit.proto.BackMsg_pb2 import BackMsg

    try:
        message = BackMsg.FromString(data)
    except DecodeError:  # Streamlit shuts the websocket
        return False
    return message.WhichOneof("type") == "rerun_script" and not message.rerun_script.is_auto_rerun


def _way_out(reason: str) -> bytes:
    """What makes Streamlit's page go where it is said that nobody is signed in any more: nothing stays in sight."""
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    message.auth_redirect.url = f"{pages.OUT}?why={quote(reason)}"
    return message.SerializeToString()


def _onward(address: str) -> str:
    """A place on this server, or its beginning."""
    is_here = re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", address) is not None and "\\" not in address
    return address if is_here and not address.startswith(OURS) else "/"


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _text(asked: Asked, name: str | None) -> str | None:
    """A header that is there once, as text; None where it is missing, twice, or too long."""
    value = asked.only((name or "").lower().encode())
    if value is None or len(value) > 4096:
        return None
    with contextlib.suppress(UnicodeError):
        value = value.encode("latin-1").decode()
    return value.strip()


def _cookies(asked: Asked) -> dict[str, str]:
    """Those that are there once: who plants a second one of a name gets neither."""
    values: dict[str, list[str]] = {}
    for part in "; ".join(asked.all(b"cookie")).split(";"):
        name, _, value = part.strip().partition("=")
        values.setdefault(name, []).append(value)
    return {name: several[0] for name, several in values.items() if len(several) == 1}


async def _answer(send: Send, status: int, body: bytes, *headers: Header) -> None:
    policy = (b"content-security-policy", pages.POLICY.encode())
    await _send(send, status, body, policy, (b"cache-control", b"no-store"), *headers)


async def _send(send: Send, status: int, body: bytes, *headers: Header) -> None:
    content = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*content, *headers]})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, address: str, *headers: Header) -> None:
    await _answer(send, 303, b"", (b"location", address.encode("ascii", "replace")), *headers)


def app(script: str, settings: Settings) -> Any:
    """The Streamlit app of a script behind a gate of these settings."""
    from starlette.middleware import Middleware
    from streamlit.starlette import App

    limits = settings.session
    sessions, tabs = Sessions(limits.idle_minutes * 60, limits.longest_minutes * 60), Tabs()

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> Any:
        from streamlit import runtime

        if settings.login is not None:
            tabs.watch(runtime.get_instance())
        yield

    who.use(sessions if settings.login is not None else None)
    gate = Middleware(Gate, settings=settings, sessions=sessions, tabs=tabs)
    return App(script, middleware=[gate], lifespan=lifespan)
