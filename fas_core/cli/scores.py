"""`fas metrics`, `fas scores ...`: score files of any system."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from fas_core.cli.options import (
    AttackLabelOption,
    BonaFideLabelOption,
    CacheOption,
    ColumnOption,
    FailClosedOption,
    HigherIsOption,
    JsonOption,
    SpeciesLabelOption,
)
from fas_core.cli.printing import number, print_at_thresholds, print_groups, print_json, print_metrics, rate, say

# -------------------------------------------------------------------------------------------------------------- scores


def score_metrics(
    scores: Annotated[Path, typer.Argument(metavar="SCORES.csv")],
    threshold: Annotated[list[float] | None, typer.Option(help="Rates at this threshold; may be repeated.")] = None,
    max_bpcer: Annotated[list[float] | None, typer.Option(help="APCER where BPCER is at most this.")] = None,
    max_apcer: Annotated[list[float] | None, typer.Option(help="BPCER where APCER is at most this.")] = None,
    prior: Annotated[list[float] | None, typer.Option(help="Share of attacks to assume.")] = None,
    subset: Annotated[str | None, typer.Option(help="Only this subset (or split).")] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Rates per group of this column; may repeat.")] = None,
    column: ColumnOption = None,
    attack_label: AttackLabelOption = None,
    bona_fide_label: BonaFideLabelOption = None,
    species_label: SpeciesLabelOption = None,
    higher_is: HigherIsOption = None,
    fail_closed: FailClosedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Metrics of any score file. Example: `fas metrics scores.csv --max-bpcer 0.05 --by device --json`

    With --by, every group of a column at each threshold asked for, or else at the one of BPCER ≤ 5 %.
    """
    from fas_core import metrics as m
    from fas_core.data.manifest import LabelValues
    from fas_core.evaluation import run_metrics
    from fas_core.runs import scorefile

    is_negated = bool(scorefile.negated(higher_is or [], [scorefile.SCORE]))
    labels = LabelValues.of(attack_label, bona_fide_label, species_label)
    file = scorefile.read(scores, labels, scorefile.column_names(column or []), is_negated)
    if subset is not None:
        file = file.only(subset)
    rows = file.rows
    if fail_closed:
        rows = rows.assign(score=rows["score"].fillna(math.inf))
    one = m.score_set(rows["score"].to_numpy(float), rows["label"].to_numpy() == "attack", list(rows["pai_species"]))
    if not threshold:  # at a threshold that is given, APCER needs no bona fide samples and BPCER no attacks
        run_metrics.require_both_classes(one, str(scores) if subset is None else f"Subset '{subset}' of {scores}")
    document = m.document(
        one,
        thresholds=threshold or (),
        max_bpcer=max_bpcer or m.TARGETS,
        max_apcer=max_apcer or m.TARGETS,
        priors=prior or m.PRIORS,
    )
    missing = document["n_non_response"]
    if sum(missing.values()):
        first = int(rows["score"].isna().to_numpy().argmax()) + 1
        say(
            f"{scores}: {sum(missing.values())} samples have no score (first: row {first}); they count as "
            "non-responses beside the rates, never as live. Fill them in if the system did answer."
        )
    for note in (*file.notes, *scorefile.oddities(rows, is_negated=is_negated)):
        say(f"Note: {note}")
    for value in threshold or ():
        if warning := scorefile.outside(rows["score"], value):
            say(f"Note: {warning}")
    if by:
        document["groups"] = _groups(document, rows, by, threshold or [], max_bpcer or [], max_apcer or [])
    if as_json:
        return print_json(document)
    print_metrics(str(scores), {subset or "all": document})
    for entry in document["apcer_at_bpcer"]:
        print(
            f"BPCER ≤ {rate(entry['target'])}: worst APCER {rate(entry['apcer_max'])}, threshold {entry['threshold']}"
        )
    for entry in document["bpcer_at_apcer"]:
        print(f"APCER ≤ {rate(entry['target'])}: BPCER {rate(entry['bpcer'])}, threshold {entry['threshold']}")
    for share, precision in document["prior_adjusted_average_precision"].items():
        print(f"With {100 * float(share):g} % attacks: average precision {number(precision)}")
    print_at_thresholds(document)
    for found in document.get("groups", []):
        print_groups(found)


def _groups(
    document: dict[str, Any],
    rows: Any,
    columns: list[str],
    thresholds: list[float],
    max_bpcer: list[float],
    max_apcer: list[float],
) -> list[dict[str, Any]]:
    """A breakdown per column and threshold that was asked for; without any, at the one of BPCER ≤ 5 %."""
    from fas_core.evaluation import breakdown

    is_asked = bool(thresholds or max_bpcer or max_apcer)
    at = [(f"threshold {entry['threshold']}", entry) for entry in document["at_threshold"]]
    for name, targets, key in (
        ("BPCER", max_bpcer if is_asked else [0.05], "apcer_at_bpcer"),
        ("APCER", max_apcer, "bpcer_at_apcer"),
    ):
        for entry in document[key]:
            if entry["target"] in targets and entry["threshold"] is not None:
                text = f"threshold {entry['threshold']}, where {name} ≤ {rate(entry['target'])} on these same samples"
                at.append((text, entry))
    return [
        breakdown.by_column(rows, rows["score"], float(entry["threshold"]), column).as_json() | {"at": text}
        for column in columns
        for text, entry in at
    ]


def scores_import(
    scores: Annotated[list[str], typer.Argument(metavar="[NAME=]SCORES.csv...")],
    name: Annotated[str, typer.Option(help="Name of the Run.")],
    cache: CacheOption,
    column: ColumnOption = None,
    attack_label: AttackLabelOption = None,
    bona_fide_label: BonaFideLabelOption = None,
    species_label: SpeciesLabelOption = None,
    higher_is: HigherIsOption = None,
) -> None:
    """A Run from score files, one per system, joined on sample_id. Example: `fas scores import dev.csv --name vendor`

    Several: `fas scores import a.csv b=other.csv --name both --column score=anomaly --higher-is b=bona_fide`
    """
    from fas_core.data.manifest import LabelValues
    from fas_core.runs import scorefile
    from fas_core.runs.scorefile import scores_only_run

    files = scorefile.systems(scores)
    negated = scorefile.negated(higher_is or [], list(files))
    labels = LabelValues.of(attack_label, bona_fide_label, species_label)
    made = scorefile.read_joined(files, labels, scorefile.column_names(column or []), negated)
    for note in made.notes:
        say(f"Note: {note}")
    options = [("--column", text) for text in column or []] + [("--higher-is", text) for text in higher_is or []]
    options += [
        (option, text)
        for option, text in (
            ("--attack-label", attack_label),
            ("--bona-fide-label", bona_fide_label),
            ("--species-label", species_label),
        )
        if text is not None
    ]
    named = [path.name if system == scorefile.SCORE else f"{system}={path.name}" for system, path in files.items()]
    source = shlex.join([*named, *(part for option in options for part in option)])
    run = scores_only_run(cache, name, made.rows, made.scores, source)
    print(run.id)
