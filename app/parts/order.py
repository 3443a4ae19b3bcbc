"""In which order samples are shown: by a score, by the distance from a threshold, by what two scores disagree about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.session.cache import cached
from app.session.readers import score_values
from fas_core import scores
from fas_core.evaluation.verdicts import percentiles
from fas_core.runs.store import Run

HIGH, LOW, RANDOM = "Score, high to low", "Score, low to high", "Random"
NEAR, DISAGREEMENT = "Nearest the threshold", "Disagreement of two scores"
CHOSEN = "chosen score"


@dataclass(frozen=True)
class Order:
    """`kind`: one of the five above. `by` and `against` are scores, `seed` that of the random order."""

    kind: str
    by: str
    against: str
    seed: int


def kind_control(*, has_threshold: bool, on_change: Callable[[], None]) -> str:
    """The order in words; the rest of it is asked for by `controls`."""
    kind = st.selectbox(
        "Order",
        [HIGH, LOW, *([NEAR] if has_threshold else []), DISAGREEMENT, RANDOM],
        key="order",
        bind="query-params",
        on_change=on_change,
        width=230,
        help="Higher scores look more like an attack to the model. Two scores disagree about an image by the "
        "difference of its ranks among all images of the Run.",
    )
    return str(kind)


def controls(run: Run, score: str, kind: str, *, on_change: Callable[[], None]) -> Order:
    """The score that the order follows, the one it is set against, and the seed. `score`: the one that all show."""
    offered = scores.listed(run, score)
    for key in ("by", "against"):
        if st.session_state.get(key, CHOSEN) not in (CHOSEN, *offered):
            st.session_state[key] = CHOSEN
    by = st.selectbox(
        "Score",
        [CHOSEN, *offered],
        key="by",
        bind="query-params",
        disabled=kind in (NEAR, RANDOM),
        on_change=on_change,
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
    return Order(kind, of_order, score if against == CHOSEN else str(against), int(seed))


@cached(entries=32)
def ranks(run: Run, score: str) -> NDArray[np.float64]:
    """(n,) share of all images of the Run with a lower score, 0..1."""
    values = score_values(run, score)
    return percentiles(values, values)


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
        key = score_values(run, order.by) * (1 if order.kind == LOW else -1)
    return rows[np.argsort(key[rows], kind="stable")]
