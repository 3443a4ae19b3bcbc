"""The thesis' protocol (section 3.1.1): train, live, and seen/unseen sets per attack species.

- `train`: bona fide images of subjects who also have attack recordings.
- `live`: subjects with bona fide recordings only; in no other set.
- `seen_<species>`: attacks on training subjects, and live images of theirs that training does not see.
- `unseen_<species>`: attacks on subjects who are nowhere in training, and their live images.

The thesis leaves open where the live images of the seen sets come from. Here: from whole sessions held out of
training; where sessions are unknown, from images held out, and that is said (column `held_out_by`, and the notes).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fas_core.data.manifest import Manifest
from fas_core.data.modalities import modalities, scenes
from fas_core.data.names import ALL, ATTACK, BONA_FIDE, LIVE, TRAIN, is_training
from fas_core.errors import BadInputError

UNSEEN_SHARE = 0.3  # of the attacked subjects, per species
HELD_OUT_SHARE = 0.3  # of a training subject's sessions (or images, where sessions are unknown)
OF_PROTOCOL = re.compile(rf"{ALL}|{TRAIN}|{LIVE}|(seen|unseen)_.+")  # subsets as they are called here


@dataclass(frozen=True)
class Protocol:
    """Rows with `subset` and `held_out_by` filled, and sentences on what the data did not allow."""

    rows: pd.DataFrame
    notes: list[str]


def protocol(manifest: Manifest, seed: int = 0) -> Protocol:
    """Assigns every image to one subset of the thesis; the same seed gives the same sets.

    Where there are several modalities, companions of one instant are in one subset: it is what is assigned. Raises
    BadInputError where the manifest lacks what the protocol is defined on: subjects, and species of attacks.
    """
    of_scene = scenes(manifest.rows)
    rows = manifest.rows[~of_scene.duplicated()].copy()
    _require(manifest.rows, manifest)
    rng = np.random.default_rng(seed)
    species_of = {
        subject: sorted(set(group.loc[group["label"] == ATTACK, "pai_species"]))
        for subject, group in rows.groupby("subject_id")
    }
    has_live = set(rows.loc[rows["label"] == BONA_FIDE, "subject_id"])
    unseen = unseen_subjects({s: kinds for s, kinds in species_of.items() if kinds}, has_live, rng)
    rows["subset"], rows["held_out_by"] = "", ""
    counted: Counter[str] = Counter()
    for turn, (subject, group) in enumerate(rows.groupby("subject_id")):
        kinds = species_of[subject]
        live = group[group["label"] == BONA_FIDE]
        attacks = group[group["label"] == ATTACK]
        side = "unseen" if subject in unseen else "seen"
        rows.loc[attacks.index, "subset"] = [subset_of(side, kind) for kind in attacks["pai_species"]]
        if not kinds:
            rows.loc[live.index, "subset"] = "live"
        elif side == "unseen":
            for index, kind in zip(_shared_out(live, len(kinds), rng), kinds, strict=True):
                rows.loc[index, "subset"] = subset_of("unseen", kind)
        else:
            held, how = held_out(live, rng)
            counted[how] += 1
            rows.loc[live.index, "subset"] = TRAIN
            # Starting with another species each time keeps the sets even when a subject has one held-out session.
            order = [kinds[(turn + i) % len(kinds)] for i in range(len(kinds))]
            for position, index in enumerate(held):
                rows.loc[index, "subset"] = subset_of("seen", order[position % len(order)])
                rows.loc[index, "held_out_by"] = how
    own = manifest.subset_names() if "subset" in manifest.rows else []
    replaced = [name for name in own if not OF_PROTOCOL.fullmatch(name)]
    notes = _notes(rows, counted)
    if len(rows) < len(manifest.rows):
        among = ", ".join(modalities(manifest.rows))
        notes.append(f"{len(rows):,} instants in several modalities ({among}): the images of one are in one subset.")
        first = pd.Series(rows.index, of_scene[rows.index])
        assigned = rows.loc[of_scene.map(first), ["subset", "held_out_by"]].set_index(manifest.rows.index)
        rows = manifest.rows.assign(**assigned)
    if replaced:
        notes.insert(
            0,
            f"{manifest.source} has subsets of its own ({', '.join(replaced[:8])}), which these replace. To keep them, "
            f"train on and cache {manifest.source} as it is.",
        )
    return Protocol(rows, notes)


def subset_of(side: str, species: str) -> str:
    """`seen_paper`, `unseen_silicone_mask`: a name that a folder can have, whatever the species is called."""
    return f"{side}_{re.sub(r'[^A-Za-z0-9_.-]+', '_', species)}"[:64]


def _require(rows: pd.DataFrame, manifest: Manifest) -> None:
    nameless = int((rows["subject_id"] == "").sum())
    if nameless:
        raise BadInputError(
            f"{manifest.source}: {nameless} of {len(rows)} images have no subject_id. The protocol separates subjects; "
            "fill the column."
        )
    attacks = rows["label"] == ATTACK
    if not attacks.any():
        raise BadInputError(
            f"{manifest.source}: holds no attacks, so there is nothing to make test sets of. "
            f"Simulated ones: fas data attacks {manifest.source} --out FOLDER"
        )
    if attacks.all():
        raise BadInputError(f"{manifest.source}: holds no bona fide images, so there is nothing to train on.")
    unnamed = int((rows.loc[attacks, "pai_species"] == "").sum())
    if unnamed:
        raise BadInputError(f"{manifest.source}: {unnamed} attacks have no pai_species (paper, mask, ...). Fill it.")
    species_of: dict[str, str] = {}
    for species in sorted(rows.loc[attacks, "pai_species"].unique()):
        other = species_of.setdefault(subset_of("seen", species), species)
        if other != species:
            raise BadInputError(
                f"{manifest.source}: the species '{other}' and '{species}' would both give the subset "
                f"{subset_of('seen', species)}. Name them in letters and digits of ASCII, differently."
            )


def unseen_subjects(
    species_of: dict[str, list[str]], has_live: set[str], rng: np.random.Generator, share: float = UNSEEN_SHARE
) -> set[str]:
    """Attacked subjects to keep out of training: `share` of each species' subjects, at least one where there are two.

    Subjects without any live image (mannequins) cannot be trained on: they are unseen anyway.
    """
    unseen = {s for s in species_of if s not in has_live}
    order = [str(s) for s in rng.permutation(sorted(set(species_of) - unseen))]
    subjects_per_species = Counter(kind for kinds in species_of.values() for kind in kinds)
    for kind, count in sorted(subjects_per_species.items(), key=lambda item: (item[1], item[0])):
        wanted = max(1, round(share * count)) if count > 1 else 0
        already = sum(kind in species_of[s] for s in unseen)
        candidates = [s for s in order if kind in species_of[s] and s not in unseen]
        unseen.update(candidates[: max(0, wanted - already)])
    return unseen


def held_out(live: pd.DataFrame, rng: np.random.Generator, share: float = HELD_OUT_SHARE) -> tuple[list[pd.Index], str]:
    """Parts of one training subject's live images that training will not see, and how they were taken.

    "session": one part per held-out session (at least one session stays for training, and so do images whose session
    is unknown); "image": one part per image whose session is unknown, where fewer than two sessions are known;
    "nothing": one known session or one image only.
    """
    named = live[live["session_id"] != ""]
    sessions = sorted(named["session_id"].unique())
    if len(sessions) > 1 or len(named) == len(live) > 0:
        count = min(len(sessions) - 1, max(1, round(share * len(sessions))))
        chosen = rng.permutation(sessions)[:count]
        return [live.index[live["session_id"] == s] for s in chosen], "session" if count else "nothing"
    live = live.drop(index=named.index)  # a known session is never split
    can_go = len(live) - (0 if len(named) else 1)
    count = min(can_go, max(1, round(share * len(live)))) if can_go > 0 else 0
    # Neighbouring frames look alike: where their order is known, the last ones are held out together.
    order = live["frame"].argsort().to_numpy() if live["frame"].notna().all() else rng.permutation(len(live))
    return [live.index[[position]] for position in order[len(live) - count :]], "image" if count else "nothing"


def _shared_out(live: pd.DataFrame, parts: int, rng: np.random.Generator) -> list[pd.Index]:
    """One subject's live images in `parts` groups: whole sessions where there are enough of them, images otherwise."""
    sessions = sorted(live["session_id"].unique())
    if "" not in sessions and len(sessions) >= parts:
        chosen = rng.permutation(sessions)
        return [live.index[live["session_id"].isin(chosen[part::parts])] for part in range(parts)]
    order = live.index[rng.permutation(len(live))]
    return [order[part::parts].sort_values() for part in range(parts)]


