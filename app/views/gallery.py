"""Gallery: which images the model reconstructs badly, which verdicts are wrong, and what people say of them."""

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from app.components import gallery as component
from app.components.pressed import Place, Press, lead
from app.components.zoom import zoomed
from app.looking import order, trail
from app.looking.cards import Choice, cards_of
from app.looking.judged import Judged, answer, headline, judged, noun
from app.looking.order import Order
from app.looking.reviewing import position, review
from app.parts import filters, marking, sample, standing
from app.parts.filters import Active
from app.parts.head import head
from app.session import faces, identity, operating, sidebar
from app.session.address import link_params, switch
from app.session.page import fragment
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import MISSED, REJECTED, RIGHT, about, escaped
from fas_core import scores
from fas_core.access.roles import Right
from fas_core.data.names import readable
from fas_core.evaluation import verdicts
from fas_core.evaluation.verdicts import NO_RESPONSE

SHEET, REVIEW, LARGE = "Sheet", "Review", "One"
LAYOUTS: dict[str, component.Layout] = {SHEET: "sheet", REVIEW: "review", LARGE: "large"}
VERDICTS = {MISSED: verdicts.MISSED, REJECTED: verdicts.REJECTED, RIGHT: verdicts.RIGHT}
KEYS = (
    "Keys, once a card has the focus: arrows, or n and p, go on and back, Page Down and Up turn the page, m marks, "
    "1 to 5 label, / writes a note, u undoes, Enter opens."
)
# A review has the whole width: the sidebar, whose choices stay as they are, comes back with the sheet.
FULL_WIDTH = """<style>[data-testid=stSidebar], [data-testid=stExpandSidebarButton] { display: none; }</style>"""
# Chips are low, and the bar of the page stays one row.
BARS = """<style>
.st-key-chips button { min-height: 1.75rem; padding: 0 0.6rem; border-radius: 1rem; }
.st-key-page_bar { flex-wrap: nowrap; }
.st-key-page_bar > * { flex: 0 0 auto; width: auto; }
.st-key-page_bar > :last-child { min-width: 0; flex: 1 1 0; }
@media (max-width: 1000px) {
  .st-key-page_bar > :nth-child(2) { min-width: 0; flex: 1 1 0; }
  .st-key-page_bar > :nth-child(n + 3) { display: none; }
}
.st-key-page_bar [data-testid=stCaptionContainer] p { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
</style>"""


@dataclass(frozen=True, eq=False)
class Listed:
    """The images that the filters leave, in order."""

    rows: NDArray[np.intp]
    headings: list[str]  # of each row; none where there are no groups
    words: str  # what they are

    @cached_property
    def name(self) -> str:
        """Differs where another image is in the list, or in another place."""
        return f"{zlib.crc32(self.rows.tobytes()):08x}"

    def headed(self, first: int, n: int) -> list[str]:
        """The headings of n of them: where a group begins, and at the top of the page."""
        of_page = self.headings[first : first + n] or [""] * n
        return [text if i == 0 or text != of_page[i - 1] else "" for i, text in enumerate(of_page)]


# ----------------------------------------------------------------------------------------------------- the controls


def to_first_page() -> None:
    st.session_state["page"] = 1


