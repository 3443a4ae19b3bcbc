"""Latent space: does the code separate live from attacks? The codes in the plane, and the images behind the points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from app.components import scatter as plot
from app.components.gallery import gallery
from app.components.scatter import Answer, Colours
from app.latent import explained
from app.latent.explained import Chosen
from app.latent.onward import show_ways_on
from app.latent.projecting import Choice, Projected, projected, projection_controls, show_loadings
from app.latent.unusual import UNUSUAL, attacks_like_live, live_unlike_training, show_answer, unusual
from app.parts import columns
from app.parts.colouring import GROUP, SCORE, VERDICT, Colouring, Judged, coloured
from app.parts.selection import Points, download_ids, keep_unnamed, saved_selections
from app.session import faces, operating, sidebar
from app.session.cache import cached
from app.session.page import fragment
from app.session.sidebar import Shown
from app.words import about, escaped, number
from fas_core import scores
from fas_core.data.names import readable
from fas_core.runs.store import Run

PER_PAGE = 24
SIZE = 88  # pixels of an image: two of them beside a plot of two fifths of a window of 1440 x 900
MARKED = "_latent_marked"  # of the session
SELECTED, LIKE_LIVE, UNLIKE_LIVE = "selected points", "attacks most like live", "live faces least like training"
TIP_COLUMNS = 4  # of the data, below a point's own numbers


@dataclass(frozen=True, eq=False)
class Codes:
    """What the page shows of the codes of a Run."""

    points: Points  # all rows of the Run
    score: str
    distance: NDArray[np.float64] | None  # (n,) from live training codes; None where it is not known
    plane: Projected
    by: str  # what colours stand for
    colours: Colours
    beside: str  # which images stand beside the plot

    @property
    def run(self) -> Run:
        return self.points.run


# ---------------------------------------------------------------------------------------------------------- controls


def controls(run: Run) -> tuple[Choice, str, str]:
    """The projection, what colours stand for, and what stands beside the plot."""
    projection = projection_controls(run)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
        st.caption("Colour", width="content")
        colour = st.selectbox(
            "Colour",
            [GROUP, VERDICT, SCORE, *columns.colour_columns(run)],
            format_func=readable,
            key="colour",
            bind="query-params",
            label_visibility="collapsed",
            width=160,
        )
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
        st.caption("Images", width="content")
        beside = st.selectbox(
            "Images beside the plot",
            [SELECTED, LIKE_LIVE, UNLIKE_LIVE],
            key="beside",
            bind="query-params",
            label_visibility="collapsed",
            width=210,
        )
    return projection, str(colour), str(beside)


def colouring(shown: Shown, points: Points, by: str, plane: Projected) -> Colouring:
    """What colours depend on; without an operating point, verdicts give way to groups."""
    judged = Judged(shown.score) if by == SCORE else None
    if by == VERDICT:
        point, problem = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
        st.caption(problem if point is None else about(point))
        if point is None:
            by = GROUP
        else:
            judged = Judged(shown.score, shown.level, point.threshold)
    return Colouring(points, by, judged, plane.where)


# ------------------------------------------------------------------------------------------------- images beside it


def exported(codes: Codes, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Ids of some rows with what is known of each."""
    names = [name for name in ("sample_id", "subset", "label", "pai_species") if name in codes.run.column_names()]
    ascending, back = np.unique(rows, return_inverse=True)
    table = codes.run.samples_of(ascending, names)
    table[codes.score] = columns.scores_of(codes.run, codes.score, ascending)
    table = table.iloc[back].reset_index(drop=True)
    if codes.distance is not None:
        table[UNUSUAL] = codes.distance[rows]
    return table


def show_images(codes: Codes, rows: NDArray[np.int64]) -> int | None:
    """Original and reconstruction of some rows; the row of a card at the moment it is chosen."""
    far = None if codes.distance is None else [[distance_text(value)] for value in codes.distance[rows].tolist()]
    cards = codes.points.cards(rows, far)
    if not faces.kinds(codes.run):
        return None
    chosen = gallery(cards, faces.pictures(codes.run, rows), key="latent_images", size=SIZE)
    return None if chosen is None else int(rows[[card.sample_id for card in cards].index(chosen)])


def distance_text(distance: float) -> str:
    return f"{UNUSUAL} {distance:.1f}".replace("-", "−")


def telling(codes: Codes) -> NDArray[np.int64]:
    """The rows that say most about whether codes separate: those where they do so least."""
    if codes.distance is None:
        return np.empty(0, np.int64)
    extremes = live_unlike_training if codes.beside == UNLIKE_LIVE else attacks_like_live
    return extremes(codes.points, codes.distance, PER_PAGE)


def telling_words(beside: str, n: int, n_selected: int) -> str:
    """What stands beside the plot where it is not the selection."""
    what = UNLIKE_LIVE if beside == UNLIKE_LIVE else LIKE_LIVE
    shown = f"the **{n} {what}** by {UNUSUAL}." if n else "nothing to show."
    kept = f" {n_selected:,} points stay selected." if n_selected else ""
    if beside == SELECTED:
        return f"Draw around points to see their images. Until then: {shown}{kept}"
    return shown[0].upper() + shown[1:] + kept


