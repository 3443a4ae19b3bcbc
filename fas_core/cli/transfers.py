"""`fas matrix`: Runs of models that learned one data set, on others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import CacheOption, JsonOption, LevelOption, opened_run
from fas_core.cli.printing import number, print_json, print_table, rate, say, say_notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fas_core.evaluation.transfers import Cell, Matrix


def matrix(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...")],
    cache: CacheOption,
    score: Annotated[str | None, typer.Option(help="The score of every Run; else each Run's usual one.")] = None,
    level: LevelOption = "frame",
    intervals: Annotated[bool, typer.Option("--intervals", help="95 % intervals too: --json has them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """AUC, APCER and BPCER by what was trained on and what is tested on. Example: `fas matrix loo-oulu loo-siw --json`

    Data sets are the samples' sources (fas data merge), else the Runs' manifests; * marks those that a model learned.
    Runs of one checkpoint are a row; its threshold is chosen where it learned.
    """
    from fas_core import scores
    from fas_core.evaluation import transfers
    from fas_core.evaluation.join import System

    opened = [opened_run(cache, run) for run in runs]
    systems = [System(run, score or scores.usual(scores.offered(run))) for run in opened]
    table = transfers.matrix(systems, level, with_intervals=intervals)
    if as_json:
        return print_json(table.as_json())
    _print(table, "AUC (EER) on", lambda cell: f"{number(cell.roc_auc)} ({rate(cell.eer)})")
    _print(
        table,
        f"Worst APCER / BPCER where {table.rule.words} is chosen on the data that was learned, on",
        lambda cell: f"{rate(cell.apcer)} / {rate(cell.bpcer)}" + " optimistic" * cell.is_optimistic,
    )
    say(" ".join(filter(None, (transfers.answer(table), transfers.answer_of_rates(table)))))
    say_notes([transfers.CAUTION, *table.notes])


def _print(table: Matrix, title: str, words: Callable[[Cell], str]) -> None:
    rows = []
    for row in table.rows:
        cells = [row.cells.get(name) for name in table.tested_on]
        texts = ["" if cell is None else words(cell) + "*" * bool(cell.is_trained_on) for cell in cells]
        rows.append([row.called, row.score, ", ".join(row.trained_on) or "not stated", *texts])
    print_table(title, ["run", "score", "trained on", *table.tested_on], rows)
