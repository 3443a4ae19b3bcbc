"""SiW (2018): 165 people by two cameras; prints of two kinds, replays by four devices; three protocols.

Train/live/003/003-1-1-1-1.mov        person-sensor-type-medium-session; type 1 bona fide, 2 print, 3 replay
Train/spoof/003/003-1-2-1-1.mov       also .mp4, and .m.mov of bona fide; underscores for hyphens are read, too
Test/live/001/, Test/spoof/001/       other people
Train/live/003/003-1-1-1-1.face       left top right bottom of each frame, zeros where there is no face

Needs no lists. Protocol 1 trains on the first 60 frames of each video (fas data frames), 2.1 to 2.4 test on the medium
of replays that training does not see, 3.1 and 3.2 train on prints and test on replays, and the other way round.
Source: Liu, Jourabloo, Liu, Learning Deep Models for Face Anti-Spoofing, CVPR 2018; names as bob.db.siw reads them.
"""

from __future__ import annotations

from fas_core.data.released import DataSet, Names, Protocol

_SPECIES = {"1": "", "2": "paper", "3": "replay"}
_SENSORS = {"1": "Canon EOS T6", "2": "Logitech C920"}


def _columns(names: Names) -> dict[str, str] | str:
    species = _SPECIES[names["type"]]
    if (names["class"] == "spoof") != bool(species):
        return f"in a folder {names['class']}/, but its name says type {names['type']}"
    if names["folder"] != names["person"]:
        return "in the folder of another person than its name says"
    return {
        "pai_species": species,
        "instrument": f"{species} {names['medium']}" if species else "",
        "subject_id": names["person"],
        "session_id": names["session"],
        "device": _SENSORS[names["sensor"]],
    }


def _leave_out_medium(medium: str) -> Protocol:
    def subset(row: Names) -> str:
        fits = (row["medium"] == medium) == (row["subset"] == "test")
        return row["subset"] if row["type"] == "1" or (row["type"] == "3" and fits) else ""

    return Protocol(f"tested on replays by medium {medium}, which training does not see", rule=subset)


def _train_on(species: str, tested: str) -> Protocol:
    def subset(row: Names) -> str:
        return row["subset"] if row["pai_species"] in ("", tested if row["subset"] == "test" else species) else ""

    return Protocol(f"trained on {species}, tested on {tested}", rule=subset)


SET = DataSet(
    title="SiW",
    clips=(
        r"(?P<part>train|test)/(?P<class>live|spoof)/(?P<folder>\d{3})/"
        r"(?P<person>\d{3})[-_](?P<sensor>[12])[-_](?P<type>[123])[-_](?P<medium>\d)[-_](?P<session>\d)(?:\.m)?"
    ),
    columns=_columns,
    published={"": (4478,)},
    protocols={
        "1": Protocol("all; training sees the first 60 frames of each video", rule=lambda row: row["subset"]),
        **{f"2.{medium}": _leave_out_medium(medium) for medium in "1234"},
        "3.1": _train_on("paper", "replay"),
        "3.2": _train_on("replay", "paper"),
    },
    boxes=("{stem}.face",),
)
