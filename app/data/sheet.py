"""The contact sheet: crops beside the pictures that they were cut out of, with boxes and eyes; nothing of it is kept on
disk."""

from __future__ import annotations

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

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
from fas_core.data import boxes, decoding, images
from fas_core.data.acceptance import PLACES, kinds_of
from fas_core.data.manifest import BOXES, CUT_FROM
from fas_core.data.names import readable
from fas_core.data.videos import is_video
from fas_core.errors import BadInputError
from fas_core.reports.palette import NEUTRAL, style_of

SIDE, SIDE_OF_ONE = 160, 560  # pixels of a picture of the sheet, and alone
SIZE, LARGE = 66, 104  # on the screen, beside another picture and alone
PER_PAGE = 24
BOX_COLOUR, EYE_COLOUR = (0, 220, 255), (255, 90, 0)


class Picture(NamedTuple):
    """A file, and what is known of the face in it: PLACES, or the set's file of boxes by frame."""

    file: str
    places: tuple[float, ...] = ()
    boxes: str = ""


def drawn(data: DataSet, wanted: tuple[Picture, ...]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """(n, SIDE, SIDE, 3) pictures as they may be seen, with what is known of the face drawn in, and why one is not
    there, "" where it is.

    Of a video its first frame that can be read.
    """
    sight = faces.sight(None)
    is_clear = sight.shows_clear(lambda: [named(data, picture.file) for picture in wanted])
    return _all_drawn(data, wanted, is_clear)


def named(data: DataSet, file: str) -> str:
    """What a picture is called: its path from the manifest's folder, where it is in there."""
    path = Path(file)
    return str(path.relative_to(data.path.parent)) if path.is_relative_to(data.path.parent) else path.name


@cached(entries=8, spinner="Reading pictures …")
def _all_drawn(data: DataSet, wanted: tuple[Picture, ...], is_clear: bool) -> tuple[NDArray[np.uint8], tuple[str, ...]]:  # noqa: ARG001
    with ThreadPoolExecutor() as pool:
        shown = list(pool.map(partial(_drawn, is_clear=is_clear), wanted))
    return np.stack([image for image, _ in shown]), tuple(why for _, why in shown)


def _whole(picture: Picture) -> tuple[Image.Image, tuple[float, ...]]:
    """RGB, and the places in it. Raises UnreadableImageError or BadInputError with the reason."""
    file = Path(picture.file)
    if not is_video(file):
        return images.eight_bits(images.picture(file)).convert("RGB"), picture.places
    whole, number, display = decoding.first_picture(file)
    if picture.boxes and np.isnan(picture.places).all():
        with suppress(BadInputError):
            places, _ = boxes.as_shown(boxes.read(Path(picture.boxes)), display)
            of_frame = places.loc[places["frame"] == number, list(PLACES)].to_numpy(np.float64)
            return whole, tuple(of_frame[0].tolist()) if len(of_frame) else ()
    return whole, picture.places


def _drawn(picture: Picture, side: int = SIDE, *, is_clear: bool) -> tuple[NDArray[np.uint8], str]:
    """Where it is not to be clear the picture is pixelated, and what is known of the face drawn over that."""
    ground = Image.new("RGB", (side, side), (128, 128, 128))
    try:
        whole, places = _whole(picture)
    except (images.UnreadableImageError, BadInputError) as error:
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


def _pictures(data: DataSet, rows: pd.DataFrame, column: str) -> list[Picture]:
    """The whole pictures that rows of a manifest name in a column."""
    folder = data.path.parent
    of_sets = rows[BOXES].astype("str").fillna("") if BOXES in rows else [""] * len(rows)
    return [
        Picture(str(folder / path), places, str(folder / of_set) if of_set else "")
        for path, places, of_set in zip(rows[column], _places(rows), of_sets, strict=True)
    ]


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
        pictures = [Picture(file, places) for file, places in zip(files, _places(rows), strict=True)]
        panels = [_panel(data, "picture", pictures, cards)]
    else:
        cards = _cards(rows)
        pictures = _pictures(data, rows, CUT_FROM if has_source else "path")
        panels = [_panel(data, "picture", pictures, cards)]
        if has_source:
            crops = [Picture(str(data.path.parent / path)) for path in rows["path"]]
            panels.append(_panel(data, "crop", crops, cards))
    chosen = component.gallery(cards, panels, key="data_sheet", size=SIZE if len(panels) > 1 else LARGE)
    if chosen is not None:
        at = [card.sample_id for card in cards].index(chosen)
        _enlarged(data, pictures[at], rows.iloc[at])


@st.dialog("One picture", width="large")
def _enlarged(data: DataSet, picture: Picture, row: pd.Series) -> None:
    """The whole picture, and what is known of it."""
    is_clear = faces.sight(None).shows_clear(lambda: [named(data, picture.file)])
    image, why = _drawn(picture, SIDE_OF_ONE, is_clear=is_clear)
    if why:
        st.caption(escaped(why))
    else:
        st.image(image, width=SIDE_OF_ONE)
    known = {
        str(name): str(value) for name, value in row.items() if name not in ("file", "path", CUT_FROM, BOXES, *PLACES)
    }
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


def _panel(data: DataSet, name: str, pictures: list[Picture], cards: list[Card]) -> Panel:
    images_of, why = drawn(data, tuple(pictures))
    if missing := Counter(reason for reason in why if reason):
        reasons = "; ".join(f"{reason} ({n})" if len(missing) > 1 else reason for reason, n in missing.most_common(4))
        st.caption(escaped(f"{missing.total()} of these {len(cards)} cannot be shown as a {name}: {reasons}."))
    return component.picture(name, images_of)
