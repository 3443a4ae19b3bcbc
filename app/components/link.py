"""A button that copies the address of the view, which shows the same thing to whoever opens it."""

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
export default function ({ parentElement }) {
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
