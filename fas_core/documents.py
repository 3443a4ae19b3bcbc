"""JSON documents as typed values: frozen dataclasses that are read by their types, or refused.

A document of somebody's file is what it says it is only after `read_as` has looked at every field of it; `read` and
`parsed` bound how long it is and how deep, before anything walks through it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from fas_core.errors import BadInputError
from fas_core.files import opened_file

Json = dict[str, Any]  # an object as `json.loads` gives it, or ready for `json.dumps`; what is in it is not known here

LARGEST = 64 * 2**20  # bytes
DEEPEST = 64  # objects and lists within each other
LONGEST_NUMBER = 2**63  # of whole numbers

T = TypeVar("T")
_INFINITE = {"inf": math.inf, "-inf": -math.inf}  # how JSON, which has no such numbers, says them
_PLAIN = {str: "a text", int: "a whole number", bool: "true or false", NoneType: "null"}


def read(path: Path, below: Path | None = None, *, largest: int = LARGEST) -> object:
    """What the JSON document in a file says. `below`: see `files.opened_file`; raises its OSError.

    Raises ValueError where it is none, is longer than so many bytes, or deeper than `DEEPEST`.
    """
    with opened_file(path, below) as file:
        text = file.read(largest + 1)
    if len(text) > largest:
        raise ValueError(f"longer than {largest:,} bytes")
    return parsed(text)


def parsed(text: str | bytes) -> object:
    """What a JSON text says. Raises ValueError where it is none, deeper than `DEEPEST`, or has half a character."""
    try:
        content: object = json.loads(text)
    except RecursionError:
        raise ValueError(f"deeper than {DEEPEST} levels") from None
    if b"\\u" in text if isinstance(text, bytes) else "\\u" in text:
        json.dumps(content, ensure_ascii=False).encode()  # half a character: nothing can show it or write it
    level = [content]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _within(outer) if isinstance(inner, dict | list)]
        if not level:
            return content
    raise ValueError(f"deeper than {DEEPEST} levels")


def _within(content: object) -> Iterable[object]:
    if isinstance(content, dict):
        return content.values()
    return content if isinstance(content, list) else ()


def read_as(kind: type[T], content: object, where: str) -> T:
    """`content`, as `json.loads` gives it, as a value of `kind`, which may hold others.

    Kinds: dataclasses (fields with a default may be missing), named tuples (a list, or an object with the names),
    mappings by text, sequences (read as tuples), `X | None`, texts, booleans, numbers ("inf" and "-inf" as written),
    paths; `object` and `Any` are not looked at. A class with a `from_json(content, where)` of its own is read by that.
    Raises BadInputError, beginning with `where`, for what is missing, unknown or of another type.
    """
    value: T = _read(kind, content, where, "")
    return value


def require_date(text: str, where: str, at: str) -> None:
    """Raises BadInputError, beginning with `where`, for a text that is no date and time of ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise _refused("a date and time", text, where, at) from None


def _read(kind: Any, content: Any, where: str, at: str) -> Any:
    """`at`: the path of `content` in the document, "" for all of it."""
    return _reader(kind)(content, where, at)


@cache  # a document holds thousands of values, of few kinds
def _reader(kind: Any) -> Callable[[Any, str, str], Any]:
    """`_read` of a kind."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if kind in (object, Any):
        return lambda content, where, at: content  # noqa: ARG005 - as the others are called
    if origin in (Union, UnionType):
        [only] = [argument for argument in arguments if argument is not NoneType]
        if NoneType not in arguments:
            return _reader(only)
        return lambda content, where, at: None if content is None else _read(only, content, where, at)
    if hasattr(kind, "from_json"):
        return lambda content, where, at: (
            kind.from_json(content, f"{where}, {at}") if at else _record(kind, content, where, at)
        )
    if is_dataclass(kind) or hasattr(kind, "_fields"):
        return partial(_record, kind)
    if not arguments:
        return partial(_plain, kind)
    return partial(_mapping, arguments[1]) if issubclass(origin, Mapping) else partial(_list, origin, arguments[0])


def _mapping(kind: Any, content: Any, where: str, at: str) -> Any:
    """Of values of one kind."""
    if not isinstance(content, dict):
        raise _refused("an object", content, where, at)
    read_value = _reader(kind)
    return {name: read_value(value, where, _inside(at, name)) for name, value in content.items()}


def _list(origin: Any, kind: Any, content: Any, where: str, at: str) -> Any:
    """A list or tuple of values of one kind."""
    if not isinstance(content, list):
        raise _refused("a list", content, where, at)
    read_value = _reader(kind)
    items = [read_value(value, where, f"{at}[{i}]") for i, value in enumerate(content)]
    return items if origin is list else tuple(items)


@cache
def _fields(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The fields of a dataclass or named tuple with their kinds, and those of them that may be missing."""
    hints = get_type_hints(kind)
    if not is_dataclass(kind):
        return {name: hints[name] for name in kind._fields}, frozenset(kind._field_defaults)
    of_kind = [field for field in fields(kind) if field.init]
    optional = (f.name for f in of_kind if f.default is not MISSING or f.default_factory is not MISSING)
    return {field.name: hints[field.name] for field in of_kind}, frozenset(optional)


def _record(kind: Any, content: Any, where: str, at: str) -> Any:
    """A dataclass or a named tuple."""
    known, optional = _fields(kind)
    if isinstance(content, list) and hasattr(kind, "_fields") and len(content) == len(kind._fields):
        content = dict(zip(kind._fields, content, strict=True))
    if not isinstance(content, dict):
        raise _refused("an object", content, where, at)
    if strange := [name for name in content if name not in known]:
        raise BadInputError(f"{where} has '{_inside(at, strange[0])}', which this version does not know.")
    if missing := [name for name in known if name not in content and name not in optional]:
        raise BadInputError(f"{where} has no '{_inside(at, missing[0])}'.")
    return kind(**{name: _reader(known[name])(value, where, _inside(at, name)) for name, value in content.items()})


def _plain(kind: Any, content: Any, where: str, at: str) -> Any:
    if kind is float:
        if isinstance(content, str) and content in _INFINITE:
            return _INFINITE[content]
        if isinstance(content, float) or _is_whole(content):
            return content
        raise _refused("a number", content, where, at)
    if kind is Path:
        return Path(_plain(str, content, where, at))
    if not isinstance(content, kind) or (kind is int and not _is_whole(content)):
        raise _refused(_PLAIN[kind], content, where, at)
    return content


def _is_whole(content: object) -> bool:
    return isinstance(content, int) and not isinstance(content, bool) and abs(content) < LONGEST_NUMBER


def _inside(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _refused(wanted: str, content: object, where: str, at: str) -> BadInputError:
    shown = "an object" if isinstance(content, dict) else "a list" if isinstance(content, list) else repr(content)
    shown = shown if len(shown) <= 40 else "a long text"
    place = f"{where}: '{at}'" if at else where
    return BadInputError(f"{place} should be {wanted}; {shown} is of another type.")
