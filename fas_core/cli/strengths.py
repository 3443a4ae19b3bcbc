"""`fas strengths`: from which strength on simulated attacks are found."""

from __future__ import annotations

from typing import Annotated

import typer

from fas_core.cli.evaluation import RuleOption
from fas_core.cli.options import (
    AttackShareOption,
    CacheOption,
    CurrencyOption,
    JsonOption,
    LevelOption,
    LossOption,
    RejectionCostOption,
    SessionsOption,
    costs_as_json,
    costs_of,
    only_score,
    opened_run,
    subsets_of,
)
from fas_core.cli.printing import print_json, print_table, say_cautions, say_notes

MOST_NAMED = 4  # subsets, in a title


def strengths(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    cache: CacheOption,
    score: Annotated[str | None, typer.Option(help="The score to decide by.")] = None,
    rule: RuleOption = "bpcer<=0.05",
    choose_on: Annotated[list[str] | None, typer.Option(help="Subset the rule looks at; may be repeated.")] = None,
    report_on: Annotated[list[str] | None, typer.Option(help="Subset reported on; may be repeated.")] = None,
    level: LevelOption = "frame",
    sessions: SessionsOption = None,
    attack_share: AttackShareOption = None,
    loss: LossOption = None,
    rejection_cost: RejectionCostOption = None,
    currency: CurrencyOption = None,
    as_json: JsonOption = False,
) -> None:
    """APCER of simulated attacks against their strength, at one threshold. No evidence about real attacks.

    Example: `fas strengths small_dcvae --score rec`
    """
    from fas_core import scores
    from fas_core.deciding import card as cards
    from fas_core.evaluation.strengths import by_strength
    from fas_core.metrics import operating_point as op
    from fas_core.runs.health import SIMULATED

    opened = opened_run(cache, run)
    by, of = score or only_score(opened, run), op.rule(rule)
    on, reported_on = subsets_of(opened, run, choose_on, report_on)
    costs = costs_of(of, sessions, attack_share, loss, rejection_cost, currency)
    told = by_strength(opened, scores.values(opened, by), of, on, reported_on, level, costs=costs)
    warnings = cards.cautions(opened, of, on, reported_on)
    if as_json:
        said = {"warnings": [warning.as_json() for warning in warnings], "negated": scores.is_negated(opened, by)}
        return print_json({"run": opened.id, "score": by, **told.as_json(), **said, **costs_as_json(costs)})
    say_cautions(warning for warning in warnings if warning.kind != SIMULATED)  # which is said beneath the table
    say_notes(filter(None, [scores.sign_words(opened, by)]))
    table = told.table()
    n = len(told.reported_on)
    where = ", ".join(told.reported_on) if n <= MOST_NAMED else f"{n} subsets"
    title = f"{run}: {by}, APCER by strength on {where}, threshold {told.threshold:.4g}"
    print_table(title, list(table), table.to_numpy(str).tolist())
    if costs is not None:
        print(f"Costs: {costs.in_words}.")
    print(f"{told.sentence()}\n{told.caveat}")
