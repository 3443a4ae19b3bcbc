"""What an imported score file's Run says it was made of: the arguments of `fas scores import`, without folders."""

from __future__ import annotations

import shlex
from itertools import pairwise

from fas_core.data.names import BONA_FIDE

MOST_FILES = 3  # named in words


def _read(source: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Files as they were named, and options with their values; nothing of a text that no shell would read."""
    try:
        words = shlex.split(source)
    except ValueError:  # a path with a quote in it, from before sources were quoted
        return [source], []
    first = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    return words[:first], [(option, value) for option, value in pairwise(words[first:]) if option.startswith("--")]


def is_negated(source: str, score: str) -> bool:
    """Whether higher values of a score were bona fide in its file, so that they were negated at import."""
    said = [value for option, value in _read(source)[1] if option == "--higher-is"]
    about_it = [value for value in said if value.rpartition("=")[0] in ("", score)]
    return bool(about_it) and about_it[-1].rpartition("=")[2] == BONA_FIDE


def in_words(source: str) -> str:
    """As people say it: dev.csv (dev), eval.csv (eval) · bob5 · higher was bona fide, negated."""
    files, options = _read(source)
    named = []
    for file in files[:MOST_FILES]:
        said, is_named, path = file.partition("=")
        system, _, subset = said.partition("@")
        of_it = ", ".join(filter(None, (system, subset)))
        named.append(f"{path} ({of_it})" if is_named and of_it else file)
    more = f" and {len(files) - MOST_FILES} more" if len(files) > MOST_FILES else ""
    words = [f"{', '.join(named)}{more}"]
    words += [value for option, value in options if option == "--format"]
    turned = [value for option, value in options if option == "--higher-is" and value.endswith(BONA_FIDE)]
    if turned:
        of_some = ", ".join(filter(None, (value.rpartition("=")[0] for value in turned)))
        words.append(f"higher {of_some} was bona fide, negated".replace("  ", " "))
    return " · ".join(words)
