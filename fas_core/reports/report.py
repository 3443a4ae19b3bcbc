"""A Run on one page that needs no network and prints on paper: the thesis' figures, the card, the comparison, images.

    page(System(run, "rec"), card=None, others=[System(other, "rec")])

Everything is drawn as SVG and written as text that is escaped; images are PNGs inside the file, left out or pixelated
where faces must not travel.
"""

from __future__ import annotations

import base64
import io
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from fas_core import metrics, scores
from fas_core.data.names import ATTACK, groups_of, in_group_order, is_training, outside_training, readable
from fas_core.errors import BadInputError
from fas_core.evaluation import decisions, join, run_metrics
from fas_core.evaluation.card import Card
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.join import System, joined
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.regressions import Regressions
from fas_core.evaluation.run_metrics import DevRates, SubsetMetrics
from fas_core.evaluation.words import interval_text, metric_words, p_text, rate_text, signed
from fas_core.latent import projection
from fas_core.metrics import Curves, ScoreSet, bins, limits
from fas_core.metrics.operating_point import DEFAULT, Rule
from fas_core.reports import card as cardpage
from fas_core.reports import decisions as decided
from fas_core.reports import html, palette, svg
from fas_core.reports.forest import forest, rows_of
from fas_core.reports.html import Triplet, facts, html_page, section, table
from fas_core.reports.svg import Plot, linear_axis
from fas_core.runs import traininglog
from fas_core.runs.store import Run

MOST_LOSSES = 9  # drawn by themselves
MOST_DOTS = 2_500  # of a scatter
PER_SUBSET = 4  # images with their reconstructions
SIDE = 96  # pixels of an image on the page
BLOCKS = 8  # by 8: what pixelating leaves of an image
ERROR_LIMIT = 0.5  # what the end of the error scale stands for, as in the app
LETTERS = "ABCDEF"
# The error scale of the app: inferno.
_ERROR_COLOURS = (
    "000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "f7d13d", "fcffa4",
)  # fmt: skip
_SCORE_LOOKS = tuple((colour, dash) for dash in palette.DASHES for colour in ("#222222", "#8a8a8a", "#94754F"))


def page(
    system: System,
    *,
    card: Card | None = None,
    others: Sequence[System] = (),
    rule: Rule = DEFAULT,
    level: str = FRAME,
    chosen_on: Sequence[str] = (),
    with_images: bool = True,
    pixelated: bool = False,
) -> str:
    """The HTML. `card`: an operating-point card of this Run. `others`: Runs to compare with on the same samples, by
    `rule`, `level` and `chosen_on` as `comparison.compared` takes them.

    Raises BadInputError for a card of another Run, a score that a Run does not have, and Runs that cannot be joined.
    """
    run, score = system
    if card is not None and card.run != run.id:
        raise BadInputError(
            f"The card is of Run {card.run} ({card.run_name}), the report of {run.id} ({run.info.name})."
        )
    if len(others) >= len(LETTERS):
        raise BadInputError(f"A report compares at most {len(LETTERS)} Runs, got {len(others) + 1}.")
    join.require_others([system, *others])
    title = f"Report on {run.info.name}"
    of_run = run_metrics.evaluated(run, score)
    parts = [
        html.title(title),
        html.paragraph(
            f"Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Not a certificate: no test laboratory was involved.",
            "quiet",
        ),
        html.paragraph(_answer(system, of_run.scores[score]), "answer"),
        *(html.warning("Caution.", caution.message) for caution in of_run.warnings),
        section("How well does it separate?", _metrics(of_run.scores[score])),
        section("Curves of every subset", _curves_by_subset(system)),
        *_losses(run),
        *_latent_space(run),
    ]
    if card is not None:
        parts += [html.heading("Operating point"), html.paragraph(cardpage.answer(card), "answer")]
        parts += cardpage.sections(card, run)
    parts.append(decided.section(decisions.about([each.run for each in (system, *others)])))
    parts += [
        _compared(system, other, letter, rule, level, chosen_on)
        for letter, other in zip(LETTERS[1:], others, strict=False)
    ]
    if others:
        parts.append(section("Curves of the Runs over each other", _curves_of_runs([system, *others])))
        if (trainings := _trainings([system, *others])) is not None:
            parts.append(trainings)
    if with_images and run.has_images:
        parts.append(_images(run, score, pixelated))
    parts.append(
        section("Versions and hashes", html.joined([*(_provenance(each) for each in [system, *others]), _software()]))
    )
    return html_page(title, parts)


