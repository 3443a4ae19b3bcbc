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

import pandas as pd

from fas_core.data.names import ATTACK
from fas_core.data.released import DataSet, Files, Names, Protocol, keys, listed_labels

_CUTS = {"e": "eyes cut", "en": "eyes and nose cut", "enm": "eyes, nose and mouth cut"}
_BENDS = {"s": "still", "b": "bent"}
_MODALITIES = {"color": "rgb", "depth": "depth", "ir": "nir"}
_BONA_FIDE = "1"  # in the set's own lists, where train_list.txt does not tell


def _columns(names: Names) -> dict[str, str] | str:
    modality = _MODALITIES.get(names["modality"], "")
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
    names = ("train_list.txt", "val_private_list.txt", "test_private_list.txt")
    label_of, told = listed_labels(SET, [path for name in names for path in files.named(name)], _BONA_FIDE)
    labels = keys(SET, rows).map(lambda key: label_of.get(key, ""))
    species = rows["pai_species"].where(~is_open | (labels != ATTACK), "cutout")
    untold = [f"No train_list.txt tells what numbers mean: {_BONA_FIDE} is bona fide, as in the release."]
    return rows.assign(label=rows["label"].where(~is_open, labels), pai_species=species), [] if told else untold


_PLACE = (
    r"(?P<part>training|val|testing)/(?:(?P<class>real|fake)_part/(?P<person>[a-z]+_[a-z]+\d+)/"
    r"(?:real|\d\d_(?P<cut>enm|en|e)_(?P<bend>s|b))\.rssdk/|(?P<place>\d{4})/(?P<number>\d+)-)"
)

SET = DataSet(
    title="CASIA-SURF",
    clips=_PLACE + r"(?P<modality>color|depth|ir)",
    entry=_PLACE + r"(?:color|depth|ir)",
    columns=_columns,
    published={"train": (8942, 20324), "dev": (2994, 6614), "test": (17458, 40252)},
    protocols={"1": Protocol("the set's parts", rule=lambda row: row["subset"])},
    unit="images",
    completed=_with_labels,
)
