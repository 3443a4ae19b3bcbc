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

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image

from fas_core.data.boxes import BOX, within
from fas_core.data.names import ATTACK
from fas_core.data.released import DataSet, Files, Names, Protocol, entries, keys

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
_LIGHTS = ("", "normal", "strong", "back", "dark")
_ENVIRONMENTS = ("", "indoor", "outdoor")
_TYPE, _LIGHT, _ENVIRONMENT, _SPOOF = 40, 41, 42, 43  # places in a list's line
_SIDE = 224  # of the image that boxes are given in, whatever the file's size


def _columns(names: Names) -> dict[str, str]:
    return {"subject_id": names["person"], "label": ATTACK if names["class"] == "spoof" else "bona_fide"}


def _protocol(folder: str, says: str) -> Protocol:
    return Protocol(says, {part: (f"metas/{folder}/{part}_label.json",) for part in ("train", "test")})


def _completed(files: Files, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    rows, notes = _with_attributes(files, rows)
    return _with_boxes(files, rows, notes)


def _with_attributes(files: Files, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    told: dict[tuple[str, ...], list[int]] = {}
    for path in files.named("*_label.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        told |= {key: values[text] for key, text, _ in entries(SET, path) if len(values[text]) > _SPOOF}
    of_rows = [told.get(key) for key in keys(SET, rows)]
    kinds = [_TYPES.get(values[_TYPE], ("", "")) if values else ("", "") for values in of_rows]
    is_attack = rows["label"] == ATTACK
    rows = rows.assign(
        pai_species=pd.Series([kind[0] for kind in kinds], rows.index).where(is_attack, ""),
        instrument=pd.Series([kind[1] for kind in kinds], rows.index).where(is_attack, ""),
        light=[_LIGHTS[values[_LIGHT]] if values and values[_LIGHT] < len(_LIGHTS) else "" for values in of_rows],
        environment=[
            _ENVIRONMENTS[values[_ENVIRONMENT]] if values and values[_ENVIRONMENT] < len(_ENVIRONMENTS) else ""
            for values in of_rows
        ],
    )
    says_attack = pd.Series([bool(values and values[_SPOOF]) for values in of_rows], rows.index)
    is_told = pd.Series([values is not None for values in of_rows], rows.index)
    notes = []
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
            x, y, width, height = (float(cell) for cell in beside.read_text(encoding="utf-8").split()[:4])
            with Image.open(Path(path)) as image:
                across, down = image.width / _SIDE, image.height / _SIDE
                return within((x * across, y * down, width * across, height * down), *image.size) or "outside"
        except (OSError, ValueError):
            return "unread"

    with ThreadPoolExecutor() as pool:
        boxes = list(pool.map(box, rows["sample_id"], rows["path"]))
    if not any(isinstance(place, tuple) for place in boxes):
        return rows, notes
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