# ------------------------------------------------------------------------------------------------------- numbers


def _answer(system: System, cells: Mapping[str, SubsetMetrics]) -> str:
    """The worst species first: at a threshold chosen on dev, on the subsets that neither it nor training has seen."""
    run, score = system
    pooled = _score_set(system, outside_training(run.subsets) or run.subsets)
    if not (pooled.n_bona_fide and pooled.n_attack):
        return f"{run.info.name}: the subsets hold one class only, so nothing can be separated."
    auc = {name: metrics.roc_auc(pooled, name) for name, values in pooled.attacks.items() if values.size}
    hardest = min(auc, key=auc.__getitem__)
    at_dev = [cells[name].at_dev_threshold for name in outside_training(list(cells))]
    known = [(at.rates.apcer_max, at) for at in at_dev if at is not None and at.rates.apcer_max is not None]
    lead = ""
    if known:
        _, worst = max(known, key=lambda pair: pair[0])
        where = "on these samples (optimistic)" if worst.optimistic else f"on {', '.join(worst.chosen_on)}"
        lead = f"Where at most 5 % of bona fide samples are rejected {where}, {_worst(worst, names_it=True)}. "
    return (
        f"{lead}Judged by {score}, {run.info.name} tells {hardest}, the hardest of {len(auc)} species, from "
        f"{pooled.n_bona_fide:,} bona fide samples outside training with an AUC of {auc[hardest]:.3f}; all "
        f"{pooled.n_attack:,} attacks with {metrics.roc_auc(pooled):.3f}."
    )


def _worst(at: DevRates | None, *, names_it: bool = False) -> str:
    """The APCER of the worst species with its interval."""
    if at is None or at.rates.apcer_max is None:
        return "–"
    text = rate_text(at.rates.apcer_max, at.rates.worst_interval)
    if names_it:
        return f"the worst species, {at.rates.apcer_worst}, passes {text} of the time"
    return f"{text}, {at.rates.apcer_worst}" + (" (optimistic)" if at.optimistic else "")


def _limited(at: DevRates | None) -> str:
    """The rate that is limited, its upper bound, and whether it is within the limit."""
    target = None if at is None else at.target
    return "–" if target is None or target.rate is None else limits.short_words(target)


def _score_set(system: System, subsets: Sequence[str]) -> ScoreSet:
    rows = system.run.samples(["subset", "label", "pai_species"])
    chosen = rows["subset"].isin(list(subsets)).to_numpy()
    attack = rows["label"].to_numpy()[chosen] == ATTACK
    values = scores.values(system.run, system.score)[chosen]
    return metrics.score_set(values, attack, list(rows["pai_species"][chosen]))


def _metrics(cells: Mapping[str, SubsetMetrics]) -> Markup:
    rows = []
    for subset, cell in cells.items():
        interval = cell.roc_auc_ci95
        auc = "–" if cell.roc_auc is None else f"{cell.roc_auc:.3f}"
        if interval is not None:
            auc += f" ({interval.low:.3f}–{interval.high:.3f})"
        rows.append(
            [
                subset,
                f"{cell.n_bona_fide:,}",
                f"{cell.n_attack:,}",
                f"{sum(cell.n_non_response.values()):,}",
                auc,
                "–" if cell.average_precision is None else f"{cell.average_precision:.3f}",
                "–" if cell.eer is None else f"{100 * cell.eer.value:.1f} %",
                _worst(cell.at_dev_threshold),
                _limited(cell.at_dev_threshold),
            ]
        )
    units = sorted({cell.roc_auc_ci95.unit for cell in cells.values() if cell.roc_auc_ci95})
    by = f"In brackets: 95 % by resampling whole {' or '.join(units)}s. " if units else ""
    known = [cell.at_dev_threshold for cell in cells.values() if cell.at_dev_threshold]
    elsewhere = sorted({", ".join(at.chosen_on) for at in known if not at.optimistic})
    chosen = f"The last columns' threshold is chosen on {elsewhere[0]}; " if elsewhere else ""
    chosen += "where it is chosen on the subset itself, it is called optimistic. "
    heads = ["Subset", "Bona fide", "Attacks", "No response", "AUC", "AP", "EER", "Worst APCER at BPCER ≤ 5 %"]
    heads.append("BPCER there")
    note = f"{by}{chosen}–: one class only."
    return table(heads, rows, note)


