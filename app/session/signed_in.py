"""Who has signed in, said in the sidebar, with the way out."""

from __future__ import annotations

import streamlit as st

from app.gate import pages, who
from app.words import escaped

AS_A_BUTTON = (  # as `link.copy_link`
    "display: inline-block; font-size: 0.875rem; color: inherit; text-decoration: none; padding: 0.35rem 0.75rem; "
    "border: 1px solid rgb(128 128 128 / 0.4); border-radius: 0.5rem"
)


def signed_in() -> None:
    """Nothing where nobody signs in, as on a laptop."""
    login = who.login()
    if login is not None:
        st.caption(f"Signed in as {escaped(login.name)}")
        st.html(f'<a href="{pages.LOGOUT}" style="{AS_A_BUTTON}">Sign out</a>')  # Streamlit's own opens a new tab
