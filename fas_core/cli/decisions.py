"""`fas decisions`: which Runs were approved or refused, by whom, why, and on which numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import CacheOption, JsonOption, LevelOption, only_score, opened_run
from fas_core.cli.printing import print_kept, say

MOST_WORSE = 2  # groups that got worse, of each decision listed

if TYPE_CHECKING:
    from fas_core.deciding.decisions import Evidence, JudgedRun
    from fas_core.evaluation.join import System
    from fas_core.metrics.operating_point import Rule


def list_decisions(context: typer.Context, cache: CacheOption, as_json: JsonOption = False) -> None:
    """Runs that were approved or refused, the newest decision first. Example: `fas decisions list --json`"""
    if context.invoked_subcommand is not None:
        return None
    from fas_core.deciding import decisions

    def row(entry: decisions.Kept) -> dict[str, str]:
        decision = entry.decision
        return {
            "run": decision.about.name,
            "decision": decision.in_short + ("" if entry.is_latest else " (superseded)"),
            "reason": decision.reason,
            "conditions": "; ".join(decision.conditions) or "–",
            "got worse": decision.evidence.worse_words(MOST_WORSE) or "–",
        }

    remedy = "fas decisions add RUN --verdict approved --by NAME --reason WHY"
    return print_kept("decisions", decisions.kept(cache), row, cache=cache, remedy=remedy, as_json=as_json)


def add_decision(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    *,
    cache: CacheOption,
    verdict: Annotated[str, typer.Option(help="approved or refused.")],
    by: Annotated[str, typer.Option(help="The name of who decides.")],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    against: Annotated[str | None, typer.Option(metavar="RUN", help="The Run in use that it is compared with.")] = None,
    condition: Annotated[list[str] | None, typer.Option(help="Under which condition; may be repeated.")] = None,
    score: Annotated[str | None, typer.Option(help="The score to judge by; by default the only one.")] = None,
    score_against: Annotated[str | None, typer.Option(help="That of the other Run, where it is another one.")] = None,
    rule: Annotated[str, typer.Option(help="What thresholds are chosen by.")] = "bpcer<=0.05",
    choose_on: Annotated[list[str] | None, typer.Option(help="Subset the rule looks at; may be repeated.")] = None,
    level: LevelOption = "frame",
    although_missed: Annotated[
        bool, typer.Option("--although-missed", help="Also approve a Run whose limit does not hold.")
    ] = False,
) -> None:
    """Keeps a decision about a Run, and the numbers that it rests on.

    Example: `fas decisions add small_resvae --against small_dcvae --score rec --verdict approved --by Ada --reason
    "fewer masks pass"`
    """
    from fas_core.access import policy
    from fas_core.deciding import decisions
    from fas_core.evaluation.join import System
    from fas_core.metrics import operating_point as op

    opened = opened_run(cache, run)
    system = System(opened, score or only_score(opened, run))
    other = None if against is None else System(opened_run(cache, against), score_against or system.score)
    decisions.require_said(verdict, by, reason)  # before the work begins
    judged, in_use, evidence = _evidence(system, other, op.rule(rule), choose_on, level)
    draft = decisions.draft(
        judged,
        in_use,
        evidence,
        verdict=verdict,
        by=by,
        reason=reason,
        conditions=condition or (),
        although_missed=although_missed,
    )
    for caution in evidence.cautions:
        say(f"Warning: {caution.message}")
    policy.tell("decision", {"run": opened.id, "verdict": verdict, "by": by, "why": reason})
    sealed = decisions.keep(draft, cache)
    print(sealed.in_words)
    for entry in decisions.kept(cache)[0]:
        if entry.decision == sealed and entry.before_words:
            print(entry.before_words)


def _evidence(
    system: System, other: System | None, rule: Rule, choose_on: list[str] | None, level: str
) -> tuple[JudgedRun, JudgedRun | None, Evidence]:
    """The Run, the other one, and what is said about them: thresholds are chosen on dev, as on the page Compare."""
    from fas_core.data.names import dev_subsets, fresh_subsets
    from fas_core.deciding import card as cards
    from fas_core.deciding import decisions
    from fas_core.evaluation import comparison
    from fas_core.metrics.operating_point import BY_HAND
    from fas_core.reports import card as cardpage

    if other is not None:
        chosen_on = choose_on or dev_subsets(other.run.subsets)
        return decisions.by_comparison(comparison.compared(other, system, rule, level, chosen_on=chosen_on))
    subsets = system.run.subsets
    chosen_on = choose_on or ([] if rule.kind == BY_HAND else dev_subsets(subsets))
    reported = fresh_subsets(subsets, chosen_on) or subsets
    frozen = cards.card(system.run, system.score, rule, chosen_on, reported, level=level)
    judged, evidence = decisions.by_card(system, frozen, cardpage.answer(frozen))
    return judged, None, evidence
