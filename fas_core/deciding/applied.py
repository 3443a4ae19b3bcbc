"""A card applied to new scores of the system that it is of: no model is asked, nothing is written.

    applied.of_scores(frozen, applied.read(Path("new.csv"), frozen))

What has no score is an attack, as an image that cannot be read is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.deciding import card
from fas_core.deciding.card import Card
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation.presentations import FRAME, Presentations, grouped
from fas_core.runs import scorefile, sources
from fas_core.runs.store import Run

_LARGE = 50  # presentations of a kind from which on its distribution is looked at
_CHANCE = 1e-3


@dataclass(frozen=True)
class Outcome:
    """What a card decides on one row, or on those of a video or session together."""

    sample_ids: tuple[str, ...]
    are_together: bool
    score: float | None
    threshold: float
    is_attack: bool
    is_short: bool = False  # whether there is less than the level asks for: see `evaluation.levels`

    @property
    def called(self) -> str:
        return ATTACK if self.is_attack else BONA_FIDE

    def as_json(self) -> dict[str, object]:
        """An entry of `fas predict --scores --json`, with the names that an entry of an image has."""
        ids = list(self.sample_ids)
        return {
            **({"sample_ids": ids} if self.are_together else {"sample_id": ids[0]}),
            "score": metrics.json_safe(self.score),
            "threshold": self.threshold,
            "verdict": self.called,
            "reason": "the file has no score of it" if self.score is None else None,
            **({"is_short": True} if self.is_short else {}),
        }


@dataclass(frozen=True)
class Outcomes:
    """All decisions of a card on a file of scores, in the order of its rows."""

    of: tuple[Outcome, ...]
    score: str
    level: str

    @property
    def counts(self) -> dict[str, int]:
        """How many are called what; `no_score` ones are among the attacks, `short` ones, if any, anywhere."""
        n_attack = sum(outcome.is_attack for outcome in self.of)
        n_missing = sum(outcome.score is None for outcome in self.of)
        n_short = sum(outcome.is_short for outcome in self.of)
        counts = {"n": len(self.of), ATTACK: n_attack, BONA_FIDE: len(self.of) - n_attack, "no_score": n_missing}
        return counts | ({"short": n_short} if n_short else {})

    def as_json(self) -> Json:
        verdicts = [outcome.as_json() for outcome in self.of]
        return {"score": self.score, "level": self.level, "counts": self.counts, "verdicts": verdicts}

    @property
    def in_words(self) -> str:
        counts, what = self.counts, self.level.split(" ")[0] if self.level != FRAME else "sample"
        missing = f", {counts['no_score']:,} of them without a score" if counts["no_score"] else ""
        things = f"{counts['n']:,} {what}{'' if counts['n'] == 1 else 's'}"
        short = f"; {counts['short']:,} shorter than the level asks for" if "short" in counts else ""
        return f"{things}: {counts[ATTACK]:,} attack{missing}; {counts[BONA_FIDE]:,} bona fide{short}"


def read(
    path: Path,
    frozen: Card,
    columns: Mapping[str, Sequence[str]] | None = None,
    higher_is: str | None = None,
    run: Run | None = None,
) -> pd.DataFrame:
    """The rows of a score file that a card can decide on: sample_id, score, and ids of videos and sessions; no labels.

    `columns`: as of `scorefile.read`. `higher_is`: what a higher score means there, attack where it is not said.
    `run`: the card's, where it is at hand. Raises BadInputError where the file has no column of the card's score, and
    where the scores of the card were turned round when they were imported or joined and nothing is said of these.
    """
    if higher_is not in (None, ATTACK, BONA_FIDE):
        raise BadInputError(f"--higher-is {higher_is}: write {BONA_FIDE} or {ATTACK}.")
    if higher_is is None and was_negated(frozen, run):
        raise BadInputError(
            f"Higher scores were bona fide in the file that the card's '{frozen.score}' came from, and were negated. "
            f"Say what they are in {path}: --higher-is {BONA_FIDE}, or --higher-is {ATTACK} where they are negated too."
        )
    return scorefile.read_unlabelled(path, frozen.score, columns, is_negated=higher_is == BONA_FIDE)


def was_negated(frozen: Card, run: Run | None = None) -> bool:
    """Whether the scores of a card were turned round when they were imported or joined: of a score file its source says
    so, of anything else its Run, where that is at hand."""
    is_of_file = not frozen.checkpoint_sha256 and frozen.manifest
    return (is_of_file and sources.is_negated(str(frozen.manifest), scores.base_of(frozen.score))) or (
        run is not None and scores.is_negated(run, frozen.score)
    )


def unlike(frozen: Card, of_card: Presentations, values: NDArray[np.float64]) -> str:
    """Why (n,) new scores cannot be of the card's system, in a sentence; "" where nothing speaks against it.

    `of_card`: the presentations of its Run. No mix of its live faces and attacks has a distribution function outside
    those of the kinds: beyond the band of Dvoretzky, Kiefer and Wolfowitz around them, at 1 in 1000, scores are others.
    Of few scores it is only seen that all lie outside the range there.
    """
    on = frozen.chosen_on or frozen.reported_on
    inside = of_card.within(on) & np.isfinite(of_card.values)
    known, kinds = of_card.values[inside], of_card.of.kinds[0][inside]
    new = np.sort(values[np.isfinite(values)])
    if not new.size or not known.size:
        return ""
    large = [np.sort(known[kinds == kind]) for kind in np.unique(kinds) if (kinds == kind).sum() >= _LARGE]
    lower, upper = np.zeros(new.size), np.ones(new.size)
    if large:
        bands = [(np.searchsorted(of, new, "right") / of.size, _margin(of.size)) for of in large]
        lower = np.min([share - margin for share, margin in bands], axis=0)
        upper = np.max([share + margin for share, margin in bands], axis=0)
    shares = np.searchsorted(new, new, "right") / new.size
    before = np.searchsorted(new, new, "left") / new.size  # just below each score
    is_beyond = (shares < lower - _margin(new.size)) | (before > upper + _margin(new.size))
    if not is_beyond.any() and (new[-1] >= known.min() and new[0] <= known.max()):
        return ""
    here, there = (f"{of.min():.4g} to {of.max():.4g}, median {np.median(of):.4g}" for of in (new, known))
    return (
        f"These scores cannot be those of {frozen.score} on which the card rests: {here} here, {there} on "
        f"{', '.join(on)}. Another system, or another scale? Its threshold says nothing about others."
    )


def _margin(n: int) -> float:
    return math.sqrt(math.log(2 / _CHANCE) / (2 * n))


def of_scores(frozen: Card, rows: pd.DataFrame, whose: str = "The file") -> Outcomes:
    """One decision per row, or per video or session where the card decides so.

    Raises BadInputError where the card was changed, and where the rows do not name what the card decides on.
    """
    card.require_accepted(frozen, "The card")
    frames, scores = grouped(rows, frozen.level, whose), rows[scorefile.SCORE].to_numpy(np.float64)
    values = frames.summed_up(scores)
    called = np.ones(len(values), np.bool_)
    answered = ~np.isnan(values)
    called[answered] = metrics.is_attack(values[answered], frozen.threshold)
    ids = rows["sample_id"].groupby(frames.of_row).agg(tuple)
    return Outcomes(
        tuple(
            Outcome(
                names, frozen.level != FRAME, None if math.isnan(value) else value, frozen.threshold, is_attack, short
            )
            for names, value, is_attack, short in zip(
                ids, values.tolist(), called.tolist(), frames.is_short(scores).tolist(), strict=True
            )
        ),
        frozen.score,
        frozen.level,
    )
