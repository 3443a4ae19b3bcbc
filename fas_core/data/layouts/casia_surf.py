"""CASIA-SURF (2019): 1,000 people in colour, depth and near infrared; cut prints, flat and bent.

Training/real_part/CLKJ_AS0005/real.rssdk/color/0001.jpg           also depth/ and ir/; Val/, Testing/ alike
Training/fake_part/CLKJ_AS0110/04_en_b.rssdk/ir/0001.jpg           01 to 06: eyes, nose, mouth cut; still, bent
Val/0000/000000-color.jpg                                          Val and Testing as they were published first:
val_private_list.txt, test_private_list.txt, train_list.txt        color, depth and ir of an image, its label

Needs the private lists for the label of images without real_part/ or fake_part/ in their path, and nothing else; which
number means bona fide is told by train_list.txt, whose paths say it. Images of one instant share presentation_id and
frame. Training has the attacks 04 to 06, the other parts 01 to 03.
Source: Zhang et al., A Dataset and Benchmark for Large-scale Multi-modal Face Anti-spoofing, CVPR 2019; names as
bob.db.casiasurf and the set's repository (liuajian/CASIA-FAS-Dataset) have them.
"""

from __future__ import annotations

from collections import Counter

import pandas as pd

from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.data.released import DataSet, Files, Names, Protocol, entries, keys

_CUTS = {"e": "eyes cut", "en": "eyes and nose cut", "enm": "eyes, nose and mouth cut"}
_BENDS = {"s": "still", "b": "bent"}
_MODALITIES = {"color": "rgb", "depth": "depth", "ir": "nir"}
_BONA_FIDE = "1"  # in the set's own lists, where train_list.txt does not tell


def _columns(names: Names) -> dict[str, str] | str:
    modality = _MODALITIES[names["modality"]]
    if names["number"]:
        return {"label": "", "modality": modality}
    if (names["class"] == "fake") != bool(names["cut"]):
        return f"in {names['class']}_part/, but its folder's name says otherwise"
    return {
        "pai_species": "cutout" if names["cut"] else "",
        "instrument": f"{_CUTS[names['cut']]}, {_BENDS[names['bend']]}" if names["cut"] else "",
        "subject_id": names["person"].upper(),
        "modality": modality,
    }


def _with_labels(files: Files, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Labels of the images whose path says none, by the set's private lists."""
    is_open = rows["label"] == ""
    if not is_open.any():
        return rows, []
    number_of = {
        key[:-1]: cells[-1]  # without the modality: a line names one image of each
        for part in ("val", "test")
        for path in files.named(f"{part}_private_list.txt")
        for key, _, cells in entries(SET, path)
        if cells[-1] in ("0", "1")
    }
    numbers = keys(SET, rows).map(lambda key: number_of.get(key[:-1], ""))
    live, notes = _number_of_bona_fide(files)
    labels = numbers.map(lambda number: {"": "", live: BONA_FIDE}.get(number, ATTACK))
    species = rows["pai_species"].where(~is_open | (labels != ATTACK), "cutout")
    return rows.assign(label=rows["label"].where(~is_open, labels), pai_species=species), notes


def _number_of_bona_fide(files: Files) -> tuple[str, list[str]]:
    lines = [line for path in files.named("train_list.txt") for line in path.read_text("utf-8", "replace").splitlines()]
    of_live = Counter(line.split()[-1] for line in lines if "real_part" in line)
    if of_live:
        return of_live.most_common(1)[0][0], []
    return _BONA_FIDE, [f"No train_list.txt tells what numbers mean: {_BONA_FIDE} is bona fide, as in the release."]


SET = DataSet(
    title="CASIA-SURF",
    clips=(
        r"(?P<part>training|val|testing)/(?:(?P<class>real|fake)_part/(?P<person>[a-z]+_[a-z]+\d+)/"
        r"(?:real|\d\d_(?P<cut>enm|en|e)_(?P<bend>s|b))\.rssdk/|(?P<place>\d{4})/(?P<number>\d+)-)"
        r"(?P<modality>color|depth|ir)"
    ),
    columns=_columns,
    published={"train": (8942, 20324), "dev": (2994, 6614), "test": (17458, 40252)},
    protocols={"1": Protocol("the set's parts", rule=lambda row: row["subset"])},
    unit="images",
    completed=_with_labels,
)
