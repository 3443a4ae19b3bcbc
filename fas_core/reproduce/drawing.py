"""Figures 4.1 to 4.18, drawn of the Runs of the first seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.names import readable
from fas_core.errors import BadInputError
from fas_core.evaluation.join import System
from fas_core.latent import projection
from fas_core.reports import appendix, curves, palette
from fas_core.reports.figures import Drawing, Figure
from fas_core.reports.pictures import HIDDEN, SCALE
from fas_core.reports.pseudonyms import Pseudonyms
from fas_core.reproduce.chapter import Finding
from fas_core.reproduce.measuring import Tested
from fas_core.runs.store import Run

SHOWN = 4  # samples of a figure with pictures
LOSSES = ("rec", "kl", "elbo")


def figure(finding: Finding, run: Run, of: Tested, names: Pseudonyms | None) -> Figure:
    """One figure of the chapter; without drawings where the Run or the data lack what it shows, which it says."""
    drawn = _drawn(finding, run, of, names)
    return replace(drawn, name=f"figure-{finding.number}", title=f"Figure {finding.number}: {finding.title}")


def _drawn(finding: Finding, run: Run, of: Tested, names: Pseudonyms | None) -> Figure:
    if finding.kind in ("losses", "curves"):
        both = appendix.losses(run, [name for name in LOSSES if name in run.info.scores])
        return both[0] if finding.kind == "losses" else both[-1]
    if finding.kind in ("latent", "likelihood"):
        if finding.kind == "latent":
            _keep_umap(run)
        parts = appendix.latent_space(run)
        wanted = "latent" if finding.kind == "latent" else "likelihood"
        missing = Figure(wanted, "", "This Run is too small for it.")
        return next((part for part in parts if part.name == wanted), missing)
    system = System(run, scores.usual(scores.offered(run)))
    if finding.kind == "groups":
        return _of_groups(finding, run, of)
    groups = ["seen_mask", "seen_paper"] if finding.kind == "samples" else [finding.group]
    return _pictures(system if finding.kind != "samples" else System(run, "pixel_l2"), of, groups, names)


def _keep_umap(run: Run) -> None:
    """Laid out once; a Run that is too small for it is drawn without, which the caption says."""
    try:
        projection.umap_of(run)
    except BadInputError:
        return


def _pictures(system: System, of: Tested, groups: Sequence[str], names: Pseudonyms | None) -> Figure:
    rows = np.flatnonzero(of.rows)
    drawings = []
    for group in groups:
        chosen = rows[_of_group(of, group)]
        if len(groups) > 1:  # label and score of both classes beside each other
            live = rows[~of.attack]
            chosen = np.concatenate([_evenly(chosen, SHOWN // 2), _evenly(live, SHOWN // 2)]) if len(chosen) else chosen
        chosen = np.sort(_evenly(chosen, SHOWN))
        if len(chosen):
            drawings.append(appendix.pictures_drawing(system, chosen, readable(group), names))
    if not drawings:
        return Figure("", "", f"There is no {readable(groups[0])} here.")
    caption = f"Original, reconstruction and error, evenly taken from the test images; {system.score} below. {SCALE}"
    return Figure("", "", caption if names is None else f"{caption} {HIDDEN}", tuple(drawings))


def _of_group(of: Tested, group: str) -> NDArray[np.bool_]:
    """(m,) of the test images; live: those without an attack."""
    if group == "live":
        return ~of.attack
    name = of.named(group)
    return np.zeros(len(of.attack), np.bool_) if name is None else of.attack & (of.groups == name)


def _evenly(rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), n)).round().astype(np.int64)]


def _of_groups(finding: Finding, run: Run, of: Tested) -> Figure:
    """Curves of seen paper and seen masks, each against all live test faces."""
    values = scores.values(run, "pixel_l2")[of.rows]
    sets = {}
    for group in ("seen_paper", "seen_mask"):
        name, wanted = of.named(group), _of_group(of, group)
        if name is not None and wanted.any():
            rows = ~of.attack | wanted
            sets[name] = metrics.score_set(values[rows], of.attack[rows], list(of.groups[rows]))
    if not sets:
        return Figure("", "", "There are neither paper nor masks here.")
    n_live = int((~of.attack).sum())
    roc, pr = curves.planes(sum(each.n_attack for each in sets.values()), n_live)
    for name, of_group in sets.items():
        curve, style = curves.thinned(of_group), palette.style_of(name)
        area, average = metrics.roc_auc(of_group), metrics.average_precision(of_group)
        roc.line(curve.fpr, curve.tpr, style.colour, style.dash, name=f"{readable(name)}, AUC {area:.3f}")
        pr.line(curve.recall, curve.precision, style.colour, style.dash, name=f"{readable(name)}, AP {average:.3f}")
    drawing = Drawing("Precision, recall", pr) if finding.number == "4.16" else Drawing("ROC", roc)
    caption = f"By pixel_l2, each group of attacks against all {n_live:,} live test faces."
    return Figure("", "", caption, (drawing,))


def caption_of(run: Run) -> str:
    """Whose figure it is."""
    seed = run.info.checkpoint_header.get("experiment", {}).get("seed", 0)
    return f"Drawn: Run {run.info.name} ({run.id[:6]}), seed {seed}."
