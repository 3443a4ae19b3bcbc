"""Who may do what with which Runs: roles are sets of rights, and the settings grant them to people and groups.

    [[roles.analyst]]
    groups = ["pad-lab"]
    [[roles.face_reader]]
    people = ["ada@example.org"]     # by the login's subject; "*": whoever has logged in
    runs = ["small_*", "0a1b2c3d4e5f"]  # by name or id, with * and ?; left out: all Runs

No role holds another one: who is to mark images and to see them clear has two. Without a login (the app on one's own
machine) everything is allowed, and nothing here is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase

from fas_core import documents
from fas_core.access.login import Login
from fas_core.errors import BadInputError

LONGEST_SIGNATURE = 100  # characters: what marks and cards keep of a name
ANYBODY = ALL_RUNS = "*"


class Right(StrEnum):
    """What somebody may do with a Run, in the words of a refusal: "you may not ..."."""

    NUMBERS = "see it"
    PICTURES = "see its images"  # pixelated
    MARK = "keep marks, notes, labels and selections of it"
    FACES = "see its faces clear"
    DECIDE = "decide about it"  # cards, approvals
    ADMINISTER = "delete what is kept of it"


_LOOKS = frozenset({Right.NUMBERS, Right.PICTURES})
ROLES: dict[str, frozenset[Right]] = {
    "viewer": frozenset({Right.NUMBERS}),
    "analyst": _LOOKS | {Right.MARK},
    "face_reader": _LOOKS | {Right.FACES},
    "decider": frozenset({Right.NUMBERS, Right.DECIDE}),
    "admin": frozenset({Right.NUMBERS, Right.ADMINISTER}),
}
EVERYTHING = frozenset(Right)


class NotAllowedError(BadInputError):
    """Somebody has asked for what none of his or her roles holds."""


def role_with(right: Right) -> str:
    """The first role that holds a right, as people read it."""
    return next(name for name, rights in ROLES.items() if right in rights).replace("_", " ")


@dataclass(frozen=True)
class Grant:
    """A role for some people and groups, on some Runs."""

    groups: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    runs: tuple[str, ...] = (ALL_RUNS,)

    def is_of(self, login: Login) -> bool:
        """Whether a person is named, by their own name or a group of theirs."""
        is_named = ANYBODY in self.people or login.subject in self.people
        return is_named or not set(self.groups).isdisjoint(login.groups)

    def is_on(self, run_id: str | None, name: str) -> bool:
        """`run_id` None: on what is of no single Run, such as a manifest; then only a grant on all Runs is."""
        if run_id is None:
            return ALL_RUNS in self.runs
        return any(fnmatchcase(run_id, pattern) or fnmatchcase(name, pattern) for pattern in self.runs)


@dataclass(frozen=True)
class Roles:
    """The table `[roles]` of the settings: the grants of each role."""

    viewer: tuple[Grant, ...] = ()
    analyst: tuple[Grant, ...] = ()
    face_reader: tuple[Grant, ...] = ()
    decider: tuple[Grant, ...] = ()
    admin: tuple[Grant, ...] = ()
    second_person: bool = False  # whether who has frozen a card may not be who approves it

    @staticmethod
    def of(table: Mapping[str, object], where: str) -> Roles:
        """What a table says. Raises BadInputError, beginning with `where`, for a role that there is not, and for a
        grant that is to nobody or on no Run."""
        known = [field.name for field in fields(Roles)]
        if strange := [name for name in table if name not in known]:
            raise BadInputError(
                f"{where} grants the role '{strange[0]}'. There are: {', '.join(ROLES)}; and second_person = true."
            )
        # One grant may be a table of its own, [roles.viewer], as well as one of several, [[roles.viewer]].
        lists = {name: [grants] if isinstance(grants, Mapping) else grants for name, grants in table.items()}
        roles = documents.read_as(Roles, lists, where)
        for name in ROLES:
            for grant in roles.grants(name):
                if not grant.groups and not grant.people:
                    raise BadInputError(f"{where} grants '{name}' to nobody. Name groups or people; \"*\" is anybody.")
                if not grant.runs or "" in (*grant.groups, *grant.people, *grant.runs):
                    raise BadInputError(f"{where} grants '{name}' with an empty name, or on no Run.")
        return roles

    def grants(self, role: str) -> Sequence[Grant]:
        """All that give a role, by its name."""
        grants: Sequence[Grant] = getattr(self, role)
        return grants

    def of_person(self, login: Login) -> tuple[str, ...]:
        """Roles that somebody has on any Run, in the order of `ROLES`."""
        return tuple(name for name in ROLES if any(grant.is_of(login) for grant in self.grants(name)))

    def rights(self, login: Login | None, run_id: str | None, name: str = "") -> frozenset[Right]:
        """What somebody may do with a Run, or (None) with what is of no single Run; without a login everything."""
        if login is None:
            return EVERYTHING
        held = [
            rights
            for role, rights in ROLES.items()
            if any(grant.is_of(login) and grant.is_on(run_id, name) for grant in self.grants(role))
        ]
        return frozenset().union(*held)


@dataclass(frozen=True)
class ClearFaces:
    """The table `[faces]`: what a face reader is asked, and for how long the answer holds."""

    reason: bool = True
    minutes: int = 15

    @staticmethod
    def of(table: Mapping[str, object], where: str) -> ClearFaces:
        """Raises BadInputError, beginning with `where`, for what is no such table."""
        said = documents.read_as(ClearFaces, dict(table), where)
        if not 1 <= said.minutes <= 24 * 60:
            raise BadInputError(f"{where}: 'minutes' should be 1 to 1,440, and is {said.minutes}.")
        return said


def signature(login: Login) -> str:
    """What marks, cards and decisions of somebody are signed with: two people never have the same."""
    signed = login.subject if login.name in ("", login.subject) else f"{login.name} ({login.subject})"
    if len(signed) <= LONGEST_SIGNATURE and signed == signed.strip() and signed.isprintable():
        return signed
    short = "".join(c for c in login.name if c.isprintable())[: LONGEST_SIGNATURE - 40].strip()
    return f"{short} ({hashlib.sha256(login.subject.encode(errors='replace')).hexdigest()[:32]})".strip()
