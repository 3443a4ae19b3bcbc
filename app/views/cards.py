"""Operating points: frozen thresholds, who decided them, what errors they make, and whether they still hold."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from app.parts.freezing import card_form, just_saved
from app.session import operating, sidebar
from app.session.address import put_in_address
from app.session.readers import cache_folder, runs
from app.session.sidebar import Shown
from app.words import escaped, threshold_text
from fas_core.errors import BadInputError
from fas_core.evaluation import card as cards
from fas_core.evaluation.card import Card
from fas_core.evaluation.words import rate_text
from fas_core.reports import card
from fas_core.runs.health import Caution
from fas_core.runs.store import Run

Kept = tuple[Path, Card]  # a card and its file


def by_id() -> dict[str, Run]:
    return {run.id: run for run in runs()[0]}


def state_of(frozen: Card, known: dict[str, Run]) -> str:
    """Whether a card still holds, as far as that can be seen without computing it again."""
    its_run = known.get(frozen.run)
    if its_run is None:
        return "its Run is gone"
    return "holds" if frozen.run_digest == its_run.digest else "its Run has changed"


def save_form(shown: Shown) -> None:
    """Freezes the sidebar's operating point as a card."""
    point, problem = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
    if point is None:
        st.warning(problem, icon=":material/rule:")
        return
    with st.expander("Freeze what the sidebar says", icon=":material/lock:"):
        if card_form(shown, point, key="save_card"):
            st.rerun()  # the list above holds it now


def listed(kept: list[Kept]) -> pd.DataFrame:
    """One row per card."""
    known = by_id()
    rows = []
    for _, frozen in kept:
        cell = frozen.reported_together
        worst = cell.apcer_worst
        rows.append(
            {
                "Run": frozen.run_name,
                "Score": frozen.score,
                "Rule": str(frozen.rule),
                "Threshold": frozen.threshold,
                "Chosen on": ", ".join(frozen.chosen_on) or "by hand",
                "Reported on": ", ".join(frozen.reported_on),
                "BPCER": rate_text(cell.bpcer, cell.bpcer_interval),
                "Worst APCER": rate_text(cell.apcer_max, cell.worst_interval) + (f", {worst}" if worst else ""),
                "Level": frozen.level,
                "By": frozen.by,
                "Date": frozen.created[:16].replace("T", " "),
                "State": state_of(frozen, known) + (", optimistic" if frozen.optimistic else ""),
            }
        )
    return pd.DataFrame(rows)


def side_by_side(chosen: list[Card]) -> pd.DataFrame:
    """One column per card, one row per rate: BPCER, ACER, APCER of every species; and on what they were reported."""
    cells = [frozen.reported_together for frozen in chosen]
    names = list(dict.fromkeys(name for cell in cells for name in cell.apcer_per_species))
    table: dict[str, list[str]] = {
        "": ["Threshold", "Rule", "Reported on", "BPCER", *(f"APCER {name}" for name in names), "ACER", "Note"]
    }
    for letter, frozen, cell in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", chosen, cells, strict=False):
        species = [
            rate_text(cell.apcer_per_species.get(name), cell.apcer_interval_per_species.get(name)) for name in names
        ]
        acer = "–" if cell.acer is None else f"{100 * cell.acer:.1f} %"
        table[f"{letter}: {frozen.run_name}"] = [
            threshold_text(frozen.threshold),
            str(frozen.rule),
            ", ".join(frozen.reported_on),
            rate_text(cell.bpcer, cell.bpcer_interval),
            *species,
            acer,
            frozen.note,
        ]
    return pd.DataFrame(table)


