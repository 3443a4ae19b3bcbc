"""Latent side by side: what moves from checkpoint to checkpoint, with the codes of all of them in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.components import scatter as plot
from app.components.gallery import gallery, picture
from app.components.scatter import Answer, Colours, Trail, Trails
from app.latent.agreement import agreement_words
from app.latent.movement import Compared, Distances, answer, compared, distances, show_counted, show_distances
from app.latent.steps import Common, Frame, Placed, Steps, chosen_steps, common, frame_controls, placed, possible_frame
from app.parts import columns
from app.parts.colouring import GROUP, Colouring, coloured
from app.parts.head import head
from app.parts.selection import Points
from app.session import faces, sidebar
from app.session.address import put_in_address
from app.session.page import fragment
from app.words import escaped
from fas_core.data.names import TRAIN, readable
from fas_core.latent import alignment, projection
from fas_core.latent.frames import ONE, OWN, UMAP
from fas_core.reports.palette import style_of

PER_PAGE, MOST_RECONSTRUCTIONS = 12, 8
MARKED = "_frames_marked"  # in the session: the sample of a chosen card


@dataclass(frozen=True, eq=False)
class Beside:
    """What the page shows: common samples of several checkpoints, in one frame."""

    frame: Frame
    places: list[Placed]  # of each step
    points: Points  # the common samples, as A knows them
    by: str  # what colours stand for
    colours: Colours
    of_whom: Compared  # distances are
    how_far: list[Distances]

    @property
    def both(self) -> Common:
        return self.frame.both

    @property
    def steps(self) -> Steps:
        return self.frame.both.steps

    @property
    def marked(self) -> int | None:
        """The sample of the card that was chosen."""
        name, point = st.session_state.get(MARKED, ("", 0))
        return point if name == self.points.name else None


def controls(both: Common) -> tuple[str, int, int, str]:
    """The frame, the two components and the colour."""
    frame, x, y = frame_controls(both)
    with st.popover("Colour"):
        colour = st.selectbox(
            "Colour",
            [GROUP, *columns.colour_columns(both.steps.a.run)],
            format_func=readable,
            key="colour",
            bind="query-params",
            help="Of A's data: the same sample has the same colour in every panel.",
            width=190,
        )
    return frame, x, y, str(colour)


def show_caveats(shown: Beside) -> None:
    """How far places in different panels have to do with each other; on demand, what the frame is and what is left out.

    In one PCA nothing is aligned, and the line says how many samples are shown.
    """
    both, steps, a = shown.both, shown.steps.each, shown.steps.a.name
    left_out = [f"{n:,} of {step.name} left out" for step, n in zip(steps, both.n_left_out, strict=True) if n]
    shared = ", ".join([f"{len(both):,} samples that all share", *left_out])
    if shown.frame.name == ONE:
        whom = f"the {both.n_training:,} live training images of {a}" if both.n_training else f"all images of {a}"
        st.caption(f"{shared}. One PCA, fitted on {whom} and applied to all; no labels.")
        return
    which = (
        "PCA, fitted on its own live training images"
        if shown.frame.name == OWN
        else f"UMAP, fitted on up to {projection.UMAP_DIMENSIONS} principal components of its images"
    )
    st.caption(
        agreement_words(shown.frame) or f"{shared}.",
        help=f"{shared}. Each checkpoint has its own {which}; no labels. The {both.n_training:,} live training images "
        f"that all share are laid onto those of {a} by one shift, turn or reflection, and scale (Procrustes). What is "
        "left is a share of the variance of each group's places in the axes shown; no sample is judged by an alignment "
        f"that its own subject had a part in. Plain pixels: the same images at {alignment.PIXELS} pixels a side, their "
        "principal components laid on likewise. Checkpoints agree by more than the images do where codes leave less "
        "in 97.5 % of resamples of subjects.",
    )


# ---------------------------------------------------------------------------------------------------------- the plots


def trails(shown: Beside, current: int) -> Trails:
    """The way of each group's middle, training left out: its images are what the frame is fitted on."""
    _, names = columns.kinds_of(shown.points.run)
    ways = []
    for i, name in enumerate(names):
        places = [
            None if np.isnan(of_step.middles[i]).any() else tuple(of_step.middles[i].tolist())
            for of_step in shown.places
        ]
        if name != TRAIN and any(place is not None for place in places):
            ways.append(Trail(name, style_of(name), places))
    return Trails([step.short for step in shown.steps.each], current, ways)


def show_plot(shown: Beside, i: int, *, has_legend: bool) -> None:
    points, step, place = shown.points, shown.steps.each[i], shown.places[i]
    view, off = points.view()
    note = f"{step.name[0].upper()}{step.name[1:]}: {step.run.info.name}"
    plot.scatter(
        place.where,
        shown.colours,
        points.selected,
        run=points.name,
        colour=shown.by,
        titles=shown.frame.titles,
        note=note,
        words=f"{len(points):,} latent codes of {note}, coloured by {readable(shown.by)}; lines join the middles of "
        "each group from checkpoint to checkpoint.",
        has_units=shown.frame.name != UMAP,
        view=view,
        off=off,
        marked=shown.marked,
        on_selected=points.keep,
        key=f"frames_{'step' if shown.steps.are_epochs else step.short}",
        trails=trails(shown, i),
        has_legend=has_legend,
        has_images="inputs" in faces.kinds(shown.points.run),
    )


