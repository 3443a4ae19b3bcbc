"""Folders that say what an image is: live|spoof/<subject>/[<session>/]image, or the thesis' subset folders.

live/<subject>/[<session>/]image.png                 also: real, genuine, bona_fide
spoof/[<species>/]<subject>/[<session>/]image.png    also: attack, fake; species: paper, print, replay, mask, ...

train/<subject>/[<session>/]image.png                the subsets of the protocol: train and live hold bona fide
live/<subject>/[<session>/]image.png                 faces; seen_<species> and unseen_<species> hold the attacks
seen_paper/[live|spoof/]<subject>/...                of that species, and live images under their own folder
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from fas_core.data.layouts import image_files
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.errors import BadInputError

_LABEL_FOLDERS = {
    **dict.fromkeys(("live", "real", "genuine", "bona_fide", "bonafide"), BONA_FIDE),
    **dict.fromkeys(("spoof", "attack", "fake"), ATTACK),
}
_SPECIES_FOLDERS = {
    **{name: name for name in ("paper", "replay", "mask", "makeup", "partial", "photo", "video", "mannequin")},
    **{"print": "paper", "prints": "paper", "papers": "paper", "masks": "mask", "replays": "replay"},
}
_ATTACK_SUBSET = re.compile(r"(?:seen|unseen)_([a-z0-9]+)")


def rows(root: Path, attack_label: str | None = None) -> pd.DataFrame:
    """One row per image. The label, species, subject, session and subset come from the folders alone."""
    if attack_label is not None:
        raise BadInputError("Layout 'folder' reads labels from folder names: leave out --attack-label.")
    if not root.is_dir():
        raise BadInputError(f"{root} is not a folder. Layout 'folder' reads a folder with live/ and spoof/ inside.")
    tops = {path.name.lower() for path in root.iterdir() if path.is_dir()}
    by_subset = "train" in tops or any(_ATTACK_SUBSET.fullmatch(name) for name in tops)
    if not by_subset and not tops & set(_LABEL_FOLDERS):
        found = ", ".join(sorted(tops)[:8]) or "no folders"
        raise BadInputError(
            f"{root}: expected the folders live/ and spoof/ (or the subsets train/, live/, seen_paper/, ...), "
            f"found {found}. A data set with a table of its images: --layout csv."
        )
    images = [(path, path.relative_to(root).parts) for path in image_files(root)]
    live = {parts[1] for _, parts in images if len(parts) > 2 and _LABEL_FOLDERS.get(parts[0].lower()) == BONA_FIDE}
    return pd.DataFrame([_row(path, parts, by_subset, live) for path, parts in images])


def _row(path: Path, parts: tuple[str, ...], by_subset: bool, live_subjects: set[str]) -> dict[str, str]:
    """One image. A folder of attacks that is no subject but holds some is a species, whatever its name."""
    folders = list(parts[:-1])
    subset = species = ""
    label: str | None = None
    if by_subset:
        subset = folders.pop(0).lower() if folders else ""
        matched = _ATTACK_SUBSET.fullmatch(subset)
        if not matched and subset not in ("train", "live"):
            raise BadInputError(
                f"{path}: no subset. Expected it under train, live, seen_<species> or unseen_<species>."
            )
        species = matched[1] if matched else ""
        label = ATTACK if matched else BONA_FIDE
    if folders and folders[0].lower() in _LABEL_FOLDERS:
        label = _LABEL_FOLDERS[folders.pop(0).lower()]
    if label is None:
        raise BadInputError(f"{path}: lies outside live/ and spoof/, so its label is unknown. Move it or remove it.")
    if label == BONA_FIDE:
        species = ""
    elif folders and folders[0].lower() in _SPECIES_FOLDERS:
        species = _SPECIES_FOLDERS[folders.pop(0).lower()]
    elif len(folders) > 1 and folders[0] not in live_subjects and folders[1] in live_subjects:
        species = folders.pop(0).lower()
    subject, session = (*folders, "", "")[:2]
    return {
        "path": str(path),
        "sample_id": "/".join(parts),
        "label": label,
        "pai_species": species,
        "subject_id": subject,
        # A session's name is only unique within its subject.
        "session_id": f"{subject}/{session}" if session else "",
        "subset": subset,
    }
