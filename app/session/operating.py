"""The operating point that every page's verdicts follow: its rule and costs in the sidebar, and the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from app.session.address import keep_valid, put_in_address
from app.session.cache import cached
from app.session.readers import decided, grouping, pooled_score_set
from app.words import escaped
from fas_core import metrics
from fas_core.data.names import TRAIN, dev_subsets, fresh_subsets
from fas_core.delivery import is_injected
from fas_core.errors import BadInputError
from fas_core.evaluation.presentations import FRAME
from fas_core.metrics import bins
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import Costs, Share
from fas_core.metrics.operating_point import (
    APCER,
    BPCER,
    BY_HAND,
    COST,
    DEFAULT,
    KINDS,
    OperatingPoint,
    Rule,
)
from fas_core.runs.store import Run

RULE_NAMES = {
    BPCER: "BPCER at most",
    APCER: "APCER at most",
    op.EER: "Equal errors (EER)",
    COST: "Lowest expected cost",
    BY_HAND: "By hand",
}
WORST = "worst"
RATES = {
    BPCER: "BPCER, bona fide presentation classification error rate: the share of live samples that are rejected.",
    APCER: "APCER, attack presentation classification error rate: the share of attacks of a species that pass as live.",
}
EXACT = "%.17g"  # in the browser, the fewest digits that give the number again


def controls(run: Run, score: str, level: str) -> None:
    """The rule that every page's verdicts follow, and where it is applied."""
    keep_valid("rule", KINDS, DEFAULT.kind)
    kind = st.selectbox(
        "Operating point",
        KINDS,
        format_func=RULE_NAMES.__getitem__,
        key="rule",
        bind="query-params",
        help="BPCER at most x: the lowest threshold that rejects at most this share of live samples; needs no attacks. "
        "APCER at most x: the highest threshold that lets at most this share of attacks pass. EER: as many attacks "
        "pass as live samples are rejected. Cost: the threshold with the lowest expected cost a month.",
    )
    default = dev_subsets(run.subsets) or run.subsets[:1]
    keep_valid("chosen_on", run.subsets, default)
    asked_before = kept_limit() if kind == BY_HAND else None
    put_in_address("limit", "" if asked_before is None else str(asked_before))
    if kind == BY_HAND:
        _threshold_control(run, score, level)
        if asked_before is not None:
            st.caption(f"Asked for: {escaped(asked_before.words)}.")
        return
    if kind in (BPCER, APCER):
        asked = kept_limit()
        start = asked.value if asked is not None and asked.kind == kind else DEFAULT.value
        st.number_input(
            "At most, in %", 0.0, 99.9, 100 * start, 1.0, "%.4g", key="at_most", bind="query-params", help=RATES[kind]
        )
        st.checkbox(
            "Also its upper 95 % bound",
            key="at_95",
            bind="query-params",
            help="A threshold at which the limit still holds for what so few samples leave open, where it is chosen.",
        )
    if kind == APCER:
        looked_at = st.session_state.get("chosen_on", st.query_params.get_all("chosen_on") or default)
        names = [WORST, *_species(run, tuple(name for name in run.subsets if name in looked_at))]
        keep_valid("species", names, WORST)
        st.selectbox(
            "Of species",
            names,
            format_func=lambda name: "the worst one" if name == WORST else name,
            key="species",
            bind="query-params",
        )
    if kind == COST:
        cost_inputs(run)
    st.multiselect(
        "Chosen on",
        run.subsets,
        default=default,
        key="chosen_on",
        bind="query-params",
        help="The subsets the rule looks at; the others are reported.",
    )


def _threshold_control(run: Run, score: str, level: str) -> None:
    """The threshold set by hand, of each score its own."""
    low, high = score_range(run, score, level)
    key = f"t_{score}"
    try:
        asked = float(st.query_params.get(key, "nan"))
    except ValueError:
        asked = np.nan
    start = asked if np.isfinite(asked) else (low + high) / 2
    st.session_state[key] = min(max(float(st.session_state.get(key, start)), low), high)
    st.number_input("Threshold", low, high, key=key, step=(high - low) / 1000, format=EXACT)
    # Not bound: what the slider of the Threshold page sets would not reach the address.
    put_in_address(key, repr(float(st.session_state[key])))


def set_by_hand(score: str, threshold: float) -> None:
    """A threshold that is found on a page holds on all pages from its next run on; a limit stays asked for."""
    if (asked := limit()) is not None:
        st.session_state["limit"] = str(asked)
    st.session_state["rule"] = BY_HAND
    st.session_state[f"t_{score}"] = threshold


