"""`fas over-time`: errors against the time until there is a decision."""

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


def over_time(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    cache: CacheOption,
    score: Annotated[str | None, typer.Option(help="The score to decide by.")] = None,
    rule: RuleOption = "bpcer<=0.05",
    choose_on: Annotated[list[str] | None, typer.Option(help="Subset the rule looks at; may be repeated.")] = None,
    report_on: Annotated[list[str] | None, typer.Option(help="Subset reported on; may be repeated.")] = None,
    level: LevelOption = "video mean",
    at: Annotated[
        list[str] | None, typer.Option(help="After so many seconds (0.5s) or frames (5); may be repeated.")
    ] = None,
    sessions: SessionsOption = None,
    attack_share: AttackShareOption = None,
    loss: LossOption = None,
    rejection_cost: RejectionCostOption = None,
    currency: CurrencyOption = None,
    as_json: JsonOption = False,
) -> None:
    """BPCER and APCER when deciding on the frames up to a time, at thresholds chosen for that time.

    Example: `fas over-time small_dcvae --score rec --level 'video mean' --at 0.5s --at 2s`
    """
    from fas_core import scores
    from fas_core.deciding import card as cards
    from fas_core.evaluation import levels, presentations
    from fas_core.evaluation import over_time as core
    from fas_core.metrics import operating_point as op

    opened = opened_run(cache, run)
    by, of = score or only_score(opened, run), op.rule(rule)
    on, reported_on = subsets_of(opened, run, choose_on, report_on)
    costs = costs_of(of, sessions, attack_share, loss, rejection_cost, currency)
    frames = presentations.grouping(opened, level, in_order=level != levels.FRAME)
    times = [levels.span(text) for text in at or ()]
    told = core.over_time(frames, scores.values(opened, by), of, on, reported_on, costs=costs, times=times)
    warnings = cards.cautions(opened, of, on, reported_on)
    if as_json:
        said = {"warnings": [warning.as_json() for warning in warnings], "negated": scores.is_negated(opened, by)}
        return print_json({"run": opened.id, "score": by, **told.as_json(), **said, **costs_as_json(costs)})
    say_cautions(warnings)
    say_notes(filter(None, [scores.sign_words(opened, by)]))
    title = f"{run}: {by}, {told.level}, on {', '.join(told.reported_on)} (n = {told.n:,})"
    table = told.table()
    print_table(title, list(table), table.to_numpy(str).tolist())
    if costs is not None:
        print(f"Costs: {costs.in_words}.")
    print(f"{told.answer()} {told.sentence()}\n{told.caveat}")
