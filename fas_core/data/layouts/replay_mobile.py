"""Replay-Mobile (2016): 40 clients before a phone and a tablet; prints and a matte screen.

train/real/client001_session02_authenticate_mobile_controlled.mov                        devel/, test/: other clients
train/attack/attack_client001_session01_mattescreen_fixed_mobile_photo_lightoff.mov      also print_hand, print_fixed
faceloc/rect/train/real/client001_session02_authenticate_mobile_controlled.face          frame x y width height
protocols/alldevices/attack-grandtest-allsupports-alldevices-train.txt, real-alldevices-train.txt

Needs no lists: grandtest, print and mattescreen follow from the names. The set's own reader flips the frames of the
phone's videos, and of two of client008 on the tablet: column should_flip. enroll/ serves verification and is left out.
Source: Costa-Pazo et al., The Replay-Mobile Face PAD Database, BIOSIG 2016; names as bob.db.replaymobile reads them.
"""

from __future__ import annotations

from fas_core.data.released import DataSet, Names, Protocol

_LIGHTS = "lighton|lightoff|controlled|adverse|direct|lateral|diffuse"
_REAL = (
    r"real/(?P<client>client\d{3})_(?P<session>session\d\d)_authenticate_(?P<device>mobile|tablet)_"
    rf"(?P<light>{_LIGHTS})"
)
_ATTACK = (
    r"attack/(?:[^/]+/)?attack_(?P<attacked>client\d{3})_(?P<attack_session>session\d\d)_"
    r"(?P<shown_by>print|mattescreen)_(?P<support>fixed|hand)_(?P<attack_device>mobile|tablet)_(?P<kind>photo|video)_"
    rf"(?P<attack_light>{_LIGHTS})"
)
_ENROLL = rf"enroll/(?P<enroll>train|devel|test)/client\d{{3}}_session\d\d_enroll_(?:mobile|tablet)_(?:{_LIGHTS})"
_FLIPPED_ON_TABLET = ("client008", "session02")


def _columns(names: Names) -> dict[str, str] | str:
    if names["enroll"]:
        return "enrollment for verification, no presentation that is judged"
    device = names["attack_device"] or names["device"]
    is_flipped = device == "mobile" or (names["client"], names["session"]) == _FLIPPED_ON_TABLET
    return {
        "pai_species": {"": "", "print": "paper", "mattescreen": "replay"}[names["shown_by"]],
        "instrument": f"{names['shown_by']} {names['kind']}" if names["shown_by"] else "",
        "subject_id": names["attacked"] or names["client"],
        "session_id": names["attack_session"] or names["session"],
        "device": device,
        "light": names["attack_light"] or names["light"],
        "support": names["support"],
        "should_flip": "yes" if is_flipped else "no",
    }


def _protocol(attacks: str, says: str) -> Protocol:
    return Protocol(says, rule=lambda row: row["subset"] if row["shown_by"] in ("", attacks or row["shown_by"]) else "")


SET = DataSet(
    title="Replay-Mobile",
    clips=rf"(?:(?P<part>train|devel|test)/(?:{_REAL}|{_ATTACK})|{_ENROLL})",
    columns=_columns,
    published={"train": (120, 192), "dev": (160, 256), "test": (110, 192)},
    protocols={
        "grandtest": _protocol("", "all attacks"),
        "print": _protocol("print", "prints"),
        "mattescreen": _protocol("mattescreen", "the screen"),
    },
    boxes=("{above}faceloc/rect/{clip}.face",),
)
