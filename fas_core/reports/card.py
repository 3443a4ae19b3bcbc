"""An operating-point card as one HTML file that needs no network and prints on paper.

It holds what evaluators ask for (ISO/IEC 30107-3, and the letters of testing laboratories): errors per species with
intervals and counts, non-responses, trade-offs, DET, the subjects with the most errors, and what the threshold was
chosen on. It claims nothing: no test laboratory has seen these numbers.
"""

from __future__ import annotations

from markupsafe import Markup

from fas_core import metrics, scores
from fas_core.evaluation.card import OPTIMISTIC, Card
from fas_core.evaluation.presentations import presentations
from fas_core.evaluation.run_metrics import ReportedRates
from fas_core.evaluation.words import rate_text, threshold_text
from fas_core.metrics import limits
from fas_core.metrics.uncertainty import zero_error_upper_bound
from fas_core.reports import html, svg
from fas_core.reports.html import facts, html_page, section, table
from fas_core.reports.palette import DASHES
from fas_core.runs.store import Run

_HEADS = {"optimistic": "Optimistic.", "training_overlap": "On learned images."}


def page(card: Card, run: Run | None) -> str:
    """The HTML. `run`: the Run of the card, for the DET curve; None where it is gone, which the page then says."""
    title = f"Operating point of {card.run_name}"
    parts = [
        html.title(title),
        html.paragraph(_who(card), "quiet"),
        html.paragraph(answer(card), "answer"),
    ]
    # Cards of before there were warnings say no more than that.
    cautions = card.warnings if card.warnings is not None else [OPTIMISTIC] * card.optimistic
    for caution in cautions:
        parts.append(html.warning(_HEADS.get(caution.kind, "Caution."), caution.message))
    parts += sections(card, run)
    if card.note:
        parts.insert(3, section("Note", html.paragraph(card.note)))
    return html_page(title, parts)


def sections(card: Card, run: Run | None) -> list[Markup]:
    """Everything that the page says below its first lines, section by section; `run` as for `page`."""
    return [
        section("The decision", facts(_decision(card))),
        section("Errors at this threshold", _errors(card)),
        *_limit(card),
        section("Attacks by species, worst first", _species(card)),
        section("Other thresholds, on the reported samples", _trade_offs(card)),
        section("DET", _det(card, run)),
        section("Subjects with the most wrong decisions", _subjects(card)),
        section("What a test report should state", facts(_checklist(card))),
        section("To compute it again", facts(_provenance(card))),
    ]


def answer(card: Card) -> str:
    """The card in a sentence or two."""
    cell = card.reported_together
    worst = cell.apcer_worst
    words = []
    if cell.bpcer is not None:
        words.append(f"{rate_text(cell.bpcer, cell.bpcer_interval)} of bona fide {_things(card)} are rejected")
    if worst is not None:
        passes = rate_text(cell.apcer_max, cell.worst_interval)
        words.append(f"the worst attack, {worst}, passes {passes} of the time")
    if not words:
        return "Nothing was reported."
    holds = limits.summary_words(card.rule.words, card.targets or {})
    return f"At the threshold {threshold_text(card.threshold)}, {'; '.join(words)}. {holds}".strip()


def _things(card: Card) -> str:
    unit = card.level.split(" ")[0]
    return "samples" if unit == "frame" else f"{unit}s"


def _who(card: Card) -> str:
    by = f" by {card.by}" if card.by else ""
    return f"Decided on {card.created.replace('T', ' ')}{by}. Not a certificate: no test laboratory was involved."


def _decision(card: Card) -> dict[str, str]:
    return {
        "Score": f"{card.score} ({card.direction})",
        "Threshold": repr(card.threshold),
        "Rule": str(card.rule),
        "Chosen on": ", ".join(card.chosen_on) or "no data: set by hand",
        "Reported on": ", ".join(card.reported_on),
        "Decision level": card.level,
        "Without a score": "counts as an attack" if card.fail_closed else "non-response, counted beside the rates",
    }


