"""Replay-Attack (2012): 50 clients before a webcam; prints, mobile and high-definition screens, held or fixed.

train/real/client001_session01_webcam_authenticate_adverse_1.mov                  devel/, test/: other clients
train/attack/fixed/attack_print_client001_session01_highdef_photo_adverse.mov     also attack/hand/
face-locations/train/real/client001_session01_webcam_authenticate_adverse_1.face  frame x y width height
protocols/attack-print-allsupports-train.txt, protocols/real-train.txt            one path a line

Needs the lists for smalltest alone: the other protocols (grandtest, print, mobile, highdef, photo, digitalphoto, video)
follow from the names. enroll/ serves verification and is left out.
Source: Chingovska et al., On the Effectiveness of LBP, BIOSIG 2012; names and lists as bob.db.replay 3.0 reads them.
"""

from __future__ import annotations

from collections.abc import Callable

from fas_core.data.released import DataSet, Names, Protocol

_REAL = (
    r"real/(?P<client>client\d{3})_(?P<session>session\d\d)_webcam_authenticate_(?P<light>adverse|controlled)_"
    r"(?P<take>\d)"
)
_ATTACK = (
    r"attack/(?P<support>fixed|hand)/attack_(?P<shown_by>print|mobile|highdef)_(?P<attacked>client\d{3})_"
    r"(?P<attack_session>session\d\d)_(?P<taken_by>highdef|mobile)_(?P<kind>photo|video)_"
    r"(?P<attack_light>adverse|controlled)"
)
_ENROLL = r"enroll/(?P<enroll>train|devel|test)/client\d{3}_session\d\d_webcam_authenticate_(?:adverse|controlled)_\d"


def _columns(names: Names) -> dict[str, str] | str:
    if names["enroll"]:
        return "enrollment for verification, no presentation that is judged"
    is_attack = bool(names["shown_by"])
    return {
        "pai_species": "" if not is_attack else "paper" if names["shown_by"] == "print" else "replay",
        "instrument": f"{names['shown_by']} {names['kind']}" if is_attack else "",
        "subject_id": names["attacked"] or names["client"],
        "session_id": names["attack_session"] or names["session"],
        "device": "webcam",
        "light": names["attack_light"] or names["light"],
        "support": names["support"],
    }


def _protocol(name: str, says: str, takes: Callable[[Names], bool] | None) -> Protocol:
    def subset(row: Names) -> str:
        return row["subset"] if not row["shown_by"] or (takes and takes(row)) else ""

    lists = {
        ours: (f"protocols/attack-{name}-allsupports-{theirs}.txt", f"protocols/real-{theirs}.txt")
        for ours, theirs in (("train", "train"), ("dev", "devel"), ("test", "test"))
    }
    return Protocol(says, lists, subset if takes else None)


SET = DataSet(
    title="Replay-Attack",
    clips=rf"(?:(?P<part>train|devel|test)/(?:{_REAL}|{_ATTACK})|{_ENROLL})",
    columns=_columns,
    published={"train": (60, 300), "dev": (60, 300), "test": (80, 400)},
    protocols={
        "grandtest": _protocol("grandtest", "all attacks", lambda _: True),
        "print": _protocol("print", "prints", lambda row: row["shown_by"] == "print"),
        "mobile": _protocol("mobile", "a phone's screen", lambda row: row["shown_by"] == "mobile"),
        "highdef": _protocol("highdef", "a tablet's screen", lambda row: row["shown_by"] == "highdef"),
        "photo": _protocol("photo", "photographs, printed and on screens", lambda row: row["kind"] == "photo"),
        "digitalphoto": _protocol(
            "digitalphoto",
            "photographs on screens",
            lambda row: row["kind"] == "photo" and row["shown_by"] != "print",
        ),
        "video": _protocol("video", "videos on screens", lambda row: row["kind"] == "video"),
        "smalltest": _protocol("smalltest", "a part of all, by its lists", None),
    },
    boxes=("{above}face-locations/{clip}.face",),
)
