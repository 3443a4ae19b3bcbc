"""The address of the view, which shows the same thing to whoever opens it: a button that copies it, and going on to
another page with all of it."""

from collections.abc import Mapping

import streamlit as st

_mount = st.components.v2.component(
    "fas_link",
    html='<button type="button" class="link"><span aria-live="polite">Copy link to this view</span></button>\n',
    css="""
.link { font: inherit; font-size: 0.875rem; color: var(--st-text-color); background: transparent; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: 0.35rem 0.75rem; }
.link:hover { border-color: var(--st-primary-color); }
.link:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
""",
    js="""
// Streamlit adds entries to the browser's history while a page stays the same: its parameters are written anew, before
// another page comes even without what its controls had put there. Here a page is one entry, which Back restores.
const HALF_WAY = 2000; // milliseconds within which another page follows the last change of the one that is left
function mendHistory() {
    if (window.history.fasIsMended) return;
    window.history.fasIsMended = true;
    const push = window.history.pushState.bind(window.history);
    let before = { at: -Infinity, address: "" }; // the last change by such an entry
    window.history.pushState = (state, title, address) => {
        const here = window.location.href;
        if (new URL(String(address ?? ""), here).pathname === window.location.pathname) {
            before = { at: performance.now(), address: here };
            window.history.replaceState(state, title, address);
            return;
        }
        if (performance.now() - before.at < HALF_WAY) window.history.replaceState(state, title, before.address);
        before = { at: -Infinity, address: "" };
        push(state, title, address);
    };
}
export default function ({ parentElement }) {
    mendHistory();
    const button = parentElement.querySelector("button"), words = button.querySelector("span");
    button.onclick = async () => {
        const address = window.location.href;
        try {
            await navigator.clipboard.writeText(address);
        } catch { // no clipboard without https on other hosts than this one: an old way that still works there
            const field = document.body.appendChild(document.createElement("textarea"));
            field.value = address;
            field.select();
            document.execCommand("copy");
            field.remove();
        }
        words.textContent = "Copied";
        setTimeout(() => { words.textContent = "Copy link to this view"; }, 1500);
    };
}
""",
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
