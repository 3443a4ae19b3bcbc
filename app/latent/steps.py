"""Checkpoints side by side or one after the other: which ones, the samples they share, and the frame they lie in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from app.components import scatter as plot
from app.components.command import show_command
from app.components.scatter import Plane
from app.latent.projecting import component_controls
from app.parts.selection import Points
from app.session.address import keep_valid, switch
from app.session.cache import cached, keyed
from app.session.jobs import worker
from app.session.others import others_control
from app.session.readers import runs
from app.words import escaped, label_of
from fas_core.evaluation.join import common_rows_of
from fas_core.latent import frames, projection
from fas_core.latent.frames import ONE, OWN, UMAP
from fas_core.runs.store import Run

LETTERS = "ABCD"
BESIDE, EPOCHS = "side by side", "epoch by epoch"
MAKE_EPOCHS = (
    "fas train EXPERIMENT --data MANIFEST --out m.safetensors --keep-epochs 1,2,4,8\n"
    "fas cache m.safetensors m.epoch-*.safetensors --data MANIFEST"
)


@dataclass(frozen=True)
class Step:
    """One checkpoint on the page. `short`: its letter or epoch, on trails; `name`: what sentences call it."""

    run: Run
    short: str
    name: str

    @property
    def training(self) -> str:
        """Stands for the training that the checkpoint is of; "" where its header does not say."""
        return training_of(self.run)


@dataclass(frozen=True)
class Steps:
    """Two or more checkpoints in order, one of which is A, the Run of the sidebar."""

    each: tuple[Step, ...]
    at: int  # position of A
    are_epochs: bool  # of one training, shown one at a time; else side by side

    @property
    def a(self) -> Step:
        return self.each[self.at]

    @property
    def dims(self) -> list[int]:
        """Numbers in a code of each."""
        return [step.run.latent_dim for step in self.each]


def training_of(run: Run) -> str:
    return str(run.info.checkpoint_header.get("training", ""))


# -------------------------------------------------------------------------------------------------- which checkpoints


def epochs_of(a: Run, others: Sequence[Run]) -> list[Step]:
    """The kept epochs of the training that A is of, on the same data, in order; empty for fewer than two."""
    by_epoch: dict[int, Run] = {}
    for run in (a, *others):
        epoch = run.info.checkpoint_header.get("epoch")
        is_of_it = training_of(run) == training_of(a) != "" and run.info.manifest_sha256 == a.info.manifest_sha256
        if is_of_it and isinstance(epoch, int):
            by_epoch.setdefault(epoch, run)  # the best checkpoint is one of them, too
    steps = [Step(by_epoch[epoch], str(epoch), f"epoch {epoch}") for epoch in sorted(by_epoch)]
    return steps if len(steps) > 1 else []


def chosen_steps(a: Run, place: DeltaGenerator) -> Steps:
    """What is shown. Where there is nothing to put beside A, the page ends."""
    others = [run for run in runs()[0] if run.has("latents") and run.id != a.id and len(run)]
    if not others:
        st.info(
            "There is one Run with images here, and this page puts two to four side by side, or the epochs of one "
            "training after each other. Make another in a terminal:",
            icon=":material/splitscreen_right:",
        )
        show_command(MAKE_EPOCHS)
        st.stop()
    epochs = epochs_of(a, others)
    options = [EPOCHS, BESIDE] if epochs else [BESIDE]
    keep_valid("show", options, options[0])
    if epochs:
        show = switch(
            "Show",
            options,
            "show",
            place=place,
            help="Epoch by epoch: the checkpoints that were kept of the training of A, the Run in the sidebar.",
        )
        if show == EPOCHS:
            return Steps(tuple(epochs), [step.run.digest for step in epochs].index(a.digest), True)
    with place.popover("Beside A"):
        beside = _beside(a, others)
    if not beside:
        st.info("Choose at least one Run to put beside A.", icon=":material/splitscreen_right:")
        st.stop()
    together = [a, *beside]
    return Steps(tuple(Step(run, letter, letter) for run, letter in zip(together, LETTERS, strict=False)), 0, False)


def _beside(a: Run, others: Sequence[Run]) -> list[Run]:
    """B, C and D, chosen on the page; those of A's training and data are offered first."""

    def is_other(run: Run) -> tuple[bool, bool]:
        return training_of(run) != training_of(a), run.info.manifest_sha256 != a.info.manifest_sha256

    by_label = {label_of(run): run for run in sorted(others, key=is_other)}
    labels = others_control(
        "Beside A",
        "panels",
        by_label,
        most=len(LETTERS) - 1,
        gone="here to put beside A.",
        width=460,
        help_text="A is the Run chosen in the sidebar; these are B, C and D. Samples are matched by their id. "
        "Epochs that `fas train --keep-epochs` has kept of one training can also be stepped through.",
    )
    return [by_label[label] for label in labels]


