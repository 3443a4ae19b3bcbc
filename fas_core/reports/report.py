"""What the screen shows as one file that needs no network and prints on A4: the decision first, evidence behind it.

    page(Sheet(comparison([System(a, "rec"), System(b, "rec")])))     # two Runs: is B as good as A?
    page(summary(System(a, "rec"), DEFAULT))                            # one Run: how good is it?

Page 1 has the question, what was decided about it or a line to sign on, the verdict, and what is known of it. Curves
and every metric follow, then the samples that changed, or are decided wrongly. Its settings stand on every page's foot.
All numbers are those of `Sheet` and `Summary`, which the pages of the app show too. Everything is drawn as SVG and
written as text that is escaped; images are PNGs inside the file, left out or pixelated where faces must not travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fas_core.data.names import readable
from fas_core.deciding import decisions
from fas_core.deciding.card import Card
from fas_core.errors import BadInputError
from fas_core.evaluation import changes
from fas_core.evaluation.changes import Filter, Pair
from fas_core.evaluation.join import System
from fas_core.evaluation.regressions import SUBSET
from fas_core.evaluation.sheet import LETTERS, Sheet
from fas_core.evaluation.summary import Summary
from fas_core.evaluation.words import number
from fas_core.reports import appendix, curves, html, single
from fas_core.reports import card as cardpage
from fas_core.reports import decisions as decided
from fas_core.reports.forest import forest
from fas_core.reports.html import Triplet, facts, html_page, section
from fas_core.reports.pictures import HIDDEN, SCALE, pictures_of, png
from fas_core.reports.provenance import of_system, software, version
from fas_core.reports.pseudonyms import Pseudonyms
from fas_core.reports.tables import EACH_ALONE, forest_rows, frame, groups_table, metrics_table, worse_table

NO_IMAGES, PIXELATED, AS_THEY_ARE = "none", "pixelated", "as they are"
SIGNERS = {"Decided by": ""}  # where nothing was decided yet
MOST_WORSE = 12  # rows of what got worse on the first page
MOST_GROUPS = 40  # rows of groups
MOST_IMAGES, MOST_IDS = 16, 45  # samples listed, with images and without
SIDE = 60  # pixels of an image of a sample listed


@dataclass(frozen=True)
class Options:
    """What a report holds beside the numbers of what it is about. `detail`: the Run that differences are told of."""

    detail: int = 1
    groups_by: str = ""  # a column; "": the one of the worst group
    samples: Filter = field(default_factory=Filter)
    images: str = AS_THEY_ARE
    with_appendix: bool = False
    card: Card | None = None  # an operating-point card of A


def page(about: Sheet | Summary, options: Options | None = None) -> str:
    """The HTML. Raises BadInputError for a card of another Run, a column that A does not have, and as `Sheet`."""
    options = options or Options()
    names = Pseudonyms() if options.images == PIXELATED else None
    if isinstance(about, Summary):
        systems: tuple[System, ...] = (about.system,)
        title, foot = single.question(about), f"{single.foot(about)} · {_made()}"
        sheets = single.sheets(about, with_images=options.images != NO_IMAGES, names=names)
    else:
        systems, b = about.comparison.systems, options.detail
        title, foot = _question(about.comparison.letters[1:]), _foot(about, options)
        evidence = [curves.of_runs(about, b).section(), *_metrics(about, b), _groups(about, b, options, names)]
        sheets = [_decision(about, b, title), [*evidence, _changed(about, options, names)]]
    _require_card_of(systems[0], options.card)
    sheets += _behind(systems, options, names)
    sheets[-1] += _origins(systems)  # on the last page, where there is room
    whole = html_page(title, [html.sheet(parts) for parts in sheets], foot)
    return whole if names is None else names.within(whole, [system.run for system in systems])


def _require_card_of(system: System, card: Card | None) -> None:
    run = system.run
    if card is not None and card.run != run.id:
        raise BadInputError(
            f"The card is of Run {card.run} ({card.run_name}), the report of {run.id} ({run.info.name})."
        )


def _question(others: str) -> str:
    if len(others) == 1:
        return f"Is {others} as good as A?"
    return f"Are {', '.join(others[:-1])} and {others[-1]} as good as A?"


def _names(systems: Sequence[System]) -> str:
    """A small_dcvae (1b9f7d), rec · B ..."""
    return " · ".join(
        f"{letter} {run.info.name} ({run.id[:6]}), {score}"
        for letter, (run, score) in zip(LETTERS, systems, strict=False)
    )


def _foot(sheet: Sheet, options: Options) -> str:
    """Everything that decides which numbers these are."""
    by = sheet.comparison
    listed_by = _filter_words(options.samples, LETTERS[options.detail], sheet.joined.unit)
    groups_by = options.groups_by or sheet.groups_by(options.detail)
    rule, groups = f"{sheet.rule_words}, by {by.level}", f"groups by {readable(groups_by)}"
    return " · ".join([_names(by.systems), rule, groups, listed_by, _made()])


def _filter_words(by: Filter, letter: str, unit: str) -> str:
    """Which samples, or videos (`unit`), are listed: changed, of paper, by largest change."""
    words = [f"{unit}s listed: {(by.verdicts or changes.CHANGED).replace(' B', f' {letter}').lower()}"]
    words += [f"of {', '.join(map(readable, by.classes))}"] if by.classes else []
    words += [f"{len(by.selected):,} selected"] if by.selected else []
    order = by.order.replace(" B,", f" {letter},")
    return ", ".join([*words, f"{order[0].lower()}{order[1:]} first" if by.order == changes.CHANGE else order])


def _made() -> str:
    return " · ".join([f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", *filter(None, [version("fas-explorer")])])


# -------------------------------------------------------------------------------------------------------- page 1


def _decision(sheet: Sheet, b: int, title: str) -> list[Markup]:
    """The question, its answer, and what the answer is made of."""
    is_two_sided, systems = sheet.joined.has_both_classes, sheet.comparison.systems
    decision = decided.at_the_top([system.run for system in systems[1:]])
    whose = f"{_names(systems)} · per {sheet.comparison.level}"
    parts = [html.title(title), html.paragraph(whose, "quiet"), decision]
    for i in range(1, len(systems)):
        parts.append(html.verdict(*sheet.headline(i, with_intervals=is_two_sided)))
    parts += [html.warning(f"{letters}:", message) for message, letters in sheet.cautions_said.items()]
    if rows := forest_rows(sheet, with_intervals=is_two_sided):
        parts.append(html.figure([forest(rows)], sheet.limits_words))
    parts.append(_worse(sheet, b, with_intervals=is_two_sided))
    brackets = sheet.intervals_words if is_two_sided else ""
    said = f"{sheet.rule_words}. {sheet.thresholds_words} {sheet.samples_words}. {brackets}"
    return [*parts, html.paragraph(said, "quiet"), *([] if decision else [html.signatures(SIGNERS)])]


def _worse(sheet: Sheet, b: int, *, with_intervals: bool) -> Markup:
    worse = sheet.worse(b, with_intervals=with_intervals)
    if worse is None:
        return html.paragraph(
            "What got worse is told at thresholds that can be matched: choose another limit.", "quiet"
        )
    title = f"What got worse: {worse.clear_words}"
    parts, n_more = [], 0
    for name, shown, every in zip(("Live faces", "Attacks"), worse.first(MOST_WORSE), worse.listed(), strict=True):
        n_more += len(every) - len(shown)
        if shown:
            parts.append(frame(worse_table(shown, LETTERS[b], worse.unit).rename(columns={"Group": name}), ""))
    if not parts:
        return section(title, html.paragraph(worse.sentence(LETTERS[b])))
    more = f"{n_more:,} more rows are on the screen. " if n_more else ""
    said = [worse.counts_words, worse.of_one_words(), worse.better_words(), sheet.area_words(b)]
    parts.append(html.paragraph(" ".join(filter(None, said))))
    note = f"{more}p by swapping verdicts within whole {worse.unit}s. {worse.correction_words}"
    return section(title, html.joined([*parts, html.paragraph(note, "quiet")]))


# -------------------------------------------------------------------------------------------------------- page 2


def _metrics(sheet: Sheet, b: int) -> list[Markup]:
    """Every metric of every Run; nothing where there is one class only."""
    if not sheet.joined.has_both_classes:
        return []
    letter = LETTERS[b]
    formats = dict.fromkeys(sheet.comparison.letters, ".3f") | {f"{letter} − A": "+.3f"}
    words = [html.paragraph(" ".join(sheet.details(b)))]
    every = frame(metrics_table(sheet, b, with_intervals=True), EACH_ALONE, formats)
    return [section("Every metric", html.joined([*words, every]))]


def _groups(sheet: Sheet, b: int, options: Options, names: Pseudonyms | None) -> Markup:
    """Shares of wrong verdicts by the groups of a column."""
    column, letter = options.groups_by or sheet.groups_by(b), LETTERS[b]
    if column not in (SUBSET, *sheet.groupings):
        raise BadInputError(
            f"There are no groups by '{column}'. Columns with groups: {', '.join([SUBSET, *sheet.groupings])}."
        )
    if not len(sheet.joined):
        return html.paragraph("The Runs have no sample in common.")
    rates = sheet.group_rates(b, column, with_intervals=sheet.joined.has_both_classes)
    if names is not None:
        rates = rates.assign(group=[names.of(column, str(group)) for group in rates["group"]])
    formats = {"Wrong in A": ".1f", f"Wrong in {letter}": ".1f", f"{letter} − A": "+.1f"}  # whatever the groups' sizes
    formats |= {"AUC A": ".2f", f"AUC {letter}": ".2f"}
    shown = groups_table(rates, column, letter, has_units=not sheet.joined.units[1]).dropna(
        axis="columns", how="all"
    )  # without verdicts there are no errors
    more = f"{len(shown) - MOST_GROUPS:,} more are on the screen. " if len(shown) > MOST_GROUPS else ""
    note = f"{more}Wrong: in %; differences in percentage points." if f"{letter} − A" in shown else more
    return section(f"Group by group: {readable(column)}", frame(shown.head(MOST_GROUPS), note, formats))


# -------------------------------------------------------------------------------------------------------- page 3


def _changed(sheet: Sheet, options: Options, names: Pseudonyms | None) -> Markup:
    """The samples that another Run decides otherwise: images where both Runs have some, else a table."""
    b, systems = options.detail, sheet.comparison.systems
    pair = changes.pair_of(sheet, b)
    rows = changes.listed(pair, options.samples)
    at, letter = pair.flips, LETTERS[b]
    unit = pair.both.unit
    title = f"{unit.capitalize()}s that changed"
    counts = "No verdicts, so none changes."
    if at is not None:
        turned = at.counts()
        counts = f"{letter} puts {turned.fixed:,} wrong verdicts right and {turned.broken:,} right ones wrong."
    lead = f"{counts} {_filter_words(options.samples, letter, unit).capitalize()}: {len(rows):,}."
    runs = (systems[0].run, systems[b].run)
    without = [f"{run.info.name}: {run.without('inputs', 'reconstructions')}." for run in runs if not run.pictures]
    if not len(rows):
        return section(title, html.paragraph(f"{lead} No {unit} fits."))
    if without:
        lead += f" {' '.join(dict.fromkeys(without))}"
        return section(title, html.joined([html.paragraph(lead), _ids(pair, rows, names)]))
    if options.images == NO_IMAGES:
        return section(title, html.paragraph(f"{lead} Images are left out."))
    hidden = f" {HIDDEN}" if options.images == PIXELATED else ""
    shown = f" The first {MOST_IMAGES} are shown." if len(rows) > MOST_IMAGES else ""
    lacking = [f" {run.info.name} {missing}." for run in runs if (missing := run.without("inputs", "reconstructions"))]
    own = f"Original, A, {'its own original, ' if pair.both.has_companions else ''}{letter}"
    note = f"{own}, and the error of each. {SCALE}{hidden}{''.join(dict.fromkeys(lacking))}"
    about = html.paragraph(note, "quiet")
    cards = _cards(sheet, pair, rows[:MOST_IMAGES], names)
    return section(title, html.joined([html.paragraph(lead + shown), about, html.triplets("", cards, SIDE)]))


def _ids(pair: Pair, rows: NDArray[np.int64], names: Pseudonyms | None) -> Markup:
    shown = changes.samples_table(pair, rows[:MOST_IDS])
    if names is not None:
        shown["Sample"] = [names.of("sample_id", sample) for sample in shown["Sample"]]
    scores_shown = [name for name in shown if str(name).startswith("Score of")]
    for name in scores_shown:
        shown[name] = [number(float(value)) for value in shown[name]]
    more = f"{len(rows) - MOST_IDS:,} more are listed on the screen." if len(rows) > MOST_IDS else ""
    return frame(shown, more)


def _cards(sheet: Sheet, pair: Pair, rows: NDArray[np.int64], names: Pseudonyms | None) -> list[Triplet]:
    """Of each sample the original, both reconstructions, and the error of each against its own input."""
    hides_faces, at, letter = names is not None, pair.flips, LETTERS[pair.b]
    of_a, of_b = (
        pictures_of(sheet.comparison.systems[i].run, pair.both.rows[i][rows], hides_faces=hides_faces)
        for i in (0, pair.b)
    )
    cards = []
    ids = pair.both.samples["sample_id"].to_numpy(str)
    for place, row in enumerate(rows):
        a, b = of_a[place], of_b[place]
        other = b.get("original") if pair.both.has_companions and "original" in a else None
        stated = {
            "original": a.get("original", b.get("original")),
            "A": a.get("reconstruction"),
            f"original of {letter}": other,
            letter: b.get("reconstruction"),
            "error of A": a.get("error"),
            f"error of {letter}": b.get("error"),
        }
        pictures = {what: picture for what, picture in stated.items() if picture is not None}
        verdicts = ("", "") if at is None else (f"{at.verdicts_a[row]} ", f"{at.verdicts_b[row]} ")
        words = " · ".join(
            f"{name} {verdict}{number(values[row])}"
            for name, verdict, values in zip(("A", letter), verdicts, pair.scores, strict=True)
        )
        cards.append(
            Triplet(
                [(what, png(picture)) for what, picture in pictures.items()],
                f"{readable(pair.kinds[row])}: {words}",
                ids[row] if names is None else names.of("sample_id", ids[row]),
            )
        )
    return cards


# ------------------------------------------------------------------------------------------------- behind the pages


def _behind(systems: Sequence[System], options: Options, names: Pseudonyms | None) -> list[list[Markup]]:
    """A sheet each: the card, and the thesis' figures where they are asked for."""
    card, sheets = options.card, []
    if card is not None:
        card = card if names is None else names.of_card(card)
        answer = html.paragraph(cardpage.answer(card), "answer")
        sheets.append([html.heading("Operating point of A"), answer, *cardpage.sections(card, systems[0].run)])
    if options.with_appendix:
        with_images = options.images != NO_IMAGES
        for letter, system in zip(LETTERS, systems, strict=False):
            which = f"{letter}, " if len(systems) > 1 else ""
            figures = [*appendix.figures(system)]
            if with_images and system.run.pictures:
                figures.append(appendix.reconstructions(system, names))
            sections = [figure.section() for figure in figures]
            sheets.append([html.heading(f"Appendix: {which}{system.run.info.name}"), *sections])
        if (trainings := appendix.trainings(systems)) is not None:
            sheets.append([trainings.section()])
    return sheets


def _origins(systems: Sequence[System]) -> list[Markup]:
    """All that was decided about the Runs, and what computes all of this again."""
    hashes = html.joined([*(facts(of_system(system)) for system in systems), facts(software())])
    about = decided.section(decisions.about([system.run for system in systems]))
    return [about, section("Versions and hashes", hashes)]
