"""`fas matrix`: Runs of models that learned one data set, on others."""

from __future__ import annotations

from typing import Annotated

import typer

from fas_core.cli.options import CacheOption, JsonOption, LevelOption
from fas_core.cli.printing import number, print_json, print_table, rate


def matrix(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...")],
    cache: CacheOption,
    score: Annotated[str | None, typer.Option(help="The score of every Run; else each Run's usual one.")] = None,
    level: LevelOption = "frame",
    as_json: JsonOption = False,
) -> None:
    """AUC and EER by what was trained on and what is tested on. Example: `fas matrix loo-oulu loo-siw --json`

    Data sets are the samples' sources (fas data merge), else the Runs' manifests; * marks those that a model learned.
    """
    from fas_core.evaluation import transfers
    from fas_core.runs import store

    table = transfers.matrix([store.open_run(cache, run) for run in runs], score, level)
    if as_json:
        return print_json(table.as_json())
    rows = []
    for row in table.rows:
        texts = []
        for name in table.tested_on:
            cell = row.cells.get(name)
            mark = "*" if cell and cell.is_trained_on else ""
            texts.append("" if cell is None else f"{number(cell.roc_auc)} ({rate(cell.eer)}){mark}")
        rows.append([row.called, row.score, ", ".join(row.trained_on) or "not stated", *texts])
    print_table("AUC (EER) on", ["run", "score", "trained on", *table.tested_on], rows)
