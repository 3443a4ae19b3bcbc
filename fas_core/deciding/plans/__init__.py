"""What test plans ask for, ONE FILE EACH: how many presentations of which attacks, and what share of them may succeed.

    plan("ibeta-level-1"), plan("mine.toml"), names()

A plan is a TOML or JSON file with the fields of `Plan`, its source and version among them. It is data: whoever has a
newer one, or the laboratory's own, edits the file or names another one by its path.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from fas_core import documents
from fas_core.errors import BadInputError
from fas_core.files import opened_file

FOLDER = Path(__file__).parent
FIRST = "ibeta-level-1"  # what is shown where nobody has chosen
PRESENTATION = "presentation"
_ENDINGS = (".toml", ".json")


@dataclass(frozen=True)
class Asked:
    """Of one kind of presentations: how many at least, of how many people, and what share may be decided wrongly."""

    presentations: int
    subjects: int = 0  # 0: the plan does not say
    limit: float | None = None  # 0: none at all; None: no limit


@dataclass(frozen=True)
class Attacks:
    """A class of attacks: `species` different ones of it are asked for, `asked` of each."""

    name: str
    species: int
    words: tuple[str, ...]  # a species whose name has one of them is of this class; none: every species is
    asked: Asked

    def has(self, species: str) -> bool:
        """Whether a species is of this class by its name: paper_mask has the words paper and mask."""
        words = set(re.findall(r"[^\W_]+", species.casefold()))
        return not self.words or not words.isdisjoint(self.words)


@dataclass(frozen=True)
class Plan:
    """What one plan asks for, in presentations."""

    name: str
    title: str
    source: str
    version: str
    url: str
    text: str  # what it is about, and what of it was not verified
    confidence: float  # of the one-sided upper bounds
    bona_fide: Asked | None  # None: the plan asks for none
    attacks: tuple[Attacks, ...]  # a species is of the first class that has it

    @cached_property
    def digest(self) -> str:
        """Stands for all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def class_of(self, species: str) -> Attacks | None:
        """The class of attacks that a species is of; None where the plan does not ask for it."""
        return next((kind for kind in self.attacks if kind.has(species)), None)


def names() -> list[str]:
    """The plans that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def offered(folder: Path) -> tuple[list[Plan], list[str]]:
    """The plans that come with the package, then those of a folder of one's own, and what is wrong with other files."""
    own, problems = [], []
    for path in sorted(path for path in folder.glob("*") if path.suffix in _ENDINGS):
        try:
            own.append(plan(path))
        except BadInputError as error:
            problems.append(str(error))
    return [*map(plan, names()), *own], problems


def plan(named: str | Path) -> Plan:
    """A plan by its name, or by the path of a file of one's own. Raises BadInputError for one that cannot be read."""
    if str(named) in names():
        return _read(FOLDER / f"{named}.toml")
    path = Path(named)
    if path.suffix not in _ENDINGS:
        raise BadInputError(f"There is no plan '{named}'. Plans: {', '.join(names())}, or a file of yours: mine.toml.")
    return _read(path)


def _read(path: Path) -> Plan:
    try:
        with opened_file(path) as file:
            text = file.read().decode()
        content = documents.parsed(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or error}. Plans by name: {', '.join(names())}.") from error
    except (ValueError, RecursionError) as error:  # both formats' errors, and bytes that are no text
        raise BadInputError(f"{path} is no {path.suffix[1:].upper()} file: {error}.") from error
    return _plan(path.stem, content, _Fields(content, str(path), "the plan"))


def _plan(name: str, content: Any, given: _Fields) -> Plan:
    given.only("title", "source", "version", "url", "text", "unit", "confidence", "bona_fide", "attacks")
    if given.text("unit", PRESENTATION) != PRESENTATION:
        raise given.wrong("unit", f"write '{PRESENTATION}', the only unit there is")
    confidence = given.number("confidence", 0.95)
    if not 0.5 < confidence < 1:
        raise given.wrong("confidence", "write a share between 0.5 and 1, such as 0.95")
    classes = content.get("attacks")
    if not (isinstance(classes, list) and classes):
        raise given.wrong("attacks", "a plan needs one class of attacks at least, [[attacks]]")
    bona_fide = content.get("bona_fide")
    return Plan(
        name=name,
        title=given.text("title"),
        source=given.text("source"),
        version=given.text("version"),
        url=given.text("url", ""),
        text=given.text("text", ""),
        confidence=confidence,
        bona_fide=None if bona_fide is None else _asked(_Fields(bona_fide, given.where, "bona_fide"), "max_bpcer"),
        attacks=tuple(_class(_Fields(table, given.where, f"attacks {i}")) for i, table in enumerate(classes, start=1)),
    )


def _class(given: _Fields) -> Attacks:
    words = given.content.get("words", [])
    if not (isinstance(words, list) and all(isinstance(word, str) and word for word in words)):
        raise given.wrong("words", 'write a list of texts, such as ["paper", "print"]')
    return Attacks(
        name=given.text("name"),
        species=given.count("species"),
        words=tuple(word.casefold() for word in words),
        asked=_asked(given, "max_apcer", "name", "species", "words"),
    )


def _asked(given: _Fields, limit: str, *others: str) -> Asked:
    given.only(*others, *(field.name for field in fields(Asked) if field.name != "limit"), limit)
    share = given.number(limit, None)
    if share is not None and not 0 <= share < 1:
        raise given.wrong(limit, "write a share from 0 to below 1, such as 0.15 for 15 %")
    return Asked(given.count("presentations"), given.count("subjects", 0), share)


class _Fields:
    """The fields of one table of a plan's file, with refusals that say where they are."""

    def __init__(self, content: Any, where: str, what: str) -> None:
        self.where, self.what = where, what
        if not isinstance(content, Mapping):
            raise BadInputError(f"{where}: {what} is no table of fields.")
        self.content = content

    def wrong(self, name: str, remedy: str) -> BadInputError:
        given = f" is {self.content[name]!r}" if name in self.content else " is missing"
        return BadInputError(f"{self.where}: {name} of {self.what}{given}: {remedy}.")

    def only(self, *names: str) -> None:
        for name in self.content:
            if name not in names:
                raise BadInputError(f"{self.where}: {self.what} has no field '{name}'. Fields: {', '.join(names)}.")

    def text(self, name: str, default: str | None = None) -> str:
        value = self.content.get(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.wrong(name, "write a text")
        return " ".join(value.split())

    def number(self, name: str, default: Any) -> Any:
        value = self.content.get(name, default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise self.wrong(name, "write a number")
        return value

    def count(self, name: str, least: int = 1) -> int:
        """A whole number; it may be left out where nothing at all, `least` of 0, would do."""
        value = self.content.get(name, None if least else 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.wrong(name, f"write a whole number, {least} or more")
        return value
