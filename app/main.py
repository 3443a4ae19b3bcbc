"""The frame: navigation over `views/`, the sidebar that all pages share."""

from pathlib import Path

import streamlit as st

from app import state

st.set_page_config(page_title="FAS Explorer", page_icon=Path(__file__).with_name("icon.svg"), layout="wide")

PAGES = [
    st.Page("views/overview.py", title="Overview", icon=":material/dashboard:", default=True),
    st.Page("views/losses.py", title="Losses", icon=":material/bar_chart:"),
    st.Page("views/latent.py", title="Latent space", icon=":material/scatter_plot:"),
    st.Page("views/likelihood.py", title="Likelihood", icon=":material/stacked_line_chart:"),
    st.Page("views/separation.py", title="Separation", icon=":material/call_split:"),
    st.Page("views/threshold.py", title="Threshold", icon=":material/tune:"),
    st.Page("views/cards.py", title="Operating points", icon=":material/lock:"),
    st.Page("views/gallery.py", title="Gallery", icon=":material/grid_view:"),
    st.Page("views/image.py", title="Image", icon=":material/image:"),
    st.Page("views/compare.py", title="Compare", icon=":material/compare:"),
    st.Page("views/training.py", title="Training", icon=":material/model_training:"),
]

# Columns stand beside each other where both have room, and below each other where they have not.
st.html(
    "<style>@media (max-width: 1000px) { [data-testid=stHorizontalBlock] { flex-wrap: wrap; } "
    "[data-testid=stColumn] { min-width: 100%; } }</style>"
)

page = st.navigation(PAGES, position="top")
with st.sidebar, state.errors_shown():
    state.sidebar()
with state.errors_shown():
    page.run()
