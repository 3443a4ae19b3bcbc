"""Curves on paper: ROC, precision and recall, DET, and errors over thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fas_core import metrics
from fas_core.evaluation.sheet import LETTERS, Sheet
from fas_core.metrics import Curves, ScoreSet, bins
from fas_core.reports import palette, svg
from fas_core.reports.figures import Drawing, Figure
from fas_core.reports.svg import Plot, linear_axis

RUN_LOOKS = list(zip(palette.RUN_COLOURS, palette.DASHES, strict=True))
SMALL = (148, 150)  # width and height in pixels of a plane of which three stand side by side
MOST_SPECIES = 6  # in a plane of errors
POINTS = 300  # of a line at most
ONE_CLASS = "The samples judged hold one class only: there is no curve."


def planes(n_attack: int, n_bona_fide: int, size: tuple[int, int] = (240, 220)) -> tuple[Plot, Plot]:
    """Of ROC, and of precision and recall."""
    shares = f"{n_attack:,} attacks, {n_bona_fide:,} bona fide"
    width, height = size
    return (
        Plot(
            linear_axis("BPCER in %", 0, 1, percent=True),
            linear_axis("attacks found in %", 0, 1, percent=True),
            f"ROC, {shares}",
            width=width,
            height=height,
        ),
        Plot(
            linear_axis("recall in %", 0, 1, percent=True),
            linear_axis("precision in %", 0, 1, percent=True),
            f"Precision and recall, {shares}",
            width=width,
            height=height,
        ),
    )


def thinned(score_set: ScoreSet) -> Curves:
    """The curves of a score in at most POINTS points each."""
    return metrics.thinned(metrics.curves(score_set), POINTS)


def _of_each(
    sets: dict[str, ScoreSet], looks: Sequence[tuple[str, str]], at: Sequence[float]
) -> tuple[list[Drawing], dict[str, Curves]]:
    """ROC, precision and recall, and DET of some score sets by name, with a dot where each one's threshold is."""
    first = next(iter(sets.values()))
    roc, pr = planes(first.n_attack, first.n_bona_fide, SMALL)
    det = svg.det_plane("DET", SMALL)
    curve_of = {name: thinned(scores) for name, scores in sets.items()}
    for i, (name, scores) in enumerate(sets.items()):
        curve, (colour, dash) = curve_of[name], looks[i]
        roc.line(curve.fpr, curve.tpr, colour, dash, name=f"{name}, AUC {metrics.roc_auc(scores):.3f}")
        average = metrics.average_precision(scores)
        pr.line(curve.recall, curve.precision, colour, dash, name=f"{name}, AP {average:.3f}")
        det.line(curve.apcer_pooled, curve.bpcer, colour, dash, name=name)
        if i < len(at):
            rates = metrics.rates_at(scores, at[i])
            bpcer, apcer, recall = rates.bpcer or 0.0, rates.apcer_pooled or 0.0, rates.recall or 0.0
            roc.dots([bpcer], [recall], palette.Style(colour), radius=4)
            det.dots([apcer], [bpcer], palette.Style(colour), radius=4)
            if rates.precision is not None:
                pr.dots([recall], [rates.precision], palette.Style(colour), radius=4)
    return [Drawing("ROC", roc), Drawing("Precision, recall", pr), Drawing("DET", det)], curve_of


def errors(
    title: str, curve: Curves, values: ScoreSet, threshold: float | None, *, is_named: bool = True
) -> list[Drawing]:
    """BPCER and the APCER of each species over the thresholds of one Run; none where no threshold is finite.

    `is_named`: with a legend, which one beside it may have already.
    """
    finite = curve.thresholds[np.isfinite(curve.thresholds)]
    if not finite.size:
        return []
    edges = bins.edges(*bins.percentiles(finite, (1, 99)), 40)  # apart, and drawable, whatever the scores are
    low, high = float(edges[0]), float(edges[-1])
    at = curve.thresholds.clip(low, high)
    plane = Plot(
        linear_axis("threshold", low, high, n_ticks=3),
        linear_axis("errors in %", 0, 1, percent=True),
        f"BPCER and APCER over thresholds, {title}",
        width=SMALL[0],
        height=SMALL[1],
    )
    blue = palette.style_of("bona_fide")
    plane.line(at, curve.bpcer, blue.colour, name="BPCER", in_legend=is_named)
    largest = sorted(curve.apcer, key=lambda name: -values.attacks[name].size)[:MOST_SPECIES]
    for name in sorted(largest):
        style = palette.style_of(name)
        plane.line(at, curve.apcer[name], style.colour, "dash", name=f"APCER {name}", in_legend=is_named)
    if threshold is not None:
        plane.line(
            np.clip([threshold, threshold], low, high),
            [0, 1],
            palette.NEUTRAL,
            width=2.5,
            name="threshold" if is_named else "",
        )
    return [Drawing(f"Errors, {title}", plane)]


def of_runs(sheet: Sheet, b: int) -> Figure:
    """Of all Runs over each other, and the errors of A and Run `b` over their thresholds."""
    both = sheet.joined
    if not both.has_both_classes:
        return Figure("curves", "Curves", ONE_CLASS)
    sets = dict(zip(LETTERS, both.score_sets, strict=False))
    drawings, curve_of = _of_each(sets, RUN_LOOKS, sheet.thresholds)
    at = dict(zip(LETTERS, sheet.thresholds, strict=False))
    for letter in ("A", LETTERS[b]):
        curve, values = curve_of[letter], sets[letter]
        drawings += errors(letter, curve, values, at.get(letter), is_named=letter == "A")
    caption = f"Dots and upright lines: the thresholds. {svg.DET_SCALES} {sheet.signs_words}".strip()
    return Figure("curves", "Curves", caption, tuple(drawings))


def of_subsets(sets: dict[str, ScoreSet], threshold: float | None, sign_words: str = "") -> Figure:
    """Of the score sets of one Run by subset, and the errors of all of them together, the last.

    `sign_words`: as of `scores.sign_words`.
    """
    both = {name: scores for name, scores in sets.items() if scores.n_bona_fide and scores.n_attack}
    if not both:
        return Figure("curves", "Curves", ONE_CLASS)
    looks = [(style.colour, style.dash) for style in map(palette.style_of, both)]
    drawings, curve_of = _of_each(both, looks, [] if threshold is None else [threshold] * len(both))
    last = list(both)[-1]
    drawings += errors(last, curve_of[last], both[last], threshold)
    caption = f"Dots and upright lines: the threshold. {svg.DET_SCALES} {sign_words}".strip()
    return Figure("curves", "Curves", caption, tuple(drawings))
