"""Latent side by side: what moves from checkpoint to checkpoint, with the codes of all of them in one frame."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.charts import categories
from app.components import scatter as plot
from app.components.gallery import Card, Panel, gallery
from app.components.scatter import Answer, Colours, Plane, Selection, Trail, Trails
from app.parts import columns
from app.session import sidebar
from app.session.address import keep_valid, put_in_address
from app.session.jobs import worker
from app.session.page import fragment
from app.session.readers import runs
from app.words import escaped, label_of, number
from fas_core.data.names import in_group_order, readable
from fas_core.evaluation.join import common_rows
from fas_core.latent import frames, projection
from fas_core.reports.palette import NOT_GIVEN, category_styles, style_of
from fas_core.runs.store import Run

LETTERS = "ABCD"
BESIDE, STEPS = "side by side", "epoch by epoch"
ONE, OWN, UMAP = "one PCA", "aligned PCA", "aligned UMAP"
GROUP = "group"
PER_PAGE, MOST_RECONSTRUCTIONS = 12, 8
# In the session: what is selected; the view and the legend; the sample of a chosen card.
CHOSEN, SHOWN, MARKED = "_frames_selected", "_frames_shown", "_frames_marked"
MAKE_EPOCHS = (
    "fas train EXPERIMENT --data MANIFEST --out m.safetensors --keep-epochs 1,2,4,8\n"
    "fas cache m.safetensors m.epoch-*.safetensors --data MANIFEST"
)

run = sidebar.chosen_run()
st.title("Latent side by side")
sidebar.needs_images(run, "The latent space")
subsets = sidebar.chosen_subsets(run)


@dataclass(frozen=True)
class Step:
    """One checkpoint on the page. `short`: its letter or epoch, on trails; `name`: what sentences call it."""

    run: Run
    short: str
    name: str


# -------------------------------------------------------------------------------------------------- which checkpoints


def training_of(one: Run) -> str:
    """Stands for the training that a Run's checkpoint is of; "" where its header does not say."""
    return str(one.info.checkpoint_header.get("training", ""))


def epochs_of(others: Sequence[Run]) -> list[Step]:
    """The kept epochs of the training that A is of, on the same data, in order; empty for fewer than two."""
    by_epoch: dict[int, Run] = {}
    for one in (run, *others):
        epoch = one.info.checkpoint_header.get("epoch")
        is_of_it = training_of(one) == training_of(run) != "" and one.info.manifest_sha256 == run.info.manifest_sha256
        if is_of_it and isinstance(epoch, int):
            by_epoch.setdefault(epoch, one)  # the best checkpoint is one of them, too
    steps = [Step(by_epoch[epoch], str(epoch), f"epoch {epoch}") for epoch in sorted(by_epoch)]
    return steps if len(steps) > 1 else []


def chosen_steps() -> tuple[list[Step], bool]:
    """What is shown, and whether one epoch at a time. Where there is nothing to put beside A, the page ends."""
    others = [one for one in runs()[0] if one.has_images and one.id != run.id and len(one)]
    if not others:
        st.info(
            "There is one Run with images here, and this page puts two to four side by side, or the epochs of one "
            "training after each other. Make another in a terminal:",
            icon=":material/splitscreen_right:",
        )
        st.code(MAKE_EPOCHS, language="bash")
        st.stop()
    epochs = epochs_of(others)
    options = [STEPS, BESIDE] if epochs else [BESIDE]
    keep_valid("show", options, options[0])
    if epochs:
        show = st.segmented_control(
            "Show",
            options,
            default=options[0],
            required=True,
            key="show",
            bind="query-params",
            help="Epoch by epoch: the checkpoints that were kept of the training of A, the Run in the sidebar.",
        )
        if show == STEPS:
            return epochs, True
    others.sort(
        key=lambda one: (training_of(one) != training_of(run), one.info.manifest_sha256 != run.info.manifest_sha256)
    )
    by_label = {label_of(one): one for one in others}
    choose_from_address(list(by_label))
    labels = st.multiselect(
        "Beside A",
        list(by_label),
        max_selections=len(LETTERS) - 1,
        key="panels",
        on_change=lambda: st.session_state.pop("_panels_gone", None),
        width=460,
        help="A is the Run chosen in the sidebar; these are B, C and D. Samples are matched by their id. "
        "Epochs that `fas train --keep-epochs` has kept of one training can also be stepped through.",
    )
    # Not bound: the default, the newest Run, would not stand in the address, and be another one tomorrow.
    st.session_state["_panels_in_address"] = labels
    put_in_address("panels", labels)
    if not labels:
        st.info("Choose at least one Run to put beside A.", icon=":material/splitscreen_right:")
        st.stop()
    together = [run, *(by_label[label] for label in labels)]
    return [Step(one, letter, letter) for one, letter in zip(together, LETTERS, strict=False)], False


