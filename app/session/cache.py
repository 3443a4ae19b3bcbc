"""Results that sessions share, kept by what they were made from: a Run is hashed by its digest, never by its bytes.

Streamlit's own cache takes 50 to 100 µs to find a result, which a page asks for hundreds of times: this one takes two.
"""

from __future__ import annotations

import inspect
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from operator import attrgetter
from types import CodeType
from typing import Any, ParamSpec, Protocol, TypeVar

import streamlit as st

from app.session import apart
from fas_core.runs.store import Run

BESIDE = "Going through all samples …"
P = ParamSpec("P")
R = TypeVar("R")


class NotComputedError(Exception):
    """Raised inside a `cached` function so that the absence of a result is not kept."""


class Keyed(Protocol):
    """A frozen value with a text that stands for all that it holds, the bytes of its Runs included."""

    @property
    def digest(self) -> str: ...


K = TypeVar("K", bound=Keyed)


def _of_tuple(values: tuple[Any, ...]) -> tuple[Hashable, ...]:
    return tuple(map(_key, values))


_KEYED = "_is_told_apart_by_its_digest"
_digest_of: Callable[[Any], Hashable] = attrgetter("digest")
_BY_TYPE: dict[type[Any], Callable[[Any], Hashable]] = {
    Run: _digest_of,
    tuple: _of_tuple,
    float: lambda number: "nan" if math.isnan(number) else number,  # which is equal to no other
}


def keyed(value: type[K]) -> type[K]:
    """Class decorator: values of this class are arguments of `cached` functions, told apart by their `digest`."""
    setattr(value, _KEYED, True)  # in no table, which would grow: the classes of a page are made anew in each run
    return value


def _key(value: Any) -> Hashable:
    """Raises TypeError for what cannot be hashed: arrays, frames, lists."""
    by = _digest_of if hasattr(value, _KEYED) else _BY_TYPE.get(type(value))
    key: Hashable = value if by is None else by(value)
    hash(key)
    return key


class _Results:
    """Those of one function, the ones asked for last."""

    def __init__(self, entries: int) -> None:
        self.entries = entries
        self.lock = threading.Lock()
        self.kept: OrderedDict[Hashable, Any] = OrderedDict()
        self.under_way: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable) -> tuple[Any] | None:
        with self.lock:
            if key not in self.kept:
                return None
            self.kept.move_to_end(key)
            return (self.kept[key],)

    def computed(self, key: Hashable, compute: Callable[[], R], spinner: str) -> R:
        """Once, however many sessions wait for it."""
        with self.lock:
            its = self.under_way.setdefault(key, threading.Lock())
        with its:
            if (known := self.get(key)) is not None:
                return known[0]
            try:
                with _said(spinner):
                    result = compute()
                with self.lock:
                    self.kept[key] = result
                    while len(self.kept) > self.entries:
                        self.kept.popitem(last=False)
            finally:
                with self.lock:
                    self.under_way.pop(key, None)
            return result


def _said(spinner: str) -> AbstractContextManager[None]:
    return st.spinner(spinner, _cache=True) if spinner else nullcontext()


# By code: the script of a page, which is run anew each time, finds the results of its functions again.
_RESULTS: dict[tuple[CodeType, str], _Results] = {}


def cached(
    *, entries: int, spinner: str = "", is_apart: bool | Callable[..., bool] = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keeps the last `entries` results of a function, shared between sessions: do not change them.

    Its arguments are Runs, values of `keyed` classes, and what can be hashed: texts, numbers, tuples of all of these.
    `spinner`: what the page says while it computes. `is_apart`: of large Runs beside the server, so that nobody else
    waits (`apart`), always or where a function of the arguments says so; the function is one of a module, not of a
    page.
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        code = function.__code__
        results = _RESULTS.setdefault((code, code.co_filename), _Results(entries))
        signature = inspect.signature(function)
        n_parameters = len(signature.parameters)

        @wraps(function)
        def of(*arguments: P.args, **named: P.kwargs) -> R:
            given: tuple[Any, ...] = arguments
            if named or len(arguments) != n_parameters:  # the same arguments, however they are given
                bound = signature.bind(*arguments, **named)
                bound.apply_defaults()
                given = tuple(bound.arguments.values())
            key = _of_tuple(given)
            if (known := results.get(key)) is not None:
                return known[0]
            if is_apart and apart.is_worth_it(given) and (is_apart is True or is_apart(*arguments, **named)):
                return results.computed(key, lambda: apart.called(function, given), spinner or BESIDE)
            return results.computed(key, lambda: function(*arguments, **named), spinner)

        return of

    return decorated


def clear() -> None:
    """Forgets all results, of all functions."""
    for results in list(_RESULTS.values()):
        with results.lock:
            results.kept.clear()
