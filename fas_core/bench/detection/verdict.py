"""What was measured, in the words and figures of one document: which additions beat the thesis, and which do not.

An addition is a training that the thesis has not, judged by what the thesis would judge it by, or a score that it does
not judge by, on the first of its models that has it. Each is held against the best of the thesis' three ways, whose
choice by these very images makes it look better than it is: that only makes it harder to beat. The verdict is by the
AUC over all attacks, paired by people, corrected for all additions together (Holm); the APCER stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fas_core.bench.detection.judging import APCER, AUC, BPCER, MASKS, Difference, Interval, Judged, Way
from fas_core.documents import Json
from fas_core.metrics.uncertainty import holm

BETTER, WORSE, ALIKE = "clearly better", "clearly worse", "not distinguishable"
LEVEL = 0.05  # of corrected p
GOAL = 0.85  # AUC on unseen masks


@dataclass(frozen=True)
class Row:
    """A way of the table: its figures over all data sets and in each ("" is over all)."""

    way: Way
    why: str
    auc: Mapping[str, Interval]
    masks: Mapping[str, Interval]
    apcer: Mapping[str, Interval]
    bpcer: Mapping[str, Interval]
    against: Mapping[Way, Difference]  # AUC less that of each of the thesis' ways
    apcer_difference: Difference | None  # less that of the best of them
    p_corrected: float | None = None  # against the best of them

    def verdict(self, base: Way) -> str:
        """BETTER or WORSE than `base` at the level LEVEL after correction, else ALIKE."""
        change = self.against.get(base)
        if change is None or self.p_corrected is None or self.p_corrected >= LEVEL:
            return ALIKE
        return BETTER if change.value > 0 else WORSE


@dataclass(frozen=True)
class Goal:
    """The highest AUC on masks of the base lines and additions, and whether it reaches `GOAL`."""

    way: Way
    auc: Mapping[str, Interval]
    n_ways: int  # that it is the highest of

    @property
    def is_met(self) -> bool:
        return self.auc[""].value >= GOAL


@dataclass(frozen=True)
class Verdicts:
    """The table: base lines, the best of them on these images, additions in the order in which they are declared."""

    base_lines: tuple[Row, ...]
    best: Way
    additions: tuple[Row, ...]
    goal: Goal | None

    def called(self, verdict: str) -> list[Way]:
        """The additions with this verdict against the best way."""
        return [row.way for row in self.additions if row.verdict(self.best) == verdict]


def verdicts(judged: Judged, base_lines: Sequence[Way], additions: Mapping[Way, str]) -> Verdicts:
    """`additions`: way -> what it is, in one line. Base lines and additions without any scores are left out."""
    bases = [way for way in base_lines if way in judged.scores and judged.interval(AUC, way)]
    best = max(bases, key=lambda way: judged.interval(AUC, way).value)  # type: ignore[union-attr]
    rows = [_row(judged, way, why, bases, best) for way, why in additions.items() if judged.interval(AUC, way)]
    p = [row.against[best].p for row in rows if best in row.against]
    corrected = holm([1.0 if value is None else value for value in p]).tolist()
    numbered = iter(corrected)
    rows = [replace(row, p_corrected=next(numbered)) if best in row.against else row for row in rows]
    of_bases = tuple(_row(judged, way, "as the thesis judges it", bases, best) for way in bases)
    return Verdicts(of_bases, best, tuple(rows), _goal([*of_bases, *rows]))


def _row(judged: Judged, way: Way, why: str, bases: Sequence[Way], best: Way) -> Row:
    def over(metric: str, species: str = "") -> dict[str, Interval]:
        places = [None, *judged.data_sets]
        of_each = {place or "": judged.interval(metric, way, species, place) for place in places}
        return {place: interval for place, interval in of_each.items() if interval is not None}

    others = [base for base in bases if base != way]
    against = {base: judged.difference(AUC, way, base) for base in others}
    return Row(
        way,
        why,
        over(AUC),
        over(AUC, MASKS),
        over(APCER),
        over(BPCER),
        {base: change for base, change in against.items() if change is not None},
        judged.difference(APCER, way, best) if way != best else None,
    )


def _goal(rows: Sequence[Row]) -> Goal | None:
    with_masks = [row for row in rows if row.masks]
    if not with_masks:
        return None
    places = set.union(*(set(row.masks) for row in with_masks))
    whole = [row for row in with_masks if set(row.masks) == places]  # judged on all the masks there are
    highest = max(whole, key=lambda row: row.masks[""].value)
    return Goal(highest.way, highest.masks, len(whole))


# --------------------------------------------------------------------------------------------------------- documents


def as_json(of: Verdicts) -> Json:
    """The document `verdict.json`; rates and AUC are shares, intervals of 95 % by people."""
    return {
        "base_lines": [_row_json(row) for row in of.base_lines],
        "best_base_line": of.best._asdict(),
        "best_is_optimistic": "chosen on these very test images: an addition has it harder, never easier",
        "n_comparisons": len(of.additions),
        "correction": "holm",
        "additions": [_row_json(row) | {"verdict": row.verdict(of.best)} for row in of.additions],
        "goal": None
        if of.goal is None
        else {
            "auc_on_masks": GOAL,
            "met": of.goal.is_met,
            **of.goal.way._asdict(),
            "highest_of": of.goal.n_ways,
            "auc": {place or "all": interval._asdict() for place, interval in of.goal.auc.items()},
        },
    }


def _row_json(row: Row) -> Json:
    of_each = {"auc": row.auc, "auc_on_masks": row.masks, "apcer_at_dev_threshold": row.apcer, "bpcer": row.bpcer}
    return {
        **row.way._asdict(),
        "why": row.why,
        **{
            name: {place or "all": interval._asdict() for place, interval in of.items()} for name, of in of_each.items()
        },
        "auc_less_that_of": {str(base): change._asdict() for base, change in row.against.items()},
        "apcer_less_that_of_best": row.apcer_difference._asdict() if row.apcer_difference else None,
        "p_corrected": row.p_corrected,
    }


def markdown(of: Verdicts, data_sets: Sequence[str]) -> str:
    """Two tables, over all data sets and in each, and what follows from them in sentences."""
    lines = [*sentences(of), ""]
    lines += [
        f"| way | AUC | less that of {of.best} | verdict | AUC, masks | APCER | BPCER |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in (*of.base_lines, *of.additions):
        is_base = row in of.base_lines
        change = row.against.get(of.best)
        verdict = ("thesis, the best here" if row.way == of.best else "thesis") if is_base else row.verdict(of.best)
        cells = [
            _named(row, data_sets),
            _cell(row.auc.get("")),
            _signed(change),
            f"**{verdict}**" if verdict in (BETTER, WORSE) else verdict,
            _cell(row.masks.get("")),
            _percent(row.apcer.get("")),
            _percent(row.bpcer.get("")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if len(data_sets) > 1:
        lines += ["", f"| AUC of | {' | '.join(data_sets)} |", "|---|" + "---|" * len(data_sets)]
        for row in (*of.base_lines, *of.additions):
            lines.append(f"| {row.way} | {' | '.join(_cell(row.auc.get(name)) for name in data_sets)} |")
    return "\n".join(lines) + "\n"


def _named(row: Row, data_sets: Sequence[str]) -> str:
    """The way, with the data sets that it is of where these are not all."""
    has = [name for name in data_sets if name in row.auc]
    return str(row.way) if len(has) == len(data_sets) else f"{row.way} ({', '.join(has)} alone)"


def sentences(of: Verdicts) -> list[str]:
    """The findings, whichever they are."""
    lines = []
    for verdict in (BETTER, WORSE, ALIKE):
        ways = of.called(verdict)
        named = f": {'; '.join(map(str, ways))}" if ways else ""
        lines.append(f"- {len(ways)} of {len(of.additions)} additions {verdict} than {of.best}{named}.")
    lines[-1] = lines[-1].replace(f"{ALIKE} than", f"{ALIKE} from")
    lines.append(
        "- Intervals are 95 % of each figure by itself, by people; a verdict takes all "
        f"{len(of.additions)} comparisons together (Holm), so that an interval without 0 is not enough for one."
    )
    n_people = max((change.n_people for row in of.additions for change in row.against.values()), default=0)
    if of.additions and len(of.additions) * 2.0 ** (1 - n_people) >= LEVEL:
        lines.append(
            f"- {n_people} people with attacks are too few for a clear difference among {len(of.additions)} "
            "comparisons: p is at least 2^(1 - n). Take more people, or more data sets."
        )
    if of.goal is not None:
        auc = of.goal.auc[""]
        each = ", ".join(f"{place} {_cell(interval)}" for place, interval in of.goal.auc.items() if place)
        lines.append(
            f"- Goal, an AUC of {GOAL} on unseen masks: {'met' if of.goal.is_met else 'missed'}. The highest of "
            f"{of.goal.n_ways}, so optimistic, is {of.goal.way} with {_cell(auc)} ({each})."
        )
    return lines


def _cell(interval: Interval | None) -> str:
    if interval is None:
        return ""
    ends = "" if interval.low is None else f" ({interval.low:.2f}–{interval.high:.2f})"
    return f"{interval.value:.2f}{ends}"


def _percent(interval: Interval | None) -> str:
    if interval is None:
        return ""
    ends = "" if interval.low is None else f" ({100 * interval.low:.0f}–{100 * (interval.high or 0):.0f})"
    return f"{100 * interval.value:.0f} %{ends}"


def _signed(change: Difference | None) -> str:
    if change is None:
        return ""
    ends = "" if change.low is None or change.high is None else f" ({change.low:+.2f} to {change.high:+.2f})"
    return f"{change.value:+.2f}{ends}".replace("-", "−")
