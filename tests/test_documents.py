import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fas_core import documents
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


def test_documents_are_bounded_in_depth_and_length(tmp_path: Path) -> None:
    deepest = "[" * documents.DEEPEST + "]" * documents.DEEPEST
    assert documents.parsed(deepest) == json.loads(deepest)
    for text in (f"[{deepest}]", f'{{"a": {deepest}}}', "[" * 10**5, '{"a":' * 10**5):
        with pytest.raises(ValueError, match=f"deeper than {documents.DEEPEST} levels"):
            documents.parsed(text)
    path = tmp_path / "d.json"
    path.write_text('"' + "x" * 98 + '"')
    assert documents.read(path, largest=100) == "x" * 98
    with pytest.raises(ValueError, match="longer than 99 bytes"):
        documents.read(path, largest=99)


@pytest.mark.parametrize("text", ['"\\ud800"', '{"\\uDC00": 1}', b'["\\udfff"]', b"\xff", '{"a": ' + "9" * 5000 + "}"])
def test_what_cannot_be_shown_is_no_document(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of many kinds
        documents.parsed(text)
    assert documents.parsed('"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize("kind", [int, float])
def test_numbers_are_of_64_bits(kind: type) -> None:
    assert documents.read_as(kind, -(2**62), "x") == -(2**62)
    with pytest.raises(BadInputError, match="x should be a"):
        documents.read_as(kind, 10**400, "x")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11-30T25:00"])
def test_dates(text: str) -> None:
    documents.require_date("2026-11-30T05:00:00+00:00", "c.json", "created")
    with pytest.raises(BadInputError, match=f"c.json: 'created' should be a date and time; '{text}'"):
        documents.require_date(text, "c.json", "created")
