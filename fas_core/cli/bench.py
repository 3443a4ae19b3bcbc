"""`fas bench`: the project's own measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fas_core.cli.options import JsonOption
from fas_core.cli.printing import print_json, print_table, say
from fas_core.errors import BadInputError

# --------------------------------------------------------------------------------------------------------------- bench


def measurements(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this measurement.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Manifest: measure on its pictures (faces).")] = None,
    as_json: JsonOption = False,
) -> None:
    """The project's own measurements, as ratios taken in one run. Example: `fas bench metrics`"""
    from fas_core import bench

    if data is not None and name is None:
        raise BadInputError("--data is of one measurement: fas bench faces --data M.csv")
    results = []
    for wanted in [name] if name else bench.names():
        say(f"Measuring {wanted} ...")
        try:
            results.append(bench.result(wanted, data))
        except BadInputError as error:
            if name:
                raise
            say(f"{wanted} was not measured: {error}")  # what it needs is not installed
    if as_json:
        documents = [result.as_json() for result in results]
        return print_json(documents[0] if name else documents)
    for result in results:
        rows = [
            [figure, f"{value:.4g}", *(result.targets[figure].words if figure in result.targets else ("", ""))]
            for figure, value in result.figures.items()
        ]
        print_table(f"{result.name} ({result.machine})", ["figure", "value", "target", ""], rows)
