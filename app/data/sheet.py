"""The contact sheet: crops beside the pictures that they were cut out of, with boxes and eyes; nothing of it is kept on
disk."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from app.components import gallery as component
from app.components.gallery import Card, Panel
from app.data import picks
from app.data.known import DataSet
from app.data.picks import Pick
from app.session import faces, identity
from app.session.cache import cached
from app.words import escaped
from fas_core.access.roles import Right, role_with
from fas_core.data import images
from fas_core.data.acceptance import PLACES, kinds_of
from fas_core.data.manifest import CUT_FROM
from fas_core.data.names import readable
from fas_core.data.videos import is_video
from fas_core.reports.palette import NEUTRAL, style_of

SIDE, SIDE_OF_ONE = 160, 560  # pixels of a picture of the sheet, and alone
SIZE, LARGE = 66, 104  # on the screen, beside another picture and alone
PER_PAGE = 24
BOX_COLOUR, EYE_COLOUR = (0, 220, 255), (255, 90, 0)

Picture = tuple[str, tuple[float, ...]]  # a file, and PLACES in it


def drawn(data: DataSet, wanted: tuple[Picture, ...]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """(n, SIDE, SIDE, 3) pictures as they may be seen, with what is known of the face drawn in, and why one is not
    there, "" where it is."""
    sight = faces.sight(None)
    is_clear = sight.shows_clear(lambda: [named(data, file) for file, _ in wanted])
    return _all_drawn(data, wanted, is_clear)


def named(data: DataSet, file: str) -> str:
    """What a picture is called: its path from the manifest's folder, where it is in there."""
    path = Path(file)
    return str(path.relative_to(data.path.parent)) if path.is_relative_to(data.path.parent) else path.name


@cached(entries=8)
def _all_drawn(data: DataSet, wanted: tuple[Picture, ...], is_clear: bool) -> tuple[NDArray[np.uint8], tuple[str, ...]]:  # noqa: ARG001
    shown = [_drawn(Path(file), places, is_clear=is_clear) for file, places in wanted]
    return np.stack([image for image, _ in shown]), tuple(why for _, why in shown)


