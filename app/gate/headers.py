"""What browsers are told with every answer: what a page may load, that nobody may frame it, what is not to be kept."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

from app.gate import pages
from app.gate.origins import Header

STATIC = "/static/"  # Streamlit's own scripts and styles, the same for everybody
MEDIA = "/media/"
# Nothing runs or loads in what was made for one person to save, even where a browser shows it.
INERT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"


@lru_cache
def of_pages() -> str:
    """The policy of the app's pages: all from this server, but for what its own scripts make.

    Components come as `blob:` modules and pictures as `blob:` or `data:`, emotion and the charts write styles, protobuf
    counts in WebAssembly. Two scripts stand in the page itself, told by their hashes. No text becomes code: charts
    that need it, such as Plotly's in WebGL, cannot be drawn.
    """
    inline = re.findall(r"<script>(.*?)</script>", pages.of_app(), re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in inline)
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' blob: 'wasm-unsafe-eval' {hashes}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' blob: data:",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "media-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def guarded(headers: list[Header], path: str, *, is_https: bool, is_kept: bool) -> list[Header]:
    """An answer's headers with ours; `is_kept`: whether browsers may keep what is not `MEDIA`."""
    ours = {
        b"content-security-policy": (INERT if path.startswith(MEDIA) else of_pages()).encode(),
        b"x-frame-options": b"DENY",
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"same-origin",
        b"cross-origin-resource-policy": b"same-origin",
        b"cross-origin-opener-policy": b"same-origin",
        b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
    }
    if path.startswith(MEDIA) or (not is_kept and not path.startswith(STATIC)):
        ours[b"cache-control"] = b"no-store"
    if is_https:
        ours[b"strict-transport-security"] = b"max-age=31536000"
    theirs = [(name, _secure(value) if name == b"set-cookie" and is_https else value) for name, value in headers]
    had = {name for name, _ in headers}
    keeps = {b"content-security-policy"} & had  # the gate's own pages have a stricter one
    return [item for item in theirs if item[0] not in ours or item[0] in keeps] + [
        item for item in ours.items() if item[0] not in keeps
    ]


def _secure(cookie: bytes) -> bytes:
    """Streamlit knows nothing of a proxy that ends TLS."""
    return cookie if b"; secure" in cookie.lower() else cookie + b"; Secure"
