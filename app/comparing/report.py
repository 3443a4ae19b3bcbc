"""The comparison as a file."""

from __future__ import annotations

import streamlit as st

from app.comparing.comparison import Comparison
from app.session.page import fragment
from app.session.readers import cache_folder
from fas_core.evaluation import card as cards
from fas_core.reports import report

NO_CARD, NO_IMAGES, PIXELATED, AS_THEY_ARE = "none", "none", "pixelated", "as they are"
IMAGES = (NO_IMAGES, PIXELATED, AS_THEY_ARE)


@fragment
def show_report(comparison: Comparison) -> None:
    """One HTML file of the Runs compared, made when it is asked for."""
    run = comparison.a.run
    kept, _ = cards.cards(cache_folder())
    of_a = {f"{card.rule} on {card.score}, {card.created}": card for _, card in kept if card.run == run.id}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        named = st.selectbox(
            "With the operating point", [NO_CARD, *of_a], key="report_card", bind="query-params", width=320,
            help="Cards of Run A, made on the page Threshold.",
        )  # fmt: skip
        choice = NO_IMAGES
        if run.has_images:
            choice = str(
                st.segmented_control(
                    "Images", IMAGES, default=PIXELATED, key="report_images", bind="query-params", required=True
                )
            )
        card = of_a.get(str(named))
        st.download_button(
            "Report (HTML)",
            lambda: report.page(
                comparison.a,
                card=card,
                others=comparison.systems[1:],
                rule=comparison.rule,
                level=comparison.level,
                chosen_on=comparison.chosen_on,
                with_images=choice != NO_IMAGES,
                pixelated=choice == PIXELATED,
            ),
            f"report-{run.id}.html",
            "text/html",
            icon=":material/print:",
            key="report",
            on_click="ignore",
            help="Takes some seconds. The file loads nothing from anywhere, and a browser prints it as PDF.",
        )
    st.caption("The thesis' figures of A, its operating point, this comparison, versions and hashes in one file.")