def choose_from_address(labels: Sequence[str]) -> None:
    """Chooses the Runs of a link that was followed, and says which are gone; the nearest one where none is chosen."""
    asked = st.query_params.get_all("panels")
    if asked and asked != st.session_state.get("_panels_in_address"):
        st.session_state["panels"] = asked[: len(LETTERS) - 1]
        st.session_state["_panels_gone"] = [label for label in asked if label not in labels]
    if "panels" not in st.session_state:
        st.session_state["panels"] = labels[:1]
    before = st.session_state["panels"]
    st.session_state["panels"] = [label for label in before if label in labels] or (labels[:1] if before else [])
    for label in st.session_state.get("_panels_gone", []):
        st.warning(f"There is no Run {escaped(label)} here to put beside A.", icon=":material/link_off:")


@dataclass(frozen=True, eq=False)
class Joined:
    """The common samples of all steps. `digest` stands for what a row of theirs means."""

    digest: str
    rows: list[NDArray[np.int64]]  # per step, the rows (m,) of the samples, in A's order
    n_left_out: list[int]
    is_training: NDArray[np.bool_]  # (m,) live training images

    def __len__(self) -> int:
        return len(self.rows[0])


Digests = tuple[str, ...]


@st.cache_resource(max_entries=6, show_spinner="Matching samples …")
def joined(digests: Digests, reference: str, _runs: Sequence[Run], _reference: Run) -> Joined:
    """In the order of the reference; it is one of the Runs."""
    ordered = [digests.index(reference), *(i for i in range(len(digests)) if digests[i] != reference)]
    made = common_rows([_runs[i].samples(["sample_id", "subset"]) for i in ordered])
    rows = [made[ordered.index(i)] for i in range(len(digests))]
    marked = np.zeros(len(_reference), np.bool_)
    fitted, is_training = projection.pca_rows(_reference)
    marked[fitted] = is_training
    digest = hashlib.sha256("\n".join((reference, *digests)).encode()).hexdigest()
    n_left_out = [len(one) - len(here) for one, here in zip(_runs, rows, strict=True)]
    return Joined(digest, rows, n_left_out, marked[rows[ordered[0]]])


# ---------------------------------------------------------------------------------------------------------- one frame


@st.cache_resource(max_entries=24, show_spinner="Placing the points …")
def in_components_of(digest: str, fitted: str, _run: Run, _fitted: Run) -> NDArray[np.float32]:
    """(n, k) all codes of a Run in the principal components of another, or its own."""
    return projection.coordinates(_run, projection.pca_of(_fitted))


@dataclass(frozen=True, eq=False)
class Placed:
    """The common samples of one step in the frame of all."""

    where: Plane
    middles: NDArray[np.float64]  # (groups, 2)
    left: float | None  # share of the variance of A's shown places that alignment leaves; None where there is none
    by_chance: float | None


def code_size(one: Run) -> int:
    return int(one.shards[0].meta["arrays"]["latents"]["shape"][1])


