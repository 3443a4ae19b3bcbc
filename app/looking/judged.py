"""The samples of a Run against the threshold of the sidebar, and what is said of all of them or of those shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.parts import columns
from app.session import readers
from app.session.cache import cached, keyed
from app.session.readers import decisions, pooled_score_set, score_values
from app.session.sidebar import Shown
from app.words import escaped, number, percent
from fas_core import metrics
from fas_core.data.names import Named, in_group_order, readable
from fas_core.evaluation import verdicts
from fas_core.metrics.operating_point import OperatingPoint
from fas_core.runs.store import Run


@keyed
@dataclass(frozen=True, eq=False)
class Judged:
    """The samples of a Run, all of them, as the sidebar judges them: arrays are (n,) in row order, for all sessions."""

    shown: Shown
    point: OperatingPoint | None
    ids: pd.Index
    kinds: Named  # their groups
    is_shown: NDArray[np.bool_]  # of the chosen subsets
    distances: NDArray[np.float64]  # of what is decided on from the threshold; NaN where one of the two is missing
    verdicts: Named  # right where there is no threshold

    @property
    def run(self) -> Run:
        return self.shown.run

    @property
    def digest(self) -> str:
        return repr((self.shown.digest, self.point))


def judged(shown: Shown, point: OperatingPoint | None) -> Judged:
    """Every sample against the threshold of its presentation."""
    is_shown, distances, codes = _against(shown, math.nan if point is None else point.threshold)
    given = Named(codes, np.array(verdicts.VERDICTS))
    return Judged(shown, point, readers.ids(shown.run), readers.groups(shown.run), is_shown, distances, given)


@cached(entries=4)
def _against(shown: Shown, threshold: float) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.uint8]]:
    """(n,) each: which samples are shown, distances and verdicts. 10 bytes a sample: for all sessions."""
    run = shown.run
    decided = readers.decided_values(run, shown.score, shown.level)
    is_shown = columns.shown_rows(run, shown.subsets)
    if is_shown is None:
        is_shown = np.ones(len(run), np.bool_)
    if math.isnan(threshold):
        return is_shown, np.full(len(run), math.nan), np.zeros(len(run), np.uint8)
    return is_shown, np.abs(decided - threshold), verdicts.codes_of(columns.attacks(run), decided, threshold)


# ------------------------------------------------------------------------------------------------------------ in words


@cached(entries=64)
def answer(images: Judged) -> str:
    """The page's answer in one or two sentences."""
    errors = "; ".join(errors_at(images.shown, images.point)) if images.point is not None else ""
    rows = np.flatnonzero(images.is_shown)
    if not rows.size:
        return "The chosen subsets hold no image."
    top = rows[highest(score_values(images.run, images.shown.score)[rows], 60)]
    counts = images.kinds.counts(top)
    most = max(counts, key=lambda name: counts[name])
    most = (
        f"{counts[most]} of the {len(top)} images with the highest {escaped(images.shown.score)} are "
        f"{escaped(readable(most))}."
    )
    return f"{errors}. {most}" if errors else most


def highest(values: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """The places of the n highest of some values, those first, the first of equal ones; NaN last."""
    least = np.partition(-values, n)[n] if len(values) > n else math.nan
    among = np.flatnonzero(~(-values > least))  # what is NaN, too: of millions, few are sorted
    return among[np.argsort(-values[among], kind="stable")[:n]]


def errors_at(shown: Shown, point: OperatingPoint) -> list[str]:
    """How many attacks are missed and how many live ones rejected where the operating point is reported."""
    reported = pooled_score_set(shown.run, shown.score, shown.level, point.reported_on)
    if not reported.n_bona_fide + reported.n_attack:
        return []
    parts, at = [], metrics.rates_at(reported, point.threshold)
    if (worst := at.apcer_worst) is not None and at.apcer_max is not None and at.apcer_pooled is not None:
        n_worst = len(reported.attacks[worst])
        parts.append(
            f"**{at.counts.fn:,} of {reported.n_attack:,} attacks are missed** "
            f"({percent(at.apcer_pooled, reported.n_attack)}), worst {escaped(readable(worst))} "
            f"({percent(at.apcer_max, n_worst)} of {n_worst:,})"
        )
    if at.bpcer is not None:
        parts.append(
            f"**{at.counts.fp:,} of {reported.n_bona_fide:,} live {decisions(shown.run, shown.level)} are "
            f"rejected** ({percent(at.bpcer, reported.n_bona_fide)})"
        )
    return parts


def headline(images: Judged, rows: NDArray[np.intp]) -> str:
    """What some of the images are, which filters have left: how many of which kinds and verdicts, with which scores."""
    n, n_all = len(rows), int(images.is_shown.sum())
    if not n:
        return f"None of {n_all:,} images is shown."
    count_of = images.kinds.counts(rows)
    kinds = ", ".join(f"{count_of[name]:,} {escaped(readable(name))}" for name in in_group_order(list(count_of)))
    words = f"**{n:,} of {n_all:,} images are shown**: {kinds}"
    if images.point is not None:
        words += f"; {wrong_ones(images.verdicts.counts(rows))}"
    words += "."
    values = score_values(images.run, images.shown.score)[rows]
    known = values[~np.isnan(values)]
    if len(known):
        words += f" {escaped(images.shown.score)} {number(known.min())} to {number(known.max())}."
    return words


def wrong_ones(n_of: Mapping[str, int]) -> str:
    """How many verdicts are wrong, in words; `n_of`: how many there are of each."""
    names = {verdicts.MISSED: "missed attacks", verdicts.REJECTED: "rejected live"}
    counts = {name: n_of.get(verdict, 0) for verdict, name in names.items()}
    if sum(n_of.values()) in counts.values():
        return f"all {max(counts, key=lambda name: counts[name])}"
    return " and ".join(f"{n:,} {name}" for name, n in counts.items() if n) or "no verdict is wrong"


def noun(verdict: str, classes: Sequence[str], others: Sequence[str]) -> str:
    """What a list of images is called: by their verdict, else their classes, and what else narrows it.

    `verdict`: "" where all are shown.
    """
    what = verdict.lower() or " and ".join(readable(name) for name in classes) or "images"
    return f"{what} ({'; '.join(others)})" if others else what