# ---------------------------------------------------------------------------------------------------- common samples


@keyed
@dataclass(frozen=True, eq=False)
class Common:
    """The m samples that all steps share."""

    steps: Steps
    rows: list[NDArray[np.int64]]  # per step, the rows (m,) of the samples, in A's order
    n_left_out: list[int]
    is_training: NDArray[np.bool_]  # (m,) live training images

    @property
    def name(self) -> str:
        """Stands for what a row of the common samples means, however the steps are shown."""
        digests = (self.steps.a.run.digest, *(step.run.digest for step in self.steps.each))
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    @property
    def digest(self) -> str:
        return repr((self.name, self.steps.are_epochs, [(step.short, step.name) for step in self.steps.each]))

    @property
    def n_training(self) -> int:
        return int(self.is_training.sum())

    def __len__(self) -> int:
        return len(self.is_training)

    def points(self, subsets: tuple[str, ...]) -> Points:
        """The common samples as A knows them."""
        return Points("frames", self.name, self.steps.a.run, self.rows[self.steps.at], subsets)


def common(steps: Steps) -> Common:
    """In the order of A."""
    rows, is_training = _matched(tuple(step.run for step in steps.each), steps.at)
    n_left_out = [len(step.run) - len(here) for step, here in zip(steps.each, rows, strict=True)]
    return Common(steps, rows, n_left_out, is_training)


@cached(entries=6, spinner="Matching samples …")
def _matched(each: tuple[Run, ...], at: int) -> tuple[list[NDArray[np.int64]], NDArray[np.bool_]]:
    """`rows` and `is_training` of `Common`."""
    a_first = [at, *(i for i in range(len(each)) if i != at)]
    joined = common_rows_of([each[i] for i in a_first])
    rows = [joined[a_first.index(i)] for i in range(len(each))]
    is_fitted = np.zeros(len(each[at]), np.bool_)
    fitted, is_training = projection.pca_rows(each[at])
    is_fitted[fitted] = is_training
    return rows, is_fitted[rows[at]]


# ---------------------------------------------------------------------------------------------------------- one frame


def frame_controls(both: Common) -> tuple[str, int, int]:
    """The frame that is asked for, and the two components."""
    steps = both.steps
    usual = frames.usual([step.training for step in steps.each], steps.dims)
    keep_valid("frame", [ONE, OWN, UMAP], usual)
    frame = switch(
        "Frame",
        [ONE, OWN, UMAP],
        "frame",
        default=usual,
        help="One PCA: fitted on the live training codes of A and applied to all. Only checkpoints of one "
        "training share its axes. Aligned: each has its own PCA or UMAP, which is shifted, turned or mirrored, "
        "and scaled so that the shared live training images lie as close to A's as they can.",
    )
    n = min(projection.COMPONENTS, *steps.dims)
    if frame == OWN:
        n = min(n, frames.n_aligned(steps.dims, both.n_training))
    with st.popover("Axes"):
        return frame, *component_controls(n, disabled=frame == UMAP)


