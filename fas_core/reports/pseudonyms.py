"""Other names for people and samples, where faces must not travel: the same all through one document, and in no other.

A name is an HMAC of the id by a key that is drawn for the document and kept nowhere: whoever has a list of the ids
cannot find by trying which is which, as with a plain hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape, unescape

from fas_core.data.merging import IDS
from fas_core.data.names import readable
from fas_core.deciding.card import Card
from fas_core.runs.store import Run

KINDS = {column: column.removesuffix("_id") for column in (*IDS, "path")} | {"presenter_id": "subject", "path": "file"}
SHORTEST = 3  # characters of an id that is looked for within sentences; shorter ones, and numbers, say other things too
DIGITS = 8  # two of ten thousand are the same with probability 0.01

_TAGS = re.compile(r"(<style.*?</style>|<script.*?</script>|<[^>]*>)", re.DOTALL)
_ATTRIBUTE = re.compile(r"""\b(title|alt|aria-label)=(["'])(.*?)\2""", re.DOTALL)
_ENDS = ".,;:)]"  # what may follow on a word
_TOKEN = re.compile(r"[\w./#@+:-]*\w")
_NAMED = re.compile(
    rf"\b({'|'.join(re.escape(form) for column in KINDS for form in {column, readable(column)})}) (\S+)"
)


class Pseudonyms:
    """Those of one document; `digits`, hexadecimal, are as many as tell its names apart."""

    def __init__(self, digits: int = DIGITS) -> None:
        self._key = secrets.token_bytes(32)
        self._digits = digits

    def of(self, column: str, name: str) -> str:
        """subject 3f9a2c1b, for an id of a column; "" for none, and what the texts of other columns are for these."""
        if column not in KINDS or not name:
            return name
        kind = KINDS[column]
        return f"{kind} {hmac.new(self._key, f'{kind} {name}'.encode(), hashlib.sha256).hexdigest()[: self._digits]}"

    def of_card(self, card: Card) -> Card:
        """A card to be printed; its seal is of the card as it was."""
        subjects = (replace(who, subject_id=self.of("subject_id", who.subject_id)) for who in card.worst_subjects)
        return replace(card, worst_subjects=tuple(subjects))

    def within(self, html: str, runs: Sequence[Run]) -> str:
        """A page in whose texts no id of some Runs is left: whole, or as a word of a sentence."""
        parts = _TAGS.split(html)
        texts = {unescape(text) for part in parts for text in _texts_of(part)}
        words = {word for text in texts for word in _words_of(text)}
        instead = {text: self.of(column, name) for text, (column, name) in _ids_in(texts | words, runs).items()}
        return "".join(_part_without(part, instead) for part in parts)


def _part_without(part: str, instead: Mapping[str, str]) -> str:
    if not part.startswith("<"):
        return _text_without(part, instead)
    if part.startswith(("<style", "<script")):
        return part
    return _ATTRIBUTE.sub(lambda a: f"{a[1]}={a[2]}{_text_without(a[3], instead)}{a[2]}", part)


def _text_without(text: str, instead: Mapping[str, str]) -> str:
    plain = unescape(text)
    whole = plain.strip()
    if _tells(whole) and whole in instead:
        return text.replace(text.strip(), instead[whole])

    def named(match: re.Match[str]) -> str:
        word = match[2].rstrip(_ENDS)
        return f"{match[1]} {instead.get(word, word)}{match[2][len(word) :]}"

    def worded(match: re.Match[str]) -> str:
        return instead.get(match[0], match[0]) if _tells(match[0]) else match[0]

    changed = _TOKEN.sub(worded, _NAMED.sub(named, plain))
    return text if changed == plain else escape(changed)


def _tells(name: str) -> bool:
    return len(name) >= SHORTEST and not name.isdecimal()


def _texts_of(part: str) -> Iterator[str]:
    if not part.startswith("<"):
        yield part.strip()
    elif not part.startswith(("<style", "<script")):
        yield from (attribute[2] for attribute in _ATTRIBUTE.findall(part))


def _words_of(text: str) -> Iterator[str]:
    yield from _TOKEN.findall(text)
    yield from (word.rstrip(_ENDS) for _, word in _NAMED.findall(text))


def _ids_in(texts: set[str], runs: Sequence[Run]) -> dict[str, tuple[str, str]]:
    """Which of some texts are ids, as they are or as they are shown: (column, id).

    What is also a subset, a species or a Run's name is none.
    """
    ids: dict[str, tuple[str, str]] = {}
    for run in runs:
        for table in (run.samples([name for name in KINDS if name in run.column_names()]), run.failures()):
            for column in (name for name in KINDS if name in table):
                for name in map(str, table[column].unique()):
                    for form in {name, readable(name)} & texts:
                        ids.setdefault(form, (column, name))
    said = {name for run in runs for name in (*run.info.subsets, run.info.name, *_species(run))}
    said |= set(map(readable, said))
    return {text: about for text, about in ids.items() if text not in said}


def _species(run: Run) -> list[str]:
    return [str(name) for name in run.samples(["pai_species"])["pai_species"].unique()]
