"""`fas compare`: Runs against a first one, in words, as tables and for papers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import (
    CacheOption,
    EngineOption,
    JsonOption,
    LevelOption,
    intervals_by,
    only_score,
    opened_run,
)
from fas_core.cli.printing import caution_words, number, print_json, print_table, say
from fas_core.errors import BadInputError

MOST_TOO_FEW = 3  # groups too small to judge that are named; all are in the JSON

if TYPE_CHECKING:
    from fas_core.evaluation.comparison import PairedComparison
    from fas_core.evaluation.differences import Difference
    from fas_core.evaluation.join import System
    from fas_core.evaluation.regressions import Regressions
    from fas_core.evaluation.several import Several
    from fas_core.runs.store import Run


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN_A RUN_B...", help="The first, and those against it; or RUN:SCORE.")
    ],
    cache: CacheOption,
    score: Annotated[
        str | None, typer.Option(help="A score that both have, or that of A; by default the only one of A.")
    ] = None,
    score_b: Annotated[str | None, typer.Option(help="Of two Runs: the score of B, where it is another one.")] = None,
    rule: Annotated[str, typer.Option(help="bpcer<=X, apcer<=X (worst species), eer, or threshold=X of A.")] = (
        "bpcer<=0.05"
    ),
    choose_on: Annotated[
        list[str] | None,
        typer.Option(
            help="Subset that fixes each threshold, judged on the others; by default as on the screen; may be repeated."
        ),
    ] = None,
    matched: Annotated[
        bool, typer.Option("--matched", help="Thresholds are matched anew where Runs are judged.")
    ] = False,
    level: LevelOption = "frame",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a row per Run and metric as CSV.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print a table for a paper (booktabs).")] = False,
    engine: EngineOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Runs on the samples that all share, each minus the first, and what got worse.

    Runs of one experiment with different seeds are also taken together: their mean, and the spread of trainings.
    Example: `fas compare small_dcvae small_resvae --score rec --choose-on live`
    """
    from fas_core import files
    from fas_core.data.names import dev_subsets
    from fas_core.evaluation.several import several
    from fas_core.metrics import operating_point as op
    from fas_core.reports import papers

    if as_csv + as_latex + as_json > 1:
        raise BadInputError("--csv, --latex and --json: choose one.")
    if len(runs) < 2 or (score_b and len(runs) > 2):
        raise BadInputError(
            "Name at least two Runs." if len(runs) < 2 else "--score-b is of two Runs; of more, write RUN:SCORE."
        )
    systems = systems_of(cache, runs, score, score_b)
    chosen_on = [] if matched else choose_on or dev_subsets(systems[0].run.subsets)
    with intervals_by(engine):
        of = several(systems, op.rule(rule), level, chosen_on=chosen_on)
    _say_cautions(of)
    if as_json and len(runs) > 2:
        return print_json(of.as_json())
    if as_json:
        return print_json(of.pairs[0].as_json() | {"seeds": [group.as_json() for group in of.seeds]})
    if as_csv:
        return print(files.csv(papers.differences(of)).decode(), end="")
    if as_latex:
        return print(papers.latex_of_several(of), end="")
    return _print_pair(of) if len(runs) == 2 else _print_several(of)


def _say_cautions(of: Several) -> None:
    """Each once, though several pairs share a Run; then whose scores have another sign than where they are from."""
    from fas_core import scores

    called = {
        system.run.id: name.removesuffix(f", {system.score}") for system, name in zip(of.systems, of.names, strict=True)
    }
    for said in dict.fromkeys(
        caution_words(caution, called[of_run.id]) for pair in of.pairs for of_run, caution in pair.cautions
    ):
        say(said)
    for (run, score), name in zip(of.systems, of.names, strict=True):
        if words := scores.sign_words(run, score):
            say(f"Note: {name}: {words}")


def systems_of(
    cache: Path, runs: Sequence[str], score: str | None = None, score_b: str | None = None, by: str = "--score"
) -> list[System]:
    """What RUN or RUN:SCORE name; a name may hold a colon itself. `by`: as of `only_score`."""
    from fas_core.evaluation.join import System

    opened: list[tuple[Run, str]] = []
    for text in runs:
        try:
            opened.append((opened_run(cache, text), ""))
        except BadInputError:
            name, _, own = text.rpartition(":")
            if not name:
                raise
            opened.append((opened_run(cache, name), own))
    first = opened[0][1] or score or only_score(opened[0][0], runs[0], by)
    others = [own or score_b or score or first for _, own in opened[1:]]
    return [System(run, by) for (run, _), by in zip(opened, [first, *others], strict=True)]


