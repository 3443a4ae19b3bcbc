"""`fas bench`: the project's own measurements."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import JsonOption
from fas_core.cli.printing import print_json, print_table, say
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.bench import Measured
    from fas_core.bench.history import Compared

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
    history: Annotated[
        Path | None, typer.Option(help="File of what was measured before (JSON lines): compares, and adds to it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The project's own measurements, as ratios taken in one run. Example: `fas bench metrics`

    `fas bench detection --data faces.csv --out DIR` trains the thesis' models and every addition to them, and says
    which additions tell unseen attacks by unseen people better: AUC, APCER at BPCER 5 %, differences with intervals.
    Killed, it goes on where it was.

    `fas bench --history bench.jsonl` says beside each figure what it was the last time on this machine. What misses its
    target, or is worse than then, is warned of: the status is 0.
    """
    from fas_core import bench

    if history is not None and name == bench.DETECTION:
        raise BadInputError("'detection' keeps what it measured in --out. --history is of the other measurements.")
    if name == bench.DETECTION:
        return detection(data or [], scale, range(seed, seed + seeds), only or [], out, as_json=as_json)
    if data is not None and name is None:
        raise BadInputError("--data is of one measurement: fas bench faces --data M.csv")
    if data is not None and len(data) > 1:
        raise BadInputError("The measurement takes one --data. 'detection' takes several.")
    compared = _compared([name] if name else bench.names(), data[0] if data else None, history, is_only=bool(name))
    if as_json:
        documents = [each.measured.as_json() if history is None else each.as_json() for each in compared]
        return print_json(documents[0] if name else documents)
    for each in compared:
        _print(each, with_last=history is not None)
    if not name:
        _print_targets([each.measured for each in compared], bench.names())


def _print_targets(measured: Sequence[Measured], names: Sequence[str]) -> None:
    """All targets in one table, with what was not measured."""
    rows = [
        [result.name, figure, f"{result.figures[figure]:.4g}", *target.words]
        for result in measured
        for figure, target in result.targets.items()
    ]
    n_met = sum(row[-1] == "met" for row in rows)
    left = [[name, "", "", "", "not measured"] for name in names if name not in {result.name for result in measured}]
    print_table(f"{n_met} of {len(rows)} targets met", ["measurement", "figure", "value", "target", ""], rows + left)


def _compared(names: Sequence[str], data: Path | None, file: Path | None, *, is_only: bool) -> list[Compared]:
    """What was measured now beside the last time; each is added to the file as soon as it is measured.

    `is_only`: raises BadInputError where it cannot be measured, which is said of one of many.
    """
    from fas_core import bench
    from fas_core.bench import history

    before = history.read(file) if file is not None else []
    if file is not None:
        history.require_writable(file)
    compared = []
    for name in names:
        say(f"Measuring {name} ...")
        try:
            measured = bench.result(name, data)
        except BadInputError as error:
            if is_only:
                raise
            say(f"{name} was not measured: {error}")  # what it needs is not installed
            continue
        compared.append(history.Compared.of(measured, before, data))
        if file is not None:
            history.add(file, measured, data)
        for warning in _warnings(compared[-1]):
            say(f"Warning: {warning}")
    return compared


def _warnings(compared: Compared) -> Iterator[str]:
    measured, last = compared.measured, compared.last
    for figure, target in measured.targets.items():
        if not target.met:
            yield f"{measured.name}, {figure}: {measured.figures[figure]:.4g}, where the target is {target.words[0]}."
    if last is None:
        return
    for figure in compared.worse:
        yield f"{measured.name}, {figure}: {compared.ratios[figure]:.2f} times what it was on {last.words}."


def _print(compared: Compared, *, with_last: bool) -> None:
    """The figures of one measurement, each with its target; `with_last`: and with what it was, and now over then."""
    measured, last = compared.measured, compared.last
    columns = ["figure", "value", "target", ""]
    rows = [
        [figure, f"{value:.4g}", *(measured.targets[figure].words if figure in measured.targets else ("", ""))]
        for figure, value in measured.figures.items()
    ]
    if with_last:
        columns += [f"on {last.words}" if last else "not measured here before", "ratio"]
        figures = last.figures if last else {}
        for row in rows:
            ratio = compared.ratios.get(row[0])
            row += [f"{figures[row[0]]:.4g}" if row[0] in figures else "", f"{ratio:.2f}" if ratio else ""]
    print_table(f"{measured.name} ({measured.machine})", columns, rows)


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
