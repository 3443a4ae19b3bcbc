"""Signing in by OpenID Connect: the code flow with PKCE, state and nonce, by Authlib.

Not Streamlit's own `st.login`: its cookie is the login, lasts thirty days whatever the token says, and opens the app
after a logout.
"""

from __future__ import annotations

import re
import secrets
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from app.gate.pages import OUT, RETURN
from fas_core.access.login import Login
from fas_core.access.settings import Oidc, is_loopback
from fas_core.errors import BadInputError

WAY = 600.0  # seconds that somebody may take at the provider
MOST_ON_THEIR_WAY = 10_000  # people between here and the provider; the oldest are forgotten
LEEWAY = 30  # seconds by which clocks may differ
PATIENCE = 10.0  # seconds for an answer of the provider
SIGNED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
LONGEST = 256  # characters of what a person or a group is called
MOST_GROUPS = 1000
_BROWSER = re.compile(r"[\w-]{43}")


class LoginFailed(Exception):
    """Somebody could not be signed in: why, for the log."""


@dataclass(frozen=True)
class Way:
    """One way to the provider and back."""

    browser: str  # the value of the cookie that has to come back with the code
    nonce: str
    verifier: str
    origin: str  # what this server is to that browser, "https://fas.example.org"
    onward: str
    ends: float


@dataclass(frozen=True)
class Given:
    """What the provider has said about somebody."""

    login: Login
    refresh_token: str | None
    id_token: str | None