def show_card(path: Path, frozen: Card) -> None:
    """What a card says, its files, and its check."""
    its_run = by_id().get(frozen.run)
    st.markdown(
        f"**{escaped(frozen.run_name)}, {escaped(frozen.score)}**: "
        f"{escaped(said(frozen))} Rule {escaped(str(frozen.rule))}, reported on "
        f"{escaped(', '.join(frozen.reported_on))}."
    )
    show_warnings(frozen.warnings or ())
    if frozen.note:
        st.caption(escaped(frozen.note))
    name = path.stem
    with st.container(horizontal=True):
        if st.button("Compute it again", icon=":material/fact_check:", key=f"check_{name}", disabled=its_run is None):
            check(frozen, its_run)
        st.download_button(
            "JSON",
            path.read_bytes(),
            f"{name}.json",
            "application/json",
            icon=":material/download:",
            key=f"json_{name}",
            on_click="ignore",
        )
        st.download_button(
            "HTML for print",
            lambda: card.page(frozen, its_run),
            f"{name}.html",
            "text/html",
            icon=":material/print:",
            key=f"html_{name}",
            on_click="ignore",
        )


def show_warnings(warnings: Sequence[Caution]) -> None:
    if warnings:
        st.warning("\n\n".join(escaped(caution.message) for caution in warnings), icon=":material/warning:")


def said(frozen: Card) -> str:
    """The rates of a card in a sentence."""
    cell, worst = frozen.reported_together, frozen.reported_together.apcer_worst
    words = [f"at the threshold {threshold_text(frozen.threshold)}"]
    if cell.bpcer is not None:
        words.append(f"{rate_text(cell.bpcer, cell.bpcer_interval)} of bona fide presentations are rejected")
    if worst is not None:
        rate = rate_text(cell.apcer_max, cell.worst_interval)
        words.append(f"{rate} of {worst} attacks pass, the worst species")
    return ", ".join(words) + "."


def check(frozen: Card, its_run: Run | None) -> None:
    if its_run is None:
        return
    try:
        differences = cards.differences(frozen, its_run)
    except BadInputError as error:
        differences = [str(error)]
    if differences:
        st.toast("The card does not hold any more.", icon=":material/error:")
        first = "; ".join(escaped(line) for line in differences[:5])
        st.error(f"The card does not hold: {first}", icon=":material/error:")
    else:
        st.success("Computed again: every number of the card is the same.", icon=":material/check_circle:")


def chosen_of(kept: list[Kept]) -> list[Kept]:
    """The cards chosen in the table, which the address names; the newest where there is none."""
    names = [path.stem for path, _ in kept]
    saved = just_saved()
    asked = [saved] if saved else st.query_params.get_all("card")
    if gone := [name for name in asked if name not in names]:
        st.warning(f"There is no card {escaped(', '.join(gone))} here.", icon=":material/link_off:")
    event = st.dataframe(
        listed(kept),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [i for i, name in enumerate(names) if name in asked]}},
        key=f"cards_{names[0]}_{len(names)}",  # rows are known by their number, which a further card changes
        column_config={"Threshold": st.column_config.NumberColumn(format="%.5g")},
    )
    rows = event["selection"]["rows"]
    put_in_address("card", [names[i] for i in rows])
    return [kept[i] for i in rows] or kept[:1]


def answer(kept: list[Kept]) -> str:
    """How many thresholds are frozen, and what the newest one does."""
    if not kept:
        return (
            "No threshold is frozen yet. A card keeps a threshold with its rule, data, checkpoint, errors and "
            "intervals: anybody can compute it again, and **fas predict** can apply it to new images."
        )
    n, newest = len(kept), kept[0][1]
    return (
        f"**{n} frozen threshold{'s' if n > 1 else ''}.** The newest, {escaped(newest.run_name)} by "
        f"{escaped(newest.score)}: {escaped(said(newest))}"
    )


def operating_points() -> None:
    shown = sidebar.shown()
    st.title("Operating points")
    kept, problems = cards.cards(cache_folder())
    for problem in problems:
        st.warning(escaped(problem), icon=":material/warning:")
    st.write(answer(kept))
    save_form(shown)
    if not kept:
        return
    st.markdown("**Cards** · choose one to see it, or several to compare them")
    chosen = chosen_of(kept)
    if len(chosen) > 1:
        st.dataframe(side_by_side([frozen for _, frozen in chosen]), hide_index=True)
    for path, frozen in chosen:
        show_card(path, frozen)


if __name__ == "__main__":
    operating_points()
