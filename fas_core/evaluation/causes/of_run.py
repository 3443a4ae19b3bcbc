"""What the scores of a Run follow: its images' looks, every column of its data, marks, and who the people are.

    follows(run, "rec", LIVE)           -> Follows, from the memo where it was computed before
    nuisance(run, "rec")                -> what the score mostly measures instead of attacks, None where it does not

Live samples and attacks are judged apart, both outside training: what the model has learned from it reconstructs well,
whatever it looks like. Injection attacks are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo, metrics, scores
from fas_core.data.measures import COMPRESSION, EQUALISED
from fas_core.data.names import ATTACK, BONA_FIDE, LEARNED, TRAINING_USE, is_training
from fas_core.delivery import are_injected
from fas_core.documents import Json, read_as
from fas_core.errors import BadInputError
from fas_core.evaluation import breakdown
from fas_core.evaluation.causes.shares import COLUMN, IMAGE, MARKS, WHOSE, Cause, Explained, Factor, Share, explained
from fas_core.metrics.scoreset import UNSPECIFIED
from fas_core.metrics.uncertainty import UNITS, Units, auc_margin, unit_of
from fas_core.runs import marks, measured
from fas_core.runs.store import Run
from fas_core.texts import distinct_numbers

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
T = TypeVar("T")

LIVE, ATTACKS = BONA_FIDE, ATTACK
SIDES = (LIVE, ATTACKS)
MOST = 20_000  # samples of a side that are judged; of more, every k-th
HALF = 0.5  # of the variance: a score that a nuisance explains more of, interval and all, mostly measures that
# Names of samples and what says how the data are used: nobody expects a score to follow these.
NO_CAUSES = (
    "sample_id", "path", "label", "video_id", "frame", "reason", "subset", "split", "held_out_by", TRAINING_USE,
    "is_constant",
)  # fmt: skip
LESS = 0.05  # of the variance: a score that a nuisance explains hardly less of is no way out
_FORMAT = 4  # of the stored results; raise it whenever a share changes


@dataclass(frozen=True)
class Follows:
    """What a score follows on one side: `n_all` samples, of which `explained.n` with a score were judged."""

    score: str
    side: str
    n_all: int
    explained: Explained

    @property
    def ranked(self) -> tuple[Cause, ...]:
        """Causes, then whose samples they are, then what people have said of them."""
        return (*self.explained.causes, *self.explained.whose, *self.explained.marks)

    def cause(self, name: str) -> Cause | None:
        """That of a name, or that which it cannot be told apart from."""
        return next((cause for cause in self.ranked if name == cause.name or name in cause.same_as), None)

    def as_json(self) -> Json:
        return metrics.json_safe(asdict(self))


@dataclass(frozen=True)
class Nuisance:
    """What a score mostly measures, and which score of the Run does so least.

    Of those that tell even the hardest attack from live samples beyond chance; None where no other does.
    """

    score: str
    cause: str
    is_whose: bool  # whose samples they are
    share: Share
    unit: str
    least: str | None
    least_share: Share | None
    least_hardest: Hardest | None


@dataclass(frozen=True)
class Hardest:
    """The species that a score tells from live samples worst, and its AUC."""

    species: str
    auc: float
    is_beyond_chance: bool  # by whole units, the worst of k for one of k


# -------------------------------------------------------------------------------------------------- samples and causes


def rows_of(run: Run, side: str, subsets: Sequence[str] | None = None) -> Rows:
    """Rows of live samples or attacks of some subsets (all, by default) outside training, ascending."""
    has = run.column_names()
    wanted = ["subset", "label", "pai_species", *([TRAINING_USE] if TRAINING_USE in has else [])]
    samples = run.samples(wanted, repeated=wanted)
    fits = (samples["label"] == side).to_numpy(bool) & ~is_training(samples)
    fits &= ~np.asarray(are_injected(samples["pai_species"]), bool)
    if subsets is not None:
        fits &= samples["subset"].isin(list(subsets)).to_numpy(bool)
    if TRAINING_USE in samples:
        fits &= ~(samples[TRAINING_USE] == LEARNED).to_numpy(bool)
    return np.flatnonzero(fits)


def judged_rows(run: Run, side: str, subsets: Sequence[str] | None = None) -> tuple[Rows, int]:
    """At most `MOST` rows of a side, evenly spaced, and how many there are."""
    rows = rows_of(run, side, subsets)
    return rows[:: max(1, -(-len(rows) // MOST))], len(rows)


@dataclass(frozen=True, eq=False)
class Sampled:
    """Some rows of a Run with all that a score may follow on them."""

    rows: Rows
    factors: list[Factor]  # (m,) each, the looks of images first, then columns by name
    units: Units
    within: Mapping[str, NDArray[np.str_]]

    def factor(self, name: str) -> Factor:
        """One of them, or whose samples they are. Raises BadInputError listing the choices."""
        for factor in self.factors:
            if factor.name == name:
                return factor
        groups = {self.units.name: self.units.groups, **self.within}.get(name)
        if groups is None or name == UNITS["sample_id"]:
            names = ", ".join(factor.name for factor in self.factors)
            raise BadInputError(f"There is no cause '{name}' here. Causes: {names}.")
        codes, texts = pd.factorize(np.asarray(groups, str), sort=True)
        return Factor(name, WHOSE, codes=codes, names=tuple(map(str, texts)))


def sampled(run: Run, rows: Rows, *, has_looks: bool = True) -> Sampled:
    """`rows` ascend. The looks of a Run's images, where they are asked for, are computed first if need be."""
    looks = measured.of_run(run) if has_looks else {}
    factors = [_of_look(name, values[rows]) for name, values in looks.items()]
    left_out = {*NO_CAUSES, *scores.columns(run)}
    names = [name for name in run.column_names() if name not in left_out]
    table = run.samples_of(rows, names)
    for name in sorted(set(names) - {"subject_id"}):
        factors.append(_of_column(name, table[name]))
    factors += _marks(run, rows)
    identity = run.samples_of(rows, [name for name in UNITS if name in run.column_names()])
    units = unit_of(identity)
    within = {}
    if units.name == "subject" and "session_id" in identity:
        within["session"] = identity["session_id"].astype("str").fillna("").str.strip().to_numpy(str)
    return Sampled(rows, factors, units, within)


