"""An operating-point card as two pages: one HTML file that needs no network, and the same as PDF (`pdf`).

The first page is the decision: the target against what came out, the species somebody singled out, groups, cost, and
what is wrong with the data. The second is what evaluators ask for (ISO/IEC 30107-3, and the letters of testing
laboratories): what was presented, by whom, how often; hashes; who approved it. It claims nothing: no test laboratory
has seen these numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from fas_core import metrics, scores
from fas_core.deciding import applied
from fas_core.deciding.card import OPTIMISTIC, Card
from fas_core.deciding.card_states import APPROVED, Event, History
from fas_core.deciding.certification import rounded_up
from fas_core.deciding.tested import CHOOSING, Evidence, Kind, evidence
from fas_core.evaluation.presentations import presentations
from fas_core.evaluation.run_metrics import ReportedRates
from fas_core.evaluation.words import rate_text, threshold_text
from fas_core.metrics import limits
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import amount_text
from fas_core.metrics.limits import Target
from fas_core.metrics.uncertainty import zero_error_upper_bound
from fas_core.reports import html, svg
from fas_core.reports.html import facts, html_page, section, table
from fas_core.reports.palette import DASHES, Style
from fas_core.reports.provenance import data_words
from fas_core.runs.health import SUBJECT_OVERLAP
from fas_core.runs.store import Run

_HEADS = {
    "left_before": "Lost on the way.",
    "optimistic": "Optimistic.",
    "training_overlap": "On learned images.",
    "subject_overlap": "The same people.",
    "no_subjects": "Nobody is named.",
    "simulated": "No real attacks.",
}
# On paper: the JSON and the app have all.
MOST_ROWS = 10  # of subsets and species together, but three species at least
MOST_SPECIES, MOST_GAPS, MOST_MATERIALS, MOST_NAMED = 7, 2, 3, 2  # gaps: of live people, and as many of attacks
MOST_LETTERS = 130  # of a note, and of a reason; and of a line, where there is room for more


def page(card: Card, run: Run | None, history: History | None = None) -> str:
    """The HTML, two pages on A4. `run`: the Run of the card; None where it is gone, which the page then says.

    `history`: what was decided about the card; None for one that is kept nowhere.
    """
    title = f"Operating point of {card.run_name}"
    _, behind = _behind(card, run)
    letters = MOST_LETTERS * (1 + _lines_left(card))
    state = [] if history is None else [html.paragraph(f"State: {_short(history.in_words, letters)}.")]
    note = [html.paragraph(f"Note: {_short(card.note, letters)}")] if card.note else []
    first = [
        html.title(f"{title}, {card.score}"),
        html.paragraph(_who(card), "quiet"),
        html.answer(f"{verdict(card)}.", answer(card)),
        *state,
        *note,
        *_decision(card, run, behind),
        *_data(card, run, behind),
    ]
    second = [
        html.title(f"What was tested: {card.run_name}, {card.score}"),
        section("Test plan", _plan(card, behind)),
        section("To compute it again", facts(_provenance(card))),
    ]
    approver = ""
    if history is not None and history.events:
        approver = next((event.by for event in history.events if event.state == APPROVED), "")
        said = {
            event.state: f"by {event.by or '–'}{_same_person(card, event)}, {event.when[:10]}: {_short(event.why)}"
            + (f" ({event.standing.words})" if event.signature else "")
            for event in history.events
        }
        second.append(section("Decisions about this card", facts(said)))
    second.append(section("Signatures", html.signatures({"Decided": card.by, "Approved": approver})))
    return html_page(title, [html.sheet(first), html.sheet(second)], _settings(card))


def sections(card: Card, run: Run | None) -> list[Markup]:
    """What both pages say below their first lines, and what a longer report has beside; `run` as for `page`."""
    its_run, behind = _behind(card, run)
    return [
        *_decision(card, run, behind),
        *_data(card, run, behind),
        section("Test plan", _plan(card, behind)),
        section("Other thresholds, on the reported samples", _trade_offs(card)),
        section("DET", _det(card, its_run)),
        section("Subjects with the most wrong decisions", _subjects(card)),
        section("To compute it again", facts(_provenance(card))),
    ]


def _behind(card: Card, run: Run | None) -> tuple[Run | None, Evidence | None]:
    """The Run, and what its samples tell, where they are those of the card."""
    if run is None or run.digest_of(card.score) != card.run_digest:
        return None, None
    return run, evidence(card, run)


def verdict(card: Card) -> str:
    """The target against the outcome in a few words."""
    targets = list(card.held.values())
    if not targets:
        return "No limit was set" if card.targets is not None else "No limit was checked"
    said = limits.overall_words(targets)
    return f"{said[0].upper()}{said[1:]}"


def answer(card: Card) -> str:
    """The card in two or three sentences: its limit first, then the species that were singled out."""
    cell, limit = card.reported_together, card.limit
    held = "" if limit is None else limits.summary_words(replace(limit, at_95=False).words, card.held)
    told = [_singled_out(cell, name) for name in (card.feared or ())[:MOST_NAMED]]
    if cell.apcer_worst is not None:
        passes = rate_text(cell.apcer_max, cell.worst_interval)
        told.append(f"the worst attack, {cell.apcer_worst}, passes {passes} of the time")
    if cell.bpcer is not None:
        told.append(f"{rate_text(cell.bpcer, cell.bpcer_interval)} of bona fide {_things(card)} are rejected")
    if not told:
        return "Nothing was reported."
    at = f"Judged per {card.level}, at the threshold {threshold_text(card.threshold)}"
    return f"{held} {at}, {'; '.join(told)}.".strip()


def _singled_out(cell: ReportedRates, name: str) -> str:
    rate = cell.apcer_per_species.get(name)
    if rate is None:
        return f"of {name}, which was singled out, no attack was tested"
    return f"{name}, which was singled out, passes {rate_text(rate, cell.apcer_interval_per_species[name])} of the time"


def _short(text: str, letters: int = MOST_LETTERS) -> str:
    return text if len(text) <= letters else f"{text[:letters]} … (the JSON has the rest)"


def _same_person(card: Card, event: Event) -> str:
    """Nobody checks what is approved by who decided it: that is said."""
    is_same = event.state == APPROVED and event.by.strip().casefold() == card.by.strip().casefold() != ""
    return " (who decided it too: nobody else has looked)" if is_same else ""


def _lines_left(card: Card) -> int:
    """How many lines a note and a reason may each have beyond their first, by the rows that the tables leave free."""
    species = [value for value in card.reported_together.apcer_per_species.values() if value is not None]
    return max(0, MOST_ROWS - len(card.reported) - max(len(species), 3)) // 2


def _settings(card: Card) -> str:
    """What stands on every foot."""
    by = card.rule.words if card.rule.kind == op.BY_HAND else f"by {card.rule.words}"
    return (
        f"{card.run_name} ({card.run[:6]}), {card.score} per {card.level}; threshold {threshold_text(card.threshold)} "
        f"{by}, chosen on {_listed(card.chosen_on) or 'no data'}, reported on "
        f"{_listed(card.reported_on)}; seal {card.sha256[:16]}"
    )


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _things(card: Card) -> str:
    unit = card.level.split(" ")[0]
    return "samples" if unit == "frame" else f"{unit}s"


def _who(card: Card) -> str:
    by = f" by {card.by}" if card.by else ""
    signed = card.standing.words
    when = card.created.replace("T", " ")
    return f"Decided on {when}{by}; {signed}. Not a certificate: no test laboratory was involved."


# ---------------------------------------------------------------------------------------------- page 1: the decision


def _decision(card: Card, run: Run | None, behind: Evidence | None) -> list[Markup]:
    parts = [
        section("The decision", html.paragraph(_rule(card, run))),
        section("Target against outcome", _outcome(card)),
        section("Attacks by species", _species(card)),
    ]
    if behind is None:
        return parts
    if behind.columns:
        parts.append(section("Whom it fails most", _fails(behind)))
    if behind.cost is not None and card.costs is not None:
        likely, low, high = behind.cost
        said = (
            f"{card.costs.money(likely)} a month ({amount_text(low)}–{amount_text(high)} where the shares are wrong as "
            f"stated): {card.costs.in_words}."
        )
        parts.append(section("Expected cost", html.paragraph(said)))
    return parts


def _rule(card: Card, run: Run | None) -> str:
    asked = "" if card.asked is None else f", to keep {card.asked.words}"
    chosen = f"chosen on {_listed(card.chosen_on)}" if card.chosen_on else "chosen on no data: set by hand"
    missing = "counts as an attack" if card.fail_closed else "is a non-response, counted beside the rates"
    sign = f" {scores.turned_words(card.score)}" if applied.was_negated(card, run) else ""
    return (
        f"Rule {card.rule}{asked}, {chosen}, reported on {_listed(card.reported_on)}. Judged by {card.score} per "
        f"{card.level}: {card.direction}; no score {missing}.{sign}"
    )


def _outcome(card: Card) -> Markup:
    heads, rows = outcome(card)
    about = f"In brackets: 95 % intervals, {_method(card.reported_together)}. No response: bona fide / attacks."
    about += f" {limits.BOUNDS_WORDS}" if card.limit is not None else ""
    if card.limit is not None and card.limit.at_95:
        about += " The limit was asked of the upper bound, where the threshold was chosen."
    return table(heads, rows, about)


def outcome(card: Card) -> tuple[list[str], list[list[str]]]:
    """Heads, and a row per subset: its rates, and what the limit says of them, by the rate and by the bound."""
    cells = {f"{_listed(card.chosen_on)} (chosen here)": card.chosen} if card.chosen else {}
    cells |= card.reported
    if len(card.reported) > 1:
        cells["all reported"] = card.reported_together
    limit = card.limit if card.targets else None
    rows = []
    for name, cell in cells.items():
        worst, missing = cell.apcer_worst, cell.n_non_response
        row = [
            name,
            f"{cell.n_bona_fide:,}",
            rate_text(cell.bpcer, cell.bpcer_interval, limit.value if limit and limit.kind == op.BPCER else None),
            f"{sum(cell.n_per_species.values()):,}",
            "–" if worst is None else f"{rate_text(cell.apcer_max, cell.worst_interval)}, {worst}",
            f"{missing['bona_fide']} / {missing['attack']}",
        ]
        target = None if limit is None else limits.target(limit, cell)
        rows.append(row if target is None else [*row, *_held(target)])
    heads = ["Subset", "Bona fide", "BPCER", "Attacks", "Worst APCER", "No response"]
    return (heads if limit is None else [*heads, "Upper 95 %", replace(limit, at_95=False).words]), rows


def _held(target: Target) -> list[str]:
    bound = "–" if target.upper95 is None else limits.share_text(target.upper95, target.limit)
    return [bound, limits.standing_words(target)]


def _method(cell: ReportedRates) -> str:
    intervals = [cell.bpcer_interval, *cell.apcer_interval_per_species.values()]
    units = sorted({interval.unit for interval in intervals if interval})
    if units in (["sample"], []):
        return "Clopper-Pearson, every sample an independent trial"
    whole = " or ".join(units)
    return f"by resampling whole {whole}s, and never narrower than so many {whole}s without an error could tell"


def _species(card: Card) -> Markup:
    heads, rows = species(card)
    if not rows:
        return html.paragraph("No attack was tested.")
    most = max(MOST_ROWS - len(card.reported), 3)
    more = len(rows) - most
    about = f"The worst of {len(rows)}; the JSON has the other {more}." if more > 0 else ""
    return table(heads, rows[:most], about)


def species(card: Card) -> tuple[list[str], list[list[str]]]:
    """Heads, and a row per species with a rate: those that were singled out first, then the worst."""
    cell, named = card.reported_together, card.feared or ()
    defined = [(value, name) for name, value in cell.apcer_per_species.items() if value is not None]
    rows = []
    for value, name in sorted(defined, key=lambda pair: (pair[1] not in named, -pair[0], pair[1])):
        interval = cell.apcer_interval_per_species[name]
        people = cell.n_subjects_per_species[name]
        upper = None if interval is None else interval.upper
        rows.append(
            [
                name,
                f"{cell.n_per_species[name]:,}",
                "–" if people is None else f"{people:,}",
                rate_text(value, interval),
                rounded_up(upper),
            ]
        )
    first = f"Species: {_listed(named)} singled out, then worst first" if named else "Species, worst first"
    return [first, "Presentations", "Subjects", "APCER", "Upper 95 %"], rows


def _fails(behind: Evidence) -> Markup:
    said, looked = fails(behind)
    return html.joined([facts(said), html.paragraph(looked, "quiet")]) if said else html.paragraph(looked)


def fails(behind: Evidence) -> tuple[dict[str, str], str]:
    """The gaps worth saying, live people before attacks, and what was looked at."""
    if not behind.columns:
        return {}, "No column of the data has groups."
    looked = f"Looked at: {_listed([_plain(name) for name in behind.columns], 12)}."
    if not behind.gaps:
        return {}, f"No two groups differ by more than chance explains. {looked}"
    said: dict[str, str] = {}
    for kind, is_live in (("Live", True), ("Attacks", False)):
        of_kind = [(by, gap) for by, gap in behind.gaps if (gap.species is None) == is_live]
        said |= {f"{kind}, by {_plain(by.column)}": by.words(gap) for by, gap in of_kind[:MOST_GAPS]}
        if not of_kind:
            said[kind] = "No two groups differ by more than chance explains."
        elif more := [_plain(by.column) for by, _ in of_kind[MOST_GAPS:]]:
            looked += f" {kind}: more than chance explains by {_listed(more)} too."
    return said, looked


def _plain(column: str) -> str:
    return column.replace("_", " ")


def _data(card: Card, run: Run | None, behind: Evidence | None) -> list[Markup]:
    listed = [html.warning(head, said) for head, said in wrong(card, run, behind)]
    if not listed:
        listed = [html.paragraph("Nothing conspicuous: no overlap, no attribute left out.")]
    return [section("What is wrong with the data", html.joined(listed))]


def wrong(card: Card, run: Run | None, behind: Evidence | None) -> list[tuple[str, str]]:
    """What is wrong with the data: heads and sentences.

    Cards of before there were warnings say no more than that they are optimistic. `behind`: None where the Run, None
    where it is gone, is not what it was.
    """
    cautions = card.warnings if card.warnings is not None else [OPTIMISTIC] * card.optimistic
    listed = [(_HEADS.get(caution.kind, "Caution."), caution.message) for caution in cautions]
    if behind is None:
        gone = "is gone, and the curve with it" if run is None else "has changed since"
        return [*listed, ("Not computed again.", f"The Run of this card {gone}: groups, materials, people.")]
    is_told = any(caution.kind == SUBJECT_OVERLAP for caution in cautions)
    shared = {where: n for where, n in behind.shared.items() if not (is_told and where == CHOOSING)}
    if shared:
        each = ", ".join(f"{n:,} in {where}" for where, n in shared.items())
        listed.append(("The same people.", f"Reported subjects that are elsewhere too: {each}."))
    if behind.unstated:
        shares = [f"{_plain(name)} {_share(share)}" for name, share in behind.unstated.items()]
        listed.append(("Not stated.", f"Of the reported samples: {_listed(shares, 12)}."))
    if behind.absent:
        names = ", ".join(_plain(name.removesuffix("_id")) for name in behind.absent)
        listed.append(("Not in the data.", f"No column says: {names}."))
    return listed


def _share(share: float) -> str:
    """In percent, neither 0 nor 100 where it is not."""
    return "below 1 %" if share < 0.01 else "above 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


# ------------------------------------------------------------------------------------------ page 2: what was tested


def _plan(card: Card, behind: Evidence | None) -> Markup:
    """A row per species, bona fide first; then what a test report should state."""
    stated = facts(_checklist(card, behind))
    if behind is None:
        return html.joined([html.paragraph("Materials and people cannot be told without the Run.", "quiet"), stated])
    heads = ["Presented", "Presentations", "Subjects", "Per subject (median)", "Presenters"]
    kinds = sorted(behind.kinds, key=lambda kind: (bool(kind.name), -kind.n, kind.name))
    rows = [_presented(kind) for kind in kinds[: MOST_SPECIES + 1]]
    more = len(kinds) - len(rows)
    about = f"Those with the most presentations; {more} more species." if more > 0 else ""
    return html.joined([table(heads, rows, about), stated])


def _presented(kind: Kind) -> list[str]:
    materials = ""
    if kind.materials:
        of_each = [f"{name.removeprefix(kind.name).strip() or name} {n:,}" for name, n in kind.materials.items()]
        materials = f": {_listed(of_each, MOST_MATERIALS)}"
    each = "–"
    if kind.per_subject is not None:
        fewest, median, most = kind.per_subject
        each = f"{fewest:,}–{most:,} ({median:g})"
    presenters = "–"
    if kind.presenters:
        presenters = f"{len(kind.presenters)}: {_listed(kind.presenters, 2)}"
    people = "–" if kind.n_subjects is None else f"{kind.n_subjects:,}"
    return [f"{kind.name or 'bona fide'}{materials}", f"{kind.n:,}", people, each, presenters]


def _checklist(card: Card, behind: Evidence | None) -> dict[str, str]:
    cell = card.reported_together
    people = cell.n_subjects_bona_fide
    subjects = "unnamed subjects" if people is None else f"{people:,} subjects"
    species = [f"{name} {n:,}" for name, n in cell.n_per_species.items()]
    missing = cell.n_non_response
    is_presenter_known = behind is not None and any(kind.presenters for kind in behind.kinds)
    return {
        "With a verdict": f"bona fide {cell.n_bona_fide:,} of {subjects}; {_listed(species) or 'no attack'}",
        "Not recorded": "attack potential" + ("" if is_presenter_known else ", who presented"),
        "Threshold": f"rule {card.rule} on {_listed(card.chosen_on) or 'no data'}, without the reported samples; "
        "whether anybody had looked at those before is not recorded"
        if not card.optimistic
        else f"rule {card.rule}; NOT independent of the reported samples",
        "Non-responses": f"bona fide {missing['bona_fide']}, attacks {missing['attack']}",
        "Fewest trials of a species": _fewest(cell),
    }


def _fewest(cell: ReportedRates) -> str:
    counts = cell.n_per_species
    if not counts:
        return "–"
    name = min(counts, key=counts.__getitem__)
    if not counts[name]:
        return f"{name}: none with a score"
    people = cell.n_subjects_per_species.get(name)
    bound = 100 * zero_error_upper_bound(people or counts[name])
    of = "" if not people else f" of {people:,} {'person' if people == 1 else 'people'}"
    return f"{name}: {counts[name]:,}{of}; no error among them would still allow an APCER of {bound:.1f} %"


def _trade_offs(card: Card) -> Markup:
    others = card.trade_offs
    if others is None or others.roc_auc is None:
        return html.paragraph("One class only: there is no trade-off.")
    rows = [
        [f"BPCER ≤ {100 * entry.target:g} %", rate_text(entry.apcer_max, None), rate_text(entry.bpcer, None)]
        for entry in others.apcer_at_bpcer
    ] + [
        [f"APCER ≤ {100 * entry.target:g} %", rate_text(entry.apcer_max, None), rate_text(entry.bpcer, None)]
        for entry in others.bpcer_at_apcer
    ]
    eer = "–" if others.eer is None else f"{100 * others.eer.value:.1f} %"
    about = f"AUC {others.roc_auc:.3f}, EER {eer}. Thresholds found on these very samples: for orientation only."
    return table(["Where", "Worst APCER", "BPCER"], rows, about)


def _subjects(card: Card) -> Markup:
    if not card.worst_subjects:
        return html.paragraph("None: no wrong decision, or the data name no subjects.")
    rows = [
        [
            subject.subject_id,
            f"{subject.rejected} of {subject.n_bona_fide}",
            f"{subject.missed} of {subject.n_attack}",
        ]
        for subject in card.worst_subjects
    ]
    return table(["Subject", "Bona fide rejected", "Attacks missed"], rows, "")


def _provenance(card: Card) -> dict[str, str]:
    model = {}
    if card.checkpoint_sha256:
        model = {
            "Checkpoint": f"{card.checkpoint or '–'} sha256 {card.checkpoint_sha256}",
            "Preprocessing, precision": f"{card.preprocessing or '–'}, {card.precision or '–'}",
        }
    return {
        "Run": f"{card.run} ({card.run_name}), digest {card.run_digest}",
        **model,
        "Data": data_words(card.manifest, card.manifest_sha256),
        "Formats": f"of the Run {card.format_version}, of the card {card.version}",
        "Seal of the card": f"{card.sha256}, {card.standing.words}",
        "Check": "fas threshold --check CARD.json",
    }


# ---------------------------------------------------------------------------------------------------------------- DET


def _det(card: Card, run: Run | None) -> Markup:
    """BPCER over APCER on probit axes, per species, with the operating point."""
    if run is None:
        return html.paragraph("There is no curve without the Run as it was.")
    decided = presentations(run, scores.values(run, card.score), card.level, fail_closed=card.fail_closed)
    reported, at = decided.score_set(card.reported_on), card.reported_together
    species = {name: apcer for name, apcer in at.apcer_per_species.items() if apcer is not None}
    if at.bpcer is None or not species:
        return html.paragraph("One class only: there is no curve.")
    plane = svg.det_plane("DET: BPCER over APCER per species")
    for number, (name, apcer) in enumerate(species.items()):
        curve = metrics.thinned(metrics.curves(metrics.of_species(reported, name)), 400)
        grey = "#646464" if number // len(DASHES) % 2 else "#000000"
        dash = list(DASHES)[number % len(DASHES)]
        plane.line(curve.apcer_pooled, curve.bpcer, grey, dash, name=name)
        plane.dots([apcer], [at.bpcer], Style("#000000"), radius=4)
    return html.figure([plane.drawn()], f"Each line is a species, each dot the operating point. {svg.DET_SCALES}")
