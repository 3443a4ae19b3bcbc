"""CASIA-FASD (2012): 50 people in three qualities of image; warped photographs, cut photographs, videos.

train_release/1/1.avi       people 1 to 20; 1, 2, HR_1 bona fide; 3, 4, HR_2 warped; 5, 6, HR_3 cut; 7, 8, HR_4 video
test_release/1/HR_1.avi     people 1 to 30, others than those: subjects 21 to 50 here
train_release/1/1.face      boxes, where somebody made them: frame x y width height; also in face-locations/

Needs no lists. Its seven tests are protocols: low, normal, high quality (a camera each), warped, cut and video (a
species each, all qualities), overall. A quality is a session. The set has no dev part.
Source: Zhang et al., A Face Antispoofing Database with Diverse Attacks, ICB 2012; names as bob.db.casia_fasd has them.
"""

from __future__ import annotations

from fas_core.data.released import DataSet, Names, Protocol

_KINDS = (("", ""), ("paper", "warped photo"), ("cutout", "cut photo"), ("replay", "tablet's video"))
_FILES = {
    file: (quality, *kind)
    for number, kind in enumerate(_KINDS)
    for file, quality in (
        (str(2 * number + 1), "normal"),
        (str(2 * number + 2), "low"),
        (f"hr_{number + 1}", "high"),
    )
}
_TEST_PEOPLE_BEGIN_AFTER = 20


def _columns(names: Names) -> dict[str, str]:
    quality, species, instrument = _FILES[names["file"]]
    shift = _TEST_PEOPLE_BEGIN_AFTER if names["part"] == "test" else 0
    return {
        "pai_species": species,
        "instrument": instrument,
        "subject_id": str(int(names["person"]) + shift),
        "session_id": quality,
        "device": {"low": "old USB camera", "normal": "new USB camera", "high": "Sony NEX-5"}[quality],
        "quality": quality,
    }


def _of_quality(quality: str) -> Protocol:
    return Protocol(f"{quality} quality", rule=lambda row: row["subset"] if row["quality"] == quality else "")


def _of_species(species: str, says: str) -> Protocol:
    return Protocol(says, rule=lambda row: row["subset"] if row["pai_species"] in ("", species) else "")


SET = DataSet(
    title="CASIA-FASD",
    clips=r"(?P<part>train|test)_release/(?P<person>\d{1,2})/(?P<file>hr_[1-4]|[1-8])",
    columns=_columns,
    published={"train": (60, 180), "test": (90, 270)},
    protocols={
        **{quality: _of_quality(quality) for quality in ("low", "normal", "high")},
        "warped": _of_species("paper", "warped photographs"),
        "cut": _of_species("cutout", "cut photographs"),
        "video": _of_species("replay", "videos"),
        "overall": Protocol("all", rule=lambda row: row["subset"]),
    },
    boxes=("{stem}.face", "{above}face-locations/{clip}.face"),
)