# ------------------------------------------------------------------------------------------------------- figures


def _planes(n_attack: int, n_bona_fide: int) -> tuple[Plot, Plot]:
    shares = f"{n_attack:,} attacks, {n_bona_fide:,} bona fide"
    return (
        Plot(
            linear_axis("BPCER in %", 0, 1, percent=True),
            linear_axis("attacks found in %", 0, 1, percent=True),
            f"ROC, {shares}",
        ),
        Plot(
            linear_axis("recall in %", 0, 1, percent=True),
            linear_axis("precision in %", 0, 1, percent=True),
            f"Precision and recall, {shares}",
        ),
    )


def _thinned(score_set: ScoreSet) -> Curves:
    return metrics.thinned(metrics.curves(score_set), 300)


def _curves_by_subset(system: System) -> Markup:
    """Figures 4.16 and 4.18: precision-recall and ROC with AUC, per subset, and DET."""
    sets = {name: _score_set(system, [name]) for name in system.run.subsets}
    both = {name: of_subset for name, of_subset in sets.items() if of_subset.n_bona_fide and of_subset.n_attack}
    if not both:
        return html.paragraph("No subset holds both classes, so there is no curve.")
    roc, pr = _planes(
        sum(of_subset.n_attack for of_subset in both.values()),
        sum(of_subset.n_bona_fide for of_subset in both.values()),
    )
    det = svg.det_plane("DET of every subset")
    for name, of_subset in both.items():
        curve, style = _thinned(of_subset), palette.style_of(name)
        roc.line(curve.fpr, curve.tpr, style.colour, style.dash, name=f"{name}, AUC {metrics.roc_auc(of_subset):.3f}")
        average = metrics.average_precision(of_subset)
        pr.line(curve.recall, curve.precision, style.colour, style.dash, name=f"{name}, AP {average:.3f}")
        det.line(svg.on_det(curve.apcer_pooled), svg.on_det(curve.bpcer), style.colour, style.dash, name=name)
    caption = f"Figures 4.16 and 4.18 of the thesis, for the score {system.score}; and DET. {svg.DET_SCALES}"
    return html.figure([roc.drawn(), pr.drawn(), det.drawn()], caption)


def _losses(run: Run) -> list[Markup]:
    """Figures 4.1, 4.5, 4.9: each loss per group; 4.2, 4.6: precision-recall of each, live and spoof."""
    names = [name for name in scores.offered(run) if name in run.info.scores][:MOST_LOSSES]
    rows = run.samples(["subset", "label", "pai_species"])
    kinds, attack = groups_of(rows), rows["label"].to_numpy() == ATTACK
    tested = ~is_training(rows)
    values = {name: scores.values(run, name) for name in names}
    parts = [
        section(
            "Distribution of each loss",
            html.figure(
                [_distribution(of_name, kinds, name) for name, of_name in values.items()],
                "Figures 4.1, 4.5 and 4.9 of the thesis: each loss per group; every group's bars sum to 1, the "
                "outermost also hold what lies beyond.",
            ),
        )
    ]
    curved = {name: of_name[tested] for name, of_name in values.items() if _has_both(of_name[tested], attack[tested])}
    if curved:
        drawings = []
        for positive, sign in (("attack", 1.0), ("live", -1.0)):
            plane = Plot(
                linear_axis("recall in %", 0, 1, percent=True),
                linear_axis("precision in %", 0, 1, percent=True),
                f"Precision and recall of each loss, {positive} as what is looked for",
            )
            for (colour, dash), (name, of_name) in zip(_SCORE_LOOKS, curved.items(), strict=False):
                wanted = attack[tested] if positive == "attack" else ~attack[tested]
                score_set = metrics.score_set(sign * of_name, wanted)
                curve = _thinned(score_set)
                average = metrics.average_precision(score_set)
                plane.line(curve.recall, curve.precision, colour, dash, name=f"{name}, AP {average:.3f}")
            drawings.append(html.plot(positive, plane.drawn()))
        caption = "Figures 4.2 and 4.6 of the thesis: outside training, attacks, and live faces, as what is looked for."
        parts.append(section("Precision and recall of each loss", html.figure(drawings, caption)))
    return parts


def _has_both(values: NDArray[np.float64], attack: NDArray[np.bool_]) -> bool:
    """Whether attacks and bona fide samples have a score, as every curve needs."""
    return len(np.unique(attack[~np.isnan(values)])) == 2


