"""A card's state, and the forms that change it: approve, supersede, withdraw."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.session import identity
from app.session.readers import cache_folder
from app.words import escaped
from fas_core.access.roles import NotAllowedError, Right, role_with
from fas_core.deciding import card_states
from fas_core.deciding.card_states import (
    APPROVED,
    BESIDE,
    DRAFT,
    KEEP,
    NEXT,
    SUPERSEDE,
    SUPERSEDED,
    WITHDRAWN,
    Kept,
)
from fas_core.errors import BadInputError

_ACTIONS = {
    APPROVED: ("Approve", ":material/verified:"),
    SUPERSEDED: ("Supersede", ":material/published_with_changes:"),
    WITHDRAWN: ("Withdraw", ":material/block:"),
}
SECOND = "Who has frozen a card may not approve it: a second person is asked for."
_BESIDE = {SUPERSEDE: "This card takes its place", KEEP: "Both stay approved"}


def known_cards() -> tuple[list[Kept], Sequence[str]]:
    """Cards of Runs that who is at the page may know of, and what is wrong with files."""
    kept, problems = card_states.kept(cache_folder())
    may_know = [entry for entry in kept if identity.knows(entry.card.run, entry.card.run_name)]
    return may_know, problems if identity.may(Right.NUMBERS, None) else []


def show_state(shown: Kept, kept: Sequence[Kept]) -> None:
    """What was decided about a card, oldest first, in words."""
    its_card = f"Card {escaped(shown.path.stem)}, {escaped(shown.card.standing.words)}."
    if refusal := shown.card.standing.refusal("This card", "fas keys sign CARD"):
        st.error(escaped(refusal), icon=":material/key_off:")
    if not shown.history.events:
        st.caption(f"Draft: nobody has approved it yet. {its_card}")
        return
    successors = {entry.card.sha256: entry.path.stem for entry in kept}
    lines = []
    for event in shown.history.events:
        by = escaped(event.by) or "somebody without a name"
        instead = f", {escaped(successors.get(event.successor, 'a card that is not here'))} is in its place"
        lines.append(
            f"**{event.state.capitalize()}** by {by} on {event.when[:10]}{instead if event.successor else ''}: "
            f"{escaped(event.why)}" + (f" ({escaped(event.standing.words)})" if event.signature else "")
        )
    st.caption("  \n".join([*lines, its_card]))


def decision_forms(shown: Kept, kept: Sequence[Kept]) -> None:
    """A form for each state that may follow; the page runs anew when somebody has decided."""
    others = [entry for entry in kept if entry.history.state in (DRAFT, APPROVED) and entry.path != shown.path]
    for state in NEXT[shown.history.state]:
        label, icon = _ACTIONS[state]
        lacks_other = state == SUPERSEDED and not others
        with st.popover(
            label,
            icon=icon,
            disabled=lacks_other,
            key=f"{state}_popover_{shown.path.stem}",  # closes with its state, instead of becoming the next one's
            help="Freeze the operating point that is to take its place first." if lacks_other else None,
        ):
            if state == APPROVED and not identity.is_laptop() and _lacks_second(shown, identity.person()):
                st.info(SECOND, icon=":material/group:")
            else:
                _form(shown, state, others)


def _form(shown: Kept, state: str, others: Sequence[Kept]) -> None:
    """`others`: cards that may take its place."""
    name = shown.path.stem
    label, icon = _ACTIONS[state]
    with st.form(f"{state}_{name}", border=False):
        successor = None
        if state == SUPERSEDED and others:
            successor = st.selectbox("By the card", others, format_func=_called, key=f"successor_{name}")
        by = identity.signed("Who decides", key=f"{state}_by", most=card_states.LONGEST_NAME)
        why = st.text_area("Why", max_chars=card_states.LONGEST_WHY, height=90, key=f"{state}_why_{name}")
        although_missed, beside = _objections(shown) if state == APPROVED else (False, "")
        if state == WITHDRAWN:
            st.caption("For good: fas predict refuses a card that was withdrawn. Nothing of it is erased.")
        if not st.form_submit_button(label, icon=icon, type="primary"):
            return
    by = identity.signed_by(by)
    try:
        require_decider(shown, state, by)
        if not by.strip() or not why.strip():
            raise BadInputError("A decision needs the name of who decides, and a reason.")
        if state == APPROVED and shown.card.missed and not although_missed:
            raise BadInputError("The limit is missed: tick that it is approved all the same, or choose a threshold.")
        about_card = {"run": shown.card.run, "card": name, "state": state, "why": why}
        identity.tell("decision", about_card)
        if state == APPROVED:
            card_states.approve(
                shown.path, cache_folder(), by=by, why=why, although_missed=although_missed, beside=beside
            )
        else:
            card_states.add(shown.path, state, by=by, why=why, successor=None if successor is None else successor.card)
    except BadInputError as error:
        st.error(escaped(str(error)), icon=icon)
        return
    st.toast(f"The card is {state}.", icon=icon)
    st.rerun()


def require_decider(shown: Kept, state: str, by: str) -> None:
    """Raises NotAllowedError where who is at the page may not decide about a card, or has frozen what is to be approved
    and the settings ask for a second person."""
    card = shown.card
    if Right.DECIDE not in identity.rights_on(card.run, card.run_name):
        identity.tell("refused", {"asked": "decide", "run": card.run, "card": shown.path.stem})
        raise NotAllowedError(f"Cards are decided about by the role {role_with(Right.DECIDE)}.")
    if state == APPROVED and _lacks_second(shown, by):
        identity.tell("refused", {"asked": "approve what one has frozen", "run": card.run, "card": shown.path.stem})
        raise NotAllowedError(SECOND)


def _lacks_second(shown: Kept, by: str) -> bool:
    """Whether the settings ask for somebody else to approve what this person has frozen."""
    return identity.access().roles.second_person and by.strip() == shown.card.by.strip()


def _objections(shown: Kept) -> tuple[bool, str]:
    """What stands against an approval, and what its form says of it: see `card_states.approve`."""
    name, although_missed, beside = shown.path.stem, False, ""
    if missed := shown.card.missed:
        st.warning(f"The limit is missed: {escaped(missed)}.", icon=":material/rule:")
        although_missed = st.checkbox("Approve it although its limit is missed", key=f"although_{name}")
    if others := card_states.approved_beside(shown.card, cache_folder()):
        listed = "; ".join(f"{escaped(_called(other))}, {escaped(other.history.in_words)}" for other in others)
        st.warning(f"Approved already, for the same Run and score: {listed}.", icon=":material/verified:")
        beside = st.radio("What becomes of that one?", BESIDE, format_func=_BESIDE.__getitem__, key=f"beside_{name}")
    return although_missed, beside


def _called(entry: Kept) -> str:
    card = entry.card
    return f"{card.run_name}, {card.score}, {card.rule.words}, {card.created[:16].replace('T', ' ')}"
