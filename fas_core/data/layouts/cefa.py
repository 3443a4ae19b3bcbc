"""CASIA-SURF CeFA (2020): 1,607 people of three ethnicities in colour, depth and near infrared; five species.

AF/AF-000-<card>/1_000_1_1_1/color/0001.jpg      ethnicity_person_device_session_kind; CA/ (2), EA/ (3); depth/, ir/
                                                 kind 1 bona fide, 2 cloth print, 3 photo, 4 screen
3D-Mask/073/1_073_1_0_2_1_2/ir/0001.jpg          1_person_wig_glasses_device_session_light: other people
Silicone-Mask/001/2_001_1_1_2_1_3/depth/         the same with 2
protocol/CASIA_CeFA@p1.1_video_train.txt         also _image_, _dev, _test
train/1_000_1_1_1/profile/0001.jpg               the challenge of 2020; dev/000001/, test/: numbers for names
4@1_train.txt, 4@1_dev_ref.txt                   its lists: a clip or image, its label

Needs the lists for its protocols (1.1, 1.3, 1.5: ethnicity; 2.1, 2.2: species; 3: modality; 4.1, 4.3, 4.5: ethnicity
and species; 4@1 to 4@3: the challenge) and for the labels of the challenge's clips without names, where the names in a
training list tell which number is bona fide. A person's folder may end in an identity card's number, which says age and
sex: no id has it, but paths do.
Source: Liu et al., CASIA-SURF CeFA, WACV 2021; names and lists as its repository (liuajian/CASIA-FAS-Dataset) has them.
"""

from __future__ import annotations

import pandas as pd

from fas_core.data.released import DataSet, Files, Names, Protocol, keys, listed_labels

_KINDS = {"1": ("", ""), "2": ("cloth", "cloth print"), "3": ("paper", "photo"), "4": ("replay", "screen")}
_MODALITIES = {"color": "rgb", "profile": "rgb", "depth": "depth", "ir": "nir"}
_ETHNICITIES = {"1": "AF", "2": "CA", "3": "EA"}
_DEVICES = {"1": "rssdk", "2": "mp4", "3": "bag", "4": "MOV"}
_MASKS = {"1": ("mask", "3D-Mask"), "2": ("silicone", "Silicone-Mask")}
_MASK_DEVICES = {"1": "camera", "2": "D435i"}
_LIGHTS = {"1": "none", "2": "back", "3": "along", "4": "side"}


def _columns(names: Names) -> dict[str, str] | str:
    modality = _MODALITIES.get(names["modality"], "")
    if names["number"]:
        return {"label": "", "modality": modality}
    if names["mask"]:
        species, folder = _MASKS[names["mask"]]
        if (names["mask_folder"], names["mask_owner"]) != (folder.lower(), names["mask_person"]):
            return "in another folder than its name says"
        return {
            "pai_species": species,
            "subject_id": f"{folder}-{names['mask_person']}",
            "session_id": names["mask_session"],
            "device": _MASK_DEVICES[names["mask_device"]],
            "light": _LIGHTS[names["light"]],
            "glasses": "yes" if names["glasses"] == "1" else "no",
            "modality": modality,
        }
    ethnicity = _ETHNICITIES[names["ethnicity"]]
    if names["owner"] and (names["folder"], names["owner"]) != (ethnicity.lower(), names["person"]):
        return "in the folder of another person than its name says"
    species, instrument = _KINDS[names["kind"]]
    return {
        "pai_species": species,
        "instrument": instrument,
        "subject_id": f"{ethnicity}-{names['person']}",
        "session_id": names["session"],
        "device": _DEVICES[names["device"]],
        "modality": modality,
        "ethnicity": ethnicity,
    }


def _protocol(number: str, says: str) -> Protocol:
    return Protocol(says, {part: (f"CASIA_CeFA@p{number}_*_{part}.txt",) for part in ("train", "dev", "test")})


def _with_labels(files: Files, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Labels of the challenge's clips without names."""
    is_open = rows["label"] == ""
    if not is_open.any():
        return rows, []
    label_of, _ = listed_labels(SET, files.named("4@*.txt"))
    labels = keys(SET, rows).map(lambda key: label_of.get(key, ""))
    return rows.assign(label=rows["label"].where(~is_open, labels)), []


_OWNER = r"(?:(?P<folder>af|ca|ea)/(?P=folder)-(?P<owner>\d{3})(?P<private>-\w+)?/)?"
_PERSON = r"(?P<ethnicity>[123])_(?P<person>\d{3})_(?P<device>[1-4])_(?P<session>[123])_(?P<kind>[1-4])"
_MASK_OWNER = r"(?:(?P<mask_folder>3d-mask|silicone-mask)/(?P<mask_owner>\d{3})/)"
_MASK = (
    r"(?P<mask>[12])_(?P<mask_person>\d{3})_(?P<wig>[01])_(?P<glasses>[01])_(?P<mask_device>[12])_"
    r"(?P<mask_session>[12])_(?P<light>[1-4])"
)
_NUMBER = r"(?P<part>dev|test)/(?P<number>\d{6})"
SET = DataSet(
    title="CASIA-SURF CeFA",
    clips=rf"(?:{_OWNER}{_PERSON}|{_MASK_OWNER}{_MASK}|{_NUMBER})/(?P<modality>color|profile|depth|ir)",
    entry=rf"(?:{_PERSON}|{_MASK}|{_NUMBER})(?:/(?:color|profile|depth|ir))?",
    completed=_with_labels,
    columns=_columns,
    published={"": (1500, 6346)},
    protocols={
        **{f"1.{n}": _protocol(f"1.{n}", f"trained on {name} alone") for n, name in ((1, "AF"), (3, "CA"), (5, "EA"))},
        "2.1": _protocol("2.1", "trained on cloth, tested on screens and masks"),
        "2.2": _protocol("2.2", "trained on screens, tested on cloth and masks"),
        "3": _protocol("3", "across modalities: keep one by --modality"),
        **{
            f"4.{n}": _protocol(f"4.{n}", f"trained on screens of {name} alone")
            for n, name in ((1, "AF"), (3, "CA"), (5, "EA"))
        },
        **{
            f"4@{n}": Protocol(
                "the challenge of 2020", {part: (f"4@{n}_{part}*.txt",) for part in ("train", "dev", "test")}
            )
            for n in (1, 2, 3)
        },
    },
)
