"""The few pages of the gate itself: plain, without a script, showing nothing of what is behind it; and the app's."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
main { max-width: 32rem; margin: 18vh auto 0; padding: 0 1.5rem; line-height: 1.5; }
h1 { font-size: 1.5rem; }
a { display: inline-block; padding: 0.5rem 1rem; border-radius: 0.25rem; background: #1f5f8b; color: #fff;
  text-decoration: none; }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
LOGIN, RETURN, LOGOUT, OUT = "/auth/login", "/auth/return", "/auth/logout", "/auth/out"


def page(title: str, text: str, link: tuple[str, str] | None = None) -> bytes:
    """A page of plain texts; `link`: its address and its words."""
    way = f'<p><a href="{escape(link[0])}">{escape(link[1])}</a></p>' if link else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · FAS Explorer</title><style>{STYLE}</style>"
        f"<main><h1>{escape(title)}</h1><p>{escape(text)}</p>{way}</main></html>"
    ).encode()


# Streamlit would look for its server below the page's own address first, and wait a tenth of a second after it has not
# found it there.
WHERE = '<script>window.__streamlit = { BACKEND_BASE_URL: new URL("./", window.location.href).href }</script>'


@lru_cache
def of_app() -> str:
    """Streamlit's own page, which is all pages of the app, told where its server is."""
    import streamlit

    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    return page.replace("<head>", f"<head>{WHERE}", 1)


SIGN_IN = (LOGIN, "Sign in")
APP = ("/", "Open FAS Explorer")
WHY_OUT = {
    "idle": "Nothing was done for a while, so you were signed out.",
    "longest": "Your session has reached its longest time.",
    "expired": "Your login has run out.",
}


def signed_out(reason: str) -> bytes:
    return page("You are signed out", WHY_OUT.get(reason, "Sign in to go on."), SIGN_IN)


def login_failed() -> bytes:
    """Why stands in the log of the server: what is said here, anybody may have brought about."""
    return page("Signing in did not work", "Try again. If it happens again, ask who runs this server.", SIGN_IN)


def refused(reason: str) -> bytes:
    """What was not let in, and what somebody who meant well can do."""
    text = {
        "host": "This server does not go by the name in the address bar. Its settings name it: [server] names.",
        "origin": "The request comes from a page of another site.",
        "proxy": "This server is for the machine that it runs on, and a proxy stands in front of it. "
        "Its settings have to say so: [server] behind, and [login].",
        "peer": "This server answers its proxy alone. Use the address of the proxy.",
    }
    return page("Not let in", text.get(reason, "Sign in first."))
