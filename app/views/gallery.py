"""Gallery: which images the model reconstructs badly, and which verdicts are wrong."""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.components import gallery as component
from app.components.zoom import zoomed
from app.parts import filters, marking, order, sample, standing
from app.parts.order import Order
from app.session import operating, readers, sidebar
from app.session.address import link_params
from app.session.page import fragment
from app.session.readers import decisions, pooled_score_set, score_values
from app.session.sidebar import Shown
from app.words import MISSED, REJECTED, RIGHT, about, escaped, number, percent
from fas_core import metrics, scores
from fas_core.data.names import readable
from fas_core.evaluation import verdicts
from fas_core.evaluation.verdicts import NO_RESPONSE, verdicts_at
from fas_core.metrics.operating_point import OperatingPoint
from fas_core.reports.palette import style_of
from fas_core.runs.store import Run


@dataclass(frozen=True, eq=False)
class Judged:
    """The samples of a Run, all of them, as the sidebar judges them: arrays are (n,) in row order."""

    shown: Shown
    point: OperatingPoint | None
    ids: pd.Index
    kinds: NDArray[np.str_]  # their groups
    is_shown: NDArray[np.bool_]  # of the chosen subsets
    distances: NDArray[np.float64]  # of what is decided on from the threshold; NaN where one of the two is missing
    verdicts: NDArray[np.str_]  # right where there is no threshold

    @property
    def run(self) -> Run:
        return self.shown.run


@dataclass(frozen=True)
class Choice:
    """What the controls say, the filters apart."""

    order: Order
    more_scores: list[str]
    per_page: int
    display: component.Display


def judged(shown: Shown, point: OperatingPoint | None) -> Judged:
    """Every sample against the threshold of its presentation."""
    run = shown.run
    samples = readers.samples(run, ("subset", "label"))
    decided = readers.decided_values(run, shown.score, shown.level)
    threshold = math.nan if point is None else point.threshold
    return Judged(
        shown,
        point,
        readers.ids(run),
        readers.groups(run),
        samples["subset"].isin(shown.subsets).to_numpy(),
        np.abs(decided - threshold),
        np.full(len(run), verdicts.RIGHT) if point is None else verdicts_at(samples["label"], decided, threshold),
    )


# ------------------------------------------------------------------------------------------------------- the answer


def answer(images: Judged) -> str:
    """The page's answer in one or two sentences."""
    errors = "; ".join(errors_at(images.shown, images.point)) if images.point is not None else ""
    values, kinds = score_values(images.run, images.shown.score)[images.is_shown], images.kinds[images.is_shown]
    if not kinds.size:
        return "The chosen subsets hold no image."
    top = kinds[np.argsort(-values, kind="stable")[:60]]
    names, numbers = np.unique(top, return_counts=True)
    most = f"{numbers.max()} of the {len(top)} images with the highest {escaped(images.shown.score)} are "
    most += f"{escaped(readable(str(names[numbers.argmax()])))}."
    return f"{errors}. {most}" if errors else most


def errors_at(shown: Shown, point: OperatingPoint) -> list[str]:
    """How many attacks are missed and how many live ones rejected where the operating point is reported."""
    reported = pooled_score_set(shown.run, shown.score, shown.level, point.reported_on)
    if not reported.n_bona_fide + reported.n_attack:
        return []
    parts, at = [], metrics.rates_at(reported, point.threshold)
    if (worst := at.apcer_worst) is not None and at.apcer_max is not None and at.apcer_pooled is not None:
        n_worst = len(reported.attacks[worst])
        parts.append(
            f"**{at.counts.fn:,} of {reported.n_attack:,} attacks are missed** "
            f"({percent(at.apcer_pooled, reported.n_attack)}), worst {escaped(readable(worst))} "
            f"({percent(at.apcer_max, n_worst)} of {n_worst:,})"
        )
    if at.bpcer is not None:
        parts.append(
            f"**{at.counts.fp:,} of {reported.n_bona_fide:,} live {decisions(shown.run, shown.level)} are "
            f"rejected** ({percent(at.bpcer, reported.n_bona_fide)})"
        )
    return parts


# ----------------------------------------------------------------------------------------------------- the controls


def to_first_page() -> None:
    st.session_state["page"] = 1


def controls(images: Judged) -> tuple[Choice, NDArray[np.bool_]]:
    """Order, filters and display, and (n,) which images pass the filters. A change of what is shown leads to page 1."""
    run, has_threshold = images.run, images.point is not None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.popover("Order", icon=":material/sort:"):
            kind = order.kind_control(has_threshold=has_threshold, on_change=to_first_page)
            chosen_order = order.controls(run, images.shown.score, kind, on_change=to_first_page)
        fits = images.is_shown & filters_in_sight(images)
        with st.popover("Filters", icon=":material/filter_alt:"):
            fits &= filters.by_id(images.ids, on_change=to_first_page)
            fits &= filters.by_selection(run, on_change=to_first_page)
            fits &= filters.by_columns(run, on_change=to_first_page)
            fits &= filters.by_nearness(
                images.distances, images.is_shown, disabled=not has_threshold, on_change=to_first_page
            )
        with st.popover("Marks", icon=":material/star:"):
            marking.person_control()
            fits &= filters.by_marks(run, on_change=to_first_page)
            marking.download(run)
        with st.popover("Display", icon=":material/tune:"):
            more = st.multiselect(
                "More scores on the cards",
                [name for name in scores.offered(run) if name != images.shown.score],
                key="more_scores",
                bind="query-params",
            )
            per_page = component.paging_control(to_first_page)
            display = component.display_controls(ssim=True)
    return Choice(chosen_order, more, per_page, display), fits