def _distribution(values: NDArray[np.float64], kinds: NDArray[np.str_], title: str) -> Markup:
    """Outlined histograms of all groups on shared bins."""
    finite = np.isfinite(values)
    if not finite.any():
        return Markup()
    edges = bins.edges(*bins.percentiles(values[finite], (0.5, 99.5)), 40)
    shares = {}
    for name in in_group_order(sorted(set(kinds[finite].tolist()))):
        of_group = values[finite & (kinds == name)].clip(edges[0], edges[-1])
        shares[name] = np.histogram(of_group, edges)[0] / len(of_group)
    top = max(float(of_group.max()) for of_group in shares.values())
    plane = Plot(
        linear_axis(title, float(edges[0]), float(edges[-1])),
        linear_axis("share of the group in %", 0, 1.05 * top, percent=True),
        f"Distribution of {title} per group",
        height=180,
    )
    for name, of_group in shares.items():
        style = palette.style_of(name)
        stairs = np.concatenate([[0], np.repeat(of_group, 2), [0]])
        plane.line(np.repeat(edges, 2), stairs, style.colour, style.dash, name=readable(name))
    return plane.drawn()


def _latent_space(run: Run) -> list[Markup]:
    """Figures 4.3, 4.7, 4.8, 4.10: two principal components, and UMAP where it is kept; 4.4: likelihoods."""
    if not run.has_images:
        return []
    if len(run) < 2:
        why = f"A plane to show it in takes two codes; this Run has {len(run)}."
        return [section("Latent space", html.paragraph(why))]
    kinds = groups_of(run.samples(["subset", "label", "pai_species"]))
    pca = projection.pca_of(run, 2)
    titles = [f"component {i + 1} ({100 * share:.0f} % of the variance)" for i, share in enumerate(pca.explained[:2])]
    drawings = [_scatter(projection.coordinates(run, pca)[:, :2], kinds, titles, "Two principal components")]
    caption = "Figures 4.3, 4.7, 4.8 and 4.10 of the thesis: two principal components of the live training codes"
    embedding = projection.known_umap(run)
    if embedding is None:
        caption += ". UMAP is not kept for this Run: open the page Latent space to compute it."
    else:
        drawings.append(_scatter(embedding.points, kinds, ["UMAP 1", "UMAP 2"], "UMAP"))
        how, n = projection.USUAL, len(run)
        seen = projection.umap_words(how, len(embedding.fitted), n, n, run.latent_dim)
        caption += f". {seen}; no labels; seed {how.seed}."
    parts = [section("Latent space", html.figure(drawings, caption))]
    if "gmm_nll" in scores.offered(run):
        drawn = _distribution(-scores.values(run, "gmm_nll"), kinds, "log-likelihood")
        about = "Figure 4.4 of the thesis: log-likelihood of each code under the mixture of the score gmm_nll."
        parts.append(section("Likelihood", html.figure([drawn], about)))
    return parts


