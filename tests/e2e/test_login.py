"""Signing in at a real server by a provider on loopback: in a browser, and by raw websockets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from websockets import Subprotocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from fas_core.bench.drag import free_port
from tests.app.gate.provider import SECRET, Provider, served
from tests.conftest import tiny_samples, write_image_run

from .conftest import watched


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with served() as opened:
        yield opened


@pytest.fixture(scope="module")
def guarded(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `fas app --config` on a cache with one Run."""
    folder = tmp_path_factory.mktemp("guarded")
    write_image_run(folder / "cache", "a", tiny_samples())
    config = folder / "fas.toml"
    config.write_text(
        f'[login]\nkind = "oidc"\nissuer = "{provider.issuer}"\nclient_id = "fas"\nclient_secret_env = "FAS_SECRET"\n'
    )
    port = free_port()
    command = [sys.executable, "-P", "-m", "fas_core.cli", "app", "--cache", str(folder / "cache"), "--port", str(port)]
    environment = os.environ | {"FAS_SECRET": SECRET}
    server = subprocess.Popen([*command, "--config", str(config)], env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            assert server.poll() is None, "it has ended"
            if status(f"http://127.0.0.1:{port}/_stcore/health") == 401:
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def status(address: str, **headers: str) -> int:
    asked = urllib.request.Request(address, headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def websocket(address: str, **headers: str) -> str:
    """What comes of one: what it is closed for, "open" where it stays so for a second."""
    place = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    try:
        with connect(place, additional_headers=headers, subprotocols=[Subprotocol("streamlit")]) as opened:
            opened.recv(timeout=1)
            return "message"
    except InvalidStatus as refused:
        return str(refused.response.status_code)
    except TimeoutError:
        return "open"
    except ConnectionClosed:
        return "closed"


def test_a_person_signs_in_looks_and_signs_out(browser: Browser, guarded: str) -> None:
    for headers in ({}, {"Cookie": "fas_session=forged"}, {"Origin": "http://evil.example"}):
        assert websocket(guarded, **headers) == "403"
    assert status(f"{guarded}/_stcore/metrics") == 401
    assert status(f"{guarded}/_stcore/metrics", Host="evil.example") == 403
    context = browser.new_context(reduced_motion="reduce")
    with watched(context, guarded) as tab:
        tab.open("threshold")
        assert tab.page.url.partition("?")[0] == f"{guarded}/threshold"
        expect(tab.page.get_by_text("Signed in as Ada")).to_be_visible()
        expect(tab.page.get_by_role("heading", name="Threshold", exact=True)).to_be_visible()
        (cookie,) = [each for each in context.cookies() if each["name"] == "fas_session"]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Lax", -1)
        known = {"Cookie": f"fas_session={cookie['value']}", "Origin": guarded}
        assert websocket(guarded, **known) == "open"
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
        tab.page.go_back()
        tab.page.wait_for_url(re.compile("threshold"))  # the provider still knows them, and lets them in anew
        expect(tab.page.get_by_text("Signed in as Ada")).to_be_visible()
    context.close()