def chosen_epoch(steps: Steps) -> int:
    """Position of the epoch that is shown; the slider and the buttons beside it change it."""
    names = [step.short for step in steps.each]
    if st.session_state.get("_frames_epoch") not in names:
        asked = st.query_params.get("epoch")
        st.session_state["_frames_epoch"] = asked if asked in names else names[-1]
    at = names.index(st.session_state["_frames_epoch"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Previous epoch",
            icon=":material/chevron_left:",
            on_click=step_to,
            args=(names[max(at - 1, 0)],),
            disabled=at == 0,
            key="frames_previous",
        )
        st.button(
            "Next epoch",
            icon=":material/chevron_right:",
            on_click=step_to,
            args=(names[min(at + 1, len(names) - 1)],),
            disabled=at == len(names) - 1,
            key="frames_next",
        )
        st.session_state["frames_epoch"] = names[at]
        st.select_slider(
            "Epoch", names, key="frames_epoch", on_change=lambda: step_to(st.session_state["frames_epoch"]), width=360
        )
    # Not bound: what the buttons set would not reach the address.
    put_in_address("epoch", names[at])
    return at


def step_to(name: str) -> None:
    st.session_state["_frames_epoch"] = name


# ---------------------------------------------------------------------------------------------------------- images


def show_images(shown: Beside) -> None:
    """Original and every checkpoint's reconstruction of what is selected."""
    points = shown.points
    selected = points.within(points.selected)
    if not len(selected):
        st.markdown("Draw around points to see the same images in every checkpoint.")
        return
    st.markdown(f"**{len(selected):,} selected:** {escaped(points.counted(selected))}.")
    place = st.container()
    on_page = points.page_of(selected, PER_PAGE)
    with place:
        show_cards(shown, on_page)


def show_cards(shown: Beside, points: NDArray[np.int64]) -> None:
    steps, cards = shown.steps.each, shown.points.cards(points)
    run = shown.points.run
    panels = []
    if "inputs" in faces.kinds(run):
        panels.append(picture("original", faces.images(run, "inputs", shown.points.rows_of(points))))
    some = np.unique(np.linspace(0, len(steps) - 1, MOST_RECONSTRUCTIONS, dtype=int))
    for i in some.tolist():
        if "reconstructions" in faces.kinds(steps[i].run):
            images = faces.images(steps[i].run, "reconstructions", shown.both.rows[i][points])
            panels.append(picture(steps[i].name, images))
    chosen = gallery(cards, panels, key="frames_images", size=96) if panels else None
    if chosen is not None:
        point = points[[card.sample_id for card in cards].index(chosen)]
        st.session_state[MARKED] = (shown.points.name, int(point))
        st.rerun(scope="fragment")


def told_of(of: Points, points: NDArray[np.int64]) -> list[Answer]:
    """Images of some points and what they are."""
    images = columns.images_of(of.run, of.rows_of(points))
    return [Answer([card.sample_id, card.group], image) for card, image in zip(of.cards(points), images, strict=True)]


# ----------------------------------------------------------------------------------------------------------- the page


@fragment
def explorer(shown: Beside) -> None:
    """The plots and the images of what is selected: a selection or another epoch runs nothing but this again."""
    if shown.steps.are_epochs:
        grid = st.grid(2, min_column_width=470, gap="medium")
        left, right = grid.cell(), grid.cell()
        with left:
            above = st.container()
            at = chosen_epoch(shown.steps)
        with above:
            plot.carried(shown.places[at].where, shown.colours)
            show_plot(shown, at, has_legend=True)
        with right, st.container(height=620, border=False):
            show_images(shown)
            show_distances(shown.of_whom, shown.how_far, at)
    else:
        plot.carried(*(of_step.where for of_step in shown.places), shown.colours)
        grid = st.grid(2, min_column_width=420, gap="medium")
        for i in range(len(shown.places)):
            with grid.cell():
                show_plot(shown, i, has_legend=i == 0)
        if len(shown.places) == 3:  # there is a free place beside the third
            with grid.cell(), st.container(height=520, border=False):
                show_images(shown)
        else:
            show_images(shown)
    plot.carried_selection(shown.points.selected)
    show_caveats(shown)
    show_counted(shown.of_whom, shown.how_far)
    st.caption(
        "What is selected, pointed at, zoomed to or switched off in one panel is so in all.",
        help="Drag draws a lasso, a click selects one point, Shift adds, Escape clears; the wheel zooms. Lines join "
        "the middles of each group.",
    )


@fragment
def hovering(points: Points) -> None:
    points.hover(partial(told_of, points))


def show_side_by_side() -> None:
    """The page."""
    run = sidebar.chosen_run()
    top = head("Latent side by side")
    sidebar.needs(run, "The latent space", "latents")
    subsets = tuple(sidebar.chosen_subsets(run))
    both = common(chosen_steps(run, top.controls))
    if not len(both):
        st.info("These Runs share no sample. Choose Runs of the same images.", icon=":material/link_off:")
        st.stop()
    of_whom = compared(both, subsets)
    how_far = distances(of_whom)
    top.answer.write(answer(of_whom, how_far))
    with top.controls:
        wanted, x, y, by = controls(both)
    frame = Frame(both, possible_frame(wanted, both), x, y, subsets)
    points = both.points(subsets)
    shown = Beside(frame, placed(frame), points, by, coloured(Colouring(points, by)), of_whom, how_far)
    explorer(shown)
    hovering(points)


if __name__ == "__main__":
    show_side_by_side()