def possible_frame(wanted: str, both: Common) -> str:
    """The frame that is asked for, or the nearest one that there is; why stands on the page, which ends without any."""
    steps = both.steps
    without = [step for step in steps.each if wanted == UMAP and projection.known_umap(step.run) is None]
    for step in without[:1]:
        missing = f"UMAP of {step.name} ({escaped(step.run.info.name)}) is not computed yet. Until then: PCA."
        worker(step.run, "umap", missing=missing, button="Compute UMAP", key="frames_umap")
    frame = frames.possible(wanted, steps.dims, has_umap=not without)
    if wanted == ONE != frame:
        sizes = ", ".join(map(str, sorted(set(steps.dims))))
        st.info(
            f"One PCA cannot be applied to codes of different sizes ({sizes} dimensions). "
            "Here each has its own, aligned.",
            icon=":material/info:",
        )
    if frame != ONE and not frames.can_be_aligned(both.n_training):
        st.info(
            f"These Runs share {both.n_training} live training images, too few to align them by. "
            "Name them with fas data subsets, and cache both on that: fas cache CHECKPOINT --data MANIFEST",
            icon=":material/info:",
        )
        st.stop()
    if frame == ONE and not frames.trained_together([step.training or step.run.id for step in steps.each]):
        st.warning(
            "These checkpoints are of different trainings, whose codes have unrelated axes: under one PCA, only A's "
            "places mean something. Choose an aligned frame to compare them.",
            icon=":material/warning:",
        )
    return frame


@keyed
@dataclass(frozen=True, eq=False)
class Frame:
    """How the common samples are laid into one plane; its middles are those of the chosen subsets."""

    both: Common
    name: str  # ONE, OWN or UMAP
    x: int  # components
    y: int
    subsets: tuple[str, ...]

    @property
    def digest(self) -> str:
        return repr((self.both.digest, self.name, self.x, self.y, self.subsets))

    @property
    def axes(self) -> list[int]:
        """Of the places, those that are shown."""
        return [0, 1] if self.name == UMAP else [self.x, self.y]

    @property
    def titles(self) -> tuple[str, str]:
        """Of the axes."""
        a = self.both.steps.a
        if self.name == UMAP:
            return f"UMAP 1 of {a.name} (no unit)", f"UMAP 2 of {a.name} (no unit)"
        explained = projection.pca_of(a.run).explained
        across, up = (f"PC {i + 1} of {a.name} ({100 * explained[i]:.0f} % of its variance)" for i in (self.x, self.y))
        return across, up


@dataclass(frozen=True, eq=False)
class Placed:
    """The common samples of one step in the frame of all."""

    where: Plane
    middles: NDArray[np.float64]  # (groups, 2)


@cached(entries=8, spinner="Bringing them into one frame …")
def placed(frame: Frame) -> list[Placed]:
    """Raises BadInputError where alignment has too few shared samples."""
    both, a = frame.both, frame.both.steps.a
    laid = frames.in_one_frame(
        [own_places(frame.name, step.run, a.run) for step in both.steps.each],
        both.rows,
        both.is_training,
        reference=both.steps.at,
        axes=frame.axes,
        is_aligned=frame.name != ONE,
    )
    points = both.points(frame.subsets)
    codes, names = points.groups
    return [
        Placed(where, frames.centroids(places, codes, len(names), points.is_shown))
        for where, places in zip(plot.planes(laid), laid, strict=True)
    ]


def own_places(frame: str, run: Run, a: Run) -> NDArray[np.float32]:
    """(n, k) of all codes of a Run."""
    if frame == UMAP:
        embedding = projection.known_umap(run)
        assert embedding is not None  # the page has looked
        return embedding.points
    return _in_components_of(run, a if frame == ONE else run)


@cached(entries=24, spinner="Placing the points …")
def _in_components_of(run: Run, fitted: Run) -> NDArray[np.float32]:
    """(n, k) all codes of a Run in the principal components of another, or its own."""
    return projection.coordinates(run, projection.pca_of(fitted))
