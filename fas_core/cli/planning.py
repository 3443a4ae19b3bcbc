"""`fas plan`: what a data set of some size will take, before it is begun."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import JsonOption
from fas_core.cli.printing import print_json, print_table, say, say_where_busy
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.bench.plan import Item

MOST = 10**9  # images of a Run


def plan(
    images: Annotated[float, typer.Option("--images", help="How many images: 5.9e6.")],
    experiment: Annotated[
        str, typer.Option(help="Whose training, and whose model: a name, as in `fas experiments`.")
    ] = "dcvae_baseline",
    on: Annotated[
        str,
        typer.Option(
            "--machine",
            metavar="TEXT",
            help="Another machine: cores=64,memory=512,gpus=8,gpu-images-per-second=2000 (what is measured here, on so "
            "many cores; fas cache on GPUs of that rate), or a part of its name in --history.",
            show_default="this one",
        ),
    ] = "",
    history: Annotated[
        Path | None, typer.Option(help="File of `fas bench --history`: what it has of the machine goes before probes.")
    ] = None,
    price: Annotated[
        float | None, typer.Option("--price-per-hour", help="Of the machine, in any currency: what it costs in all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hours, disk and memory that so many images take, by measuring a little. Example: `fas plan --images 5.9e6`

    Less than a minute, on a machine that does nothing else. Each figure says what it was measured by; what is not
    measured says so.
    """
    from fas_core.bench import history as before
    from fas_core.bench import plan as core
    from fas_core.bench import probing
    from fas_core.training import experiments

    if not 1 <= images <= MOST or images != int(images):
        raise BadInputError(f"--images {images:g}: write a whole number from 1 to {MOST:,}, as 5.9e6.")
    if history is not None and not history.is_file():
        raise BadInputError(f"--history {history} does not exist. Make it: fas bench cache --history {history}")
    if price is not None and not 0 < price < math.inf:
        raise BadInputError(f"--price-per-hour {price:g}: write what an hour costs, above 0.")
    wanted, entries = experiments.preset(experiment), before.read(history) if history is not None else []
    core.require_machine(on, entries)
    is_busy = say_where_busy()
    planned = core.planned(int(images), wanted, probing.probed(wanted), entries, on=on, price=price)
    for item in planned.too_large:
        say(f"Warning: {item.what}: {_amount(item)}, more memory than the machine has.")
    if as_json:
        return print_json(planned.as_json())
    title = f"{planned.images:,} images, {planned.shards:,} shards ({planned.machine})"
    is_part = any(item.kind == "time" and item.amount is None for item in planned.items)
    rows = [[_called(item, is_part), item.kind, _amount(item, is_busy), item.source] for item in planned.items]
    print_table(title, ["", "", "takes", "measured by"], rows)


def _called(item: Item, is_part: bool) -> str:
    """`is_part`: whether something that takes time is not measured, and so in no sum."""
    return f"{item.what}, of what is measured" if is_part and item.kind in ("total", "cost") else item.what


def _amount(item: Item, is_busy: bool = False) -> str:
    """With its unit: seconds to days, bytes to GB. `is_busy`: times are whole ones."""
    if item.amount is None:
        return "–"
    if item.kind == "cost":
        return _three_digits(item.amount, 2)
    if item.kind in ("disk", "disk total", "memory"):
        return f"{_three_digits(item.amount / 1e9)} GB"
    units = ((100, 1, "s"), (100 * 60, 60, "min"), (48 * 3600, 3600, "h"), (math.inf, 86400, "days"))
    unit, name = next((unit, name) for limit, unit, name in units if item.amount < limit)
    if is_busy:
        return f"about {_three_digits(item.amount / unit, 0)} {name}"
    return f"{_three_digits(item.amount / unit)} {name}"


def _three_digits(value: float, decimals: int = 1) -> str:
    """As 1,230, 123, 12.3: what is measured says no more."""
    at = 2 - math.floor(math.log10(value)) if value > 0 else decimals
    return f"{round(value, min(at, decimals)):,.{max(0, min(at, decimals))}f}"