@st.cache_resource(max_entries=8, show_spinner="Bringing them into one frame …")
def placed(
    key: Digests,
    frame: str,
    x: int,
    y: int,
    chosen: tuple[str, ...],
    _steps: Sequence[Step],
    _both: Joined,
    _reference: int,
) -> list[Placed]:
    """Raises BadInputError where alignment has too few shared samples."""
    coordinates = [_coordinates(frame, step.run, _steps[_reference].run) for step in _steps]
    target = coordinates[_reference][_both.rows[_reference]]
    axes = [0, 1] if frame == UMAP else [x, y]
    shown: list[NDArray[np.floating]] = []
    about: list[tuple[float | None, float | None]] = []
    for i, (own, rows) in enumerate(zip(coordinates, _both.rows, strict=True)):
        if frame == ONE or i == _reference:
            shown.append(own[rows][:, axes])
            about.append((None, None))
            continue
        k = n_aligned(coordinates, _both)
        x_fit, y_fit = own[rows[_both.is_training]][:, :k], target[_both.is_training][:, :k]
        alignment = frames.aligned(x_fit, y_fit)
        shown.append(alignment.applied(own[rows][:, :k])[:, axes].astype(np.float32))
        about.append(frames.left_over(x_fit, y_fit, axes))
    codes, names = _groups(_steps[_reference].run, _both.rows[_reference])
    counted = _is_shown(_steps[_reference].run, _both.rows[_reference], chosen)
    return [
        Placed(where, frames.centroids(xy, codes, len(names), counted), left, by_chance)
        for where, xy, (left, by_chance) in zip(plot.planes(shown), shown, about, strict=True)
    ]


def _coordinates(frame: str, one: Run, reference: Run) -> NDArray[np.float32]:
    if frame == UMAP:
        embedding = projection.known_umap(one)
        assert embedding is not None  # the page has looked
        return embedding.points
    fitted = reference if frame == ONE else one
    return in_components_of(one.digest, fitted.digest, one, fitted)


