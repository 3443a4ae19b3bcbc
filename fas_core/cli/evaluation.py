"""`fas evaluate`, `threshold`, `certify`, `predict`, `report`: what Runs say."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import (
    AttackShareOption,
    CacheOption,
    ColumnOption,
    CurrencyOption,
    EngineOption,
    FailClosedOption,
    JsonOption,
    LevelOption,
    LossOption,
    OutOption,
    RejectionCostOption,
    SessionsOption,
    costs_of,
    intervals_by,
    only_score,
    opened_run,
)
from fas_core.cli.printing import (
    file_size,
    number,
    print_at_thresholds,
    print_card,
    print_json,
    print_metrics,
    print_plans,
    print_sheet,
    print_table,
    say,
    say_cautions,
    say_notes,
)
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fas_core.deciding.card import Card
    from fas_core.deciding.card_states import History
    from fas_core.evaluation.join import System
    from fas_core.evaluation.presentations import Presentations
    from fas_core.runs.store import Run


def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    cache: CacheOption,
    score: Annotated[str | None, typer.Option(help="Only this score.")] = None,
    subset: Annotated[str | None, typer.Option(help="Only this subset.")] = None,
    threshold: Annotated[list[float] | None, typer.Option(help="Rates at this threshold; may be repeated.")] = None,
    level: LevelOption = "frame",
    fail_closed: FailClosedOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a row per number, with its interval, as CSV.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print a table per score for a paper (booktabs).")] = False,
    engine: EngineOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Metrics per score and subset. Example: `fas evaluate small_dcvae --score rec --level 'video mean'`"""
    from fas_core import files, scores
    from fas_core.evaluation import run_metrics
    from fas_core.reports import papers

    if as_csv + as_latex + as_json > 1:
        raise BadInputError("--csv, --latex and --json: choose one.")
    opened = opened_run(cache, run)
    with intervals_by(engine):
        of_run = run_metrics.evaluated(
            opened, score, subset, level, fail_closed=fail_closed, thresholds=threshold or ()
        )
    if as_json:
        return print_json(of_run.as_json() | {"negated": [n for n in of_run.scores if scores.is_negated(opened, n)]})
    for warning in of_run.warnings:
        say(f"Warning: {warning.message}")
    say_notes(filter(None, (scores.sign_words(opened, name) for name in of_run.scores)))
    if as_csv:
        return print(files.csv(papers.numbers(of_run)).decode(), end="")
    if as_latex:
        return print(papers.latex(of_run, opened.info.name), end="")
    for name, cells in of_run.scores.items():
        print_metrics(f"{run}: {name}", {of_subset: (cell, cell.at_dev_threshold) for of_subset, cell in cells.items()})
        for of_subset, cell in cells.items():
            print_at_thresholds(cell, f"{of_subset}: ")
    errors = [
        [name, str(e.n), f"{e.mse:.4f}", number(e.mean_image_mse), _against(e.below_mean_image)]
        for name, e in (of_run.reconstruction or {}).items()
    ]
    if errors:
        heads = ["subset", "live images", "pixel MSE", "of the mean training image", "against it"]
        print_table(f"{run}: reconstructions of live images", heads, errors)


def _against(saved: float | None) -> str:
    """What is saved of an error, as its change: −20.0 % where a fifth is saved, +20.0 % where it is a fifth larger."""
    from fas_core.evaluation.words import signed

    return "–" if saved is None else f"{signed(-100 * saved, 1)} %"


RuleOption = Annotated[
    str,
    typer.Option(
        help="bpcer<=X, apcer<=X (worst species), apcer[SPECIES]<=X, eer, cost or threshold=T. With @95 behind X the "
        "upper 95 % bound is within X too."
    ),
]


