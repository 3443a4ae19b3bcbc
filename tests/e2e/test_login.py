"""Signing in at a real server by a provider on loopback: in a browser, and by raw websockets."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, BrowserContext, expect

from fas_core.access.audit import Log
from fas_core.bench.drag import free_port
from tests.app.gate.provider import SECRET, Provider, served
from tests.conftest import PROJECT, tiny_samples, write_image_run

from .conftest import watched


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with served() as opened:
        yield opened


# Tells of every way out of this machine that a process tries.
WATCH = """
import socket
from ipaddress import ip_address
def told(name, at):
    plain = getattr(socket.socket, name)
    def call(self, *arguments):
        address = arguments[at]
        if isinstance(address, tuple) and not ip_address(address[0]).is_loopback:
            with open({out!r}, "a") as file:
                print(name, address, file=file)
            raise OSError("nothing is to be reached")
        return plain(self, *arguments)
    setattr(socket.socket, name, call)
for name in ("connect", "connect_ex"):
    told(name, 0)
told("sendto", -1)
plain = socket.getaddrinfo
def getaddrinfo(host, *arguments, **named):
    if host not in (None, "localhost", "127.0.0.1", "0.0.0.0"):
        with open({out!r}, "a") as file:
            print("getaddrinfo", host, file=file)
        raise OSError("nothing is to be asked for")
    return plain(host, *arguments, **named)
socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def guarded(provider: Provider, folder: Path) -> Iterator[str]:
    """The address of `fas app --config` on every address of this machine, on a cache with one Run.

    By a certificate of its own; in an environment that would rather ask the internet, and that tells of it.
    """
    write_image_run(folder / "cache", "a", tiny_samples())
    write_certificate(folder)
    port = free_port()
    (folder / "fas.toml").write_text(
        f"""
        [server]
        host = "0.0.0.0"
        port = {port}
        names = ["127.0.0.1"]
        certificate = "{folder / "certificate.pem"}"
        key = "{folder / "key.pem"}"
        [login]
        kind = "oidc"
        issuer = "{provider.issuer}"
        client_id = "fas"
        client_secret_env = "FAS_SECRET"
        [[roles.viewer]]
        people = ["*"]
        [audit]
        folder = "{folder / "audit"}"
        """
    )
    (folder / "sitecustomize.py").write_text(WATCH.replace("{out!r}", repr(str(folder / "asked"))))
    paths = os.pathsep.join([str(folder), str(PROJECT)])
    wishes = {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "true", "STREAMLIT_SERVER_ENABLE_CORS": "false"}
    command = [sys.executable, "-P", "-m", "fas_core.cli", "app", "--cache", str(folder / "cache")]
    environment = os.environ | wishes | {"FAS_SECRET": SECRET, "PYTHONPATH": paths}
    server = subprocess.Popen([*command, "--config", str(folder / "fas.toml")], env=environment)
    address = f"https://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 120
        while status(f"{address}/_stcore/health") != 401:
            assert server.poll() is None, "it has ended"
            assert time.monotonic() < end, "it does not answer"
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def write_certificate(folder: Path) -> None:
    """For "localhost", by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    unlocked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(unlocked)


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def status(address: str, **headers: str) -> int:
    asked = urllib.request.Request(address, headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(asked, timeout=10, context=trusting()) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def websocket(address: str, **headers: str) -> str:
    """What comes of one: the status by which it is refused, or "open". By hand: the client of `websockets` waits for
    its own thread for ever where TLS does not wake it when the answer was no."""
    place = urllib.parse.urlsplit(address)
    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Protocol": "streamlit"}
    asked |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode()}
    with closing(HTTPSConnection(place.netloc, timeout=30, context=trusting())) as connection:
        connection.request("GET", "/_stcore/stream", headers=asked | headers)
        status = connection.getresponse().status
    return "open" if status == HTTPStatus.SWITCHING_PROTOCOLS else str(status)


def cookie_of(context: BrowserContext) -> str:
    (cookie,) = [each for each in context.cookies() if each["name"] == "__Host-fas_session"]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["expires"]) == (True, True, "Lax", -1)
    return f"__Host-fas_session={cookie['value']}"


def test_a_person_signs_in_looks_and_signs_out(browser: Browser, guarded: str, folder: Path) -> None:
    for headers in ({}, {"Cookie": "__Host-fas_session=forged"}, {"Origin": "http://evil.example"}):
        assert websocket(guarded, **headers) == "403"
    assert status(f"{guarded}/_stcore/metrics") == 401
    assert status(f"{guarded}/_stcore/metrics", Host="evil.example") == 403
    context = browser.new_context(reduced_motion="reduce", ignore_https_errors=True)
    with watched(context, guarded) as tab:
        tab.open("threshold")
        assert tab.page.url.partition("?")[0] == f"{guarded}/threshold"
        expect(tab.page.get_by_text("Signed in as Ada")).to_be_visible()
        expect(tab.page.get_by_role("heading", name="Threshold", exact=True)).to_be_visible()
        known = {"Cookie": cookie_of(context), "Origin": guarded}
        assert websocket(guarded, **known) == "open"
        assert websocket(guarded, **known | {"Origin": "http://evil.example"}) == "403"
        assert status(f"{guarded}/_stcore/metrics", Cookie=known["Cookie"]) == 200
        assert [text for text in tab.wrong if not text.startswith("foreign request")] == []  # but for the provider
        second = context.new_page()
        second.goto(guarded)
        expect(second.get_by_text("Signed in as Ada")).to_be_visible()
        tab.page.get_by_role("link", name="Sign out").click()
        for page in (tab.page, second):  # the other tab shows nothing any more, either
            expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
        assert websocket(guarded, **known) == "403"
        assert status(f"{guarded}/_stcore/metrics", Cookie=known["Cookie"]) == 401
        tab.page.goto(f"{guarded}/threshold")  # the provider still knows them, and lets them in anew
        expect(tab.page.get_by_text("Signed in as Ada")).to_be_visible()
    context.close()
    assert not (folder / "asked").exists(), (folder / "asked").read_text()
    told = [(entry.kind, entry.who, entry.about.get("why")) for entry in Log(folder / "audit").entries()]
    assert {("refused", "", "nobody"), ("refused", "", "host"), ("refused", "", "origin")} <= set(told)
    of_ada = [(kind, why) for kind, who, why in told if who == "Ada (u1)"]
    assert of_ada == [("login", None), ("logout", "signed out"), ("login", None)]
