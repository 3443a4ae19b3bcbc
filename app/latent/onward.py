"""From what is selected to other pages: the gallery of all of it, the page of one image."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.components.link import follow
from app.parts import columns
from app.parts.selection import Points, keep_named
from app.session import identity
from app.session.address import link_params
from fas_core.access.roles import Right

LAST = "last opened from Latent space"  # the selection that the gallery is opened on, where it has no name
TO_GALLERY = "_latent_to_gallery"  # of the session


def show_ways_on(points: Points, rows: NDArray[np.int64], *, is_selection: bool) -> None:
    """To the gallery with what is selected, and to the page of the first of some rows."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if identity.may(Right.MARK, points.run):
            st.button(
                "Open in Gallery",
                on_click=_open_in_gallery,
                args=(points,),
                type="tertiary",
                disabled=not is_selection,
                key="latent_gallery",
            )
        if len(rows):
            (sample_id,) = columns.ids_of(points.run, points.rows_of(rows[:1]))
            st.page_link("views/image.py", label="Open image", query_params=link_params() | {"image": sample_id})
    if st.session_state.pop(TO_GALLERY, False):
        follow("views/gallery.py", "Open in Gallery", link_params() | {"selection": st.session_state["selection"]})


def _open_in_gallery(points: Points) -> None:
    """Which knows selections that have a name."""
    keep_named(points, LAST)
    st.session_state[TO_GALLERY] = True
