"""Operating points: frozen thresholds, whether their limits hold, who approved them, and their papers."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from app.components.command import show_command
from app.deciding.card_states import decision_forms, known_cards, show_state
from app.deciding.freezing import card_form, just_saved
from app.deciding.several_cards import side_by_side, verdicts
from app.session import identity, operating, sidebar
from app.session.address import link_params, put_in_address
from app.session.cache import cached
from app.session.readers import runs
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import escaped
from fas_core.access.roles import Right
from fas_core.deciding import card as cards
from fas_core.deciding import tested
from fas_core.deciding.card import Card
from fas_core.deciding.card_states import Kept
from fas_core.errors import BadInputError
from fas_core.evaluation.words import rate_text
from fas_core.metrics.operating_point import COST, DEFAULT
from fas_core.reports import card
from fas_core.reports.pdf import pdf
from fas_core.runs.store import Run


def by_id() -> dict[str, Run]:
    return {run.id: run for run in runs()[0]}


def check_of(frozen: Card, known: dict[str, Run]) -> str:
    """Whether a card still holds, as far as that can be seen without computing it again."""
    its_run = known.get(frozen.run)
    if its_run is None:
        return "its Run is gone"
    return "holds" if frozen.run_digest == its_run.digest_of(frozen.score) else "its Run has changed"


def save_form(shown: Shown) -> None:
    """Freezes the sidebar's operating point as a card."""
    point, problem = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
    if point is None:
        st.warning(problem, icon=":material/rule:")
        return
    if not identity.may(Right.DECIDE, shown.run):
        return
    with st.expander("Freeze what the sidebar says", icon=":material/lock:"):
        if card_form(shown, point, key="save_card"):
            st.rerun()  # the list above holds it now


def commands(shown: Shown) -> str:
    """What freezes and keeps a card of the Run and score that are shown, by the rule of the sidebar."""
    point, _ = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
    rule = str(DEFAULT if point is None or point.rule.kind == COST else point.rule)  # costs are more than a rule
    options = {"--score": shown.score, "--rule": rule, "--level": shown.level, "--out": "op.json"}
    said = " ".join(f"{option} {shlex.quote(value)}" for option, value in options.items())
    return f"fas threshold {shown.run.id} {said}\nfas cards keep op.json"


# ------------------------------------------------------------------------------------------------------------ the list


def listed(kept: list[Kept]) -> pd.DataFrame:
    """One row per card."""
    known = by_id()
    rows = []
    for entry in kept:
        frozen = entry.card
        cell = frozen.reported_together
        worst = cell.apcer_worst
        rows.append(
            {
                "State": entry.history.state,
                "Date": frozen.created[:16].replace("T", " "),
                "Run": frozen.run_name,
                "Score": frozen.score,
                "Level": frozen.level,
                "Rule": str(frozen.rule),
                "Limit": card.verdict(frozen),
                "BPCER": rate_text(cell.bpcer, cell.bpcer_interval),
                "Worst APCER": rate_text(cell.apcer_max, cell.worst_interval) + (f", {worst}" if worst else ""),
                "Threshold": frozen.threshold,
                "Chosen on": ", ".join(frozen.chosen_on) or "by hand",
                "Reported on": ", ".join(frozen.reported_on),
                "By": frozen.by,
                "Signature": frozen.standing.words,
                "Check": check_of(frozen, known) + (", optimistic" if frozen.optimistic else ""),
            }
        )
    return pd.DataFrame(rows)


def chosen_of(kept: list[Kept]) -> list[Kept]:
    """The cards chosen in the table, which the address names; the newest where there is none."""
    names = [entry.path.stem for entry in kept]
    saved = just_saved()
    asked = [saved] if saved else st.query_params.get_all("card")
    if gone := [name for name in asked if name not in names]:
        st.warning(f"There is no card {escaped(', '.join(gone))} here.", icon=":material/link_off:")
    event = show_rows(
        listed(kept),
        "cards",
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [i for i, name in enumerate(names) if name in asked] or [0]}},
        key=f"cards_{names[0]}_{len(names)}",  # rows are known by their number, which a further card changes
        column_config={"Threshold": st.column_config.NumberColumn(format="%.5g")},
    )
    rows = event["selection"]["rows"]
    put_in_address("card", [names[i] for i in rows])
    return [kept[i] for i in rows] or kept[:1]


# ------------------------------------------------------------------------------------------------ one card, or several


def show_card(shown: Kept, kept: list[Kept]) -> None:
    """Its limit against what came out, what may be decided about it, its files and its check."""
    frozen = shown.card
    its_run = by_id().get(frozen.run)
    st.markdown(
        f"**{escaped(card.verdict(frozen))}.** {escaped(card.answer(frozen))} "
        f"*{escaped(frozen.run_name)}, {escaped(frozen.score)}; rule {escaped(str(frozen.rule))}.*"
    )
    show_state(shown, kept)
    show_wrong(shown, its_run)
    with st.container(horizontal=True, key="card_actions"):
        if Right.DECIDE in identity.rights_on(frozen.run, frozen.run_name):
            decision_forms(shown, kept)
        downloads(shown, its_run)
        is_checked = st.button(
            "Compute it again", icon=":material/fact_check:", key=f"check_{shown.path.stem}", disabled=its_run is None
        )
    if is_checked:
        check(frozen, its_run)
    if frozen.note:
        st.caption(f"Note: {escaped(frozen.note)}")


