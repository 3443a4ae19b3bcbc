"""A report to be taken away, as HTML or PDF: neither is made before somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.session import identity
from fas_core.reports.pdf import pdf
from fas_core.runs.store import Run


def report_buttons(page: Callable[[], str], run: Run) -> None:
    """`page`: the HTML."""
    st.download_button(
        "Report (HTML)",
        identity.exported(page, "report, HTML", run),
        f"report-{run.id}.html",
        "text/html",
        icon=":material/print:",
        key="report",
        on_click="ignore",
        help="One file that loads nothing from anywhere, for reading and printing.",
    )
    st.download_button(
        "Report (PDF)",
        identity.exported(lambda: pdf(page()), "report, PDF", run),
        f"report-{run.id}.pdf",
        "application/pdf",
        icon=":material/picture_as_pdf:",
        key="report_pdf",
        on_click="ignore",
        help="The same on A4.",
    )