def _drawn(file: Path, places: tuple[float, ...], side: int = SIDE, *, is_clear: bool) -> tuple[NDArray[np.uint8], str]:
    """Where it is not to be clear the picture is pixelated, and what is known of the face drawn over that."""
    ground = Image.new("RGB", (side, side), (128, 128, 128))
    if is_video(file):
        return np.asarray(ground), "a video"
    try:
        whole = images.eight_bits(images.picture(file)).convert("RGB")
    except images.UnreadableImageError as error:
        return np.asarray(ground), str(error)
    scale = side / max(whole.size)
    small = whole.resize(
        (max(1, round(whole.width * scale)), max(1, round(whole.height * scale))), Image.Resampling.BOX
    )
    if not is_clear:
        small = Image.fromarray(faces.hidden(np.asarray(small)[np.newaxis])[0])
    at = ((side - small.width) // 2, (side - small.height) // 2)
    ground.paste(small, at)
    _draw_places(ImageDraw.Draw(ground), np.array(places, np.float64) * scale, at)
    return np.asarray(ground), ""


def _draw_places(pen: ImageDraw.ImageDraw, places: NDArray[np.float64], at: tuple[int, int]) -> None:
    if len(places) < len(PLACES):
        return
    x, y, width, height = places[:4].tolist()
    if not np.isnan(places[:4]).any() and width > 0 and height > 0:
        corners = (at[0] + x, at[1] + y, at[0] + x + width, at[1] + y + height)
        pen.rectangle(corners, outline=BOX_COLOUR, width=2)
    for eye_x, eye_y in places[4:].reshape(2, 2).tolist():
        if not np.isnan([eye_x, eye_y]).any():
            centre = (at[0] + eye_x, at[1] + eye_y)
            pen.ellipse((centre[0] - 2, centre[1] - 2, centre[0] + 2, centre[1] + 2), fill=EYE_COLOUR)


def _places(rows: pd.DataFrame) -> list[tuple[float, ...]]:
    return [tuple(row) for row in rows.reindex(columns=list(PLACES)).to_numpy(np.float64).tolist()]


def show(data: DataSet, pick: Pick) -> None:
    table, rows = picks.rows_of(data, pick)
    if not identity.may(Right.PICTURES, None):
        st.caption(f"The images are for the role {role_with(Right.PICTURES)}, on all Runs.")
        return
    if not len(rows):
        st.caption(_nothing(pick))
        return
    holder = st.container()
    key = f"{picks.PAGE_KEY}_of_{math.ceil(len(rows) / PER_PAGE)}"
    page, _, _ = component.page_bar(rows, PER_PAGE, key=key)
    st.caption(escaped(f"Shown: {pick.words}; box blue, eyes orange"))
    with holder:
        _show_page(data, table.iloc[page], is_left=pick.is_left)


def _nothing(pick: Pick) -> str:
    if pick.left is None:
        return "No image is here."
    return (
        f"{pick.n:,} left. Which they are is in the list beside the manifest of that step, which is not on this "
        "machine or says nothing of them."
    )


def _show_page(data: DataSet, rows: pd.DataFrame, *, is_left: bool) -> None:
    has_source = CUT_FROM in rows and bool((rows[CUT_FROM].astype("str").fillna("") != "").any())
    if is_left:
        files = rows["file"].astype("str").tolist()
        cards = [
            Card(f"{at}~{name}", [str(name)], group=_detail(str(reason)), colour=NEUTRAL)
            for at, (name, reason) in enumerate(zip(rows["name"], rows["reason"], strict=True))
        ]
        panels = [_panel(data, "picture", files, _places(rows), cards)]
    else:
        cards = _cards(rows)
        crops = [str(data.path.parent / path) for path in rows["path"]]
        if has_source:
            whole = [str(data.path.parent / path) for path in rows[CUT_FROM]]
            panels = [_panel(data, "picture", whole, _places(rows), cards)]
            panels.append(_panel(data, "crop", crops, [()] * len(crops), cards))
        else:
            panels = [_panel(data, "picture", crops, _places(rows), cards)]
    chosen = component.gallery(cards, panels, key="data_sheet", size=SIZE if len(panels) > 1 else LARGE)
    if chosen is not None:
        at = [card.sample_id for card in cards].index(chosen)
        file = files[at] if is_left else str(data.path.parent / rows[CUT_FROM if has_source else "path"].iloc[at])
        _enlarged(data, file, _places(rows)[at], rows.iloc[at])


@st.dialog("One picture", width="large")
def _enlarged(data: DataSet, file: str, places: tuple[float, ...], row: pd.Series) -> None:
    """The whole picture, and what is known of it."""
    is_clear = faces.sight(None).shows_clear(lambda: [named(data, file)])
    image, why = _drawn(Path(file), places, SIDE_OF_ONE, is_clear=is_clear)
    if why:
        st.caption(escaped(why))
    else:
        st.image(image, width=SIDE_OF_ONE)
    known = {str(name): str(value) for name, value in row.items() if name not in ("file", "path", CUT_FROM, *PLACES)}
    for name, value in known.items():
        if value not in ("", "nan"):
            st.caption(f"{escaped(readable(name))}: {escaped(value)}")


def _detail(reason: str) -> str:
    """What a reason says beyond its kind, which is chosen above."""
    return reason.partition(": ")[2] or reason


def _cards(rows: pd.DataFrame) -> list[Card]:
    cards = []
    for kind, subset, sample in zip(kinds_of(rows), rows["subset"].astype("str"), rows["sample_id"], strict=True):
        style = style_of("live" if kind == "bona fide" else str(kind))
        words = f"{readable(str(kind))}, {readable(subset)}"
        cards.append(Card(str(sample), [str(sample)], group=words, colour=style.colour))
    return cards


def _panel(data: DataSet, name: str, files: list[str], places: list[tuple[float, ...]], cards: list[Card]) -> Panel:
    wanted = tuple((file, place) for file, place in zip(files, places, strict=True))
    images_of, why = drawn(data, wanted)
    missing = [reason for reason in why if reason]
    if missing:
        n = len(missing)
        st.caption(escaped(f"{n} of these {len(cards)} cannot be shown as a {name}: {missing[0]}."))
    return component.picture(name, images_of)
