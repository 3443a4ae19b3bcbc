from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fas_core.documents import read_as
from fas_core.errors import BadInputError


class Ends(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    n: int
    share: float | None


@dataclass(frozen=True, kw_only=True)
class Whole:
    name: str
    parts: Mapping[str, Part | None]
    ends: Ends
    tags: tuple[str, ...]
    path: Path
    more: Mapping[str, object]
    is_odd: bool = False


DOCUMENT: dict[str, Any] = {
    "name": "x",
    "parts": {"a": {"n": 1, "share": "inf"}, "b": None},
    "ends": [0, 1.5],
    "tags": ["t"],
    "path": "/a/b",
    "more": {"any": [1, {}]},
}


def test_a_document_is_read_by_the_types_of_its_fields() -> None:
    expected = Whole(
        name="x",
        parts={"a": Part(1, float("inf")), "b": None},
        ends=Ends(0, 1.5),
        tags=("t",),
        path=Path("/a/b"),
        more={"any": [1, {}]},
    )
    assert read_as(Whole, DOCUMENT, "f") == expected
    assert read_as(Whole, DOCUMENT | {"ends": {"low": 0, "high": 1.5}}, "f") == expected
    assert read_as(Whole, DOCUMENT | {"is_odd": True}, "f").is_odd
    assert read_as(list[int], [1, 2], "f") == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "f should be an object; a list is of another type"),
        ({}, "f has no 'name'"),
        (DOCUMENT | {"colour": 1}, "f has 'colour', which this version does not know"),
        (DOCUMENT | {"name": None}, "f: 'name' should be a text; None is of another type"),
        (DOCUMENT | {"is_odd": 1}, "f: 'is_odd' should be true or false; 1 is"),
        (DOCUMENT | {"tags": "t"}, "f: 'tags' should be a list; 't' is"),
        (DOCUMENT | {"tags": ["t", 2]}, r"f: 'tags\[1\]' should be a text; 2 is"),
        (DOCUMENT | {"parts": []}, "f: 'parts' should be an object; a list is"),
        (DOCUMENT | {"parts": {"a": {"n": 1}}}, "f has no 'parts.a.share'"),
        (DOCUMENT | {"parts": {"a": {"n": True, "share": 1}}}, "f: 'parts.a.n' should be a whole number; True is"),
        (DOCUMENT | {"parts": {"a": {"n": 1, "share": "1"}}}, "f: 'parts.a.share' should be a number; '1' is"),
        (DOCUMENT | {"ends": [1]}, "f: 'ends' should be an object; a list is"),
    ],
)
def test_what_is_missing_unknown_or_of_another_type_is_named(content: object, message: str) -> None:
    with pytest.raises(BadInputError, match=f"^{message}"):
        read_as(Whole, content, "f")
