"""What a card was tested on: attacks with their materials and people, what the data leave open, and whom it fails.

    evidence(card, run).kinds, .unstated, .gaps, .cost

Computed from the Run of the card as it was then: a Run that has changed since says nothing about the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import scores
from fas_core.data import simulation
from fas_core.data.boxes import PLACES
from fas_core.data.manifest import BOXES, CUT_FROM
from fas_core.data.names import (
    ATTACK,
    CAMERA_TILT,
    CROP,
    FACE_BY,
    FACE_IN,
    MEASURED,
    POINTS,
    POSE,
    TRAIN,
    TRAINING_USE,
)
from fas_core.deciding.card import Card
from fas_core.errors import BadInputError
from fas_core.evaluation import breakdown
from fas_core.evaluation.breakdown import Breakdown, Gap
from fas_core.evaluation.levels import ORDER
from fas_core.evaluation.presentations import Presentations, presentations
from fas_core.metrics import UndefinedMetricError, cost
from fas_core.metrics.scoreset import UNSPECIFIED
from fas_core.runs.store import Run

# Columns that say what an attack was made of, and who presented it; the first that is there.
MATERIALS = ("material", "pai_detail", "attack_detail")
PRESENTERS = ("presenter", "presented_by", "operator")
PEOPLE = ("subject_id", "session_id")
# What evaluators ask for, and the columns that say it.
ASKED: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in PEOPLE},
    "sex": ("sex", "gender"),
    "age": ("age",),
    "skin_tone": ("skin_tone", "skin"),
    "capture_device": ("capture_device", "device", "camera", "sensor"),
    "lighting": ("lighting", "light", "illumination"),
}
# Columns that steps of this package write: of pictures and faces in them, no groups of people or circumstances.
_WRITTEN = (
    *ORDER, TRAINING_USE, *PLACES, *POINTS, *CROP, *POSE, *MEASURED, FACE_BY, FACE_IN, CAMERA_TILT, CUT_FROM, BOXES,
    *simulation.COLUMNS,
)  # fmt: skip
CHOOSING = "choosing the threshold"  # where subjects are that a card reports too
_OF_ATTACKS = (*MATERIALS, *PRESENTERS, "instrument", "support")  # of bona fide there is nothing to be said


@dataclass(frozen=True)
class Kind:
    """The presentations of a species, or the bona fide ones."""

    name: str  # "" for bona fide
    n: int
    materials: Mapping[str, int] | None  # presentations of each, most first; None without a column
    n_subjects: int | None  # that are named; None without a column
    per_subject: tuple[int, float, int] | None  # fewest, median, most presentations of one that is named
    presenters: tuple[str, ...] | None


@dataclass(frozen=True)
class Evidence:
    """What stands behind the rates of a card, on the samples that it reports."""

    kinds: tuple[Kind, ...]  # bona fide first, then species by name
    unstated: Mapping[str, float]  # column -> share of presentations (of what only attacks have: of these), if above 0
    absent: tuple[str, ...]  # of `ASKED`, those without a column
    shared: Mapping[str, int]  # subjects that are reported and also in train, and where the threshold was chosen
    columns: tuple[str, ...]  # that the rates were broken down by
    gaps: tuple[tuple[Breakdown, Gap], ...]  # beyond chance, the largest of each column and rate; of live first
    cost: tuple[float, float, float] | None  # a month: likely, low, high; None where none is defined


def evidence(card: Card, run: Run) -> Evidence:
    """Of a card and its Run, whose digest must be the one on the card."""
    left_out = ("subset", *_WRITTEN)  # rates of subsets stand on the card
    by = [name for name in breakdown.columns_for(run) if name not in left_out]
    asked = [name for names in ASKED.values() for name in names]
    columns = [name for name in run.column_names() if name in (*by, *asked, *_OF_ATTACKS)]
    decided = presentations(
        run, scores.values(run, card.score), card.level, fail_closed=card.fail_closed, columns=columns
    )
    reported = decided.within(card.reported_on)
    rows, values = decided.rows[reported], decided.values[reported]
    used = [name for name in by if name in rows]
    return Evidence(
        kinds=tuple(_kinds(rows)),
        unstated=_unstated(rows, [name for name in columns if name in rows]),
        absent=tuple(what for what, names in ASKED.items() if not any(name in rows for name in names)),
        shared=_shared(decided, card),
        columns=tuple(used),
        gaps=tuple(_gaps(rows, values, card.threshold, used)),
        cost=_cost(decided, card),
    )


def _cost(decided: Presentations, card: Card) -> tuple[float, float, float] | None:
    if card.costs is None:
        return None
    try:
        curve = cost.expected(decided.score_set(card.reported_on), card.costs, np.array([card.threshold]))
    except UndefinedMetricError:  # a species that has a share is not among what is reported
        return None
    return float(curve.likely[0]), float(curve.low[0]), float(curve.high[0])


def _kinds(rows: pd.DataFrame) -> list[Kind]:
    is_attack = rows["label"] == ATTACK
    species = rows["pai_species"].astype("str").fillna("").str.strip().replace("", UNSPECIFIED).where(is_attack, "")
    return [_kind(str(name), rows[species == name]) for name in sorted(species.unique())]


def _kind(name: str, rows: pd.DataFrame) -> Kind:
    """`name`: "" for bona fide, which are made of nothing and present themselves."""
    material, presenter = (next((column for column in of if column in rows), None) for of in (MATERIALS, PRESENTERS))
    per_subject = _counts(rows["subject_id"]) if "subject_id" in rows else None
    counts = None if per_subject is None or not len(per_subject) else per_subject.to_numpy()
    return Kind(
        name=name,
        n=len(rows),
        materials=None if material is None or not name else _counts(rows[material]).to_dict(),
        n_subjects=None if per_subject is None else len(per_subject),
        per_subject=None if counts is None else (int(counts.min()), float(np.median(counts)), int(counts.max())),
        presenters=None if presenter is None or not name else tuple(_counts(rows[presenter]).index),
    )


def _counts(values: pd.Series) -> pd.Series:
    """How often each stated text is there, the most frequent first and by name among equals."""
    codes, texts = breakdown.stated(values)
    counts = pd.Series(np.bincount(codes[codes >= 0], minlength=len(texts)), index=texts.tolist(), dtype="int64")
    return counts.sort_values(ascending=False, kind="stable")


def _unstated(rows: pd.DataFrame, columns: Sequence[str]) -> dict[str, float]:
    attacks = rows[rows["label"] == ATTACK]
    shares = {}
    for name in columns:
        asked = attacks if name in _OF_ATTACKS else rows
        if len(asked) and (share := float((breakdown.stated(asked[name])[0] < 0).mean())):
            shares[name] = share
    return dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))


def _shared(decided: Presentations, card: Card) -> dict[str, int]:
    """How many of the reported subjects are elsewhere too, by where; only where there are some."""
    if "subject_id" not in decided.rows:
        return {}

    def people(subsets: Sequence[str]) -> set[str]:
        return set(_counts(decided.rows["subject_id"][decided.of.of_subsets(subsets)]).index)

    reported = people(card.reported_on)
    elsewhere = {"training": [TRAIN], CHOOSING: sorted(set(card.chosen_on) - set(card.reported_on))}
    return {where: n for where, subsets in elsewhere.items() if (n := len(reported & people(subsets)))}


def _gaps(
    rows: pd.DataFrame, values: NDArray[np.float64], threshold: float, columns: Sequence[str]
) -> list[tuple[Breakdown, Gap]]:
    """Those of live people first, however large the gaps of attacks are; the largest first among each."""
    beyond: list[tuple[Breakdown, Gap]] = []
    for column in columns:
        try:
            by_group = breakdown.by_column(rows, values, threshold, column)
        except BadInputError:  # nothing is stated there in the reported samples
            continue
        beyond += [(by_group, gap) for gap in by_group.named() if gap.is_beyond_chance]
    largest: dict[tuple[str, str | None], tuple[Breakdown, Gap]] = {}
    for by_group, gap in sorted(beyond, key=lambda pair: -pair[1].difference):
        largest.setdefault((by_group.column, gap.species), (by_group, gap))
    return sorted(largest.values(), key=lambda pair: pair[1].species is not None)
