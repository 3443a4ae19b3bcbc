"""What a data set of so many images will take: hours, disk and memory, each figure with what it was measured by.

What grows as the images do is measured on some of them, by `probing` or by `fas bench --history`, which goes before,
and multiplied. Of another machine there is what its history says; one that is told by its numbers is this one with so
many cores, where the work is shared among cores, and with GPUs of a given rate. What nothing was measured of has no
figure and says why.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, get_args

from fas_core.bench import machine
from fas_core.bench.history import Entry
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.latent import MOST_FITTED
from fas_core.latent.mixture import COMPONENTS
from fas_core.runs.store import SHARD_SIZE
from fas_core.training.experiments.base import Experiment

FULL_DCVAE = ("dcvae", 1.0, 512)  # model, width and latent_dim that `full_rate` of `fas bench cache` is of
SCAN, CHECK, READ = "scan the folder", "check every image", "read the manifest"
HASH, AGAIN = "hash every image, the first time", "hash again, nothing changed"
TRAIN, CACHE = "train", "cache"
FITS, PASS = "derive: mixtures, on a sample", "derive: all codes, in one pass"
PCA, UMAP = "derive: principal components, on a sample", "derive: UMAP"
DERIVING = "deriving, beside the manifest"
SCATTER = "open the scatter of Latent space"
OF_DATA = {SCAN: "scan_first", CHECK: "check_first", READ: "read_first", HASH: "hash_first", AGAIN: "hash_again"}
MILLION = 1e6  # rows that seconds of `fas bench data` are of
N_FITS = 2 * len(COMPONENTS)  # of mixtures: of all codes of the sample, and without those that judge
MAPPED = 50_000  # codes that `ours_seconds` of `fas bench projection` is of
UNMEASURED = "not measured there"

FEATURES = "features (--patches)"
Kind = Literal["time", "total", "cost", "page", "disk", "disk total", "memory"]
KINDS = get_args(Kind)


@dataclass(frozen=True)
class Law:
    """How an amount grows: seconds or bytes, `fixed` and `each` for an image, for `most` of them where there are more.

    None: not measured, `source` says why.
    """

    what: str
    kind: Kind
    each: float | None
    source: str
    fixed: float = 0.0
    by_cores: bool = False  # half as long on twice as many cores
    most: int | None = None

    def amount(self, n: int) -> float | None:
        """What n images take, in seconds or bytes; None where that is not measured."""
        return None if self.each is None else self.fixed + min(n, self.most or n) * self.each


@dataclass(frozen=True)
class Item:
    """One line of a plan: seconds, bytes or money; None: not measured."""

    what: str
    kind: Kind
    amount: float | None
    source: str  # what it was measured by, or why it was not


@dataclass(frozen=True)
class Machine:
    """One that is not here, by its numbers; 0 where nothing is said."""

    cores: int = 0
    memory: float = 0.0  # GB
    gpus: int = 0
    gpu_images_per_second: float = 0.0  # of `fas cache`, one GPU


@dataclass(frozen=True)
class Plan:
    """What will be needed, in the order of the work."""

    images: int
    machine: str
    memory: float | None  # bytes that the machine has; None where nothing says
    experiment: str
    shards: int
    items: Sequence[Item]

    @property
    def too_large(self) -> list[Item]:
        """What needs more memory than the machine has."""
        return [
            item
            for item in self.items
            if item.kind == "memory" and self.memory is not None and (item.amount or 0) > self.memory
        ]

    def as_json(self) -> Json:
        return asdict(self)


def machine_of(text: str) -> Machine:
    """ "cores=64,gpus=8,gpu-images-per-second=2000"; raises BadInputError for what is no such text."""
    names = {field.name.replace("_", "-"): field for field in fields(Machine)}
    example = "Write: cores=64,memory=512,gpus=8,gpu-images-per-second=2000; or a machine's name in --history."
    given: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        value = _number(number)
        if name not in names or not 0 < value < math.inf or (names[name].type == "int" and value % 1):
            raise BadInputError(f"--machine: '{part.strip()}' is none of {', '.join(names)}. {example}")
        given[names[name].name] = int(value) if names[name].type == "int" else float(value)
    if ("gpus" in given) != ("gpu_images_per_second" in given):
        raise BadInputError(f"--machine: gpus and gpu-images-per-second belong together. {example}")
    return Machine(**given)  # type: ignore[arg-type]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def planned(
    n: int,
    experiment: Experiment,
    laws: Sequence[Law],
    entries: Sequence[Entry] = (),
    *,
    on: str = "",
    price: float | None = None,
) -> Plan:
    """For n images and one training. `laws`: probed here, in the order of the work; `entries`: measurements of before.

    `on`: "" for this machine, a text of `machine_of`, or a part of a machine's name in `entries`. `price`: of the
    machine, an hour. Raises BadInputError for a machine that is not known.
    """
    here = machine()
    if on and "=" not in on:
        there = _named(entries, on)
        laws = [law if law.kind == "disk" else replace(law, each=None, source=UNMEASURED) for law in laws]
        memory = re.search(r"(\d+) GB", there)
        return _plan(n, there, float(memory[1]) * 1e9 if memory else None, experiment, laws, entries, price)
    if not on:
        return _plan(n, here, _memory(), experiment, laws, entries, price)
    told = machine_of(on)
    scaled = [_on_cores(law, told.cores) for law in _with_history(laws, entries, here, experiment, n)]
    if told.gpus:
        scaled = [_on_gpus(told, law, scaled) for law in scaled]
    return _plan(n, on, told.memory * 1e9 or None, experiment, scaled, (), price)


def require_machine(on: str, entries: Sequence[Entry]) -> None:
    """Raises BadInputError for what `planned` does not know: before the measuring."""
    if "=" in on:
        machine_of(on)
    elif on:
        _named(entries, on)


def _plan(
    n: int,
    where: str,
    memory: float | None,
    experiment: Experiment,
    laws: Sequence[Law],
    entries: Sequence[Entry],
    price: float | None,
) -> Plan:
    known = _with_history(laws, entries, where, experiment, n)
    items = [Item(law.what, law.kind, law.amount(n), law.source) for law in known]
    total = _sum("in all", "total", [item for item in items if item.kind == "time"])
    items += [total, _sum("on disk, in all", "disk total", [item for item in items if item.kind == "disk"])]
    if price is not None:
        items.append(
            Item("cost", "cost", price * (total.amount or 0) / 3600, f"{price:g} an hour, given; {total.source}")
        )
    items.sort(key=lambda item: KINDS.index(item.kind))
    return Plan(n, where, memory, experiment.name, math.ceil(n / SHARD_SIZE), items)


def _sum(what: str, kind: Kind, items: Sequence[Item]) -> Item:
    """Of what was measured and is asked for; its source names the others."""
    left_out = [item.what for item in items if item.amount is None or item.what == FEATURES]
    amount = sum(item.amount or 0 for item in items if item.what not in left_out)
    return Item(what, kind, amount, "the sum" + (f", without {'; '.join(left_out)}" if left_out else ""))


def _named(entries: Sequence[Entry], part: str) -> str:
    names = sorted({entry.machine for entry in entries})
    alike = [name for name in names if part.casefold() in name.casefold()]
    if len(alike) != 1:
        known = "; ".join(names) or "none: make it there with fas bench --history FILE"
        raise BadInputError(f"--machine '{part}' is {len(alike)} of the machines of --history ({known}).")
    return alike[0]


def _on_cores(law: Law, cores: int) -> Law:
    """As if work that is shared among cores took half as long on twice as many."""
    here = os.cpu_count() or 1
    if not cores or law.each is None or not law.by_cores:
        return law
    times = here / cores
    source = f"{law.source}; {here} cores here, {cores} there"
    return replace(law, each=law.each * times, fixed=law.fixed * times, source=source)


def _on_gpus(told: Machine, law: Law, laws: Sequence[Law]) -> Law:
    """`fas cache` at the given rate, if images are decoded as fast as a check of all does; a training at none."""
    if law.what.partition(" ")[0] == TRAIN:
        return replace(law, each=None, source="not measured: on GPUs, and nobody trains on processors beside them")
    if law.what != CACHE:
        return law
    rate = told.gpus * told.gpu_images_per_second
    source = f"given: {told.gpus} GPUs of {told.gpu_images_per_second:,.0f} images/s"
    decoding = next((law.each for law in laws if law.what == CHECK and law.each), 0.0)
    if not decoding:
        source += ", if decoding feeds them, which is not measured"
    elif decoding > 1 / rate:
        source += f", but decoding gives no more than {1 / decoding:,.0f}/s"
    return Law(CACHE, "time", max(1 / rate, decoding), source)


# ------------------------------------------------------------------------------------------------------------- history


def _with_history(
    laws: Sequence[Law], entries: Sequence[Entry], where: str, experiment: Experiment, n: int
) -> Iterator[Law]:
    """What was measured on this machine before in the place of what was probed, and what was not probed."""
    last = {entry.name: entry for entry in entries if entry.machine == where}
    known = {law.what: law for law in _of_history(last, experiment, n)}
    for law in laws:
        yield replace(known.get(law.what, law), by_cores=law.by_cores)


def _of_history(last: dict[str, Entry], experiment: Experiment, n: int) -> Iterator[Law]:
    for what, figure in OF_DATA.items():
        if seconds := _figure(last, "data", f"{figure}_seconds"):
            yield Law(what, "time", seconds / MILLION, _said(last["data"]))
    config = experiment.config
    is_full = (experiment.model, config.get("width"), config.get("latent_dim")) == FULL_DCVAE
    if is_full and (rate := _figure(last, "cache", "full_rate")):
        yield Law(CACHE, "time", 1 / rate, f"{_said(last['cache'])}: {rate:,.1f} images/s")
    if config.get("latent_dim") == FULL_DCVAE[2]:
        yield from _of_deriving(last)
    drawn = {
        int(size[1]): seconds
        for figure, seconds in (last["scatter"].figures if "scatter" in last else {}).items()
        if (size := re.fullmatch(r"first_draw_(\d+)_seconds", figure))
    }
    if drawn:
        nearest = min(drawn, key=lambda size: abs(math.log(size / n)))
        yield Law(SCATTER, "page", 0.0, f"{_said(last['scatter'])}: {nearest:,} points", drawn[nearest])


def _of_deriving(last: dict[str, Entry]) -> Iterator[Law]:
    """`fas bench derive` has one fit of the sample, of 2 for each number of Gaussians, and seconds of 100,000 codes."""
    if seconds := _figure(last, "projection", "ours_seconds"):
        source = f"{_said(last['projection'])}: {MAPPED:,} codes; at most, as it is fitted once"
        yield Law(UMAP, "time", seconds / MAPPED, source)
    if seconds := _figure(last, "derive", "fit_seconds"):
        source = f"{_said(last['derive'])}: {seconds:,.0f} s the longest of {N_FITS}"
        yield Law(FITS, "time", N_FITS * seconds / MOST_FITTED, source, most=MOST_FITTED)
    if seconds := _figure(last, "derive", "pass_seconds_per_100000"):
        yield Law(PASS, "time", seconds / 1e5, f"{_said(last['derive'])}: {seconds:,.1f} s for 100,000")
    if size := _figure(last, "derive", "peak_mb"):
        each = max(0.0, _figure(last, "derive", "bytes_a_code"))
        yield Law(
            DERIVING, "memory", each, f"{_said(last['derive'])}: its peak, and {each:,.0f} bytes a code", size * 2**20
        )


def _memory() -> float | None:
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError):
        return None


def _figure(last: dict[str, Entry], name: str, figure: str) -> float:
    return last[name].figures.get(figure, 0.0) if name in last else 0.0


def _said(entry: Entry) -> str:
    return f"fas bench {entry.name}, {entry.words}"