def _errors(card: Card) -> Markup:
    cells = {f"{', '.join(card.chosen_on)} (chosen here)": card.chosen} if card.chosen else {}
    cells |= card.reported
    if len(card.reported) > 1:
        cells["all reported"] = card.reported_together
    rows = []
    for name, cell in cells.items():
        worst = cell.apcer_worst
        missing = cell.n_non_response
        rows.append(
            [
                name,
                f"{cell.n_bona_fide:,}",
                rate_text(cell.bpcer, cell.bpcer_interval),
                f"{sum(cell.n_per_species.values()):,}",
                "–" if worst is None else f"{rate_text(cell.apcer_max, cell.worst_interval)}, {worst}",
                "–" if cell.acer is None else f"{100 * cell.acer:.1f} %",
                f"{missing['bona_fide']} / {missing['attack']}",
            ]
        )
    heads = ["Subset", "Bona fide", "BPCER", "Attacks", "Worst APCER", "ACER", "No response (bona fide / attack)"]
    return table(heads, rows, f"In brackets: 95 % intervals, {_method(card.reported_together)}.")


def _limit(card: Card) -> list[Markup]:
    """Whether the rule's limit holds, subset by subset; nothing for a rule without, and on older cards."""
    targets = card.targets or {}
    said = {subset: f"{limits.target_words(card.rule, target)}." for subset, target in targets.items()}
    return [section(f"Whether the limit holds: {card.rule.words}", facts(said))] if said else []


def _method(cell: ReportedRates) -> str:
    intervals = [cell.bpcer_interval, *cell.apcer_interval_per_species.values()]
    units = sorted({interval.unit for interval in intervals if interval})
    if units in (["sample"], []):
        return "Clopper-Pearson, every sample an independent trial"
    whole = " or ".join(units)
    return f"by resampling whole {whole}s, and never narrower than so many {whole}s without an error could tell"


def _species(card: Card) -> Markup:
    cell = card.reported_together
    defined = [(value, name) for name, value in cell.apcer_per_species.items() if value is not None]
    rows = []
    for _, name in sorted(defined, key=lambda pair: (-pair[0], pair[1])):
        interval = cell.apcer_interval_per_species[name]
        people = cell.n_subjects_per_species[name]
        rows.append(
            [
                name,
                f"{cell.n_per_species[name]:,}",
                "–" if people is None else f"{people:,}",
                rate_text(cell.apcer_per_species[name], interval),
            ]
        )
    if not rows:
        return html.paragraph("No attack was tested.")
    return table(["Species", "Presentations", "Subjects", "APCER"], rows, "")


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


def _checklist(card: Card) -> dict[str, str]:
    cell = card.reported_together
    people = cell.n_subjects_bona_fide
    species = ", ".join(f"{name} {n:,}" for name, n in cell.n_per_species.items()) or "none"
    missing = cell.n_non_response
    return {
        "Species and presentations of each": species,
        "Bona fide presentations": f"{cell.n_bona_fide:,}",
        "Bona fide subjects": "the data name none" if people is None else f"{people:,}",
        "Attack potential": "not recorded in the data",
        "Threshold": f"rule {card.rule} on {', '.join(card.chosen_on) or 'no data'}, frozen before reporting"
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
    bound = 100 * zero_error_upper_bound(counts[name])
    return f"{name}: {counts[name]:,}; no error among them would still allow an APCER of {bound:.1f} %"


def _provenance(card: Card) -> dict[str, str]:
    return {
        "Run": f"{card.run} ({card.run_name})",
        "Checkpoint": f"{card.checkpoint or '–'} sha256 {card.checkpoint_sha256 or '–'}",
        "Data": f"{card.manifest or '–'} sha256 {card.manifest_sha256 or '–'}",
        "Preprocessing": card.preprocessing or "–",
        "Precision": card.precision or "–",
        "Format of the Run, of the card": f"{card.format_version}, {card.version}",
        "Seal of the card": card.sha256,
        "Check": "fas threshold --check CARD.json",
    }


# ---------------------------------------------------------------------------------------------------------------- DET


def _det(card: Card, run: Run | None) -> Markup:
    """BPCER over APCER on probit axes, per species, with the operating point."""
    if run is None:
        return html.paragraph("The Run of this card is gone, and the curve with it.")
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
        plane.line(svg.on_det(curve.apcer_pooled), svg.on_det(curve.bpcer), grey, dash, name=name)
        plane.dots(svg.on_det([apcer]), svg.on_det([at.bpcer]), "#000000", radius=4)
    return html.figure([plane.drawn()], f"Each line is a species, each dot the operating point. {svg.DET_SCALES}")
