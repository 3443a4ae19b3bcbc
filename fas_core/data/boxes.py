"""Where the face and its eyes are in each frame, as data sets publish it in files of their own beside their videos.

A manifest names such a file in the column `boxes`, relative to the manifest; `filled` looks up the frames of its rows.
What a file holds is told by its lines, one per frame:

    frame x y width height                               blanks: Replay-Attack, Replay-Mobile, CASIA-FASD (by bob)
    left top right bottom                                blanks: SiW, the line's number is the frame, zeros are no face
    frame, x, y, x, y                                    commas: OULU-NPU, the two eyes, zeros are no face
    frame, left, top, right, bottom, x, y, x, y          commas: MSU-MFSD, the box and the two eyes

Frames count from 0, pixels from the top left corner. Sets do not say whether these are pixels of a video's picture as
it is stored, or as a player shows it where its file has it turned or stretched: `as_shown` finds out. Whose left eye is
meant differs between sets: here `right_eye` is the person's own right eye, which is left of the other one in an image
that is not mirrored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data import images
from fas_core.data.decoding import Display
from fas_core.data.manifest import BOXES, Manifest
from fas_core.errors import BadInputError
from fas_core.files import opened_file
from fas_core.texts import read_numbers

BOX = ("box_x", "box_y", "box_width", "box_height")
EYES = ("right_eye_x", "right_eye_y", "left_eye_x", "left_eye_y")
PLACES = BOX + EYES
Floats = NDArray[np.float64]
LARGEST = 64 * 2**20  # bytes that are read of a file: days of video


def read(path: Path) -> pd.DataFrame:
    """One row per frame that has a face: `frame` (its index from 0, int), `PLACES`, NaN where the file says nothing.

    `is_turned`: whether the file names the eye first that is further right. Boxes without area are no faces. Raises
    BadInputError for lines that are of none of the kinds above.
    """
    try:
        with opened_file(path) as file:
            lines = file.read(LARGEST).decode(errors="replace").splitlines()
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}.") from error
    numbered = [(row, line) for row, line in enumerate(lines) if line.strip()]
    has_commas = any("," in line for _, line in numbered)
    try:
        cells = [[float(cell) for cell in line.split("," if has_commas else None)] for _, line in numbered]
        values = np.array(cells, np.float64).reshape(len(cells), len(cells[0]) if cells else 5)
        if not np.isfinite(values).all():
            raise ValueError("no number")
    except ValueError:
        raise BadInputError(f"{path}: expected a line of numbers per frame, all of one length.") from None
    rows = np.array([row for row, _ in numbered], np.float64)
    kind = (values.shape[1], has_commas)
    if kind == (5, False):
        table = _table(values[:, 0], values[:, 1:])
    elif kind == (4, False):
        table = _table(rows, _box_of_corners(values))
    elif kind == (5, True):
        table = _table(values[:, 0], None, values[:, 1:])
    elif kind == (9, True):
        table = _table(values[:, 0], _box_of_corners(values[:, 1:5]), values[:, 5:])
    else:
        mark = "commas" if has_commas else "blanks"
        raise BadInputError(f"{path}: {values.shape[1]} numbers a line, separated by {mark}, are no boxes known here.")
    return table[table[list(PLACES)].notna().any(axis=1)].reset_index(drop=True)


def _table(
    frames: NDArray[np.float64], boxes: NDArray[np.float64] | None, eyes: NDArray[np.float64] | None = None
) -> pd.DataFrame:
    table = pd.DataFrame(np.nan, index=range(len(frames)), columns=list(PLACES))
    if boxes is not None:
        table[list(BOX)] = np.where((boxes[:, 2:] > 0).all(axis=1, keepdims=True), boxes, np.nan)
    if eyes is not None:
        table[list(EYES)] = np.where(eyes.any(axis=1, keepdims=True), in_order(eyes), np.nan)
    table["is_turned"] = False if eyes is None else eyes[:, 0] > eyes[:, 2]
    table.insert(0, "frame", frames.astype(np.int64))
    return table


def _box_of_corners(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])


def in_order(eyes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) x, y of two eyes, the one that is further left in the image first: the person's right eye."""
    is_turned = eyes[:, :1] > eyes[:, 2:3]
    return np.where(is_turned, np.roll(eyes, 2, axis=1), eyes)


