"""What the settings say about people, read as a whole: a server that starts refuses what it could not keep."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass

from fas_core.access import audit
from fas_core.access.audit import Kind, Log, Value
from fas_core.access.roles import ClearFaces, Roles
from fas_core.access.settings import Settings
from fas_core.access.settings import of_process as settings_of_process


@dataclass(frozen=True)
class Policy:
    """Who may do what, and what is told of it."""

    needs_login: bool
    roles: Roles
    faces: ClearFaces
    log: Log | None  # None: nothing is told, as on a laptop whose settings do not ask for it


def of(settings: Settings) -> Policy:
    """Raises BadInputError, naming the section, for what it does not know."""
    needs_login, told = settings.login is not None, audit.Settings.of(settings.section("audit"), _at(settings, "audit"))
    return Policy(
        needs_login,
        Roles.of(settings.section("roles"), _at(settings, "roles")),
        ClearFaces.of(settings.section("faces"), _at(settings, "faces")),
        told.log if needs_login or "audit" in settings.sections else None,
    )


def tell(kind: Kind, about: Mapping[str, Value]) -> None:
    """Adds what a command is about to do to the audit log, where the settings that `FAS_CONFIG` names ask for one.

    Raises BadInputError where that cannot be written.
    """
    log = of(settings_of_process()).log
    if log is not None:
        log.add(kind, f"{getpass.getuser()} at this machine", about)


def _at(settings: Settings, section: str) -> str:
    return f"{settings.path}, [{section}]"
