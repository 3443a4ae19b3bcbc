"""A provider of OpenID Connect on loopback, which signs in whoever `person` is, without asking."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

SECRET = "s3cret-of-the-provider"
CLIENT = "fas"


class Provider:
    """`person`: claims of the next token, over the usual ones. `lasts`: seconds that it is good for."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.person: dict[str, Any] = {"sub": "u1", "name": "Ada", "groups": ["staff"]}
        self.lasts = 3600.0
        self.signs_with: Any = None  # another key than the one it publishes
        self.algorithm = "RS256"
        self.refreshes = False
        self.asked: dict[str, dict[str, str]] = {}  # by code, what the browser came with
        self.tokens = 0
        self.issuer = ""
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/jwks", lambda _: JSONResponse({"keys": [self.key.as_dict(private=False)]})),
                Route("/end", lambda request: RedirectResponse(request.query_params["post_logout_redirect_uri"])),
            ]
        )

    def configuration(self, _: Request) -> Response:
        names = {"authorization": "authorize", "token": "token", "end_session": "end"}
        places = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in names.items()}
        signed = {"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}
        return JSONResponse({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", **places, **signed})

    def authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        code = secrets.token_urlsafe(8)
        self.asked[code] = query
        return RedirectResponse(f"{query['redirect_uri']}?code={code}&state={query['state']}")

    async def token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        who = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        assert who == f"{CLIENT}:{SECRET}"
        if form["grant_type"] == "refresh_token":
            if not self.refreshes:
                return JSONResponse({"error": "invalid_grant"}, 400)
            nonce = None
        else:
            asked = self.asked.pop(form["code"])
            challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
            assert asked["code_challenge_method"] == "S256"
            assert asked["code_challenge"] == challenge.decode()
            assert asked["redirect_uri"] == form["redirect_uri"]
            nonce = asked["nonce"]
        self.tokens += 1
        answer = {"access_token": secrets.token_urlsafe(8), "token_type": "Bearer", "expires_in": int(self.lasts)}
        refresh = {"refresh_token": secrets.token_urlsafe(8)} if self.refreshes else {}
        return JSONResponse({**answer, **refresh, "id_token": self.signed(nonce)})

    def signed(self, nonce: str | None) -> str:
        now = time.time()
        usual = {"iss": self.issuer, "aud": CLIENT, "iat": int(now), "exp": int(now + self.lasts)}
        claims = {**usual, **({"nonce": nonce} if nonce else {}), **self.person}
        header = {"alg": self.algorithm, "kid": "one"}
        if self.algorithm == "none":
            parts = (base64.urlsafe_b64encode(str(p).replace("'", '"').encode()).rstrip(b"=") for p in (header, claims))
            return ".".join([*(part.decode() for part in parts), ""])
        return jwt.encode(header, claims, self.signs_with or self.key, algorithms=[self.algorithm])


@contextmanager
def served() -> Iterator[Provider]:
    """On a free port, until the block ends."""
    provider = Provider()
    server = uvicorn.Server(uvicorn.Config(provider.app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join(timeout=10)
