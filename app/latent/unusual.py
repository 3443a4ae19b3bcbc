"""How unlike live training codes each code is: the answer in numbers, and the images that say most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.latent.projecting import n_training
from app.parts import columns
from app.parts.selection import Points
from app.session.cache import cached
from app.session.jobs import worker
from app.session.readers import pooled_score_set, score_values
from app.session.sidebar import Shown
from app.words import escaped
from fas_core import derive, metrics, scores
from fas_core.data.names import TRAIN, outside_training, readable
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.ranking import share_of_pairs
from fas_core.latent import fitting_sample, mixture
from fas_core.metrics import ScoreSet
from fas_core.runs.store import Run
from fas_core.scores import gmm_nll

UNUSUAL = "gmm_nll"  # the score that asks how unlike the live training codes a code is


def unusual(run: Run) -> NDArray[np.float64] | None:
    """(n,) how unlike live training codes each code is; None where that cannot be had without a long wait."""
    if UNUSUAL not in scores.offered(run):
        return None
    n, k = n_training(run), gmm_nll.COMPONENTS
    if n < k or (mixture.known(run, k) is None and not mixture.is_quick(n, k, run.latent_dim, "diag")):
        return None
    return score_values(run, UNUSUAL)


@dataclass(frozen=True)
class ToldApart:
    """How well codes alone tell attacks from live faces."""

    auc: dict[str, float]  # of `UNUSUAL`, per species; empty without attacks or live faces
    n_attacks: dict[str, int]  # per species
    n_live: int


@cached(entries=32)
def told_apart(run: Run, level: str, subsets: tuple[str, ...]) -> ToldApart:
    """In some subsets, at a decision level."""
    pooled = _of_images(run, subsets) if level == FRAME else pooled_score_set(run, UNUSUAL, level, subsets)
    counts = {name: len(values) for name, values in pooled.attacks.items() if len(values)}
    auc = {name: metrics.roc_auc(pooled, name) for name in counts} if pooled.n_bona_fide else {}
    return ToldApart(auc, counts, pooled.n_bona_fide)


def _of_images(run: Run, subsets: tuple[str, ...]) -> ScoreSet:
    """As `pooled_score_set`, without a table of millions of images."""
    species = columns.factor(run, "pai_species")
    names = [name or "unspecified" for name in species.names]
    distinct = sorted(set(names))
    place = np.array([distinct.index(name) + 1 for name in names], np.int32)
    codes, values = np.where(columns.attacks(run), place[species.codes], 0), score_values(run, UNUSUAL)
    is_here = columns.shown_rows(run, subsets)
    if is_here is not None:
        codes, values = codes[is_here], values[is_here]
    return metrics.score_set_from_codes(values, codes, distinct)


def show_answer(shown: Shown, *, is_known: bool) -> None:
    """One sentence with numbers, and what they stand on. `is_known`: how unlike live codes the codes are."""
    run, n = shown.run, n_training(shown.run)
    if not is_known:
        if n >= gmm_nll.COMPONENTS:
            score = derive.ScoreOfCodes(UNUSUAL)
            what = str(score) if UNUSUAL in scores.waiting(run) else f"mixture-diag-{gmm_nll.COMPONENTS}"
            takes = derive.wait_words(score.seconds(run))
            missing = f"How unlike live codes the attacks' codes are is not computed yet; it takes {takes}."
            worker(run, what, missing=missing, button="Compute it", key="compute_mixture")
        else:
            st.write("There are too few live training images here to say in numbers how far attacks lie from them.")
            st.caption("Which images are for training is said in the manifest: fas data subsets MANIFEST --out NEW")
        return
    apart = told_apart(run, shown.level, tuple(outside_training(shown.subsets)))
    if not apart.auc:
        st.write("The chosen subsets hold no attacks, or no live faces outside training: nothing to separate.")
        return
    ordered = sorted(apart.auc, key=lambda name: -apart.auc[name])
    of_pairs = [" of pairs", *("" for _ in ordered[1:])]
    each = ", ".join(
        f"**{share_of_pairs(apart.auc[name])}**{words} for {escaped(readable(name))}"
        for name, words in zip(ordered, of_pairs, strict=True)
    )
    counts = ", ".join(f"{apart.n_attacks[name]:,} {escaped(readable(name))}" for name in ordered)
    st.markdown(
        f"By live codes alone, attacks are told from live faces in {each}; guessing gets 50\u00a0%.",
        help=f"This share of pairs is the AUC of the score {UNUSUAL} ({gmm_nll.COMPONENTS} Gaussians fitted on "
        f"{fitting_sample(run).words}; no attack seen), on attacks ({counts}) against "
        f"{apart.n_live:,} live faces outside training. The plot shows two directions only: "
        "what overlaps in it may be apart in others.",
    )


def attacks_like_live(points: Points, distance: NDArray[np.float64], at_most: int) -> NDArray[np.int64]:
    """The rows of attacks whose codes are closest to live training codes, the closest first; all rows are points."""
    return lowest(distance, _also(points.is_shown, columns.attacks(points.run)), at_most)


def live_unlike_training(points: Points, distance: NDArray[np.float64], at_most: int) -> NDArray[np.int64]:
    """The rows of live faces outside training whose codes are furthest from training ones, the furthest first."""
    subset = columns.factor(points.run, "subset")
    is_outside = np.array([name != TRAIN for name in subset.names], np.bool_)[subset.codes]
    return lowest(-distance, _also(points.is_shown, ~columns.attacks(points.run) & is_outside), at_most)


def _also(is_shown: NDArray[np.bool_] | None, fits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return fits if is_shown is None else fits & is_shown


def lowest(values: NDArray[np.float64], fits: NDArray[np.bool_], at_most: int) -> NDArray[np.int64]:
    """Positions of the lowest values (n,) that fit (n,), ascending by value, then by position."""
    rows = np.flatnonzero(fits)
    here = values[rows]
    if len(rows) > at_most:  # of millions, only the first ones are put in order
        first = np.sort(np.argpartition(here, at_most)[:at_most])
        rows, here = rows[first], here[first]
    return rows[np.argsort(here, kind="stable")]
