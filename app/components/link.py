"""The address of the view, which shows the same thing to whoever opens it: a button that copies it, and going on to
another page with all of it."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from app.components.bundle import mounted

_mount = mounted(
    Path(__file__),
    '<button type="button" class="link"><span aria-live="polite">Copy link to this view</span></button>',
)


def copy_link() -> None:
    _mount(key="copy_link")


_follow = st.components.v2.component(
    "fas_follow",
    html="<span></span>",
    js="""
export default function () {
    let tries = 100; // the link is drawn at about the same time
    const click = () => {
        const link = document.querySelector(".st-key-follow a");
        if (link) link.click();
        else if (tries-- > 0) requestAnimationFrame(click);
    };
    click();
}
""",
)


def follow(page: str, label: str, parameters: Mapping[str, str | list[str]]) -> None:
    """Goes on to another page, as if its link had been clicked. `parameters`: of the address there.

    `st.switch_page` would lose what controls have put into the address, and with it what a copied link shows.
    """
    with st.container(key="follow"):
        st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=parameters)
    _follow(key="follow_link")
