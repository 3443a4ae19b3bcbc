"""NUAA (2010): 15 people before a webcam in three sessions, and their photographs; stills.

ClientRaw/0001/0001_00_00_01_0.jpg         person_glasses_position_session_number; bona fide
ImposterRaw/0001/0001_00_00_01_0.jpg       the same names: printed photographs of them

Needs no lists. Glasses 00: with, 01: without. Its lists for training and test share people; they are not read.
Source: Tan et al., Face Liveness Detection from a Single Image with Sparse Low Rank Bilinear Discriminative Model, ECCV
2010; names by the readme of its release, as is its count of 5,105 and 7,509 images.
"""

from __future__ import annotations

from fas_core.data.released import DataSet, Names


def _columns(names: Names) -> dict[str, str] | str:
    if names["folder"] != names["person"]:
        return "in the folder of another person than its name says"
    return {
        "pai_species": "paper" if names["class"] == "imposter" else "",
        "subject_id": names["person"],
        "session_id": names["session"],
        "device": "webcam",
        "glasses": {"00": "yes", "01": "no"}[names["glasses"]],
        "position": names["position"],
    }


SET = DataSet(
    title="NUAA",
    clips=(
        r"(?P<class>client|imposter)raw/(?P<folder>\d{4})/(?P<person>\d{4})_(?P<glasses>0[01])_(?P<position>\d\d)_"
        r"(?P<session>0[123])_(?P<number>\d+)"
    ),
    columns=_columns,
    published={"": (5105, 7509)},
    unit="images",
)
