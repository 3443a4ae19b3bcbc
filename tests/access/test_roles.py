"""Roles: sets of rights, granted to people and groups on some Runs."""

import itertools
import math
from typing import Any

import pytest

from fas_core.access.login import Login
from fas_core.access.roles import EVERYTHING, ROLES, ClearFaces, Right, Roles, role_with, signature
from fas_core.errors import BadInputError
from fas_core.runs import marks

RUN = "0a1b2c3d4e5f"
TABLE = {
    "viewer": {"people": ["*"], "runs": ["public_*"]},
    "analyst": [{"groups": ["lab"]}],
    "face_reader": [{"people": ["ada"], "runs": ["small_*"]}, {"groups": ["readers"], "runs": [RUN]}],
    "decider": [{"people": ["ada"]}],
    "admin": [{"groups": ["ops"], "runs": ["*"]}],
}


def login(subject: str, *groups: str, name: str = "") -> Login:
    return Login(subject, name, groups, math.inf)


@pytest.mark.parametrize(
    ("who", "run_id", "name", "rights"),
    [
        (login("bob"), RUN, "other", set()),
        (login("bob"), RUN, "public_1", ROLES["viewer"]),
        (login("bob"), None, "", set()),  # a viewer of some Runs is none of what is of no Run
        (login("bob", "lab"), RUN, "other", ROLES["analyst"]),
        (login("bob", "lab"), None, "", ROLES["analyst"]),
        (login("ada"), RUN, "other", ROLES["decider"]),
        (login("ada"), RUN, "small_1", ROLES["decider"] | ROLES["face_reader"]),
        (login("cy", "readers"), RUN, "other", ROLES["face_reader"]),
        (login("cy", "readers"), "f" * 12, "other", set()),
        (login("lab"), RUN, "other", set()),  # a person who is called as a group is not in it
        (login("x", name="ada"), RUN, "small_1", set()),  # people choose what they are called
        (login("dee", "ops"), RUN, "other", ROLES["admin"]),
        (None, RUN, "other", EVERYTHING),
    ],
)
def test_rights_are_those_of_all_grants_that_fit(
    who: Login | None, run_id: str | None, name: str, rights: set[Right]
) -> None:
    assert Roles.of(TABLE, "fas.toml, roles").rights(who, run_id, name) == rights


def test_no_role_but_the_face_reader_sees_faces_and_none_holds_all() -> None:
    assert [role for role, rights in ROLES.items() if Right.FACES in rights] == ["face_reader"]
    assert [role for role, rights in ROLES.items() if Right.DECIDE in rights] == ["decider"]
    assert Right.PICTURES not in ROLES["viewer"] | ROLES["decider"] | ROLES["admin"]
    assert all(rights < EVERYTHING and Right.NUMBERS in rights for rights in ROLES.values())
    assert role_with(Right.FACES) == "face reader"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"root": [{"people": ["*"]}]}, "fas.toml grants the role 'root'. There are: viewer, analyst"),
        ({"viewer": [{}]}, "to nobody"),
        ({"viewer": [{"runs": ["*"]}]}, "to nobody"),
        ({"viewer": [{"people": [""]}]}, "an empty name"),
        ({"viewer": [{"people": ["a"], "runs": []}]}, "on no Run"),
        ({"viewer": [{"people": ["a"], "persons": []}]}, "viewer[0].persons"),
        ({"viewer": [{"people": "ada"}]}, "should be a list"),
        ({"viewer": "ada"}, "should be a list"),
        ({"second_person": "yes"}, "true or false"),
    ],
)
def test_a_table_that_says_something_else_is_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=r"^fas\.toml") as refused:
        Roles.of(table, "fas.toml")
    assert said in str(refused.value)


def test_how_long_faces_stay_clear_is_bounded() -> None:
    assert ClearFaces.of({}, "fas.toml") == ClearFaces(reason=True, minutes=15)
    for minutes in (0, 1441):
        with pytest.raises(BadInputError, match="1 to 1,440"):
            ClearFaces.of({"minutes": minutes}, "fas.toml")


def test_two_people_never_sign_alike() -> None:
    people = [
        login("ada"),
        login("1", name="ada"),
        login("2", name="ada"),
        login("a" * 300),
        login("a" * 301),
        login("3", name="b" * 300),
        login("4", name="b" * 300),
        login("5\n"),
        login("5"),
    ]
    signed = [signature(person) for person in people]
    assert signed[:2] == ["ada", "ada (1)"]
    for a, b in itertools.combinations(signed, 2):
        assert a != b
    assert all(len(name) <= marks.LONGEST_NAME and name == name.strip() for name in signed)
