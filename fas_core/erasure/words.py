"""Texts and documents without somebody's names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

SHORTEST = 3  # characters of a name that is looked for within texts; shorter ones, and numbers, stand for other things


class Names:
    """What a person's rows are called: the subject, samples, videos, files."""

    def __init__(self, names: Iterable[str], instead: str) -> None:
        self.all = frozenset(name for name in names if name)
        self.instead = instead
        self.telling = sorted((n for n in self.all if len(n) >= SHORTEST and not n.isdecimal()), key=len, reverse=True)
        # In pieces: a person may have a million images.
        self._patterns = [
            re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, self.telling[i : i + 1000]))})(?!\w)")
            for i in range(0, len(self.telling), 1000)
        ]

    def without(self, text: str) -> str:
        """A text in which no name stands, whole or as a word of it."""
        if text in self.all:
            return self.instead
        return reduce(lambda rest, pattern: pattern.sub(self.instead, rest), self._patterns, text)

    def within(self, content: Any) -> Any:
        """A JSON document whose texts are `without` names; what its keys are stays."""
        if isinstance(content, str):
            return self.without(content)
        if isinstance(content, Mapping):
            return {key: self.within(value) for key, value in content.items()}
        return [self.within(value) for value in content] if isinstance(content, list | tuple) else content

    def stand_in(self, content: bytes) -> bool:
        """Whether any of them is somewhere in the bytes of a file."""
        return any(name.encode() in content for name in self.telling)