def operating_point(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Not needed with --check.")] = None,
    *,
    cache: CacheOption,
    score: Annotated[str | None, typer.Option(help="The score to decide by.")] = None,
    rule: RuleOption = "bpcer<=0.05",
    choose_on: Annotated[list[str] | None, typer.Option(help="Subset the rule looks at; may be repeated.")] = None,
    report_on: Annotated[list[str] | None, typer.Option(help="Subset reported on; may be repeated.")] = None,
    level: LevelOption = "frame",
    fail_closed: FailClosedOption = False,
    sessions: SessionsOption = None,
    attack_share: AttackShareOption = None,
    loss: LossOption = None,
    rejection_cost: RejectionCostOption = None,
    currency: CurrencyOption = None,
    by: Annotated[str, typer.Option(help="Who decides; by default the login name.")] = "",
    note: Annotated[str, typer.Option(help="Why, in words.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="File of the card; by default printed only.")] = None,
    check: Annotated[Path | None, typer.Option(help="Compute this card anew; status 1 where anything differs.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Chooses a threshold, freezes it as a card, reports it elsewhere; or checks a card.

    Example: `fas threshold small_dcvae --score rec --choose-on live --report-on unseen_paper --out op.json`
    """
    from fas_core.data.names import dev_subsets, fresh_subsets
    from fas_core.deciding import card as cards
    from fas_core.deciding import card_states
    from fas_core.metrics import operating_point as op

    if check is not None:
        return _check_card(check, cache, as_json)
    if run is None:
        raise BadInputError("Name a Run, for example: fas threshold small_dcvae --score rec --report-on unseen_paper")
    chosen = opened_run(cache, run)
    if out is not None:
        card_states.require_undecided(out)
    by_rule, dev = op.rule(rule), choose_on or dev_subsets(chosen.subsets)
    is_by_hand = by_rule.kind == op.BY_HAND
    card = cards.card(
        chosen,
        score or only_score(chosen, run),
        by_rule,
        choose_on or ([] if is_by_hand else dev),
        report_on or fresh_subsets(chosen.subsets, dev) or (list(chosen.subsets) if is_by_hand else []),
        level=level,
        costs=costs_of(by_rule, sessions, attack_share, loss, rejection_cost, currency),
        fail_closed=fail_closed,
        by=by,
        note=note,
    )
    card = cards.signed(card)
    if out is not None:
        cards.write(card, out)
    _say_card(card, chosen, as_json)


def _say_card(card: Card, run: Run, as_json: bool) -> None:
    """Its warnings, then the card."""
    from fas_core import scores

    say_notes(filter(None, [scores.sign_words(run, card.score)]))
    say_cautions(card.warnings or ())
    print_json(card.as_json()) if as_json else print_card(card)


def _check_card(path: Path, cache: Path, as_json: bool) -> None:
    from fas_core import scores
    from fas_core.access import keys
    from fas_core.deciding import card as cards

    card = cards.read(path)
    if keys.trusted() is not None:
        cards.require_accepted(card, str(path))
    run = cards.run_of(card, cache)
    differences = cards.differences(card, run)
    say_notes(filter(None, [scores.sign_words(run, card.score)]))
    if as_json:
        print_json({"card": str(path), "differences": differences, "signature": card.standing.words})
    else:
        signed = card.standing.words
        same = f"{path}: everything is as it was: threshold {card.threshold}, rule {card.rule}; the card is {signed}."
        print("\n".join(differences) or same)
    if differences:
        sys.exit(1)


def certify(
    source: Annotated[str | None, typer.Argument(metavar="[RUN|SCORES]", help="A Run, or a score file.")] = None,
    *,
    cache: CacheOption,
    plan: Annotated[list[str] | None, typer.Option(help="A plan's name, or a file of your own; may repeat.")] = None,
    list_plans: Annotated[bool, typer.Option("--list", help="The plans that there are, with their sources.")] = False,
    score: Annotated[str | None, typer.Option(help="The score to decide by, where a Run has several.")] = None,
    threshold: Annotated[float | None, typer.Option(help="At or above it is an attack.")] = None,
    rule: Annotated[
        str | None, typer.Option(help="bpcer<=X (0.05 by default), apcer<=X, apcer[SPECIES]<=X, also with @95; eer.")
    ] = (None),
    operating_point: Annotated[Path | None, typer.Option(help="A card: its threshold, score, level, subsets.")] = None,
    choose_on: Annotated[list[str] | None, typer.Option(help="Subset the rule looks at; may be repeated.")] = None,
    report_on: Annotated[list[str] | None, typer.Option(help="Subset reported on; may be repeated.")] = None,
    level: Annotated[
        str | None, typer.Option(help="What a presentation is; by default a video, else an image.")
    ] = None,
    fail_closed: FailClosedOption = False,
    as_json: JsonOption = False,
) -> None:
    """What presentations would prove under a test plan. No laboratory's verdict.

    Example: `fas certify small_dcvae --score rec --plan ibeta-level-1`
    """
    from fas_core.deciding import card as cards
    from fas_core.deciding import certification, plans
    from fas_core.metrics import operating_point as op
    from fas_core.runs import health

    if list_plans:
        known, problems = plans.offered(certification.plans_folder(cache))
        say_notes(problems)
        return print_json([asdict(each) for each in known]) if as_json else print_plans(known)
    if source is None or not plan:
        raise BadInputError(
            "Name a Run or a score file, and a plan: fas certify small_dcvae --plan ibeta-level-1. See fas certify "
            "--list."
        )
    chosen = [plans.plan(name) for name in plan]
    if sum(given is not None for given in (threshold, rule, operating_point)) > 1:
        raise BadInputError("Give one of --threshold, --rule and --operating-point: each says what the threshold is.")
    point = None if operating_point is None else cards.read_accepted(operating_point)
    decided, run = _decided(source, cache, score, level, fail_closed, point)
    by = op.rule(rule or str(op.DEFAULT) if threshold is None else f"threshold={threshold!r}")
    judged = (
        certification.judged(decided, by, choose_on or [], report_on or [])
        if point is None
        else certification.at_card(point, decided, report_on or [])
    )
    on = list(dict.fromkeys([*judged.chosen_on, *judged.reported_on]))
    warnings = [] if run is None else health.cautions(run, on)
    warnings += [*([cards.OPTIMISTIC] if judged.is_optimistic else []), *decided.short_cautions(on)]
    say_cautions(warnings)
    sheets = [judged.sheet(each) for each in chosen]
    if as_json:
        said = {"source": source, "warnings": [warning.as_json() for warning in warnings]}
        return print_json(judged.as_json() | said | {"sheets": [sheet.as_json() for sheet in sheets]})
    for sheet in sheets:
        print_sheet(source, sheet)


def _decided(
    source: str, cache: Path, score: str | None, level: str | None, fail_closed: bool, point: Card | None
) -> tuple[Presentations, Run | None]:
    """The presentations of a Run, and it, or of a score file; as a card says where nothing else is said."""
    from fas_core import scores
    from fas_core.deciding.certification import usual_level
    from fas_core.evaluation import file_metrics, presentations
    from fas_core.runs import scorefile

    if point is not None:
        score, level, fail_closed = score or point.score, level or point.level, fail_closed or point.fail_closed
    if Path(source).is_file():
        file = scorefile.read(Path(source))
        file = file_metrics.fail_closed(file) if fail_closed else file
        return presentations.of_file(file, level or usual_level(presentations.levels_of(file.rows))), None
    run = opened_run(cache, source)
    if point is not None and run.id != point.run:
        raise BadInputError(f"The card is of Run {point.run}, and {source} is Run {run.id}: give that, or --threshold.")
    decided_by = score or only_score(run, source)
    values = scores.values(run, decided_by)
    say_notes(filter(None, [scores.sign_words(run, decided_by)]))
    chosen = level or usual_level(presentations.levels(run))
    return presentations.presentations(run, values, chosen, fail_closed=fail_closed), run


def predict(
    image: Annotated[list[Path] | None, typer.Argument(metavar="[IMAGE...]")] = None,
    *,
    operating_point: Annotated[Path, typer.Option(help="The card, as 'fas threshold --out' writes it.")],
    cache: CacheOption,
    scores: Annotated[
        Path | None,
        typer.Option(help="Score file instead of images: sample_id and a column named as the card's score."),
    ] = None,
    column: ColumnOption = None,
    higher_is: Annotated[
        str | None, typer.Option(help="With --scores, what a higher score means: attack, or bona_fide (then negated).")
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="With images of one video, seconds between them, 0.1s: for levels of seconds.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    although_withdrawn: Annotated[
        bool, typer.Option("--although-withdrawn", help="Apply a card that was withdrawn.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verdicts for new images, or for new scores; what has none is an attack.

    Examples: `fas predict --operating-point op.json a.png` · `fas predict --operating-point op.json --scores new.csv`
    """
    from fas_core.deciding import card as cards
    from fas_core.deciding import card_states

    card = cards.read_accepted(operating_point)
    history = card_states.in_force(operating_point, card, cache)
    about = _applied(operating_point, card, history, cache, although_withdrawn)
    if scores is not None:
        if image:
            raise BadInputError(f"Name images or --scores {scores}, not both: images are scored by the card's model.")
        if every is not None:
            raise BadInputError("--every is about images; the column 'time' of a file of --scores says it of each row.")
        return _predict_scores(card, scores, cache, column or [], higher_is, about if as_json else None)
    if not image:
        raise BadInputError("Name images, or a file of scores with --scores.")
    if column or higher_is is not None:
        raise BadInputError("--column and --higher-is are about a file of --scores; images have neither.")
    from fas_core.data.videos import Sampling
    from fas_core.inference import predict as core

    apart = None if every is None else Sampling.of(every, None).every
    verdicts = core.verdicts(card, cache, image, device, every=apart)
    if as_json:
        return print_json([verdict.as_json() | {"card": about} for verdict in verdicts])
    for verdict in verdicts:
        score = "no score" if verdict.score is None else f"score {verdict.score:.6g}"
        why = f" ({verdict.reason})" if verdict.reason else ""
        why += f", of fewer images than '{card.level}' asks for" if verdict.is_short else ""
        print(f"{', '.join(map(str, verdict.images))}: {verdict.called}, {score}{why}")


def _applied(path: Path, card: Card, history: History, cache: Path, although_withdrawn: bool) -> dict[str, object]:
    """Says which card is applied and what speaks against it; the same for JSON.

    Raises BadInputError for a card that was withdrawn, unless that is asked for.
    """
    from fas_core import scores
    from fas_core.deciding import applied
    from fas_core.deciding.card_states import APPROVED, SUPERSEDED, WITHDRAWN
    from fas_core.evaluation.words import threshold_text

    if history.state == WITHDRAWN and not although_withdrawn:
        raise BadInputError(
            f"{path} is {history.in_words}. Take a card that is in force: fas cards. All the same: "
            "--although-withdrawn."
        )
    say(
        f"Card {card.sha256[:12]} ({path.name}), {history.state}: {card.run_name} ({card.run[:6]}), {card.score} per "
        f"{card.level}, threshold {threshold_text(card.threshold)}; {card.standing.words}."
    )
    warnings = [] if history.state == APPROVED else [f"{path} is {history.in_words}."]
    if history.state == SUPERSEDED:
        warnings = [f"{path} is {history.in_words}. In its place: {history.events[-1].successor}"]
    if card.missed:
        warnings.append(f"The limit of the card is missed: {card.missed}.")
    for warning in warnings:
        say(f"Warning: {warning}")
    is_negated = applied.was_negated(card, _run_of(card, cache))
    say_notes([scores.turned_words(card.score)] if is_negated else [])
    named = {"run": card.run, "run_name": card.run_name, "score": card.score, "threshold": card.threshold}
    signed = {"signature": card.standing.words}
    return {
        "sha256": card.sha256,
        "state": history.state,
        **named,
        "negated": is_negated,
        **signed,
        "warnings": warnings,
    }


def _run_of(card: Card, cache: Path) -> Run | None:
    """The Run of a card, where it is at hand: a card decides without it as well."""
    from fas_core.deciding import card as cards

    with suppress(BadInputError):
        return cards.run_of(card, cache)
    return None


def _unlike(card: Card, cache: Path, values: NDArray[np.float64]) -> str:
    """`applied.unlike`; "" where the card's Run is not here as it was."""
    from fas_core import scores
    from fas_core.deciding import applied
    from fas_core.evaluation.presentations import presentations

    run = _run_of(card, cache)
    if run is None or run.digest_of(card.score) != card.run_digest:
        return ""
    return applied.unlike(card, presentations(run, scores.values(run, card.score), card.level), values)


def _predict_scores(
    card: Card, path: Path, cache: Path, columns: list[str], higher_is: str | None, about: dict[str, object] | None
) -> None:
    """`about`: what JSON says of the card; None: in words."""
    import numpy as np

    from fas_core.deciding import applied
    from fas_core.runs import scorefile

    rows = applied.read(path, card, scorefile.column_names(columns), higher_is, _run_of(card, cache))
    judged = applied.of_scores(card, rows, str(path))
    values = np.array([np.nan if outcome.score is None else outcome.score for outcome in judged.of], np.float64)
    if unlike := _unlike(card, cache, values):
        say(f"Warning: {unlike}")
    if about is not None:
        return print_json(judged.as_json() | {"card": about, "warnings": [unlike] if unlike else []})
    for outcome in judged.of:
        score = "no score" if outcome.score is None else f"score {outcome.score:.6g}"
        print(f"{', '.join(outcome.sample_ids)}: {outcome.called}, {score}")
    print(f"{judged.in_words}.")


def report_on(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    cache: CacheOption,
    out: OutOption,
    score: Annotated[
        str | None, typer.Option(help="The score to judge by; by default the card's, or the only one.")
    ] = (None),
    operating_point: Annotated[Path | None, typer.Option(help="A card of this Run, to be included.")] = None,
    compare_with: Annotated[
        list[str] | None,
        typer.Option("--compare", help="Another Run on the same samples, or RUN:SCORE; may be repeated."),
    ] = None,
    rule: RuleOption = "bpcer<=0.05",
    choose_on: Annotated[
        list[str] | None, typer.Option(help="Subset the rule looks at, by default as on the screen; may be repeated.")
    ] = None,
    matched: Annotated[
        bool, typer.Option("--matched", help="With --compare: thresholds are matched anew where Runs are judged.")
    ] = False,
    subset: Annotated[list[str] | None, typer.Option(help="Only this subset; may be repeated.")] = None,
    level: LevelOption = "frame",
    groups_by: Annotated[
        str,
        typer.Option(help="With --compare: the column whose groups are listed, by default that of the worst group."),
    ] = "",
    appendix: Annotated[bool, typer.Option("--appendix", help="The thesis' figures of every Run.")] = False,
    images: Annotated[bool, typer.Option("--images/--no-images", help="The samples that are listed.")] = True,
    pixelate: Annotated[bool, typer.Option("--pixelate", help="Faces on them are not to be recognised.")] = False,
    as_pdf: Annotated[bool, typer.Option("--pdf", help="A PDF instead of an HTML page.")] = False,
) -> None:
    """What the screen shows as one file that needs no network: decision, curves, samples, settings on every foot.

    Example: `fas report small_dcvae --score rec --compare small_resvae --rule 'bpcer<=0.02' --out report.html`
    """
    from fas_core.data.names import dev_subsets
    from fas_core.deciding import card as cards
    from fas_core.evaluation.join import System
    from fas_core.evaluation.sheet import Sheet, comparison
    from fas_core.evaluation.summary import summary
    from fas_core.metrics import operating_point as op
    from fas_core.reports import report as core

    chosen = opened_run(cache, run)
    card = None if operating_point is None else cards.read_accepted(operating_point)
    judged_by, by = score or (card.score if card is not None else only_score(chosen, run)), op.rule(rule)
    systems = [System(chosen, judged_by), *(_system(cache, text, judged_by) for text in compare_with or [])]
    on = choose_on or dev_subsets(chosen.subsets)
    about = (
        Sheet(comparison(systems, by, level, subsets=subset or (), chosen_on=on, is_matched=matched))
        if compare_with
        else summary(systems[0], by, level, subsets=subset or (), chosen_on=on)
    )
    shown = core.NO_IMAGES if not images else core.PIXELATED if pixelate else core.AS_THEY_ARE
    wanted = core.Options(groups_by=groups_by, images=shown, with_appendix=appendix, card=card)
    html = core.page(about, wanted)
    _write_report(html, out, as_pdf)


def _write_report(html: str, out: Path, as_pdf: bool) -> None:
    from fas_core.files import atomic_file
    from fas_core.reports import pdf

    content = pdf.pdf(html) if as_pdf else html.encode()
    with atomic_file(out) as temporary:
        temporary.write_bytes(content)
    how = "" if as_pdf else " It loads nothing; a browser prints it as PDF."
    say(f"Wrote {out} ({file_size(len(content))}).{how}")


def _system(cache: Path, text: str, usual_score: str) -> System:
    """What RUN or RUN:SCORE names."""
    from fas_core.evaluation.join import System

    name, _, score = text.partition(":")
    return System(opened_run(cache, name), score or usual_score)