def n_aligned(coordinates: Sequence[NDArray[np.float32]], both: Joined) -> int:
    """Along how many axes places are aligned: with fewer than two samples an axis, any places fit any others."""
    return max(2, min(*(own.shape[1] for own in coordinates), int(both.is_training.sum()) // 2))


def _groups(reference: Run, rows: NDArray[np.int64]) -> tuple[NDArray[np.unsignedinteger], list[str]]:
    codes, names = columns.kinds_of(reference)
    return codes[rows], names


def _is_shown(reference: Run, rows: NDArray[np.int64], chosen: tuple[str, ...]) -> NDArray[np.bool_] | None:
    is_shown = columns.shown_rows(reference, chosen)
    return None if is_shown is None else is_shown[rows]


def controls(steps: Sequence[Step], both: Joined) -> tuple[str, int, int, str]:
    """The frame, the two components and the colour."""
    is_one_training = len({training_of(step.run) for step in steps}) == 1 and training_of(run) != ""
    sizes = [code_size(step.run) for step in steps]
    usual = ONE if is_one_training and len(set(sizes)) == 1 else OWN
    keep_valid("frame", [ONE, OWN, UMAP], usual)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        frame = str(
            st.segmented_control(
                "Frame",
                [ONE, OWN, UMAP],
                default=usual,
                required=True,
                key="frame",
                bind="query-params",
                help="One PCA: fitted on the live training codes of A and applied to all. Only checkpoints of one "
                "training share its axes. Aligned: each has its own PCA or UMAP, which is shifted, turned or mirrored, "
                "and scaled so that the shared live training images lie as close to A's as they can.",
            )
        )
        options = [f"PC {i + 1}" for i in range(min(projection.COMPONENTS, *sizes))]
        if frame == OWN:
            options = options[: max(2, int(both.is_training.sum()) // 2)]
        for key in ("pcx", "pcy"):
            if st.session_state.get(key, options[0]) not in options:
                del st.session_state[key]
        is_umap = frame == UMAP
        x = st.selectbox("Across", options, key="pcx", bind="query-params", disabled=is_umap, width=100)
        y = st.selectbox(
            "Up", options, index=min(1, len(options) - 1), key="pcy", bind="query-params", disabled=is_umap, width=100
        )
        colour = st.selectbox(
            "Colour",
            [GROUP, *columns.colour_columns(run)],
            format_func=readable,
            key="colour",
            bind="query-params",
            help="Of A's data: the same sample has the same colour in every panel.",
            width=190,
        )
    return frame, options.index(x), options.index(y), str(colour)


def possible(frame: str, steps: Sequence[Step], both: Joined) -> str:
    """The frame that is asked for, or the nearest one that there is; why stands on the page."""
    if frame == UMAP:
        without = [step for step in steps if projection.known_umap(step.run) is None]
        for step in without[:1]:
            missing = f"UMAP of {step.name} ({escaped(step.run.info.name)}) is not computed yet. Until then: PCA."
            worker(step.run, "umap", missing=missing, button="Compute UMAP", key="frames_umap")
        frame = OWN if without else UMAP
    if frame == ONE and len(sizes := {code_size(step.run) for step in steps}) > 1:
        st.info(
            f"One PCA cannot be applied to codes of different sizes ({', '.join(map(str, sorted(sizes)))} dimensions). "
            "Here each has its own, aligned.",
            icon=":material/info:",
        )
        frame = OWN
    if frame != ONE and both.is_training.sum() < 4:
        st.info(
            f"These Runs share {int(both.is_training.sum())} live training images, too few to align them by. "
            "Name them with fas data subsets, and cache both on that: fas cache CHECKPOINT --data MANIFEST",
            icon=":material/info:",
        )
        st.stop()
    if frame == ONE and len({training_of(step.run) or step.run.id for step in steps}) > 1:
        st.warning(
            "These checkpoints are of different trainings, whose codes have unrelated axes: under one PCA, only A's "
            "places mean something. Choose an aligned frame to compare them.",
            icon=":material/warning:",
        )
    return frame


# --------------------------------------------------------------------------------------------------------- the answer


@dataclass(frozen=True, eq=False)
class Compared:
    """Positions of the common samples that sentences are about."""

    live: NDArray[np.int64]  # outside training; training ones for want of others
    is_training: bool
    attacks: dict[str, NDArray[np.int64]]  # by species


def compared(both: Joined) -> Compared:
    rows = both.rows[reference]
    is_shown = _is_shown(run, rows, tuple(subsets))
    is_attack = columns.attacks(run)[rows]
    live = ~is_attack & ~both.is_training
    live, attack = (live, is_attack) if is_shown is None else (live & is_shown, is_attack & is_shown)
    is_training = int(live.sum()) < 2
    species = columns.factor(run, "pai_species")
    codes = species.codes[rows]
    attacks = {
        name or "unspecified": found
        for i, name in enumerate(species.names)
        if len(found := np.flatnonzero(attack & (codes == i)))
    }
    return Compared(np.flatnonzero(both.is_training if is_training else live), is_training, attacks)


@st.cache_resource(max_entries=48, show_spinner="Measuring distances …")
def spreads(
    digest: str, joined: str, chosen: tuple[str, ...], _run: Run, _rows: NDArray[np.int64], _of: Compared
) -> dict[str, float | None]:
    """How far each attack species lies from live faces in the codes of one Run."""
    attacks = {name: np.sort(_rows[found]) for name, found in _of.attacks.items()}
    return frames.live_spreads(_run.latent_blocks, np.sort(_rows[_of.live]), attacks)


def distances(of: Compared) -> list[dict[str, float | None]]:
    """`spreads` of every step; none where there are no attacks or too few live faces."""
    if not of.attacks or len(of.live) < 2:
        return []
    return [
        spreads(step.run.digest, both.digest, tuple(subsets), step.run, rows, of)
        for step, rows in zip(steps, both.rows, strict=True)
    ]


def show_answer(of: Compared) -> None:
    """What moved from the first to the last epoch, or from A to each other Run, and what that is counted in."""
    if not how_far:
        st.write("The chosen subsets hold no attacks, or no live faces, that these Runs share: nothing moves apart.")
        return
    for i in (len(steps) - 1,) if is_stepped else range(1, len(steps)):
        st.write(moved(steps[0].name, steps[i].name, how_far[0], how_far[i]))
    counts = ", ".join(f"{len(rows):,} {escaped(readable(name))}" for name, rows in of.attacks.items())
    whom = "live training images" if of.is_training else "live faces outside training"
    st.caption(
        f"Distances are between the mean code of a species ({counts}) and that of {len(of.live):,} {whom}, in *live "
        "spreads*: standard deviations of those live codes along the line through both means. All dimensions of each "
        "checkpoint's own codes count; no projection and no alignment is in these numbers."
    )


def show_distances(current: int) -> None:
    """How far each species lies from live faces after every epoch."""
    if not how_far:
        return
    epochs = [step.short for step in steps]
    counts = {name: len(rows) for name, rows in of_whom.attacks.items()}
    lines = {
        name: {epoch: value for epoch, one in zip(epochs, how_far, strict=True) if (value := one[name]) is not None}
        for name in counts
    }
    made = categories.distances_by_epoch(lines, epochs, epochs[current], counts)
    st.markdown("**Distance from live faces, epoch by epoch**")
    alt = "Distance of each attack species from live faces over epochs"
    st.echarts_chart(made, key="frames_distances", height=categories.LINES_HEIGHT, alt=alt)


def moved(first: str, last: str, before: dict[str, float | None], after: dict[str, float | None]) -> str:
    """One sentence, the species that moved most first."""
    change = {name: (b, a) for name in before if (b := before[name]) is not None and (a := after.get(name)) is not None}
    parts = []
    for name in sorted(change, key=lambda name: -abs(change[name][1] - change[name][0])):
        b, a = change[name]
        a, b = round(a, 1), round(b, 1)  # so that the sentence's numbers agree with each other
        by, way = f"{abs(a - b):.1f}", "away from" if a > b else "towards"
        what = f"**{by} live spreads {way}** live faces" if by != "0.0" else "**hardly at all**"
        parts.append(f"{escaped(readable(name))} attacks moved {what} ({b:.1f} → {a:.1f})")
    if not parts:
        return f"From {first} to {last} nothing can be said: live codes do not vary."
    return f"From {first} to {last}, {'; '.join(parts)}."


def caveats(steps: Sequence[Step], both: Joined, frame: str, found: Sequence[Placed]) -> str:
    """What is shown, what is left out, and how far the frame can be trusted."""
    words = [f"{len(both):,} samples that all share"]
    words += [f"{n:,} of {step.name} left out" for step, n in zip(steps, both.n_left_out, strict=True) if n]
    text = ", ".join(words) + ". "
    if frame == ONE:
        n = int(both.is_training.sum())
        whom = (
            f"the {n:,} live training images of {steps[reference].name}"
            if n
            else f"all images of {steps[reference].name}"
        )
        return text + f"One PCA, fitted on {whom} and applied to all; no labels."
    which = "PCA, fitted on its own live training images" if frame == OWN else "UMAP, fitted on all its images"
    text += (
        f"Each has its own {which}; no labels. The {int(both.is_training.sum()):,} live training images that all share "
        f"are laid onto those of {steps[reference].name} by one shift, turn or reflection, and scale (Procrustes). "
    )
    each = [
        f"{step.name} {100 * one.left:.0f} % (by chance {100 * one.by_chance:.0f} %)"
        for step, one in zip(steps, found, strict=True)
        if one.left is not None and one.by_chance is not None
    ]
    return text + (
        f"Of the variance of their places in {steps[reference].name}, this leaves unexplained: {', '.join(each)}. The "
        "nearer to chance, the less places in different panels have to do with each other."
    )


# ------------------------------------------------------------------------------------------------------ what is drawn


@st.cache_resource(max_entries=12, show_spinner="Colouring the points …")
def colours_by(joined: str, colour: str, chosen: tuple[str, ...], _reference: Run, _rows: NDArray[np.int64]) -> Colours:
    is_shown = _is_shown(_reference, _rows, chosen)
    if colour == GROUP:
        codes, names = _groups(_reference, _rows)
        styles = {name: style_of(name) for name in in_group_order(names)[: plot.MOST_CATEGORIES]}
        return plot.by_category(codes, names, styles, is_shown)
    if columns.is_number(_reference, colour):
        numbers = columns.numbers_of(_reference, colour)[_rows]
        return plot.by_number(numbers, title=readable(colour), words=number, is_shown=is_shown)
    one = columns.factor(_reference, colour)
    codes = one.codes[_rows]
    counts = np.bincount(codes, minlength=len(one.names)).tolist()
    styles = category_styles(dict(zip(one.names, counts, strict=True)))
    return plot.by_category(codes, [name or NOT_GIVEN for name in one.names], styles, is_shown)


def trails(steps: Sequence[Step], found: Sequence[Placed], current: int) -> Trails:
    """The way of each group's middle, training left out: its images are what the frame is fitted on."""
    names = columns.kinds_of(run)[1]
    made = []
    for i, name in enumerate(names):
        places = [None if np.isnan(one.middles[i]).any() else tuple(one.middles[i].tolist()) for one in found]
        if name != "train" and any(place is not None for place in places):
            made.append(Trail(name, style_of(name), places))
    return Trails([step.short for step in steps], current, made)


def titles_of(frame: str, x: int, y: int) -> tuple[str, str]:
    a = steps[reference].name
    if frame == UMAP:
        return f"UMAP 1 of {a} (no unit)", f"UMAP 2 of {a} (no unit)"
    explained = projection.pca_of(run).explained
    across, up = (f"PC {i + 1} of {a} ({100 * explained[i]:.0f} % of its variance)" for i in (x, y))
    return across, up


def show_plot(i: int, found: Sequence[Placed], colours: Colours, *, has_legend: bool) -> None:
    view, off = plot.shown_before(SHOWN)
    step, one = steps[i], found[i]
    note = f"{step.name[0].upper()}{step.name[1:]}: {step.run.info.name}"
    if one.left is not None:
        note += f"; alignment leaves {100 * one.left:.0f} %"
    plot.scatter(
        one.where,
        colours,
        selected(),
        run=both.digest,
        colour=colour,
        titles=titles_of(frame, x, y),
        note=note,
        words=f"{len(both):,} latent codes of {note}, coloured by {readable(colour)}; lines join the middles of "
        "each group from checkpoint to checkpoint.",
        has_units=frame != UMAP,
        view=view,
        off=off,
        marked=marked(),
        on_selected=keep,
        key=f"frames_{'step' if is_stepped else step.short}",
        trails=trails(steps, found, i),
        has_legend=has_legend,
    )


# ------------------------------------------------------------------------------------------------- what is selected


def selected() -> Selection | None:
    kept = st.session_state.get(CHOSEN)
    return kept if isinstance(kept, Selection) and kept.run == both.digest else None


def marked() -> int | None:
    digest, row = st.session_state.get(MARKED, ("", 0))
    return row if digest == both.digest else None


def keep(selection: Selection) -> None:
    st.session_state[CHOSEN] = selection
    st.session_state["frames_page"] = 1


def show_images() -> None:
    """Original and every checkpoint's reconstruction of what is selected."""
    is_shown = _is_shown(run, both.rows[reference], tuple(subsets))
    kept = selected()
    rows = kept.rows(len(both)) if kept else np.empty(0, np.int64)
    rows = rows if is_shown is None else rows[is_shown[rows]]
    if not len(rows):
        st.markdown("Draw around points to see the same images in every checkpoint.")
        return
    codes, names = _groups(run, both.rows[reference][rows])
    counts = {names[i]: n for i, n in enumerate(np.bincount(codes, minlength=len(names)).tolist()) if n}
    each = ", ".join(f"{counts[name]:,} {readable(name)}" for name in in_group_order(list(counts)))
    st.markdown(f"**{len(rows):,} selected:** {escaped(each)}.")
    place = st.container()
    page, n_pages = 1, -(-len(rows) // PER_PAGE)
    if n_pages > 1:
        page = st.pagination(n_pages, key="frames_page")
    with place:
        show_page(rows[(page - 1) * PER_PAGE : page * PER_PAGE])


def show_page(rows: NDArray[np.int64]) -> None:
    of_a = both.rows[reference][rows]
    ids = columns.ids_of(run, of_a)
    codes, names = _groups(run, of_a)
    cards = [
        Card(sample_id, [sample_id], readable(names[code]), style.colour, style.is_hollow)
        for sample_id, code in zip(ids, codes, strict=True)
        for style in (style_of(names[code]),)
    ]
    panels = [Panel("original", run.images("inputs", of_a))]
    shown = np.unique(np.linspace(0, len(steps) - 1, MOST_RECONSTRUCTIONS, dtype=int))
    for i in shown.tolist():
        panels.append(Panel(steps[i].name, steps[i].run.images("reconstructions", both.rows[i][rows])))
    chosen = gallery(cards, panels, key="frames_images", size=96)
    if chosen is not None:
        st.session_state[MARKED] = (both.digest, int(rows[ids.index(chosen)]))
        st.rerun(scope="fragment")


# --------------------------------------------------------------------------------------------------------- the page


def chosen_epoch() -> int:
    """Position of the epoch that is shown; the slider and the buttons beside it change it."""
    names = [step.short for step in steps]
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


@fragment
def explorer() -> None:
    """The plots and the images of what is selected: a selection or another epoch runs nothing but this again."""
    if is_stepped:
        at = chosen_epoch()
        grid = st.grid(2, min_column_width=470, gap="medium")
        left, right = grid.cell(), grid.cell()
        with left:
            plot.carried(found[at].where, colours)
            show_plot(at, found, colours, has_legend=True)
        with right, st.container(height=620, border=False):
            show_images()
            show_distances(at)
    else:
        plot.carried(*(one.where for one in found), colours)
        grid = st.grid(2, min_column_width=420, gap="medium")
        for i in range(len(steps)):
            with grid.cell():
                show_plot(i, found, colours, has_legend=i == 0)
        if len(steps) == 3:  # there is a free place beside the third
            with grid.cell(), st.container(height=520, border=False):
                show_images()
        else:
            show_images()
    plot.carried_selection(selected())
    st.caption(
        "Drag draws a lasso, a click selects one point, Shift adds, Escape clears; the wheel zooms. What is selected, "
        "pointed at, zoomed to or switched off in one panel is so in all. Lines join the middles of each group."
    )


def told_of(rows: NDArray[np.int64]) -> list[Answer]:
    of_a = both.rows[reference][rows]
    codes, names = _groups(run, of_a)
    images = run.images("inputs", of_a)
    return [
        Answer([sample_id, readable(names[code])], image)
        for sample_id, code, image in zip(columns.ids_of(run, of_a), codes, images, strict=True)
    ]


@fragment
def hovering() -> None:
    plot.hover(told_of, run=both.digest, n=len(both), on_shown=partial(plot.keep_shown, SHOWN), key="frames_hover")


steps, is_stepped = chosen_steps()
digests = tuple(step.run.digest for step in steps)
reference = digests.index(run.digest)
both = joined(digests, run.digest, [step.run for step in steps], run)
if not len(both):
    st.info("These Runs share no sample. Choose Runs of the same images.", icon=":material/link_off:")
    st.stop()
of_whom = compared(both)
how_far = distances(of_whom)
show_answer(of_whom)
frame, x, y, colour = controls(steps, both)
frame = possible(frame, steps, both)
found = placed((run.digest, *digests), frame, x, y, tuple(subsets), steps, both, reference)
colours = colours_by(both.digest, colour, tuple(subsets), run, both.rows[reference])
st.caption(caveats(steps, both, frame, found))
explorer()
hovering()
