"""Leave-one-out protocols: a manifest per species, or per source, that training does not see.

- `leave-one-species-out`: `train` and `dev` hold no attack of the species; `unseen_<species>` holds those attacks and
  bona fide samples of people outside of both. For SiW-M this is its published protocol.
- `leave-one-source-out`: `unseen_<source>` is all of the source; `train` and `dev` are those of the others, and
  `seen_<source>` what else the others hold, for comparison.

Where the manifest has parts of its own (train, dev or val, and others), they are kept; where it has none, people are
shared out by the seed: 3 of 10 for the test, 2 of 10 to dev.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fas_core.data.manifest import Manifest
from fas_core.data.merging import SOURCE
from fas_core.data.names import ALL, ATTACK, BONA_FIDE, DEV_WORDS, TRAIN
from fas_core.data.subsets import subset_of
from fas_core.errors import BadInputError

SPECIES_OUT, SOURCE_OUT = "leave-one-species-out", "leave-one-source-out"
TEST_SHARE, DEV_SHARE = 0.3, 0.2  # of the people, where the manifest has no parts
_DEV, _TEST = "dev", "test"


@dataclass(frozen=True)
class Fold:
    """Rows of a manifest that leaves something out of training, and sentences on what the data did not allow."""

    left_out: str
    rows: pd.DataFrame
    notes: tuple[str, ...]


def folds(manifest: Manifest, protocol: str, seed: int = 0) -> list[Fold]:
    """One per species or source, by name. Raises BadInputError where there are not two, or people cannot be told."""
    rows = manifest.rows.copy()
    column = SOURCE if protocol == SOURCE_OUT else "pai_species"
    if column not in rows:
        raise BadInputError(
            f"{manifest.source} has no column source. Merge manifests: fas data merge A.csv B.csv --out M.csv"
        )
    is_attack = rows["label"] == ATTACK
    values = sorted(set(rows[column].astype("str")) - {""})
    if len(values) < 2:
        what = "source" if column == SOURCE else "species of attacks"
        raise BadInputError(f"{manifest.source} has {len(values)} {what}: to leave one out it takes two.")
    if column == "pai_species" and (n := int((is_attack & (rows["pai_species"] == "")).sum())):
        raise BadInputError(f"{manifest.source}: {n} attacks have no pai_species (paper, mask, ...). Fill it.")
    parts, notes = _parts(manifest, seed)
    make = _source_out if column == SOURCE else _species_out
    return [_fold(rows, make(rows, parts, value), value, notes) for value in values]


def _fold(rows: pd.DataFrame, subset: pd.Series, left_out: str, notes: list[str]) -> Fold:
    is_in = subset != ""
    more = [f"{int((~is_in).sum())} of {len(rows)} rows are in no subset."] if not is_in.all() else []
    kept = rows.assign(subset=subset)[is_in].reset_index(drop=True)
    unseen = kept[kept["subset"] == subset_of("unseen", left_out)]
    for label, what in ((BONA_FIDE, "bona fide samples"), (ATTACK, "attacks")):
        if not (unseen["label"] == label).any():
            more.append(f"{subset_of('unseen', left_out)} has no {what}.")
    if not ((kept["subset"] == TRAIN) & (kept["label"] == BONA_FIDE)).any():
        more.append("Nothing bona fide is left for training.")
    return Fold(left_out, kept, (*notes, *more))


def _parts(manifest: Manifest, seed: int) -> tuple[pd.Series, list[str]]:
    """(n,) train, dev or test: as the manifest says, or by people."""
    rows = manifest.rows
    own = rows["subset"].map({name: _part(name) for name in rows["subset"].unique()})
    is_open = own == ""
    if not is_open.any():
        notes = [] if (own == _DEV).any() else ["No part is for choosing thresholds (dev): they are chosen on train."]
        return own, notes
    # Attacks of nobody's stay without a part: they are tested on, or learned, by their species alone.
    nameless = is_open & (rows["subject_id"] == "") & (rows["label"] == BONA_FIDE)
    if n := int(nameless.sum()):
        raise BadInputError(
            f"{manifest.source}: {n} bona fide samples have neither a subset (train, test) nor a subject_id, so they "
            "cannot be kept apart from training. Fill one of the columns."
        )
    people = sorted(set(rows.loc[is_open, "subject_id"]) - {""})
    if not people:
        return own, []
    order = [str(name) for name in np.random.default_rng(seed).permutation(people)]
    n_test, n_dev = max(1, round(TEST_SHARE * len(order))), round(DEV_SHARE * len(order))
    part_of = dict.fromkeys(order, TRAIN) | dict.fromkeys(order[:n_test], _TEST)
    part_of |= dict.fromkeys(order[n_test : n_test + n_dev], _DEV)
    by_person = pd.Series([part_of.get(name, "") for name in rows["subject_id"]], rows.index, dtype="str")
    return own.where(~is_open, by_person), [
        f"{len(people)} people are shared out: {n_test} for the test, {n_dev} to dev."
    ]


def _part(subset: str) -> str:
    if subset == ALL:
        return ""
    return TRAIN if subset == TRAIN else _DEV if subset in DEV_WORDS else _TEST


def _species_out(rows: pd.DataFrame, parts: pd.Series, species: str) -> pd.Series:
    is_attack, is_left_out = rows["label"] == ATTACK, rows["pai_species"] == species
    subset = parts.where(parts.isin([TRAIN, _DEV]) & ~is_left_out, "")
    subset = subset.mask(is_attack & ~is_left_out & (parts == ""), TRAIN)  # nobody's: no person is on both sides
    is_tested = is_left_out & parts.isin([_TEST, ""])
    if not is_tested.any():  # the set has the species in other parts alone
        is_tested = is_left_out
    return subset.mask(is_tested | (~is_attack & (parts == _TEST)), subset_of("unseen", species))


def _source_out(rows: pd.DataFrame, parts: pd.Series, source: str) -> pd.Series:
    names = {name: subset_of("seen", name) for name in rows[SOURCE].unique()}
    subset = parts.where(parts.isin([TRAIN, _DEV]), rows[SOURCE].map(names))
    return subset.mask(rows[SOURCE] == source, subset_of("unseen", source))