def _scatter(xy: NDArray[np.floating], kinds: NDArray[np.str_], titles: Sequence[str], label: str) -> Markup:
    finite = np.flatnonzero(np.isfinite(xy).all(1))
    rows = finite[:: max(1, -(-len(finite) // MOST_DOTS))]
    if not len(rows):
        return Markup()
    low, high = np.percentile(xy[finite], [0.5, 99.5], axis=0)
    room = 0.05 * np.maximum(high - low, 1e-9)
    x, y = (linear_axis(titles[i], float(low[i] - room[i]), float(high[i] + room[i])) for i in (0, 1))
    plane = Plot(x, y, label)
    for name in in_group_order(sorted(set(kinds[rows].tolist()))):
        here, style = rows[kinds[rows] == name], palette.style_of(name)
        plane.dots(
            xy[here, 0],
            xy[here, 1],
            style.colour,
            is_hollow=style.is_hollow,
            name=f"{readable(name)} ({len(here)})",
        )
    return plane.drawn()


# ---------------------------------------------------------------------------------------------------- comparison


def _compared(a: System, b: System, letter: str, rule: Rule, level: str, chosen_on: Sequence[str]) -> Markup:
    """A against another Run: the forest, sentences, what got worse, every metric."""
    comparison = compared(a, b, rule, level, chosen_on=chosen_on, resamples=1000, letter=letter)
    parts = [html.paragraph(sentence) for sentence in comparison.in_words]
    if drawn := rows_of(comparison.worse, comparison.metrics):
        parts.insert(0, html.figure([forest(drawn, f"A{letter}")], f"Points: {letter} minus A, 95 % in brackets."))
    if comparison.worse is not None and comparison.worse.rows:
        parts.append(_worse_than_a(comparison.worse, letter))
    rows = [
        [
            metric_words(statistic),
            *("–" if value is None else f"{value:.3f}" for value in (metric.a, metric.b)),
            "–" if metric.difference is None else signed(metric.difference, 3),
            interval_text(metric.low, metric.high, 3) or "–",
            "–" if metric.p is None else f"{'≤ ' if metric.is_bound else ''}{metric.p:.3f}",
            metric.method or "–",
        ]
        for statistic, metric in comparison.metrics.items()
    ]
    heads = ["Metric", "A", letter, f"{letter} − A", "95 %", "p", "p by"]
    how = "taken as given" if comparison.matching.is_fixed else "matched anew each time"
    note = (
        f"{comparison.n_common:,} samples in both, {comparison.n_only_a:,} only in A, {comparison.n_only_b:,} only in "
        f"{letter}, {comparison.n_no_response:,} without a score in one; training images left out. 95 % of the "
        f"difference by resampling {comparison.n_units:,} {comparison.unit}s, thresholds {how}: "
        f"{comparison.matching.words}."
    )
    names = ", ".join(f"{name} {run.info.name} by {score}" for name, (run, score) in (("A", a), (letter, b)))
    return section(f"Compared: {names}", html.joined([*parts, table(heads, rows, note)]))


def _worse_than_a(worse: Regressions, letter: str) -> Markup:
    rows = [
        [
            cell.words,
            f"{cell.n:,}",
            f"{100 * cell.a:.1f} %",
            f"{100 * cell.b:.1f} %",
            signed(100 * cell.difference, 1),
            interval_text(*cell.points, digits=1) or "–",
            "–" if cell.p is None else p_text(cell.p),
        ]
        for cell in worse.rows
    ]
    heads = ["Got worse: wrong verdicts of", "n", "A", letter, "points", "95 %", "p"]
    few = "; ".join(f"{cell.words} (n = {cell.n:,})" for cell in worse.too_few)
    note = f"p corrected for {worse.n_compared:,} comparisons (Holm)." + (f" Too few to judge: {few}." if few else "")
    return table(heads, rows, note)


def _curves_of_runs(systems: Sequence[System]) -> Markup:
    both = join.outside_training(joined(systems))
    first = both.score_sets[0] if len(both) else None
    if first is None or not (first.n_bona_fide and first.n_attack):
        return html.paragraph("The common samples hold one class only: there is no curve.")
    roc, pr = _planes(first.n_attack, first.n_bona_fide)
    det = svg.det_plane("DET of the Runs")
    for letter, score_set, (colour, dash) in zip(LETTERS, both.score_sets, _RUN_LOOKS, strict=False):
        curve = _thinned(score_set)
        roc.line(curve.fpr, curve.tpr, colour, dash, name=f"{letter}, AUC {metrics.roc_auc(score_set):.3f}")
        pr.line(
            curve.recall, curve.precision, colour, dash, name=f"{letter}, AP {metrics.average_precision(score_set):.3f}"
        )
        det.line(svg.on_det(curve.apcer_pooled), svg.on_det(curve.bpcer), colour, dash, name=letter)
    return html.figure(
        [roc.drawn(), pr.drawn(), det.drawn()], f"{len(both):,} samples that all Runs have. {svg.DET_SCALES}"
    )


_RUN_LOOKS = list(zip(palette.RUN_COLOURS, palette.DASHES, strict=True))


def _trainings(systems: Sequence[System]) -> Markup | None:
    """Dev loss by epoch of the Runs whose training is known, each between its first and its lowest one."""
    curves = traininglog.dev_curves(systems[0].run.cache, [system.run.info.checkpoint for system in systems])
    known = [(letter, curve) for letter, curve in zip(LETTERS, curves, strict=False) if curve is not None]
    if not known:
        return None
    last = max(float(curve.epochs[-1, 0]) for _, curve in known)
    plane = Plot(linear_axis("epoch", 0, last), linear_axis("dev loss", 0, 1.05), "Dev loss of each training")
    for letter, curve in known:
        colour, dash = _RUN_LOOKS[LETTERS.index(letter)]
        epochs, loss = curve.epochs.T
        plane.line(epochs, traininglog.between_first_and_best(loss), colour, dash, name=letter)
    about = "Dev loss, as 1 after the first epoch and 0 where it is lowest: units differ between models."
    return section("Trainings", html.figure([plane.drawn()], about))


# -------------------------------------------------------------------------------------------------------- images


def _images(run: Run, score: str, pixelated: bool) -> Markup:
    """Figures 4.11 to 4.15 and 4.17: original, reconstruction and error of a few samples of every subset."""
    rows = run.samples(["sample_id", "subset", "label", "pai_species"])
    attack = rows["label"].to_numpy() == ATTACK
    values = scores.values(run, score)
    parts = []
    for subset in run.subsets:
        here = run.rows_of(subset)
        chosen = np.sort(np.concatenate([_evenly(here[attack[here]]), _evenly(here[~attack[here]])]))
        inputs, outputs = run.images("inputs", chosen), run.images("reconstructions", chosen)
        if pixelated:
            inputs, outputs = _pixelated(inputs), _pixelated(outputs)
        triplets = []
        for row, original, reconstruction in zip(chosen, inputs, outputs, strict=True):
            kind = str(rows["pai_species"].iloc[row]) or "attack" if attack[row] else "live"
            pictures = {
                "original": original,
                "reconstruction": reconstruction,
                "error": _error(original, reconstruction),
            }
            triplets.append(
                Triplet(
                    [(what, _png(picture)) for what, picture in pictures.items()],
                    f"{kind} · {score} {values[row]:.5g}",
                    "" if pixelated else str(rows["sample_id"].iloc[row]),
                )
            )
        parts.append(html.triplets(readable(subset), triplets, SIDE))
    about = (
        "Figures 4.11 to 4.15 and 4.17 of the thesis: original, reconstruction and absolute error, from 0 (dark) to "
        f"{ERROR_LIMIT:g} of the pixel range or more (bright), evenly taken from every subset."
    )
    hidden = f" Pixelated to {BLOCKS} × {BLOCKS} blocks: who is shown is not to be seen." if pixelated else ""
    return section("Reconstructions", html.joined([html.paragraph(about + hidden, "quiet"), *parts]))


def _evenly(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    wanted = np.linspace(0, len(rows) - 1, min(len(rows), PER_SUBSET // 2)).round().astype(np.int64)
    return rows[wanted]


def _pixelated(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, H, W), at least `BLOCKS` pixels each way -> the mean of each of `BLOCKS` x `BLOCKS` blocks, in its place."""
    blocks = [np.arange(size) * BLOCKS // size for size in images.shape[1:]]
    counts = [np.bincount(of_pixel, minlength=BLOCKS) for of_pixel in blocks]
    starts = [np.cumsum(of_axis) - of_axis for of_axis in counts]
    sums = np.add.reduceat(np.add.reduceat(images.astype(np.float64), starts[0], axis=1), starts[1], axis=2)
    means = np.rint(sums / np.multiply.outer(*counts)).astype(np.uint8)
    return means[:, blocks[0][:, None], blocks[1][None]]


def _error(original: NDArray[np.uint8], reconstruction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) twice -> (H, W, 3) in the colours of the error scale."""
    anchors = np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in _ERROR_COLOURS], float)
    share = np.abs(original.astype(float) - reconstruction) / 255 / ERROR_LIMIT
    place = share.clip(0, 1) * (len(anchors) - 1)
    channels = [np.interp(place, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


# ----------------------------------------------------------------------------------------------------- provenance


def _provenance(system: System) -> Markup:
    info = system.run.info
    return facts(
        {
            "Run": f"{system.run.id} ({info.name}), judged by {system.score}",
            "Content of the Run": system.run.digest,
            "Model": info.model or "scores only",
            "Checkpoint": f"{info.checkpoint or '–'} sha256 {info.checkpoint_sha256 or '–'}",
            "Data": f"{info.manifest or info.source or '–'} sha256 {info.manifest_sha256 or '–'}",
            "Samples": ", ".join(f"{name} {n:,}" for name, n in info.subsets.items()),
            "Preprocessing": info.preprocessing or "–",
            "Precision": info.precision or "–",
            "Made": system.run.summary().created,
            "Format of the Run": str(info.format),
        }
    )


def _software() -> Markup:
    packages = ("fas-explorer", "numpy", "scipy", "pandas", "pillow")
    return facts(
        {"Software": ", ".join([f"Python {platform.python_version()}", *filter(None, map(_version, packages))])}
    )


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return ""