def downloads(shown: Kept, its_run: Run | None) -> None:
    """The files of the card that is shown: what is sealed, and its two pages, made when they are asked for."""

    def page() -> str:
        return card.page(shown.card, its_run, shown.history)

    files: dict[str, tuple[Callable[[], str | bytes], str, str]] = {
        "PDF": (lambda: pdf(page()), "application/pdf", ":material/picture_as_pdf:"),
        "HTML": (page, "text/html", ":material/print:"),
        "JSON": (shown.path.read_bytes, "application/json", ":material/download:"),
    }
    name = shown.path.stem
    for kind, (content, mime, icon) in files.items():
        told = identity.exported(content, f"card {name}, {kind}", its_run)
        st.download_button(
            kind, told, f"{name}.{kind.lower()}", mime, icon=icon, key=f"{kind}_{name}", on_click="ignore"
        )


def show_rates(frozen: Card) -> None:
    """By subset and by species, as on paper."""
    for title, (heads, rows) in (
        ("Target against outcome", card.outcome(frozen)),
        ("Attacks by species", card.species(frozen)),
    ):
        if rows:
            st.markdown(f"**{title}**")
            wide = {heads[0]: st.column_config.TextColumn(width="medium")}
            show_rows(pd.DataFrame(rows, columns=heads), f"card_{title}", column_config=wide)


@cached(entries=16, spinner="Looking at groups …")
def behind(its_run: Run, file: str) -> tested.Evidence:
    """The card stands in a file whose name has its seal."""
    return tested.evidence(cards.read(Path(file)), its_run)


def evidence_of(shown: Kept) -> tested.Evidence | None:
    """What stands behind a card; None where its Run is not as it was."""
    its_run = by_id().get(shown.card.run)
    if its_run is None or its_run.digest_of(shown.card.score) != shown.card.run_digest:
        return None
    return behind(its_run, str(shown.path))


def show_fails(shown: Kept) -> None:
    """The groups that it fails most, as on paper; nothing where the Run is not as it was."""
    evidence = evidence_of(shown)
    if evidence is None:
        return
    said, looked = card.fails(evidence)
    st.markdown("**Whom it fails most**")
    st.markdown("\n".join(f"- **{escaped(who)}**: {escaped(what)}" for who, what in said.items()))
    st.caption(escaped(looked))


def show_wrong(shown: Kept, its_run: Run | None) -> None:
    """What is wrong with the data, as on paper: whoever approves has it before the eyes."""
    if listed := card.wrong(shown.card, its_run, evidence_of(shown)):
        said = "  \n".join(f"**{escaped(head)}** {escaped(text)}" for head, text in listed)
        st.warning(f"What is wrong with the data\n\n{said}", icon=":material/warning:")


def check(frozen: Card, its_run: Run | None) -> None:
    if its_run is None:
        return
    try:
        cards.require_accepted(frozen, "The card")
        differences = cards.differences(frozen, its_run)
    except BadInputError as error:
        differences = [str(error)]
    if differences:
        st.toast("The card does not hold any more.", icon=":material/error:")
        first = "; ".join(escaped(line) for line in differences[:5])
        st.error(f"The card does not hold: {first}", icon=":material/error:")
    else:
        st.success("Computed again: every number of the card is the same.", icon=":material/check_circle:")


# ---------------------------------------------------------------------------------------------------------------- page


def operating_points() -> None:
    shown = sidebar.shown()
    st.title("Operating points")
    kept, problems = known_cards()
    for problem in problems:
        st.warning(escaped(problem), icon=":material/warning:")
    if not kept:
        st.write(
            f"No {'other ' if problems else ''}threshold is frozen yet. A card keeps a threshold with its rule, data, "
            "checkpoint, errors and intervals: anybody can compute it again, and **fas predict** can apply it to new "
            "images."
        )
        st.page_link(
            "views/threshold.py", label="Choose a threshold", icon=":material/tune:", query_params=link_params()
        )
        st.caption("On that page **Freeze** makes the card; in a terminal, these two commands do:")
        show_command(commands(shown))
        save_form(shown)
        return
    head = st.container()
    n = len(kept)
    st.markdown(f"**{n} frozen threshold{'s' if n > 1 else ''}** · choose one to see it, or several to compare them")
    chosen = chosen_of(kept)
    save_form(shown)
    if len(chosen) > 1:
        head.write(verdicts(chosen))
        with head:
            show_rows(side_by_side(chosen), "cards_side_by_side", height="content")
        return
    with head:
        show_card(chosen[0], kept)
    show_fails(chosen[0])
    show_rates(chosen[0].card)


if __name__ == "__main__":
    operating_points()
