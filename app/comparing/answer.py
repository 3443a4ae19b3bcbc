"""What the comparison says, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from app.comparing.comparison import LETTERS, Comparison, joined, sheet
from app.words import escaped
from fas_core.evaluation.join import left_out_words
from fas_core.metrics.operating_point import COST, Rule
from fas_core.runs.joining import free_name


def names_of_runs(comparison: Comparison) -> str:
    """A: small_dcvae (rec) · B: ..."""
    return " · ".join(
        f"**{letter}** {escaped(run.info.name)}, {escaped(score)}"
        for letter, (run, score) in zip(LETTERS, comparison.systems, strict=False)
    )


def answer(comparison: Comparison, feared: Sequence[str] = (), *, with_intervals: bool) -> str:
    """A sentence on each other Run: what is better, and in bold what got worse. Nothing is bold that is not matched.

    `feared`: species that are named first.
    """
    paragraphs = []
    for said in sheet(comparison).headlines(with_intervals=with_intervals, feared=feared):
        # Outside the bold: Markdown opens none between a letter and a comma.
        but = f"{escaped(said.but[0])} **{_bound([said.but[2:]])}**" if said.but else ""
        paragraphs.append(f"{_bound([said.answer])}{but}")
    return "\n\n".join(paragraphs)


def details(comparison: Comparison, b: int, *, with_intervals: bool) -> list[str]:
    """Species by species, over all thresholds, verdicts that turned: sentences of plain text."""
    return sheet(comparison).details(b, with_intervals=with_intervals)


def _bound(sentences: Sequence[str]) -> str:
    """For Markdown, numbers with what they are of."""
    return " ".join(escaped(said.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")) for said in sentences)


def judged(comparison: Comparison, asked: Rule | None = None) -> str:
    """Which Runs, by which thresholds, on what: a line. `asked`: the sidebar's rule, where it may be another one."""
    of_all = sheet(comparison)
    instead = "" if asked is None else instead_words(asked, comparison.rule)
    return f"{names_of_runs(comparison)} · {escaped(of_all.rule_words)} · {of_all.samples_words}{instead}"


def instead_words(asked: Rule, taken: Rule) -> str:
    """Why Runs are compared by another rule than the sidebar's; "" where they are not."""
    if asked == taken:
        return ""
    if asked.kind == COST:
        return f" · **The sidebar's costs are not all set: {escaped(taken.words)} is taken**"
    which = "upper bound" if asked.at_95 else "species"
    return f" · **The sidebar's rule is for a single Run: {escaped(taken.words)} is taken, without its {which}**"


def warnings(comparison: Comparison) -> str:
    """What to know before the numbers are believed; "" where there is nothing."""
    cautions = sheet(comparison).cautions_said
    return " ".join(f"**{letters}: {escaped(message)}**" for message, letters in cautions.items())


def companions(comparison: Comparison) -> str:
    """How Runs of several modalities are joined, what they separate together, and the command that keeps it; "" of one
    modality."""
    if not (said := sheet(comparison).companions_words()):
        return ""
    of_each = " ".join(f"{run.id}:{score}" for run, score in comparison.systems)
    name = free_name(comparison.a.run, "fused")
    return f"{escaped(said)} As a score of A: `fas scores fuse {of_each} --name {name}`"


def caveats(comparison: Comparison, *, with_intervals: bool, leaves_training_out: bool) -> str:
    """How it is compared."""
    of_all, is_two_sided = sheet(comparison), joined(comparison).has_both_classes
    said = [left_out_words(joined(comparison).unit)] if leaves_training_out else []
    said.append(escaped(of_all.thresholds_words))
    if with_intervals:
        said.append(of_all.intervals_words)
    elif is_two_sided:
        said.append(f"Intervals by {of_all.units_words} are being computed …")
    return " ".join(said)