def controls(images: Judged, place: DeltaGenerator) -> tuple[Choice, Listed, list[Active]]:
    """Order, filters and display, the images that pass the filters, and the filters that leave something out."""
    run, has_threshold = images.run, images.point is not None
    with place:
        view = switch(
            "View",
            list(LAYOUTS),
            "view",
            help="A contact sheet; four to six images that fill the window, to go through by keys; or one at a time.",
        )
        active = narrowed_in_sight(images)
        ordering = order.expected(images.shown.score).words
        with st.popover(ordering, icon=":material/sort:", key="ordering"):
            kind = order.kind_control(has_threshold=has_threshold, on_change=to_first_page)
            chosen_order = order.controls(run, images.shown.score, kind, on_change=to_first_page)
        with st.popover("Filters"):
            active += narrowed_to_classes(images)
            active += filters.by_id(images.ids, on_change=to_first_page)
            active += filters.by_selection(run, on_change=to_first_page)
            active += filters.by_columns(run, on_change=to_first_page)
            active += filters.by_nearness(
                images.distances, images.is_shown, disabled=not has_threshold, on_change=to_first_page
            )
        with st.popover("Marks", key="marks_menu", on_change="rerun"):  # of what is kept when it is opened
            active += filters.by_marks(run, on_change=to_first_page)
            if identity.may(Right.MARK, run):
                marking.menu(run)
        with st.popover("Display"):
            more = st.multiselect(
                "More scores on the cards",
                [name for name in scores.offered(run) if name != images.shown.score],
                key="more_scores",
                bind="query-params",
            )
            per_page = component.paging_control(to_first_page)
            display = component.display_controls(ssim=True)
    if chosen_order.words != ordering:
        st.rerun()  # the address says what is not offered; from now on the session says what is
    choice = Choice(chosen_order, more, per_page, display, LAYOUTS[view])
    return choice, listed(images, chosen_order, active), active


def narrowed_in_sight(images: Judged) -> list[Active]:
    """The filters whose controls are always in sight, and the sidebar's."""
    masks = {filters.ALL: np.ones(len(images.ids), np.bool_)}
    for name, verdict in VERDICTS.items():
        masks[name] = images.verdicts.are(verdict) if images.point is not None else masks[filters.ALL]
    fits = filters.by_verdict(
        masks,
        disabled=images.point is None,
        on_change=to_first_page,
        help="Missed attack: its score is below the threshold. Rejected live: its score is at or above it.",
    )
    active = []
    if (verdict := chosen_verdict(images)) != filters.ALL:
        active.append(Active(verdict, fits, filters.setting("verdict", filters.ALL)))
    if len(images.shown.subsets) < len(images.run.subsets):
        words = f"subsets {', '.join(images.shown.subsets)}"
        active.append(Active(words, images.is_shown, filters.setting("subsets", list(images.run.subsets))))
    return active


def narrowed_to_classes(images: Judged) -> list[Active]:
    fits = filters.by_class(
        images.kinds,
        images.kinds.counts(images.is_shown),
        on_change=to_first_page,
        help="Attack species of the data, and bona fide (live) images.",
    )
    if not (classes := st.session_state.get("classes")):
        return []
    return [Active(", ".join(readable(name) for name in classes), fits, filters.setting("classes", []))]


def chosen_verdict(images: Judged) -> str:
    return filters.ALL if images.point is None else str(st.session_state.get("verdict", filters.ALL))


def listed(images: Judged, chosen: Order, active: list[Active]) -> Listed:
    """The images that pass all filters, in order, and in groups where these are asked for."""
    fits = np.logical_and.reduce([images.is_shown, *(each.fits for each in active)])
    rows, headings = order.listed(order.Asked(images, fits, chosen))
    verdict, classes = chosen_verdict(images), st.session_state.get("classes") or []
    named = {verdict, ", ".join(readable(name) for name in classes)}
    others = [each.words for each in active if each.words not in named]
    return Listed(rows, headings, noun("" if verdict == filters.ALL else verdict, classes, others))


# -------------------------------------------------------------------------------------------------------- the images


def come_back(per_page: int) -> None:
    """The gallery goes on from the image that the panel has come to."""
    at = int(st.session_state["_detail_at"])
    st.session_state["page"] = at // per_page + 1
    lead("images", at)


