"""What came out: one HTML page that loads nothing, the same as JSON, the table as CSV, and the figures as files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from fas_core import files
from fas_core.data.names import readable
from fas_core.documents import Json
from fas_core.evaluation.words import number
from fas_core.files import atomic_file
from fas_core.metrics import json_safe
from fas_core.metrics.operating_point import DEFAULT
from fas_core.reports import figures as files_of
from fas_core.reports import html
from fas_core.reports.figures import Figure
from fas_core.reports.provenance import version
from fas_core.reports.pseudonyms import Pseudonyms
from fas_core.reproduce import chapter, claims, drawing, measuring
from fas_core.reproduce.chapter import FINDINGS, Finding
from fas_core.reproduce.claims import FAILS, HOLDS, UNCLEAR, Judged, Verdict
from fas_core.reproduce.making import Plan
from fas_core.reproduce.measuring import Numbers, Row
from fas_core.runs.store import Run

PAGE, DOCUMENT, TABLE = "chapter4.html", "chapter4.json", "table.csv"
_SMALL_SCALE = "These are {scale} models ({what}); the thesis' are not judged by them."


@dataclass(frozen=True, eq=False)
class Outcome:
    """A figure of the chapter with what its claims came to, and what is drawn of it."""

    finding: Finding
    judged: tuple[Judged, ...]
    figure: Figure

    @property
    def verdict(self) -> Verdict:
        return claims.verdict(self.judged)

    @property
    def sentence(self) -> str:
        return claims.sentence(self.judged)

    def as_json(self) -> Json:
        return {
            "figure": self.finding.number,
            "experiment": self.finding.experiment,
            "title": self.finding.title,
            "thesis": self.finding.thesis,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "claims": [each.as_json() for each in self.judged],
            "caption": self.figure.caption,
        }


@dataclass(frozen=True, eq=False)
class Chapter:
    """All that is told of a plan that was made."""

    plan: Plan
    runs: Mapping[str, Sequence[Run]]
    numbers: Numbers
    outcomes: tuple[Outcome, ...]

    @property
    def answer(self) -> str:
        """How many of the findings hold here."""
        counts = Counter(outcome.verdict for outcome in self.outcomes)
        return (
            f"Of {len(self.outcomes)} findings of the chapter, {counts[HOLDS]} hold here, {counts[FAILS]} do not, and "
            f"of {counts[UNCLEAR]} it cannot be told."
        )

    @property
    def cautions(self) -> list[str]:
        """What keeps these numbers from being the thesis'."""
        plan = self.plan
        cautions = []
        if plan.scale != "full":
            cautions.append(_SMALL_SCALE.format(scale=plan.scale, what=chapter.SCALES[plan.scale]))
        if plan.left_out:
            why = "; ".join(f"{name}, as {reason}" for name, reason in plan.left_out.items())
            cautions.append(f"{len(plan.left_out)} of {len(plan.parts)} experiments left out: {why}")
        if plan.seeds == 1:
            cautions.append("One seed: how much another training would change is in no interval.")
        return [*cautions, *self.numbers.tested.notes]

    @property
    def notes(self) -> list[str]:
        """What all are judged on, and what differs from the thesis in how each was trained."""
        of = self.numbers.tested
        n_attack, n_live = int(of.attack.sum()), int((~of.attack).sum())
        tested = (
            f"All experiments are judged on the same test images: {n_attack:,} attacks and {n_live:,} live faces of "
            f"{len(set(of.units.groups.tolist())):,} {of.units.name}s; filtering takes training images alone."
        )
        by_note: dict[str, list[str]] = {}
        for part in self.plan.of_use:
            if part.note:
                by_note.setdefault(part.note, []).append(part.name)
        return [tested, *(f"{', '.join(names)}: {note}" for note, names in by_note.items())]

    def as_json(self) -> Json:
        of = self.numbers.tested
        return json_safe(
            {
                "answer": self.answer,
                "scale": self.plan.scale,
                "seeds": list(range(self.plan.seeds)),
                "data": {"manifest": self.plan.data.source.name, "sha256": self.plan.data.sha256},
                "runs": {name: [run.id for run in of_seeds] for name, of_seeds in self.runs.items()},
                "left_out": self.plan.left_out,
                "cautions": self.cautions,
                "notes": self.notes,
                "tested_on": list(of.subsets),
                "threshold": {"rule": DEFAULT.words, "chosen_on": list(of.chosen_on)},
                "rule": claims.RULE,
                "figures": [outcome.as_json() for outcome in self.outcomes],
                "table": self.numbers.as_json(),
            }
        )