def _notes(rows: pd.DataFrame, counted: Counter[str]) -> list[str]:
    notes = []
    if counted["image"]:
        notes.append(
            f"Sessions are unknown for {counted['image']} training subjects: the live images of the seen sets are "
            "single images held out of training, so they may resemble training images closely."
        )
    by_session = rows.loc[rows["held_out_by"] == "session", "subject_id"]
    nameless = is_training(rows) & (rows["session_id"] == "") & rows["subject_id"].isin(by_session)
    if nameless.any():
        notes.append(
            f"{int(nameless.sum())} training images have no session_id, while other sessions of their subjects are "
            "held out: they may belong to one of those."
        )
    if counted["nothing"]:
        notes.append(f"{counted['nothing']} training subjects have one session only: nothing of theirs is held out.")
    if not (rows["subset"] == LIVE).any():
        notes.append("Every subject has attack recordings: the subset live (live recordings only) is empty.")
    if not is_training(rows).any():
        notes.append("No subject is left for training: every one with attacks is unseen. Add subjects.")
    return notes


def counts(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Per subset: bona fide images, attacks, subjects."""
    return {
        name: {
            "bona_fide": int(((rows["subset"] == name) & (rows["label"] == BONA_FIDE)).sum()),
            "attack": int(((rows["subset"] == name) & (rows["label"] == ATTACK)).sum()),
            "subjects": int(rows.loc[(rows["subset"] == name) & (rows["subject_id"] != ""), "subject_id"].nunique()),
        }
        for name in names
    }