def within(box: Sequence[float], width: int, height: int) -> tuple[float, ...] | None:
    """x, y, width, height of the part of a box that lies in the frame; None where no pixel of it does."""
    left, top = max(0.0, box[0]), max(0.0, box[1])
    right, bottom = min(float(width), box[0] + box[2]), min(float(height), box[1] + box[3])
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


SHOWN, STORED = "shown", "stored"  # what the pixels of boxes are of
LOOKED_AT = 3  # frames of a video in which faces are looked for
NEAR, APART = 0.6, 0.15  # sides of a face: how far what is told of it may be off, and how much less than the other way


def require_known(boxes_are: str) -> None:
    """Raises BadInputError for what boxes cannot be said to be."""
    if boxes_are not in ("", SHOWN, STORED):
        raise BadInputError(f"--boxes {boxes_are}: pixels are those of the picture as {SHOWN}, or as {STORED}.")


def as_shown(
    places: pd.DataFrame, display: Display, boxes_are: str = "", seen: Callable[[], Mapping[int, Floats]] | None = None
) -> tuple[pd.DataFrame, str]:
    """`PLACES` (n rows, by frame) of a video's file of boxes as those of its pictures as shown; and what they were
    taken for.

    `boxes_are`: what somebody knows of them, "" where nobody does. Then the eyes tell it of a picture that is turned by
    a quarter: they lie beside each other as shown. Else it is what the middles of faces lie within, where that is one
    of both. Else where a detector has `seen` faces, (4,) each, in some frames as shown. Else they are taken for those
    of the picture as shown, and "unclear" is told.
    """
    told = places[list(PLACES)].to_numpy(np.float64)
    if display.is_as_stored:
        return places, SHOWN
    kind = boxes_are or _told_by_eyes(told[:, 4:], display) or _told_by_edges(told, display)
    if not kind and seen is not None:
        kind = _told_by_faces(places, display, seen())
    if kind != STORED:
        return places, kind or "unclear"
    first, second = display.points(told[:, 0:2]), display.points(told[:, 0:2] + told[:, 2:4])
    corner = np.minimum(first, second)
    eyes = in_order(np.hstack([display.points(told[:, 4:6]), display.points(told[:, 6:8])]))
    turned = np.hstack([corner, np.maximum(first, second) - corner, eyes])
    return places.assign(**dict(zip(PLACES, turned.T, strict=True))), STORED


def _told_by_eyes(eyes: NDArray[np.float64], display: Display) -> str:
    across, down = np.abs(eyes[:, 2:] - eyes[:, :2]).T
    n = int((~np.isnan(across)).sum())
    if not display.is_transposed or not n:
        return ""
    return STORED if 2 * int((down > across).sum()) > n else SHOWN


def _told_by_edges(told: NDArray[np.float64], display: Display) -> str:
    middles = np.vstack([told[:, 0:2] + told[:, 2:4] / 2, told[:, 4:6], told[:, 6:8]])
    middles = middles[~np.isnan(middles).any(1)]
    fits_shown, fits_stored = (
        bool((middles <= size).all()) for size in (display.size, (display.width, display.height))
    )
    return "" if fits_shown == fits_stored else SHOWN if fits_shown else STORED