def told(
    plan: Plan, runs: Mapping[str, Sequence[Run]], *, names: Pseudonyms | None, say: Callable[[str], None]
) -> Chapter:
    """Numbers, verdicts and drawings of what was made."""
    say("Measuring all experiments on the same test images")
    numbers = measuring.measured(runs)
    outcomes = []
    for finding in FINDINGS:
        say(f"Figure {finding.number}")
        missing = {**numbers.missing(finding.claims), **{name: f"{name} is left out" for name in plan.left_out}}
        judged = tuple(claims.judged(claim, numbers.cells, missing) for claim in finding.claims)
        of_seeds = runs.get(finding.experiment)
        if of_seeds:
            figure = drawing.figure(finding, of_seeds[0], numbers.tested, names)
            whose = drawing.caption_of(of_seeds[0])
        else:
            title = f"Figure {finding.number}: {finding.title}"
            figure = Figure(f"figure-{finding.number}", title, plan.left_out.get(finding.experiment, ""))
            whose = "Not drawn."
        outcome = Outcome(finding, judged, figure)
        caption = f"The thesis: {finding.thesis} {outcome.sentence} {whose} {figure.caption}"
        outcomes.append(Outcome(finding, judged, Figure(figure.name, figure.title, caption, figure.drawings)))
    return Chapter(plan, runs, numbers, tuple(outcomes))


