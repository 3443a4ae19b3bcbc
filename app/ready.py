"""What pages of a large Run open with, computed when it is derived: Overview, Threshold, Losses, Likelihood, Image and
Across data sets.

`python -m app.ready CACHE RUN`: what `evaluation.kept` keeps of it, so that nobody waits for it.
"""

from __future__ import annotations

import sys

from app.deciding import panel
from app.latent.improbable import told
from app.latent.mixture_sizes import Asked, all_stored, criteria
from app.looking import around
from app.overview import pictures
from app.parts import standing
from app.session.sidebar import Shown
from app.views import likelihood, losses
from fas_core import scores, storage
from fas_core.data.names import dev_subsets
from fas_core.evaluation import summary, transfers
from fas_core.evaluation.join import System
from fas_core.evaluation.presentations import FRAME
from fas_core.latent import has_training_rows, mixture, training_rows
from fas_core.metrics.operating_point import DEFAULT
from fas_core.runs import store
from fas_core.runs.store import Run


def keep(run: Run) -> None:
    """Of the score and the subsets that pages begin with."""
    offered = scores.offered(run)
    usual = scores.usual(offered)
    shown = Shown(run, tuple(run.subsets), usual, FRAME)
    about = summary.summary(System(run, usual), DEFAULT, chosen_on=dev_subsets(run.subsets))
    if about.point is not None:
        panel.panel_at(shown, about.point)
    for of_overview in (pictures.distributions, pictures.examples_of):
        of_overview(shown, summary.judged_on(about), None if about.point is None else about.point.threshold)
    for name in losses.few(losses.best_first(losses.of_scores(shown, offered), offered), usual):
        losses.distribution(run, name, shown.subsets)
    for name in offered:
        standing.borders(run, name)
    transfers.matrix([System(run, usual)])
    if run.has("latents") and len(run) > 1:
        around.of_subsets(run, shown.subsets)
    keep_likelihood(shown)


def keep_likelihood(shown: Shown) -> None:
    """Of the mixture that the page begins with, where it is stored."""
    run = shown.run
    n = len(training_rows(run)) if run.has("latents") and has_training_rows(run, 2) else 0
    if n == 0:
        return
    asked = Asked(run, likelihood.first_of(mixture.components_of(n)), "diag", mixture.RAW)
    if asked.k in (ks := all_stored(asked, n)):
        told(run, asked.k, asked.covariance, asked.dimensions, shown.subsets)
        criteria(run, tuple(ks), asked.covariance, asked.dimensions)


if __name__ == "__main__":
    keep(store.open_run(storage.place(sys.argv[1]), sys.argv[2]))
