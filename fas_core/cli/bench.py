"""`fas bench`: the project's own measurements."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import JsonOption
from fas_core.cli.printing import print_json, print_table, say, say_where_busy
from fas_core.errors import BadInputError

if TYPE_CHECKING:
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
    quick: Annotated[
        bool, typer.Option("--quick", help="Only those that take some seconds, small: ratios, for every change.")
    ] = False,
    samples: Annotated[
        int,
        typer.Option(min=0, help="Of pages: on a synthetic Run of so many, FAS_CACHE's or a new one."),
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """The project's own measurements, as ratios taken in one run. Example: `fas bench metrics`

    `fas bench detection --data faces.csv --out DIR` trains the thesis' models and every addition to them, and says
    which additions tell unseen attacks by unseen people better: AUC, APCER at BPCER 5 %, differences with intervals.
    Killed, it goes on where it was.

    `fas bench --history bench.jsonl` says beside each figure what it was the last time on this machine. What misses its
    target, or is worse than then, is warned of: the status is 0. Without a name all is measured, which takes two hours
    or more, and ends with a table of all targets. `--quick` takes less than a minute.
    """
    from fas_core import bench

    if history is not None and name == bench.DETECTION:
        raise BadInputError("'detection' keeps what it measured in --out. --history is of the other measurements.")
    if quick and name == bench.DETECTION:
        raise BadInputError("'detection' is not quick. Its own way to be short: --scale tiny")
    if samples and name in (None, bench.DETECTION):
        raise BadInputError("--samples is of one measurement: fas bench pages --samples 1000000")
    if name == bench.DETECTION:
        return detection(data or [], scale, range(seed, seed + seeds), only or [], out, as_json=as_json)
    if data is not None and name is None:
        raise BadInputError("--data is of one measurement: fas bench faces --data M.csv")
    if data is not None and len(data) > 1:
        raise BadInputError("The measurement takes one --data. 'detection' takes several.")
    say_where_busy()
    all_of_them = [(each, 0) for each in bench.quick_names()] if quick else bench.everything()
    wanted = [(name, samples)] if name else all_of_them
    shows = not as_json and (bool(name) or not quick)
    compared = _compared(wanted, data[0] if data else None, history, quick=quick, is_only=bool(name), shows=shows)
    if as_json:
        measured = [each for each in compared if each.measured.figures]
        documents = [each.measured.as_json() if history is None else each.as_json() for each in measured]
        return print_json(documents[0] if name else documents)
    if not name:
        _print_targets(compared, with_last=history is not None)


def _print_targets(compared: Sequence[Compared], *, with_last: bool) -> None:
    """All targets in one table, those too that nothing was measured of."""
    rows, outcomes = [], Counter[str]()
    for each in compared:
        for figure, target in each.measured.targets.items():
            rows.append([each.measured.name, *_row(each, figure, with_last=with_last)])
            outcomes[target.words[1]] += 1
    said = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in ("met", "MISSED", "not measured"))
    last = ["last on this machine", "now / last"] if with_last else []
    columns = ["measurement", "figure", "measured", "target", "", *last]
    print_table(f"{len(rows)} targets: {said} ({compared[0].measured.machine})", columns, rows)


def _row(compared: Compared, figure: str, *, with_last: bool) -> list[str]:
    """A figure, its value, its target and whether it is met; `with_last`: and what it was, and now over then."""
    measured, last = compared.measured, compared.last
    value, target = measured.figures.get(figure), measured.targets.get(figure)
    row = [figure, "–" if value is None else f"{value:.4g}", *(target.words if target else ("", ""))]
    if with_last:
        before, ratio = (last.figures if last else {}).get(figure), compared.ratios.get(figure)
        row += ["" if before is None else f"{before:.4g}", "" if ratio is None else f"{ratio:.2f}"]
    return row


def _compared(
    wanted: Sequence[tuple[str, int]],
    data: Path | None,
    file: Path | None,
    *,
    quick: bool,
    is_only: bool,
    shows: bool,
) -> list[Compared]:
    """What was measured now beside the last time; each is added to the file, and shown, as soon as it is measured.
    `wanted`: names, each with the size of a Run or 0.

    `is_only`: raises BadInputError where it cannot be measured, which is said of one of many.
    """
    from fas_core import bench
    from fas_core.bench import history

    before = history.read(file) if file is not None else []
    if file is not None:
        history.require_writable(file)
    compared = []
    for name, samples in wanted:
        called = bench.called(name, quick, samples)
        say(f"Measuring {called} ...")
        try:
            measured = bench.result(name, data, quick=quick, samples=samples)
        except BadInputError as error:
            if is_only:
                raise
            say(f"{called} was not measured: {error}")  # what it needs is not installed
            measured = bench.unmeasured(name, quick=quick, samples=samples)
        compared.append(history.Compared.of(measured, before, data))
        if not measured.figures:
            continue
        if file is not None:
            history.add(file, measured, data)
        if shows:
            _print(compared[-1], with_last=file is not None)
        for warning in _warnings(compared[-1]):
            say(f"Warning: {warning}")
    return compared


def _warnings(compared: Compared) -> Iterator[str]:
    measured, last = compared.measured, compared.last
    for figure, target in measured.targets.items():
        if target.met is False:
            yield f"{measured.name}, {figure}: {measured.figures[figure]:.4g}, where the target is {target.words[0]}."
    if last is None:
        return
    for figure in compared.worse:
        yield f"{measured.name}, {figure}: {compared.ratios[figure]:.2f} times what it was on {last.words}."


def _print(compared: Compared, *, with_last: bool) -> None:
    """The figures of one measurement, each with its target; `with_last`: and with what it was, and now over then."""
    measured, last = compared.measured, compared.last
    columns = ["figure", "measured", "target", ""]
    if with_last:
        columns += [f"on {last.words}" if last else "not measured here before", "now / last"]
    figures = dict.fromkeys([*measured.figures, *measured.targets])
    rows = [_row(compared, figure, with_last=with_last) for figure in figures]
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