def _of_look(name: str, values: Floats) -> Factor:
    """States nothing where nothing can be measured, or where scaling has left no more than rounding."""
    if name == COMPRESSION and len(values) and np.isnan(values).all():
        return Factor(name, IMAGE, values, why_none="not measured: images were resized, or their size is unknown")
    if name in EQUALISED and len(values) and 0 < np.nanstd(values) < 1 / 255:
        nothing = np.full(len(values), np.nan)
        return Factor(name, IMAGE, nothing, why_none="scaling leaves a spread of less than one of 256 grey levels")
    return Factor(name, IMAGE, values)


def _of_column(name: str, values: pd.Series) -> Factor:
    """Numbers as such where there are more than a few different ones; every other text is a value of its own."""
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if is_number and values.nunique() > breakdown.MAX_NUMBERS:
        return Factor(name, COLUMN, values.to_numpy(np.float64, na_value=np.nan))
    codes, texts = breakdown.stated(values)
    numbers = distinct_numbers(texts) if len(texts) > breakdown.MAX_NUMBERS else None
    if numbers is None:
        return Factor(name, COLUMN, codes=codes, names=tuple(texts))
    return Factor(name, COLUMN, np.append(numbers, np.nan)[codes])  # the last is what code -1 finds


def _marks(run: Run, rows: Rows) -> list[Factor]:
    """Whether anybody has marked a sample, and the last label of each that was given one; none where nobody has.

    A sample without a label states none: people label what they look at, and that a sample was looked at says nothing
    of what it shows.
    """
    current = marks.current(marks.history(run))
    marked = {mark.sample_id for mark in current if mark.is_marked}
    labels = {mark.sample_id: mark.own_label for mark in current if mark.own_label}
    if not (marked or labels):
        return []
    ids = run.samples_of(rows, ["sample_id"])["sample_id"].astype("str")
    factors = []
    if marked:
        codes = ids.isin(marked).to_numpy(np.intp)
        factors.append(Factor("marks", MARKS, codes=codes, names=("not marked", "marked")))
    if labels:
        codes, names = pd.factorize(ids.map(labels), sort=True)
        factors.append(Factor("labels", MARKS, codes=codes, names=tuple(map(str, names))))
    return factors


# -------------------------------------------------------------------------------------------------------------- answers


def follows(run: Run, score: str, side: str, subsets: Sequence[str] | None = None) -> Follows:
    """Of live samples or attacks of some subsets (all, by default); computed once, in about a second.

    Raises BadInputError for a score that the Run does not have.
    """

    def computed() -> memo.Arrays:
        rows, n_all = judged_rows(run, side, subsets)
        about = sampled(run, rows)
        answer = Follows(score, side, n_all, explained(values[rows], about.factors, about.units, about.within))
        return {"json": np.array(json.dumps(answer.as_json()))}

    values = scores.values(run, score)
    return _read(Follows, memo.arrays(run.cache, "causes", _parameters(run, subsets, score, side), computed))


