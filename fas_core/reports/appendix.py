"""The thesis' figures of a Run: curves, losses, latent space and reconstructions; and the trainings of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.names import ATTACK, dev_subsets, groups_of, in_group_order, is_training, readable
from fas_core.evaluation.join import System
from fas_core.evaluation.sheet import LETTERS, Sheet, comparison
from fas_core.latent import projection
from fas_core.metrics import ScoreSet, bins
from fas_core.reports import curves, palette, svg
from fas_core.reports.curves import RUN_LOOKS, planes, thinned
from fas_core.reports.figures import Drawing, Figure
from fas_core.reports.forest import Forest
from fas_core.reports.html import Triplet
from fas_core.reports.pictures import HIDDEN, NAMES, SCALE, PictureSheet, pictures_of, pictures_words, png
from fas_core.reports.pseudonyms import Pseudonyms
from fas_core.reports.svg import Plot, linear_axis
from fas_core.reports.tables import forest_rows
from fas_core.runs import traininglog
from fas_core.runs.store import Run

MOST_LOSSES = 9  # drawn by themselves
MOST_DOTS = 2_500  # of a scatter
PER_SUBSET = 4  # images with their reconstructions


def figures(system: System) -> list[Figure]:
    """All that is drawn of numbers; `reconstructions` shows the images."""
    return [_curves_by_subset(system), *losses(system.run), *latent_space(system.run)]


def everything(systems: Sequence[System], *, hides_faces: bool) -> Iterator[tuple[str, Figure]]:
    """(whose, figure): those of each Run with its reconstructions, and those of several Runs over each other.

    Raises BadInputError where several Runs have no common samples.
    """
    chosen_on = dev_subsets(systems[0].run.subsets)  # as on the screen
    sheet = Sheet(comparison(systems, chosen_on=chosen_on)) if len(systems) > 1 else None
    names, pseudonyms = [system.run.info.name for system in systems], Pseudonyms() if hides_faces else None
    for name, system in zip(names, systems, strict=True):
        whose = name if names.count(name) == 1 else f"{name}-{system.run.id}"
        for figure in figures(system):
            yield whose, figure
        if system.run.pictures:
            yield whose, reconstructions(system, pseudonyms)
    if (of_trainings := trainings(systems)) is not None:
        yield "runs" if sheet else "", of_trainings
    if sheet is not None:
        letters = ", ".join(f"{letter} {name}" for letter, name in zip(LETTERS, names, strict=False))
        yield "runs", against_a(sheet, letters)
        for b in range(1, len(systems)):
            over = curves.of_runs(sheet, b)
            yield f"{names[0]}-{names[b]}", replace(over, caption=f"{letters}. {over.caption}")


def against_a(sheet: Sheet, letters: str) -> Figure:
    """A forest plot of what every other Run does worse or better than A, with intervals. `letters`: whose they are."""
    name, title = "forest", "Against A"
    rows = forest_rows(sheet)
    if not rows:
        return Figure(name, title, "The common samples hold one class, so there is nothing to compare.")
    caption = (
        f"{letters}. Difference of each metric to A with its 95 % interval, in points: right of the line it is "
        f"worse, an area under the curve too. Full dots: beyond chance after correction. {sheet.rule_words}. "
        f"{sheet.limits_words}"
    )
    return Figure(name, title, caption.strip(), (Drawing("Forest plot", Forest(rows)),))


def _score_set(system: System, subsets: Sequence[str]) -> ScoreSet:
    rows = system.run.samples(["subset", "label", "pai_species"])
    chosen = rows["subset"].isin(list(subsets)).to_numpy()
    attack = rows["label"].to_numpy()[chosen] == ATTACK
    values = scores.values(system.run, system.score)[chosen]
    return metrics.score_set(values, attack, list(rows["pai_species"][chosen]))


def _curves_by_subset(system: System) -> Figure:
    """Figures 4.16 and 4.18: precision-recall and ROC with AUC, per subset, and DET."""
    title = "Curves of every subset"
    sets = {name: _score_set(system, [name]) for name in system.run.subsets}
    both = {name: of_subset for name, of_subset in sets.items() if of_subset.n_bona_fide and of_subset.n_attack}
    if not both:
        return Figure("subsets", title, "No subset holds both classes, so there is no curve.")
    roc, pr = planes(
        sum(of_subset.n_attack for of_subset in both.values()),
        sum(of_subset.n_bona_fide for of_subset in both.values()),
    )
    det = svg.det_plane("DET of every subset")
    for name, of_subset in both.items():
        curve, style = thinned(of_subset), palette.style_of(name)
        roc.line(curve.fpr, curve.tpr, style.colour, style.dash, name=f"{name}, AUC {metrics.roc_auc(of_subset):.3f}")
        average = metrics.average_precision(of_subset)
        pr.line(curve.recall, curve.precision, style.colour, style.dash, name=f"{name}, AP {average:.3f}")
        det.line(curve.apcer_pooled, curve.bpcer, style.colour, style.dash, name=name)
    caption = f"Figures 4.16 and 4.18 of the thesis, for the score {system.score}; and DET. {svg.DET_SCALES}"
    caption = f"{caption} {scores.sign_words(*system)}".strip()
    drawings = Drawing("ROC", roc), Drawing("Precision, recall", pr), Drawing("DET", det)
    return Figure("subsets", title, caption, drawings)


def losses(run: Run, names: Sequence[str] = ()) -> list[Figure]:
    """Figures 4.1, 4.5, 4.9: each loss per group; 4.2, 4.6: precision-recall of each, live and spoof.

    `names`: of the losses; by default the first ones that the Run has.
    """
    names = names or [name for name in scores.offered(run) if name in run.info.scores][:MOST_LOSSES]
    rows = run.samples(["subset", "label", "pai_species"])
    kinds, attack = groups_of(rows), rows["label"].to_numpy() == ATTACK
    tested = ~is_training(rows)
    values = {name: scores.values(run, name) for name in names}
    about = (
        "Figures 4.1, 4.5 and 4.9 of the thesis: each loss per group; every group's bars sum to 1, the outermost also "
        "hold what lies beyond."
    )
    about = " ".join(filter(None, [about, *(scores.sign_words(run, name) for name in names)]))
    drawings = [drawing for name, of_name in values.items() for drawing in distribution(of_name, kinds, name)]
    parts = [Figure("losses", "Distribution of each loss", about, tuple(drawings))]
    curved = {name: of_name[tested] for name, of_name in values.items() if _has_both(of_name[tested], attack[tested])}
    if curved:
        drawings, styles = [], palette.score_styles(names)
        for positive, sign in (("attack", 1.0), ("live", -1.0)):
            plane = Plot(
                linear_axis("recall in %", 0, 1, percent=True),
                linear_axis("precision in %", 0, 1, percent=True),
                f"Precision and recall of each loss, {positive} as what is looked for",
            )
            for name, of_name in curved.items():
                wanted = attack[tested] if positive == "attack" else ~attack[tested]
                score_set = metrics.score_set(sign * of_name, wanted)
                curve = thinned(score_set)
                average = metrics.average_precision(score_set)
                style = styles[name]
                plane.line(curve.recall, curve.precision, style.colour, style.dash, name=f"{name}, AP {average:.3f}")
            drawings.append(Drawing(positive, plane))
        caption = "Figures 4.2 and 4.6 of the thesis: outside training, attacks, and live faces, as what is looked for."
        title = "Precision and recall of each loss"
        parts.append(Figure("precision-recall", title, caption, tuple(drawings)))
    return parts


def _has_both(values: NDArray[np.float64], attack: NDArray[np.bool_]) -> bool:
    """Whether attacks and bona fide samples have a score, as every curve needs."""
    return len(np.unique(attack[~np.isnan(values)])) == 2


def distribution(values: NDArray[np.float64], kinds: NDArray[np.str_], title: str) -> list[Drawing]:
    """Outlined histograms of all groups on shared bins; none where no value is finite."""
    finite = np.isfinite(values)
    if not finite.any():
        return []
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
    return [Drawing(title, plane)]


def latent_space(run: Run) -> list[Figure]:
    """Figures 4.3, 4.7, 4.8, 4.10: two principal components, and UMAP where it is kept; 4.4: likelihoods."""
    if not run.has("latents"):
        return []
    if len(run) < 2:
        why = f"A plane to show it in takes two codes; this Run has {len(run)}."
        return [Figure("latent", "Latent space", why)]
    kinds = groups_of(run.samples(["subset", "label", "pai_species"]))
    pca = projection.pca_of(run, 2)
    titles = [f"component {i + 1} ({100 * share:.0f} % of the variance)" for i, share in enumerate(pca.explained[:2])]
    drawings = [*_scatter(projection.coordinates(run, pca)[:, :2], kinds, titles, "Two principal components")]
    caption = "Figures 4.3, 4.7, 4.8 and 4.10 of the thesis: two principal components of the live training codes"
    embedding = projection.known_umap(run)
    if embedding is None:
        caption += ". UMAP is not kept for this Run: open the page Latent space to compute it."
    else:
        drawings += _scatter(embedding.points, kinds, ["UMAP 1", "UMAP 2"], "UMAP")
        how, n = projection.USUAL, len(run)
        seen = projection.umap_words(how, len(embedding.fitted), n, n, run.latent_dim)
        caption += f". {seen}; no labels; seed {how.seed}."
    parts = [Figure("latent", "Latent space", caption, tuple(drawings))]
    if "gmm_nll" in scores.offered(run):
        drawn = distribution(-scores.values(run, "gmm_nll"), kinds, "log-likelihood")
        about = "Figure 4.4 of the thesis: log-likelihood of each code under the mixture of the score gmm_nll."
        parts.append(Figure("likelihood", "Likelihood", about, tuple(drawn)))
    return parts


def _scatter(xy: NDArray[np.floating], kinds: NDArray[np.str_], titles: Sequence[str], label: str) -> list[Drawing]:
    finite = np.flatnonzero(np.isfinite(xy).all(1))
    rows = finite[:: max(1, -(-len(finite) // MOST_DOTS))]
    if not len(rows):
        return []
    low, high = np.percentile(xy[finite], [0.5, 99.5], axis=0)
    room = 0.05 * np.maximum(high - low, 1e-9)
    x, y = (linear_axis(titles[i], float(low[i] - room[i]), float(high[i] + room[i])) for i in (0, 1))
    plane = Plot(x, y, label)
    for name, style in palette.styles_of(in_group_order(sorted(set(kinds.tolist())))).items():
        here = rows[kinds[rows] == name]
        if len(here):
            plane.dots(xy[here, 0], xy[here, 1], style, name=f"{readable(name)} ({len(here)})")
    return [Drawing(label, plane)]


def trainings(systems: Sequence[System]) -> Figure | None:
    """Dev loss by epoch of the Runs whose training is known, each between its first and its lowest one."""
    curves = traininglog.dev_curves(systems[0].run.cache, [system.run.info.checkpoint for system in systems])
    known = [(letter, curve) for letter, curve in zip(LETTERS, curves, strict=False) if curve is not None]
    if not known:
        return None
    last = max(float(curve.epochs[-1, 0]) for _, curve in known)
    plane = Plot(linear_axis("epoch", 0, last), linear_axis("dev loss", 0, 1.05), "Dev loss of each training")
    for letter, curve in known:
        colour, dash = RUN_LOOKS[LETTERS.index(letter)]
        epochs, loss = curve.epochs.T
        plane.line(epochs, traininglog.between_first_and_best(loss), colour, dash, name=letter)
    about = "Dev loss, as 1 after the first epoch and 0 where it is lowest: units differ between models."
    return Figure("trainings", "Trainings", about, (Drawing("Dev loss", plane),))


def reconstructions(system: System, names: Pseudonyms | None) -> Figure:
    """Figures 4.11 to 4.15 and 4.17: what there is of original, reconstruction and error of a few samples of every
    subset."""
    run, score = system
    attack = run.samples(["label"])["label"].to_numpy() == ATTACK
    drawings = []
    for subset in run.subsets:
        here = run.rows_of(subset)
        chosen = np.sort(np.concatenate([_evenly(here[attack[here]]), _evenly(here[~attack[here]])]))
        drawings.append(pictures_drawing(system, chosen, readable(subset), names))
    about = (
        f"Figures 4.11 to 4.15 and 4.17 of the thesis: {pictures_words(run)}, evenly taken from every subset. "
        f"{SCALE if len(run.pictures) == len(NAMES) else ''}"
    ).strip()
    about = f"{about} {scores.sign_words(run, score)}".strip()
    hidden = "" if names is None else f" {HIDDEN}"
    missing = run.without("inputs", "reconstructions")
    hidden += f" {run.info.name} {missing}." if missing else ""
    return Figure("reconstructions", "Reconstructions", about + hidden, tuple(drawings))


def pictures_drawing(system: System, chosen: NDArray[np.int64], title: str, names: Pseudonyms | None) -> Drawing:
    """Some samples by their rows: what there is of original, reconstruction and error, with kind and score."""
    run, score = system
    rows = run.samples(["sample_id", "label", "pai_species"]).iloc[chosen]
    values = scores.values(run, score)[chosen]
    triplets = []
    for place, pictures in enumerate(pictures_of(run, chosen, hides_faces=names is not None)):
        label, species, name = (str(rows[column].iloc[place]) for column in ("label", "pai_species", "sample_id"))
        words = f"{(species or 'attack') if label == ATTACK else 'live'} · {score} {values[place]:.5g}"
        name = name if names is None else names.of("sample_id", name)
        triplets.append(Triplet([(what, png(picture)) for what, picture in pictures.items()], words, name))
    return Drawing(title, PictureSheet(triplets, title))


def _evenly(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    wanted = np.linspace(0, len(rows) - 1, min(len(rows), PER_SUBSET // 2)).round().astype(np.int64)
    return rows[wanted]
