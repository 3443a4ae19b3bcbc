"""Who has signed in, said in the sidebar, with the way out."""

from __future__ import annotations

import streamlit as st

from app.gate import pages, who
from app.words import escaped


def signed_in() -> None:
    """Nothing where nobody signs in, as on a laptop."""
    login = who.login()
    if login is not None:
        st.caption(f"Signed in as {escaped(login.name)}")
        st.html(f'<a href="{pages.LOGOUT}">Sign out</a>')