def nuisance(run: Run, score: str, subsets: Sequence[str] | None = None) -> Nuisance | None:
    """What explains more than `HALF` of the score's variance among live samples, the whole interval above it.

    A cause that can be measured comes before whose samples they are.
    """
    of_score = follows(run, score, LIVE, subsets)
    candidates = (*of_score.explained.causes, *of_score.explained.whose[:1])
    most = next((cause for cause in candidates if cause.alone.low is not None and cause.alone.low > HALF), None)
    if most is None:
        return None
    shares = followed_by(run, most.name, subsets)
    of_scores = hardest(run, subsets)
    others = {
        name: share
        for name, share in shares.items()
        if name != score
        and share.value < most.alone.value - LESS
        and name in of_scores
        and of_scores[name].is_beyond_chance
    }
    least = min(others, key=lambda name: others[name].value, default=None)
    return Nuisance(
        score,
        most.name,
        most.kind == WHOSE,
        most.alone,
        of_score.explained.unit,
        least,
        others[least] if least else None,
        of_scores[least] if least else None,
    )


def followed_by(run: Run, name: str, subsets: Sequence[str] | None = None) -> dict[str, Share]:
    """Score -> the share of its variance among live samples that a cause explains alone, of every score of the Run.

    Scores of which that cannot be said are left out. Raises BadInputError where there is no such cause.
    """

    def computed() -> memo.Arrays:
        rows, _ = judged_rows(run, LIVE, subsets)
        about = sampled(run, rows)
        factor = about.factor(name)
        factors, within = ([], about.within) if factor.kind == WHOSE else ([factor], {})
        shares = {}
        for score in scores.offered(run):
            of_score = explained(scores.values(run, score)[rows], factors, about.units, within)
            cause = Follows(score, LIVE, len(rows), of_score).cause(name)
            if cause is not None:
                shares[score] = asdict(cause.alone)
        return {"json": np.array(json.dumps(metrics.json_safe({"shares": shares})))}

    return dict(
        _read(_Shares, memo.arrays(run.cache, "causes", _parameters(run, subsets, name, "scores"), computed)).shares
    )


@dataclass(frozen=True)
class _Shares:
    shares: Mapping[str, Share]


def hardest(run: Run, subsets: Sequence[str] | None = None) -> dict[str, Hardest]:
    """Score -> the species that it finds hardest, of every score of the Run; scores that have none are left out."""

    def computed() -> memo.Arrays:
        of_scores = {}
        live, attacks = (judged_rows(run, side, subsets)[0] for side in SIDES)
        rows = np.sort(np.concatenate([live, attacks]))
        identity = run.samples_of(rows, [name for name in UNITS if name in run.column_names()])
        species = run.samples_of(rows, ["pai_species"])["pai_species"].astype("str").to_numpy(str)
        is_attack, units = np.isin(rows, attacks), unit_of(identity)
        for score in scores.offered(run):
            of_score = _hardest(scores.values(run, score)[rows], is_attack, species, units)
            if of_score is not None:
                of_scores[score] = asdict(of_score)
        return {"json": np.array(json.dumps({"hardest": of_scores}))}

    return dict(
        _read(
            _OfScores, memo.arrays(run.cache, "causes", _parameters(run, subsets, "hardest", "scores"), computed)
        ).hardest
    )


def _hardest(values: Floats, is_attack: NDArray[np.bool_], species: NDArray[np.str_], units: Units) -> Hardest | None:
    pooled = metrics.score_set(values, is_attack, list(species))
    auc = {name: metrics.roc_auc(pooled, name) for name, of in pooled.attacks.items() if of.size and pooled.n_bona_fide}
    if not auc:
        return None
    name = min(auc, key=lambda name: auc[name])
    is_it = is_attack & (np.where(species == "", UNSPECIFIED, species) == name)
    compared = (~is_attack | is_it) & ~np.isnan(values)
    margin = auc_margin(values[compared], is_it[compared], units.of(compared), level=1 - 0.05 / len(auc))
    return Hardest(name, auc[name], margin is not None and auc[name] - margin > 0.5)


@dataclass(frozen=True)
class _OfScores:
    hardest: Mapping[str, Hardest]


def _parameters(run: Run, subsets: Sequence[str] | None, what: str, of: str) -> dict[str, object]:
    """Marks change without the Run: their file only grows."""
    path = marks.file_of(run)
    size = path.stat().st_size if path.is_file() else 0
    chosen = [name for name in run.subsets if subsets is None or name in subsets]
    return {"run": run.digest_of(of), "subsets": chosen, "what": what, "of": of, "marks": size, "format": _FORMAT}


def _read(kind: type[T], arrays: Mapping[str, NDArray[Any]]) -> T:
    return read_as(kind, json.loads(str(arrays["json"])), "the stored causes")