def show_beside(codes: Codes) -> tuple[int | None, DeltaGenerator | None]:
    """The images of the selection; until there is one, or on demand, the most telling ones.

    The row of the card that was chosen last, if it is among them, and where a selection is to be explained.
    """
    points, explained_place = codes.points, None
    words, ways = st.container(height=150, border=False, gap="xxsmall"), st.container(gap="xxsmall")
    with ways:
        saved_selections(points)
    selection = points.selected
    rows = points.within(selection)
    is_selection = codes.beside == SELECTED and len(rows) > 0
    with words:
        if is_selection:
            explained_place = st.container()
            st.markdown(f"**{len(rows):,} selected:** {escaped(points.counted(rows))}.")
        else:
            n_selected, rows = len(rows), telling(codes)
            st.markdown(telling_words(codes.beside, len(rows), n_selected))
    with st.container(height=430, border=False):
        place = st.container()
        on_page = points.page_of(rows, PER_PAGE)
        with place:
            chosen = show_images(codes, on_page) if len(rows) else None
        # Of millions that are selected the session keeps the bits that it has anyway.
        again = partial(points.within, selection) if is_selection else partial(np.copy, rows)
        download_ids(points, len(rows), lambda: exported(codes, again()))
    if chosen is not None:
        st.session_state[MARKED] = (points.name, chosen)
    run_name, row = st.session_state.get(MARKED, ("", -1))
    marked = row if run_name == points.name and row in on_page else None
    with ways:
        show_ways_on(points, on_page if marked is None else np.array([marked]), is_selection=is_selection)
    return marked, explained_place


# --------------------------------------------------------------------------------------------------------- the plot


@cached(entries=8)
def tip_columns(run: Run) -> list[str]:
    """What the data say of a sample beside its group and scores."""
    left_out = {"path", "is_constant", "subset", "label", "pai_species", *scores.columns(run)}
    return [name for name in run.column_names() if name not in left_out]


def told_of(codes: Codes, rows: NDArray[np.int64]) -> list[Answer]:
    """Images of some rows and what is known of them."""
    run, (kinds, names), shown = codes.run, codes.points.groups, tip_columns(codes.run)
    is_own = codes.by in (GROUP, VERDICT, SCORE)
    table = run.samples_of(rows, shown if is_own or codes.by in shown else [*shown, codes.by])
    values = columns.scores_of(run, codes.score, rows)
    answers = []
    images = columns.images_of(run, rows)
    for row, value, record, image in zip(rows, values, table.to_dict("records"), images, strict=True):
        lines = [str(record.pop("sample_id")), readable(names[kinds[row]]), f"{codes.score} {number(value)}"]
        known = {name: value for name, value in record.items() if not (pd.isna(value) or value == "")}
        told = {name: f"{v:.6g}" if isinstance(v, float) else str(v) for name, v in known.items()}
        first = sorted(told, key=lambda name: name != codes.by)[:TIP_COLUMNS]  # the column that colours before others
        answers.append(Answer([*lines, *(f"{readable(name)}: {told[name]}" for name in first)], image))
    return answers


@fragment
def explorer(codes: Codes) -> None:
    """The plot and what is selected in it: a selection runs nothing but this again."""
    points, plane = codes.points, codes.plane
    n_drawn = int((codes.colours.codes != plot.HIDDEN).sum())
    left, right = st.columns([78, 22], gap="small")
    with right:
        marked, explained_place = show_beside(codes)
    with left:
        view, off = points.view()
        plot.scatter(
            plane.where,
            codes.colours,
            points.selected,
            run=points.name,
            colour=codes.by,
            titles=plane.titles,
            note=plane.note,
            words=f"{n_drawn:,} latent codes, coloured by {readable(codes.by)}. {plane.note}.",
            has_units=plane.pca_on is not None,
            view=view,
            off=off,
            marked=marked,
            on_selected=partial(keep_unnamed, points),
            has_images="inputs" in faces.kinds(codes.run),
            fills=True,
            key="latent_scatter",
        )
        plot.carried_selection(points.selected)
        st.caption(
            "Drag draws a lasso, a click selects one point, Shift adds, Escape clears; the wheel zooms. Where points "
            "overlap, the colour is their mean, and fuller the more there are. Where 60 or fewer are in view, they are "
            "shown as their images."
        )
    if explained_place is not None and points.selected is not None:
        differences = explained.compared(Chosen(points, points.selected, codes.score))  # last: the plot does not wait
        with explained_place:
            explained.show_sentence(differences)
        explained.show_table(differences)


@fragment
def hovering(codes: Codes) -> None:
    codes.points.hover(partial(told_of, codes))


def show_latent_space() -> None:
    """The page."""
    run = sidebar.chosen_run()
    top = st.container(gap="xxsmall")
    head = top.container(horizontal=True, vertical_alignment="center", gap="small")
    head.title("Latent space", width="content")
    sidebar.needs(run, "The latent space", "latents")
    shown = Shown(run, tuple(sidebar.chosen_subsets(run)), sidebar.chosen_score(run), sidebar.chosen_level(run))
    distance = unusual(run)
    with head:
        asked, by, beside = controls(run)
    with top:
        show_answer(shown, is_known=distance is not None)
    plane = projected(run, asked)
    points = Points("latent", run.digest, run, None, shown.subsets)
    how = colouring(shown, points, by, plane)
    codes = Codes(points, shown.score, distance, plane, how.by, coloured(how), beside)
    plot.carried(plane.where, codes.colours)
    explorer(codes)
    if plane.pca_on is not None:
        show_loadings(run, asked.x, asked.y, plane.pca_on)
    hovering(codes)


if __name__ == "__main__":
    show_latent_space()
