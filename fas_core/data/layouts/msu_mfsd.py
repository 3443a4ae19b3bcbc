"""MSU-MFSD (2015): 35 people before a laptop and a phone; a tablet's and a phone's video, prints.

scene01/real/real_client001_android_SD_scene01.mp4                         laptop: .mov
scene01/attack/attack_client001_laptop_SD_ipad_video_scene01.mov           also iphone_video, printed_photo
scene01/real/real_client001_android_SD_scene01.face                        frame, left, top, right, bottom, two eyes
train_sub_list.txt, test_sub_list.txt                                      01, 02, ...: the people of each part

Needs no lists: without them the 15 people of train_sub_list.txt are those of the set's release. No dev part. Some
videos of the phone are stored upside down (column should_flip).
Source: Wen, Han, Jain, Face Spoof Detection with Image Distortion Analysis, TIFS 2015; names and lists as
bob.db.msu_mfsd_mod reads them.
"""

from __future__ import annotations

from fas_core.data.released import DataSet, Names, Protocol

_TRAIN = {2, 3, 5, 6, 7, 8, 9, 11, 12, 21, 22, 34, 53, 54, 55}
_INSTRUMENTS = {
    "": ("", ""),
    "ipad_video": ("replay", "tablet's video"),
    "iphone_video": ("replay", "phone's video"),
    "printed_photo": ("paper", "printed photo"),
}
_FLIPPED = {3, 5, 6, 7, 8, 9}  # bona fide videos of these people by the phone


def _columns(names: Names) -> dict[str, str]:
    species, instrument = _INSTRUMENTS[names["kind"]]
    person = int(names["person"])
    is_flipped = not species and names["device"] == "android" and person in _FLIPPED
    return {
        "pai_species": species,
        "instrument": instrument,
        "subject_id": f"client{person:03d}",
        "session_id": names["scene"],
        "device": names["device"],
        "subset": "train" if person in _TRAIN else "test",
        "should_flip": "yes" if is_flipped else "no",
    }


SET = DataSet(
    title="MSU-MFSD",
    clips=(
        r"(?P<class>real|attack)/(?P=class)_client0(?P<person>\d\d)_(?P<device>android|laptop)_sd_"
        r"(?:(?P<kind>ipad_video|iphone_video|printed_photo)_)?(?P<scene>scene\d\d)"
    ),
    columns=_columns,
    published={"train": (30, 90), "test": (40, 120)},
    entry=r"(?P<person>\d\d)",
    protocols={
        "1": Protocol(
            "the release's people for training and test",
            {"train": ("train_sub_list.txt",), "test": ("test_sub_list.txt",)},
            rule=lambda row: row["subset"],
        )
    },
    boxes=("{stem}.face",),
)
