"""`fas bench`: the project's own measurements."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fas_core.cli.options import JsonOption
from fas_core.cli.printing import print_json, print_table, say
from fas_core.errors import BadInputError

# --------------------------------------------------------------------------------------------------------------- bench


def measurements(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this measurement.")] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Manifest: measure on its pictures (faces); detection takes several."),
    ] = None,
    scale: Annotated[str, typer.Option(help="How long detection trains: tiny, small, full.")] = "small",
    seed: Annotated[int, typer.Option(help="Of detection: people of each part, trainings, attacks.")] = 0,
    seeds: Annotated[int, typer.Option(help="How many seeds detection is measured with, from --seed on.")] = 1,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Of detection: this training beside the thesis'; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where detection keeps what it made, and goes on.")] = Path("detection"),
    as_json: JsonOption = False,
) -> None:
    """The project's own measurements, as ratios taken in one run. Example: `fas bench metrics`

    `fas bench detection --data faces.csv --out DIR` trains the thesis' models and every addition to them, and says
    which additions tell unseen attacks by unseen people better: AUC, APCER at BPCER 5 %, differences with intervals.
    Killed, it goes on where it was.
    """
    from fas_core import bench

    if name == bench.DETECTION:
        return detection(data or [], scale, range(seed, seed + seeds), only or [], out, as_json=as_json)
    if data is not None and name is None:
        raise BadInputError("--data is of one measurement: fas bench faces --data M.csv")
    if data is not None and len(data) > 1:
        raise BadInputError("The measurement takes one --data. 'detection' takes several.")
    results = []
    for wanted in [name] if name else bench.names():
        say(f"Measuring {wanted} ...")
        try:
            results.append(bench.result(wanted, data[0] if data else None))
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


def detection(
    data: Sequence[Path], scale: str, seeds: Sequence[int], only: Sequence[str], out: Path, *, as_json: bool
) -> None:
    """Prints the verdict table as Markdown, or all of it as JSON."""
    from fas_core.bench import detection as core

    if not seeds:
        raise BadInputError("--seeds 0 measures nothing. Take 1 or more.")
    plan = core.Plan.of(scale, seeds, data, only)
    measured = core.measured(plan, out, say, command=shlex.join(["fas", *sys.argv[1:]]))
    say(f"Wrote verdict.md, verdict.json and pairs.csv in {out}.")
    if as_json:
        return print_json(measured.document)
    print(measured.markdown, end="")
