"""What came in and what left, step by step; a bar that is clicked shows its images."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.charts import data_sets as charts
from app.charts.data_sets import FunnelRow
from app.data import known, picks
from app.data.known import DataSet
from app.words import escaped, percent
from fas_core.data.trail import UNKNOWN_STEP, Funnel, Stage

Row = tuple[FunnelRow, str]  # and the key of the pick that it leads to, "" where there is none


def rows_of(way: Funnel) -> list[Row]:
    """What went on of each step, then what left of it."""
    rows: list[Row] = []
    for place, stage in enumerate(way.stages):
        rows += [(_gap_row(gap.manifest, gap.n_missing, stage.step.n_in), "") for gap in stage.gaps]
        rows += _rows_of_stage(place, stage)
    if way.gap is not None:
        rows.append((_gap_row(way.gap.manifest, way.gap.n_missing, way.n_rows), ""))
    if way.stages:
        last = len(rows) - 1 - next(i for i, (row, _) in enumerate(reversed(rows)) if row.is_step)
        rows[last] = (rows[last][0], picks.KEPT)
    return rows


def _rows_of_stage(place: int, stage: Stage) -> list[Row]:
    step = stage.step
    name = "an earlier step" if step.name == UNKNOWN_STEP else step.name
    note = f"{step.n_kept:,} of {step.n_in:,} {step.unit_in}"
    if step.n_out != step.n_kept:
        note += f" → {step.n_out:,} {step.unit_out}"
    rows = [(FunnelRow(name, step.n_kept / max(1, step.n_in), note, f"{name}: {note}", is_step=True), "")]
    reasons = [(kind, n, "") for kind, n in step.left.items()]
    reasons += [(kind, n, " in part") for kind, n in step.partly.items()]
    for kind, n, how in reasons:
        share = n / max(1, step.n_in)
        text = f"{kind}: {n:,} of {step.n_in:,} {step.unit_in} {'were kept in part' if how else 'left'}"
        row = FunnelRow(kind + how, share, f"{n:,} ({percent(share, step.n_in)})", text)
        rows.append((row, f"left~{place}~{kind}"))
    if n := step.n_unexplained:
        rows.append((_gap_row("no reason given", n, step.n_in), ""))
    return rows


def _gap_row(name: str, n_missing: int, n_in: int) -> FunnelRow:
    what = f"{abs(n_missing):,} rows {'fewer' if n_missing > 0 else 'more'}" if n_missing else "other contents"
    text = f"{name} was changed outside of fas data: {what}"
    return FunnelRow(f"changed: {name}", min(1.0, abs(n_missing) / max(1, n_in)), what, text)


def show(data: DataSet, chart_key: str) -> None:
    way = known.way(data)
    if not way.stages:
        st.caption(
            "No step is recorded beside this manifest, so nothing is known of what left on the way. Each command of "
            "fas data (scan, frames, faces, ...) leaves a file .trail.json beside what it writes."
        )
        return
    rows = rows_of(way)
    drawn = [row for row, _ in rows]
    st.echarts_chart(
        charts.funnel(drawn),
        key=chart_key,
        height=charts.funnel_height(len(rows)),
        on_select=partial(_choose, chart_key, [pick for _, pick in rows]),
        alt="What went on and what left at each step: " + "; ".join(f"{row.name} {row.note}" for row in drawn),
    )
    if notes := [(stage.step.name, note) for stage in way.stages for note in stage.step.notes]:
        with st.expander(f"What the steps said ({len(notes)})"):
            for name, note in notes:
                st.caption(f"{name}: {escaped(note)}")


def _choose(chart_key: str, keys: list[str]) -> None:
    groups = st.session_state[chart_key]["selection"]["selected"]
    place = next((int(group["data_indices"][-1]) for group in groups if group["data_indices"]), None)
    if place is not None and place < len(keys) and keys[place]:
        picks.choose(keys[place])
