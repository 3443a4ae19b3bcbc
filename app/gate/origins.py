"""Whether a request is meant for this server, and comes from one of its own pages.

A name that leads here without being this server's is how a page of somebody else's reaches a server on loopback (DNS
rebinding); a page of another origin can send requests with the cookies of who looks at it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

Header = tuple[bytes, bytes]  # names in lower case, as servers hand them on

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(:\d{1,5})?")
# What proxies add: their requests are those of people elsewhere, and nobody here knows whose.
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via")


class Asked(NamedTuple):
    """How something was asked for."""

    method: str  # "WEBSOCKET" of one
    headers: Sequence[Header]

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key == name]

    def only(self, name: bytes) -> str | None:
        """The value of a header that is there once; None where it is missing or repeated."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    @property
    def is_to_be_looked_at(self) -> bool:
        """Whether a person has gone there, not a page's script, image or frame."""
        mode, dest = self.only(b"sec-fetch-mode"), self.only(b"sec-fetch-dest")
        if self.method not in ("GET", "HEAD"):
            return False
        if mode is None and dest is None:
            return "text/html" in (self.only(b"accept") or "")
        return mode == "navigate" and dest == "document"


def host_of(value: str) -> str | None:
    """The name in a header Host, in lower case, without its port; None where it is none."""
    parts = _HOST.fullmatch(value.strip().lower())
    return parts[1].strip("[]") if parts else None


def why_refused(asked: Asked, names: Collection[str], scheme: str) -> str | None:
    """ "host" or "origin" for what is not meant for a server of these names or not sent by its own pages.

    `scheme`: by which browsers reach it.
    """
    host = asked.only(b"host")
    if host is None or host_of(host) not in names:
        return "host"
    origins = asked.all(b"origin")
    if any(origin.lower() != f"{scheme}://{host.strip().lower()}" for origin in origins):
        return "origin"
    if asked.only(b"sec-fetch-site") in ("cross-site", "same-site") and not asked.is_to_be_looked_at:
        return "origin"
    return None


def is_forwarded(headers: Iterable[Header]) -> bool:
    """Whether a proxy has had it in its hands."""
    return any(name in FORWARDED for name, _ in headers)
