"""The settings file of a server, `fas app --config fas.toml`: read by its types, or refused by name.

    [server]
    host = "0.0.0.0"
    names = ["fas.example.org"]               # as in the address bar of a browser; no port
    certificate = "/etc/fas/fas.pem"          # and key; or behind = "proxy" and proxies = ["10.0.0.2"]
    key = "/etc/fas/fas.key"

    [login]
    kind = "oidc"
    issuer = "https://login.example.org/realms/faces"
    client_id = "fas"
    client_secret_file = "/run/secrets/fas"   # or client_secret_env = "FAS_SECRET": never the secret itself

    [session]
    idle_minutes = 30
    longest_minutes = 480

What is in `HANDED_ON` is read by those whose sections they are: `settings.section("roles")`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fas_core import documents
from fas_core.errors import BadInputError
from fas_core.files import opened_file, shortened

CONFIG = "FAS_CONFIG"  # the variable by which a process is told where the file is
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8501
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")  # what this machine is called where nobody else reaches it
HANDED_ON = ("roles", "audit", "faces")
LARGEST = 2**20  # bytes of the file, and of one with a secret
LONGEST = 7 * 24 * 60  # minutes that a session may be allowed to last

T = TypeVar("T")
_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*|\[[0-9a-f:]+\]|[0-9a-f:]*:[0-9a-f:]+")
_HEADER = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True)
class Server:
    """Where the app listens, what it is called there, and who ends TLS: itself by a certificate, or a proxy."""

    host: str | None = None
    port: int | None = None
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    behind: str | None = None  # "proxy"
    proxies: tuple[str, ...] = ()  # addresses or networks from which alone requests are taken

    @property
    def is_behind_proxy(self) -> bool:
        return self.behind == "proxy"

    @property
    def is_https(self) -> bool:
        """Whether browsers reach it by TLS."""
        return self.is_behind_proxy or self.certificate is not None

    def is_proxy(self, address: str) -> bool:
        """Whether a request from this address is one of the proxy in front."""
        try:
            peer = ip_address(address)
        except ValueError:
            return False
        peer = (peer.ipv4_mapped or peer) if isinstance(peer, IPv6Address) else peer
        return any(peer in network for network in _networks(self.proxies))


@dataclass(frozen=True)
class Oidc:
    """OpenID Connect, code flow. `subject`, `name`, `groups`: the claims that say who somebody is."""

    issuer: str
    client_id: str
    client_secret_env: str | None = field(default=None, repr=False)  # somebody may write the secret itself here
    client_secret_file: Path | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    subject: str = "sub"
    name: str = "name"
    groups: str = "groups"

    def client_secret(self) -> str | None:
        """The secret, read anew; None where none is set. Raises BadInputError where it is not where it should be."""
        if self.client_secret_env is not None:
            secret = os.environ.get(self.client_secret_env, "").strip()
            if not secret:
                raise BadInputError(
                    "The variable that [login] client_secret_env names is empty. Set it to the secret that the "
                    "provider has given."
                )
            return secret
        return None if self.client_secret_file is None else _secret_of(self.client_secret_file)


@dataclass(frozen=True)
class Headers:
    """A proxy that has signed people in, and says who they are in headers; groups are separated by commas."""

    subject: str
    name: str | None = None
    groups: str | None = None
    sign_out: str | None = None  # where the proxy signs people out, such as /oauth2/sign_out


@dataclass(frozen=True)
class Session:
    """How long a login is good for, in minutes: without anything being done, and altogether."""

    idle_minutes: int = 30
    longest_minutes: int = 480


@dataclass(frozen=True)
class Settings:
    """What the file says; without one, a laptop's: nobody signs in, and nobody else is let in."""

    path: Path | None = None
    server: Server = Server()
    login: Oidc | Headers | None = None
    session: Session = Session()
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def section(self, name: str) -> Mapping[str, Any]:
        """A section that others read, as the file has it; empty where it has none."""
        if name not in HANDED_ON:
            raise KeyError(name)
        return self.sections.get(name, {})

    @property
    def names(self) -> tuple[str, ...]:
        """What the server may be called by a browser, in lower case."""
        return self.server.names or LOOPBACK_NAMES


