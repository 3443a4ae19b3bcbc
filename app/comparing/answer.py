"""What the comparison says, in sentences."""

from __future__ import annotations

import numpy as np

from app.comparing.comparison import LETTERS, Comparison, cautions, differences, flips, joined, thresholds
from app.words import escaped, number
from fas_core.evaluation.words import in_words


def names_of_runs(comparison: Comparison) -> str:
    """A: small_dcvae (rec) · B: ..."""
    return " · ".join(
        f"**{letter}** {escaped(run.info.name)}, {escaped(score)}"
        for letter, (run, score) in zip(LETTERS, comparison.systems, strict=False)
    )


def answer(comparison: Comparison, *, with_intervals: bool) -> str:
    """A paragraph on each other Run, its first sentence emphasised."""
    both, paragraphs = joined(comparison), []
    for b, letter in enumerate(comparison.letters[1:], start=1):
        of_each = differences(comparison, b, with_intervals=with_intervals)
        words = in_words(both, comparison.rule, of_each, flips(comparison, b), letter)
        first, *rest = (escaped(said.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")) for said in words)
        paragraphs.append(f"**{first}** {' '.join(rest)}")
    return "\n\n".join(paragraphs)


def caveats(
    comparison: Comparison, *, with_intervals: bool, leaves_training_out: bool, takes_another_rule: bool
) -> str:
    """What is compared and how. `takes_another_rule`: than the sidebar's, which cannot match thresholds."""
    return (
        "".join(f"**{letters}: {escaped(message)}** " for message, letters in cautions(comparison).items())
        + _samples(comparison)
        + ("Training images are left out. " if leaves_training_out else "")
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
    return ", ".join(words) + ". "


def _thresholds(comparison: Comparison) -> str:
    at, problem = thresholds(comparison)
    if not at:
        return f"No verdicts: {escaped(problem)}. "
    each = ", ".join(f"{number(t)} ({letter})" for letter, t in zip(comparison.letters, at, strict=True))
    return f"Thresholds {each}: {escaped(comparison.rule.words)} for each on these samples. "


def _intervals(comparison: Comparison, *, with_intervals: bool) -> str:
    both = joined(comparison)
    units, independent = both.units
    n_units = len(np.unique(units.groups))
    by = f"{n_units:,} {units.name}{'s' if n_units != 1 else ''}"
    if not with_intervals:
        return f"Intervals by {by} are being computed …" if both.has_both_classes else ""
    return f"In brackets: 95 % of the difference, by resampling {by}, thresholds matched anew each time" + (
        "; p of the AUC by DeLong." if independent else "; the samples are not independent, so no p is by DeLong."
    )
