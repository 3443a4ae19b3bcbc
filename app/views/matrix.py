"""Across data sets: what models that learned some data sets make of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st

from app.charts import transfers as charts
from app.charts.transfers import Heat
from app.components.command import show_command
from app.components.link import follow
from app.parts.head import Head, head
from app.session import operating, sidebar
from app.session.address import link_params, put_in_address, switch
from app.session.cache import cached, keyed
from app.session.readers import called, labels_meant, levels, runs
from app.session.saved import shown_beside
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import escaped, label_of, number, percent
from fas_core import scores
from fas_core.evaluation import transfers
from fas_core.evaluation.join import System
from fas_core.evaluation.transfers import Cell, Matrix, Row
from fas_core.metrics.operating_point import DEFAULT, EER, Rule
from fas_core.metrics.uncertainty import UnitInterval

MEASURES = {"AUC": "roc_auc", "Worst APCER": "apcer", "BPCER": "bpcer"}  # on the screen -> in a cell
AUC = "AUC"
HELP = (
    "A row is a model, a column a data set (the samples' source, or the Run's manifest), without training images. "
    "APCER, of the worst species, and BPCER are at one threshold per model, by the sidebar's rule where it limits a "
    "rate, chosen on the data set that the model learned (its subset dev, or live, or train)."
)
HEADS = (
    "model", "score", "learned", "tested on", "measure", "value", "low95", "high95", "bona fide", "attacks", "people",
)  # fmt: skip


@keyed
@dataclass(frozen=True)
class Asked:
    """What the page shows; its digest stands for the bytes of all its Runs."""

    systems: tuple[System, ...]
    level: str
    rule: Rule
    with_intervals: bool

    @property
    def digest(self) -> str:
        of_runs = [(system.run.digest, system.score) for system in self.systems]
        return repr((of_runs, self.level, str(self.rule), self.with_intervals))


@cached(entries=8, spinner="Judging every model on every data set …")
def matrix(asked: Asked) -> Matrix:
    return transfers.matrix(asked.systems, asked.level, asked.rule, with_intervals=asked.with_intervals)


# ------------------------------------------------------------------------------------------------ what is asked


def usable(shown: Shown) -> tuple[dict[str, System], list[str]]:
    """By label, the Runs that can be judged as the sidebar says, by its score or their usual one; and why others are
    not here."""
    systems, notes = {}, []
    for run in runs()[0]:
        offered = scores.offered(run)
        if not offered:
            notes.append(f"{run.info.name} has no score.")
        elif shown.level not in levels(run):
            notes.append(f"{run.info.name} cannot be judged by {shown.level}.")
        else:
            systems[label_of(run)] = System(run, shown.score if scores.has(run, shown.score) else scores.usual(offered))
    return systems, notes


def chosen_systems(place: Head, systems: Mapping[str, System]) -> list[System]:
    """All of them, or those that are chosen; these stand in the address."""
    if "matrix_of" not in st.session_state:
        asked = [label for text in st.query_params.get_all("of") for label in labels_meant(text)]
        st.session_state["matrix_of"] = [label for label in asked if label in systems] or list(systems)
    st.session_state["matrix_of"] = [label for label in st.session_state["matrix_of"] if label in systems]
    with place.controls.popover(
        f"Runs ({len(st.session_state['matrix_of'])} of {len(systems)})", icon=":material/list:"
    ):
        labels = st.multiselect("Runs", list(systems), format_func=called().__getitem__, key="matrix_of", width=520)
    put_in_address("of", [] if len(labels) == len(systems) else labels)
    shown_beside(labels)
    return [systems[label] for label in labels]


def stated_rule(shown: Shown) -> Rule:
    """The sidebar's, where it gives every model a threshold; else the usual one."""
    rule = operating.rule(shown.run, shown.score, shown.level)
    return rule if (rule.has_limit and not rule.species) or rule.kind == EER else DEFAULT


# ------------------------------------------------------------------------------------------------ the table


def cells_of(of: Matrix) -> list[tuple[int, str]]:
    """Row and data set of each cell; those that the model learned last, so that their frames are on top."""
    cells = [(at, name) for at, row in enumerate(of.rows) for name in sorted(row.cells)]
    return sorted(cells, key=lambda cell: bool(of.rows[cell[0]].cells[cell[1]].is_trained_on))


def heat(row: Row, at: int, column: int, data_set: str, name: str) -> Heat:
    cell, measure = row.cells[data_set], MEASURES[name]
    value: float | None = getattr(cell, measure)
    interval: UnitInterval | None = getattr(cell, f"{measure}_ci95")
    n = {"roc_auc": min(cell.n_bona_fide, cell.n_attack), "apcer": cell.n_attack, "bpcer": cell.n_bona_fide}[measure]
    words = value_words(value, name, n)
    ends = "" if interval is None else f"{value_words(interval.low, name, n)} – {value_words(interval.high, name, n)}"
    counted = f"{cell.n_bona_fide:,} live, {cell.n_attack:,} attacks"
    people = "nobody named" if cell.n_people is None else f"{cell.n_people:,} people"
    marks = ["learned"] * bool(cell.is_trained_on) + ["optimistic"] * (cell.is_optimistic and name != AUC)
    lines = [words, *filter(None, [ends]), counted, ", ".join([people, *marks])]
    return Heat(
        at,
        column,
        None if value is None else min(1.0, 2 * (1 - value)) if name == AUC else value,
        lines,
        f"{row.called} on {data_set}: {name} {words}{of_species(cell, name)}" + (f" ({ends})" if ends else "")
        + f"; {counted}, {people}. Click to open this Run.",
        bool(cell.is_trained_on),
        (
            row.called, row.score, ", ".join(row.trained_on), data_set, name, value,
            interval and interval.low, interval and interval.high, cell.n_bona_fide, cell.n_attack, cell.n_people,
        ),
    )  # fmt: skip


