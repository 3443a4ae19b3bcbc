"""The images nearest to one, of live training and of every other subset, by codes or by pixels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.components import gallery as component
from app.looking.filmstrip import frames_of
from app.looking.subject import Subject
from app.parts import columns
from app.session import faces
from app.session.address import switch
from app.session.cache import cached
from app.words import escaped, number
from fas_core.data.names import ATTACK, LIVE, TRAIN, readable
from fas_core.errors import BadInputError
from fas_core.latent import neighbours
from fas_core.latent.neighbours import AmongWhom, Near
from fas_core.reports.palette import style_of
from fas_core.runs import duplicates
from fas_core.runs.duplicates import By
from fas_core.runs.store import Run

NEAREST: dict[AmongWhom, int] = {"training": 6, "others": 12}
HEADINGS: dict[AmongWhom, str] = {"training": "Live training images", "others": "All other samples, of any subset"}
WORDS: dict[By, str] = {"code": "By code", "pixels": "By pixels"}
UNITS: dict[By, str] = {"code": "distance", "pixels": "difference"}
HELP = (
    "By code: as the model sees it, by the distance of codes. By pixels: as it looks, by the root mean square of what "
    "pixels between 0 and 1 differ by, at 32x32, brightness and contrast scaled away."
)


def nearest(run: Run, subject: Subject, by: By) -> dict[AmongWhom, Near]:
    """Distances, ascending, and rows of the images nearest to one among each kind: (k,) both, none where none are.

    Without itself and the other frames of its video, of which a page could be full.
    """
    try:
        return _of_subject(run, subject, by) if subject.row is None else _of_row(run, subject.row, by)
    except BadInputError as error:
        st.caption(escaped(str(error)))
        return {}


@cached(entries=64)
def _of_row(run: Run, row: int, by: By) -> dict[AmongWhom, Near]:
    rows = np.array([row])
    pixels = {"inputs": faces.to_compute(run, "inputs", rows)} if by == "pixels" else {}
    code = next(run.latent_blocks(rows))[0] if by == "code" else None
    return _of_subject(run, Subject("", row, pixels, code, {}), by)


def _of_subject(run: Run, subject: Subject, by: By) -> dict[AmongWhom, Near]:
    own = np.empty(0, np.int64) if subject.row is None else frames_of(run, subject.row)
    k = {among: n + len(own) for among, n in NEAREST.items()}
    if by == "code" and subject.code is not None:
        near = neighbours.nearest(run, subject.code, k, own=subject.row)
    else:
        picture = subject.pixels["inputs"][0]
        near = {among: neighbours.nearest_pictures(run, picture, n, among, own=subject.row) for among, n in k.items()}
    for among, (distances, rows) in near.items():
        others = np.flatnonzero(~np.isin(rows, own))[: NEAREST[among]]
        near[among] = distances[others], rows[others]
    return near


def show(run: Run, subject: Subject) -> str | None:
    """Both rows of images, training first; the sample_id of one at the moment it is chosen."""
    ways = duplicates.ways(run)[::-1]
    if not ways or not faces.kinds(run):
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Nearest images**", width="content")
        by = switch("Nearest", ways, "nearest_by", words=WORDS.__getitem__, help=HELP)
    return show_by(run, subject, by)


def show_by(run: Run, subject: Subject, by: By) -> str | None:
    with st.spinner("Comparing images …", show_time=False):
        near = nearest(run, subject, by)
    st.write(answer(run, near, by))
    chosen = []
    for among, (distances, rows) in near.items():
        if len(rows):
            without = "" if subject.row is None or not len(frames_of(run, subject.row)) else ", without its own video"
            st.caption(f"{HEADINGS[among]}, the nearest first{without}")
            chosen.append(_gallery(run, distances, rows, by, key=f"nearest_{among}"))
    return next((sample for sample in chosen if sample is not None), None)


def answer(run: Run, near: Mapping[AmongWhom, Near], by: By) -> str:
    """Which class is nearest, and how far training is beside it."""
    first = {among: (float(d[0]), int(rows[0])) for among, (d, rows) in near.items() if len(rows)}
    if not first:
        return "There is no other image in this Run."
    distance, row = min(first.values())
    [(subset, label, group)] = columns.about(run, np.array([row]))[["subset", "label", "group"]].to_numpy()
    words = f"The nearest is **{escaped(place(subset, label, group))}**, at {UNITS[by]} {number(distance)}"
    if "training" not in first:
        return f"{words}. The Run has no live training images."
    if row == first["training"][1]:
        return f"{words}: a live training image."
    return f"{words}; the nearest live training image is at {number(first['training'][0])}."


def place(subset: str, label: str, group: str) -> str:
    """What a sample is and in which subset, in words: live faces also stand in the subsets of attacks."""
    if label == ATTACK:
        return f"{readable(group)}, training" if subset == TRAIN else readable(group)
    return {TRAIN: "live, training", LIVE: "live"}.get(subset, f"{readable(subset)}, live")


def _gallery(run: Run, distances: NDArray[np.float64], rows: NDArray[np.int64], by: By, *, key: str) -> str | None:
    about = columns.about(run, rows)
    cards = []
    for distance, sample_id, subset, label, group in zip(
        distances.tolist(), *(about[name] for name in ("sample_id", "subset", "label", "group")), strict=True
    ):
        style = style_of(group)
        cards.append(
            component.Card(
                sample_id,
                (f"{UNITS[by]} {number(distance)}", sample_id),
                place(subset, label, group),
                style.colour,
                is_hollow=style.is_hollow,
            )
        )
    return component.gallery(cards, faces.pictures(run, rows), key=key, size=64)
