"""The images that models learn from and are judged by: people in three parts, attacks by those of the test alone.

    faces = of_manifest(manifest.read(path), folder, seed=0)
    faces.learned  # a manifest of live images alone: subset train
    faces.judged   # the same images, those of dev (live) and those of test (live and attacks)

Four of ten people are tested, first of those with attacks; two choose thresholds by their live images; the others are
learned. Attacks of people who are not tested are left out, so every attack is of an unseen species by an unseen person.
Where a manifest has no attacks, those of `data.attacks` are simulated on images of the people who are tested.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.data import attacks, manifest
from fas_core.data.attacks.writing import write_attacked_data_set
from fas_core.data.manifest import Manifest
from fas_core.data.names import ATTACK, TRAIN
from fas_core.errors import BadInputError
from fas_core.files import make_folder

DEV, TEST = "dev", "test"
TEST_SHARE, DEV_SHARE = 0.4, 0.2  # of the people
ATTACKED = 12  # live images of each person at most; `fas data attacks` shows every second one to each species
FEWEST = 6  # people: two of each part at least
RENDERED = "rendered"


@dataclass(frozen=True)
class Faces:
    """One data set with its people shared out by a seed."""

    name: str
    seed: int
    root: Path  # the folder that all is kept in
    learned: Manifest
    judged: Manifest
    person_prefix: str = ""  # before subjects of whom each seed has others


def of_manifest(source: Manifest, name: str, root: Path, seed: int, person_prefix: str = "") -> Faces:
    """The data set of that name in a folder below `root`, made where it is not complete there.

    Raises BadInputError for fewer than `FEWEST` people with live images, and live images of nobody.
    """
    is_without = not (source.rows["label"] == ATTACK).any()
    key = source.sha256 + (",".join(attacks.SPECIES) if is_without else "")
    folder = root / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}-seed{seed}"
    learned, judged = folder / "learned.csv", folder / "judged.csv"
    if not judged.is_file():
        make_folder(folder)
        parts = shared_out(source, seed)
        kept = Manifest(source.rows.assign(subset=parts)[parts != ""].reset_index(drop=True), source.source)
        # Before attacks are simulated: what is learned does not depend on them in any column.
        manifest.write(manifest.relocated(kept.only([TRAIN]), learned), learned)
        if is_without:
            kept = _attacked(kept, folder, seed)
        manifest.write(manifest.relocated(kept, judged), judged)  # last: with it all is there
    return Faces(name, seed, root, manifest.read(learned), manifest.read(judged), person_prefix)


def shared_out(source: Manifest, seed: int) -> pd.Series:
    """(n,) train, dev or test of every row, by people; "" of attacks that are not tested."""
    rows = source.rows
    is_attack = rows["label"] == ATTACK
    if nameless := int((~is_attack & (rows["subject_id"] == "")).sum()):
        raise BadInputError(
            f"{source.source}: {nameless} live images have no subject_id. People are kept apart: fill the column."
        )
    people = sorted(set(rows.loc[~is_attack, "subject_id"]))
    if len(people) < FEWEST:
        raise BadInputError(
            f"{source.source} has live images of {len(people)} people: it takes {FEWEST} to learn from, choose by and "
            "test."
        )
    with_attacks = set(rows.loc[is_attack, "subject_id"])
    order = [str(name) for name in np.random.default_rng([seed, 7]).permutation(people)]
    n_test, n_dev = round(TEST_SHARE * len(people)), max(1, round(DEV_SHARE * len(people)))
    tested = sorted(order, key=lambda name: name not in with_attacks)[:n_test]
    others = [name for name in order if name not in tested]
    part_of = dict.fromkeys(others[:n_dev], DEV) | dict.fromkeys(others[n_dev:], TRAIN) | dict.fromkeys(tested, TEST)
    parts = rows["subject_id"].map(part_of).fillna(TEST)  # attacks by nobody, or of those without a live image
    return parts.where(~is_attack | (parts == TEST), "")


def _attacked(kept: Manifest, folder: Path, seed: int) -> Manifest:
    """With simulated attacks of every kind on live images of test, on some of each person."""
    tested = kept.rows[kept.rows["subset"] == TEST]
    order = np.random.default_rng([seed, 8]).permutation(tested.index.to_numpy())
    chosen = tested.loc[order].groupby("subject_id").head(ATTACKED).sort_index()
    live = Manifest(chosen.reset_index(drop=True), kept.source)
    made_up = manifest.read(write_attacked_data_set(live, folder / "attacks", list(attacks.SPECIES), seed))
    is_attack = made_up.rows["label"] == ATTACK
    simulated = manifest.relocated(made_up, folder / "judged.csv")[is_attack].assign(subset=TEST)
    both = pd.concat([manifest.relocated(kept, folder / "judged.csv"), simulated], ignore_index=True)
    texts = [name for name in both.columns if not pd.api.types.is_numeric_dtype(both[name])]
    both[texts] = both[texts].fillna("")
    return Manifest(both, folder / "judged.csv")


def rendered(root: Path, seed: int, *, people: int, share: float, processes: int | None = None) -> Faces:
    """Rendered faces of nobody, other ones for each seed. `share`: of the frames of each recording of the demo."""
    from fas_core.data.synthetic.data_set import render_data_set

    folder = root / f"{RENDERED}-{people}x{share:g}-seed{seed}-images"
    if not (folder / "manifest.csv").is_file():
        render_data_set(folder, seed, subjects=people, share=share, processes=processes)
    source = manifest.read(folder / "manifest.csv")
    return of_manifest(source, RENDERED, root, seed, person_prefix=f"{seed}/")


def named(paths: Sequence[Path]) -> dict[str, Path]:
    """Each manifest by a name of its own: that of its folder where the file is called manifest; with the beginning of
    the path's hash where two would have one. A folder stands for the manifest.csv in it."""
    names: dict[str, Path] = {}
    for given in paths:
        path = given / "manifest.csv" if given.is_dir() else given
        name = path.resolve().parent.name if path.stem == "manifest" else path.stem
        if name in {*names, RENDERED}:
            name += "-" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:6]
        names[name] = path
    return names