def read(path: Path) -> Settings:
    """Raises BadInputError naming the file, the key, and what would be right."""
    try:
        with opened_file(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise BadInputError(f"{path} is longer than {LARGEST:,} bytes, which no file of settings is.")
        tables = tomllib.loads(content.decode())
    except OSError as error:
        raise BadInputError(f"Cannot read {path} ({error.strerror}). Give a file: fas app --config fas.toml") from error
    except (ValueError, RecursionError) as error:  # also what is no UTF-8
        raise BadInputError(f"{path} is not TOML: {shortened(str(error), 80)}") from error
    for name, table in tables.items():
        if name not in ("server", "login", "session", *HANDED_ON):
            known = ", ".join(f"[{section}]" for section in ("server", "login", "session", *HANDED_ON))
            raise BadInputError(f"{path}: there is no section [{shortened(name)}]. Sections are {known}.")
        if not isinstance(table, dict):
            raise BadInputError(f"{path}: '{name}' is a section. Write [{name}] on a line of its own.")
    return Settings(
        path.resolve(),
        _server(tables.get("server", {}), path),
        _login(tables["login"], path) if "login" in tables else None,
        _session(tables.get("session", {}), path),
        {name: tables[name] for name in HANDED_ON if name in tables},
    )


def of_process() -> Settings:
    """Those of the file that `FAS_CONFIG` names, or a laptop's."""
    named = os.environ.get(CONFIG)
    return read(Path(named)) if named else Settings()


def is_loopback(host: str) -> bool:
    """Whether what listens on this address is reached from this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False  # "" is every address, and what a name stands for can change


def require_safe(settings: Settings, host: str) -> None:
    """Raises BadInputError, saying all that is to be set, where others could come in that nobody has signed in."""
    server = settings.server
    if is_loopback(host) and not server.is_behind_proxy and settings.login is None:
        return
    lacking = []
    if settings.login is None:
        lacking.append('[login] kind = "oidc" or "headers"')
    if not is_loopback(host) or server.is_behind_proxy:
        if not server.names:
            lacking.append('[server] names = ["fas.example.org"]')
        if not server.is_https:
            lacking.append('[server] certificate and key, or behind = "proxy" and proxies')
    if isinstance(settings.login, Headers) and not server.is_behind_proxy:
        lacking.append('[server] behind = "proxy" and proxies, whose headers are believed')
    if lacking:
        where = settings.path or "fas.toml"
        others = f"others reach {host or 'every address'}" if not is_loopback(host) else f"{where} says who may come in"
        alone = " For this machine alone: --host 127.0.0.1" if not is_loopback(host) else ""
        raise BadInputError(
            f"Cannot serve without a login, names and TLS where {others}: faces are personal data. Set in {where}: "
            f'{"; ".join(lacking)}. Then: fas app --config {where} (README, "Operating").{alone}'
        )


def _server(table: dict[str, Any], path: Path) -> Server:
    server = _record(Server, table, path, "server")
    at = f"{path}, [server]"
    if server.port is not None and not 1 <= server.port <= 65535:
        raise BadInputError(f"{at} port: {server.port} is none. Ports are from 1 to 65535.")
    for name in server.names:
        if not _NAME.fullmatch(name.lower()):
            raise BadInputError(
                f"{at} names: '{shortened(name)}' is no name of a host. Write it as fas.example.org, without https:// "
                "and without a port; there are no patterns."
            )
    if (server.certificate is None) != (server.key is None):
        lacking = "key" if server.key is None else "certificate"
        raise BadInputError(f"{at} {lacking} is missing: a certificate and its key belong together.")
    for name, file in (("certificate", server.certificate), ("key", server.key)):
        if file is not None and not file.is_file():
            raise BadInputError(f"{at} {name}: {file} is no file.")
    if server.behind not in (None, "proxy"):
        raise BadInputError(f"{at} behind: '{shortened(server.behind or '')}' is not known. Write \"proxy\".")
    if server.is_behind_proxy != bool(server.proxies):
        raise BadInputError(
            f'{at} behind = "proxy" and proxies belong together: proxies = ["10.0.0.2"] lists the addresses from '
            "which alone requests are taken."
        )
    _networks(server.proxies, f"{at} proxies")
    names = tuple(name.lower().strip("[]") for name in server.names)
    return Server(**{each.name: getattr(server, each.name) for each in fields(server)} | {"names": names})


def _networks(proxies: tuple[str, ...], at: str = "") -> list[IPv4Network | IPv6Network]:
    networks = []
    for text in proxies:
        try:
            network = ip_network(text)
        except ValueError:
            raise BadInputError(f"{at}: '{shortened(text)}' is no address. Write 10.0.0.2 or 10.0.1.0/24.") from None
        if network.num_addresses > 2**16:
            raise BadInputError(f"{at}: {text} is half the world. List the proxy's own addresses.")
        networks.append(network)
    return networks


def _login(table: dict[str, Any], path: Path) -> Oidc | Headers:
    rest = {name: value for name, value in table.items() if name != "kind"}
    at = f"{path}, [login]"
    if table.get("kind") == "oidc":
        return _checked_oidc(_record(Oidc, rest, path, "login"), at)
    if table.get("kind") == "headers":
        headers = _record(Headers, rest, path, "login")
        for name in ("subject", "name", "groups"):
            value = getattr(headers, name)
            if value is not None and not _HEADER.fullmatch(value):
                raise BadInputError(f"{at} {name}: '{shortened(value)}' is no header. Write X-Forwarded-User.")
        if headers.sign_out is not None and not headers.sign_out.startswith(("/", "https://")):
            raise BadInputError(
                f"{at} sign_out: write a path (/oauth2/sign_out) or an address that begins with https://"
            )
        return headers
    raise BadInputError(f'{at} kind is missing or not known. Write kind = "oidc" or kind = "headers".')


def _checked_oidc(oidc: Oidc, at: str) -> Oidc:
    issuer = urlsplit(oidc.issuer)
    is_safe = issuer.scheme == "https" or (issuer.scheme == "http" and is_loopback(issuer.hostname or ""))
    if not is_safe or not issuer.hostname or issuer.query or issuer.fragment or issuer.username:
        raise BadInputError(
            f"{at} issuer: write the address that the provider calls itself, beginning with https://, such as "
            "https://login.example.org/realms/faces"
        )
    if oidc.client_secret_env is not None and oidc.client_secret_file is not None:
        raise BadInputError(f"{at} has client_secret_env and client_secret_file. Leave out one of them.")
    if "openid" not in oidc.scopes:
        raise BadInputError(f'{at} scopes: "openid" is missing.')
    for name in ("client_id", "subject", "name", "groups"):
        if not getattr(oidc, name):
            raise BadInputError(f"{at} {name} is empty. Leave it out, or name what the provider calls it.")
    oidc.client_secret()  # better now than at somebody's first login
    return oidc


def _session(table: dict[str, Any], path: Path) -> Session:
    session = _record(Session, table, path, "session")
    for name in ("idle_minutes", "longest_minutes"):
        if not 1 <= getattr(session, name) <= LONGEST:
            raise BadInputError(f"{path}, [session] {name}: write a whole number of minutes from 1 to {LONGEST}.")
    if session.idle_minutes > session.longest_minutes:
        raise BadInputError(f"{path}, [session] idle_minutes is more than longest_minutes. Make it at most as much.")
    return session


def _record(kind: type[T], table: dict[str, Any], path: Path, section: str) -> T:
    """A section as its dataclass."""
    known = [each.name for each in fields(kind)]  # type: ignore[arg-type]
    if strange := [name for name in table if name not in known]:
        hint = " A secret stands in a file or a variable, never here." if "secret" in strange[0].lower() else ""
        raise BadInputError(
            f"{path}, [{section}]: there is no '{shortened(strange[0])}'. Keys are {', '.join(known)}.{hint}"
        )
    return documents.read_as(kind, table, f"{path}, [{section}]")


def _secret_of(path: Path) -> str:
    try:
        with opened_file(path) as file:
            content = file.read(LARGEST)
    except OSError as error:
        raise BadInputError(
            f"Cannot read the file that [login] client_secret_file names ({error.strerror}). Write the secret that the "
            "provider has given into it, readable for the server alone."
        ) from error
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        secret = ""
    if not secret or len(secret.splitlines()) > 1:
        raise BadInputError(
            "The file that [login] client_secret_file names should hold one line: the secret of the provider."
        )
    return secret
