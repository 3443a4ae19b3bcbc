"""The way between pages: groups of them above every page, the current one always in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.navigation.page import Page
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.components.landmarks import landmarks
from app.session.address import link_params
from app.words import escaped

Groups = Mapping[str, Sequence[Page]]
LONGEST = 60  # characters of an address that is said
UNKNOWN = "_unknown_page"

# The page begins below the navigation, so that nothing scrolls under it; narrow windows give it two rows. The header,
# which has the button of the sidebar, lies above both and takes no room.
STYLES = """<style>
.stApp { --navigation: 2.75rem; }
@media (max-width: 1200px) { .stApp { --navigation: 4.25rem; } }
[data-testid=stMain] { margin-top: var(--navigation); height: calc(100% - var(--navigation)); }
[data-testid=stHeader] { background: transparent; pointer-events: none; }
[data-testid=stHeader] button { pointer-events: auto; }
.st-key-navigation { position: fixed; top: 0; z-index: 4; width: auto; height: var(--navigation);
  margin-left: -0.5rem; }
.st-key-navigation, .st-key-groups, .st-key-pages { flex-flow: row nowrap; align-items: center; gap: 0.125rem; }
.st-key-groups, .st-key-pages { height: 1.875rem; }
.st-key-navigation div { width: auto; flex: none; }
[data-testid=stLayoutWrapper]:has(> .st-key-navigation) { display: contents; }
.st-key-pages { border-left: 1px solid rgb(128 128 128 / 0.4); margin-left: 0.75rem; padding-left: 0.75rem; }
.st-key-navigation a { min-height: 1.875rem; padding-inline: 0.5rem; margin: 0; }
.st-key-navigation a:focus-visible { outline: 2px solid; outline-offset: -2px; }
.st-key-here_group a, .st-key-here_page a { background: rgb(128 128 128 / 0.18); }
.st-key-here_group p { font-weight: 600; }
.stApp:has([data-testid=stExpandSidebarButton]) .st-key-navigation { margin-left: 1.75rem; }
@media (max-width: 1200px) {
  .st-key-navigation { flex-flow: column nowrap; align-items: flex-start; padding-top: 0.25rem; }
  .st-key-pages { border: 0; margin: 0; padding: 0; }
}
</style>"""


def group_of(groups: Groups, page: Page) -> str:
    """The name of the group that a page is in."""
    return next(name for name, pages in groups.items() if page in pages)


def navigation(groups: Groups, names: Mapping[str, str], current: Page) -> None:
    """Links to the first page of every group, then to all pages of the current one.

    `names`: what a page is called here, by its title, where the title is too long.
    """
    st.html(STYLES)
    shared = link_params()
    here = group_of(groups, current)
    with st.container(key="navigation", horizontal=True):
        with st.container(key="groups", horizontal=True):
            for name, pages in groups.items():
                with st.container(key="here_group" if name == here else None):
                    st.page_link(pages[0], label=name, query_params=shared)
        if len(groups[here]) > 1:
            with st.container(key="pages", horizontal=True):
                for page in groups[here]:
                    with st.container(key="here_page" if page == current else None):
                        st.page_link(page, label=names.get(page.title, page.title), query_params=shared)
        landmarks()


def note_unknown(groups: Groups) -> None:
    """Keeps the name of a page that the address asks for and that there is not, so that `say_unknown` says it in place
    of Streamlit's dialog, which names no page. Before `st.navigation`, which then opens the default page.
    """
    context = get_script_run_ctx()
    if context is None:  # the script is imported by a process of a page, whose pages have no addresses
        return
    # The browser asks by name once, when the app is opened; from then on it knows what is open.
    asked = context.pages_manager.intended_page_name or ""
    if asked in {"", *(page.url_path for pages in groups.values() for page in pages)}:
        return
    context.pages_manager.set_script_intent("", "")
    default = next(page for pages in groups.values() for page in pages if not page.url_path)
    if asked.lower() != default.title.lower():
        st.session_state[UNKNOWN] = asked


def say_unknown(groups: Groups, current: Page) -> None:
    """What `note_unknown` has kept, and which pages there are, until another one is opened."""
    if current.url_path:
        st.session_state.pop(UNKNOWN, None)
    if not (asked := str(st.session_state.get(UNKNOWN, ""))):
        return
    short = asked if len(asked) <= LONGEST else f"{asked[:LONGEST]}…"
    titles = ", ".join(page.title for pages in groups.values() for page in pages)
    st.warning(
        f"There is no page /{escaped(short)}; this is {current.title}. There are: {titles}.", icon=":material/link_off:"
    )
