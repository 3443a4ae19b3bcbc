"""Saving what is drawn: a menu on every chart of a page (SVG, PNG, CSV), and a button on every table.

    saving(name="small_dcvae-7e2a05-live", source="small_dcvae (7e2a05) · live · score rec", key="page")

Charts of Streamlit and tables are found by the script; components of our own offer theirs (save_offers.js).
Pictures are black on white whatever the theme, with what the chart shows and whose it is written below; tables hold
what is drawn, zoomed or not, without what the legend has switched off, and no cell is a formula to a spreadsheet.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.components.bundle import bundled

_HERE = Path(__file__)
_STYLES = _HERE.with_suffix(".css").read_text()
_mount = st.components.v2.component("fas_saving", html="<span></span>\n", js=bundled(_HERE.with_suffix(".js")))

# Keys that the script finds: of the container around a table, of the button in it, and of itself.
TABLE, CSV, UNSEEN = "table_", "csv_", "saving_"


def saving(*, name: str, source: str, key: str) -> None:
    """After a page, and where a fragment of it shows other things. Nothing is drawn.

    `name`: the end of every file's name; `source`: whose numbers these are.
    """
    with st.container(key=f"{UNSEEN}{key}"):
        st.html(f"<style>[data-testid=stLayoutWrapper]:has(> [class*=st-key-{UNSEEN}]) {{ display: none; }}</style>")
        _mount(key=f"menus_{key}", data={"name": name, "source": source, "styles": _STYLES})
