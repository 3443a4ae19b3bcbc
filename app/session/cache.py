"""Results that sessions share, kept by what they were made from: a Run is hashed by its digest, never by its bytes."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, ParamSpec, Protocol, TypeVar

import streamlit as st

from fas_core.runs.store import Run

P = ParamSpec("P")
R = TypeVar("R")


class NotComputedError(Exception):
    """Raised inside a `cached` function so that the absence of a result is not kept."""


class Keyed(Protocol):
    """A frozen value with a text that stands for all that it holds, the bytes of its Runs included."""

    @property
    def digest(self) -> str: ...


K = TypeVar("K", bound=Keyed)

_BY_DIGEST: dict[str | type[Any], Callable[[Any], Any]] = {Run: attrgetter("digest")}


def keyed(value: type[K]) -> type[K]:
    """Class decorator: values of this class are arguments of `cached` functions, told apart by their `digest`."""
    _BY_DIGEST[value] = attrgetter("digest")
    return value


def cached(*, entries: int, spinner: str | bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keeps the last `entries` results of a function, shared between sessions: do not change them.

    Its arguments are Runs, values of `keyed` classes, and what Streamlit hashes itself: texts, numbers, tuples.
    `spinner`: what the page says while it computes.
    """
    return st.cache_resource(max_entries=entries, show_spinner=spinner, hash_funcs=_BY_DIGEST)
