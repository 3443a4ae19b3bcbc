"""In which order samples are shown: by a score or a column of the data, by the distance from a threshold, by what two
scores disagree about; and in which groups."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.looking.judged import Judged
from app.parts import filters
from app.session.cache import cached, keyed
from app.session.readers import score_values
from fas_core import scores
from fas_core.data.names import readable
from fas_core.evaluation.verdicts import percentiles
from fas_core.runs.store import Run

HIGH, LOW, RANDOM = "Score, high to low", "Score, low to high", "Random"
NEAR, DISAGREEMENT = "Nearest the threshold", "Disagreement of two scores"
KINDS = (HIGH, LOW, NEAR, DISAGREEMENT, RANDOM)
CHOSEN = "chosen score"
NO_GROUPS = "none"
RANGES = 5  # that numbers of many values are grouped in, as many samples in each


@dataclass(frozen=True)
class Order:
    """`kind`: one of the five above. `by` is a score or a column, `against` a score, `seed` that of the random order;
    `group` is the column whose values are headings, "" for none."""

    kind: str
    by: str
    against: str
    seed: int
    group: str = ""

    @property
    def words(self) -> str:
        """Short, as the name of what changes it."""
        kinds = {HIGH: f"{readable(self.by)} ↓", LOW: f"{readable(self.by)} ↑", NEAR: "nearest the threshold"}
        kinds |= {DISAGREEMENT: f"{self.by} against {self.against}", RANDOM: "random"}
        return f"{kinds[self.kind]}, by {readable(self.group)}" if self.group else kinds[self.kind]


def expected(score: str) -> Order:
    """What `kind_control` and `controls` will say, so that it can stand above them: of this session, else of the
    address, else what they begin with."""

    def said(key: str, first: str) -> str:
        return str(st.session_state.get(key, st.query_params.get(key, first)))

    kind = said("order", HIGH)
    kind = kind if kind in KINDS else HIGH
    return _order(kind, score, said("by", CHOSEN), said("against", CHOSEN), 0, said("group", NO_GROUPS))


def _order(kind: str, score: str, by: str, against: str, seed: int, group: str) -> Order:
    """Of what the controls say."""
    return Order(
        kind,
        score if by == CHOSEN else by,
        score if against == CHOSEN else against,
        seed,
        "" if group == NO_GROUPS else group,
    )


def kind_control(*, has_threshold: bool, on_change: Callable[[], None]) -> str:
    """The order in words; the rest of it is asked for by `controls`."""
    kind = st.selectbox(
        "Order",
        [kind for kind in KINDS if has_threshold or kind != NEAR],
        key="order",
        bind="query-params",
        on_change=on_change,
        width=230,
        help="Higher scores look more like an attack to the model. Two scores disagree about an image by the "
        "difference of its ranks among all images of the Run.",
    )
    return str(kind)


def controls(run: Run, score: str, kind: str, *, on_change: Callable[[], None]) -> Order:
    """What the order follows, what it is set against, the seed, and the groups. `score`: the one that all show."""
    offered, columns = scores.listed(run, score), filters.columns_of(run)
    by_columns = [name for name in columns if name not in offered]
    for key, names in (
        ("by", [CHOSEN, *offered, *by_columns]),
        ("against", [CHOSEN, *offered]),
        ("group", [NO_GROUPS, *columns]),
    ):
        if key in st.session_state and st.session_state[key] not in names:
            st.session_state[key] = names[0]
    by = st.selectbox(
        "Score",
        # Not in words: two columns may read the same.
        [CHOSEN, *offered, *([] if kind == DISAGREEMENT else by_columns)],
        key="by",
        bind="query-params",
        disabled=kind in (NEAR, RANDOM),
        on_change=on_change,
        help="Any score, or any column of the data.",
    )
    of_order = score if by == CHOSEN else str(by)
    others = [name for name in offered if name != of_order]
    against = st.selectbox(
        "Disagreement with",
        [CHOSEN, *offered],
        index=1 + offered.index(others[0]) if others else 0,
        key="against",
        bind="query-params",
        disabled=kind != DISAGREEMENT,
        on_change=on_change,
    )
    seed = st.number_input(
        "Seed of the random order",
        min_value=0,
        max_value=10**9,
        value=0,
        key="seed",
        bind="query-params",
        disabled=kind != RANDOM,
        on_change=on_change,
    )
    group = st.selectbox(
        "Groups",
        [NO_GROUPS, *columns],
        key="group",
        bind="query-params",
        on_change=on_change,
        help="The images of each value of a column together, under a heading that counts them.",
    )
    return _order(kind, score, str(by), str(against), int(seed), str(group))


@cached(entries=32)
def ranks(run: Run, score: str) -> NDArray[np.float64]:
    """(n,) share of all images of the Run with a lower score, 0..1."""
    values = score_values(run, score)
    return percentiles(values, values)


@keyed
@dataclass(frozen=True, eq=False)
class Asked:
    """Which images, in which order."""

    images: Judged
    fits: NDArray[np.bool_]  # (n,)
    order: Order

    @cached_property
    def digest(self) -> str:
        return repr((self.images.digest, hashlib.blake2b(np.packbits(self.fits).data).hexdigest(), self.order))


@cached(entries=4)
def listed(asked: Asked) -> tuple[NDArray[np.intp], list[str]]:
    """The rows, and the heading of each; none without groups. Shared between sessions, with 8 bytes for each row."""
    images, order = asked.images, asked.order
    rows = in_order(images.run, np.flatnonzero(asked.fits), order, images.distances)
    return grouped(images.run, rows, order.group) if order.group else (rows, [])


def in_order(run: Run, rows: NDArray[np.intp], order: Order, distances: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows as the order has them; those without a score come last. `distances`: (n,) of scores from the threshold."""
    if order.kind == RANDOM:
        # Drawn for all samples: the order of two of them does not depend on the filters.
        return rows[np.argsort(np.random.default_rng(order.seed).random(len(run))[rows])]
    if order.kind == NEAR:
        key = distances
    elif order.kind == DISAGREEMENT:
        key = -np.abs(ranks(run, order.by) - ranks(run, order.against))
    else:
        key = _ascending(run, order.by) * (1 if order.kind == LOW else -1)
    return rows[ascending(key[rows])]


