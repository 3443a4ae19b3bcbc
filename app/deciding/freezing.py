"""The form that freezes an operating point as a card."""

from __future__ import annotations

import streamlit as st

from app.session import identity, operating, readers
from app.session.cache import cached
from app.session.readers import cache_folder
from app.session.sidebar import Shown
from app.words import about, escaped
from fas_core.access.roles import Right
from fas_core.deciding import card as cards
from fas_core.deciding import card_states
from fas_core.errors import BadInputError
from fas_core.metrics import limits
from fas_core.metrics.operating_point import BY_HAND, OperatingPoint, Rule
from fas_core.runs import health
from fas_core.runs.health import Caution
from fas_core.runs.store import Run


@cached(entries=16, is_apart=lambda run, *_: not health.is_looked_through(run))
def cautions(run: Run, rule: Rule, chosen_on: tuple[str, ...], reported_on: tuple[str, ...]) -> list[Caution]:
    """Those that a card of these would have."""
    return cards.cautions(run, rule, chosen_on, reported_on)


def just_saved() -> str | None:
    """The name of the card that was saved in the run of the page before this one: it is to be shown."""
    name = st.session_state.pop("_saved_card", None)
    return None if name is None else str(name)


def limit_missed(shown: Shown, point: OperatingPoint) -> str:
    """That the limit asked for does not hold where the point is reported, in a sentence; "" where it does."""
    asked = operating.limit() if point.rule.kind == BY_HAND else point.rule
    if asked is None:
        return ""
    rates = readers.rates(shown.run, shown.score, shown.level, point.reported_on, point.threshold)
    checked = rates.target(asked)
    return "" if checked is None or checked.met is not False else f"{limits.target_words(asked, checked)}."


def card_form(shown: Shown, point: OperatingPoint, *, key: str) -> bool:
    """Asks who decides and why; whether the card has been saved by this run of the page."""
    run, score = shown.run, shown.score
    with st.form(key, border=False):
        st.markdown(f"**{escaped(run.info.name)}, {escaped(score)} per {escaped(shown.level)}**")
        st.caption(about(point))
        if missed := limit_missed(shown, point):
            st.warning(escaped(missed), icon=":material/rule:")
        costs = operating.costs_of(run, point.rule)
        warnings = [
            *cautions(run, point.rule, point.chosen_on, point.reported_on),
            *cards.cost_cautions(point.rule, costs),
            *readers.decided(run, score, shown.level).short_cautions([*point.chosen_on, *point.reported_on]),
        ]
        if warnings:
            st.warning("\n\n".join(escaped(caution.message) for caution in warnings), icon=":material/warning:")
        left, right = st.columns([1, 3])
        with left:
            by = identity.signed("Decided by", key=f"{key}_by", most=100)
        note = right.text_input("Note", max_chars=1000, placeholder="why this threshold")
        closed = st.checkbox(
            "A missing score or unreadable image counts as an attack",
            value=True,
            help="Fail closed: what gives no score is rejected, and counted in the card's rates.",
        )
        if not st.form_submit_button("Save as a card", icon=":material/lock:", type="primary"):
            return False
        by = identity.signed_by(by)
        try:
            identity.require(Right.DECIDE, run)
            if not by.strip():
                raise BadInputError("A card needs the name of who decides.")
            content = cards.card(
                run,
                score,
                point.rule,
                point.chosen_on,
                point.reported_on,
                level=shown.level,
                costs=costs,
                fail_closed=closed,
                asked=operating.limit(),
                feared=operating.pinned(run),
                by=by.strip(),
                note=note.strip(),
            )
            kept = cards.signed(content)
            identity.tell("decision", {"run": run.id, "card": kept.sha256, "state": "frozen", "why": note})
            st.session_state["_saved_card"] = card_states.keep(kept, cache_folder()).stem
        except BadInputError as error:
            st.error(escaped(str(error)), icon=":material/lock:")
            return False
        st.toast("The card is saved.", icon=":material/lock:")
        return True
