"""Metrics of a score file: those of `fas metrics`, its breakdowns by column, and what a person should know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fas_core import metrics
from fas_core.data import simulation
from fas_core.data.names import ATTACK
from fas_core.evaluation import breakdown
from fas_core.evaluation.breakdown import Breakdown
from fas_core.evaluation.run_metrics import require_both_classes
from fas_core.metrics import Summary
from fas_core.runs import scorefile
from fas_core.runs.scorefile import ScoreFile

BROKEN_DOWN_AT = 0.05  # the BPCER whose threshold a breakdown looks at, where none was asked for


def fail_closed(file: ScoreFile) -> ScoreFile:
    """The same samples, where none without a score gets in: its score is +inf."""
    return replace(file, rows=file.rows.assign(score=file.rows[scorefile.SCORE].fillna(math.inf)))


def summary(
    file: ScoreFile,
    where: str,
    *,
    thresholds: Sequence[float] = (),
    max_bpcer: Sequence[float] = (),
    max_apcer: Sequence[float] = (),
    priors: Sequence[float] = (),
) -> Summary:
    """`metrics.summary` of the file's scores, at the usual targets and priors where none are named.

    Raises BadInputError, beginning with `where`, when one of the two classes has no score and no threshold is given.
    """
    rows = file.rows
    scores_of_file = metrics.score_set(
        rows[scorefile.SCORE].to_numpy(np.float64), rows["label"].to_numpy() == ATTACK, list(rows["pai_species"])
    )
    if not thresholds:  # at a threshold that is given, APCER needs no bona fide samples and BPCER no attacks
        require_both_classes(scores_of_file, where)
    return metrics.summary(
        scores_of_file,
        thresholds=thresholds,
        max_bpcer=max_bpcer or metrics.TARGETS,
        max_apcer=max_apcer or metrics.TARGETS,
        priors=priors or metrics.PRIORS,
    )


def notes(file: ScoreFile, thresholds: Sequence[float] = (), *, is_negated: bool = False) -> list[str]:
    """Sentences on samples without a score, on what looks wrong, and on thresholds that separate nothing."""
    values = file.rows[scorefile.SCORE]
    sentences = []
    if n_missing := int(values.isna().sum()):
        first = int(values.isna().to_numpy().argmax()) + 1
        sentences.append(
            f"{file.source}: {n_missing} samples have no score (first: row {first}); they count as non-responses "
            "beside the rates, never as live. Fill them in if the system did answer."
        )
    sentences += [f"Note: {note}" for note in (*file.notes, *scorefile.oddities(file.rows, is_negated=is_negated))]
    if caveat := simulation.caveat(simulation.simulated_species(file.rows)):
        sentences.append(f"Note: {caveat}")
    warnings = (scorefile.outside(values, threshold) for threshold in thresholds)
    return sentences + [f"Note: {warning}" for warning in warnings if warning]


def groups(
    file: ScoreFile,
    summary: Summary,
    columns: Sequence[str],
    *,
    thresholds: Sequence[float] = (),
    max_bpcer: Sequence[float] = (),
    max_apcer: Sequence[float] = (),
) -> list[tuple[str, Breakdown]]:
    """A breakdown per column and threshold that was asked for; without any, at the one of `BROKEN_DOWN_AT`.

    `summary`: made with the same thresholds and targets. Each comes with words for which threshold it is. Raises
    BadInputError for a column that makes no groups.
    """
    is_asked = bool(thresholds or max_bpcer or max_apcer)
    at = [(f"threshold {rates.threshold}", rates.threshold) for rates in summary.at_threshold]
    for name, targets, at_targets in (
        ("BPCER", max_bpcer if is_asked else [BROKEN_DOWN_AT], summary.apcer_at_bpcer),
        ("APCER", max_apcer, summary.bpcer_at_apcer),
    ):
        for rates_there in at_targets:
            if rates_there.target in targets and rates_there.threshold is not None:
                limit = f"{name} ≤ {100 * rates_there.target:.1f} %"
                words = f"threshold {rates_there.threshold}, where {limit} on these same samples"
                at.append((words, rates_there.threshold))
    values = file.rows[scorefile.SCORE]
    return [
        (words, breakdown.by_column(file.rows, values, threshold, column))
        for column in columns
        for words, threshold in at
    ]
