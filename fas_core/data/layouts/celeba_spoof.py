"""CelebA-Spoof (2020): 625,537 stills of 10,177 people; ten types of attacks, four lights, two environments.

Data/train/6041/live/000184.png                  also .jpg; Data/test/<person>/spoof/<number>.png: other people
Data/train/6041/live/000184_BB.txt               x y width height score of the face, in an image of 224 by 224
metas/intra_test/train_label.json                {"Data/train/6041/live/000184.png": [40 attributes of the face, type,
metas/protocol1/                                 light, environment, spoof]}, and test_label.json
metas/protocol2/test_on_low_quality_device/      also middle and high

Needs the lists for the species and the protocols (intra, 1, 2.low, 2.middle, 2.high); folders say what is bona fide.
Its images are stills: no video_id. The set has no dev part.
Source: Zhang et al., CelebA-Spoof, ECCV 2020; the table of types, the lists and the boxes in its repository.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from PIL import Image

from fas_core.data.boxes import BOX, within
from fas_core.data.names import ATTACK
from fas_core.data.released import DataSet, Files, Names, Protocol, entries, keys
from fas_core.files import opened_file

_TYPES = {  # of the list's 41st number
    1: ("paper", "photo"),
    2: ("paper", "poster"),
    3: ("paper", "A4"),
    4: ("cutout", "face mask"),
    5: ("cutout", "upper body mask"),
    6: ("cutout", "region mask"),
    7: ("replay", "PC"),
    8: ("replay", "tablet"),
    9: ("replay", "phone"),
    10: ("mask", "3D mask"),
}
_LIGHTS = {1: "normal", 2: "strong", 3: "back", 4: "dark"}
_ENVIRONMENTS = {1: "indoor", 2: "outdoor"}
_FACE_ATTRIBUTES = 40  # numbers of a list's line before those that are read here
_SIDE = 224  # of the image that boxes are given in, whatever the file's size


class _Told(NamedTuple):
    """What a list says of an image, in numbers."""

    type: int
    light: int
    environment: int
    spoof: int


def _told(cells: Sequence[str]) -> _Told | None:
    """None for a line that has not as many whole numbers."""
    numbers = cells[_FACE_ATTRIBUTES : _FACE_ATTRIBUTES + len(_Told._fields)]
    is_whole = len(numbers) == len(_Told._fields) and all(re.fullmatch(r"\d{1,3}", cell) for cell in numbers)
    return _Told(*map(int, numbers)) if is_whole else None


def _columns(names: Names) -> dict[str, str]:
    return {"subject_id": names["person"], "label": ATTACK if names["class"] == "spoof" else "bona_fide"}


def _protocol(folder: str, says: str) -> Protocol:
    return Protocol(says, {part: (f"metas/{folder}/{part}_label.json",) for part in ("train", "test")})


def _completed(files: Files, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    rows, notes = _with_attributes(files, rows)
    return _with_boxes(files, rows, notes)


def _with_attributes(files: Files, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    told: dict[tuple[str, ...], _Told] = {}
    n_unread = 0
    for key, _, cells in itertools.chain.from_iterable(entries(SET, path) for path in files.named("*_label.json")):
        values = _told(cells)
        if values is None:
            n_unread += 1
        else:
            told[key] = values
    of_rows = [told.get(key) for key in keys(SET, rows)]
    kinds = [_TYPES.get(values.type, ("", "")) if values else ("", "") for values in of_rows]
    is_attack = rows["label"] == ATTACK
    rows = rows.assign(
        pai_species=pd.Series([kind[0] for kind in kinds], rows.index).where(is_attack, ""),
        instrument=pd.Series([kind[1] for kind in kinds], rows.index).where(is_attack, ""),
        light=[_LIGHTS.get(values.light, "") if values else "" for values in of_rows],
        environment=[_ENVIRONMENTS.get(values.environment, "") if values else "" for values in of_rows],
    )
    says_attack = pd.Series([bool(values and values.spoof) for values in of_rows], rows.index)
    is_told = pd.Series([values is not None for values in of_rows], rows.index)
    notes = []
    if n_unread:
        expected = _FACE_ATTRIBUTES + len(_Told._fields)
        notes.append(f"{n_unread} images have not {expected} whole numbers in the set's lists, which are passed over.")
    if n := int((is_told & (says_attack != is_attack)).sum()):
        notes.append(
            f"{n} images are bona fide by their folder and not by their list, or the other way round: folders count."
        )
    if n := int((is_attack & (rows["pai_species"] == "")).sum()):
        notes.append(f"{n} attacks are of no known species: the set's lists (metas/) do not tell their type.")
    return rows, notes


def _with_boxes(files: Files, rows: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    def box(sample: str, path: str) -> tuple[float, ...] | str | None:
        beside = files.at(f"{sample.rsplit('.', 1)[0]}_BB.txt")
        if beside is None:
            return None
        try:
            with opened_file(beside) as file:
                x, y, width, height = (float(cell) for cell in file.read(1000).split()[:4])
            if not all(map(math.isfinite, (x, y, width, height))):
                return "unread"
            with Image.open(Path(path)) as image:
                across, down = image.width / _SIDE, image.height / _SIDE
                return within((x * across, y * down, width * across, height * down), *image.size) or "outside"
        except (OSError, ValueError):
            return "unread"

    with ThreadPoolExecutor() as pool:
        boxes = list(pool.map(box, rows["sample_id"], rows["path"]))
    if any(isinstance(place, tuple) for place in boxes):
        for position, name in enumerate(BOX):
            rows[name] = [f"{place[position]:g}" if isinstance(place, tuple) else "" for place in boxes]
    for what, why in (("outside", "lie outside their image"), ("unread", "cannot be read")):
        if n := boxes.count(what):
            notes.append(f"{n} boxes {why} and are left out.")
    return rows, notes


SET = DataSet(
    title="CelebA-Spoof",
    clips=r"(?:data/)?(?P<part>train|test)/(?P<person>\d+)/(?P<class>live|spoof)/(?P<number>\d+)",
    telltale=r"(?:.*/)?data/(?:train|test)/\d+/(?:live|spoof)/\d+\.\w+",
    columns=_columns,
    published={"": (625537,)},
    protocols={
        "intra": _protocol("intra_test", "people of training and test"),
        "1": _protocol("protocol1", "the first across domains"),
        **{
            f"2.{quality}": _protocol(f"protocol2/test_on_{quality}_quality_device", f"tested on {quality} quality")
            for quality in ("low", "middle", "high")
        },
    },
    unit="images",
    completed=_completed,
)
