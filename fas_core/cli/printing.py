"""Results on standard output, messages on standard error."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from rich.console import Console
from rich.table import Table

from fas_core import storage
from fas_core.documents import Json
from fas_core.metrics import limits
from fas_core.metrics.limits import Target
from fas_core.metrics.operating_point import Rule
from fas_core.metrics.uncertainty import UnitInterval, clopper_pearson

if TYPE_CHECKING:  # it takes scikit-learn and SciPy, which most commands do without
    from fas_core.deciding.card import Card
    from fas_core.deciding.certification import Sheet
    from fas_core.deciding.plans import Asked, Plan
    from fas_core.evaluation.breakdown import Breakdown, Rate
    from fas_core.evaluation.run_metrics import DevRates
    from fas_core.metrics import Rates, Summary
    from fas_core.runs.health import Caution
    from fas_core.runs.upkeep import Verified


def say(message: str) -> None:
    """One line to standard error, at once: standard output is for results."""
    print(storage.with_urls(message), file=sys.stderr, flush=True)


def say_where_busy() -> bool:
    """Warns, and returns True, where others are at work on this machine: what is measured is of them too."""
    is_busy = (load := os.getloadavg()[0]) > (cores := os.cpu_count() or 1)
    if is_busy:
        say(
            f"Warning: others are at work on this machine (load {load:.0f} on {cores} cores): times come out too long, "
            "and so does the measuring."
        )
    return is_busy


def say_notes(notes: Iterable[str]) -> None:
    """One line each."""
    for note in notes:
        say(f"Note: {note}")


def say_cautions(cautions: Iterable[Caution]) -> None:
    """One line each."""
    for caution in cautions:
        say(caution_words(caution))


def caution_words(caution: Caution, about: str = "") -> str:
    """A line on why numbers may mislead; `about`: whose they are."""
    word = "Optimistic" if caution.kind == "optimistic" else "Warning"
    return ": ".join(filter(None, [word, about, caution.message]))


def show_all_texts() -> None:
    """A terminal that cannot show a character gets its number (\\u2264 for ≤) instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def print_json(document: Any) -> None:
    """In the characters of standard output; those that it lacks are escaped as JSON has it, not as a terminal would."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(document, indent=1, allow_nan=False)
    print(text)


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """To standard output, its first column to the left and the others to the right; 160 characters wide in a pipe."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False).print(table)


class Kept(Protocol):
    """A document that a cache folder keeps, with what became of it."""

    def as_json(self) -> Json: ...


K = TypeVar("K", bound=Kept)


def print_kept(
    what: str,
    kept: tuple[Sequence[K], Sequence[str]],
    row: Callable[[K], dict[str, str]],
    *,
    cache: Path,
    remedy: str,
    as_json: bool,
) -> None:
    """What a cache folder keeps, as JSON or as a table; a warning for each file there that is none.

    `what`: cards, decisions. `row`: cells by their heads. `remedy`: what makes one.
    """
    entries, problems = kept
    for problem in problems:
        say(f"Warning: {problem}")
    if as_json:
        print_json([entry.as_json() for entry in entries])
    elif not entries:
        print(f"No {what} in {cache}. Make one: {remedy}")
    else:
        rows = [row(entry) for entry in entries]
        print_table(f"{what.capitalize()} in {cache}", list(rows[0]), [list(cells.values()) for cells in rows])


def rate(value: float | None) -> str:
    """A share in percent with one decimal; a dash where it is undefined."""
    return "–" if value is None else f"{100 * value:.1f} %"


def number(value: float | None) -> str:
    """Three decimals; a dash where it is undefined."""
    return "–" if value is None else f"{value:.3f}"


def file_size(n_bytes: int) -> str:
    """In MB, below one in kB, of which there is one at least."""
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 999_500 else f"{max(1, round(n_bytes / 1e3))} kB"


