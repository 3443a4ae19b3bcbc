"""The pages of one Run: how well it separates, curves, and the samples that are decided wrongly."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from fas_core import scores
from fas_core.data.names import ATTACK, readable
from fas_core.errors import BadInputError
from fas_core.evaluation import presentations, stress, stressed
from fas_core.evaluation.over_time import over_time
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.summary import Summary, headline, judged_on, limit_words, metrics_table, species_table
from fas_core.evaluation.verdicts import MISSED, REJECTED, verdicts_at
from fas_core.evaluation.words import number, threshold_text
from fas_core.metrics.operating_point import BY_HAND
from fas_core.reports import curves, decisions, html
from fas_core.reports.html import Triplet, section
from fas_core.reports.pictures import HIDDEN, NAMES, SCALE, pictures_of, pictures_words, png
from fas_core.reports.pseudonyms import Pseudonyms
from fas_core.reports.tables import frame
from fas_core.runs import health
from fas_core.runs.health import Caution

MOST_IMAGES, MOST_IDS = 15, 45  # samples decided wrongly, with images and without
SIDE = 96  # pixels of an image
BRACKETS = (
    "In brackets: 95 % intervals, by whole subjects where the data name them; ≤ or ≥: what so many that are all alike "
    "still allow. –: not defined, because the subset holds one class only."
)


def question(about: Summary) -> str:
    """What the report answers; its title."""
    return f"How good is {about.system.run.info.name}?"


def rule_words(about: Summary) -> str:
    """Which threshold, where it comes from, and where it is reported."""
    point = about.point
    if point is None:
        return about.problem
    source = point.rule.words
    if point.rule.kind != BY_HAND:
        source += f", chosen on {', '.join(map(readable, point.chosen_on))}"
    words = f"Threshold {threshold_text(point.threshold)}: {source}; reported on "
    optimistic = ". Optimistic: chosen while looking at these numbers" if point.is_optimistic else ""
    return f"{words}{', '.join(map(readable, point.reported_on))}{optimistic}"


def foot(about: Summary) -> str:
    """Everything that decides which numbers these are."""
    run, score = about.system
    shown = ", ".join(map(readable, about.subsets))
    return " · ".join([f"{run.info.name} ({run.id[:6]}), {score}", rule_words(about), f"of {shown}, by {about.level}"])


def sheets(about: Summary, *, with_images: bool, names: Pseudonyms | None) -> list[list[Markup]]:
    """A page for question and answer; then curves, and what is decided wrongly."""
    sets = {name: about.readers.score_set([name]) for name in about.subsets}
    sets = {name: of_subset for name, of_subset in sets.items() if of_subset.n_bona_fide and of_subset.n_attack}
    sets["together"] = about.readers.score_set(judged_on(about))
    threshold = None if about.point is None else about.point.threshold
    wrong = _wrong(about, with_images=with_images, names=names)
    of_subsets = curves.of_subsets(sets, threshold, scores.sign_words(*about.system))
    return [_answer(about), [of_subsets.section(), *_over_time(about), *_under_stress(about), wrong]]


def _answer(about: Summary) -> list[Markup]:
    run, score = about.system

    def strong(text: str) -> str:
        return Markup("<strong>{}</strong>").format(Markup(text))

    limit, (separates, lets_through) = limit_words(about, escape, strong), headline(about, escape, strong)
    decision = decisions.at_the_top([run])
    parts = [
        html.title(question(about)),
        html.paragraph(f"{run.info.name} ({run.id[:6]}), {score} per {about.level}", "quiet"),
        decision,
        *([html.paragraph(Markup(limit), "answer")] if limit else []),
        html.paragraph(Markup(lets_through), "answer"),
        html.paragraph(Markup(separates), "answer"),
        *(html.warning("Caution.", caution.message) for caution in _cautions(about)),
    ]
    parts.append(section("How well does it separate?", frame(metrics_table(about), BRACKETS)))
    species = species_table(about)
    if len(species):
        parts.append(section("Attacks by species, worst first, where it is reported", frame(species)))
    to_sign = [] if decision else [html.signatures({"Decided by": ""})]
    said = f"{rule_words(about)}. {scores.sign_words(run, score)}".strip()
    return [*parts, html.paragraph(said, "quiet"), *to_sign]


def _cautions(about: Summary) -> list[Caution]:
    run, score = about.system
    decided = presentations.presentations(run, scores.values(run, score), about.level)
    return [*health.cautions(run, about.subsets), *decided.short_cautions(about.subsets)]


def _over_time(about: Summary) -> list[Markup]:
    """How soon there can be a decision; nothing where frames decide, or have no order."""
    (run, score), point = about.system, about.point
    if point is None or about.level == FRAME:
        return []
    try:
        frames = presentations.grouping(run, about.level, in_order=True)
        told = over_time(frames, scores.values(run, score), point.rule, point.chosen_on, point.reported_on)
    except BadInputError:
        return []
    lead = html.joined([html.paragraph(f"{told.answer()} {told.sentence()}"), html.paragraph(told.caveat, "quiet")])
    return [section("How soon?", html.joined([lead, frame(told.table())]))]


def _under_stress(about: Summary) -> list[Markup]:
    """What breaks the operating point, where that was computed."""
    (run, score), point = about.system, about.point
    if point is None or not run.has("inputs"):
        return []
    kept = stressed.newest(run, score, about.level, point.reported_on)
    if kept is None:
        return []
    limit = point.rule if point.rule.has_limit else None
    told = stress.errors(kept, run, point.reported_on, point.threshold, limit)
    lead = html.joined([html.paragraph(told.sentence()), html.paragraph(told.caveat, "quiet")])
    tables = [
        html.table(list(table), table.to_numpy(str).tolist(), of.kind.title)
        for of, table in ((of, told.table(of)) for of in told.of_kinds if of.breaks)
    ]
    return [section("What breaks it?", html.joined([lead, *tables]))]


def _wrong(about: Summary, *, with_images: bool, names: Pseudonyms | None) -> Markup:
    """The samples furthest on the wrong side of the threshold, where it is reported."""
    (run, score), title = about.system, "Samples decided wrongly"
    if about.point is None:
        return section(title, html.paragraph("Without a threshold nothing is decided."))
    decided = presentations.presentations(run, scores.values(run, score), about.level, columns=("sample_id",))
    chosen = np.flatnonzero(decided.within(about.point.reported_on))
    rows = decided.rows.iloc[chosen].reset_index(drop=True)
    values = decided.values[chosen]
    verdicts = verdicts_at(rows["label"].to_numpy(), values, about.point.threshold)
    wrong = np.flatnonzero((verdicts == MISSED) | (verdicts == REJECTED))
    listed = _in_turns(wrong[np.argsort(-np.abs(values[wrong] - about.point.threshold), kind="stable")], verdicts)
    n_missed, n_rejected = (int((verdicts == verdict).sum()) for verdict in (MISSED, REJECTED))
    lead = f"{n_missed:,} attacks missed, {n_rejected:,} live {about.decisions} rejected; the furthest first."
    if not len(listed):
        return section(title, html.paragraph("None."))
    kinds = np.where(rows["label"].to_numpy() == ATTACK, rows["pai_species"].to_numpy(str), "live")
    ids = [sample if names is None else names.of("sample_id", sample) for sample in rows["sample_id"].astype("str")]
    missing = run.without("inputs", "reconstructions")
    if missing:
        lead += f" {run.info.name}: {missing}."
    if not run.pictures:
        lines = [
            [ids[i], kinds[i] or "attack", str(rows["subset"].iloc[i]), verdicts[i], number(values[i])]
            for i in listed[:MOST_IDS]
        ]
        listing = html.table(["Sample", "Class", "Subset", "Verdict", "Score"], lines, "")
        return section(title, html.joined([html.paragraph(lead), listing]))
    if not with_images:
        return section(title, html.paragraph(f"{lead} Images are left out."))
    of_run = np.unique(decided.of_frame, return_index=True)
    first_frame = dict(zip(of_run[0].tolist(), of_run[1].tolist(), strict=True))
    shown = [i for i in listed if int(chosen[i]) in first_frame][:MOST_IMAGES]
    frames = np.array([first_frame[int(chosen[i])] for i in shown], np.int64)
    lead += "" if names is None else f" {HIDDEN}"
    cards = [
        Triplet(
            [(what, png(picture)) for what, picture in pictures.items()],
            f"{kinds[i] or 'attack'} {verdicts[i]} · {score} {number(values[i])}",
            ids[i],
        )
        for i, pictures in zip(shown, pictures_of(run, frames, hides_faces=names is not None), strict=True)
    ]
    words = pictures_words(run)
    scale = SCALE if len(run.pictures) == len(NAMES) else ""
    about_them = html.paragraph(f"{words[0].upper()}{words[1:]}. {scale}".strip(), "quiet")
    return section(title, html.joined([html.paragraph(lead), about_them, html.triplets("", cards, SIDE)]))


def _in_turns(rows: NDArray[np.int64], verdicts: NDArray[np.str_]) -> list[int]:
    """Missed attacks and rejected live ones alternate, as long as there are both."""
    missed, rejected = ([int(i) for i in rows if verdicts[i] == verdict] for verdict in (MISSED, REJECTED))
    pairs = [i for pair in zip(missed, rejected, strict=False) for i in pair]
    n = min(len(missed), len(rejected))
    return [*pairs, *missed[n:], *rejected[n:]]
