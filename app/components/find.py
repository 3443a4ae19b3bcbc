"""A field that is heard while somebody types, above links to what fits: `find(key="search")` is what stands in it.

Enter follows the first of the links and buttons in the container `st.container(key=MATCHES)`, arrows go from one to
the next.
"""

from __future__ import annotations

import streamlit as st

MATCHES = "matches"

_mount = st.components.v2.component(
    "fas_find",
    html="""
<input type="search" autocomplete="off" spellcheck="false" aria-label="Find a sample or subject"
  placeholder="Find a sample or subject">
""",
    css="""
input {
  box-sizing: border-box; width: 100%; height: 2.25rem; padding: 0 0.5rem;
  font: 0.875rem/1.6 var(--st-font); color: var(--st-text-color);
  background: var(--st-background-color); border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius);
}
input::placeholder { color: inherit; opacity: 0.75; }
input:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -1px; }
""",
    js=f"""
const PAUSE = 150; // milliseconds without a key, after which it is looked for
const links = () => [...document.querySelectorAll(".st-key-{MATCHES} :is(a, button)")];

// Arrows go through the links; above the first is the field.
function step(event, input) {{
    const by = {{ ArrowDown: 1, ArrowUp: -1 }}[event.key];
    const at = links().indexOf(event.target.closest("a, button"));
    if (!by || at < 0) return;
    event.preventDefault();
    (links()[at + by] ?? (by < 0 ? input : event.target)).focus();
}}

export default function ({{ data, parentElement, setStateValue }}) {{
    const input = parentElement.querySelector("input");
    if (parentElement.activeElement !== input) input.value = data ?? "";
    let sent = data ?? "", timer = 0;
    const send = () => {{
        clearTimeout(timer);
        if (input.value !== sent) setStateValue("typed", sent = input.value);
    }};
    input.oninput = () => {{
        clearTimeout(timer);
        timer = setTimeout(send, PAUSE);
    }};
    input.onkeydown = (event) => {{
        if (event.key === "Enter") input.value === sent ? links()[0]?.click() : send();
        else if (event.key === "ArrowDown") links()[0]?.focus();
        else if (event.key === "Escape") input.value = "";
        else return;
        event.preventDefault();
        if (event.key === "Escape") send();
    }};
    const heard = (event) => step(event, input);
    document.addEventListener("keydown", heard);
    return () => document.removeEventListener("keydown", heard);
}}
""",
)


def find(*, key: str) -> str:
    """What is typed, without spaces around it."""
    typed = str((st.session_state.get(key) or {}).get("typed") or "")
    result = _mount(key=key, data=typed or None, on_typed_change=lambda: None)
    return str(result.get("typed") or "").strip()
