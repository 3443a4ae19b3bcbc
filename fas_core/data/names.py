"""Labels, subsets and groups of samples: their names and the order in which they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.delivery import is_injected
from fas_core.texts import one_spelling

BONA_FIDE, ATTACK = "bona_fide", "attack"
TRAINING_USE = "training_use"  # the column of a Run that says what its model's training did with an image's content
LEARNED, DEV, NOT_USED = "learned", "dev", "none"  # its weights were fitted on it; it chose the epoch; neither
ALL = "all"  # the subset of a row that names none
TRAIN, LIVE = "train", "live"  # subsets: what models learn from, and people without attacks whom nobody trained on
DEV_WORDS = ("dev", "devel", "development", "val", "valid", "validation")
SUBSET_WORDS = {"train", "training", *DEV_WORDS, "test", "testing", "eval"}
POSE = ("pose_x", "pose_y", "pose_z")  # pitch, yaw, roll in degrees
MEASURED = ("face_score", "faces", "face_size", "face_sharpness", "face_exposure", "face_outside")  # as faces are cut
POINTS = ("nose_x", "nose_y", "mouth_x", "mouth_y")  # the nose's tip and the mouth's middle, in pixels of the picture
CROP = (
    "crop_x",
    "crop_y",
    "crop_side",
    "crop_angle",
)  # the middle of a face's square in its picture, in pixels; degrees
FACE_BY, CAMERA_TILT = "face_by", "camera_tilt"
FACE_IN = "face_in"  # the modality of the companion that the face was seen in
SUBSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")


PROTOCOL_ORDER = (TRAIN, LIVE, "seen_paper", "unseen_paper", "seen_mask", "unseen_mask")


def in_protocol_order(names: Sequence[str] | np.ndarray) -> list[str]:
    """Subset names: the thesis' six first, then seen before unseen of other species, then the rest by name."""

    def rank(name: str) -> tuple[int, int, str, str]:
        if name in PROTOCOL_ORDER:
            return (0, PROTOCOL_ORDER.index(name), "", "")
        matched = re.fullmatch(r"(seen|unseen)_(.+)", name)
        return (1, 0, matched[2], matched[1]) if matched else (2, 0, "", name)

    return sorted(map(str, names), key=rank)


def one_spelling_of_subsets(subsets: pd.Series) -> tuple[pd.Series, list[str]]:
    """`texts.one_spelling` of subsets; train, live, dev and all, which mean something here, in small letters."""
    subsets, notes = one_spelling(subsets)
    meant = {name: name.casefold() for name in subsets.unique() if name.casefold() in (TRAIN, LIVE, "dev", ALL)}
    renamed = {name: ours for name, ours in meant.items() if name != ours}
    notes += [f"'{name}' ({int((subsets == name).sum())} rows) is read as '{ours}'" for name, ours in renamed.items()]
    return subsets.replace(renamed) if renamed else subsets, notes


def columns_of_subsets(table: pd.DataFrame) -> list[str]:
    """Columns whose every value is a usual name of a subset, and that have two or more of them."""
    values = {name: {str(text).strip().lower() for text in table[name].unique()} for name in table}
    return [str(name) for name, texts in values.items() if len(texts) > 1 and texts <= SUBSET_WORDS]


def alike_people(rows: pd.DataFrame) -> list[str]:
    """A sentence where ids of subjects differ in case or in how a number is written only: they stay people apart."""
    if "subject_id" not in rows:
        return []
    alike: dict[str, list[str]] = {}
    for name in sorted(set(rows["subject_id"].astype("str").unique()) - {""}):
        number = re.fullmatch(r"\+?0*(\d+)(\.0*)?", name, re.ASCII)
        alike.setdefault(number[1] if number else name.casefold(), []).append(name)
    several = [names for names in alike.values() if len(names) > 1]
    if not several:
        return []
    listed = ", ".join(f"'{name}'" for name in several[0])
    more = f", and so on for {len(several) - 1} more" if len(several) > 1 else ""
    return [
        f"subject_id: {listed} differ only in case or in how a number is written{more}. They count as "
        f"{len(several[0])} people: if they are one, write one id."
    ]


def recurring_ids(rows: pd.DataFrame) -> list[str]:
    """Sentences where an id of a video or session lies in several sessions or subjects: it is one in each of them."""
    notes = []
    for column, what, within in (("video_id", "video", "session_id"), ("session_id", "session", "subject_id")):
        if column in rows and within in rows:
            named = rows.loc[rows[column].astype("str").fillna("").str.strip() != "", [column, within]]
            several = named.drop_duplicates()[column].value_counts()
            if n := int((several > 1).sum()):
                outer = within.removesuffix("_id")
                notes.append(
                    f"{column}: {n} of {len(several)} ids lie in several {outer}s: one {what} in each {outer}."
                )
    return notes


PEOPLE = ("subject", "client_id", "person", "user_id", "identity")  # columns that usually name subjects


