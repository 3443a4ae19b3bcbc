"""3DMAD (2013): 17 people by a Kinect in two sessions, and their masks of hard resin in a third.

Data/01/01_01_01.hdf5            person_session_take; session 01, 02 bona fide, 03 masks; also without 01/
Data/03/17_03_05.hdf5            the last of them; Color_Data, Depth_Data and Eye_Pos are within

Needs no lists. Protocol classification: people 1 to 7 train, 8 to 12 dev, 13 to 17 test; loo-01 to loo-17 test on one
person. Its files are HDF5, of which fas data frames takes colour and depth, 30 frames a second, with the eyes.
Source: Erdogmus, Marcel, Spoofing in 2D Face Recognition with 3D Masks, BTAS 2013; names and parts as
xbob.db.maskattack 1.0 reads them.
"""

from __future__ import annotations

from fas_core.data.released import DataSet, Names, Protocol

_LAST_OF_TRAINING, _LAST_OF_DEV = 7, 12


def _columns(names: Names) -> dict[str, str] | str:
    if names["folder"] and names["folder"] != names["session"]:
        return "in the folder of another session than its name says"
    person = int(names["person"])
    return {
        "pai_species": "mask" if names["session"] == "03" else "",
        "subject_id": names["person"],
        "session_id": names["session"],
        "device": "Kinect",
        "subset": "train" if person <= _LAST_OF_TRAINING else "dev" if person <= _LAST_OF_DEV else "test",
    }


def _leave_out(person: str) -> Protocol:
    return Protocol(f"tested on person {person}", rule=lambda row: "test" if row["person"] == person else "train")


SET = DataSet(
    title="3DMAD",
    clips=r"(?:data/)?(?:(?P<folder>0[123])/)?(?P<person>0[1-9]|1[0-7])_(?P<session>0[123])_(?P<take>0[1-5])",
    columns=_columns,
    published={"train": (70, 35), "dev": (50, 25), "test": (50, 25)},
    protocols={
        "classification": Protocol("people of three parts", rule=lambda row: row["subset"]),
        **{f"loo-{person:02d}": _leave_out(f"{person:02d}") for person in range(1, 18)},
    },
    telltale=r"(?:.*/)?\d\d_0[123]_0[1-5]\.(?:hdf5|h5)",
)