def filters_in_sight(images: Judged) -> NDArray[np.bool_]:
    """(n,) which images pass the filters that are always in sight."""
    masks = {
        filters.ALL: np.ones(len(images.ids), np.bool_),
        MISSED: images.verdicts == verdicts.MISSED,
        REJECTED: images.verdicts == verdicts.REJECTED,
        RIGHT: images.verdicts == verdicts.RIGHT,
    }
    fits = filters.by_verdict(
        masks if images.point is not None else dict.fromkeys(masks, masks[filters.ALL]),
        disabled=images.point is None,
        on_change=to_first_page,
        help="Missed attack: its score is below the threshold. Rejected live: its score is at or above it.",
    )
    return fits & filters.by_class(
        images.kinds,
        images.kinds[images.is_shown].tolist(),
        on_change=to_first_page,
        help="Attack species of the data, and bona fide (live) images.",
    )


def cards_of(images: Judged, rows: NDArray[np.intp], choice: Choice) -> list[component.Card]:
    run, chosen = images.run, choice.order
    is_disagreement = chosen.kind == order.DISAGREEMENT
    first = [chosen.by, chosen.against] if is_disagreement else []
    names = list(dict.fromkeys([*first, images.shown.score, chosen.by, *choice.more_scores]))
    mine = marking.marked_by(run, marking.person())
    notes = marking.notes_by_sample(run)
    cards = []
    for row in rows.tolist():
        style = style_of(images.kinds[row])
        sample_id = images.ids[row]
        lines = [*(standing.score_line(run, name, row) for name in names), sample_id]
        if is_disagreement:
            places = (f"{100 * order.ranks(run, name)[row]:.0f} %" for name in names[:2])
            lines.insert(0, f"rank among all images {' and '.join(places)}")
        cards.append(
            component.Card(
                sample_id=sample_id,
                lines=lines,
                brief=" · ".join(number(score_values(run, name)[row]) for name in names),
                group=readable(images.kinds[row]),
                colour=style.colour,
                is_hollow=style.is_hollow,
                verdict=cast(component.Verdict, str(images.verdicts[row])),
                is_marked=sample_id in mine,
                note=notes.get(sample_id, ""),
            )
        )
    return cards


@st.dialog("One image", width=980, position="right")
def details(images: Judged, on_page: list[str], display: component.Display) -> None:
    """Everything about one sample; steps through the images of the page."""
    run, sample_id = images.run, component.stepper(on_page)
    row = int(images.ids.get_loc(sample_id))
    words = {verdicts.MISSED: "missed attack", verdicts.REJECTED: "rejected live", NO_RESPONSE: "no response"}
    verdict = "no threshold" if images.point is None else words.get(str(images.verdicts[row]), "right")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{escaped(readable(images.kinds[row]))}, {verdict}")
        st.page_link(
            "views/image.py",
            label="Open as a page",
            icon=":material/open_in_full:",
            query_params=link_params() | {"image": sample_id},
        )
    zoomed(sample_id, display.panels(run, np.array([row])), key="detail_images")
    marking.form(run, sample_id, with_name=False)
    left, right = st.columns(2)
    with left:
        standing.show_scores(run, row, images.shown.score)
    with right:
        st.markdown("**Metadata**")
        sample.show_metadata(run, row)


# ---------------------------------------------------------------------------------------------------------- the page


@fragment
def show_page(images: Judged, rows: NDArray[np.intp], choice: Choice) -> None:
    """The images of one page and the bar to turn it. A fragment: turning or marking runs nothing but this again."""
    place = st.container()
    on_page, page, pages = component.page_bar(
        rows,
        choice.per_page,
        key="page",
        help="Keys, once a card has the focus: arrows, or n and p, go on and back, Page Down and Up turn the page, "
        "m marks, Enter opens.",
    )

    def turned(by: int) -> None:
        st.session_state["page"] = min(max(page + by, 1), pages)

    def marked(sample_id: str, is_marked: bool) -> None:
        if sample_id in images.ids:
            marking.keep(images.run, sample_id, is_marked)

    with place:
        marking.show_problem()
        chosen = component.gallery(
            cards_of(images, on_page, choice),
            choice.display.panels(images.run, on_page),
            key="images",
            size=choice.display.size,
            place=component.Place(page, pages, turned),
            on_mark=marked,
        )
    if chosen is not None:
        component.start_at(chosen)
        details(images, [images.ids[row] for row in on_page], choice.display)


def show_failures(shown: Shown) -> None:
    failures = shown.run.failures()
    failures = failures[failures["subset"].isin(shown.subsets)]
    if not len(failures):
        return
    with st.expander(f"{len(failures):,} {'image' if len(failures) == 1 else 'images'} gave no output"):
        st.caption("They have no reconstruction and no score; error rates count them as non-responses.")
        columns = [c for c in ("sample_id", "subset", "label", "reason") if c in failures]
        st.dataframe(failures[columns].rename(columns=readable), hide_index=True)


def gallery() -> None:
    shown = sidebar.shown()
    head = st.container(horizontal=True, vertical_alignment="bottom")
    head.title("Gallery", width="content")
    sidebar.needs_images(shown.run, "The gallery")
    point, problem = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
    images = judged(shown, point)
    head.caption(problem if point is None else about(point), width="stretch")
    st.write(answer(images))
    choice, fits = controls(images)
    rows = order.in_order(shown.run, np.flatnonzero(fits), choice.order, images.distances)
    if len(rows):
        show_page(images, rows, choice)
    else:
        st.info(
            "No image fits. Choose another verdict or class, or clear the filters.", icon=":material/filter_alt_off:"
        )
    show_failures(shown)


if __name__ == "__main__":
    gallery()