def limit() -> Rule | None:
    """The rule whose limit is to be kept: the sidebar's, or the last one before the threshold was set by hand."""
    kind = str(st.session_state.get("rule") or DEFAULT.kind)
    if kind in (BPCER, APCER):
        return _limited(kind)
    return kept_limit() if kind == BY_HAND else None


def kept_limit() -> Rule | None:
    """The limit from before the threshold was set by hand; it stands in the address."""
    text = str(st.session_state.get("limit", st.query_params.get("limit", "")))
    try:
        asked = op.rule(text) if text else None
    except BadInputError:  # an address that somebody has written
        asked = None
    return asked if asked is not None and asked.kind in (BPCER, APCER) else None


def pinned(run: Run) -> list[str]:
    """The species that somebody fears, of those that the Run has: they lead sentences. They stand in the address."""
    if "pinned" not in st.session_state:  # kept: the way to another page has an address of its own
        st.session_state["pinned"] = st.query_params.get_all("pinned")
    names = [name for name in _species(run, tuple(run.subsets)) if name in st.session_state["pinned"]]
    put_in_address("pinned", names)
    return names


def pin(names: Sequence[str]) -> None:
    st.session_state["pinned"] = list(names)


@cached(entries=64)
def _species(run: Run, subsets: tuple[str, ...]) -> list[str]:
    """The species of the presentation attacks of some subsets, in order of name."""
    of_frames = grouping(run, FRAME)
    codes, names = of_frames.kinds
    present = np.bincount(codes[of_frames.of_subsets(subsets)], minlength=len(names) + 1)[1:]
    return sorted(name for name, n in zip(names, present, strict=True) if n and not is_injected(name))


@dataclass(frozen=True)
class Figure:
    """A number that a cost is made of: an example, nobody's, until somebody sets another one."""

    name: str
    key: str
    example: float
    most: float | None = None

    @property
    def value(self) -> float:
        given = st.session_state.get(self.key, st.query_params.get(self.key))  # the address, until the field is there
        try:
            return self.example if given is None else float(given)
        except ValueError:  # an address that somebody has written
            return self.example

    @property
    def is_example(self) -> bool:
        return self.value == self.example


SESSIONS = Figure("sessions a month", "sessions", 100_000.0)
LOSS = Figure("loss per accepted attack", "loss", 500.0)
REJECTION = Figure("cost per rejected live one", "rejection", 1.0)
LEAST_SHARE, LARGEST_SHARE = 0.03, 0.3  # % of sessions
EXAMPLE = ":orange-badge[example]"
NOBODYS = "These are example figures, nobody's: set yours."


def share_of(species: str) -> tuple[Figure, Figure]:
    """From which to which share of the sessions attacks of a species are, in %."""
    least = Figure(f"{species} attacks from, % of sessions", f"share_{species}_from", LEAST_SHARE, 100.0)
    return least, Figure(f"{species} attacks to, % of sessions", f"share_{species}_to", LARGEST_SHARE, 100.0)


def figures(run: Run) -> list[Figure]:
    shares = [figure for name in _species(run, tuple(run.subsets)) for figure in share_of(name)]
    return [SESSIONS, LOSS, REJECTION, *shares]