def age(created: str) -> str:
    """Time since an ISO date in its largest unit: "3 days"."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            n = int(seconds // length)
            return f"{n} {unit}{'s' if n > 1 else ''}"
    return "seconds"


def print_verified(entry: Verified) -> None:
    """One Run as `upkeep.verified` returns it, with each damaged or repaired shard below it."""
    state = f"{len(entry.damage)} damaged" if entry.damage else "intact"
    if entry.repaired:
        state += f", {len(entry.repaired)} repaired"
    if entry.missing:
        state += f", {len(entry.missing)} shards not made yet"
    if entry.signature:
        state += f", {entry.signature}"
    if entry.keys:
        state += f", encrypted by key {' and '.join(entry.keys)}"
    if entry.removed:
        state += f" ({entry.removed})"
    print(f"{entry.run} {entry.name or ''}".rstrip() + f": {state}")
    for listed, prefix in ((entry.damage, ""), (entry.repaired, "repaired: ")):
        for damage in listed:
            place = "/".join(filter(None, (damage.subset, damage.shard)))
            print(f"  {prefix}{place} {damage.problem}".rstrip())


OPTIMISTIC = "*"  # after a number whose threshold was chosen on the samples that it is about


def _worst_at_five_percent(cell: Summary, at: DevRates | None) -> str:
    """The APCER of the worst species where BPCER is at most 5 %, with its interval: on dev, where there is any."""
    if at is not None:
        text = _rate_in(at.rates.apcer_max, at.rates.worst_interval)
        return f"{text} {OPTIMISTIC}" if at.optimistic and at.rates.apcer_max is not None else text
    here = next((rates for rates in cell.apcer_at_bpcer if rates.target == 0.05), None)
    if here is None or here.apcer_max is None:
        return rate(None)
    worst = max((value, name) for name, value in here.apcer_per_species.items() if value is not None)[1]
    trials = cell.n_per_species[worst]
    low, high = clopper_pearson(round(here.apcer_max * trials), trials)
    ends = f"{100 * low:.1f}–{100 * high:.1f}, {trials} sample{'s' if trials != 1 else ''}"
    return f"{rate(here.apcer_max)} ({ends}) {OPTIMISTIC}"


def print_metrics(title: str, cells: Mapping[str, tuple[Summary, DevRates | None]]) -> None:
    """A table with a row per subset: its metrics, and its rates at a threshold chosen on dev, where there is one."""
    listed = dict(cells)
    for subset, (cell, _) in cells.items():
        if cell.injections is not None:
            listed[f"{subset}, injected"] = cell.injections, None
    rows = []
    for subset, (cell, at) in listed.items():
        rows.append(
            [
                subset,
                str(cell.n_bona_fide),
                str(cell.n_attack),
                str(sum(cell.n_non_response.values())),
                number(cell.roc_auc),
                number(cell.average_precision),
                rate(cell.eer.value if cell.eer else None),
                _worst_at_five_percent(cell, at),
            ]
        )
    heads = ["subset", "bona fide", "attacks", "no response", "AUC", "AP", "EER", "worst APCER at BPCER ≤ 5 %"]
    print_table(title, heads, rows)
    for subset, (_, at) in cells.items():
        target = None if at is None else at.target
        if at is not None and target is not None and target.rate is not None:
            print_targets(at.rule, {subset: target}, f" {OPTIMISTIC}" if at.optimistic else "")
    if any(row[-1].endswith(OPTIMISTIC) for row in rows):
        print(f"{OPTIMISTIC} optimistic: this threshold was chosen on the samples that it is judged on")


def print_at_thresholds(cell: Summary, where: str = "") -> None:
    """A line for each threshold that was asked for: BPCER, and APCER of each species. `where` begins each of them."""
    for rates in cell.at_threshold:
        species = _species(rates)
        print(f"{where}At {rates.threshold}: BPCER {rate(rates.bpcer)}; APCER {species or rate(None)}")
    for rates in cell.injections.at_threshold if cell.injections else ():
        print(f"{where}At {rates.threshold}, injection attacks that pass: {_species(rates)}")


def _species(rates: Rates) -> str:
    return ", ".join(f"{name} {rate(apcer)}" for name, apcer in rates.apcer_per_species.items())


def print_score_file(title: str, subset: str, summary: Summary, groups: Sequence[tuple[str, Breakdown]]) -> None:
    """What `fas metrics` says: a table, then what each target, prior, threshold and group gives."""
    print_metrics(title, {subset: (summary, None)})
    for at in summary.apcer_at_bpcer:
        print(f"BPCER ≤ {rate(at.target)}: worst APCER {rate(at.apcer_max)}, threshold {at.threshold}")
    for at in summary.bpcer_at_apcer:
        print(f"APCER ≤ {rate(at.target)}: BPCER {rate(at.bpcer)}, threshold {at.threshold}")
    for share, precision in summary.prior_adjusted_average_precision.items():
        print(f"With {100 * float(share):g} % attacks: average precision {number(precision)}")
    print_at_thresholds(summary)
    for words, breakdown in groups:
        print_groups(words, breakdown)


def print_card(card: Card) -> None:
    """A card: its threshold and rule, then the errors on each subset."""
    chosen_on = ", ".join(card.chosen_on) or "nothing: set by hand"
    print(f"{card.run_name}, {card.score} per {card.level}: threshold {card.threshold}")
    print(f"Rule {card.rule}, chosen on {chosen_on}. At or above the threshold is an attack.")
    print(f"The card is {card.standing.words}.")
    if card.costs is not None:
        print(f"Costs: {card.costs.in_words}.")
    cells = {f"chosen: {chosen_on}": card.chosen} if card.chosen else {}
    cells |= dict(card.reported)
    if len(card.reported) > 1:
        cells["all reported"] = card.reported_together
    rows = []
    for name, cell in cells.items():
        rows.append(
            [
                name,
                str(cell.n_bona_fide),
                _rate_in(cell.bpcer, cell.bpcer_interval),
                str(sum(cell.n_per_species.values())),
                cell.apcer_worst or "–",
                _rate_in(cell.apcer_max, cell.worst_interval),
                str(sum(cell.n_non_response.values())),
            ]
        )
    heads = ["subset", "bona fide", "BPCER", "attacks", "worst species", "its APCER", "no response"]
    print_table("Errors, with 95 % intervals", heads, rows)
    print_targets(card.limit or card.rule, card.held)


def print_targets(by: Rule, targets: Mapping[str, Target], mark: str = "") -> None:
    """A line per subset: whether the limit of a rule holds there."""
    for subset, target in targets.items():
        print(f"{subset}: {limits.target_words(by, target)}{mark}")


def _rate_in(value: float | None, interval: UnitInterval | None) -> str:
    """A rate with its interval: 5.7 % (4.8–6.7, 95 subjects)."""
    if interval is None:
        return rate(value)
    unit = interval.unit + ("" if interval.n_units == 1 else "s")
    low, high = 100 * interval.low, 100 * interval.high
    ends = f"≤ {high:.1f} %" if value == 0 else f"≥ {low:.1f} %" if value == 1 else f"{low:.1f}–{high:.1f}"
    return f"{rate(value)} ({ends}, {interval.n_units} {unit})"


def print_plans(plans: Sequence[Plan]) -> None:
    """What the plans ask for, with their sources."""
    for plan in plans:
        asked = [
            f"{kind.species} species of {kind.name}, {kind.asked.presentations} presentations each"
            + (f" of {kind.asked.subjects} subjects" if kind.asked.subjects else "")
            + _limited("APCER", kind.asked)
            for kind in plan.attacks
        ]
        if plan.bona_fide is not None:
            asked.append(f"{plan.bona_fide.presentations} bona fide presentations" + _limited("BPCER", plan.bona_fide))
        print(f"{plan.name}: {'; '.join(asked)}.\n  {plan.text}\n  {plan.source}; {plan.version}. {plan.url}\n")


def _limited(what: str, asked: Asked) -> str:
    return "" if asked.limit is None else f", {what} at most {100 * asked.limit:g} %"


def print_sheet(title: str, sheet: Sheet) -> None:
    """A plan beside what is proved: an answer, a row per kind of presentations, and what to know of it."""
    rows = [
        [
            line.name,
            "" if line.name == line.kind else line.kind,
            str(line.n),
            "–" if line.n_subjects is None else str(line.n_subjects),
            str(line.errors),
            rate(line.rate),
            line.proved_words,
            "–" if line.asked is None or line.asked.limit is None else f"{100 * line.asked.limit:g} %",
            line.verdict_words or "–",
        ]
        for line in sheet.all_lines
    ]
    print(sheet.sentence())
    print(sheet.proof())
    bound = f"at most, {100 * sheet.plan.confidence:g} %"
    heads = ["species", "is of", "n", "subjects", "errors", "rate", bound, "limit", "verdict"]
    print_table(f"{title}: {sheet.plan.title}, threshold {sheet.threshold}, per {sheet.level}", heads, rows)
    for note in (*sheet.notes(), sheet.plan.text, f"Source: {sheet.plan.source}; {sheet.plan.version}."):
        print(note)


def print_groups(at: str, breakdown: Breakdown) -> None:
    """A breakdown by one column, worst rates with their intervals, and what it says in words. `at`: which threshold."""
    from fas_core.evaluation.breakdown import MIN_SAMPLES, MIN_UNITS

    def shown(of_group: Rate | None) -> str:
        if of_group is None:
            return "–"
        interval = of_group.interval
        ends = f" ({100 * interval.low:.1f}–{100 * interval.high:.1f})" if interval else ""
        return f"{rate(of_group.value)}{ends}{' *' if of_group.is_small else ''}"

    rows = []
    for group in breakdown.groups:
        worst = group.worst
        worst_rate = shown(group.apcer[worst] if worst else None)
        missing = str(sum(group.n_non_response.values()))
        counts = [str(group.n_bona_fide), shown(group.bpcer), str(group.n_attack), worst_rate, worst or "–"]
        rows.append([group.name, *counts, missing])
    heads = ["group", "bona fide", "BPCER", "attacks", "worst APCER", "species", "no response"]
    print_table(f"By {breakdown.column}, at {at}; intervals 95 % by {breakdown.unit}", heads, rows)
    if any("*" in text for row in rows for text in (row[2], row[4])):
        units = "" if breakdown.unit == "image" else f" or {MIN_UNITS} {breakdown.unit}s"
        print(f"* fewer than {MIN_SAMPLES} samples{units}: too few to judge")
    print(breakdown.sentence())
