"""The head of a page: its title, the answer beside it, and one row of controls; then the page begins."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

# All stand close together, so that pictures begin high on the first screen; on a small one the answer is below the
# title.
TIGHT = """<style>
.st-key-head { gap: 0.3rem; margin-bottom: -0.75rem; }
.st-key-head_line { row-gap: 0; }
.st-key-head_line > :nth-child(2) { flex: 1 1 0; min-width: 0; }
.st-key-head [data-testid=stMarkdownContainer] { margin-bottom: 0; }
.st-key-head_line [data-testid=stCaptionContainer] { margin-bottom: 0; }
.st-key-head_line p, .st-key-head_below p { font-size: 0.9375rem; line-height: 1.25; margin: 0; }
.st-key-head_controls > * { max-width: 100%; }
.st-key-head_controls [data-testid=stButtonGroup] > * { flex-wrap: wrap; }
@media (max-width: 1000px) {
  .st-key-head_line > :nth-child(2) { flex-basis: 100%; order: 1; }
  .st-key-head [data-testid=stPopover] button { padding: 0 0.5rem; }
}
</style>"""


@dataclass(frozen=True)
class Head:
    """Places to be filled; one that stays empty takes no room."""

    answer: DeltaGenerator
    beside: DeltaGenerator  # the end of the answer's row, for one or two controls
    controls: DeltaGenerator
    below: DeltaGenerator  # what else belongs to them


def head(title: str) -> Head:
    """Begins a page."""
    with st.container(key="head"):
        st.html(TIGHT)
        line = st.container(horizontal=True, vertical_alignment="center", key="head_line")
        line.title(title, width="content")
        answer = line.container(gap="xxsmall")
        beside = line.container(horizontal=True, width="content", gap="xsmall")
        controls = st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="head_controls")
        below = st.container(gap="xsmall", key="head_below")
    return Head(answer, beside, controls, below)