class Provider:
    """The provider of the settings, asked by the server's loop."""

    def __init__(self, oidc: Oidc) -> None:
        """Asks nothing yet. Raises BadInputError without Authlib."""
        try:
            with warnings.catch_warnings(record=True):  # it would rather have the successor of httpx
                import httpx
                from authlib.integrations.starlette_client import StarletteOAuth2App
        except ImportError as error:
            raise BadInputError(
                "Signing in by OpenID Connect needs the extra `auth`: .venv/bin/pip install -e '.[auth]'"
            ) from error
        self.oidc = oidc
        self._ways: dict[str, Way] = {}
        self._client: Any = StarletteOAuth2App(
            None,
            "fas",
            client_id=oidc.client_id,
            client_secret=oidc.client_secret(),
            server_metadata_url=f"{oidc.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": " ".join(oidc.scopes),
                "code_challenge_method": "S256",
                "timeout": PATIENCE,
                "verify": httpx.create_ssl_context(),  # once: it reads every authority that there is
                **({} if oidc.client_secret() else {"token_endpoint_auth_method": "none"}),
            },
        )

    async def way_there(self, origin: str, onward: str, browser: str | None) -> tuple[str, str]:
        """The address to send a browser to, and the value of the cookie that it has to come back with."""
        browser = browser if browser and _BROWSER.fullmatch(browser) else secrets.token_urlsafe(32)
        await self._metadata()
        going = await self._client.create_authorization_url(f"{origin}{RETURN}")
        now = time.time()
        self._ways = {state: way for state, way in self._ways.items() if way.ends > now}
        while len(self._ways) >= MOST_ON_THEIR_WAY:
            del self._ways[next(iter(self._ways))]
        self._ways[going["state"]] = Way(browser, going["nonce"], going["code_verifier"], origin, onward, now + WAY)
        return going["url"], browser

    async def came_back(self, query: Mapping[str, str], browser: str | None) -> tuple[Given, str]:
        """Who came back, and where they were going. Raises LoginFailed; a way back is good for once."""
        way = self._ways.pop(query.get("state", ""), None)
        if way is None or way.ends <= time.time():
            raise LoginFailed("state")
        if not browser or not secrets.compare_digest(browser.encode(), way.browser.encode()):
            raise LoginFailed("another browser")
        if "error" in query or not query.get("code"):
            raise LoginFailed("refused by the provider")
        if query.get("iss", self.oidc.issuer) != self.oidc.issuer:
            raise LoginFailed("another provider")
        proof = {"code": query["code"], "code_verifier": way.verifier, "grant_type": "authorization_code"}
        token = await self._asked(self._client.fetch_access_token(f"{way.origin}{RETURN}", **proof))
        return await self._given(token, way.nonce), way.onward

    async def renewed(self, given: Given) -> Given:
        """The same person's login, made longer by the provider. Raises LoginFailed where it does not."""
        metadata = await self._metadata()
        async with self._client._get_oauth_client(**metadata) as client:
            token = await self._asked(client.refresh_token(metadata["token_endpoint"], given.refresh_token))
        if "id_token" in token:
            again = await self._given(token, None)
            if again.login.subject != given.login.subject:
                raise LoginFailed("another person")
            return Given(again.login, again.refresh_token or given.refresh_token, again.id_token)
        if "expires_in" not in token:
            raise LoginFailed("no id_token and no expires_in")
        login = given.login
        longer = Login(login.subject, login.name, login.groups, time.time() + float(token["expires_in"]))
        return Given(longer, token.get("refresh_token") or given.refresh_token, given.id_token)

    async def way_out(self, origin: str, id_token: str | None) -> str:
        """Where to be signed out at the provider too; here where it has no such place."""
        try:
            metadata = await self._metadata()
        except LoginFailed:
            return OUT
        end = metadata.get("end_session_endpoint")
        if not isinstance(end, str) or not _is_safe(end):
            return OUT
        hint = {"id_token_hint": id_token} if id_token else {}
        told = {"client_id": self.oidc.client_id, "post_logout_redirect_uri": f"{origin}{OUT}", **hint}
        return f"{end}{'&' if '?' in end else '?'}{urlencode(told)}"

    async def _metadata(self) -> dict[str, Any]:
        """What the provider says of itself; only what it signs with a key of its own is believed."""
        metadata: dict[str, Any] = await self._asked(self._client.load_server_metadata())
        if metadata.get("issuer") != self.oidc.issuer:
            self._client.server_metadata.clear()
            raise LoginFailed("the provider calls itself otherwise than [login] issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not _is_safe(metadata.get(name)):
                self._client.server_metadata.clear()
                raise LoginFailed(f"{name} is missing, or not https")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [name for name in offered if name in SIGNED]
        return metadata

    async def _given(self, token: Any, nonce: str | None) -> Given:
        if not isinstance(token, Mapping) or not isinstance(token.get("id_token"), str):
            raise LoginFailed("no id_token")
        claims = await self._asked(self._client.parse_id_token(token, nonce, self._claims(), leeway=LEEWAY))
        refresh = token.get("refresh_token")
        return Given(_login(claims, self.oidc), refresh if isinstance(refresh, str) else None, token["id_token"])

    def _claims(self) -> dict[str, Any]:
        """What has to be in a token: that it is of this provider, and for this server."""
        return {
            "iss": {"essential": True, "value": self.oidc.issuer},
            "aud": {"essential": True, "value": self.oidc.client_id},
        }

    @staticmethod
    async def _asked(answer: Any) -> Any:
        """What a call of Authlib's gives; LoginFailed whatever goes wrong in it: nobody is let in by a mistake."""
        try:
            return await answer
        except LoginFailed:
            raise
        except Exception as error:
            raise LoginFailed(f"{type(error).__name__}") from error


def _login(claims: Mapping[str, Any], oidc: Oidc) -> Login:
    subject = claims.get(oidc.subject)
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST:
        raise LoginFailed(f"no claim {oidc.subject}")
    if oidc.subject == "email" and claims.get("email_verified") is not True:
        raise LoginFailed("an address that the provider has not verified")
    names = (claims.get(claim) for claim in (oidc.name, "preferred_username", "email"))
    name = next((name for name in names if isinstance(name, str) and 0 < len(name) <= LONGEST), subject)
    groups = claims.get(oidc.groups, [])
    groups = [groups] if isinstance(groups, str) else groups
    if not isinstance(groups, list) or len(groups) > MOST_GROUPS:
        raise LoginFailed(f"claim {oidc.groups} is no list of groups")
    return Login(
        subject,
        name,
        tuple(group for group in groups if isinstance(group, str) and 0 < len(group) <= LONGEST),
        float(claims["exp"]),
    )


def _is_safe(address: object) -> bool:
    """https, or a provider on this very machine."""
    if not isinstance(address, str):
        return False
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