def write(told_of: Chapter, formats: Sequence[str], names: Pseudonyms | None) -> list[Path]:
    """The files of a chapter in its folder, each whole or not there; their paths, the page first."""
    out = told_of.plan.out
    drawn = [("", outcome.figure) for outcome in told_of.outcomes]
    paths = files_of.write(drawn, out / "figures", formats)
    for stale in {*(out / "figures").glob("figure-4.*")} - {*paths}:  # of an earlier call, of other formats or clear
        stale.unlink()
    page = html_page(told_of)
    if names is not None:
        page = names.within(page, [run for of_seeds in told_of.runs.values() for run in of_seeds])
    contents = {
        PAGE: page.encode(),
        DOCUMENT: (json.dumps(told_of.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode(),
        TABLE: files.csv(pd.DataFrame(told_of.numbers.rows, columns=list(Row._fields))),
    }
    for name, content in contents.items():
        with atomic_file(out / name) as temporary:
            temporary.write_bytes(content)
    return [*(out / name for name in contents), *paths]


def html_page(told_of: Chapter) -> str:
    """The whole document: the answer, tables, then each finding's drawings."""
    plan = told_of.plan
    title = f"Chapter 4 on {plan.data.source.name}"
    seeds = f"{plan.seeds} seed{'s' if plan.seeds > 1 else ''}"
    first = [
        html.title(title),
        html.paragraph(f"{plan.scale} scale, {seeds} of each experiment", "quiet"),
        html.paragraph(told_of.answer, "answer"),
        *(html.warning("Caution.", caution) for caution in told_of.cautions),
        *(html.paragraph(note, "quiet") for note in told_of.notes),
        html.section("Which findings hold?", _verdicts(told_of)),
    ]
    tables = [html.section("How well does each experiment detect?", _tables(told_of.numbers)), _experiments(told_of)]
    drawn = [_section(outcome) for outcome in told_of.outcomes]
    foot = " · ".join([title, f"{plan.scale}, {seeds}", *filter(None, [version("fas-explorer")])])
    return html.html_page(title, [html.sheet(first), html.sheet(tables), html.sheet(drawn)], foot)


def _verdicts(told_of: Chapter) -> Markup:
    rows = [
        [f"{each.finding.number} {each.finding.thesis}", Markup("<strong>{}</strong>").format(each.verdict)]
        for each in told_of.outcomes
    ]
    return html.table(["Figure, and what the thesis reads from it", "Here"], rows, claims.RULE)


def _section(outcome: Outcome) -> Markup:
    """The verdict first, then what the thesis says, then what is drawn."""
    figure = outcome.figure
    drawn = [html.plot(each.title, each.of.drawn()) for each in figure.drawings]
    said = html.joined(
        [
            html.answer(claims.said(outcome.judged), claims.numbers(outcome.judged)),
            html.paragraph(f"The thesis: {outcome.finding.thesis}", "quiet"),
            html.figure(drawn, _drawn_caption(outcome)),
        ]
    )
    return html.section(figure.title, said)


def _drawn_caption(outcome: Outcome) -> str:
    """Without what stands above the drawings on the page already."""
    return outcome.figure.caption.partition(f"{outcome.sentence} ")[2]


def _tables(numbers: Numbers) -> Markup:
    """AUC, and APCER at the threshold: a row per experiment and score, a column per species."""
    n_seeds = max(row.seeds for row in numbers.rows)
    species = list(dict.fromkeys(row.species for row in numbers.rows))
    chosen_on = ", ".join(map(readable, numbers.tested.chosen_on))
    how = "Below each its 95 % interval over people" + (" and seeds." if n_seeds > 1 else ".")
    auc = f"AUC against all live test faces, mean over {n_seeds} seed{'s' if n_seeds > 1 else ''}. {how}"
    rates = f"APCER in % at the threshold that {DEFAULT.words} on {chosen_on} chooses; BPCER beside it. {how}"
    return html.joined([_pivot(numbers, species, auc, "auc"), _pivot(numbers, species, rates, "apcer")])


def _pivot(numbers: Numbers, species: Sequence[str], caption: str, what: str) -> Markup:
    of_row: dict[tuple[str, str], dict[str, Row]] = {}
    for row in numbers.rows:
        of_row.setdefault((row.experiment, row.score), {})[row.species] = row
    rows = []
    for (experiment, score), by_species in of_row.items():
        cells = [_cell(by_species.get(name), what) for name in species]
        if what == "apcer":
            cells.append(_cell(next(iter(by_species.values())), "bpcer"))
        rows.append([f"{experiment} · {score}", *cells])
    heads = ["", *map(readable, species), *(["BPCER"] if what == "apcer" else [])]
    return html.table(heads, rows, caption)


def _cell(row: Row | None, what: str) -> Markup | str:
    """The number, and its interval in a second line."""
    mean, low, high = (
        (None, None, None) if row is None else (getattr(row, f"{what}{end}") for end in ("", "_low", "_high"))
    )
    if mean is None:
        return "–"
    scale, digits = (1, 2) if what == "auc" else (100, 0)
    text = f"{scale * mean:.{digits}f}"
    if low is None or high is None:
        return text
    ends = f"{scale * low:.{digits}f}–{scale * high:.{digits}f}"
    return Markup("{}<br><span class='quiet'>{}</span>").format(text, ends)


def _experiments(told_of: Chapter) -> Markup:
    rows = []
    for part in told_of.plan.of_use:
        first, run = part.experiments[0], told_of.runs[part.name][0]
        learned = run.info.checkpoint_header.get("images", {}).get("learned")
        rows.append(
            [
                part.name,
                f"{first.config.get('width')}",
                f"{first.config.get('latent_dim')}",
                f"{first.steps:,} × {first.batch_size}",
                number(first.learning_rate),
                "yes" if first.filtered else "no",
                f"{len(first.augmentations)}",
                "–" if learned is None else f"{learned:,}",
            ]
        )
    heads = ["Experiment", "Width", "Code", "Steps × batch", "Rate", "Filtered", "Augmentations", "Images learned"]
    return html.section("What was trained?", html.table(heads, rows, ""))
