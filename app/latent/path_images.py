"""The images along a path of codes: in their order with what a score says, one of them large, and as a sheet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from app.charts import categories
from app.components import strip as component
from app.components.gallery import Panel, error_panel, picture
from app.components.zoom import zoomed
from app.session import readers
from app.session.address import keep_valid, switch
from app.session.faces import Sight
from app.words import escaped
from fas_core.data.names import readable
from fas_core.evaluation import paths, traversal
from fas_core.evaluation.paths import LETTERS, Path, Unlike
from fas_core.reports.pictures import NAMES
from fas_core.runs.store import Run

IMAGES, CHANGE = "images", "change"


def show_path(path: Path, images: NDArray[np.uint8], unlike: Unlike | None, controls: DeltaGenerator) -> None:
    """The images in their order, what the score says of them, and one of them large; what is chosen, at `controls`."""
    bases = None if path.compared_with is None else np.broadcast_to(images[path.compared_with], images.shape)
    panel = picture("decoded", images)
    if bases is not None and switch("Show", [IMAGES, CHANGE], "shown_as", place=controls) == CHANGE:
        panel = change_panel(path, bases, images)
    line = None
    if unlike is not None and path.columns == len(path.codes):
        levels = [component.Level(float(np.median(unlike.live)), "median of live faces")]
        if unlike.threshold is not None:
            levels.append(component.Level(unlike.threshold, "threshold", True))
        title = f"{unlike.score}: how unlike live training codes"
        line = component.Line(title, unlike.values.tolist(), path.places, levels, path.is_ordered)
    overview = st.container()
    chosen = large_control(path)
    with overview:
        component.strip(
            panel,
            paths.captions(path, unlike),
            columns=path.columns,
            key="strip",
            chosen=chosen,
            on_choose=enlarge,
            line=line,
        )
    large = images[chosen : chosen + 1]
    panels = [picture(f"decoded, {path.places[chosen]}", large)]
    if bases is not None:
        panels = [picture(path.first, bases[:1]), *panels, change_panel(path, bases[:1], large)]
    zoomed(path.places[chosen], panels, key="large_step")


def show_without_images(path: Path, unlike: Unlike | None) -> None:
    """What a score says of the codes of a path that nothing decodes; a grid is told of in the answer alone."""
    if unlike is None or path.columns != len(path.codes):
        return
    levels = {"median of live faces": float(np.median(unlike.live))}
    levels |= {} if unlike.threshold is None else {"threshold": unlike.threshold}
    title = f"{unlike.score}: how unlike live training codes"
    st.markdown(f"**{escaped(title)}**, by the codes alone")
    chart = categories.along_path(
        path.places, unlike.values.tolist(), title=unlike.score, levels=levels, is_ordered=path.is_ordered
    )
    st.echarts_chart(chart, key="unlikeness", height=categories.CRITERION_HEIGHT, alt=title)


def change_panel(path: Path, bases: NDArray[np.uint8], images: NDArray[np.uint8]) -> Panel:
    """Red where an image is darker than that of the sample (of A), blue where it is brighter."""
    return replace(error_panel(bases, images, name="change", signed=True), unit=f"{path.first} − decoded")


def large_control(path: Path) -> int:
    """Which image is shown large: its position."""
    n = len(path.codes)
    if n == 1:
        return 0
    default = 1 if path.compared_with is None else n
    keep_valid("step", range(1, n + 1), default)
    return int(st.slider("Enlarged image", 1, n, default, key="step", bind="query-params", width=320)) - 1


def enlarge(index: int) -> None:
    st.session_state["step"] = index + 1


def sheet_of(
    sight: Sight, run: Run, path: Path, images: NDArray[np.uint8], rows: list[int], unlike: Unlike | None
) -> bytes:
    """The PNG of what is shown: the samples and their reconstructions, then the decoded images, all as `sight` has
    them."""
    ids = readers.ids(run)
    tiles = [traversal.Tile(image, lines) for image, lines in zip(images, paths.captions(path, unlike), strict=True)]
    sheet = [tiles[i : i + path.columns] for i in range(0, len(tiles), path.columns)]
    if rows:
        shown = {kind: sight.images(run, kind, rows) for kind in run.pictures}
        first = []
        for i, (row, letter) in enumerate(zip(rows, LETTERS, strict=False)):
            name = f"{letter} " if len(rows) > 1 else ""
            below = {"inputs": str(ids[row]), "reconstructions": readable(str(readers.groups(run)[row]))}
            first += [
                traversal.Tile(of_kind[i], [f"{name}{NAMES[kind]}", below[kind]]) for kind, of_kind in shown.items()
            ]
        if first:
            sheet.insert(0, first)
    title = f"{run.info.name} ({run.id[:6]}): {path.name}"
    if unlike is not None:
        title += f"; below each image {unlike.score}, how unlike live training codes it is"
    return traversal.sheet(title, sheet)
