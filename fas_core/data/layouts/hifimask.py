"""CASIA-SURF HiFiMask (2021): 75 people, transparent, plaster and resin masks, six scenes, six lights, seven sensors.

Data/1_19_2_1_2_5/0000.png                        skin_person_type_scene_light_sensor: a folder of frames per video
Data/3_48_0_1_1_1/0001.png                        type 0 bona fide, 1 transparent, 2 plaster, 3 resin
protocol/CASIA_HiFiMask@p1_video_train.txt        also _image_, _dev, _test; p2.1 to p2.3, p3

Needs the lists for its protocols: 1 (all), 2.1 to 2.3 (a species that training does not see), 3 (few images).
A scene is a session.
Source: Liu et al., Contrastive Context-aware Learning for 3D High-fidelity Mask Face PAD, TIFS 2022; names, codes and
lists as its repository (liuajian/CASIA-FAS-Dataset) has them; its 54,223 videos.
"""

from __future__ import annotations

from fas_core.data.released import DataSet, Names, Protocol

_SPECIES = {"0": "", "1": "transparent mask", "2": "plaster mask", "3": "resin mask"}
_SKINS = {"1": "yellow", "2": "white", "3": "black"}
_SCENES = {"1": "white", "2": "green", "3": "tricolour", "4": "sunshine", "5": "shadow", "6": "motion"}
_LIGHTS = {"0": "none", "1": "normal", "2": "dim", "3": "bright", "4": "back", "5": "side", "6": "top"}
_SENSORS = ("SpO2", "iPhone 11", "iPhone X", "MI 10", "P40", "S20", "Vivo", "D435", "HJIM")


def _columns(names: Names) -> dict[str, str]:
    return {
        "pai_species": _SPECIES[names["type"]],
        "subject_id": f"{names['skin']}_{names['person']}",
        "session_id": _SCENES[names["scene"]],
        "device": _SENSORS[int(names["sensor"])],
        "skin": _SKINS[names["skin"]],
        "scene": _SCENES[names["scene"]],
        "light": _LIGHTS[names["light"]],
    }


def _protocol(number: str, says: str) -> Protocol:
    return Protocol(says, {part: (f"CASIA_HiFiMask@p{number}_*_{part}.txt",) for part in ("train", "dev", "test")})


SET = DataSet(
    title="CASIA-SURF HiFiMask",
    clips=(r"(?P<skin>[123])_(?P<person>\d\d)_(?P<type>[0-3])_(?P<scene>[1-6])_(?P<light>[0-6])_(?P<sensor>[0-8])"),
    columns=_columns,
    published={"": (13527, 40696)},
    protocols={
        "1": _protocol("1", "all species in all parts"),
        "2.1": _protocol("2.1", "tested on transparent masks, which training does not see"),
        "2.2": _protocol("2.2", "tested on plaster masks, which training does not see"),
        "2.3": _protocol("2.3", "tested on resin masks, which training does not see"),
        "3": _protocol("3", "few videos for training, all species"),
    },
)