def cost_inputs(run: Run) -> None:
    """What the expected cost is made of. On one place of a page only: the sidebar, where the rule is the cost."""
    asked = figures(run)
    if any(figure.is_example for figure in asked):
        all_or_some = "" if all(figure.is_example for figure in asked) else " Those that are marked still are."
        st.caption(f"{EXAMPLE} **{NOBODYS}**{all_or_some}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for figure in asked[:3]:
            _number_of(figure)
        st.text_input(
            "Currency",
            max_chars=3,
            key="currency",
            placeholder="EUR or €",
            width=200,
            bind="query-params",
            persist_state="session",
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for figure in asked[3:]:
            _number_of(figure)


def _number_of(figure: Figure) -> None:
    mark = f" {EXAMPLE}" if figure.is_example else ""
    st.number_input(
        escaped(figure.name[0].upper() + figure.name[1:]) + mark,
        0.0,
        figure.most,
        figure.example,
        format="%.6g",
        key=figure.key,
        width=200,
        bind="query-params",
        persist_state="session",
    )


def costs(run: Run) -> Costs:
    """The costs that `cost_inputs` states; raises BadInputError where they cannot be, as with shares above 100 %."""
    shares = {}
    for name in _species(run, tuple(run.subsets)):
        low, high = (figure.value / 100 for figure in share_of(name))
        if low > high:
            raise BadInputError(f"attacks of {name} are from {100 * low:g} to {100 * high:g} % of sessions: swap them")
        shares[name] = Share.between(low, high)
    return Costs(
        SESSIONS.value,
        shares,
        LOSS.value,
        REJECTION.value,
        str(st.session_state.get("currency") or "").strip() or None,
        tuple(figure.name for figure in figures(run) if figure.is_example),
    )


def costs_of(run: Run, rule: Rule) -> Costs | None:
    """`costs` where a rule looks at them."""
    return costs(run) if rule.kind == COST else None


def score_range(run: Run, score: str, level: str) -> tuple[float, float]:
    """From the lowest finite score to just above the highest: every decision a threshold can make lies between."""
    values = decided(run, score, level).values
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    return threshold_limits(float(finite.min()), float(finite.max()))


def threshold_limits(lowest: float, highest: float) -> tuple[float, float]:
    """Of a slider for finite scores: `lowest` to just above `highest`, apart enough to be moved between, and no further
    than `bins.FAR` from 0, so that their difference is a number."""
    low, high = (min(max(end, -bins.FAR), bins.FAR) for end in (lowest, math.nextafter(highest, math.inf)))
    least = 1e-9 * max(abs(high), 1)
    return (low, high) if high - low > least else (low - max(0.5, least), high + max(0.5, least))


def rule(run: Run, score: str, level: str) -> Rule:
    """The rule that the sidebar states."""
    kind = str(st.session_state.get("rule") or DEFAULT.kind)
    if kind == BY_HAND:
        low, high = score_range(run, score, level)
        return Rule(kind, float(st.session_state.get(f"t_{score}", (low + high) / 2)))
    return _limited(kind) if kind in (BPCER, APCER) else Rule(kind)


def _limited(kind: str) -> Rule:
    """The sidebar's rule with a limit."""
    species = str(st.session_state.get("species", WORST)) if kind == APCER else WORST
    at_most = float(st.session_state.get("at_most", 100 * DEFAULT.value)) / 100
    return Rule(kind, at_most, "" if species == WORST else species, bool(st.session_state.get("at_95")))


def chosen_on(run: Run) -> list[str]:
    """The subsets that the sidebar's rule looks at."""
    return [name for name in run.subsets if name in st.session_state.get("chosen_on", dev_subsets(run.subsets))]


def operating_point(run: Run, score: str, level: str, subsets: Sequence[str]) -> tuple[OperatingPoint | None, str]:
    """The sidebar's operating point; None and the reason where its rule cannot be applied.

    Reported on those of `subsets` that neither training nor the choice has seen; on all of them where none is left.
    """
    by = rule(run, score, level)
    on = chosen_on(run)
    reported_on = fresh_subsets(subsets, on) or subsets
    if by.kind == BY_HAND:
        # Reported where a rule would be, so that numbers do not jump when the slider takes over from it.
        return replace(op.operating_point(by, by.value, on, reported_on), chosen_on=(), is_optimistic=True), ""
    try:
        threshold = op.threshold_by(
            by,
            pooled_score_set(run, score, level, on),
            costs_of(run, by),
            decided(run, score, level).trials(on) if by.at_95 else None,
        )
    except (metrics.UndefinedMetricError, BadInputError) as error:
        where = escaped(", ".join(on)) or "no subset"
        return (
            None,
            f"{escaped(by.words)} cannot be applied to {where}: {escaped(str(error))}. Change it in the sidebar.",
        )
    return op.operating_point(by, threshold, on, reported_on), ""


def by_hand(run: Run, score: str, level: str, subsets: Sequence[str]) -> OperatingPoint:
    """Where to start by hand while the sidebar's rule gives no threshold: at that of its limit without the bound, or
    else in the middle of the scores."""
    stated, on = rule(run, score, level), chosen_on(run)
    low, high = score_range(run, score, level)
    threshold = (low + high) / 2
    if stated.at_95:
        with suppress(metrics.UndefinedMetricError):
            threshold = op.threshold_by(replace(stated, at_95=False), pooled_score_set(run, score, level, on))
    return OperatingPoint(Rule(BY_HAND, threshold), threshold, (), tuple(fresh_subsets(subsets, on) or subsets), True)


def role_of(subset: str, point: OperatingPoint) -> str:
    """What a subset is used for, in words; "" where it is used for nothing."""
    roles = (
        ("training", subset == TRAIN),
        ("threshold chosen here", subset in point.chosen_on),
        ("reported", subset in point.reported_on),
    )
    return ", ".join(role for role, is_its in roles if is_its)
