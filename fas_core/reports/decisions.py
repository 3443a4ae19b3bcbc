"""Decisions about Runs as a section of a report: by whom, why, under which conditions, on which numbers."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fas_core.deciding import decisions
from fas_core.deciding.decisions import Decision, Kept
from fas_core.evaluation.words import threshold_text
from fas_core.metrics.operating_point import BY_HAND
from fas_core.reports import html
from fas_core.reports.html import facts
from fas_core.runs.store import Run


def at_the_top(runs: Sequence[Run]) -> Markup:
    """The latest decision about each of some Runs; nothing where none was made."""
    by_id = {run.id: run for run in runs}
    said = []
    for entry in decisions.about(runs):
        if not entry.is_latest:
            continue
        decision = entry.decision
        changed = decision.about.state(by_id[decision.about.run])
        since = f" But {changed}." if changed else ""
        said.append(html.answer(f"{decision.about.name}:", f"{decision.said}{since} {entry.before_words}".rstrip()))
    return html.joined(said)


def section(listed: Sequence[Kept]) -> Markup:
    """All of them, the newest first; nothing where there are none. Every text is escaped."""
    if not listed:
        return Markup()
    parts = [part for entry in listed for part in _parts(entry)]
    return html.section("What was decided", html.joined(parts))


def _parts(entry: Kept) -> list[Markup]:
    decision = entry.decision
    if not entry.is_latest:
        return [html.paragraph(f"{decision.in_words} Superseded by a later decision.", "quiet")]
    return [html.paragraph(decision.in_words), facts(_facts(decision))]


def _facts(decision: Decision) -> dict[str, str]:
    evidence = decision.evidence
    where = ", ".join(evidence.chosen_on) or "what was judged"
    judged = [decision.about] if decision.against is None else [decision.about, decision.against]
    return {
        "Decided": f"{decision.when[:16].replace('T', ' ')} UTC by {decision.by}",
        "Conditions": "; ".join(decision.conditions) or "none",
        "Judged by": "; ".join(
            f"{run.name} by {run.score}"
            + ("" if run.threshold is None else f" at the threshold {threshold_text(run.threshold)}")
            for run in judged
        ),
        "Thresholds": f"{evidence.rule.words}{'' if evidence.rule.kind == BY_HAND else f', chosen on {where}'}, per "
        f"{evidence.level}",
        "Judged on": ", ".join(evidence.judged_on),
        "Numbers as shown": " ".join(evidence.numbers),
        **({"What got worse, as shown": evidence.worse_words() or "no row"} if evidence.worse is not None else {}),
        "Cautions": " ".join(caution.message for caution in evidence.cautions) or "none",
        "Content of the Runs": ", ".join(f"{run.run} {run.digest}" for run in judged),
        "Seal": decision.sha256,
    }
