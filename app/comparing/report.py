"""The comparison as a file."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app.comparing.comparison import SUBSET, Comparison, groupings, sheet
from app.comparing.scatter import points_of
from app.parts.report_buttons import report_buttons
from app.session import faces
from app.session.address import keep_valid
from app.session.page import fragment
from app.session.readers import cache_folder
from fas_core.deciding import card_states
from fas_core.deciding.card import Card
from fas_core.deciding.card_states import APPROVED, DRAFT, SUPERSEDED, WITHDRAWN
from fas_core.evaluation.changes import CHANGE, Filter
from fas_core.reports import report
from fas_core.reports.report import NO_IMAGES, PIXELATED, Options

NO_CARD = "none"
STATES = (APPROVED, DRAFT, SUPERSEDED, WITHDRAWN)  # in the order in which cards are offered


@fragment
def show_report(comparison: Comparison, b: int) -> None:
    """One file of what the page shows, HTML or PDF, made when it is asked for."""
    run, runs = comparison.a.run, [system.run for system in comparison.systems]
    kept = [entry for entry in card_states.kept(cache_folder())[0] if entry.card.run == run.id]
    of_a = {f"{entry.card.rule} on {entry.card.score}, {entry.card.created}": entry for entry in kept}
    by_state = sorted(of_a, key=lambda name: STATES.index(of_a[name].history.state))  # newest first in each
    with st.container(horizontal=True, vertical_alignment="bottom"):
        named = st.selectbox(
            "With the operating point", [NO_CARD, *by_state], key="report_card", bind="query-params", width=380,
            format_func=lambda name: f"{name} ({of_a[name].history.state})" if name in of_a else str(name),
            help="Cards of Run A, made on the page Threshold.",
        )  # fmt: skip
        images, offered = NO_IMAGES, faces.ways(runs)  # what the address or a clear session has left is not offered
        keep_valid("report_images", offered, PIXELATED)
        if len(offered) > 1:
            images = str(
                st.segmented_control(
                    "Images",
                    offered,
                    default=PIXELATED,
                    key="report_images",
                    bind="query-params",
                    required=True,
                )
            )
        with_appendix = st.checkbox(
            "The thesis' figures",
            key="report_appendix",
            bind="query-params",
            help="An appendix: losses, latent space, reconstructions of every Run, and their trainings.",
        )
        card = of_a[str(named)].card if named in of_a else None
        wanted = options(comparison, b, images, with_appendix=with_appendix, card=card)
        sight = faces.of_all(runs)
        about = sheet(comparison)
        report_buttons(
            lambda: sight.of_report(images, lambda ways: report.page(about, replace(wanted, images=ways))), run
        )
    st.caption(
        "What this page shows: answer, forest plot, what got worse; curves and every metric; samples that changed, as "
        "they are filtered here. Its settings stand on every page's foot."
    )


def options(comparison: Comparison, b: int, images: str, *, with_appendix: bool, card: Card | None) -> Options:
    """What the other parts of the page have chosen, for the paper."""
    chosen = st.session_state
    column, points = str(chosen.get("groups_by", "")), points_of(comparison)
    samples = Filter(
        verdicts=chosen.get("show"),
        classes=tuple(chosen.get("compare_classes", ())),
        order=str(chosen.get("compare_order", CHANGE)),
        selected=tuple(points.within(points.selected).tolist()),
    )
    return Options(
        detail=b,
        groups_by=column if column in (SUBSET, *groupings(comparison)) else "",
        samples=samples,
        images=images,
        with_appendix=with_appendix,
        card=card,
    )
