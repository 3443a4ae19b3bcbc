"""A path of codes to be decoded, what a score says of each of them, and both in words.

Names and Markdown are those of whoever shows the sentences: they stand in them as they are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo, metrics, scores
from fas_core.data.names import ATTACK, BONA_FIDE, is_training
from fas_core.evaluation import traversal
from fas_core.evaluation.traversal import Direction, Landscape
from fas_core.evaluation.verdicts import percentiles
from fas_core.evaluation.words import number, threshold_text
from fas_core.latent import projection, training_rows
from fas_core.runs.store import Run

LETTERS = "ABCD"  # of the samples that a path begins at
MOST_CHOSEN = len(LETTERS)
WAY, REACH = 1.0, 3.0  # how far a direction is followed where nobody says: all the way between means, or in sd
QUICK_WORK = 5e9  # products; a fit of the score that takes more is not begun unless somebody asks for it
INSIDE = 0.95  # share of live faces; a code farther from live training than these is called unlike them


@dataclass(frozen=True, eq=False)
class Path:
    """Codes in the order they are shown, and where each of them lies."""

    kind: Literal["direction", "line", "grid", "prior", "gaussian"]  # the last two: drawn at random
    codes: NDArray[np.float64]  # (n, d)
    places: list[str]  # of each, in words
    name: str  # for the sheet

    @property
    def columns(self) -> int:
        if self.kind == "grid":
            return traversal.SIDE
        return len(self.codes) if self.is_ordered else min(len(self.codes), traversal.STEPS)

    @property
    def is_ordered(self) -> bool:
        """Whether the codes follow each other, in one row."""
        return self.kind in ("direction", "line")

    @property
    def compared_with(self) -> int | None:
        """The position that a change is from; None where there is none."""
        return {"direction": len(self.codes) // 2, "line": 0, "grid": 0}.get(self.kind)

    @property
    def first(self) -> str:
        """The name of the code that a change is from."""
        return "sample" if self.kind == "direction" else "A"


def along(direction: Direction, code: NDArray[np.floating], reach: float) -> Path:
    """A code (d,) moved to both sides, as far as `reach` in units of the direction."""
    offsets = traversal.offsets(reach)
    places = [direction.words(offset) for offset in offsets.tolist()]
    return Path("direction", direction.codes(code, offsets), places, direction.name)


def between(codes: NDArray[np.floating]) -> Path:
    """On the straight line between two codes (2, d)."""
    line = traversal.between(*codes)
    shares = [round(100 * i / (len(line) - 1)) for i in range(len(line))]
    return Path("line", line, ["A", *(f"{share}\u00a0%" for share in shares[1:-1]), "B"], "straight line")


def among(corners: NDArray[np.floating]) -> Path:
    """Between four codes (4, d), row by row."""
    side = traversal.SIDE
    places = [f"row {i + 1}, column {j + 1}" for i in range(side) for j in range(side)]
    for letter, at in zip(LETTERS, (0, side - 1, side * (side - 1), side * side - 1), strict=True):
        places[at] = letter
    return Path("grid", traversal.grid(corners), places, "bilinear grid")


def drawn(place: Landscape, n: int, seed: int, *, has_prior: bool) -> Path:
    """Codes from the prior, or where the model has none, from a Gaussian that stands in for it."""
    places = [f"{i + 1}" for i in range(n)]
    if has_prior:
        return Path("prior", traversal.from_prior(n, len(place.mean), seed), places, f"prior N(0, I), seed {seed}")
    name = f"Gaussian of {place.n:,} {place.whose}, seed {seed}"
    return Path("gaussian", place.drawn(n, seed), places, name)


# ------------------------------------------------------------------------------------------------- where a path begins


def live_rows(samples: pd.DataFrame, subsets: Sequence[str]) -> NDArray[np.int64]:
    """Rows of the live faces of some subsets that no training has seen; of all of them where there are none such."""
    is_live = ((samples["label"] == BONA_FIDE) & samples["subset"].isin(subsets)).to_numpy()
    is_new = is_live & ~is_training(samples)
    return np.flatnonzero(is_new if is_new.any() else is_live)


def first_choice(samples: pd.DataFrame, values: NDArray[np.float64], subsets: Sequence[str]) -> list[int]:
    """Four rows to begin with: a live face of middling score, the worst attack, and two more of the other kinds.

    `samples`: subset, label and pai_species of all n; values (n,): their scores.
    """
    live = live_rows(samples, subsets)
    live = live[np.argsort(values[live], kind="stable")]
    is_chosen = samples["subset"].isin(subsets).to_numpy()
    is_attack = is_chosen & (samples["label"] == ATTACK).to_numpy()
    species = metrics.species_names(is_attack, samples["pai_species"])
    worst = []
    for name in sorted(set(species[is_attack].tolist())):
        rows = np.flatnonzero(is_attack & (species == name))
        worst.append(int(rows[np.argmax(np.where(np.isnan(values[rows]), -np.inf, values[rows]))]))
    at = [len(live) // 2, len(live) // 10, -1]
    alive = [int(live[i]) for i in at] if len(live) else []
    wanted = [*alive[:1], *worst[:1], *alive[1:2], *worst[1:2], *alive[2:], *np.flatnonzero(is_chosen)[:4].tolist()]
    distinct = list(dict.fromkeys(wanted))
    return (distinct * MOST_CHOSEN)[:MOST_CHOSEN]


def opening(run: Run, score: str) -> Path:
    """What the page Traversal opens with: the first sample towards the first species, or along the first axis."""
    samples = run.samples([name for name in ("subset", "label", "pai_species") if name in run.column_names()])
    row = first_choice(samples, scores.values(run, score), run.subsets)[0]
    code = next(run.latent_blocks(np.array([row])))[0]
    place = traversal.landscape(run)
    if len(place.species):
        return along(traversal.towards(place, str(place.species[0])), code, WAY)
    return along(traversal.along_axis(place, projection.pca_of(run), 1), code, REACH)


# ----------------------------------------------------------------------------------------------------------- unlikeness


@dataclass(frozen=True, eq=False)
class Unlike:
    """How unlike live training codes those of a path are, and what that is read against."""

    score: str
    values: NDArray[np.float64]  # (n,)
    live: NDArray[np.float64]  # of live faces outside training, ascending
    threshold: float | None

    @property
    def shares(self) -> NDArray[np.float64]:
        """(n,) of live faces, with lower values."""
        return percentiles(self.values, self.live)

    @property
    def limit(self) -> float:
        """What codes are told apart by: the threshold, or where there is none, what 95 % of live faces stay below."""
        return float(np.quantile(self.live, INSIDE)) if self.threshold is None else self.threshold

    @property
    def are_beyond(self) -> NDArray[np.bool_]:
        return metrics.is_attack(self.values, self.limit)


def is_at_hand(run: Run, score: str, d: int) -> bool:
    """Whether nobody waits long for a score of codes of d dimensions: it is fitted already, or quickly."""
    return (
        memo.found(run.cache, score, {"run": run.shards_digest}) is not None
        or len(training_rows(run)) * d**2 <= QUICK_WORK
    )


# ------------------------------------------------------------------------------------------------------------- in words


def answer(path: Path, unlike: Unlike | None, names: Sequence[str], way: str) -> str:
    """What lies on a path that begins at the samples `names`, in a few sentences; `way`: its name as it is shown."""
    if unlike is None:
        what = {"line": "codes between two samples", "grid": "codes between four samples"}
        moved = f"the code of {names[0]} moved {way}" if path.kind == "direction" else "codes drawn at random"
        return f"What the decoder makes of {what.get(path.kind, moved)}."
    beyond, shares = unlike.are_beyond, unlike.shares
    counted = f"**{int(beyond.sum())} of {len(beyond)}** codes"
    if path.kind == "grid":
        return (
            f"{counted} between these four would be {beyond_words(unlike)}. The one most like live training is at "
            f"{path.places[int(unlike.values.argmin())]}."
        )
    if path.kind == "line":
        return (
            f"On the straight line from {names[0]} to {names[1]}, the code goes from farther from live training than "
            f"{of_live(shares[0])} to farther than {of_live(shares[-1])}. {crossing(path, unlike)}"
        )
    if path.kind == "direction":
        middle, least, most = len(shares) // 2, int(unlike.values.argmin()), int(unlike.values.argmax())
        return (
            f"The code of {names[0]} lies farther from live training than {of_live(shares[middle])}. Moved {way}, it "
            f"comes nearest at **{path.places[least]}** (farther than {of_live(shares[least])}) and is farthest at "
            f"**{path.places[most]}** ({of_live(shares[most])}). {crossing(path, unlike)}"
        )
    source = "the prior" if path.kind == "prior" else "a Gaussian that stands in for a prior"
    return (
        f"{counted} drawn from {source} would be {beyond_words(unlike)}; half of them lie farther from live training "
        f"than {of_live(float(np.median(shares)))}."
    )


def beyond_words(unlike: Unlike) -> str:
    """What codes beyond the limit would be."""
    if unlike.threshold is None:
        return f"farther from live training than {INSIDE:.0%} of live faces"
    return (
        f"called an attack by {unlike.score} (threshold {threshold_text(unlike.threshold)}, by the rule in the sidebar)"
    )


def of_live(share: float) -> str:
    """A share of the bona fide samples in words, rounded down."""
    return "all live faces" if share == 1 else f"{math.floor(100 * share)}\u00a0% of live faces"


def crossing(path: Path, unlike: Unlike) -> str:
    """Which steps lie beyond the limit, neighbours as one."""
    beyond = unlike.are_beyond
    if beyond.all() or not beyond.any():
        return f"{'Every' if beyond.all() else 'No'} step would be {beyond_words(unlike)}."
    edges = np.flatnonzero(np.diff(beyond.astype(int), prepend=0, append=0)).reshape(-1, 2)
    parts = [
        path.places[start] if stop - start == 1 else f"{path.places[start]} to {path.places[stop - 1]}"
        for start, stop in edges
    ]
    return f"{'Steps' if beyond.sum() > 1 else 'Step'} {' and '.join(parts)} would be {beyond_words(unlike)}."


def captions(path: Path, unlike: Unlike | None) -> list[list[str]]:
    """Lines below each image: its place, and what the score says of it."""
    lines = [[place] for place in path.places]
    if unlike is None:
        return lines
    for of_image, value, is_beyond in zip(lines, unlike.values.tolist(), unlike.are_beyond, strict=True):
        of_image.append(number(value))
        if unlike.threshold is not None:
            of_image.append("attack" if is_beyond else "\u00a0")
    return lines
