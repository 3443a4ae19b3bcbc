"""`fas metrics`, `fas scores ...`: score files of any system."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

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
from fas_core.cli.printing import print_json, print_score_file, say

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
    from fas_core.data.manifest import LabelValues
    from fas_core.evaluation import file_metrics
    from fas_core.runs import scorefile

    is_negated = bool(scorefile.negated(higher_is or [], [scorefile.SCORE]))
    labels = LabelValues.of(attack_label, bona_fide_label, species_label)
    file = scorefile.read(scores, labels, scorefile.column_names(column or []), is_negated)
    if subset is not None:
        file = file.only(subset)
    if fail_closed:
        file = file_metrics.fail_closed(file)
    at: dict[str, list[float]] = {
        "thresholds": threshold or [],
        "max_bpcer": max_bpcer or [],
        "max_apcer": max_apcer or [],
    }
    where = str(scores) if subset is None else f"Subset '{subset}' of {scores}"
    summary = file_metrics.summary(file, where, **at, priors=prior or [])
    for note in file_metrics.notes(file, threshold or [], is_negated=is_negated):
        say(note)
    if subset is None and len(pooled := sorted(file.rows["subset"].unique())) > 1:
        say(f"Note: {' and '.join(pooled)} are pooled; --subset {pooled[0]} looks at one of them.")
    groups = file_metrics.groups(file, summary, by or [], **at)
    if as_json:
        listed = [breakdown.as_json() | {"at": words} for words, breakdown in groups]
        return print_json(summary.as_json() | ({"groups": listed} if by else {}))
    print_score_file(str(scores), subset or "all", summary, groups)


def scores_import(
    scores: Annotated[list[str], typer.Argument(metavar="[NAME[@SUBSET]=]SCORES...")],
    name: Annotated[str, typer.Option(help="Name of the Run.")],
    cache: CacheOption,
    kind: Annotated[
        str,
        typer.Option("--format", help="csv; bob-csv, bob4, bob5 of bob.pad; lines; or sniff: as the first line says."),
    ] = "csv",
    fields: Annotated[
        str, typer.Option(help="Of --format lines: what the fields of a line are, in order.")
    ] = "sample_id,score,label",
    column: ColumnOption = None,
    attack_label: AttackLabelOption = None,
    bona_fide_label: BonaFideLabelOption = None,
    species_label: SpeciesLabelOption = None,
    higher_is: HigherIsOption = None,
) -> None:
    """A Run from score files, one per system, joined on sample_id. Example: `fas scores import dev.csv --name vendor`

    Several: `fas scores import a.csv b=other.csv --name both --column score=anomaly --higher-is b=bona_fide`

    A file per subset: `fas scores import @dev=scores-dev.csv @eval=scores-eval.csv --format bob-csv --name pad`
    """
    from fas_core.data.manifest import LabelValues
    from fas_core.runs import health, scorefile, scorelists
    from fas_core.runs.scorefile import scores_only_run

    files = scorefile.systems(scores)
    paths = list(dict.fromkeys(part.path for parts in files.values() for part in parts))
    if kind == scorelists.SNIFF:
        kind = scorelists.sniffed_together(paths)
        say(f"Note: read as --format {kind}.")
    turned = scorelists.orientation(kind, higher_is or [])
    negated = scorefile.negated(turned, list(files))
    labels = LabelValues.of(attack_label, bona_fide_label, species_label)
    names = scorefile.column_names(column or [])
    joined = scorefile.read_joined(files, labels, names, negated, kind=kind, fields=fields.split(","))
    for note in joined.notes:
        say(f"Note: {note}")
    options = [("--column", text) for text in column or []] + [("--higher-is", text) for text in turned]
    options += [
        (option, text)
        for option, text in (
            ("--format", None if kind == scorelists.CSV else kind),
            ("--fields", fields if kind == scorelists.LINES else None),
            ("--attack-label", attack_label),
            ("--bona-fide-label", bona_fide_label),
            ("--species-label", species_label),
        )
        if text is not None
    ]
    named = [part.named(system) for system, parts in files.items() for part in parts]
    source = shlex.join([*named, *(part for option in options for part in option)])
    run = scores_only_run(cache, name, joined.rows, joined.scores, source)
    if shared := health.usual_overlap(run):
        say(f"Note: {shared.message}")
    print(run.id)


def scores_join(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    cache: CacheOption,
    file: Annotated[
        Path | None, typer.Argument(metavar="[SCORES]", help="Without it: a column that the Run has itself.")
    ] = None,
    score: Annotated[
        list[str] | None,
        typer.Option("--score", help="NAME, or NAME=COLUMN; may be repeated. By default every column of numbers."),
    ] = None,
    higher_is: Annotated[
        list[str] | None, typer.Option(help="What higher values mean: attack, bona_fide, or NAME=bona_fide.")
    ] = None,
    column: ColumnOption = None,
    kind: Annotated[
        str, typer.Option("--format", help="csv (or Parquet), bob-csv, bob4, bob5, or sniff: as the first line says.")
    ] = "csv",
    replace: Annotated[bool, typer.Option("--replace", help="Puts them in the place of those of these names.")] = False,
) -> None:
    """Another system's scores in a Run, joined on sample_id. Example: `fas scores join m v.csv --higher-is attack`

    Of several columns: `fas scores join m v.csv --score vendor=liveness --higher-is vendor=bona_fide`

    A column of the Run itself: `fas scores join m --score adv --higher-is attack`
    """
    from fas_core import scores
    from fas_core.runs import joining, store

    opened, computed = store.open_run(cache, run), scores.names()
    said = joining.read(
        opened, file, score or [], higher_is or [], column or [], computed=computed, kind=kind, replaces=replace
    )
    joined = joining.join(opened, said.values, said.higher, said.source)
    samples = joined.samples(["label", "pai_species"])
    reversed_ones = [joining.reversed_note(name, scores.values(joined, name), samples) for name in said.values]
    for note in (*said.notes, *filter(None, reversed_ones)):
        say(f"Note: {note}")
    print(joined.id)


def scores_fuse(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN_A RUN_B...", help="The first gets the score; RUN:SCORE names a score.")
    ],
    cache: CacheOption,
    name: Annotated[str, typer.Option(help="Name of the fused score.")] = "fused",
    how: Annotated[str, typer.Option(help="Of a sample's ranks: mean, or max.")] = "mean",
    choose_on: Annotated[
        list[str] | None, typer.Option(help="Subset whose live samples calibrate; by default as thresholds, dev.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Puts it in the place of one of this name.")] = False,
) -> None:
    """Scores of several Runs as one, in the first: ranks among live samples. Example: `fas scores fuse nir depth`

    Runs of several modalities are joined by presentation_id and frame, others by sample_id. No attack is looked at.
    """
    from fas_core import scores
    from fas_core.cli.comparing import systems_of
    from fas_core.data.names import ATTACK
    from fas_core.errors import BadInputError
    from fas_core.evaluation import fusion
    from fas_core.runs import joining

    if len(runs) < 2:
        raise BadInputError("Name at least two Runs, or two scores of one: fas scores fuse A:rec A:kld")
    systems = systems_of(cache, runs, by="RUN:SCORE")
    first = systems[0].run
    joining.require_free(first, [name], "fas scores fuse", scores.names(), replaces=replace)
    fused = fusion.fused(systems, how, choose_on or [])
    joined = joining.join(first, {name: fused.values}, {name: ATTACK}, fused.words)
    for note in fused.notes:
        say(f"Note: {note}")
    say(f"{name}: {fused.words}")
    print(joined.id)


def scores_export(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    score: Annotated[str, typer.Option(help="The score to write.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the lists, one file per subset.")],
    cache: CacheOption,
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv or bob-csv: files scores-SUBSET.csv; bob4 or bob5, bob.pad's lists: scores-SUBSET.txt.",
        ),
    ] = "csv",
    subset: Annotated[list[str] | None, typer.Option(help="Only this subset; may be repeated.")] = None,
) -> None:
    """A Run's scores as lists, one per subset. Example: `fas scores export m --score rec --format bob4 --out lists/`

    bob's lists hold the negatives, so that higher is more bona fide, as bob takes it.
    """
    from fas_core import scores
    from fas_core.errors import BadInputError
    from fas_core.runs import scorelists, store

    opened = store.open_run(cache, run)
    values = scores.values(opened, score)
    samples = opened.samples()
    wanted = subset or opened.subsets
    for name in wanted:
        if name not in opened.subsets:
            raise BadInputError(f"Run {opened.info.name} has no subset '{name}': {', '.join(opened.subsets)}.")
    is_wanted = samples["subset"].isin(wanted).to_numpy()
    named = samples[is_wanted].drop(columns=[n for n in opened.info.scores if n in samples])
    for path in scorelists.write(named, values[is_wanted], kind, out):
        print(path)