def _print_several(of: Several) -> None:
    """Each Run against the first, in a table and in words; then experiments of several seeds."""
    from fas_core.evaluation.comparison import document_name
    from fas_core.evaluation.join import left_out_words
    from fas_core.evaluation.several import SPREAD

    pair, first = of.pairs[0], of.names[0]
    print(f"{pair.n_common:,} {pair.decided}s that all {len(of.systems)} have. {left_out_words(pair.decided)}")
    print("\n".join(pair.companions.in_words[:1]), end="\n" if pair.companions.in_words else "")
    for name, other in zip(of.names[1:], of.pairs, strict=True):
        rows = [
            [document_name(statistic), number(metric.a), _with_difference(metric)]
            for statistic, metric in other.metrics.items()
        ]
        print_table(f"{name} (B) minus {first} (A)", ["metric", "A", "B (B - A, 95 %)"], rows)
        print(" ".join(filter(None, [other.headline, *other.in_words])))
    print(f"In brackets: 95 % by {pair.unit}, n = {pair.n_units:,}, of the difference on the same people.")
    for group in of.seeds:
        rows = [
            [
                document_name(statistic),
                f"{number(spread.mean)} ± {number(spread.deviation)}",
                f"{number(spread.low)} to {number(spread.high)}",
                "–" if statistic not in group.above else f"{group.above[statistic]:+.3f}",
            ]
            for statistic, spread in group.metrics.items()
        ]
        print_table(group.words, ["metric", "mean ± deviation", "trainings", "mean - A"], rows)
    if of.seeds:
        print(f"{SPREAD}.")


def _with_difference(metric: Difference) -> str:
    if metric.b is None:
        return "–"
    ends = "" if metric.low is None else f", {metric.low:+.3f} to {metric.high:+.3f}"
    return number(metric.b) + ("" if metric.difference is None else f" ({metric.difference:+.3f}{ends})")


def _print_pair(of: Several) -> None:
    """Two Runs: every metric, and what got worse."""
    from fas_core.evaluation.join import left_out_words
    from fas_core.metrics import limits

    [compared] = of.pairs
    a, b = (
        name if name.endswith(f", {score}") else f"{name}, {score}"
        for name, (_, score) in zip(of.names, of.systems, strict=True)
    )
    print(f"A: {a}. B: {b}.", end=f"\n{compared.headline}\n" if compared.headline else "\n")
    print(f"{compared.counts_words}. {left_out_words(compared.decided)}")
    print("\n".join((*compared.companions.in_words, *compared.in_words)))
    for letter, target in zip("AB", compared.targets, strict=False):
        optimistic = " Optimistic." if compared.matching.is_optimistic else ""
        print(f"{letter}: {limits.target_words(compared.matching.rule, target)}.{optimistic}")
    _print_metrics(compared)
    if compared.worse is not None:
        _print_worse(compared.worse)


def _print_metrics(compared: PairedComparison) -> None:
    """Every metric of A and B."""
    from fas_core.evaluation.comparison import document_name

    rows = [
        [
            document_name(statistic),
            number(metric.a),
            number(metric.b),
            "–" if metric.difference is None else f"{metric.difference:+.3f}",
            "–" if metric.low is None else f"{metric.low:+.3f} to {metric.high:+.3f}",
            "–" if metric.p is None else f"{'<= ' if metric.is_bound else ''}{metric.p:.3g}",
            metric.method or "–",
        ]
        for statistic, metric in compared.metrics.items()
    ]
    unit = f"by {compared.unit}, n = {compared.n_units:,}, {compared.resamples:,} resamples (the screen takes 1,000)"
    print_table(f"B - A, 95 % {unit}", ["metric", "A", "B", "B - A", "95 %", "p", "p by"], rows)


def _print_worse(worse: Regressions) -> None:
    """Every group in which B is worse, and what is too small to say."""
    rows = [
        [
            cell.words,
            f"{cell.n:,}",
            f"{100 * cell.a:.1f} %",
            f"{100 * cell.b:.1f} %",
            f"{100 * cell.difference:+.1f}",
            "–" if cell.low is None or cell.high is None else f"{100 * cell.low:+.1f} to {100 * cell.high:+.1f}",
            "–" if cell.p is None else f"{cell.p:.3g}",
            cell.verdict,
        ]
        for cells in worse.listed()
        for cell in cells
        if cell.p is not None
    ]
    if rows:
        heads = ["wrong verdicts of", "n", "A", "B", "points", "95 %", "p", "sure?"]
        print_table("What got worse, p corrected", heads, rows)
        print(worse.correction_words)
    print("\n".join(filter(None, [worse.counts_words, worse.of_one_words(), worse.better_words()])))
    if worse.too_few:
        of = f", {worse.unit}s" if worse.has_units else ""
        small = "; ".join(
            f"{cell.words} {cell.shares} (n = {cell.n:,}{f'{of} = {cell.n_units}' if of else ''})"
            for cell in worse.too_few[:MOST_TOO_FEW]
        )
        more = len(worse.too_few) - MOST_TOO_FEW
        print(f"Too few to judge: {small}{f'; {more:,} more, all in --json' if more > 0 else ''}.")