def ascending(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """As a stable argsort, with NaN last. Of numbers that float32 holds exactly, as the scores of models, in less than
    half the time: each stands above its own place in one integer, and integers are sorted fastest."""
    with np.errstate(over="ignore"):  # to infinity, which is another number
        short = values.astype(np.float32)
    if not np.array_equal(short, values, equal_nan=True):
        return np.argsort(values, kind="stable")
    short[np.isnan(short)] = np.nan  # one of all that there are, the last of all bits
    bits = short.view(np.int32).astype(np.int64)
    above = np.where(bits < 0, -(2**31) - bits, bits) << 32  # those below 0 are written by their size; -0 is 0
    return np.sort(above + np.arange(len(values))) & (2**32 - 1)


def _ascending(run: Run, name: str) -> NDArray[np.float64]:
    """(n,) a score, a column of numbers, or places of a column's texts among each other; NaN where there is nothing."""
    if scores.has(run, name):
        return score_values(run, name)
    values = filters.column(run, name)
    if np.issubdtype(values.dtype, np.floating):
        return values
    texts, of_row = np.unique(values, return_inverse=True)
    places = np.empty(len(texts))
    places[sorted(range(len(texts)), key=lambda i: natural(str(texts[i])))] = np.arange(len(texts))
    return np.where(values == "", np.nan, places[of_row])


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts "s2" before "s10"."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)]


# ---------------------------------------------------------------------------------------------------------- in groups


def grouped(run: Run, rows: NDArray[np.intp], name: str) -> tuple[NDArray[np.intp], list[str]]:
    """Rows by the values of a column, within each as they were, and the heading of each row: value and count.

    Numbers of many values are grouped in ranges of as many samples each; what has no value comes last.
    """
    values = filters.column(run, name)[rows]
    if np.issubdtype(values.dtype, np.floating):
        codes, names = _ranges(values)
    else:
        texts, of_row = np.unique(values, return_inverse=True)
        by_name = sorted(range(len(texts)), key=lambda i: (texts[i] == "", natural(str(texts[i]))))
        codes = np.argsort(by_name)[of_row]
        names = [str(texts[i]) for i in by_name]
    ordered = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(names))
    headings = [
        f"{readable(name)}: {text or '(empty)'} · {n:,}" for text, n in zip(names, counts.tolist(), strict=True)
    ]
    return rows[ordered], [headings[code] for code in codes[ordered].tolist()]


def _ranges(values: NDArray[np.float64]) -> tuple[NDArray[np.intp], Sequence[str]]:
    """(n,) which group each number is in, and what the groups are called."""
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if len(distinct) <= filters.FEW_VALUES:
        codes, names = np.searchsorted(distinct, values), [f"{value:g}" for value in distinct]
    else:
        edges = np.unique(np.quantile(known, np.arange(1, RANGES) / RANGES))
        edges = edges[(edges > distinct[0])]
        codes = np.searchsorted(edges, values, side="right")
        names = []
        for code in range(len(edges) + 1):
            inside = known[np.searchsorted(edges, known, side="right") == code]
            names.append(f"{inside.min():.4g} to {inside.max():.4g}")
    return np.where(np.isnan(values), len(names), codes), [*names, ""]
