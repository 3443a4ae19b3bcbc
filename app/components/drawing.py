"""A drawing that the core makes as SVG text, in the page's own letters and colours."""

from __future__ import annotations

import streamlit as st
from markupsafe import Markup

_mount = st.components.v2.component(
    "fas_drawing",
    html='<div class="drawing"></div>\n',
    js="export default ({ data, parentElement }) => { parentElement.querySelector('.drawing').innerHTML = data; }",
)


def drawing(svg: Markup, *, key: str) -> None:
    """As wide as its place. `svg`: texts in it are escaped already."""
    _mount(data=str(svg), key=key)