def of_species(cell: Cell, name: str) -> str:
    return f", {cell.apcer_worst}" if MEASURES[name] == "apcer" and cell.apcer_worst else ""


def value_words(value: float | None, name: str, n: int) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if name == AUC else percent(value, n)


def show_table(of: Matrix, name: str, *, with_intervals: bool) -> None:
    places = cells_of(of)
    cells = [heat(of.rows[at], at, of.tested_on.index(data_set), data_set, name) for at, data_set in places]
    key = f"matrix_{name}_{st.session_state.get('_matrix_charts', 0)}"
    notes = [f"learned {', '.join(row.trained_on)}" if row.trained_on else "learned: not known" for row in of.rows]
    st.echarts_chart(
        charts.heat_table(
            [row.called for row in of.rows],
            notes,
            of.tested_on,
            cells,
            ("1", "0.5 or less") if name == AUC else ("0 %", "100 %"),
            HEADS,
        ),
        key=key,
        height=charts.heat_height(len(of.rows), with_intervals=with_intervals),
        on_select=partial(
            open_cell, key, [row.cells[data_set].run for row in of.rows for data_set in sorted(row.cells)]
        ),
        alt=f"{name} by model and data set: " + "; ".join(cell.text.partition(";")[0] for cell in cells),
    )


def open_cell(key: str, run_of: Sequence[str]) -> None:
    for group in st.session_state[key]["selection"]["selected"]:
        if group["data_indices"]:
            open_run(run_of[int(group["data_indices"][-1])])


def open_run(run: str) -> None:
    """Goes to a Run's Overview when the page is drawn next; the chart comes back without a selection."""
    st.session_state["_matrix_open"] = run
    st.session_state["_matrix_charts"] = st.session_state.get("_matrix_charts", 0) + 1


def cell_control(place: Head, of: Matrix) -> None:
    """The way to a cell's Run without a pointer."""
    cells = {f"{of.rows[at].called} on {name}": of.rows[at].cells[name].run for at, name in sorted(cells_of(of))}
    with place.controls.popover("Open a cell", icon=":material/open_in_new:"):
        wanted = st.selectbox("Cell", list(cells), key="matrix_cell", width=360)
        if wanted is not None:
            st.button("Open its Run", on_click=open_run, args=(cells[wanted],), type="primary")


def show_models(of: Matrix) -> None:
    """The threshold of each model, where it was chosen, and what changes on other data."""
    rows = [
        {
            "Model": row.called,
            "Score": row.score,
            "Learned": ", ".join(row.trained_on) or "not known",
            "Threshold": None if row.threshold is None else number(row.threshold),
            "Chosen on": ", ".join(row.chosen_on) or "nothing",
            "Elsewhere": ", ".join(f"{name} {change:+.2f}" for name, change in row.changes("roc_auc").items())
            .replace("-", "−"),
        }
        for row in of.rows
    ]  # fmt: skip
    show_rows(pd.DataFrame(rows), "models")


# ------------------------------------------------------------------------------------------------ the page


def follow_cell() -> None:
    """Goes on to the Run of a cell that was opened."""
    if run := st.session_state.pop("_matrix_open", None):
        labels = {listed.id: label_of(listed) for listed in runs()[0]}
        if run in labels:
            follow("views/overview.py", "Open its Overview", link_params() | {"run": labels[run]})


def show_matrix(shown: Shown) -> None:
    """The page."""
    follow_cell()
    place = head("Across data sets")
    systems, notes = usable(shown)
    name = switch("Measure", list(MEASURES), "measure", help=HELP, place=place.controls)
    with_intervals = bool(place.controls.toggle("Intervals", key="intervals", bind="query-params"))
    asked = Asked(tuple(chosen_systems(place, systems)), shown.level, stated_rule(shown), with_intervals)
    if not asked.systems:
        st.info("Choose at least one Run.", icon=":material/info:")
        return
    of = matrix(asked)
    cell_control(place, of)
    rates = transfers.answer_of_rates(of) if name != AUC else ""
    place.answer.write(escaped(rates or transfers.answer(of)))
    show_table(of, name, with_intervals=with_intervals)
    if shown.subsets != tuple(shown.run.subsets):
        st.caption("All subsets outside training count here, whichever the sidebar shows.")
    stated = f" Thresholds: {of.rule.words} where each model learned, taken as given." if name != AUC else ""
    st.caption(escaped(transfers.CAUTION + stated), help=HELP)
    if len(of.tested_on) == 1:
        st.caption("All Runs here are of one data set. What makes a second column:")
        show_command("fas cache CHECKPOINT --data ANOTHER_MANIFEST")
    for note in (*of.notes, *notes):
        st.caption(escaped(note))
    show_models(of)


if __name__ == "__main__":
    show_matrix(sidebar.shown())