def column_of_people(columns: Iterable[str]) -> str:
    """The column that seems to name subjects under another name than subject_id; "" where there is none."""
    present = set(columns)
    return "" if "subject_id" in present else next((name for name in PEOPLE if name in present), "")


def outside_training(subsets: Sequence[str]) -> list[str]:
    """The names of subsets that no model learns from, in their order."""
    return [name for name in subsets if name != TRAIN]


def dev_subsets(subsets: Sequence[str]) -> list[str]:
    """Where to choose a threshold unless somebody says otherwise: a development set (dev, devel, val, ...) if there is
    one, else live people nobody trained on, else the training images, else nothing."""
    return next(([name] for name in (*DEV_WORDS, LIVE, TRAIN) if name in subsets), [])


def fresh_subsets(subsets: Sequence[str], chosen_on: Sequence[str]) -> list[str]:
    """Those of some subsets that neither training nor the choice has seen."""
    return [name for name in outside_training(subsets) if name not in chosen_on]


def is_training(samples: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) which samples are in the subset that models learn from. Needs the column subset."""
    return (samples["subset"] == TRAIN).to_numpy(bool)


@dataclass(frozen=True, eq=False)
class Named:
    """(n,) texts of few kinds as positions in their names: those of millions of samples would take gigabytes."""

    codes: NDArray[np.unsignedinteger[Any]]  # (n,)
    names: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Any:
        """The text of a row, or those of some, (m,)."""
        return self.names[self.codes[rows]]

    def are(self, *names: str) -> NDArray[np.bool_]:
        """(n,) whether each is one of these."""
        is_asked: NDArray[np.bool_] = np.isin(self.names, names)
        return is_asked[self.codes]

    def counts(self, rows: Any = slice(None)) -> dict[str, int]:
        """How many of all, or of some, have each name; those that none has are not there."""
        counts = np.bincount(self.codes[rows], minlength=len(self.names))
        return {str(name): int(n) for name, n in zip(self.names, counts, strict=True) if n}


def groups_of(samples: pd.DataFrame) -> NDArray[np.str_]:
    """(n,) what each sample is, for colours: its subset; the live images of spoof subsets as bona fide, seen or unseen.

    Where subsets are not the protocol's (dev, test, ...), the species of an attack, and bona fide. Needs the columns
    subset, label, pai_species.
    """
    codes, names = group_codes(samples)
    return names[codes]


def group_codes(samples: pd.DataFrame) -> tuple[NDArray[np.uint16], NDArray[np.str_]]:
    """`groups` as positions (n,) in their names: of millions of samples, the texts themselves take gigabytes.

    Fastest where the columns are categories.
    """
    kinds, combination = {}, np.zeros(len(samples), np.int32)
    for column in ("subset", "label", "pai_species"):
        codes, kinds[column] = pd.factorize(samples[column])
        combination *= len(kinds[column]) + 1
        combination += codes.astype(np.int32) + 1  # 0: missing
    present = np.flatnonzero(np.bincount(combination))
    rest, table = present, {}
    for column in reversed(kinds):
        rest, of_column = np.divmod(rest, len(kinds[column]) + 1)
        table[column] = np.append("", np.asarray(kinds[column], str))[of_column]
    all_names = _group_names(table["subset"], table["label"], table["pai_species"])
    names, positions = np.unique(all_names, return_inverse=True)
    code_of = np.zeros(present.max(initial=0) + 1, np.uint16)
    code_of[present] = positions
    return code_of[combination], names


def _group_names(subset: NDArray[np.str_], label: NDArray[np.str_], species: NDArray[np.str_]) -> NDArray[np.str_]:
    is_attack = label == ATTACK
    side = pd.Series(subset).str.extract(r"^(seen|unseen)_")[0].to_numpy()
    in_protocol = np.isin(subset, [TRAIN, LIVE]) | pd.notna(side)
    live_name = np.where(pd.isna(side), subset, "bona fide, " + pd.Series(side).fillna("").to_numpy(str))
    species = np.where(species == "", "unspecified", species)
    species = np.where(np.isin(species, GROUP_ORDER), "attack, " + species.astype(object), species).astype(str)
    elsewhere = np.where(is_attack, species, "bona fide")
    is_by_species = pd.isna(side) | np.array([is_injected(name) for name in species], np.bool_)
    return np.where(in_protocol, np.where(is_attack, np.where(is_by_species, species, subset), live_name), elsewhere)


GROUP_ORDER = (TRAIN, LIVE, "bona fide", "bona fide, seen", "bona fide, unseen")


def in_group_order(names: Sequence[str]) -> list[str]:
    """Training first, then bona fide, then attacks by species, seen before unseen."""

    def rank(name: str) -> tuple[int, int, str, str]:
        if name in GROUP_ORDER:
            return (0, GROUP_ORDER.index(name), "", "")
        matched = re.fullmatch(r"(seen|unseen)_(.+)", name)
        return (1, 0, matched[2], matched[1]) if matched else (1, 0, name, "")

    return sorted(map(str, names), key=rank)


def readable(name: str) -> str:
    """A name as people read it: seen_paper -> seen paper."""
    return name.replace("_", " ")
