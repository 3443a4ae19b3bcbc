"""The frame: navigation over `views/`, the sidebar that all pages share."""

import gc
import sys
from pathlib import Path

import streamlit as st

from app.parts import search
from app.session import navigation, saved, sidebar, signed_in, uploads
from app.session.page import errors_shown, give_back_memory
from fas_core import scores

st.set_page_config(page_title="FAS Explorer", page_icon=Path(__file__).with_name("icon.svg"), layout="wide")

GROUPS = {
    "Overview": [st.Page("views/overview.py", title="Overview", default=True)],
    "Look": [
        st.Page("views/gallery.py", title="Gallery"),
        st.Page("views/image.py", title="Image"),
        st.Page("views/causes.py", title="Causes"),
    ],
    "Codes": [
        st.Page("views/latent.py", title="Latent space"),
        st.Page("views/frames.py", title="Latent side by side"),
        st.Page("views/likelihood.py", title="Likelihood"),
        st.Page("views/separation.py", title="Separation"),
        st.Page("views/traversal.py", title="Traversal"),
    ],
    "Decide": [
        st.Page("views/threshold.py", title="Threshold"),
        st.Page("views/losses.py", title="Losses"),
        st.Page("views/cards.py", title="Operating points"),
    ],
    "Compare": [
        st.Page("views/compare.py", title="Compare"),
        st.Page("views/matrix.py", title="Across data sets"),
    ],
    "Data": [st.Page("views/data.py", title="Data")],
    "Train": [st.Page("views/training.py", title="Training")],
}
SHORT = {"Latent side by side": "Side by side"}


@st.cache_resource(show_spinner=False)
def is_settled(n_modules: int) -> bool:  # noqa: ARG001 - part of the key
    """True, once all that is loaded is left out of the garbage collection that follows every run of a page.

    Going through all modules again would take 65 ms each time, also after every answer to the pointer.
    """
    gc.collect()
    gc.freeze()
    return True


# Columns stand beside each other where both have room, and below each other where they have not. The first screen is
# for data: what comes before them takes little room.
st.html(
    "<style>@media (max-width: 1000px) { [data-testid=stHorizontalBlock] { flex-wrap: wrap; } "
    "[data-testid=stColumn] { min-width: 100%; } } "
    "[data-testid=stMainBlockContainer] { padding: 0.5rem 2rem 3rem; } "
    "[data-testid=stSidebarHeader] { height: 2.75rem; margin: 0; } "
    "[data-testid=stSidebarUserContent] { padding-top: 0; } "
    "[data-testid=stElementContainer]:has(> [data-testid=stHtml] > style:only-child) { display: none; } "
    "[data-testid=stMultiSelect] [data-tag] { background: rgb(128 128 128 / 0.25); color: inherit; } "
    "[data-testid=stWidgetLabel], [data-testid=stWidgetLabel] [data-testid=stMarkdownContainer] { color: inherit; } "
    "[data-testid=stHeading] h1 { font-size: 1.75rem; padding: 0.25rem 0; }</style>"
)

navigation.note_unknown(GROUPS)
page = st.navigation(GROUPS, position="hidden")
with errors_shown():
    navigation.navigation(GROUPS, SHORT, page)
with st.sidebar, errors_shown():
    top = st.container()
    run = sidebar.sidebar()
    if run is not None:
        with top:
            search.search(run, sidebar.chosen_score(run) if scores.offered(run) else None, page.url_path)
    signed_in.signed_in()
saved.begin(page.url_path)
navigation.say_unknown(GROUPS, page)
if page.url_path != "image":
    uploads.leave()
try:
    with errors_shown():
        page.run()
finally:  # pages end early where there is nothing more to show
    saved.menus()
give_back_memory()
is_settled(len(sys.modules))
