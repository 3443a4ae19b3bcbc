"""WMCA (2019): 72 people in colour, depth, near infrared and thermal; seven species of attacks; leave-one-species-out.

face-station/17.01.18/002_01_003_2_81.hdf5                  client_session_presenter_type_instrument, -hash after it
preprocessed-face-station_RGB/face-station/17.01.18/        the same names; also preprocessed-face-station_CDIT/
WMCA_Grandtest.txt                                          ,client_id,filepath,group,label; also *grandtest*.csv

type 0 bona fide, 1 facial disguise, 2 fake face, 3 photo, 4 video; which of the seven species an attack is of follows
from type and instrument. Needs the list for its protocols: grandtest, and one per species (loo-glasses, ...), trained
without it and tested on it and on the bona fide of the test part. Presenters are in several parts. Its files are HDF5,
of which fas data frames takes the frames of every stream, by --n as nothing says when they were taken.
Source: George et al., Biometric Face PAD with Multi-channel CNN, TIFS 2020, whose counts per species these are; names
and lists as liuajian/CASIA-FAS-Dataset has them.
"""

from __future__ import annotations

from collections.abc import Iterable

from fas_core.data.released import DataSet, Names, Protocol


def _range(first: int, last: int) -> list[str]:
    return [f"{number:02d}" for number in range(first, last + 1)]


def _kinds(species: str, kind: str, instruments: Iterable[str]) -> dict[tuple[str, str], str]:
    return {(kind, instrument): species for instrument in instruments}


_ELECTRONIC = ("05", "10", "15")  # photographs on a screen
_SPECIES = {  # by type and instrument
    **_kinds("", "0", _range(0, 2)),
    **_kinds("glasses", "1", ("01", "04", "05", "06", "07", "15", "16")),
    **_kinds("rigid mask", "1", ("02", "13", "14")),
    **_kinds("mannequin", "2", _range(1, 7)),
    **_kinds("paper mask", "2", _range(8, 11)),
    **_kinds("rigid mask", "2", _range(12, 17)),
    **_kinds("flexible mask", "2", ("18", *_range(75, 99))),
    **_kinds("paper", "3", _range(1, 15)),
    **_kinds("replay", "3", _ELECTRONIC),
    **_kinds("replay", "4", _range(1, 18)),
}
_NOBODY = "000"  # presenter of what stands on its own, and of bona fide


def _columns(names: Names) -> dict[str, str] | str:
    species = _SPECIES.get((names["type"], names["instrument"]))
    if species is None:
        return f"type {names['type']} has no instrument {names['instrument']} in the set's lists"
    told = {
        "pai_species": species,
        "instrument": f"{names['type']}_{names['instrument']}",
        "subject_id": names["client"],
        "session_id": names["session"],
        "presenter_id": names["presenter"] if names["presenter"] != _NOBODY or species else names["client"],
    }
    return {**told, "modality": "rgb" if names["modality"].endswith("rgb") else "multi"}


_LISTS = {"": ("*grandtest*",)}


def _leave_out(species: str) -> Protocol:
    def subset(row: Names) -> str:
        is_tested = row["subset"] == "test"
        return row["subset"] if row["pai_species"] == "" or (row["pai_species"] == species) == is_tested else ""

    return Protocol(f"tested on {species}, which training does not see", _LISTS, refined=subset)


SET = DataSet(
    title="WMCA",
    clips=(
        r"(?:(?:.*/)?(?P<modality>preprocessed-face-station_(?:rgb|cdit)|r_cdit)/)?(?:[^/]+/)*"
        r"(?P<client>\d{3})_(?P<session>\d\d)_(?P<presenter>\d{3})_(?P<type>[0-4])_(?P<instrument>\d\d)(?:-\w+)?"
    ),
    entry=r"(?P<client>\d{3})_(?P<session>\d\d)_(?P<presenter>\d{3})_(?P<type>[0-4])_(?P<instrument>\d\d)(?:-\w+)?",
    columns=_columns,
    published={"": (347, 1332)},
    protocols={
        "grandtest": Protocol("all species in all parts", _LISTS),
        **{
            f"loo-{species.replace(' ', '-')}": _leave_out(species)
            for species in dict.fromkeys(_SPECIES.values())
            if species
        },
    },
    telltale=r"(?:.*/)?\d{3}_\d\d_\d{3}_[0-4]_\d\d(?:-\w+)?\.(?:hdf5|h5)",
)
