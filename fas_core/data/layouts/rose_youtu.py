"""ROSE-Youtu (2018): 20 people by five phones and tablets; prints, replays, paper masks.

train/2/G_NT_5s_wg_E_2_1.mp4         type_talk_device_glasses_background_person_take; folders may be _2, too
test/13/Mc_T_HS_g_E_13_5.mp4         other people; without train/ and test/ people up to 12 train, from 13 test
2/Ps_NT_IP_wg_E_2_3.mp4              types: G bona fide; Ps, Pq print (still, quivering); Vl, Vm video (Lenovo, Mac);
                                     Mc, Mf, Mu, Ml paper mask (cropped, full, upper, lower part cut)

Needs no lists. NT: not talking; g, wg: with, without glasses; devices HS (Hasee), HW (Huawei), IP (iPad 4), 5s
(iPhone 5s), ZTE. The set has no dev part.
Source: Li et al., Unsupervised Domain Adaptation for Face Anti-Spoofing, TIFS 2018; names and people of the parts as
bob.gradiant.face.databases reads them; its 3,497 videos.
"""

from __future__ import annotations

from fas_core.data.released import DataSet, Names, Protocol

_KINDS = {
    "g": ("", ""),
    "ps": ("paper", "still print"),
    "pq": ("paper", "quivering print"),
    "vl": ("replay", "Lenovo display"),
    "vm": ("replay", "Mac display"),
    "mc": ("paper mask", "cropped"),
    "mf": ("paper mask", "full"),
    "mu": ("paper mask", "upper part cut"),
    "ml": ("paper mask", "lower part cut"),
}
_DEVICES = {"hs": "Hasee phone", "hw": "Huawei phone", "ip": "iPad 4", "5s": "iPhone 5s", "zte": "ZTE phone"}
_LAST_OF_TRAINING = 12


def _columns(names: Names) -> dict[str, str] | str:
    species, instrument = _KINDS[names["kind"]]
    person = int(names["person"])
    if int(names["folder"]) != person:
        return "in the folder of another person than its name says"
    told = {
        "pai_species": species,
        "instrument": instrument,
        "subject_id": str(person),
        "device": _DEVICES[names["device"]],
        "talking": "no" if names["talk"] == "nt" else "yes",
        "glasses": {"g": "yes", "wg": "no"}[names["glasses"]],
    }
    return told if names["part"] else {**told, "subset": "train" if person <= _LAST_OF_TRAINING else "test"}


SET = DataSet(
    title="ROSE-Youtu",
    clips=(
        r"(?:(?P<part>train|test)/)?_?(?P<folder>\d+)/(?P<kind>g|ps|pq|vl|vm|mc|mf|mu|ml)_(?P<talk>nt|t)_"
        r"(?P<device>hs|hw|ip|5s|zte)_(?P<glasses>wg|g)_(?:(?P<background>[a-z]+)_)?(?P<person>\d+)_(?P<take>\d+)"
    ),
    columns=_columns,
    published={"": (3497,)},
    protocols={"1": Protocol("people of training and test", rule=lambda row: row["subset"])},
)
