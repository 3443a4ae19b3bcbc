"""Who is let in, and who is not: the gate around a small app, with a provider on loopback."""

from __future__ import annotations

import itertools
import re
import warnings
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from app.gate import events, pages, who
from app.gate.gate import Gate
from app.gate.sessions import Sessions
from app.gate.tabs import Tabs
from fas_core.access import settings
from fas_core.access.login import Login
from fas_core.errors import BadInputError

from .provider import SECRET, Provider, served

with warnings.catch_warnings():  # it would rather have the successor of httpx
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

ORIGIN = "http://127.0.0.1:8501"
LOOK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none"}
BEHIND = [
    "/_stcore/health",
    "/_stcore/metrics",
    "/_stcore/host-config",
    "/media/a.png",
    "/static/js/a.js",
    "/component/x",
]
PROXY = settings.Server(names=("fas.example.org",), behind="proxy", proxies=("10.0.0.2",))


def answer(request: Request) -> Response:
    return PlainTextResponse(f"{request.method} {request.url.path}", headers={"set-cookie": "theirs=1; Path=/"})


async def stream(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="streamlit")
    try:
        while True:
            await websocket.send_bytes(await websocket.receive_bytes())
    except WebSocketDisconnect:
        pass


INNER = Starlette(
    routes=[
        WebSocketRoute("/_stcore/stream", stream),
        Route("/{path:path}", answer, methods=["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]),
    ]
)


@dataclass
class Door:
    """A gate, a browser before it, and what was told of it."""

    gate: Gate
    browser: TestClient
    told: list[tuple[str, str | None, dict[str, str]]] = field(default_factory=list)
    now: float = 0.0  # seconds that the clock is ahead

    def log_in(self, onward: str = "/gallery?run=a") -> Response:
        """The whole way to the provider and back; the last answer."""
        there = self.browser.get(f"{pages.LOGIN}?onward={quote(onward, safe='')}", headers=LOOK)
        assert there.status_code == 303
        return self.came_back(self.way_back(there.headers["location"]))

    def way_back(self, address: str) -> str:
        """What the provider sends a browser to."""
        import httpx

        back = urlsplit(httpx.get(address, verify=False).headers["location"])
        return f"{back.path}?{back.query}"

    def came_back(self, address: str) -> Response:
        return self.browser.get(address, headers=LOOK | {"sec-fetch-site": "cross-site"})

    def socket(self, **headers: str) -> Any:
        return self.browser.websocket_connect(f"ws{ORIGIN[4:]}/_stcore/stream", headers={"origin": ORIGIN} | headers)

    def open_status(self, path: str = "/", **headers: str) -> int:
        return self.browser.get(path, headers=headers).status_code


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with served() as opened:
        yield opened


@pytest.fixture
def oidc(provider: Provider, tmp_path: Path) -> settings.Oidc:
    provider.__dict__ |= {"person": {"sub": "u1", "name": "Ada", "groups": ["staff"]}, "lasts": 3600.0}
    provider.__dict__ |= {"signs_with": None, "algorithm": "RS256", "refreshes": False, "tokens": 0}
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    return settings.Oidc(provider.issuer, "fas", client_secret_file=tmp_path / "secret")


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes doors of settings."""
    monkeypatch.setattr(events, "_LISTENERS", [])
    opened: list[TestClient] = []

    def of(told: settings.Settings, peer: str = "127.0.0.1", origin: str = ORIGIN) -> Door:
        sessions = Sessions(1800, 28800)
        gate = Gate(INNER, told, sessions, Tabs())
        browser = TestClient(gate, base_url=origin, client=(peer, 5000), follow_redirects=False)
        at = Door(gate, browser.__enter__())
        clock = sessions.clock
        sessions.clock = lambda: clock() + at.now
        events.on(lambda kind, login, facts: at.told.append((kind, login and login.subject, dict(facts))))
        opened.append(browser)
        return at

    yield of
    for browser in opened:
        browser.__exit__(None, None, None)


@pytest.fixture
def signed_in(door: Any, oidc: settings.Oidc) -> Door:
    at: Door = door(settings.Settings(login=oidc))
    at.log_in()
    return at


# ---------------------------------------------------------------------------------------------------------- on a laptop


def test_a_laptop_answers_itself_alone(door: Any) -> None:
    at = door(settings.Settings())
    for name in ("127.0.0.1:8501", "localhost:9000", "LOCALHOST.", "[::1]:8501"):
        assert at.open_status(host=name) == 200
    for name in ("evil.example:8501", "127.0.0.1.evil.example", "localhost@evil.example", "127.0.0.1:port", ""):
        assert at.open_status(host=name) == 403
    with at.socket() as websocket:
        websocket.send_bytes(b"x")
        assert websocket.receive_bytes() == b"x"
    assert at.open_status("/auth/login") == 404  # nobody signs in
    assert {facts["why"] for _, _, facts in at.told} == {"host"}
    assert len(at.told) == 1  # a minute's refusals are told once


FOREIGN = [
    {"origin": "http://evil.example"},
    {"origin": "http://127.0.0.1:8502"},
    {"origin": "https://127.0.0.1:8501"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    {"host": "evil.example"},
]


def test_what_is_foreign_is_refused_first(door: Any, signed_in: Door) -> None:
    for at in (door(settings.Settings()), signed_in):
        for headers in FOREIGN:
            assert at.open_status("/media/a.png", **headers) == 403
            assert at.browser.put("/_stcore/upload_file/a/b", headers=headers).status_code == 403
            with pytest.raises(WebSocketDisconnect), at.socket(**headers):
                pass


def test_a_proxy_that_nobody_has_named_is_refused(door: Any) -> None:
    at = door(settings.Settings())
    for name in ("forwarded", "x-forwarded-for", "x-forwarded-host", "via"):
        assert at.open_status("/", **{name: "10.0.0.9"}) == 403


def test_an_address_below_a_page_leads_to_the_app(door: Any, signed_in: Door) -> None:
    for at in (door(settings.Settings()), signed_in):
        below = at.browser.get("/gallery/b", headers=LOOK)
        assert below.status_code == 404
        assert 'href="/"' in below.text
        for path in ("/gallery/?run=a", "/favicon.png", "/static/js/a.js"):
            assert at.browser.get(path, headers=LOOK).text == f"GET {path.partition('?')[0]}"
        assert at.open_status("/gallery/b") == 200  # by a script: not a page that somebody looks at


def test_a_page_is_told_where_its_server_is(door: Any, signed_in: Door) -> None:
    for at in (door(settings.Settings()), signed_in):
        for path in ("/", "/gallery?run=a"):
            answered = at.browser.get(path, headers=LOOK)
            told = re.search(r"<script>(window\.__streamlit = .*?)</script>\s*<meta", answered.text)
            assert told is not None
            assert '"./"' in told[1]  # beside the page: there is none below another
            assert f"sha256-{b64encode(sha256(told[1].encode()).digest()).decode()}" in policy_of(answered)
            assert answered.headers["cache-control"] == ("no-store" if at is signed_in else "no-cache")


def policy_of(answered: Response) -> str:
    return answered.headers["content-security-policy"]


# ----------------------------------------------------------------------------------------------------------- signing in


def test_nobody_gets_anything(door: Any, oidc: settings.Oidc) -> None:
    at = door(settings.Settings(login=oidc))
    look = at.browser.get("/gallery?run=a&x=%20", headers=LOOK)
    assert (look.status_code, look.headers["location"]) == (
        303,
        f"/auth/login?onward={quote('/gallery?run=a&x=%20', safe='')}",
    )
    for path in ["/", *BEHIND, "//media/a.png", "/auth/../media/a.png", "/anything"]:
        assert at.open_status(path) in (401, 404)
        assert at.browser.post(path).status_code in (401, 404)
        assert f"GET {path}" not in at.browser.get(path).text
    assert at.browser.get("/media/a.png", headers=LOOK).status_code == 401
    for cookie in ("", "fas_session=", "fas_session=forged", f"fas_session={'A' * 43}", "fas_session=a; fas_session=b"):
        assert at.open_status("/_stcore/health", cookie=cookie) == 401
        with (
            pytest.raises(WebSocketDisconnect),
            at.socket(cookie=cookie),
        ):
            pass
    assert {facts["why"] for _, _, facts in at.told} == {"nobody"}


def test_who_has_signed_in_is_let_in_and_let_go(door: Any, oidc: settings.Oidc) -> None:
    at = door(settings.Settings(login=oidc))
    back = at.log_in()
    assert (back.status_code, back.headers["location"]) == (303, "/gallery?run=a")
    cookies = back.headers.get_list("set-cookie")
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)
    cookie = at.browser.cookies["fas_session"]
    assert at.told == [("login", "u1", {"address": "127.0.0.1"})]
    (session,) = at.gate.sessions._by_hash.values()
    assert session.login == Login("u1", "Ada", ("staff",), session.login.expires)
    assert cookie not in repr(vars(at.gate.sessions))
    assert at.open_status("/gallery") == 200
    session.pages.add("tab")
    with at.socket() as websocket:
        websocket.send_bytes(b"x")
        assert websocket.receive_bytes() == b"x"
        assert at.browser.get("/auth/logout", headers=LOOK | {"sec-fetch-site": "cross-site"}).status_code == 403
        out = at.browser.get("/auth/logout", headers=LOOK | {"sec-fetch-site": "same-origin"})
        assert out.headers["location"].startswith(f"{oidc.issuer}/end?client_id=fas&post_logout_redirect_uri=")
        assert "id_token_hint" in out.headers["location"]
        said = ForwardMsg.FromString(websocket.receive_bytes())
        assert said.auth_redirect.url == "/auth/out?why=signed%20out"
        with pytest.raises(WebSocketDisconnect):
            websocket.receive_bytes()
    assert at.open_status("/_stcore/health", cookie=f"fas_session={cookie}") == 401
    assert at.told[1] == ("logout", "u1", {"why": "signed out"})
    assert at.browser.get("/auth/out").status_code == 200


@pytest.mark.parametrize(
    ("seconds", "reason"), [(1801, "idle"), (3600, "expired")], ids=["nothing done", "token expired"]
)
def test_a_session_ends(seconds: float, reason: str, signed_in: Door) -> None:
    with signed_in.socket() as websocket:
        if reason == "expired":  # somebody works all the time, and the token is short
            for signed_in.now in (1200, 2400, 3500):
                assert signed_in.open_status("/") == 200
        signed_in.now = seconds
        websocket.send_bytes(b"x")
        assert ForwardMsg.FromString(websocket.receive_bytes()).auth_redirect.url == f"/auth/out?why={reason}"
    assert signed_in.open_status("/_stcore/health") == 401
    assert signed_in.told[-2] == ("logout", "u1", {"why": reason})


def test_a_session_has_a_longest_time(signed_in: Door, provider: Provider) -> None:
    provider.lasts = 10**6
    signed_in.log_in()
    for signed_in.now in range(0, 28800, 1500):
        assert signed_in.open_status("/") == 200
    signed_in.now = 28801
    assert signed_in.open_status("/") == 401
    assert ("logout", "u1", {"why": "longest"}) in signed_in.told


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(signed_in: Door) -> None:
    by_itself, by_hand = BackMsg(), BackMsg()
    by_itself.rerun_script.is_auto_rerun = True
    by_hand.rerun_script.query_string = "run=a"
    (session,) = signed_in.gate.sessions._by_hash.values()
    with signed_in.socket() as websocket:
        for message, seen in ((by_itself, 0), (by_hand, 1000)):
            before = session.seen
            signed_in.now = 1000
            assert signed_in.open_status("/_stcore/health") == 200
            websocket.send_bytes(message.SerializeToString())
            websocket.receive_bytes()
            assert session.seen - before == pytest.approx(seen, abs=5)


def test_what_is_no_message_keeps_nobody_signed_in(signed_in: Door) -> None:
    (session,) = signed_in.gate.sessions._by_hash.values()
    with signed_in.socket() as websocket:
        seen, signed_in.now = session.seen, 1000
        websocket.send_bytes(b"\xff\xff")
        assert websocket.receive_bytes() == b"\xff\xff"  # Streamlit's to refuse
    assert session.seen == seen


def test_a_short_login_is_made_longer_while_the_provider_wants_it(signed_in: Door, provider: Provider) -> None:
    provider.lasts, provider.refreshes = 300.0, True
    signed_in.log_in()
    (session,) = signed_in.gate.sessions._by_hash.values()
    provider.person = {"sub": "u1", "name": "Ada", "groups": ["decider"]}
    provider.lasts, signed_in.now = 900.0, 290
    assert [signed_in.open_status("/"), signed_in.open_status("/")] == [200, 200]
    assert session.login.groups == ("decider",)
    asked, provider.refreshes, signed_in.now = provider.tokens, False, 890
    assert signed_in.open_status("/") == 200  # it is good for ten more seconds
    assert provider.tokens == asked
    signed_in.now = 901
    assert signed_in.open_status("/") == 401


def test_somebody_elses_login_makes_none_longer(signed_in: Door, provider: Provider) -> None:
    provider.lasts, provider.refreshes = 300.0, True
    signed_in.log_in()
    provider.person, signed_in.now = {"sub": "u2"}, 290
    assert signed_in.open_status("/") == 200
    signed_in.now = 301
    assert signed_in.open_status("/") == 401


FORGED: dict[str, dict[str, Any]] = {
    "expired": {"lasts": -60.0},
    "another client's": {"person": {"sub": "u1", "aud": "other"}},
    "another issuer's": {"person": {"sub": "u1", "iss": "https://evil.example"}},
    "another nonce": {"person": {"sub": "u1", "nonce": "other"}},
    "nobody's": {"person": {"sub": ""}},
    "signed by another key": {"signs_with": RSAKey.generate_key(2048, {"kid": "one"})},
    "signed with the secret": {"signs_with": OctKey.import_key(SECRET), "algorithm": "HS256"},
    "not signed": {"algorithm": "none"},
}


@pytest.mark.parametrize("name", FORGED)
def test_a_token_that_is_not_right_lets_nobody_in(
    name: str, door: Any, oidc: settings.Oidc, provider: Provider
) -> None:
    at = door(settings.Settings(login=oidc))
    provider.__dict__ |= FORGED[name]
    back = at.log_in()
    assert provider.tokens == 1
    assert back.status_code == 403
    assert SECRET not in back.text
    assert "fas_session" not in at.browser.cookies
    assert [kind for kind, _, _ in at.told] == ["refused"]


def test_a_way_back_is_good_once_in_the_browser_that_went(door: Any, oidc: settings.Oidc, provider: Provider) -> None:
    at = door(settings.Settings(login=oidc))
    start = at.browser.get(pages.LOGIN, headers=LOOK)
    asked = parse_qs(urlsplit(start.headers["location"]).query)
    assert asked["redirect_uri"] == [f"{ORIGIN}/auth/return"]
    back = at.way_back(start.headers["location"])
    assert at.came_back(back.replace("state=", "state=x")).status_code == 403
    way = at.browser.cookies.pop("fas_way")
    at.browser.cookies.clear()
    assert at.came_back(back).status_code == 403  # another browser: nobody is signed in as somebody else
    at.browser.cookies["fas_way"] = way
    assert at.came_back(back).status_code == 403  # and it was good for once
    assert provider.tokens == 0
    at.browser.cookies.clear()
    assert at.log_in("//evil.example/").headers["location"] == "/"
    for onward in ("https://evil.example", "/\\evil.example", "/a\r\nx: y", "/auth/logout", ""):
        assert at.log_in(onward).headers["location"] == "/"


def test_a_provider_that_does_not_answer_lets_nobody_in(door: Any) -> None:
    at = door(settings.Settings(login=settings.Oidc("http://127.0.0.1:9", "fas")))
    answered = at.browser.get(pages.LOGIN, headers=LOOK)
    assert answered.status_code == 403
    assert "Signing in did not work" in answered.text


def test_a_login_that_cannot_be_told_does_not_happen(door: Any, oidc: settings.Oidc) -> None:
    at = door(settings.Settings(login=oidc))

    def full(*_: object) -> None:
        raise BadInputError("the disk is full")

    events.on(full)
    with pytest.raises(BadInputError, match="full"):
        at.log_in()
    assert at.gate.sessions._by_hash == {}


# ------------------------------------------------------------------------------------------------------- behind a proxy


def test_headers_are_believed_of_the_proxy_alone(door: Any) -> None:
    told = settings.Settings(server=PROXY, login=settings.Headers("X-User", "X-Name", "X-Groups", "/sign_out"))
    ada = {
        "x-user": "ada",
        "x-name": "Åda".encode(),
        "x-groups": "staff, deciders,",
        "x-forwarded-for": "1.1.1.1, 7.7.7.7",
    }
    origin = "https://fas.example.org"
    elsewhere = door(told, peer="10.0.0.3", origin=origin)
    assert elsewhere.open_status("/", **ada, **LOOK) == 403
    assert elsewhere.open_status(pages.LOGIN, **ada, **LOOK) == 403
    at = door(told, peer="::ffff:10.0.0.2", origin=origin)
    assert at.open_status("/", **LOOK) == 303
    assert at.open_status(pages.LOGIN, **LOOK) == 403  # the proxy says nobody
    doubled = [*LOOK.items(), ("x-user", "ada"), ("x-user", "admin")]
    assert at.browser.get(pages.LOGIN, headers=doubled).status_code == 403
    back = at.browser.get(pages.LOGIN, headers=ada | LOOK)
    cookie = next(c for c in back.headers.get_list("set-cookie") if "session" in c)
    assert cookie.startswith("__Host-fas_session=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert ("login", "ada", {"address": "7.7.7.7"}) in at.told
    (session,) = at.gate.sessions._by_hash.values()
    assert (session.login.name, session.login.groups) == ("Åda", ("staff", "deciders"))
    answered = at.browser.get("/", headers=ada | {"x-groups": "staff"})
    assert answered.status_code == 200
    assert "theirs=1; Path=/; Secure" in answered.headers.get_list("set-cookie")
    assert answered.headers["strict-transport-security"] == "max-age=31536000"
    assert session.login.groups == ("staff",)
    assert at.browser.get("/auth/logout", headers=ada | LOOK).headers["location"] == "/sign_out"
    assert at.open_status("/", **ada) == 401
    at.browser.get(pages.LOGIN, headers=ada | LOOK)
    assert at.open_status("/", **ada) == 200
    assert at.open_status("/", **ada | {"x-user": "bob"}) == 401  # ada's cookie with bob's name
    assert at.open_status("/", **ada) == 401


# ------------------------------------------------------------------------------------------------- what answers bear


def test_every_answer_bears_what_browsers_have_to_know(door: Any, signed_in: Door) -> None:
    signed_in.gate.tabs._files["tab"] = {"a"}
    (session,) = signed_in.gate.sessions._by_hash.values()
    session.pages.add("tab")
    paths = ["/", "/media/a.png", "/static/js/a.js", "/auth/out", "/_stcore/health"]
    cases = itertools.product((signed_in, door(settings.Settings())), paths, ({}, {"host": "evil"}))
    for at, path, foreign in cases:
        headers = at.browser.get(path, headers=foreign).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert len(headers.get_list("content-security-policy")) == 1
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        if "/media/" in path or (at is signed_in and "/static/" not in path):
            assert headers["cache-control"] == "no-store"
    policy = signed_in.browser.get("/").headers["content-security-policy"]
    assert "'unsafe-eval'" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]


# ------------------------------------------------------------------------------------------------- tabs and their files


class Manager:
    """As much of Streamlit's as the tabs watch."""

    def __init__(self) -> None:
        self.later: dict[str, Any] = {}

    def add(self, data: bytes, mimetype: str, coordinates: str) -> str:
        return f"/media/{data.decode()}.png"

    def add_deferred(self, data_callable: Any, mimetype: str, coordinates: str) -> str:
        self.later[coordinates] = data_callable
        return coordinates

    def execute_deferred(self, file_id: str) -> str:
        return self.add(self.later[file_id](), "", "")


class Runtime:
    def __init__(self) -> None:
        self.media_file_mgr = Manager()
        self.closed: list[str] = []

    def connect_session(self, client: str, user_info: object, existing_session_id: str | None = None) -> str:
        return existing_session_id or client

    def close_session(self, page: str) -> None:
        self.closed.append(page)


def test_a_tab_and_its_files_are_of_one_login(signed_in: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.gate import tabs

    runtime, gate = Runtime(), signed_in.gate
    gate.tabs.watch(runtime)
    (ada,) = gate.sessions._by_hash.values()
    ada_cookie = signed_in.browser.cookies["fas_session"]
    _, bob = gate.sessions.begin(Login("u2", "Bob", (), ada.login.expires))
    for session, tab in ((ada, "tab-a"), (bob, "tab-b")):
        tabs.OPENING.set(session)
        assert runtime.connect_session(tab, {}) == tab
        assert runtime.connect_session(tab, {}, existing_session_id=tab) == tab
    assert runtime.connect_session("tab-b2", {}, existing_session_id="tab-a") == "tab-b2"  # bob asks for ada's
    assert runtime.connect_session("tab-b3", {}, "tab-a") == "tab-b3"
    tabs.OPENING.set(None)

    @dataclass
    class Context:
        session_id: str = "tab-b"

    monkeypatch.setattr(who, "get_script_run_ctx", lambda **_: Context())
    monkeypatch.setattr(tabs, "get_script_run_ctx", lambda **_: Context())
    who.use(gate.sessions)
    try:
        runtime.media_file_mgr.add(b"bobs", "image/png", "0")
        asked: list[Login | None] = []
        file = runtime.media_file_mgr.add_deferred(lambda: asked.append(who.login()) or b"later", "", "1")
        monkeypatch.setattr(who, "get_script_run_ctx", lambda **_: None)  # a thread of its own
        with pytest.raises(BadInputError, match="no longer signed in"):
            who.login()
        runtime.media_file_mgr.execute_deferred(file)
        assert asked == [bob.login]
        for path in ("/media/bobs.png", "/media/later.png", "/media/later.html", "/_stcore/upload_file/tab-b/f"):
            assert signed_in.open_status(path, cookie=f"fas_session={ada_cookie}") == 404
            assert gate._may_have(bob, path)
        assert signed_in.open_status("/_stcore/upload_file/tab-a/f") == 200
        gate._end(bob, "signed out")
        assert sorted(runtime.closed) == ["tab-b", "tab-b2", "tab-b3"]
        with pytest.raises(BadInputError, match="no longer signed in"):
            runtime.media_file_mgr.execute_deferred(file)
    finally:
        who.use(None)
    assert who.login() is None
