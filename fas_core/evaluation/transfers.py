"""What models trained on some data sets make of others: a row per Run, a column per data set that is tested on.

A Run's samples are of the `source` that they name (`fas data merge`), else of its manifest. Training images and
injection attacks are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.merging import SOURCE
from fas_core.data.names import ATTACK, outside_training
from fas_core.documents import Json
from fas_core.evaluation.presentations import FRAME, Presentations, presentations
from fas_core.metrics import UndefinedMetricError
from fas_core.runs import naming
from fas_core.runs.store import Run


@dataclass(frozen=True)
class Cell:
    """A Run on one data set; None where it has presentations of one class only."""

    roc_auc: float | None
    eer: float | None
    n_bona_fide: int
    n_attack: int
    is_trained_on: bool | None  # None where nobody knows


@dataclass(frozen=True)
class Row:
    """A Run by a score, on every data set that it was tested on."""

    run: str  # the id
    called: str
    score: str
    trained_on: tuple[str, ...]  # sources; empty where the checkpoint names none
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Matrix:
    """Rows in the order of the Runs; columns by name."""

    level: str
    tested_on: tuple[str, ...]
    rows: tuple[Row, ...]

    def as_json(self) -> Json:
        """The document of `fas matrix --json`."""
        return metrics.json_safe(asdict(self))


def matrix(runs: Sequence[Run], score: str | None = None, level: str = FRAME) -> Matrix:
    """By one score, or each Run by its usual one. Raises BadInputError for a score or level that a Run has not."""
    called = naming.told_apart([naming.facts_of(run) for run in runs])
    rows = tuple(_row(run, called[run.id], score or scores.usual(scores.offered(run)), level) for run in runs)
    return Matrix(level, tuple(sorted({name for row in rows for name in row.cells})), rows)


def _row(run: Run, called: str, score: str, level: str) -> Row:
    decided = presentations(run, scores.values(run, score), level, columns=[SOURCE])
    images = run.info.checkpoint_header.get("images", {})
    trained_on = tuple(sorted(images.get("sources", {})))
    is_tested = decided.within(outside_training(run.subsets))
    if SOURCE in decided.rows:
        of_row = decided.rows[SOURCE].astype("str").fillna("").to_numpy(str)
    else:
        of_row = np.full(len(decided.rows), naming.facts_of(run).data or run.info.name)
    names = sorted(set(of_row[is_tested]) - {""})
    return Row(
        run.id,
        called,
        score,
        trained_on,
        {
            name: _cell(decided, is_tested & (of_row == name), name in trained_on if trained_on else None)
            for name in names
        },
    )


def _cell(decided: Presentations, chosen: NDArray[np.bool_], is_trained_on: bool | None) -> Cell:
    codes, names = decided.of.kinds
    judged = metrics.score_set_from_codes(decided.values[chosen], codes[chosen], names)
    is_attack = (decided.rows["label"] == ATTACK).to_numpy()[chosen]
    auc: float | None = None
    eer: float | None = None
    with suppress(UndefinedMetricError):
        auc, eer = metrics.roc_auc(judged), metrics.equal_error_rate(judged).value
    return Cell(auc, eer, int((~is_attack).sum()), int(is_attack.sum()), is_trained_on)