@st.dialog("One image", width=980, position="right", on_dismiss=lambda: come_back(st.session_state["_per_page"]))
def details(images: Judged, rows: NDArray[np.intp], words: str, choice: Choice) -> None:
    """Everything about one sample; steps through all that the gallery shows."""
    run, at = images.run, int(st.session_state["_detail_at"])
    row = int(rows[at])
    sample_id = str(images.ids[row])
    review(run, rows, at, words, key="detail_review", go_to=lambda to: st.session_state.update(_detail_at=to))
    names = {verdicts.MISSED: "missed attack", verdicts.REJECTED: "rejected live", NO_RESPONSE: "no response"}
    verdict = "no threshold" if images.point is None else names.get(str(images.verdicts[row]), "right")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escaped(sample_id)}** · {escaped(readable(images.kinds[row]))}, {verdict}")
        st.page_link(
            "views/image.py",
            label="Open as a page",
            icon=":material/open_in_full:",
            query_params=link_params() | {"image": sample_id},
        )
    zoomed(sample_id, faces.panels(choice.display, run, [row]), key="detail_images")
    left, right = st.columns(2)
    with left:
        standing.show_scores(run, row, images.shown.score)
    with right:
        st.markdown("**Metadata**")
        sample.show_metadata(run, row)


@fragment
def show_page(images: Judged, of_list: Listed, choice: Choice) -> None:
    """The images of one page and the bar to turn it. A fragment: turning or marking runs nothing but this again."""
    rows, per_page, run = of_list.rows, choice.per_page, images.run
    drawn = st.container()
    on_page, page, _ = component.page_bar(
        rows, per_page, key="page", help=KEYS, more="" if images.point is None else about(images.point)
    )
    first = (page - 1) * per_page

    def turned(to: int) -> None:
        st.session_state["page"] = to // per_page + 1

    def pressed(press: Press) -> None:
        undone = marking.hear(run, press)
        to = -1 if undone is None else position(run, rows, undone)
        if to >= 0:
            turned(to)
            lead("images", to)

    with drawn:
        marking.show_problem()
        chosen = component.gallery(
            cards_of(images, on_page, choice, of_list.headed(first, len(on_page))),
            faces.panels(choice.display, run, on_page),
            key="images",
            size=choice.display.size,
            layout=choice.layout,
            place=Place(first, len(rows), per_page, turned, lambda at: str(images.ids[rows[at]]), of_list.name),
            marking=marking.by_keys(run, pressed),
        )
    if chosen is not None:
        st.session_state.update(_detail_at=position(run, rows, chosen), _per_page=per_page)
        details(images, rows, of_list.words, choice)


# ---------------------------------------------------------------------------------------------------------- the page


def show_failures(shown: Shown) -> None:
    failures = shown.run.failures()
    failures = failures[failures["subset"].isin(shown.subsets)]
    if not len(failures):
        return
    with st.expander(f"{len(failures):,} {'image' if len(failures) == 1 else 'images'} gave no output"):
        st.caption("They have no reconstruction and no score; error rates count them as non-responses.")
        columns = [c for c in ("sample_id", "subset", "label", "reason") if c in failures]
        show_rows(failures[columns].rename(columns=readable), "failures")


def gallery() -> None:
    shown = sidebar.shown()
    top = head("Gallery")
    identity.needs(Right.PICTURES, shown.run, "The gallery")
    sidebar.needs(shown.run, "The gallery", *([] if shown.run.pictures else ["inputs"]))
    point, problem = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
    images = judged(shown, point)
    choice, of_list, active = controls(images, top.controls)
    top.answer.markdown(headline(images, of_list.rows) if active else answer(images))
    with top.below:
        sidebar.say_missing(shown.run, "inputs", "reconstructions")
        if point is None:
            st.caption(problem)
        filters.chips(active, images.is_shown, on_change=to_first_page)
    st.html(BARS if choice.layout == "sheet" else BARS + FULL_WIDTH)
    trail.keep(shown.run, of_list.rows, of_list.words)
    asked = str(st.session_state.get("find", ""))
    if len(of_list.rows):
        show_page(images, of_list, choice)
    elif asked and not len(sample.matching(images.ids, asked)):
        sample.say_missing(asked)
    else:
        st.info(
            "No image fits. Choose another verdict or class, or clear the filters.", icon=":material/filter_alt_off:"
        )
    show_failures(shown)


if __name__ == "__main__":
    gallery()