def _told_by_faces(places: pd.DataFrame, display: Display, seen: Mapping[int, Floats]) -> str:
    distances = []  # of what is told from the face that is seen, in its sides: as shown, as stored
    for number, face in seen.items():
        if number in places.index:
            told = places.loc[number, list(PLACES)].to_numpy(np.float64)
            middle = told[:2] + told[2:4] / 2 if not np.isnan(told[:4]).any() else (told[4:6] + told[6:8]) / 2
            both = np.vstack([middle, display.points(middle[None])])
            distances.append(np.linalg.norm(both - (face[:2] + face[2:] / 2), axis=1) / max(face[2:]))
    shown, stored = np.mean(distances, axis=0) if distances else (np.nan, np.nan)
    if not abs(shown - stored) > APART or min(shown, stored) > NEAR:
        return ""
    return SHOWN if shown < stored else STORED


def _seen(pictures: Mapping[int, Path]) -> dict[int, Floats]:
    """The boxes of the one face that a detector sees in some of the pictures of a video, by frame."""
    from fas_core.data.faces import cutting

    if not cutting.detectors():
        return {}
    boxes = {}
    for number, path in list(pictures.items())[:: max(1, len(pictures) // LOOKED_AT)][:LOOKED_AT]:
        with suppress(images.UnreadableImageError, cutting.NoFace):
            boxes[number] = cutting.chosen(images.eight_bits(images.picture(path)))[0].box
    return boxes


def filled(
    manifest: Manifest, displays: Mapping[str, Display] | None = None, boxes_are: str = ""
) -> tuple[pd.DataFrame, list[str]]:
    """The manifest's rows with `PLACES` of the frames that its files of boxes tell of; and sentences on the rest.

    A row needs `frame`. What a row says itself stays. `displays`: how the video of a file of boxes is shown;
    `boxes_are` as in `as_shown`.
    """
    rows = manifest.rows.copy()
    if BOXES not in rows:
        return rows, []
    for name in PLACES:
        rows[name] = read_numbers(rows[name].astype("str").fillna("")) if name in rows else np.nan
    missing: list[str] = []
    taken_for: Counter[str] = Counter()
    n_without = n_turned = n_eyes = 0
    for name, of_file in rows[(rows[BOXES].fillna("") != "") & rows["frame"].notna()].groupby(BOXES):
        try:
            places = read(manifest.root / str(name)).drop_duplicates("frame").set_index("frame")
        except BadInputError as error:
            missing.append(str(error))
            continue
        if display := (displays or {}).get(str(name)):
            paths = {int(n): manifest.root / p for n, p in zip(of_file["frame"], of_file["path"], strict=True)}
            places, kind = as_shown(places, display, boxes_are, partial(_seen, paths))
            taken_for[kind] += 1
        told = places[list(PLACES)].reindex(of_file["frame"].astype(np.int64)).set_index(of_file.index)
        of_rows = places.loc[places.index.isin(of_file["frame"]) & places[EYES[0]].notna(), "is_turned"]
        n_turned, n_eyes = n_turned + int(of_rows.sum()), n_eyes + len(of_rows)
        n_without += int(told.isna().all(axis=1).sum())
        rows.loc[of_file.index, list(PLACES)] = rows.loc[of_file.index, list(PLACES)].fillna(told)
    notes = [f"{n_without} frames have no face in the set's own boxes."] if n_without else []
    if n_other := min(n_turned, n_eyes - n_turned):
        notes.append(
            f"The eyes of {n_other} of {n_eyes} frames are named the other way round than the rest: the right eye is "
            "the one further left in every image."
        )
    if n := taken_for[STORED]:
        notes.append(f"The boxes of {n} turned videos are in pixels of the stored picture, and were turned with it.")
    if n := taken_for["unclear"]:
        notes.append(
            f"{n} videos are shown otherwise than stored, and their boxes would fit either: taken for those of the "
            f"picture as {SHOWN}. Look at some on the page Data; --boxes {STORED} says otherwise."
        )
    if missing:
        notes.append(f"{len(missing)} files of boxes were left out: {missing[0]}")
    return rows, notes
