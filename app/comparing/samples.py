"""Which samples change: those of the scatter, and those whose verdict another Run turns, with their images."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.comparing.comparison import LETTERS, Comparison, sheet
from app.comparing.scatter import colours, hovering, plane, points_of, show_scatter
from app.components import gallery as component
from app.components.scatter import carried
from app.components.zoom import zoomed
from app.parts import filters, sample
from app.session import faces
from app.session.page import fragment
from app.session.tables import show_rows
from app.words import escaped, number
from fas_core.data.names import readable
from fas_core.evaluation.changes import (
    CHANGE,
    SCORE_A,
    SCORE_B,
    Pair,
    narrowed,
    ordered,
    pair_of,
    samples_table,
    usual_verdicts,
    verdict_masks,
)
from fas_core.reports.palette import style_of
from fas_core.runs.store import Run

PER_PAGE = 24

# --------------------------------------------------------------------------------------------------- what is chosen


def show_samples(comparison: Comparison, b: int) -> None:
    """Score against score, and below it the samples as images, or as a table where a Run has none."""
    carried(plane(comparison, b), colours(comparison, b))
    show_list(comparison, b)
    hovering(comparison, b)


@fragment
def show_list(comparison: Comparison, b: int) -> None:
    """A fragment: filters and selections run nothing but this again."""
    pair, points = pair_of(sheet(comparison), b), points_of(comparison)
    selected = show_scatter(comparison, b)
    runs = (comparison.a.run, comparison.systems[b].run)
    without = [f"{run.info.name}: {lacking(run)}." for run in runs if not faces.kinds(run)]
    fits, order, display = sample_controls(pair, has_images=not without, on_change=points.to_first_page)
    rows = ordered(pair, narrowed(fits, selected), order)
    if not len(rows):
        st.info(f"No {pair.both.unit} fits. Choose other verdicts or classes.", icon=":material/filter_alt_off:")
    elif display is None:
        st.caption(f"{escaped(' '.join(dict.fromkeys(without)))} Images appear here when both Runs have some.")
        show_table(pair, rows)
    else:
        with st.container():
            show_page(comparison, pair, rows, display, paging=points.paging)


def lacking(run: Run) -> str:
    """Why none of its images are shown."""
    return "images are for another role" if run.pictures else run.without("inputs", "reconstructions")


def sample_controls(
    pair: Pair, *, has_images: bool, on_change: filters.Heard
) -> tuple[filters.Mask, str, component.Display | None]:
    """Which samples (n,) pass the filters, their order as `ordered` takes it, and how images are shown."""
    letter = LETTERS[pair.b]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        fits = filters.by_verdict(
            verdict_masks(pair),
            default=usual_verdicts(pair),
            label="Verdicts",
            words=lambda name: name.replace(" B", f" {letter}"),
            key="show",
            on_change=on_change,
            help=f"Fixed: A is wrong, {letter} is right. Broken: A is right, {letter} is wrong. Changed: either.",
        )
        order = st.selectbox(
            "Order",
            [CHANGE, SCORE_A, SCORE_B],
            format_func=lambda name: name.replace(" B,", f" {letter},"),
            key="compare_order",
            bind="query-params",
            on_change=on_change,
            width=200,
            help=f"Change: the place of the score among the common live {pair.both.unit}s, which does not depend on "
            "its unit.",
        )
        fits = fits & filters.by_class(pair.kinds, pair.kinds.tolist(), key="compare_classes", on_change=on_change)
        display = None
        if has_images:
            with st.popover("Display", icon=":material/tune:"):
                display = component.display_controls()
    return fits, str(order), display


# --------------------------------------------------------------------------------------------------- what is shown


def show_table(pair: Pair, rows: NDArray[np.int64]) -> None:
    """The samples without images."""
    show_rows(
        samples_table(pair, rows),
        "changed_samples",
        key="flip_list",
        height=380,
        column_config={"Sample": st.column_config.TextColumn(width=220)},
    )
    st.caption(f"{len(rows):,} {pair.both.unit}s.")


def show_page(
    comparison: Comparison, pair: Pair, rows: NDArray[np.int64], display: component.Display, *, paging: str
) -> None:
    """A page of images; a chosen one is shown large. `paging`: key of the page's number."""
    place = st.container()
    shown, _, _ = component.page_bar(rows, PER_PAGE, key=paging)
    with place:
        cards = cards_of(pair, shown)
        panels = panels_of(comparison, pair, shown, display)
        chosen = component.gallery(cards, panels, key="compare_images", size=display.size)
    if chosen is not None:
        component.start_at(chosen)
        details(comparison, pair, shown, display)


@st.dialog("One image", width=880, position="right")
def details(comparison: Comparison, pair: Pair, rows: NDArray[np.int64], display: component.Display) -> None:
    """One sample in both Runs, large, zoomed together; steps through those of the page, `rows` of the pair."""
    sample_ids = pair.both.samples["sample_id"].iloc[rows].astype("str").tolist()
    at = sample_ids.index(component.stepper(sample_ids))
    row = rows[at : at + 1]
    (card,) = cards_of(pair, row)
    zoomed(card.sample_id, panels_of(comparison, pair, row, display), key="large_runs")  # as they may be seen by now
    st.write("  \n".join(escaped(line) for line in card.lines))
    st.markdown("**Metadata**")
    sample.show_metadata(comparison.a.run, int(pair.both.rows[0][row[0]]))


def cards_of(pair: Pair, rows: NDArray[np.int64]) -> list[component.Card]:
    """The outline is the other Run's verdict; the lines say both."""
    at, (values_a, values_b) = pair.flips, pair.scores
    cards = []
    for i in rows:
        style = style_of(pair.kinds[i])
        lines = [
            f"{letter}{'' if verdicts is None else f' · {verdicts[i]}'} · {number(values[i])}{_among_live(places[i])}"
            for letter, values, places, verdicts in (
                ("A", values_a, pair.place_a, None if at is None else at.verdicts_a),
                (LETTERS[pair.b], values_b, pair.place_b, None if at is None else at.verdicts_b),
            )
        ]
        sample_id = str(pair.both.samples["sample_id"].iloc[i])
        cards.append(
            component.Card(
                sample_id=sample_id,
                lines=(*lines, sample_id),
                group=readable(pair.kinds[i]),
                colour=style.colour,
                is_hollow=style.is_hollow,
                verdict="right" if at is None else at.verdicts_b[i],
            )
        )
    return cards


def _among_live(place: float) -> str:
    return "" if math.isnan(place) else f" · above {math.floor(100 * place)} % of live"


def panels_of(
    comparison: Comparison, pair: Pair, rows: NDArray[np.int64], display: component.Display
) -> list[component.Panel]:
    """Original, both reconstructions, both errors; the other Run's error is against its own input, which is shown where
    it is of another modality."""
    letter = LETTERS[pair.b]
    shown = replace(display, ssim=False)
    of_a, of_b = (
        {panel.name: panel for panel in faces.panels(shown, comparison.systems[i].run, pair.both.rows[i][rows])}
        for i in (0, pair.b)
    )
    originals = of_a.get("original"), of_b.get("original")
    each = pair.both.has_companions and all(originals)
    named = (
        ("original A" if each else "original", originals[0] or originals[1]),
        ("A", of_a.get("reconstruction")),
        (f"original {letter}", originals[1] if each else None),
        (letter, of_b.get("reconstruction")),
        ("error A", of_a.get("error")),
        (f"error {letter}", of_b.get("error")),
    )
    return [replace(panel, name=name) for name, panel in named if panel is not None]
