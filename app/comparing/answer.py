"""What the comparison says, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.comparing.comparison import (
    LETTERS,
    Comparison,
    cautions,
    differences,
    flips,
    joined,
    matching,
    thresholds,
    worse,
)
from app.words import escaped, number
from fas_core.data.names import readable
from fas_core.evaluation.regressions import headline
from fas_core.evaluation.words import in_words


def names_of_runs(comparison: Comparison) -> str:
    """A: small_dcvae (rec) · B: ..."""
    return " · ".join(
        f"**{letter}** {escaped(run.info.name)}, {escaped(score)}"
        for letter, (run, score) in zip(LETTERS, comparison.systems, strict=False)
    )


def answer(comparison: Comparison, *, with_intervals: bool) -> str:
    """A sentence on each other Run: what is better, and in bold what got worse. Nothing is bold that is not matched."""
    paragraphs = []
    for b, letter in enumerate(comparison.letters[1:], start=1):
        got_worse = worse(comparison, b, with_intervals=with_intervals)
        if got_worse is None:
            paragraphs.append(_bound(details(comparison, b, with_intervals=with_intervals)[:2]))
            continue
        said = headline(got_worse, letter)
        but = f"**{_bound([said.but])}**" if said.but else ""
        paragraphs.append(f"{_bound([said.answer])}{but}")
    return "\n\n".join(paragraphs)


def details(comparison: Comparison, b: int, *, with_intervals: bool) -> list[str]:
    """Species by species, over all thresholds, verdicts that turned: sentences of plain text."""
    of_each = differences(comparison, b, with_intervals=with_intervals)
    at, letter = flips(comparison, b), LETTERS[b]
    return in_words(joined(comparison), comparison.rule, of_each, at, letter, matching(comparison))


def _bound(sentences: Sequence[str]) -> str:
    """For Markdown, numbers with what they are of."""
    return " ".join(escaped(said.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")) for said in sentences)


def judged(comparison: Comparison) -> str:
    """Which Runs, by which thresholds, on what: a line."""
    where, by = ", ".join(map(readable, comparison.subsets)), matching(comparison)
    chosen = f"chosen on {', '.join(map(readable, by.chosen_on))}, judged" if by.is_fixed else "matched anew"
    rule = f"{escaped(comparison.rule.words)} {escaped(f'{chosen} on {where}')}"
    return f"{names_of_runs(comparison)} · {rule} · {_samples(comparison)}"


def warnings(comparison: Comparison) -> str:
    """What to know before the numbers are believed; "" where there is nothing."""
    return " ".join(f"**{letters}: {escaped(message)}**" for message, letters in cautions(comparison).items())


def caveats(
    comparison: Comparison, *, with_intervals: bool, leaves_training_out: bool, takes_another_rule: bool
) -> str:
    """How it is compared. `takes_another_rule`: than the sidebar's, which cannot match thresholds."""
    return (
        ("Training images are left out. " if leaves_training_out else "")
        + _thresholds(comparison)
        + (
            f"The sidebar's rule cannot match thresholds, so {escaped(comparison.rule.words)} is taken. "
            if takes_another_rule
            else ""
        )
        + _intervals(comparison, with_intervals=with_intervals)
    )


def _samples(comparison: Comparison) -> str:
    both = joined(comparison)
    where = "only in" if len(comparison.systems) == 2 else "not common to all in"
    words = [f"{len(both):,} samples compared"]
    words += [f"{only:,} {where} {letter}" for letter, only in zip(LETTERS, both.n_only, strict=False) if only]
    if both.n_no_response:
        words.append(f"{both.n_no_response:,} left out because one of the Runs gave no score")
    return ", ".join(words)


def _thresholds(comparison: Comparison) -> str:
    at, problem = thresholds(comparison)
    if not at:
        return f"No verdicts: {escaped(problem)}. "
    each = ", ".join(f"{number(t)} ({letter})" for letter, t in zip(comparison.letters, at, strict=True))
    return f"Thresholds {each}: {escaped(matching(comparison).words)}. "


def _intervals(comparison: Comparison, *, with_intervals: bool) -> str:
    both = joined(comparison)
    units, independent = both.units
    n_units = len(np.unique(units.groups))
    by = f"{n_units:,} {units.name}{'s' if n_units != 1 else ''}"
    if not with_intervals:
        return f"Intervals by {by} are being computed …" if both.has_both_classes else ""
    how = "taken as given" if comparison.chosen_on else "matched anew each time"
    return f"In brackets: 95 % of the difference, by resampling {by}, thresholds {how}" + (
        "; p of the AUC by DeLong." if independent else "; the samples are not independent, so no p is by DeLong."
    )
